//! How sharp the edges in a frame are, whatever the stain's strength, the cells' size and the noise.
//!
//! Steepness: the greatest slope near a pixel over the range of levels around it, so in units of 1/px. It is a mean that
//! is weighed by the range to the fourth: the cells count, the empty ground and its noise hardly do. Two corrections:
//!
//! - Noise adds to slopes. Its strength is read off the half variances of pixels one and two pixels apart, of which
//!   white noise raises both alike, and what it adds on average is taken off the squared slope.
//! - A small cell that defocus has made a mere bump is steeper for its range than the edge of a large one, blurred
//!   alike. The width of what is seen, the distance at which pixels are half as different as pixels far apart (of
//!   the variogram, as in Matheron, "Principles of geostatistics", 1963), makes up for it.

use super::plane::Plane;

/// Frames that are smaller than this a side have no measure, in pixels: no window would be whole.
const LEAST_SIDE_PX: usize = 9;

/// Reach of the window in which a range of levels is taken, in pixels: a cell's edge and both its sides.
const RANGE_REACH_PX: usize = 4;

/// Reach of the window in which the greatest slope is sought, in pixels.
const SLOPE_REACH_PX: usize = 3;

/// Deviation of the Gaussian that slopes are taken after, in pixels: less lets noise in, more hides sharp edges.
const SMOOTHING_PX: f32 = 0.7;

/// What noise of deviation 1 adds to the greatest slope in a window, as a deviation a pixel; by trial.
const NOISE_SLOPE: f64 = 0.6;

/// What a pixel of width is worth in units of steepness, 1/px a pixel; by trial.
const STEEPNESS_PER_WIDTH_PX: f64 = 0.015;

/// Greatest distance at which pixels are compared, in pixels.
const GREATEST_LAG_PX: usize = 13;

/// Greatest width that is made up for, in pixels: that of cells twice as large as usual.
const GREATEST_WIDTH_PX: f64 = 7.0;

/// Planes that are filtered, and the memory for it.
#[derive(Debug, Default)]
pub(super) struct Windows {
    smooth: Plane,
    most: Plane,
    least: Plane,
    slopes: Plane,
}

impl Windows {
    /// The levels of a plane smoothed by a kernel, given from its middle outwards; they are the caller's to change.
    pub(super) fn smooth(&mut self, plane: &Plane, kernel: &[f32]) -> &mut [f32] {
        plane.smooth_to(kernel, &mut self.most, &mut self.smooth);
        &mut self.smooth.levels
    }

    /// Sharpness of a plane without its trend; none where it shows nothing, or is too small to tell.
    pub(super) fn sharpness(&mut self, plane: &Plane) -> Option<f64> {
        if plane.width.min(plane.height) < LEAST_SIDE_PX {
            return None;
        }
        let variogram = plane.half_variances::<GREATEST_LAG_PX>();
        let &[near, next, ..] = variogram.as_slice() else { return None };
        // Edges make the variogram rise by as much again from one pixel to two; a blurred picture's by more.
        let noise_variance = (near - (next - near)).max(0.0);
        let steepness = self.steepness(plane, noise_variance)?;
        Some(steepness + STEEPNESS_PER_WIDTH_PX * width_px(&variogram).min(GREATEST_WIDTH_PX))
    }

    fn steepness(&mut self, plane: &Plane, noise_variance: f64) -> Option<f64> {
        let Self { smooth, most, least, slopes } = self;
        // What a plane is not needed for yet, or no more, is memory for the others to work in.
        plane.smooth_to(&gaussian(), slopes, smooth);
        let (width, height) = (plane.width, plane.height);
        smooth.extreme_to(RANGE_REACH_PX, greater, slopes, most);
        smooth.extreme_to(RANGE_REACH_PX, less, slopes, least);
        // Slopes are those of pixels with all four neighbours.
        slopes.refit(width - 2, height - 2);
        let row_of = |plane: &'_ Plane, y: usize| y * plane.width..(y + 1) * plane.width;
        for (y, row) in (1..).zip(slopes.levels.chunks_exact_mut(width - 2)) {
            let [above, here, below] = [y - 1, y, y + 1].map(|y| &smooth.levels[row_of(smooth, y)]);
            let down = above[1..].iter().zip(&below[1..]).map(|(above, below)| (below - above) / 2.0);
            let right = here.iter().zip(&here[2..]).map(|(left, right)| (right - left) / 2.0);
            for ((slope, right), down) in row.iter_mut().zip(right).zip(down) {
                *slope = right * right + down * down;
            }
        }
        // The smoothed plane and the slopes are read no more.
        slopes.extreme_across(SLOPE_REACH_PX, greater, smooth);
        smooth.extreme_down(SLOPE_REACH_PX, greater, slopes);
        let of_noise = NOISE_SLOPE * NOISE_SLOPE * noise_variance;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (y, greatest) in (1..).zip(slopes.levels.chunks_exact(width - 2)) {
            let [most, least] = [&*most, &*least].map(|plane| &plane.levels[row_of(plane, y)][1..]);
            for ((&most, &least), &squared) in most.iter().zip(least).zip(greatest) {
                let range = f64::from(most - least);
                // The slope over the range, times the weight, which is the range to the fourth.
                let square = range * range;
                sum += (f64::from(squared) - of_noise).max(0.0).sqrt() * (range * square);
                weights += square * square;
            }
        }
        (weights > 0.0).then(|| sum / weights)
    }
}

// Levels are numbers all of them: these two, unlike those of the standard library, need not look out for others.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn less(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The distance at which the variogram is half way from its foot to its top.
fn width_px(variogram: &[f64]) -> f64 {
    let &[near, next, ..] = variogram else { return 1.0 };
    let foot = (near - 0.6 * (next - near)).max(0.0);
    let top = variogram.iter().copied().fold(0.0, f64::max);
    let half = foot + (top - foot) / 2.0;
    if near >= half {
        return 1.0;
    }
    let crossing = (1_u32..).zip(variogram.windows(2)).find_map(|(lag_px, pair)| {
        let (low, high) = (pair[0], pair[1]);
        (low < half && half <= high).then(|| f64::from(lag_px) + (half - low) / (high - low))
    });
    crossing.unwrap_or(GREATEST_WIDTH_PX)
}

/// The smoothing kernel from its middle outwards; its sum, both sides taken, is 1.
fn gaussian() -> [f32; 4] {
    let mut kernel = [0.0, 1.0, 2.0, 3.0_f32].map(|away| (-0.5 * (away / SMOOTHING_PX).powi(2)).exp());
    let sum = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    kernel
}
