//! The line to a broker, as a trait: the sender's logic meets MQTT in earnest, or a scripted broker in virtual time.

use std::{fmt, time::Duration};

/// What goes to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A message that is to arrive once (QoS 2); it is over when [`Heard::Completed`] comes.
    Once {
        /// Its number: of those under way no two have the same.
        id: u16,
        /// Where it goes.
        topic: &'a str,
        /// What it says.
        payload: &'a str,
        /// Whether the broker may have it already.
        again: bool,
    },
    /// A message that the broker keeps for whoever comes later (retained, QoS 1); over with [`Heard::Acknowledged`].
    Kept {
        /// Its number.
        id: u16,
        /// Where it goes.
        topic: &'a str,
        /// What it says.
        payload: &'a str,
    },
    /// The second half of [`Packet::Once`], where the line broke after [`Heard::Received`].
    Release(u16),
    /// The box goes by its own will: no last will.
    Leave,
}

/// What comes from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing within the patience.
    Nothing,
    /// Something that means nothing to the sender.
    Noise,
    /// The line is open. `resumed` says whether the broker still knows what was under way.
    Connected {
        /// See above.
        resumed: bool,
    },
    /// The broker has the message of this number and will not take it a second time.
    Received(u16),
    /// The message of this number arrived, once.
    Completed(u16),
    /// A message that is kept has arrived.
    Acknowledged(u16),
    /// The line is down.
    Lost(String),
}

/// A line to one broker, with a session of a fixed name that outlives connections.
pub trait Link: fmt::Debug + Send {
    /// Waits for what comes, no longer than `patience`; opens the line first where it is down, which may take longer, but is
    /// bounded.
    fn hear(&mut self, patience: Duration) -> Heard;

    /// Sends a packet, during the next [`Link::hear`].
    fn send(&mut self, packet: Packet<'_>);

    /// Cuts the line, without leave: the broker tells the last will.
    fn hang_up(&mut self);
}
