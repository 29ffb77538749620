//! Inference about a sample from the counts of its fields.
//!
//! Cells of a smear repel each other, or clump: counts of fields are not Poisson, and the interval of their mean comes
//! from the spread between distinct fields ([`fields`]). A count without a spread has the exact Poisson interval
//! ([`single`]), and a share of cells the exact binomial one ([`share`]). All intervals are two-sided, with confidence
//! level [`LEVEL`].

pub mod agreement;
pub mod control;
pub mod density;
pub mod drift;
pub mod fields;
pub mod moments;
pub mod share;
pub mod single;

use serde::{Deserialize, Serialize};

/// Confidence level of the intervals.
pub const LEVEL: f64 = 0.95;

/// An interval, including both ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The smallest interval that holds both.
    pub fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The interval times a number above zero.
    pub fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }

    /// Half its length.
    pub fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}
