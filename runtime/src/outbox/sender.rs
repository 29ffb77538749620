//! The logic of the outbox, step by step: independent of threads, with time as an argument.
//!
//! ```text
//!            connected
//!   away ──────────────────────▶ up: reads the records, sends, receives
//!    ▲  1 s, 2 s .. 60 s          │
//!    └────────────────────────────┘ connection lost, no acknowledgement for too long, or protocol violation
//! ```
//!
//! The mark moves when the broker has completed a message and all before it. So a broker that is unreachable for a day
//! costs no space beyond that of the records.

mod leave;

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    access::Access,
    discovery,
    link::{Heard, Link},
    mark::{Mark, MarkFile},
    message,
    notes::Notes,
    sweep::Sweep,
    topics::Topics,
    unsent::{Entry, Gap, Reader, Start, Unsent},
    window::{Item, Window},
};
use crate::{
    outbox::limits::{
        MAX_MQTT_ACK_WAIT, MAX_MQTT_CONNECT, MAX_MQTT_HEARD, MAX_MQTT_RETRY, MIN_MQTT_RETRY, MIN_MQTT_STATE,
        MQTT_FORGIVEN, MQTT_LOOK,
    },
    run::{shared::Shared, state::State},
};
use bloodseg_clock::{Clock, back_off::pause};

/// Frames by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that the broker acknowledged.
    pub acknowledged: u64,
    /// Recorded frames that it has not acknowledged.
    pub unsent: u64,
    /// Frames deleted before they were published, in this run.
    pub lost: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// To be retried at this time.
    Away(Duration),
    /// Open since.
    Up(Duration),
}

/// See the module.
#[derive(Debug)]
pub struct Sender {
    topics: Topics,
    link: Box<dyn Link>,
    reader: Reader,
    mark: MarkFile,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    line: Line,
    /// Failed attempts since the last stable connection.
    tries: u32,
    /// Whether the outage was recorded as an event.
    noted_away: bool,
    window: Window,
    sweep: Sweep,
    notes: Notes,
    /// Whether the broker may have messages in flight from an earlier process.
    inherits: bool,
    /// Whether the mark belongs to the open records, and says that frames may be in flight beyond it.
    is_marked: bool,
    /// Number of the frame up to which the broker has acknowledged the records, up to which they were read, and of the
    /// newest one.
    reached: i64,
    read: i64,
    newest: i64,
    /// Frames of these records deleted before they were published.
    lost_in_all: u64,
    counters: Counters,
    look_at: Duration,
    heard: u32,
    /// When something was last acknowledged, or started to be waited for.
    moved_at: Duration,
    state_at: Option<Duration>,
    sent_state: Option<(State, i64, Option<u64>)>,
}

impl Sender {
    /// Publishes the records in `folder`.
    pub fn new(access: &Access, folder: &Path, link: Box<dyn Link>, shared: &Arc<Shared>) -> Self {
        let clock = Arc::clone(&shared.clock);
        let now = clock.elapsed();
        let mark = MarkFile::open(folder);
        Self {
            topics: access.topics.clone(),
            link,
            reader: Reader::new(folder),
            lost_in_all: mark.get().map_or(0, |mark| mark.lost),
            mark,
            shared: Arc::clone(shared),
            clock,
            line: Line::Away(now),
            tries: 0,
            noted_away: false,
            window: Window::default(),
            sweep: Sweep::default(),
            notes: Notes::new(),
            inherits: true,
            is_marked: false,
            reached: 0,
            read: 0,
            newest: 0,
            counters: Counters::default(),
            look_at: now,
            heard: 0,
            moved_at: now,
            state_at: None,
            sent_state: None,
        }
    }

    /// The counters so far.
    pub fn counters(&self) -> Counters {
        let unsent = self.newest.saturating_sub(self.reached).max(0).unsigned_abs();
        Counters { unsent, ..self.counters }
    }

    /// Frames that the broker has not acknowledged, if the records can be read.
    fn unsent(&self) -> Option<u64> {
        self.reader.is_open().then(|| self.counters().unsent)
    }

    /// Does all pending work, and returns for how long there is nothing more to do.
    pub fn step(&mut self) -> Duration {
        let now = self.clock.elapsed();
        // While the broker is unreachable the mark does not move, so it is written once.
        self.mark.keep(now, matches!(self.line, Line::Away(_)));
        let patience = match self.line {
            Line::Away(until) if now < until => return until - now,
            // The connection gives up earlier by itself.
            Line::Away(_) => 2 * MAX_MQTT_CONNECT,
            Line::Up(_) => {
                if now >= self.look_at {
                    self.look(now);
                }
                if !self.say(now) {
                    return Duration::ZERO;
                }
                if self.heard >= MAX_MQTT_HEARD {
                    // A broker that sends this much is handled later.
                    return self.look_at.saturating_sub(now);
                }
                self.look_at.saturating_sub(now)
            }
        };
        let heard = self.link.hear(patience);
        self.take(heard);
        Duration::ZERO
    }

    /// Reads new frames, as far as there is room.
    fn look(&mut self, now: Duration) {
        (self.look_at, self.heard) = (now + MQTT_LOOK, 0);
        if self.reader.is_replaced() && self.window.is_empty() {
            log::warn!("mqtt: the records were replaced; publishing the new ones from the beginning");
            self.reader.close();
        }
        if !self.reader.is_open() {
            // Messages in flight belong to the previously open records.
            let start = if self.window.is_empty() { self.reader.open(self.mark.get(), now) } else { None };
            let Some(Start { after, is_marked }) = start else {
                // The state is published anyway, because the broker has an older one.
                self.publish_state(now);
                return;
            };
            (self.reached, self.read, self.newest) = (after, after, after);
            self.is_marked = is_marked && self.mark.get().is_some_and(|mark| !mark.ended);
        }
        let room = self.window.room();
        if !self.reader.is_replaced()
            && let Some((found, newest)) = self.reader.after(self.read, room, now)
        {
            self.newest = newest;
            self.look_at_session(found.first(), now);
            for unsent in found {
                if !self.enqueue(unsent, now) {
                    break;
                }
            }
        }
        self.publish_state(now);
    }

    /// Frees the ids of the window if the broker may have other messages under them than those that will be sent.
    fn look_at_session(&mut self, first: Option<&Unsent>, now: Duration) {
        if !self.inherits || !matches!(self.line, Line::Up(_)) {
            return;
        }
        self.inherits = false;
        // A killed run of this folder left frames that follow the mark, each under the id that it gets again. If some
        // were deleted since, others would get their ids.
        if !self.is_marked || first.is_none_or(|unsent| unsent.gap.is_some()) {
            self.sweep.begin();
            self.moved_at = now;
        }
    }

    /// Records in the mark that frames may be in flight, before the first one is sent.
    fn claim(&mut self, now: Duration) {
        if let Some(first) = self.window.first_mark().filter(|_| !self.is_marked) {
            let lost = self.mark.get().map_or(0, |mark| mark.lost);
            self.mark.set(Mark { frame_id: self.reached, lost, ..first });
            self.mark.keep(now, true);
            self.is_marked = true;
        }
    }

    /// Queues a frame, and before it the gap. Returns whether there was room for both.
    fn enqueue(&mut self, Unsent { gap, entry }: Unsent, now: Duration) -> bool {
        if self.window.is_empty() {
            self.moved_at = now;
        }
        if let Some(gap) = gap {
            let lost_in_all = self.lost_in_all.saturating_add(gap.frames);
            let payload = message::lost(&self.topics.box_name, gap, &entry, lost_in_all);
            if !self.window.push(Item { mark: mark_of(&entry, gap.last_id, lost_in_all), is_lost: true, payload }) {
                return false;
            }
            self.report_lost(gap, lost_in_all);
            self.read = gap.last_id;
        }
        let payload = message::frame(&self.topics.box_name, &entry);
        let taken =
            self.window.push(Item { mark: mark_of(&entry, entry.id, self.lost_in_all), is_lost: false, payload });
        if taken {
            self.read = entry.id;
        }
        taken
    }

    fn report_lost(&mut self, gap: Gap, lost_in_all: u64) {
        self.lost_in_all = lost_in_all;
        self.counters.lost += gap.frames;
        let words = format!("{} frames were deleted before they could be sent", gap.frames);
        log::warn!("mqtt: {words}; {lost_in_all} in total");
        self.shared.happened("mqtt lost", words);
    }

    /// Queues the state if it changed.
    fn publish_state(&mut self, now: Duration) {
        if self.state_at.is_some_and(|at| now.saturating_sub(at) < MIN_MQTT_STATE) {
            return;
        }
        let reported = (self.shared.state(), self.newest, self.unsent());
        if self.sent_state == Some(reported) || self.notes.has(&self.topics.state) {
            return;
        }
        self.note_state(now);
        (self.state_at, self.sent_state) = (Some(now), Some(reported));
    }

    fn note_state(&mut self, now: Duration) {
        let (state, unsent) = (self.shared.state(), self.unsent());
        let newest: Option<Entry> = self.reader.newest(now);
        let text = message::state(
            &self.topics.box_name,
            state,
            newest.as_ref(),
            &self.shared.answer(),
            unsent,
            self.lost_in_all,
        );
        self.note(self.topics.state.clone(), text);
    }

    fn note(&mut self, topic: String, payload: String) {
        if self.notes.is_empty() && self.window.is_empty() {
            self.moved_at = self.clock.elapsed();
        }
        self.notes.push(topic, payload);
    }

    /// Sends what is queued. Disconnects from a broker that acknowledges nothing; returns whether the connection is still
    /// open.
    fn say(&mut self, now: Duration) -> bool {
        let waits = !self.window.is_empty() || !self.notes.is_empty() || !self.sweep.is_over();
        if waits && now.saturating_sub(self.moved_at) >= MAX_MQTT_ACK_WAIT {
            self.give_up("no acknowledgements");
            return false;
        }
        if self.sweep.is_over() {
            self.claim(now);
            self.window.send(self.link.as_mut(), &self.topics);
        } else {
            self.sweep.send(self.link.as_mut());
        }
        self.notes.send(self.link.as_mut());
        true
    }

    fn take(&mut self, heard: Heard) {
        self.heard = self.heard.saturating_add(u32::from(heard != Heard::Nothing));
        let now = self.clock.elapsed();
        match heard {
            Heard::Nothing | Heard::Noise => return,
            Heard::Connected { resumed } => self.connected(resumed, now),
            Heard::Lost(why) => self.away(&why, now),
            Heard::Completed(id) if self.sweep.completed(id) => {}
            Heard::Received(id) if self.window.received(id) => {}
            Heard::Completed(id) if self.window.completed(id) => self.move_mark(),
            Heard::Acknowledged(id) if self.notes.acknowledged(id) => {}
            Heard::Received(id) | Heard::Completed(id) | Heard::Acknowledged(id) => {
                self.give_up(&format!("unexpected acknowledgement of packet {id}"));
                return;
            }
        }
        self.moved_at = now;
    }

    fn move_mark(&mut self) {
        while let Some(item) = self.window.take_done() {
            self.counters.acknowledged += u64::from(!item.is_lost);
            self.reached = item.mark.frame_id;
            self.mark.set(item.mark);
        }
    }

    fn connected(&mut self, resumed: bool, now: Duration) {
        log::info!("mqtt: connected");
        if std::mem::take(&mut self.noted_away) {
            self.shared.happened("mqtt", "connected".to_owned());
        }
        self.line = Line::Up(now);
        (self.look_at, self.heard) = (now, 0);
        // A broker without the session has no messages of an earlier process.
        self.inherits &= resumed;
        self.sweep.resume(resumed);
        self.window.resume(resumed, self.link.as_mut(), &self.topics);
        self.notes.clear();
        self.note(self.topics.availability.clone(), message::ONLINE.to_owned());
        for (topic, payload) in discovery::messages(&self.topics) {
            self.note(topic, payload);
        }
        (self.state_at, self.sent_state) = (None, None);
    }

    fn give_up(&mut self, why: &str) {
        self.link.hang_up();
        self.away(why, self.clock.elapsed());
    }

    fn away(&mut self, why: &str, now: Duration) {
        if let Line::Up(since) = self.line
            && now.saturating_sub(since) >= MQTT_FORGIVEN
        {
            self.tries = 0;
        }
        self.line = Line::Away(now + pause(MIN_MQTT_RETRY, MAX_MQTT_RETRY, self.tries));
        self.tries = self.tries.saturating_add(1);
        // Reported at the first failure, and then each time the number of failures has doubled.
        if self.tries.is_power_of_two() {
            log::warn!("mqtt: broker unreachable: {why}; retrying, frames are pending in the records");
        }
        if self.tries == 1 && !self.noted_away {
            self.noted_away = true;
            self.shared.happened("mqtt", format!("away: {why}"));
        }
    }
}

fn mark_of(entry: &Entry, frame_id: i64, lost: u64) -> Mark {
    Mark { frame_id, run: entry.run, run_mark: entry.run_mark, lost, ended: false }
}

#[cfg(test)]
mod tests;
