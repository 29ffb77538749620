//! The connection to a broker as a trait: the sender works with real MQTT, or with a scripted broker in virtual time.

use std::{fmt, time::Duration};

/// A packet to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A message to be delivered exactly once (QoS 2); it is complete on [`Heard::Completed`].
    Once {
        /// Its packet id, unique among those in flight.
        id: u16,
        /// Its topic.
        topic: &'a str,
        /// Its payload.
        payload: &'a str,
        /// Whether the broker may already have it.
        again: bool,
    },
    /// A message that the broker retains (QoS 1); complete on [`Heard::Acknowledged`].
    Kept {
        /// Its packet id.
        id: u16,
        /// Its topic.
        topic: &'a str,
        /// Its payload.
        payload: &'a str,
    },
    /// The second half of [`Packet::Once`], if the connection broke after [`Heard::Received`].
    Release(u16),
    /// The box disconnects in an orderly way: no last will.
    Leave,
}

/// An event from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing within the patience.
    Nothing,
    /// Something irrelevant to the sender.
    Noise,
    /// The connection is open. `resumed` says whether the broker still knows the messages in flight.
    Connected {
        /// See above.
        resumed: bool,
    },
    /// The broker has the message with this id, and will not accept it a second time.
    Received(u16),
    /// The message with this id was delivered, once.
    Completed(u16),
    /// A retained message was delivered.
    Acknowledged(u16),
    /// The connection is down.
    Lost(String),
}

/// A connection to one broker, with a persistent session.
pub trait Link: fmt::Debug + Send {
    /// Waits for the next event, at most `patience`. First opens the connection if it is down, which may take longer, but
    /// is bounded.
    fn hear(&mut self, patience: Duration) -> Heard;

    /// Sends a packet, during the next [`Link::hear`].
    fn send(&mut self, packet: Packet<'_>);

    /// Drops the connection without disconnecting: the broker publishes the last will.
    fn hang_up(&mut self);
}
