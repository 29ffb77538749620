//! Messages in flight: in order, each in its stage, of bounded number.
//!
//! ```text
//!   waiting ──sent──▶ sent ──received──▶ received ──completed──▶ completed: removed once all before it are
//! ```
//!
//! The packet id of a message follows from its number in the records, so that a run which resumes after a crash sends it
//! under the same id: a broker that has it, unreleased, does not accept it twice. If the run does not resume where the
//! crashed one was, the ids are freed first ([`super::sweep`]).

use heapless::Deque;

use super::{
    link::{Link, Packet},
    mark::Mark,
    topics::Topics,
};
use crate::outbox::limits::MQTT_WINDOW;

/// The id of the single message about the box itself in flight.
pub(super) const NOTE_ID: u16 = MQTT_WINDOW as u16 + 1;

/// A message about frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The mark once it and all before it are acknowledged.
    pub(super) mark: Mark,
    /// Whether it reports deleted frames.
    pub(super) is_lost: bool,
    /// Its payload.
    pub(super) payload: String,
}

impl Item {
    /// Its packet id, at least 1.
    fn id(&self) -> u16 {
        // The remainder is less than the window size, which is small.
        1 + self.mark.frame_id.rem_euclid(MQTT_WINDOW as i64) as u16
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Sent,
    Received,
    Completed,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    items: Deque<(Item, Stage), MQTT_WINDOW>,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Remaining capacity.
    pub(super) fn room(&self) -> usize {
        MQTT_WINDOW - self.items.len()
    }

    /// The mark of the first message.
    pub(super) fn first_mark(&self) -> Option<Mark> {
        self.items.front().map(|(item, _)| item.mark)
    }

    /// Adds a message, unless one with its id is in flight.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let first = self.items.front().map_or(item.mark.frame_id, |(first, _)| first.mark.frame_id);
        item.mark.frame_id - first < MQTT_WINDOW as i64 && self.items.push_back((item, Stage::Waiting)).is_ok()
    }

    /// Sends what is queued.
    pub(super) fn send(&mut self, link: &mut dyn Link, topics: &Topics) {
        for (item, stage) in &mut self.items {
            if *stage == Stage::Waiting {
                *stage = Stage::Sent;
                link.send(once(item, topics, false));
            }
        }
    }

    /// The connection is open again. If the broker still knows the session, messages in flight continue; otherwise they
    /// start over.
    pub(super) fn resume(&mut self, resumed: bool, link: &mut dyn Link, topics: &Topics) {
        for (item, stage) in &mut self.items {
            match stage {
                Stage::Waiting | Stage::Completed => {}
                Stage::Sent if resumed => link.send(once(item, topics, true)),
                Stage::Received if resumed => link.send(Packet::Release(item.id())),
                Stage::Sent | Stage::Received => *stage = Stage::Waiting,
            }
        }
    }

    /// The broker has received a message. Returns whether that was new and valid.
    pub(super) fn received(&mut self, id: u16) -> bool {
        self.step(id, Stage::Sent, Stage::Received)
    }

    /// A message was delivered; as [`Self::received`].
    pub(super) fn completed(&mut self, id: u16) -> bool {
        self.step(id, Stage::Received, Stage::Completed)
    }

    /// Removes the next message that is completed, along with all before it.
    pub(super) fn take_done(&mut self) -> Option<Item> {
        self.items.front().filter(|(_, stage)| *stage == Stage::Completed)?;
        self.items.pop_front().map(|(item, _)| item)
    }

    fn step(&mut self, id: u16, from: Stage, to: Stage) -> bool {
        let found = self.items.iter_mut().find(|(item, stage)| item.id() == id && *stage == from);
        found.map(|(_, stage)| *stage = to).is_some()
    }
}

fn once<'a>(item: &'a Item, topics: &'a Topics, again: bool) -> Packet<'a> {
    let topic = if item.is_lost { &topics.lost } else { &topics.frames };
    Packet::Once { id: item.id(), topic, payload: &item.payload, again }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(frame_id: i64) -> Item {
        Item {
            mark: Mark { frame_id, run: 1, run_mark: 1, lost: 0, ended: false },
            is_lost: false,
            payload: String::new(),
        }
    }

    #[test]
    fn messages_in_flight_have_distinct_ids() {
        let mut window = Window::default();
        let most = MQTT_WINDOW as i64;
        assert!((5..5 + most).all(|id| window.push(item(id))) && window.room() == 0);
        assert!(!window.push(item(5 + most)));
        let mut window = Window::default();
        // After a gap: a message that would share an id waits until earlier ones are removed.
        assert!(window.push(item(5)) && !window.push(item(5 + most)) && window.push(item(4 + most)));
        assert!(window.items.iter().all(|(item, _)| (1..NOTE_ID).contains(&item.id())));
    }

    #[test]
    fn messages_complete_in_order_and_ignore_unexpected_acknowledgements() {
        let mut window = Window::default();
        assert!(window.push(item(0)) && window.push(item(1)));
        assert!(!window.received(1), "it is not sent yet");
        window.items.iter_mut().for_each(|(_, stage)| *stage = Stage::Sent);
        assert!(!window.completed(2), "it is not received yet");
        assert!(window.received(2) && !window.received(2) && window.completed(2) && !window.completed(2));
        assert!(!window.received(0) && !window.received(3) && !window.received(u16::MAX));
        assert_eq!(window.take_done(), None, "the one before it is under way");
        assert!(window.received(1) && window.completed(1));
        assert_eq!([window.take_done(), window.take_done(), window.take_done()], [Some(item(0)), Some(item(1)), None]);
    }
}
