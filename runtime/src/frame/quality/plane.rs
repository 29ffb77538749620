//! The brightness of a frame as one plane of numbers, and the filters that judging it needs.

use image::RgbImage;

/// Weights of red, green and blue in the brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Brightness of each pixel in levels, row by row; never empty.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) levels: Vec<f32>,
}

impl Plane {
    /// The brightness of a picture; none of a picture without pixels.
    pub(super) fn luma(picture: &RgbImage) -> Option<Self> {
        let (width, height) = picture.dimensions();
        let level = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(LUMA).map(|(&c, weight)| f32::from(c) * weight).sum();
        let levels: Vec<f32> = picture.pixels().map(level).collect();
        (!levels.is_empty()).then_some(Self { width: width as usize, height: height as usize, levels })
    }

    /// The plane without its slow trend: the lamp's unevenness and the lens's dark corners.
    ///
    /// The trend is the best fit by polynomials up to `degree` in x times such in y (Gram polynomials, which are
    /// orthogonal on the grid, so that the fit is a projection). The mean becomes 0.
    pub(super) fn without_trend(&self, degree: usize) -> Self {
        let (across, down) = (polynomials(self.width, degree), polynomials(self.height, degree));
        let mut weights = vec![vec![0.0; across.len()]; down.len()];
        for (y, row) in self.levels.chunks_exact(self.width).enumerate() {
            for (j, polynomial) in across.iter().enumerate() {
                let along: f64 = row.iter().zip(polynomial).map(|(&level, p)| f64::from(level) * p).sum();
                for (weights, polynomial) in weights.iter_mut().zip(&down) {
                    weights[j] += along * polynomial[y];
                }
            }
        }
        let mut rest = self.clone();
        for (y, row) in rest.levels.chunks_exact_mut(self.width).enumerate() {
            let at_row: Vec<f64> = (0..across.len())
                .map(|j| weights.iter().zip(&down).map(|(weights, polynomial)| weights[j] * polynomial[y]).sum())
                .collect();
            for (x, level) in row.iter_mut().enumerate() {
                let trend: f64 = at_row.iter().zip(&across).map(|(weight, polynomial)| weight * polynomial[x]).sum();
                *level = (f64::from(*level) - trend) as f32;
            }
        }
        rest
    }

    /// Smoothed along rows and columns by a symmetric kernel, given from its middle outwards; the border is repeated.
    pub(super) fn smoothed(&self, kernel: &[f32]) -> Self {
        let weigh = |line: &[f32], at: usize| {
            let mut sum = kernel[0] * line[at];
            for (away, weight) in kernel.iter().enumerate().skip(1) {
                sum += weight * (line[at.saturating_sub(away)] + line[(at + away).min(line.len() - 1)]);
            }
            sum
        };
        self.along_both(weigh)
    }

    /// The greatest (or least, by `pick`) level within `reach` pixels along rows and columns; windows end at the border.
    pub(super) fn extreme(&self, reach: usize, pick: fn(f32, f32) -> f32) -> Self {
        let window = |line: &[f32], at: usize| {
            let window = &line[at.saturating_sub(reach)..(at + reach + 1).min(line.len())];
            window.iter().copied().reduce(pick).unwrap_or(line[at])
        };
        self.along_both(window)
    }

    /// Half the mean squared difference of pixels that lie `lag_px` apart in x or in y; none where no two do.
    pub(super) fn half_variance_at(&self, lag_px: usize) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0_u64);
        let mut add = |a: f32, b: f32| {
            sum += f64::from((a - b) * (a - b));
            pairs += 1;
        };
        for row in self.levels.chunks_exact(self.width) {
            row.iter().zip(row.iter().skip(lag_px)).for_each(|(&a, &b)| add(a, b));
        }
        self.levels.iter().zip(self.levels.iter().skip(lag_px * self.width)).for_each(|(&a, &b)| add(a, b));
        (pairs > 0).then(|| sum / pairs as f64 / 2.0)
    }

    fn along_both(&self, filter: impl Fn(&[f32], usize) -> f32) -> Self {
        let mut to = self.clone();
        for (row, from) in to.levels.chunks_exact_mut(self.width).zip(self.levels.chunks_exact(self.width)) {
            for (x, level) in row.iter_mut().enumerate() {
                *level = filter(from, x);
            }
        }
        let mut column = vec![0.0; self.height];
        for x in 0..self.width {
            for (y, level) in column.iter_mut().enumerate() {
                *level = to.levels[y * self.width + x];
            }
            for y in 0..self.height {
                to.levels[y * self.width + x] = filter(&column, y);
            }
        }
        to
    }
}

/// Orthonormal polynomials of degree 0 up to `degree` on `count` points; fewer where there are fewer points.
fn polynomials(count: usize, degree: usize) -> Vec<Vec<f64>> {
    let mut found: Vec<Vec<f64>> = Vec::new();
    let middle = (count as f64 - 1.0) / 2.0;
    for power in 0..=degree.min(count.saturating_sub(1)) {
        let mut next: Vec<f64> =
            (0..count).map(|at| ((at as f64 - middle) / middle.max(1.0)).powi(power as i32)).collect();
        for before in &found {
            let share: f64 = next.iter().zip(before).map(|(a, b)| a * b).sum();
            next.iter_mut().zip(before).for_each(|(a, b)| *a -= share * b);
        }
        let length = next.iter().map(|a| a * a).sum::<f64>().sqrt();
        next.iter_mut().for_each(|a| *a /= length);
        found.push(next);
    }
    found
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
        let bowl = plane(30, 20, |x, y| 200.0 - 0.1 * x * x + 0.3 * y + 0.02 * x * y);
        assert!(bowl.without_trend(2).levels.iter().all(|level| level.abs() < 1e-3));
        let stripes = plane(64, 64, |x, _| if x % 2.0 == 0.0 { 10.0 } else { -10.0 });
        let rest = stripes.without_trend(4);
        assert!(rest.levels.iter().zip(&stripes.levels).all(|(a, b)| (a - b).abs() < 2.0));
        assert_eq!(plane(1, 1, |_, _| 7.0).without_trend(4).levels, [0.0]);
    }

    #[test]
    fn smoothing_and_windows_do_what_they_say_at_the_border_too() {
        let dot = plane(5, 4, |x, y| if (x, y) == (0.0, 1.0) { 9.0 } else { 0.0 });
        let smooth = dot.smoothed(&[1.0 / 3.0; 2]);
        assert!((smooth.levels[0] - 2.0).abs() < 1e-5 && (smooth.levels[6] - 1.0).abs() < 1e-5, "{smooth:?}");
        let most = dot.extreme(1, f32::max);
        assert_eq!(most.levels.iter().filter(|&&level| level == 9.0).count(), 6);
        assert!(dot.extreme(4, f32::min).levels.iter().all(|&level| level == 0.0));
    }

    #[test]
    fn noise_raises_the_differences_at_every_distance_alike() {
        let steps = plane(40, 40, |x, _| x);
        assert_eq!((steps.half_variance_at(1), steps.half_variance_at(2)), (Some(0.25), Some(1.0)));
        assert_eq!(plane(3, 2, |_, _| 0.0).half_variance_at(3), None);
    }
}
