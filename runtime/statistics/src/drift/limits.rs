//! Constants of the rule that notices drift.

use super::chart::Rule;

/// On fields: what fades within minutes. A weight of 0.05 remembers some 20 fields.
pub(super) const FAST: Rule = Rule { weight: 0.05, learned: 4320, deviations: 6.0, shift: 2.0, persistence: 3 };

/// On means of [`FIELDS_A_BATCH`] fields: what creeps over hours and days. A weight of 0.2 remembers some five of them.
pub(super) const SLOW: Rule = Rule { weight: 0.2, learned: 48, deviations: 5.0, shift: 0.0, persistence: 2 };

/// An hour, at one field in 10 s.
pub const FIELDS_A_BATCH: u32 = 360;

/// Values further from the baseline count as if they were so many standard deviations from it.
pub(super) const MAX_DEVIATIONS: f64 = 4.0;

/// A figure that has drifted is back when its average is within this part of the limits.
pub(super) const BACK_WITHIN: f64 = 0.5;

/// Values that the first standard deviation is taken from, before any is too far from the baseline.
pub(super) const MIN_LEARNED: u64 = 30;

const _: () = {
    // A fast alarm has to be within reach of values that are cut off.
    assert!(FAST.shift < MAX_DEVIATIONS);
    assert!(FAST.learned > MIN_LEARNED && SLOW.learned > MIN_LEARNED);
};
