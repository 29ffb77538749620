//! Whether there is a stream: the state machine of a camera that comes and goes.
//!
//! ```text
//!            a frame came (tries = 0)
//!             ┌────┐
//!             │    ▼
//!        ┌─ Streaming ──── lost, stalled, format changed ───┐
//!        │      ▲                                           ▼
//!   opened      └────────────── opened ─────────────── Parted ─┐
//!   at first                                               ▲   │ refused: wait twice as long
//!                                                          └───┘
//! ```
//!
//! Time comes in as an argument. Only a frame proves that all is well again: a device that opens and stalls is tried more
//! and more slowly, like one that is not there.

use std::time::Duration;

use crate::limits::{CAMERA_RETRY_LEAST, CAMERA_RETRY_MOST, CAMERA_STALL};

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Ask the device for a frame.
    Read,
    /// No frame has come for too long: give the stream up.
    GiveUp,
    /// Open the device.
    Open,
    /// Nothing before this time.
    Wait(Duration),
}

/// The state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// There is a stream.
    Streaming {
        /// When the last frame came, or the stream began.
        heard: Duration,
        /// Openings since the last frame.
        tries: u32,
    },
    /// There is none.
    Parted {
        /// When the device is tried next.
        retry_at: Duration,
        /// Openings and refusals since the last frame.
        tries: u32,
    },
}

impl Link {
    /// A stream that begins at `now`.
    pub fn opened_at(now: Duration) -> Self {
        Self::Streaming { heard: now, tries: 0 }
    }

    /// What is to be done at `now`.
    pub fn act(&self, now: Duration) -> Act {
        match *self {
            Self::Streaming { heard, .. } if now.saturating_sub(heard) >= CAMERA_STALL => Act::GiveUp,
            Self::Streaming { .. } => Act::Read,
            Self::Parted { retry_at, .. } if now >= retry_at => Act::Open,
            Self::Parted { retry_at, .. } => Act::Wait(retry_at),
        }
    }

    /// A frame came, good or not: the device is alive.
    pub fn heard(&mut self, now: Duration) {
        *self = Self::Streaming { heard: now, tries: 0 };
    }

    /// The stream is over, or an opening was refused.
    pub fn parted(&mut self, now: Duration) {
        let tries = self.tries();
        *self = Self::Parted { retry_at: now + pause(tries), tries: tries.saturating_add(1) };
    }

    /// The device was opened.
    pub fn opened(&mut self, now: Duration) {
        *self = Self::Streaming { heard: now, tries: self.tries() };
    }

    /// Openings and refusals since the last frame.
    pub fn tries(&self) -> u32 {
        match *self {
            Self::Streaming { tries, .. } | Self::Parted { tries, .. } => tries,
        }
    }
}

/// How long to wait after so many tries in vain.
fn pause(tries: u32) -> Duration {
    CAMERA_RETRY_LEAST.saturating_mul(1 << tries.min(16)).min(CAMERA_RETRY_MOST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_stream_is_read_until_it_is_silent_for_too_long() {
        let mut link = Link::opened_at(s(10.0));
        assert_eq!(link.act(s(10.0) + CAMERA_STALL - s(0.1)), Act::Read);
        assert_eq!(link.act(s(10.0) + CAMERA_STALL), Act::GiveUp);
        link.heard(s(12.0));
        assert_eq!(link.act(s(11.9) + CAMERA_STALL), Act::Read);
    }

    #[test]
    fn a_lost_device_is_tried_more_and_more_slowly_until_a_frame_comes() {
        let mut link = Link::opened_at(s(0.0));
        let (mut now, mut pauses) = (s(1.0), Vec::new());
        link.parted(now);
        for _ in 0..40 {
            let Act::Wait(until) = link.act(now) else { panic!("{link:?}") };
            assert_eq!(link.act(until), Act::Open);
            pauses.push(until - now);
            now = until;
            link.parted(now);
        }
        assert!(pauses.is_sorted() && pauses[0] == CAMERA_RETRY_LEAST && pauses[39] == CAMERA_RETRY_MOST);
        // Opening alone is not enough.
        link.opened(now);
        link.parted(now + CAMERA_STALL);
        assert_eq!(link.act(now + CAMERA_STALL), Act::Wait(now + CAMERA_STALL + CAMERA_RETRY_MOST));
        link.opened(now);
        link.heard(now);
        link.parted(now);
        assert_eq!(link.act(now), Act::Wait(now + CAMERA_RETRY_LEAST));
    }
}
