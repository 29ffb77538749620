//! What an earlier process left under way is released before the first message of this one.
//!
//! A broker that keeps to the letter takes a message under a number that it has received, and was not told to pass on, for the
//! same message once more: a frame under that number would be lost. It answers each release, whether it knows the number
//! or not.

use super::{
    link::{Link, Packet},
    window::NOTE_ID,
};
use crate::outbox::limits::MQTT_WINDOW;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Numbers that are not free yet.
    left: heapless::Vec<u16, MQTT_WINDOW>,
    sent: bool,
}

impl Sweep {
    /// All numbers of the window are to be freed.
    pub(super) fn begin(&mut self) {
        self.left = (1..NOTE_ID).collect();
        self.sent = false;
    }

    /// Whether all are free.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Sends the releases, once a connection.
    pub(super) fn send(&mut self, link: &mut dyn Link) {
        if !std::mem::replace(&mut self.sent, true) {
            self.left.iter().for_each(|id| link.send(Packet::Release(*id)));
        }
    }

    /// A number is free. Tells whether that was waited for.
    pub(super) fn completed(&mut self, id: u16) -> bool {
        let before = self.left.len();
        if self.sent {
            self.left.retain(|left| *left != id);
        }
        self.left.len() < before
    }

    /// The line is open again. A broker that forgot the session has nothing under way.
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
    fn each_number_is_waited_for_once() {
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
