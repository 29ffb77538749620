//! Peak signal-to-noise ratio.

use image::RgbImage;

use crate::measures::same_size;
use bloodseg_vision::error::Result;

/// `10 * log10(255^2 / mean((truth - picture)^2))` over all pixels and the three channels, in dB.
///
/// Equal pictures give infinity. Fails if the sizes differ.
pub fn psnr_db(truth: &RgbImage, picture: &RgbImage) -> Result<f64> {
    same_size("psnr", truth.dimensions(), picture.dimensions())?;
    let squares: u64 =
        truth.as_raw().iter().zip(picture.as_raw()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    let mean = squares as f64 / truth.as_raw().len() as f64;
    Ok(10.0 * (255.0 * 255.0 / mean).log10())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Rgb;

    #[test]
    fn psnr_of_one_differing_channel() {
        let truth = RgbImage::from_pixel(2, 2, Rgb([100, 100, 100]));
        let mut picture = truth.clone();
        picture.put_pixel(1, 0, Rgb([100, 110, 100]));
        // mean square error 100 / 12; 65025 * 12 / 100 = 7803
        assert!((psnr_db(&truth, &picture).unwrap() - 10.0 * 7803_f64.log10()).abs() < 1e-12);
        assert!((psnr_db(&picture, &truth).unwrap() - 38.922_616).abs() < 1e-5);
    }

    #[test]
    fn black_against_white_is_0_db_and_equal_is_infinite() {
        let black = RgbImage::new(3, 2);
        let white = RgbImage::from_pixel(3, 2, Rgb([255; 3]));
        assert!(psnr_db(&black, &white).unwrap().abs() < 1e-12);
        assert_eq!(psnr_db(&white, &white).unwrap(), f64::INFINITY);
    }

    #[test]
    fn size_mismatch_is_rejected() {
        assert!(psnr_db(&RgbImage::new(2, 3), &RgbImage::new(3, 2)).is_err());
    }
}
