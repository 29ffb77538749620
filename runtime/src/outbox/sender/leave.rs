//! The end of a run: messages in flight are completed, so that the next run does not send them again.

use std::time::Duration;

use super::{Counters, Line, Sender};
use crate::outbox::{
    limits::{MAX_MQTT_END, MAX_MQTT_HEARD, MAX_MQTT_LEAVE, MQTT_LOOK},
    link::{Heard, Packet},
    message,
};

impl Sender {
    /// Sends what is left, if the broker accepts it in time, and disconnects.
    pub fn end(&mut self) -> Counters {
        let began = self.clock.elapsed();
        let since = |sender: &Self| sender.clock.elapsed().saturating_sub(began);
        self.look_at = began;
        let mut looked = false;
        while since(self) < MAX_MQTT_END && !(looked && self.is_idle()) {
            // A broker that is unreachable is not waited for; one that was never tried is tried.
            if matches!(self.line, Line::Away(_)) && self.tries > 0 {
                break;
            }
            looked = self.is_up();
            if self.step() > Duration::ZERO {
                break;
            }
        }
        if self.is_up() {
            self.leave();
        } else {
            // To report how much is pending.
            self.look(self.clock.elapsed());
        }
        // Messages of an earlier process do not matter if this one never connected.
        if !self.inherits && self.window.is_empty() {
            self.mark.end();
        }
        self.mark.keep(self.clock.elapsed(), true);
        self.reader.close_for_good();
        self.counters()
    }

    fn is_up(&self) -> bool {
        matches!(self.line, Line::Up(_))
    }

    /// Whether everything is acknowledged.
    fn is_idle(&self) -> bool {
        self.window.is_empty() && self.notes.is_empty() && self.sweep.is_over() && self.read >= self.newest
    }

    /// From here on no new frame is sent. Those in flight come first, so that the final state includes them.
    pub(super) fn leave(&mut self) {
        let until = self.clock.elapsed() + MAX_MQTT_LEAVE;
        self.notes.withdraw();
        self.listen(until.saturating_sub(MAX_MQTT_LEAVE / 2), |sender| sender.window.is_empty());
        // Even if an earlier state is still in flight: this is the one that remains.
        self.note_state(self.clock.elapsed());
        self.note(self.topics.availability.clone(), message::OFFLINE.to_owned());
        self.listen(until, |sender| sender.window.is_empty() && sender.notes.is_empty());
        if self.is_up() && self.notes.is_empty() {
            self.link.send(Packet::Leave);
        }
        // Without a disconnect, the broker publishes the last will, which says the same. Either way, what it has sent
        // counts until it disconnects: otherwise a delivered frame would be sent again.
        let until = self.clock.elapsed() + MQTT_LOOK;
        for _ in 0..MAX_MQTT_HEARD {
            if !self.is_up() {
                break;
            }
            match self.link.hear(until.saturating_sub(self.clock.elapsed())) {
                Heard::Nothing | Heard::Lost(_) => break,
                heard => self.take(heard),
            }
        }
        self.link.hang_up();
    }

    /// Sends and receives until `is_over`, but no longer than until `until`.
    fn listen(&mut self, until: Duration, is_over: fn(&Self) -> bool) {
        while self.is_up() && !is_over(self) {
            let now = self.clock.elapsed();
            if now >= until {
                return;
            }
            if self.say(now) {
                let heard = self.link.hear(until - now);
                self.take(heard);
            }
        }
    }
}
