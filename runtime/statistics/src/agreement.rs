//! Agreement of the program's counts with a person's counts of the same fields, and the correction that follows from it.
//!
//! Both counts of a field have errors. Missed and false cells grow with the number of cells, so the variance of an
//! error is proportional to the count. The line between the two comes from Deming regression weighted by one over the
//! count (Linnet, Statistics in Medicine 9, 1990, weights by one over its square, for proportional errors), the
//! covariance of offset and slope from the jackknife (Linnet, Clinical Chemistry 39, 1993). Bias and limits of
//! agreement are those of Bland and Altman (Lancet 327, 1986). Their intervals come from the jackknife of the mean and
//! of the logarithm of the deviation, because differences of large counts spread more than those of small ones, and are
//! combined by the method of Zou (Statistical Methods in Medical Research 22, 2013).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Interval, LEVEL};

/// Fewest fields; intervals from fewer cover the truth too rarely.
pub const MIN_PAIRS: usize = 40;

/// Standard deviations of the differences between their mean and the limits of agreement.
const LIMIT_DEVIATIONS: f64 = 1.96;

/// Counts below this are weighted as if they were this.
const MIN_WEIGHED_COUNT: f64 = 1.0;

/// One field, counted twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Cells that the program counted, 0 or more.
    pub program: f64,
    /// Cells that the person counted, 0 or more.
    pub person: f64,
}

/// A figure with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its interval, of [`LEVEL`].
    pub interval: Interval,
}

/// How a program's counts agree with a person's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Fields that both counted.
    pub pairs: usize,
    /// Cells that the person counts where the program counts none: `person = offset + slope * program`.
    pub offset: Estimate,
    /// Additional cells that the person counts for each additional cell of the program.
    pub slope: Estimate,
    /// Variances of offset and slope, and their covariance in between.
    pub covariance: [f64; 3],
    /// Mean of program minus person, in cells per field.
    pub bias: Estimate,
    /// Lower and upper bound of 95 of 100 differences, if they are normally distributed.
    pub limits: [Estimate; 2],
    /// Least and greatest count of the program among the pairs; other values are not corrected.
    pub validated: Interval,
}

/// Figures above this are implausible.
const MAX_PLAUSIBLE: f64 = 1e9;

/// A value of the program as a person would have counted it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Corrected {
    /// The value, 0 or more.
    pub value: f64,
    /// Its interval, from the interval of the program's value and the uncertainty of the correction.
    pub interval: Interval,
}

/// Why there is no agreement, or no correction.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few fields.
    #[error("agreement: {found} fields; expected at least {MIN_PAIRS}; count more fields by eye")]
    TooFew {
        /// Fields found.
        found: usize,
    },
    /// A count that is negative or not a number.
    #[error(
        "agreement: field {index} has a count that is negative or not a number; expected 0 or more; correct or remove it"
    )]
    Count {
        /// Its place, from 0.
        index: usize,
    },
    /// The counts are unrelated, or do not differ from field to field.
    #[error(
        "agreement: the counts of program and person do not rise together; expected fields with few and with many cells; check that both counted the same fields"
    )]
    NoRelation,
    /// A value outside of the validated range.
    #[error(
        "correction: {found:.2}; expected {low} to {high}, the counts that were validated; count fields of this kind by eye"
    )]
    NotValidated {
        /// The value.
        found: f64,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
}

impl Agreement {
    /// The agreement in fields that both counted, at least [`MIN_PAIRS`]. `error_ratio` is the variance of the person's
    /// errors over that of the program's at the same count: 1 if unknown, towards 0 for a person who is always right.
    ///
    /// # Errors
    /// All of [`Error`] except [`Error::NotValidated`].
    pub fn of(pairs: &[Pair], error_ratio: f64) -> Result<Self, Error> {
        if pairs.len() < MIN_PAIRS {
            return Err(Error::TooFew { found: pairs.len() });
        }
        let is_count = |count: f64| count.is_finite() && count >= 0.0;
        if let Some(index) = pairs.iter().position(|pair| !is_count(pair.program) || !is_count(pair.person)) {
            return Err(Error::Count { index });
        }
        let n = pairs.len() as f64;
        let all = pairs.iter().fold(Sums::default(), |sums, pair| sums.with(pair, 1.0));
        let whole = all.figures(error_ratio).ok_or(Error::NoRelation)?;
        // Jackknife: the figures without each field in turn give the variance of those of all fields.
        let (mut mean, mut squares, mut cross) = ([0.0; FIGURES], [0.0; FIGURES], [0.0; 2]);
        for (before, pair) in pairs.iter().enumerate() {
            let without = all.with(pair, -1.0).figures(error_ratio).ok_or(Error::NoRelation)?;
            let pseudo: [f64; FIGURES] = std::array::from_fn(|at| n * whole[at] - (n - 1.0) * without[at]);
            // Welford's sums.
            let count = before as f64 + 1.0;
            let off: [f64; FIGURES] = std::array::from_fn(|at| pseudo[at] - mean[at]);
            for at in 0..FIGURES {
                mean[at] += off[at] / count;
                squares[at] += off[at] * (pseudo[at] - mean[at]);
            }
            cross[0] += off[0] * (pseudo[1] - mean[1]);
            cross[1] += off[2] * (pseudo[3] - mean[3]);
        }
        // The jackknife's divisor is n (n - 1); n - 2 instead of n accounts for the two parameters of the line. Without
        // that, intervals from 40 fields cover the truth in less than 94 of 100 samples.
        let divisor = (n - 1.0) * (n - 2.0);
        let variance = squares.map(|squares| squares / divisor);
        let estimate = |at: usize, freedom: f64| {
            let half = quantile(freedom) * variance[at].sqrt();
            Estimate { value: whole[at], interval: Interval { low: whole[at] - half, high: whole[at] + half } }
        };
        let (bias, deviation) = (estimate(2, n - 1.0), estimate(3, n - 1.0));
        let correlation = cross[1] / (squares[2] * squares[3]).sqrt().max(f64::MIN_POSITIVE);
        let limit = |deviations| limit(&bias, &deviation, correlation, deviations);
        let programs = || pairs.iter().map(|pair| pair.program);
        Ok(Self {
            pairs: pairs.len(),
            offset: estimate(0, n - 2.0),
            slope: estimate(1, n - 2.0),
            covariance: [variance[0], cross[0] / divisor, variance[1]],
            bias,
            limits: [limit(-LIMIT_DEVIATIONS), limit(LIMIT_DEVIATIONS)],
            validated: Interval { low: programs().fold(f64::INFINITY, f64::min), high: programs().fold(0.0, f64::max) },
        })
    }

    /// Corrects a mean count of the program, in cells per field, with its own interval (whose ends may both be the
    /// value, for the uncertainty of the correction only). Fields must be as large as those that both counted.
    ///
    /// # Errors
    /// [`Error::NotValidated`] outside of [`Self::validated`].
    pub fn correct(&self, value: f64, own: Interval) -> Result<Corrected, Error> {
        let Interval { low, high } = self.validated;
        if !(low..=high).contains(&value) {
            return Err(Error::NotValidated { found: value, low, high });
        }
        let [of_offset, both, of_slope] = self.covariance;
        let variance = (of_offset + 2.0 * value * both + value * value * of_slope).max(0.0);
        let half = quantile(self.pairs as f64 - 2.0) * variance.sqrt();
        let slope = self.slope.value;
        let corrected = self.offset.value + slope * value;
        // Both are independent; each side separately, because an interval of counts is wider above.
        let side = |own: f64| (half * half + (slope * own) * (slope * own)).sqrt();
        let interval = Interval {
            low: (corrected - side(value - own.low)).max(0.0),
            high: (corrected + side(own.high - value)).max(0.0),
        };
        Ok(Corrected { value: corrected.max(0.0), interval })
    }
}

impl Agreement {
    /// What is implausible about an agreement that was read from a file; `None` if nothing is.
    pub fn fault(&self) -> Option<&'static str> {
        let is_finite = |estimate: &Estimate| {
            [estimate.value, estimate.interval.low, estimate.interval.high].iter().all(|value| value.is_finite())
        };
        let [of_offset, both, of_slope] = self.covariance;
        let is_variance = |variance: f64| (0.0..=MAX_PLAUSIBLE).contains(&variance);
        let [lower, upper] = &self.limits;
        let Interval { low, high } = self.validated;
        if self.pairs < MIN_PAIRS {
            Some("too few pairs")
        } else if ![&self.offset, &self.slope, &self.bias, lower, upper].into_iter().all(is_finite) {
            Some("figures that are not finite")
        } else if self.slope.value <= 0.0 || self.slope.value > MAX_PLAUSIBLE || self.offset.value.abs() > MAX_PLAUSIBLE
        {
            Some("an implausible slope or offset")
        } else if !is_variance(of_offset) || !is_variance(of_slope) || both.abs() > MAX_PLAUSIBLE || both.is_nan() {
            Some("an implausible covariance")
        } else if !(0.0 <= low && low <= high && high <= MAX_PLAUSIBLE) {
            Some("an implausible validated range")
        } else {
            None
        }
    }
}

/// The limit at `deviations` deviations from the bias. `deviation` is a logarithm; `correlation` is that of both
/// estimates.
fn limit(bias: &Estimate, deviation: &Estimate, correlation: f64, deviations: f64) -> Estimate {
    let at = |logarithm: f64| deviations * logarithm.exp();
    let (middle, ends) = (at(deviation.value), [at(deviation.interval.low), at(deviation.interval.high)]);
    let both = 2.0 * correlation * deviations.signum();
    let side = |own: f64, end: f64| (own * own + end * end + both * own * end).max(0.0).sqrt();
    let value = bias.value + middle;
    let low = value - side(bias.value - bias.interval.low, middle - ends[0].min(ends[1]));
    let high = value + side(bias.interval.high - bias.value, ends[0].max(ends[1]) - middle);
    Estimate { value, interval: Interval { low, high } }
}

fn quantile(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| t.inverse_cdf((1.0 + LEVEL) / 2.0))
}

/// Offset, slope, bias, logarithm of the deviation of the differences.
const FIGURES: usize = 4;

/// Weighted sums over the pairs (x: program, y: person), and those of the differences without weights.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    count: f64,
    difference: f64,
    squared_difference: f64,
}

impl Sums {
    /// With a pair added (`sign` 1) or removed (-1).
    fn with(mut self, pair: &Pair, sign: f64) -> Self {
        let (x, y) = (pair.program, pair.person);
        let weight = sign / ((x + y) / 2.0).max(MIN_WEIGHED_COUNT);
        self.weight += weight;
        self.x += weight * x;
        self.y += weight * y;
        self.xx += weight * x * x;
        self.yy += weight * y * y;
        self.xy += weight * x * y;
        self.count += sign;
        self.difference += sign * (x - y);
        self.squared_difference += sign * (x - y) * (x - y);
        self
    }

    fn figures(&self, error_ratio: f64) -> Option<[f64; FIGURES]> {
        let (x, y) = (self.x / self.weight, self.y / self.weight);
        let xx = self.xx / self.weight - x * x;
        let yy = self.yy / self.weight - y * y;
        let xy = self.xy / self.weight - x * y;
        let excess = yy - error_ratio * xx;
        let slope = (excess + (excess * excess + 4.0 * error_ratio * xy * xy).sqrt()) / (2.0 * xy);
        let bias = self.difference / self.count;
        let variance = (self.squared_difference - self.count * bias * bias) / (self.count - 1.0);
        // Rounding leaves a residue if all counts are equal.
        let related = xy > 1e-9 * (x * x + y * y) && slope.is_finite();
        related.then_some([y - slope * x, slope, bias, 0.5 * variance.max(f64::MIN_POSITIVE).ln()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng, RngExt};
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    fn normal(rng: &mut impl Rng) -> f64 {
        let (radius, angle) = (rng.random::<f64>().max(1e-300), rng.random::<f64>());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Fields of 20 to 120 cells; the program finds nine tenths and three more, and both err by 0.4 roots of the count.
    fn counted(pairs: usize, rng: &mut impl Rng) -> Vec<Pair> {
        let pair = |_| {
            let truth = 20.0 + 100.0 * rng.random::<f64>();
            let error = 0.4 * truth.sqrt();
            Pair { program: (3.0 + 0.9 * truth + error * normal(rng)).max(0.0), person: truth + error * normal(rng) }
        };
        (0..pairs).map(pair).collect()
    }

    #[test]
    fn collinear_counts_recover_line_and_correction() {
        let pairs: Vec<Pair> =
            (10..50).map(|i| Pair { program: f64::from(i), person: 2.0 + 1.1 * f64::from(i) }).collect();
        let found = Agreement::of(&pairs, 1.0).unwrap();
        assert!((found.offset.value - 2.0).abs() < 1e-6 && (found.slope.value - 1.1).abs() < 1e-8, "{found:?}");
        let point = |value| Interval { low: value, high: value };
        let corrected = found.correct(20.0, point(20.0)).unwrap();
        assert!((corrected.value - 24.0).abs() < 1e-6 && corrected.interval.half_width() < 1e-5, "{corrected:?}");
        let own = found.correct(20.0, Interval { low: 18.0, high: 23.0 }).unwrap().interval;
        assert!((own.low - 21.8).abs() < 1e-5 && (own.high - 27.3).abs() < 1e-5, "{own:?}");
        for outside in [9.9, 49.1, f64::NAN] {
            assert!(matches!(
                found.correct(outside, point(outside)),
                Err(Error::NotValidated { low: 10.0, high: 49.0, .. })
            ));
        }
    }

    #[test]
    fn rejects_too_few_invalid_or_unrelated_counts() {
        let pair = |program, person| Pair { program, person };
        assert_eq!(Agreement::of(&[pair(1.0, 1.0); 39], 1.0), Err(Error::TooFew { found: 39 }));
        assert_eq!(Agreement::of(&[pair(7.0, 9.0); 40], 1.0), Err(Error::NoRelation));
        let against: Vec<Pair> = (0..40).map(|i| pair(f64::from(i), f64::from(40 - i))).collect();
        assert_eq!(Agreement::of(&against, 1.0), Err(Error::NoRelation));
        for wrong in [-1.0, f64::NAN, f64::INFINITY] {
            let mut pairs = vec![pair(1.0, 1.0); 40];
            pairs[5].person = wrong;
            assert_eq!(Agreement::of(&pairs, 1.0), Err(Error::Count { index: 5 }));
        }
    }

    #[test]
    fn intervals_cover_truth_in_94_to_97_percent_of_samples() {
        // Of the line through the means: person = (program - 3) / 0.9.
        let (slope, offset) = (1.0 / 0.9, -3.0 / 0.9);
        let bias = 3.0 - 0.1 * 70.0;
        // Of the differences: 0.1 of a uniform spread of 100, and both errors, of 70 cells in the mean.
        let reach = 1.96 * (10.0_f64.powi(2) / 12.0 + 2.0 * 0.16 * 70.0).sqrt();
        for (fields, seed) in [(40, 1), (80, 2), (150, 3)] {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let mut held = [0_u32; 8];
            const SAMPLES: u32 = 10_000;
            for _ in 0..SAMPLES {
                let found = Agreement::of(&counted(fields, &mut rng), 1.0).unwrap();
                let at = |value: f64| {
                    let value = value.clamp(found.validated.low, found.validated.high);
                    let corrected = found.correct(value, Interval { low: value, high: value }).unwrap();
                    (corrected.interval, offset + slope * value)
                };
                let cases = [
                    (found.slope.interval, slope),
                    (found.offset.interval, offset),
                    (found.bias.interval, bias),
                    (found.limits[0].interval, bias - reach),
                    (found.limits[1].interval, bias + reach),
                    at(30.0),
                    at(66.0),
                    at(100.0),
                ];
                for (held, (interval, truth)) in held.iter_mut().zip(cases) {
                    *held += u32::from(interval.low <= truth && truth <= interval.high);
                }
            }
            assert!(held.iter().all(|held| (9_400..=9_700).contains(held)), "{fields} fields: {held:?}");
        }
    }
}
