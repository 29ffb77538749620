//! What `doctor` reckons with.

use std::time::Duration;

/// Longest time that `doctor` waits for a camera's first whole frame.
pub const MAX_FRAME_WAIT: Duration = Duration::from_secs(3);

/// Bytes of records a frame, as `doctor` reckons the room of a day: 35 cells of about 110 bytes, and the frame's own row.
pub const FRAME_RECORD_BYTES: u64 = 4096;

/// Bytes that `doctor` leaves for the pictures of the last frame.
pub const PICTURES_BYTES: u64 = 64 * 1024 * 1024;
