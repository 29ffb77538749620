//! The slow trend of a plane: the lamp's unevenness and the lens's dark corners.

use super::plane::Plane;
use crate::frame::refit::refit_line;

/// Takes trends off planes; keeps the memory that it needs for that.
#[derive(Debug, Default)]
pub(super) struct Trend {
    across: Vec<f64>,
    down: Vec<f64>,
    /// A row a polynomial in y, a column a polynomial in x.
    weights: Vec<f64>,
    at_row: Vec<f64>,
}

impl Trend {
    /// Writes the plane without its trend to `rest`.
    ///
    /// The trend is the best fit by polynomials up to `degree` in x times such in y (Gram polynomials, which are
    /// orthogonal on the grid, so that the fit is a projection). The mean becomes 0.
    pub(super) fn take_off(&mut self, plane: &Plane, degree: usize, rest: &mut Plane) {
        let (width, height) = (plane.width, plane.height);
        let terms = polynomials(&mut self.across, width, degree);
        let rows = polynomials(&mut self.down, height, degree);
        refit_line(&mut self.weights, terms * rows, 0.0);
        self.weights.fill(0.0);
        let (across, down) = (&self.across, &self.down);
        for (y, row) in plane.levels.chunks_exact(width).enumerate() {
            for (j, polynomial) in across.chunks_exact(width).enumerate() {
                let along: f64 = row.iter().zip(polynomial).map(|(&level, p)| f64::from(level) * p).sum();
                for (weights, polynomial) in self.weights.chunks_exact_mut(terms).zip(down.chunks_exact(height)) {
                    weights[j] += along * polynomial[y];
                }
            }
        }
        rest.refit(width, height);
        refit_line(&mut self.at_row, terms, 0.0);
        let weights = &self.weights;
        for (y, (row, from)) in rest.levels.chunks_exact_mut(width).zip(plane.levels.chunks_exact(width)).enumerate() {
            for (j, at_row) in self.at_row.iter_mut().enumerate() {
                let in_y = weights.chunks_exact(terms).zip(down.chunks_exact(height));
                *at_row = in_y.map(|(weights, polynomial)| weights[j] * polynomial[y]).sum();
            }
            for (x, (level, from)) in row.iter_mut().zip(from).enumerate() {
                let in_x = self.at_row.iter().zip(across.chunks_exact(width));
                let trend: f64 = in_x.map(|(weight, polynomial)| weight * polynomial[x]).sum();
                *level = (f64::from(*from) - trend) as f32;
            }
        }
    }
}

/// Orthonormal polynomials of degree 0 up to `degree` on `count` points, one behind the other; gives their number, which is
/// less where there are fewer points.
fn polynomials(found: &mut Vec<f64>, count: usize, degree: usize) -> usize {
    let terms = degree.min(count.saturating_sub(1)) + 1;
    refit_line(found, terms * count, 0.0);
    let middle = (count as f64 - 1.0) / 2.0;
    for power in 0..terms {
        let (before, next) = found.split_at_mut(power * count);
        let next = &mut next[..count];
        for (at, value) in next.iter_mut().enumerate() {
            *value = ((at as f64 - middle) / middle.max(1.0)).powi(power as i32);
        }
        for before in before.chunks_exact(count) {
            let share: f64 = next.iter().zip(before).map(|(a, b)| a * b).sum();
            next.iter_mut().zip(before).for_each(|(a, b)| *a -= share * b);
        }
        let length = next.iter().map(|a| a * a).sum::<f64>().sqrt();
        next.iter_mut().for_each(|a| *a /= length);
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Plane {
        let levels = (0..width * height).map(|at| level((at % width) as f32, (at / width) as f32)).collect();
        Plane { width, height, levels }
    }

    #[test]
    fn a_trend_goes_and_the_rest_stays() {
        // One after another in the same memory.
        let (mut trend, mut rest) = (Trend::default(), Plane::default());
        let bowl = plane(30, 20, |x, y| 200.0 - 0.1 * x * x + 0.3 * y + 0.02 * x * y);
        trend.take_off(&bowl, 2, &mut rest);
        assert!(rest.levels.iter().all(|level| level.abs() < 1e-3));
        let stripes = plane(64, 64, |x, _| if x % 2.0 == 0.0 { 10.0 } else { -10.0 });
        trend.take_off(&stripes, 4, &mut rest);
        assert!(rest.levels.iter().zip(&stripes.levels).all(|(a, b)| (a - b).abs() < 2.0));
        trend.take_off(&plane(1, 1, |_, _| 7.0), 4, &mut rest);
        assert_eq!(rest.levels, [0.0]);
    }
}
