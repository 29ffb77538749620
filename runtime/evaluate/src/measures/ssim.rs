//! Structural similarity.

use image::RgbImage;

use crate::measures::same_size;
use bloodseg_vision::error::{Error, Result};

/// Edge of the Gaussian window, in pixels.
const WINDOW_PX: usize = 11;

/// Standard deviation of the window, in pixels.
const SIGMA_PX: f64 = 1.5;

/// (0.01 * 255)^2: stabilises the comparison of means.
const C1: f64 = 6.5025;

/// (0.03 * 255)^2: stabilises the comparison of variances.
const C2: f64 = 58.5225;

/// Mean structural similarity of the lumas, at most 1.
///
/// Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
/// 2004: 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, 255 levels, averaged over the places where the
/// whole window lies in the picture. Luma is that of BT.601, not rounded.
///
/// Fails if the sizes differ or an edge is under 11 px.
pub fn ssim(truth: &RgbImage, picture: &RgbImage) -> Result<f64> {
    same_size("ssim", truth.dimensions(), picture.dimensions())?;
    let (width, height) = (truth.width() as usize, truth.height() as usize);
    if width < WINDOW_PX || height < WINDOW_PX {
        return Err(Error::internal("ssim", format!("{width}x{height} is smaller than the window of 11x11")));
    }
    let (a, b) = (luma(truth), luma(picture));
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<_>>();
    let window = window();
    let smooth = |plane: &[f64]| smooth(plane, width, &window);
    let (mean_a, mean_b) = (smooth(&a), smooth(&b));
    let (aa, bb, ab) = (smooth(&product(&a, &a)), smooth(&product(&b, &b)), smooth(&product(&a, &b)));
    let sum: f64 = (0..mean_a.len())
        .map(|at| {
            let (ma, mb) = (mean_a[at], mean_b[at]);
            let (var_a, var_b, covar) = (aa[at] - ma * ma, bb[at] - mb * mb, ab[at] - ma * mb);
            (2.0 * ma * mb + C1) * (2.0 * covar + C2) / ((ma * ma + mb * mb + C1) * (var_a + var_b + C2))
        })
        .sum();
    Ok(sum / mean_a.len() as f64)
}

fn luma(picture: &RgbImage) -> Vec<f64> {
    picture
        .pixels()
        .map(|pixel| {
            let [red, green, blue] = pixel.0.map(f64::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        })
        .collect()
}

/// One row of the Gaussian window; it sums to 1.
fn window() -> [f64; WINDOW_PX] {
    let mut line = [0.0; WINDOW_PX];
    for (at, weight) in line.iter_mut().enumerate() {
        let offset_px = at as f64 - (WINDOW_PX / 2) as f64;
        *weight = (-offset_px * offset_px / (2.0 * SIGMA_PX * SIGMA_PX)).exp();
    }
    let sum: f64 = line.iter().sum();
    line.map(|weight| weight / sum)
}

/// Rows, then columns; only where the whole window fits, so the result is 10 px smaller in each direction.
fn smooth(plane: &[f64], width: usize, window: &[f64; WINDOW_PX]) -> Vec<f64> {
    let narrow = width + 1 - WINDOW_PX;
    let rows: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| row.windows(WINDOW_PX).map(|part| part.iter().zip(window).map(|(v, w)| v * w).sum::<f64>()))
        .collect();
    let low = rows.len() / narrow + 1 - WINDOW_PX;
    (0..low * narrow)
        .map(|at| window.iter().enumerate().map(|(line, weight)| weight * rows[at + line * narrow]).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Rgb;

    #[test]
    fn ssim_of_equal_pictures_is_one() {
        let picture = RgbImage::from_fn(20, 17, |x, y| Rgb([(x * 11) as u8, (y * 13) as u8, (x * y) as u8]));
        assert!((ssim(&picture, &picture).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn flat_pictures_compare_only_means() {
        let of = |level| RgbImage::from_pixel(11, 12, Rgb([level; 3]));
        let expected = (2.0 * 100.0 * 150.0 + C1) / (100.0 * 100.0 + 150.0 * 150.0 + C1);
        assert!((ssim(&of(100), &of(150)).unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn single_window_matches_weighted_moments() {
        // A step down the middle column: every weighted moment follows from the weights of the columns.
        let step = RgbImage::from_fn(11, 11, |x, _| Rgb([if x < 5 { 0 } else { 200 }; 3]));
        let flat = RgbImage::from_pixel(11, 11, Rgb([100; 3]));
        let weights = window();
        let share: f64 = weights[5..].iter().sum();
        let (mean, variance) = (200.0 * share, 200.0 * 200.0 * share * (1.0 - share));
        let expected = (2.0 * mean * 100.0 + C1) * C2 / ((mean * mean + 100.0 * 100.0 + C1) * (variance + C2));
        assert!((ssim(&step, &flat).unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn ssim_of_inverse_contrast_is_negative() {
        let of =
            |odd: u8, even: u8| RgbImage::from_fn(16, 16, |x, y| Rgb([if (x + y) % 2 == 1 { odd } else { even }; 3]));
        assert!(ssim(&of(0, 255), &of(255, 0)).unwrap() < -0.9);
    }

    #[test]
    fn small_or_mismatched_pictures_are_rejected() {
        assert!(ssim(&RgbImage::new(10, 11), &RgbImage::new(10, 11)).is_err());
        assert!(ssim(&RgbImage::new(12, 11), &RgbImage::new(11, 12)).is_err());
    }
}
