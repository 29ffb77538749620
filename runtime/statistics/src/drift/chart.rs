//! One control chart: a moving average, compared with learned limits.
//!
//! The exponentially weighted moving average of Roberts (Technometrics 1, 1959; Montgomery, Introduction to Statistical
//! Quality Control, chapter 9): `z += weight * (x - z)`. For independent values its deviation is that of a value times
//! `sqrt(weight / (2 - weight))`. Values from a microscope are not independent, so that formula gives limits that are
//! far too narrow; the deviation of `z` itself while the baseline was learned is used instead if it is wider.

use super::limits::{BACK_WITHIN, MAX_DEVIATIONS, MIN_LEARNED};

/// The settings of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    /// Weight of a new value, above 0, at most 1.
    pub(super) weight: f64,
    /// Values that the baseline is learned from.
    pub(super) learned: u64,
    /// Deviations of the moving average between baseline and limits.
    pub(super) deviations: f64,
    /// Least distance of the limits from the baseline, in deviations of a value.
    pub(super) shift: f64,
    /// Values in a row for which the average is beyond a limit, before it counts.
    pub(super) persistence: u64,
}

/// Numbers in the state of a chart.
pub(super) const PARTS: usize = 9;

/// A chart's state; all of it is numbers, so that it can be stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chart {
    /// Values so far.
    pub(super) seen: f64,
    /// Mean of the baseline.
    pub(super) mean: f64,
    /// Mean absolute deviation from it, which heavy tails inflate less than a standard deviation.
    absolute: f64,
    /// The moving average.
    pub(super) average: f64,
    /// Values that were averaged, their mean and the sum of their squared differences from it, while learning.
    averages: f64,
    average_mean: f64,
    average_squares: f64,
    /// Values in a row beyond a limit.
    beyond: f64,
    /// The pinned mean; NaN if there is none.
    pinned: f64,
}

impl Default for Chart {
    fn default() -> Self {
        Self::from_parts([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f64::NAN])
    }
}

impl Chart {
    /// Whether the baseline is known.
    pub(super) fn is_learned(&self, rule: &Rule) -> bool {
        self.seen >= rule.learned as f64
    }

    /// Standard deviation of a value, from the mean absolute deviation of a normal one.
    pub(super) fn deviation(&self) -> f64 {
        self.absolute * (std::f64::consts::PI / 2.0).sqrt()
    }

    /// Distance of both limits from the baseline, at least `least`.
    pub(super) fn limit(&self, rule: &Rule, least: f64) -> f64 {
        let independent = self.deviation() * (rule.weight / (2.0 - rule.weight)).sqrt();
        let own = (self.average_squares / (self.averages - 1.0).max(1.0)).sqrt();
        (rule.deviations * independent.max(own)).max(rule.shift * self.deviation()).max(least)
    }

    /// A value, clamped to a range around the baseline.
    pub(super) fn cut(&self, value: f64, rule: &Rule, least: f64) -> f64 {
        if self.seen < MIN_LEARNED as f64 {
            return value;
        }
        let most = match self.is_learned(rule) {
            // Beyond the limit, so that the average can pass it.
            true => (MAX_DEVIATIONS * self.deviation()).max(1.25 * self.limit(rule, least)),
            false => (MAX_DEVIATIONS * self.deviation()).max(least),
        };
        value.clamp(self.mean - most, self.mean + most)
    }

    /// Adds one value.
    pub(super) fn see(&mut self, value: f64, rule: &Rule, least: f64) {
        let value = self.cut(value, rule, least);
        if self.is_learned(rule) {
            self.average += rule.weight * (value - self.average);
            // Hysteresis: an average near its limit would cross it repeatedly.
            let part = if self.is_out(rule) { BACK_WITHIN } else { 1.0 };
            let is_beyond = (self.average - self.mean).abs() > part * self.limit(rule, least);
            self.beyond = if is_beyond { self.beyond + 1.0 } else { 0.0 };
            return;
        }
        self.seen += 1.0;
        if self.seen == 1.0 {
            (self.mean, self.average) = (value, value);
            return;
        }
        self.absolute += ((value - self.mean).abs() - self.absolute) / (self.seen - 1.0);
        self.mean += (value - self.mean) / self.seen;
        self.average += rule.weight * (value - self.average);
        // The first averages are nearer to the first value than later ones are to the mean.
        if self.seen * rule.weight > 3.0 {
            self.averages += 1.0;
            let off = self.average - self.average_mean;
            self.average_mean += off / self.averages;
            self.average_squares += off * (self.average - self.average_mean);
        }
        if self.is_learned(rule) {
            self.mean = if self.pinned.is_nan() { self.mean } else { self.pinned };
            self.average = self.mean;
        }
    }

    /// Whether the average is beyond a limit, and stays there.
    pub(super) fn is_out(&self, rule: &Rule) -> bool {
        self.beyond >= rule.persistence as f64
    }

    /// Sets the mean, and restarts the average there.
    pub(super) fn pin(&mut self, mean: f64, rule: &Rule) {
        self.pinned = mean;
        if self.is_learned(rule) {
            (self.mean, self.average, self.beyond) = (mean, mean, 0.0);
        }
    }

    pub(super) fn to_parts(self) -> [f64; PARTS] {
        let Self { seen, mean, absolute, average, averages, average_mean, average_squares, beyond, pinned } = self;
        [seen, mean, absolute, average, averages, average_mean, average_squares, beyond, pinned]
    }

    pub(super) fn from_parts(parts: [f64; PARTS]) -> Self {
        let [seen, mean, absolute, average, averages, average_mean, average_squares, beyond, pinned] = parts;
        Self { seen, mean, absolute, average, averages, average_mean, average_squares, beyond, pinned }
    }
}
