//! Counters of a camera.

use std::{fmt, ops::Add};

use serde::Serialize;

/// Events of one camera since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CameraCounters {
    /// Frames passed on.
    pub frames: u64,
    /// Frames that arrived sooner than the requested rate, and were not read.
    pub skipped: u64,
    /// Frames whose size differs from the stream's.
    pub wrong_size: u64,
    /// Truncated or damaged JPEG frames.
    pub torn: u64,
    /// Frames that the driver flagged as damaged.
    pub damaged: u64,
    /// Frames for which the pool had no free picture.
    pub no_buffer: u64,
    /// Times that the device was lost.
    pub lost: u64,
    /// Times that the device was reopened because no frame arrived for too long.
    pub stalled: u64,
    /// Times that the stream's format changed.
    pub format_changes: u64,
    /// Failed attempts to reopen the device.
    pub refused: u64,
    /// Times that the device was reopened.
    pub reopened: u64,
}

impl CameraCounters {
    /// Frames that could not become pictures.
    pub fn left_out(&self) -> u64 {
        self.wrong_size + self.torn + self.damaged + self.no_buffer
    }
}

impl Add for CameraCounters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            skipped: self.skipped + other.skipped,
            wrong_size: self.wrong_size + other.wrong_size,
            torn: self.torn + other.torn,
            damaged: self.damaged + other.damaged,
            no_buffer: self.no_buffer + other.no_buffer,
            lost: self.lost + other.lost,
            stalled: self.stalled + other.stalled,
            format_changes: self.format_changes + other.format_changes,
            refused: self.refused + other.refused,
            reopened: self.reopened + other.reopened,
        }
    }
}

impl fmt::Display for CameraCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {} skipped; left out: {} of wrong size, {} torn, {} damaged, {} without a buffer; {} lost, \
             {} stalled, {} format changes, {} tries refused, {} reopened",
            self.frames,
            self.skipped,
            self.wrong_size,
            self.torn,
            self.damaged,
            self.no_buffer,
            self.lost,
            self.stalled,
            self.format_changes,
            self.refused,
            self.reopened
        )
    }
}
