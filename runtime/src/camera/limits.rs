//! What a camera is asked for, and how long it is waited for.

use std::time::Duration;

/// Most formats, and most sizes of one, that a camera is asked for.
pub const MAX_CAMERA_OFFERS: usize = 64;

/// Most controls that a camera is asked for.
pub const MAX_CAMERA_CONTROLS: usize = 256;

/// Longest time that a camera is waited for at a stretch.
pub const CAMERA_POLL: Duration = Duration::from_millis(100);

/// A camera that gives no frame for so long is opened again.
pub const CAMERA_STALL: Duration = Duration::from_secs(5);

/// Time until a lost camera is first tried again; each try in vain doubles it.
pub const MIN_CAMERA_RETRY: Duration = Duration::from_millis(250);

/// Longest time between two tries.
pub const MAX_CAMERA_RETRY: Duration = Duration::from_secs(5);

/// So many frames of another size in a row are a change of format.
pub const CAMERA_FORMAT_PATIENCE: u32 = 3;

const _: () = {
    assert!(CAMERA_POLL.as_millis() * 10 <= CAMERA_STALL.as_millis());
    assert!(MIN_CAMERA_RETRY.as_millis() < MAX_CAMERA_RETRY.as_millis());
};
