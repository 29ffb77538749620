//! Constants of the rule that detects drift.

use super::chart::Rule;

/// For single fields: changes within minutes. A weight of 0.05 averages about 20 fields.
pub(super) const FAST: Rule = Rule { weight: 0.05, learned: 4320, deviations: 6.0, shift: 2.0, persistence: 3 };

/// For means of [`FIELDS_A_BATCH`] fields: changes over hours and days. A weight of 0.2 averages about five of them.
pub(super) const SLOW: Rule = Rule { weight: 0.2, learned: 48, deviations: 5.0, shift: 0.0, persistence: 2 };

/// Fields in a batch: an hour, at one field in 10 s.
pub const FIELDS_A_BATCH: u32 = 360;

/// Values further from the baseline are clamped to this many standard deviations.
pub(super) const MAX_DEVIATIONS: f64 = 4.0;

/// A figure that has drifted is back when its average is within this part of the limits.
pub(super) const BACK_WITHIN: f64 = 0.5;

/// Values used for the first standard deviation, before any are clamped.
pub(super) const MIN_LEARNED: u64 = 30;

const _: () = {
    // Clamped values must be able to raise a fast alarm.
    assert!(FAST.shift < MAX_DEVIATIONS);
    assert!(FAST.learned > MIN_LEARNED && SLOW.learned > MIN_LEARNED);
};
