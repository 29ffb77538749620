//! Counts of distinct fields: their mean with its interval, their dispersion, and how many more would be needed.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Interval, LEVEL, single::poisson};

/// Up to this many fields the interval is computed on the square roots of the counts, whose spread hardly depends on
/// their mean: Student's t covers clumped counts of few fields too rarely.
const FEW_FIELDS: u64 = 10;

/// Below this many cells in total, the interval is at least the exact Poisson one, and so covers more often than
/// [`LEVEL`]: fields that each show at most one cell have no meaningful spread. Likewise for few fields with the same
/// count, which say nothing about the spread.
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
    /// Variance over mean: 1 for independent cells, less if they repel each other, more if they clump. `None` for one
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
    /// The wider of Student's and the exact one, because very few cells were counted, or the same number in each of few
    /// fields.
    FewCells,
}

/// A running tally of the counts of fields, in constant memory.
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

    /// The result for the sample; `None` without fields.
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
        let t = student(fields);
        let (spread, method) = match fields <= FEW_FIELDS {
            true => (of_roots(&self.roots, t), Method::StudentOfRoots),
            false => {
                let half = t * (variance / n).sqrt();
                (Interval { low: (mean - half).max(0.0), high: mean + half }, Method::Student)
            }
        };
        let is_flat = variance == 0.0 && fields <= FEW_FIELDS;
        let (interval, method) = match cells < FEW_CELLS || is_flat {
            true => (spread.with(exact), Method::FewCells),
            false => (spread, method),
        };
        let dispersion = (mean > 0.0).then(|| variance / mean);
        Some(FieldCounts { fields, cells, mean, interval, method, dispersion })
    }
}

impl FieldCounts {
    /// From the counts of distinct fields; `None` without fields.
    pub fn of(counts: impl Iterator<Item = u64>) -> Option<Self> {
        let mut tally = FieldTally::default();
        counts.for_each(|count| tally.add(count));
        tally.counts()
    }

    /// Half the interval divided by the mean; `None` if nothing was counted.
    pub fn relative_half_width(&self) -> Option<f64> {
        (self.mean > 0.0).then(|| self.interval.half_width() / self.mean)
    }

    /// How many more fields like these would narrow the half width of the interval to this part of the mean, such as
    /// 0.05; `None` if there is only one field or no cells.
    pub fn more_fields_for(&self, part: f64) -> Option<u64> {
        let dispersion = self.dispersion.filter(|_| part > 0.0)?;
        // The smallest number of fields that is enough: the interval shrinks with the root of their number, and t with the
        // number itself.
        let is_enough = |fields: u64| (student(fields) / part).powi(2) * dispersion / self.mean <= fields as f64;
        let (mut fewer, mut fields) = (1, MAX_FIELDS);
        while fields - fewer > 1 {
            let middle = fewer.midpoint(fields);
            *(if is_enough(middle) { &mut fields } else { &mut fewer }) = middle;
        }
        Some(fields.saturating_sub(self.fields))
    }
}

/// Most fields that are requested.
const MAX_FIELDS: u64 = 1_000_000_000;

/// From this many fields on, t is that of the normal distribution to four digits.
const MANY_FIELDS: u64 = 10_000;

/// Student's t for the mean of this many fields, two-sided at [`LEVEL`].
fn student(fields: u64) -> f64 {
    if fields >= MANY_FIELDS {
        return 1.960;
    }
    StudentsT::new(0.0, 1.0, fields as f64 - 1.0).map_or(f64::NAN, |t| t.inverse_cdf((1.0 + LEVEL) / 2.0))
}

/// Added to a count before its root is taken, so that the spread of roots hardly depends on their mean (Anscombe,
/// Biometrika 35, 1948).
const ROOT_OFFSET: f64 = 0.375;

/// Student's interval on the roots of the counts, converted to a mean of counts.
fn of_roots(roots: &Moments, t: f64) -> Interval {
    let variance = roots.variance();
    let half = t * (variance / roots.n as f64).sqrt();
    let back = |root: f64| (root.max(0.0).powi(2) + variance - ROOT_OFFSET).max(0.0);
    Interval { low: back(roots.mean - half), high: back(roots.mean + half) }
}

#[cfg(test)]
mod tests;
