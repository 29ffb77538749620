//! Limits of camera queries, and timeouts.

use std::time::Duration;

/// Most formats, and most sizes of each, that are read from a camera.
pub const MAX_CAMERA_OFFERS: usize = 64;

/// Most controls that are read from a camera.
pub const MAX_CAMERA_CONTROLS: usize = 256;

/// Buffers that a driver is asked for: it fills one while the other is read.
pub const CAMERA_BUFFERS: u32 = 2;

/// Most buffers that are accepted from a driver that needs more; the kernel's own limit.
pub const MAX_CAMERA_BUFFERS: u32 = 32;

/// Longest single wait for a camera.
pub const CAMERA_POLL: Duration = Duration::from_millis(100);

/// A camera without frames for this long is reopened.
pub const CAMERA_STALL: Duration = Duration::from_secs(5);

/// Time until the first retry of a lost camera; each failure doubles it.
pub const MIN_CAMERA_RETRY: Duration = Duration::from_millis(250);

/// Longest time between retries.
pub const MAX_CAMERA_RETRY: Duration = Duration::from_secs(5);

/// This many consecutive frames of another size are a format change.
pub const CAMERA_FORMAT_PATIENCE: u32 = 3;

const _: () = {
    assert!(CAMERA_BUFFERS <= MAX_CAMERA_BUFFERS);
    assert!(CAMERA_POLL.as_millis() * 10 <= CAMERA_STALL.as_millis());
    assert!(MIN_CAMERA_RETRY.as_millis() < MAX_CAMERA_RETRY.as_millis());
};
