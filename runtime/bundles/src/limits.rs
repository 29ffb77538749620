//! File sizes, and the rules of a trial.

use std::time::Duration;

use bloodseg_vision::model::limits::{MAX_MODEL_BYTES, MAX_TEXT_BYTES};

/// Largest bundle that is read, in bytes: both models, their manifests, a validation and the container.
pub const MAX_BUNDLE_BYTES: u64 = 2 * MAX_MODEL_BYTES + 3 * MAX_TEXT_BYTES + 1024;

/// Largest key or signature file that is read, in bytes.
pub const MAX_KEY_BYTES: u64 = 4096;

/// Starts on trial that may end without confirmation; the next one rolls back.
pub const MAX_TRIAL_STARTS: u32 = 3;

/// Frames in which new models must count cells to be confirmed.
pub const MIN_TRIAL_FRAMES: u32 = 20;

/// Longest time to wait for another process that holds the slots: an installation writes and syncs two bundles.
pub const MAX_SLOTS_WAIT: Duration = Duration::from_secs(5);

/// Interval at which a waiting process checks the lock.
pub const SLOTS_LOOK: Duration = Duration::from_millis(100);

const _: () = {
    assert!(crate::bundle::MAX_FRAME_BYTES <= 1024);
    assert!(SLOTS_LOOK.as_millis() * 10 <= MAX_SLOTS_WAIT.as_millis());
};
