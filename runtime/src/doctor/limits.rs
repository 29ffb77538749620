//! Assumptions of `doctor`.

use std::time::Duration;

/// Longest wait of `doctor` for a camera's first complete frame.
pub const MAX_FRAME_WAIT: Duration = Duration::from_secs(3);

/// Bytes of records per frame, for estimating a day: 35 cells of about 110 bytes, and the frame's own row.
pub const FRAME_RECORD_BYTES: u64 = 4096;

/// Bytes reserved for the pictures of the last frame.
pub const PICTURES_BYTES: u64 = 64 * 1024 * 1024;
