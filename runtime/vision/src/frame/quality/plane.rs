//! The brightness of a frame as one plane of numbers, and the filters that judging it needs.

use image::RgbImage;

use crate::frame::refit::refit_line;

/// Weights of red, green and blue in the brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Brightness of each pixel in levels, row by row.
#[derive(Debug, Clone, Default)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) levels: Vec<f32>,
}

impl Plane {
    /// Becomes the brightness of a picture.
    pub(super) fn take_luma(&mut self, picture: &RgbImage) {
        let (width, height) = picture.dimensions();
        self.refit(width as usize, height as usize);
        let level = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(LUMA).map(|(&c, weight)| f32::from(c) * weight).sum();
        for (to, pixel) in self.levels.iter_mut().zip(picture.pixels()) {
            *to = level(pixel);
        }
    }

    /// Takes another size, with any levels in it.
    pub(super) fn refit(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        refit_line(&mut self.levels, width * height, 0.0);
    }

    /// Smooths along rows and columns by a symmetric kernel, given from its middle outwards; the border is repeated.
    pub(super) fn smooth_to(&self, kernel: &[f32], to: &mut Self, column: &mut Vec<f32>) {
        let weigh = |line: &[f32], at: usize| {
            let mut sum = kernel[0] * line[at];
            for (away, weight) in kernel.iter().enumerate().skip(1) {
                sum += weight * (line[at.saturating_sub(away)] + line[(at + away).min(line.len() - 1)]);
            }
            sum
        };
        self.along_both(weigh, to, column);
    }

    /// Takes the greatest (or least, by `pick`) level within `reach` pixels along rows and columns; windows end at the
    /// border.
    pub(super) fn extreme_to(&self, reach: usize, pick: fn(f32, f32) -> f32, to: &mut Self, column: &mut Vec<f32>) {
        let window = |line: &[f32], at: usize| {
            let window = &line[at.saturating_sub(reach)..(at + reach + 1).min(line.len())];
            window.iter().copied().reduce(pick).unwrap_or(line[at])
        };
        self.along_both(window, to, column);
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

    fn along_both(&self, filter: impl Fn(&[f32], usize) -> f32, to: &mut Self, column: &mut Vec<f32>) {
        to.refit(self.width, self.height);
        for (row, from) in to.levels.chunks_exact_mut(self.width).zip(self.levels.chunks_exact(self.width)) {
            for (x, level) in row.iter_mut().enumerate() {
                *level = filter(from, x);
            }
        }
        refit_line(column, self.height, 0.0);
        for x in 0..self.width {
            for (y, level) in column.iter_mut().enumerate() {
                *level = to.levels[y * self.width + x];
            }
            for y in 0..self.height {
                to.levels[y * self.width + x] = filter(column, y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Plane {
        let levels = (0..width * height).map(|at| level((at % width) as f32, (at / width) as f32)).collect();
        Plane { width, height, levels }
    }

    fn extreme(plane: &Plane, reach: usize, pick: fn(f32, f32) -> f32) -> Plane {
        // The memory of another plane, that must not show.
        let (mut to, mut column) = (self::plane(9, 3, |x, _| x), vec![5.0; 99]);
        plane.extreme_to(reach, pick, &mut to, &mut column);
        to
    }

    #[test]
    fn smoothing_and_windows_do_what_they_say_at_the_border_too() {
        let dot = plane(5, 4, |x, y| if (x, y) == (0.0, 1.0) { 9.0 } else { 0.0 });
        let mut smooth = Plane::default();
        dot.smooth_to(&[1.0 / 3.0; 2], &mut smooth, &mut Vec::new());
        assert!((smooth.levels[0] - 2.0).abs() < 1e-5 && (smooth.levels[6] - 1.0).abs() < 1e-5, "{smooth:?}");
        let most = extreme(&dot, 1, f32::max);
        assert_eq!(most.levels.iter().filter(|&&level| level == 9.0).count(), 6);
        assert!(extreme(&dot, 4, f32::min).levels.iter().all(|&level| level == 0.0));
    }

    #[test]
    fn noise_raises_the_differences_at_every_distance_alike() {
        let steps = plane(40, 40, |x, _| x);
        assert_eq!((steps.half_variance_at(1), steps.half_variance_at(2)), (Some(0.25), Some(1.0)));
        assert_eq!(plane(3, 2, |_, _| 0.0).half_variance_at(3), None);
    }
}
