//! The state machine of a camera connection.
//!
//! ```text
//!                    a frame came: tries = 0
//!                         ┌────┐
//!  opened at first        │    ▼
//!  ──────────────────▶ Streaming ── lost, stalled, format changed ──▶ Parted ──┐
//!                          ▲                                          │   ▲    │ refused:
//!                          └──────────────── opened ──────────────────┘   └────┘ wait longer
//! ```
//!
//! Time is an argument. Only a frame proves recovery: a device that opens and then stalls is retried with increasing
//! back-off, like one that is missing.

use std::time::Duration;

use crate::camera::limits::{CAMERA_STALL, MAX_CAMERA_RETRY, MIN_CAMERA_RETRY};
use bloodseg_clock::back_off::pause;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Request a frame from the device.
    Read,
    /// Open the device.
    Open,
    /// Wait until this time.
    Wait(Duration),
}

/// The state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// There is a stream.
    Streaming {
        /// Since when requests have returned nothing; `None` after a frame, and before the first request.
        silent_since: Option<Duration>,
        /// Attempts to open since the last frame.
        tries: u32,
    },
    /// There is no stream.
    Parted {
        /// Time of the next attempt.
        retry_at: Duration,
        /// Attempts and refusals since the last frame.
        tries: u32,
    },
}

impl Link {
    /// A new stream.
    pub fn begun() -> Self {
        Self::Streaming { silent_since: None, tries: 0 }
    }

    /// What to do at `now`.
    pub fn act(&self, now: Duration) -> Act {
        match *self {
            Self::Streaming { .. } => Act::Read,
            Self::Parted { retry_at, .. } if now >= retry_at => Act::Open,
            Self::Parted { retry_at, .. } => Act::Wait(retry_at),
        }
    }

    /// A frame arrived, valid or not: the device is alive.
    pub fn heard(&mut self) {
        *self = Self::begun();
    }

    /// A request returned no frame. Returns whether this has lasted so long that the stream should be given up. Time
    /// without requests does not count: slow processing is not the device's fault.
    pub fn silent(&mut self, now: Duration) -> bool {
        match self {
            Self::Streaming { silent_since, .. } => {
                now.saturating_sub(*silent_since.get_or_insert(now)) >= CAMERA_STALL
            }
            Self::Parted { .. } => false,
        }
    }

    /// The stream has ended, or opening was refused.
    pub fn parted(&mut self, now: Duration) {
        let tries = self.tries();
        *self = Self::Parted {
            retry_at: now + pause(MIN_CAMERA_RETRY, MAX_CAMERA_RETRY, tries),
            tries: tries.saturating_add(1),
        };
    }

    /// The device was opened.
    pub fn opened(&mut self) {
        *self = Self::Streaming { silent_since: None, tries: self.tries() };
    }

    /// Attempts and refusals since the last frame.
    pub fn tries(&self) -> u32 {
        match *self {
            Self::Streaming { tries, .. } | Self::Parted { tries, .. } => tries,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn stream_is_given_up_after_stall_timeout() {
        let mut link = Link::begun();
        assert!(!link.silent(s(10.0)) && !link.silent(s(10.0) + CAMERA_STALL - s(0.1)));
        assert!(link.silent(s(10.0) + CAMERA_STALL));
        link.heard();
        assert!(!link.silent(s(100.0)) && link.act(s(100.0)) == Act::Read);
    }

    #[test]
    fn retries_back_off_until_a_frame_arrives() {
        let mut link = Link::begun();
        let (mut now, mut pauses) = (s(1.0), Vec::new());
        link.parted(now);
        for _ in 0..40 {
            let Act::Wait(until) = link.act(now) else { panic!("{link:?}") };
            assert_eq!(link.act(until), Act::Open);
            pauses.push(until - now);
            now = until;
            link.parted(now);
        }
        assert!(pauses.is_sorted() && pauses[0] == MIN_CAMERA_RETRY && pauses[39] == MAX_CAMERA_RETRY);
        // Opening alone is not enough.
        link.opened();
        link.parted(now + CAMERA_STALL);
        assert_eq!(link.act(now + CAMERA_STALL), Act::Wait(now + CAMERA_STALL + MAX_CAMERA_RETRY));
        link.opened();
        link.heard();
        link.parted(now);
        assert_eq!(link.act(now), Act::Wait(now + MIN_CAMERA_RETRY));
    }
}
