//! The slow trend of a plane: uneven illumination and dark corners.

use super::plane::Plane;
use crate::frame::refit::refit_line;

/// Removes trends from planes, reusing memory.
///
/// A trend is the best fit by products of polynomials in x and y up to a degree (Gram polynomials, which are orthogonal
/// on the grid, so that the fit is a projection, and one of lower degree is a part of it).
#[derive(Debug, Default)]
pub(super) struct Trend {
    across: Polynomials,
    down: Polynomials,
    /// One row per polynomial in y, one column per polynomial in x.
    weights: Vec<f64>,
    /// The trend along one row.
    row: Vec<f64>,
}

/// Orthonormal polynomials of rising degree, concatenated; cached for the last number of points.
#[derive(Debug, Default)]
struct Polynomials {
    values: Vec<f64>,
    points: usize,
    degree: usize,
}

/// Rows summed at a time: each sum is rounded step by step, and several keep the processor busy.
const ROWS: usize = 4;

impl Trend {
    /// Fits a plane by polynomials up to `degree`, for [`Self::take_off`].
    pub(super) fn fit(&mut self, plane: &Plane, degree: usize) {
        let (width, height) = (plane.width, plane.height);
        self.across.for_points(width, degree);
        self.down.for_points(height, degree);
        let (terms, rows) = (self.across.terms(degree), self.down.terms(degree));
        refit_line(&mut self.weights, terms * rows, 0.0);
        self.weights.fill(0.0);
        let mut blocks = plane.levels.chunks_exact(ROWS * width);
        let mut y = 0;
        for block in &mut blocks {
            self.add_rows::<ROWS>(std::array::from_fn(|at| &block[at * width..][..width]), y);
            y += ROWS;
        }
        for row in blocks.remainder().chunks_exact(width) {
            self.add_rows([row], y);
            y += 1;
        }
    }

    /// Adds the contribution of the rows from `y` on to each polynomial.
    fn add_rows<const N: usize>(&mut self, rows: [&[f32]; N], y: usize) {
        let terms = self.across.values.len() / self.across.points;
        for (j, polynomial) in self.across.values.chunks_exact(self.across.points).enumerate() {
            let rows = rows.map(|row| &row[..polynomial.len()]);
            let mut along = [0.0; N];
            for (x, p) in polynomial.iter().enumerate() {
                for (along, row) in along.iter_mut().zip(rows) {
                    *along += f64::from(row[x]) * p;
                }
            }
            let down = self.down.values.chunks_exact(self.down.points);
            for (weights, polynomial) in self.weights.chunks_exact_mut(terms).zip(down) {
                for (along, p) in along.iter().zip(&polynomial[y..]) {
                    weights[j] += along * p;
                }
            }
        }
    }

    /// Writes the fitted plane minus its trend of `degree`, at most that of the fit, to `rest`. The mean becomes 0.
    pub(super) fn take_off(&mut self, plane: &Plane, degree: usize, rest: &mut Plane) {
        let (width, height) = (plane.width, plane.height);
        let (terms, rows) = (self.across.terms(degree), self.down.terms(degree));
        let Self { across, down, weights, row: trend } = self;
        let all_terms = across.values.len() / width;
        rest.refit(width, height);
        refit_line(trend, width, 0.0);
        for (y, (row, from)) in rest.levels.chunks_exact_mut(width).zip(plane.levels.chunks_exact(width)).enumerate() {
            trend.fill(0.0);
            for (j, polynomial) in across.values.chunks_exact(width).take(terms).enumerate() {
                let in_y = weights.chunks_exact(all_terms).zip(down.values.chunks_exact(height)).take(rows);
                let at_row: f64 = in_y.map(|(weights, polynomial)| weights[j] * polynomial[y]).sum();
                trend.iter_mut().zip(polynomial).for_each(|(trend, p)| *trend += at_row * p);
            }
            for ((level, from), trend) in row.iter_mut().zip(from).zip(trend.iter()) {
                *level = (f64::from(*from) - trend) as f32;
            }
        }
    }
}

impl Polynomials {
    /// How many there are up to a degree: fewer if there are fewer points.
    fn terms(&self, degree: usize) -> usize {
        degree.min(self.points.saturating_sub(1)) + 1
    }

    /// Computes those up to `degree` on `points` points.
    fn for_points(&mut self, points: usize, degree: usize) {
        if (self.points, self.degree) != (points, degree) {
            polynomials(&mut self.values, points, degree);
            (self.points, self.degree) = (points, degree);
        }
    }
}

/// Orthonormal polynomials of degree 0 up to `degree` on `count` points, concatenated; fewer if there are fewer points.
fn polynomials(found: &mut Vec<f64>, count: usize, degree: usize) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Plane {
        let levels = (0..width * height).map(|at| level((at % width) as f32, (at / width) as f32)).collect();
        Plane { width, height, levels }
    }

    #[test]
    fn trend_is_removed_and_rest_is_kept() {
        // Several in sequence with the same memory.
        let (mut trend, mut rest) = (Trend::default(), Plane::default());
        let bowl = plane(30, 20, |x, y| 200.0 - 0.1 * x * x + 0.3 * y + 0.02 * x * y);
        trend.fit(&bowl, 2);
        trend.take_off(&bowl, 2, &mut rest);
        assert!(rest.levels.iter().all(|level| level.abs() < 1e-3));
        let stripes = plane(64, 64, |x, _| if x % 2.0 == 0.0 { 10.0 } else { -10.0 });
        trend.fit(&stripes, 4);
        trend.take_off(&stripes, 4, &mut rest);
        assert!(rest.levels.iter().zip(&stripes.levels).all(|(a, b)| (a - b).abs() < 2.0));
        let dot = plane(1, 1, |_, _| 7.0);
        trend.fit(&dot, 4);
        trend.take_off(&dot, 4, &mut rest);
        assert_eq!(rest.levels, [0.0]);
    }

    #[test]
    fn lower_degree_of_fit_equals_separate_fit_bit_for_bit() {
        for (width, height) in [(64, 64), (37, 21), (3, 9), (2, 2)] {
            let rough = plane(width, height, |x, y| (x * 12.9 + y * 78.2).sin() * 91.7);
            let (mut four, mut two, mut of_four, mut of_two) = <(Trend, Trend, Plane, Plane)>::default();
            four.fit(&rough, 4);
            four.take_off(&rough, 2, &mut of_four);
            two.fit(&rough, 2);
            two.take_off(&rough, 2, &mut of_two);
            assert_eq!(of_four.levels, of_two.levels);
        }
    }
}
