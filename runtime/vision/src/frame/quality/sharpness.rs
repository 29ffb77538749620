//! The sharpness of edges in a frame, independent of stain strength, cell size and noise.
//!
//! Steepness is the greatest slope near a pixel over the range of levels around it, in 1/px. The result is a mean
//! weighted by the fourth power of the range, which emphasises cells over empty ground and its noise. There are two
//! corrections:
//!
//! - Noise adds to slopes. Its strength is estimated from the half variances at lags of one and two pixels, which white
//!   noise raises equally, and its mean contribution is subtracted from the squared slope.
//! - A small cell blurred to a mere bump is steeper for its range than the edge of a large one with the same blur. The
//!   correction uses the width of the structures: the lag at which pixels are half as different as distant pixels (from
//!   the variogram, as in Matheron, "Principles of geostatistics", 1963).

use super::plane::Plane;

/// Frames with a smaller side have no measure, in pixels: no window would be complete.
const LEAST_SIDE_PX: usize = 9;

/// Reach of the window for the range of levels, in pixels: a cell's edge and both its sides.
const RANGE_REACH_PX: usize = 4;

/// Reach of the window for the greatest slope, in pixels.
const SLOPE_REACH_PX: usize = 3;

/// Deviation of the Gaussian before slopes are computed, in pixels: a smaller one admits noise, a larger one hides sharp
/// edges.
const SMOOTHING_PX: f32 = 0.7;

/// Contribution of noise of deviation 1 to the greatest slope in a window; empirical.
const NOISE_SLOPE: f64 = 0.6;

/// Steepness per pixel of width, 1/px per pixel; empirical.
const STEEPNESS_PER_WIDTH_PX: f64 = 0.015;

/// Greatest distance at which pixels are compared, in pixels.
const GREATEST_LAG_PX: usize = 13;

/// Greatest width that is corrected for, in pixels: that of cells of twice the usual size.
const GREATEST_WIDTH_PX: f64 = 7.0;

/// Planes being filtered, and scratch memory.
#[derive(Debug, Default)]
pub(super) struct Windows {
    smooth: Plane,
    most: Plane,
    least: Plane,
    slopes: Plane,
}

impl Windows {
    /// The levels of a plane smoothed with a kernel, given from its centre outwards; the caller may modify them.
    pub(super) fn smooth(&mut self, plane: &Plane, kernel: &[f32]) -> &mut [f32] {
        plane.smooth_to(kernel, &mut self.most, &mut self.smooth);
        &mut self.smooth.levels
    }

    /// Sharpness of a plane without its trend; `None` if it shows nothing or is too small.
    pub(super) fn sharpness(&mut self, plane: &Plane) -> Option<f64> {
        if plane.width.min(plane.height) < LEAST_SIDE_PX {
            return None;
        }
        let variogram = plane.half_variances::<GREATEST_LAG_PX>();
        let &[near, next, ..] = variogram.as_slice() else { return None };
        // Edges raise the variogram equally from one pixel to two; in a blurred picture it rises more.
        let noise_variance = (near - (next - near)).max(0.0);
        let steepness = self.steepness(plane, noise_variance)?;
        Some(steepness + STEEPNESS_PER_WIDTH_PX * width_px(&variogram).min(GREATEST_WIDTH_PX))
    }

    fn steepness(&mut self, plane: &Plane, noise_variance: f64) -> Option<f64> {
        let Self { smooth, most, least, slopes } = self;
        // Planes that are not in use serve as scratch memory.
        plane.smooth_to(&gaussian(), slopes, smooth);
        let (width, height) = (plane.width, plane.height);
        smooth.extreme_to(RANGE_REACH_PX, greater, slopes, most);
        smooth.extreme_to(RANGE_REACH_PX, less, slopes, least);
        // Slopes are computed for pixels with all four neighbours.
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
        // The smoothed plane and the slopes are no longer needed.
        slopes.extreme_across(SLOPE_REACH_PX, greater, smooth);
        smooth.extreme_down(SLOPE_REACH_PX, greater, slopes);
        let of_noise = NOISE_SLOPE * NOISE_SLOPE * noise_variance;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (y, greatest) in (1..).zip(slopes.levels.chunks_exact(width - 2)) {
            let [most, least] = [&*most, &*least].map(|plane| &plane.levels[row_of(plane, y)][1..]);
            for ((&most, &least), &squared) in most.iter().zip(least).zip(greatest) {
                let range = f64::from(most - least);
                // The slope over the range, times the weight, the fourth power of the range.
                let square = range * range;
                sum += (f64::from(squared) - of_noise).max(0.0).sqrt() * (range * square);
                weights += square * square;
            }
        }
        (weights > 0.0).then(|| sum / weights)
    }
}

// All levels are numbers, so these two, unlike those of the standard library, need not handle NaN.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn less(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The lag at which the variogram is half way between its minimum and maximum.
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

/// The smoothing kernel from its centre outwards; it sums to 1 over both sides.
fn gaussian() -> [f32; 4] {
    let mut kernel = [0.0, 1.0, 2.0, 3.0_f32].map(|away| (-0.5 * (away / SMOOTHING_PX).powi(2)).exp());
    let sum = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    kernel
}
