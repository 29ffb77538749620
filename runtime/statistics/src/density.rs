//! Cells per area, from fields whose areas may differ: the ratio of the sums, with Student's interval of the residuals (Cochran,
//! Sampling Techniques, 3rd edition, 6.4).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Interval, LEVEL, single::poisson};

/// Below so many cells in all, the interval is at least the exact Poisson one.
const FEW_CELLS: u64 = 10;

/// Cells per unit of area.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Density {
    /// Cells over area.
    pub density: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Density {
    /// Of distinct fields, each with its cells and its area; none without area.
    pub fn of(fields: impl Iterator<Item = (u64, f64)> + Clone) -> Option<Self> {
        let (mut n, mut cells, mut area) = (0.0, 0_u64, 0.0);
        for (of_field, field_area) in fields.clone() {
            (n, cells, area) = (n + 1.0, cells.saturating_add(of_field), area + field_area);
        }
        if !(area > 0.0 && f64::is_finite(area)) {
            return None;
        }
        let density = cells as f64 / area;
        let exact = poisson(cells).times(1.0 / area);
        if n < 2.0 {
            return Some(Self { density, interval: exact });
        }
        let residuals = fields.map(|(of_field, field_area)| (of_field as f64 - density * field_area).powi(2));
        let variance = residuals.sum::<f64>() / (n - 1.0);
        let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf((1.0 + LEVEL) / 2.0));
        let half = t * (variance * n).sqrt() / area;
        let spread = Interval { low: (density - half).max(0.0), high: density + half };
        Some(Self { density, interval: if cells < FEW_CELLS { spread.with(exact) } else { spread } })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_of_one_density_and_several_sizes_have_no_spread() {
        let found = Density::of([(10, 1.0), (20, 2.0), (40, 4.0)].into_iter()).unwrap();
        assert_eq!((found.density, found.interval), (10.0, Interval { low: 10.0, high: 10.0 }));
    }

    #[test]
    fn one_field_has_the_exact_interval_and_none_without_area() {
        let one = Density::of(std::iter::once((100, 2.0))).unwrap();
        assert!((one.density - 50.0).abs() < 1e-9 && (one.interval.low - 40.68).abs() < 0.01);
        assert_eq!(Density::of(std::iter::empty()), None);
        assert_eq!(Density::of(std::iter::once((3, 0.0))), None);
    }

    #[test]
    fn fields_of_one_size_have_students_interval() {
        let found = Density::of([8, 12, 8, 12, 8, 12].into_iter().map(|cells| (cells, 2.0))).unwrap();
        // s = 2.191, t = 2.571, n = 6.
        assert!((found.density - 5.0).abs() < 1e-9 && (found.interval.high - 6.150).abs() < 0.001, "{found:?}");
    }
}
