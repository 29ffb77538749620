//! Counts of distinct fields: their mean with its interval, their dispersion, and how many more would be needed.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Interval, LEVEL, single::poisson};

/// Up to this many fields the interval is computed on the square roots of the counts, whose spread hardly depends on
/// their mean: Student's t covers clumped counts of few fields too rarely.
const FEW_FIELDS: u64 = 10;

/// Below this many cells in all, the interval is at least the exact Poisson one, and so covers more often than [`LEVEL`]:
/// fields that all show no cell, or one, have no meaningful spread.
const FEW_CELLS: u64 = 10;

/// What fields of one size say about the sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FieldCounts {
    /// Distinct fields.
    pub fields: u64,
    /// Cells in all of them.
    pub cells: u64,
    /// Mean number of cells per field.
    pub mean: f64,
    /// Interval of the mean.
    pub interval: Interval,
    /// How the interval was found.
    pub method: Method,
    /// Variance over mean: 1 for independent cells, less where they repel each other, more where they clump. None for one
    /// field, and for fields without cells.
    pub dispersion: Option<f64>,
}

/// How an interval was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// From a single field: exact, for independent cells.
    Poisson,
    /// Student's t on the counts.
    Student,
    /// Student's t on the square roots of the counts.
    StudentOfRoots,
    /// The wider of Student's and the exact one, because very few cells were counted.
    FewCells,
}

/// Counts of fields as they come, in memory that does not grow with their number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FieldTally {
    cells: u64,
    counts: Moments,
    roots: Moments,
}

/// Running mean and sum of squared deviations (Welford, Technometrics 4, 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.n += 1;
        let from_mean = value - self.mean;
        self.mean += from_mean / self.n as f64;
        self.squares += from_mean * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / (self.n as f64 - 1.0)
    }
}

impl FieldTally {
    /// Adds the count of a distinct field.
    pub fn add(&mut self, cells: u64) {
        self.cells = self.cells.saturating_add(cells);
        self.counts.add(cells as f64);
        self.roots.add((cells as f64 + ROOT_OFFSET).sqrt());
    }

    /// What the fields say of the sample; none without fields.
    pub fn counts(&self) -> Option<FieldCounts> {
        let Self { cells, counts: Moments { n: fields, .. }, .. } = *self;
        if fields == 0 {
            return None;
        }
        let n = fields as f64;
        let mean = cells as f64 / n;
        let exact = poisson(cells).times(1.0 / n);
        if fields == 1 {
            return Some(FieldCounts {
                fields,
                cells,
                mean,
                interval: exact,
                method: Method::Poisson,
                dispersion: None,
            });
        }
        let variance = self.counts.variance();
        let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf((1.0 + LEVEL) / 2.0));
        let (spread, method) = match fields <= FEW_FIELDS {
            true => (of_roots(&self.roots, t), Method::StudentOfRoots),
            false => {
                let half = t * (variance / n).sqrt();
                (Interval { low: (mean - half).max(0.0), high: mean + half }, Method::Student)
            }
        };
        let (interval, method) = match cells < FEW_CELLS {
            true => (spread.with(exact), Method::FewCells),
            false => (spread, method),
        };
        let dispersion = (mean > 0.0).then(|| variance / mean);
        Some(FieldCounts { fields, cells, mean, interval, method, dispersion })
    }
}

impl FieldCounts {
    /// Of the counts of distinct fields; none without fields.
    pub fn of(counts: impl Iterator<Item = u64>) -> Option<Self> {
        let mut tally = FieldTally::default();
        counts.for_each(|count| tally.add(count));
        tally.counts()
    }

    /// Half the interval divided by the mean; none if nothing was counted.
    pub fn relative_half_width(&self) -> Option<f64> {
        (self.mean > 0.0).then(|| self.interval.half_width() / self.mean)
    }

    /// How many more fields like these would narrow the half width of the interval to this part of the mean, such as
    /// 0.05; none if there is only one field or no cells.
    pub fn more_fields_for(&self, part: f64) -> Option<u64> {
        let dispersion = self.dispersion.filter(|_| part > 0.0)?;
        // The interval shrinks with the root of the number; 1.96 replaces t, which approaches it.
        let needed = (1.96 / part).powi(2) * dispersion / self.mean;
        Some((needed.ceil().min(1e9) as u64).saturating_sub(self.fields))
    }
}

/// Added to a count before its root is taken, so that the spread of roots hardly depends on their mean (Anscombe, Biometrika
/// 35, 1948).
const ROOT_OFFSET: f64 = 0.375;

/// Student's interval on the roots of the counts, brought back to a mean of counts.
fn of_roots(roots: &Moments, t: f64) -> Interval {
    let variance = roots.variance();
    let half = t * (variance / roots.n as f64).sqrt();
    let back = |root: f64| (root.max(0.0).powi(2) + variance - ROOT_OFFSET).max(0.0);
    Interval { low: back(roots.mean - half), high: back(roots.mean + half) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng, RngExt};
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    fn of(counts: &[u64]) -> FieldCounts {
        FieldCounts::of(counts.iter().copied()).unwrap()
    }

    #[test]
    fn one_field_has_the_exact_interval_and_many_their_spread() {
        let one = of(&[100]);
        assert_eq!((one.method, one.dispersion, one.more_fields_for(0.05)), (Method::Poisson, None, None));
        assert!((one.interval.low - 81.4).abs() < 0.1 && (one.interval.high - 121.6).abs() < 0.1);
        let twelve = of(&[8, 12, 8, 12, 8, 12, 8, 12, 8, 12, 8, 12]);
        assert_eq!((twelve.fields, twelve.cells, twelve.mean, twelve.method), (12, 120, 10.0, Method::Student));
        // s = 2.089, t = 2.201.
        assert!((twelve.interval.high - 11.327).abs() < 0.001, "{twelve:?}");
        assert!((twelve.dispersion.unwrap() - 0.4364).abs() < 0.001);
        assert!(FieldCounts::of(std::iter::empty()).is_none());
    }

    #[test]
    fn fields_without_cells_have_an_upper_bound() {
        let none = of(&[0; 20]);
        assert_eq!((none.mean, none.interval.low, none.dispersion, none.relative_half_width()), (0.0, 0.0, None, None));
        assert!((none.interval.high - 3.69 / 20.0).abs() < 0.001);
    }

    #[test]
    fn more_fields_are_asked_for_until_the_interval_is_narrow() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let counts: Vec<u64> = (0..400).map(|_| poisson_draw(30.0, &mut rng)).collect();
        let some = of(&counts[..12]);
        let more = some.more_fields_for(0.05).unwrap();
        assert!((20..90).contains(&more), "{more}");
        let all = of(&counts[..12 + more as usize]);
        assert!(all.relative_half_width().unwrap() < 0.07, "{all:?}");
        assert_eq!(of(&counts).more_fields_for(0.05), Some(0));
    }

    fn poisson_draw(mean: f64, rng: &mut impl Rng) -> u64 {
        let (mut product, least, mut count) = (rng.random::<f64>(), (-mean).exp(), 0);
        while product > least {
            product *= rng.random::<f64>();
            count += 1;
        }
        count
    }

    /// Clumps of `1 / stay` cells in the mean: variance over mean is 2 / stay - 1.
    fn clumped_draw(mean: f64, stay: f64, rng: &mut impl Rng) -> u64 {
        let clumps = poisson_draw(mean * stay, rng);
        (0..clumps)
            .map(|_| 1 + std::iter::repeat_with(|| rng.random::<f64>()).take_while(|draw| *draw > stay).count() as u64)
            .sum()
    }

    /// Places that are taken or free: variance over mean is 1 - share.
    fn repelling_draw(mean: f64, share: f64, rng: &mut impl Rng) -> u64 {
        let places = (mean / share).round() as u64;
        (0..places).filter(|_| rng.random::<f64>() < share).count() as u64
    }

    #[test]
    fn intervals_of_ten_thousand_samples_hold_the_truth_in_94_to_97_of_100() {
        type Draw = Box<dyn Fn(&mut Pcg64Mcg) -> u64>;
        let cases: [(&str, f64, Draw); 4] = [
            ("independent", 30.0, Box::new(|rng| poisson_draw(30.0, rng))),
            ("repelling", 40.0, Box::new(|rng| repelling_draw(40.0, 0.5, rng))),
            ("clumped", 20.0, Box::new(|rng| clumped_draw(20.0, 0.5, rng))),
            ("few", 6.0, Box::new(|rng| poisson_draw(6.0, rng))),
        ];
        for (name, truth, draw) in cases {
            for fields in [3, 8, 12, 30] {
                let mut rng = Pcg64Mcg::seed_from_u64(fields as u64);
                let holds = |_: &u32| {
                    let counts: Vec<u64> = (0..fields).map(|_| draw(&mut rng)).collect();
                    let interval = of(&counts).interval;
                    interval.low <= truth && truth <= interval.high
                };
                let covered = (0..10_000).filter(holds).count();
                assert!((9_400..=9_700).contains(&covered), "{name}, {fields} fields: {covered}");
            }
        }
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        let rare = |_: &u32| {
            let counts: Vec<u64> = (0..8).map(|_| poisson_draw(0.5, &mut rng)).collect();
            let interval = of(&counts).interval;
            interval.low <= 0.5 && 0.5 <= interval.high
        };
        let covered = (0..10_000).filter(rare).count();
        assert!(covered >= 9_400, "rare: {covered}");
    }
}
