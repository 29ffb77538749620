//! Sizes of the files, and the rules of a trial.

use std::time::Duration;

/// Largest bundle that is opened, in bytes: both models, their manifests, and what frames them.
pub const MAX_BUNDLE_BYTES: u64 =
    2 * (bloodseg_vision::model::limits::MAX_MODEL_BYTES + bloodseg_vision::model::limits::MAX_TEXT_BYTES) + 1024;

/// Largest file of a key or a signature that is opened, in bytes.
pub const MAX_KEY_BYTES: u64 = 4096;

/// Starts of models on trial that may end without their being confirmed; at the next one they are left.
pub const MAX_TRIAL_STARTS: u32 = 3;

/// Frames in which new models have to count cells before they are confirmed.
pub const MIN_TRIAL_FRAMES: u32 = 20;

/// Longest time that a process waits for another one that holds the slots: an installation writes and syncs two bundles.
pub const MAX_SLOTS_WAIT: Duration = Duration::from_secs(5);

/// Time between two looks whether it still does.
pub const SLOTS_LOOK: Duration = Duration::from_millis(100);

const _: () = {
    assert!(crate::bundle::FRAME_BYTES <= 1024);
    assert!(SLOTS_LOOK.as_millis() * 10 <= MAX_SLOTS_WAIT.as_millis());
};
