//! Cells per area, from fields whose areas may differ: the ratio of the sums, with Student's interval of the residuals
//! (Cochran, Sampling Techniques, 3rd edition, 6.4).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Interval, LEVEL, single::poisson};

/// Below this many cells in total, the interval is at least the exact Poisson one.
const FEW_CELLS: u64 = 10;

/// Cells per unit of area.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Density {
    /// Cells over area.
    pub density: f64,
    /// Its interval.
    pub interval: Interval,
}

/// A running tally of fields, in constant memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DensityTally {
    fields: u64,
    cells: u64,
    area: f64,
    /// Sums of the squares of the counts, of the areas, and of their products.
    squares: [f64; 3],
}

impl DensityTally {
    /// Adds a distinct field, or the part of one that no earlier field shows: its cells and its area.
    pub fn add(&mut self, cells: u64, area: f64) {
        self.fields += 1;
        self.cells = self.cells.saturating_add(cells);
        self.area += area;
        let count = cells as f64;
        for (sum, square) in self.squares.iter_mut().zip([count * count, area * area, count * area]) {
            *sum += square;
        }
    }

    /// Cells per unit of area; `None` without area.
    pub fn density(&self) -> Option<Density> {
        let Self { fields, cells, area, squares: [of_counts, of_areas, products] } = *self;
        if !(area > 0.0 && f64::is_finite(area)) {
            return None;
        }
        let density = cells as f64 / area;
        let exact = poisson(cells).times(1.0 / area);
        if fields < 2 {
            return Some(Density { density, interval: exact });
        }
        let n = fields as f64;
        // The sum of (cells - density * area)^2, which rounding may bring below zero.
        let residuals = (of_counts - 2.0 * density * products + density * density * of_areas).max(0.0);
        let variance = residuals / (n - 1.0);
        let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf((1.0 + LEVEL) / 2.0));
        let half = t * (variance * n).sqrt() / area;
        let spread = Interval { low: (density - half).max(0.0), high: density + half };
        Some(Density { density, interval: if cells < FEW_CELLS { spread.with(exact) } else { spread } })
    }
}

impl Density {
    /// The density of distinct fields, each with its cells and its area; `None` without area.
    pub fn of(fields: impl Iterator<Item = (u64, f64)>) -> Option<Self> {
        let mut tally = DensityTally::default();
        fields.for_each(|(cells, area)| tally.add(cells, area));
        tally.density()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_of_equal_density_have_no_spread() {
        let found = Density::of([(10, 1.0), (20, 2.0), (40, 4.0)].into_iter()).unwrap();
        assert_eq!((found.density, found.interval), (10.0, Interval { low: 10.0, high: 10.0 }));
    }

    #[test]
    fn single_field_has_exact_interval_and_no_area_no_density() {
        let one = Density::of(std::iter::once((100, 2.0))).unwrap();
        assert!((one.density - 50.0).abs() < 1e-9 && (one.interval.low - 40.68).abs() < 0.01);
        assert_eq!(Density::of(std::iter::empty()), None);
        assert_eq!(Density::of(std::iter::once((3, 0.0))), None);
    }

    #[test]
    fn fields_of_equal_size_have_students_interval() {
        let found = Density::of([8, 12, 8, 12, 8, 12].into_iter().map(|cells| (cells, 2.0))).unwrap();
        // s = 2.191, t = 2.571, n = 6.
        assert!((found.density - 5.0).abs() < 1e-9 && (found.interval.high - 6.150).abs() < 0.001, "{found:?}");
    }
}
