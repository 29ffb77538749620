//! Messages about the box itself: retained, in order, one in flight at a time.

use std::collections::VecDeque;

use super::{
    link::{Link, Packet},
    window::NOTE_ID,
};
use crate::outbox::limits::MQTT_NOTES;

#[derive(Debug)]
struct Note {
    topic: String,
    payload: String,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Notes {
    waiting: VecDeque<Note>,
    /// Whether the first is in flight.
    sent: bool,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(MQTT_NOTES), sent: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether one for this topic is queued or in flight.
    pub(super) fn has(&self, topic: &str) -> bool {
        self.waiting.iter().any(|note| note.topic == topic)
    }

    /// Queues a message, if there is room.
    pub(super) fn push(&mut self, topic: String, payload: String) {
        if self.waiting.len() < MQTT_NOTES {
            self.waiting.push_back(Note { topic, payload });
        }
    }

    /// Sends the next one, unless one is in flight.
    pub(super) fn send(&mut self, link: &mut dyn Link) {
        if let Some(Note { topic, payload }) = self.waiting.front().filter(|_| !self.sent) {
            link.send(Packet::Kept { id: NOTE_ID, topic, payload });
            self.sent = true;
        }
    }

    /// The broker has acknowledged one. Returns whether it was in flight.
    pub(super) fn acknowledged(&mut self, id: u16) -> bool {
        let can_be = self.sent && id == NOTE_ID;
        if can_be {
            self.sent = false;
            self.waiting.pop_front();
        }
        can_be
    }

    /// Drops those that are not in flight.
    pub(super) fn withdraw(&mut self) {
        self.waiting.truncate(usize::from(self.sent));
    }

    /// Drops all: the connection is new.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.sent = false;
    }

    #[cfg(test)]
    pub(super) fn is_in_flight(&self, topic: &str) -> bool {
        self.sent && self.waiting.front().is_some_and(|note| note.topic == topic)
    }
}
