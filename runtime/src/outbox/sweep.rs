//! Releases messages in flight from an earlier process before the first message of this one.
//!
//! A strictly conforming broker treats a message under an id that it has received but was not released as a duplicate: a
//! frame under that id would be lost. It answers each release, whether it knows the id or not.

use super::{
    link::{Link, Packet},
    window::NOTE_ID,
};
use crate::outbox::limits::MQTT_WINDOW;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Ids that are not free yet.
    left: heapless::Vec<u16, MQTT_WINDOW>,
    sent: bool,
}

impl Sweep {
    /// Starts freeing all ids of the window.
    pub(super) fn begin(&mut self) {
        self.left = (1..NOTE_ID).collect();
        self.sent = false;
    }

    /// Whether all are free.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Sends the releases, once per connection.
    pub(super) fn send(&mut self, link: &mut dyn Link) {
        if !std::mem::replace(&mut self.sent, true) {
            self.left.iter().for_each(|id| link.send(Packet::Release(*id)));
        }
    }

    /// An id is free. Returns whether that was expected.
    pub(super) fn completed(&mut self, id: u16) -> bool {
        let before = self.left.len();
        if self.sent {
            self.left.retain(|left| *left != id);
        }
        self.left.len() < before
    }

    /// The connection is open again. A broker without the session has nothing in flight.
    pub(super) fn resume(&mut self, resumed: bool) {
        self.sent = false;
        if !resumed {
            self.left.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_completed_once() {
        let mut sweep = Sweep::default();
        assert!(sweep.is_over() && !sweep.completed(1));
        sweep.begin();
        assert!(!sweep.is_over() && !sweep.completed(1), "nothing was sent yet");
        sweep.sent = true;
        assert!((1..NOTE_ID).all(|id| sweep.completed(id)) && sweep.is_over());
        assert!(!sweep.completed(1) && !sweep.completed(NOTE_ID));
        sweep.begin();
        sweep.resume(true);
        assert!(!sweep.is_over() && !sweep.sent);
        sweep.resume(false);
        assert!(sweep.is_over());
    }
}
