//! Events of the run: they wait in a ring until they can be written.

use super::Keeper;
use crate::store::write::{self, Event, cut};
use bloodseg_clock::utc;

impl Keeper {
    /// Keeps an event: `kind` in one word, `text` in one line. It waits if it cannot be written yet; if too many wait,
    /// the oldest are dropped.
    pub fn event(&mut self, kind: &str, text: &str) {
        self.wait(kind, text);
        self.write_waiting();
    }

    /// Queues an event until it can be written.
    pub(super) fn wait(&mut self, kind: &str, text: &str) {
        if self.waiting.is_full() {
            self.waiting.pop_front();
            self.counters.lost_events += 1;
        }
        let at_utc_ms = utc::ms(self.clock.wall());
        let event = Event { at_utc_ms, box_ms: self.box_ms_now(), kind: cut(kind), text: cut(text) };
        // There is room: one was just removed.
        let _ = self.waiting.push_back(event);
    }

    /// Writes the waiting events, as far as possible.
    pub(super) fn write_waiting(&mut self) {
        while let (Some(connection), Some(event)) = (&self.connection, self.waiting.front()) {
            match write::event(connection, self.run_id, event) {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.counters.events += 1;
                }
                Err(error) => {
                    self.failed(error);
                    return;
                }
            }
        }
    }
}
