//! Resizing of 8-bit pictures, shared by the runtime and the trainer.

use image::{GrayImage, RgbImage};

use crate::{
    error::{Error, Result},
    frame::row_resize::{Filter, Precision, RowResize, Side},
};

/// Bicubic resize of an RGB picture to `width` x `height`, 8 bit per channel; see [`Filter::Bicubic`].
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn resize_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    rgb(picture, Filter::Bicubic, width, height)
}

/// Bicubic resize of a grey picture; see [`resize_rgb`].
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn resize_gray(picture: &GrayImage, width: u32, height: u32) -> Result<GrayImage> {
    let bytes = resize::<1>(picture, picture.dimensions(), Filter::Bicubic, (width, height))?;
    GrayImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize", "buffer size"))
}

/// Downscales an RGB picture by area averaging.
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn shrink_area_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    rgb(picture, Filter::Box, width, height)
}

fn rgb(picture: &RgbImage, filter: Filter, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = resize::<3>(picture, picture.dimensions(), filter, (width, height))?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize", "buffer size"))
}

fn resize<const CHANNELS: usize>(
    bytes: &[u8],
    (from_width, from_height): (u32, u32),
    filter: Filter,
    (width, height): (u32, u32),
) -> Result<Vec<u8>> {
    let (across, down) = (Side::whole(from_width, width), Side::whole(from_height, height));
    let mut rows = RowResize::with::<CHANNELS>(across, down, filter, Precision::Short)
        .map_err(|_| Error::internal("resize", format!("{from_width}x{from_height} to {width}x{height}")))?;
    let mut picture = vec![0; CHANNELS * width as usize * height as usize];
    for row in bytes.chunks_exact(CHANNELS * from_width as usize) {
        rows.row(row, &mut picture)?;
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Pillow-SIMD's method by definition, one axis at a time, for pictures of one row.
    fn by_definition(row: &[u8], to: u32) -> Vec<u8> {
        let factor = row.len() as f64 / f64::from(to);
        let wide = factor.max(1.0);
        let cubic = |x: f64| match x.abs() {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            _ => 0.0,
        };
        let weights = |to: u32| -> Vec<f64> {
            let centre = (f64::from(to) + 0.5) * factor - 0.5;
            let all: Vec<f64> = (0..row.len()).map(|at| cubic((at as f64 - centre) * (1.0 / wide))).collect();
            let sum: f64 = all.iter().sum();
            all.iter().map(|weight| weight / sum).collect()
        };
        let greatest = (0..to).flat_map(weights).fold(0.0, f64::max);
        let mut bits = 0;
        while bits < 21 && (greatest * f64::from(2 << bits)).round() < 32768.0 {
            bits += 1;
        }
        let level = |to: u32| {
            let terms = weights(to).into_iter().zip(row);
            let sum: i64 = terms.map(|(w, level)| (w * f64::from(1 << bits)).round() as i64 * i64::from(*level)).sum();
            ((sum + (1 << (bits - 1))) >> bits).clamp(0, 255) as u8
        };
        (0..to).map(level).collect()
    }

    fn grey(width: u32, height: u32, levels: Vec<u8>) -> GrayImage {
        GrayImage::from_raw(width, height, levels).unwrap()
    }

    proptest! {
        #[test]
        fn weights_are_rounded_as_in_pillow_simd(
            levels in proptest::collection::vec(any::<u8>(), 1..200), to in 1_u32..120
        ) {
            let picture = grey(levels.len() as u32, 1, levels.clone());
            prop_assert_eq!(resize_gray(&picture, to, 1).unwrap().into_raw(), by_definition(&levels, to));
        }

        #[test]
        fn channels_are_resized_independently(
            size in (1_u32..30, 1_u32..30), to in (1_u32..40, 1_u32..40), seed in any::<u32>()
        ) {
            let at = |x: u32, y: u32, c: u32| ((x * 37 + y * 101 + c * 59 + seed % 997).wrapping_mul(0x9e37_79b9) >> 23) as u8;
            let picture = RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb([0, 1, 2].map(|c| at(x, y, c))));
            let resized = resize_rgb(&picture, to.0, to.1).unwrap();
            for channel in 0..3 {
                let plane = GrayImage::from_fn(size.0, size.1, |x, y| image::Luma([at(x, y, channel)]));
                let plane = resize_gray(&plane, to.0, to.1).unwrap();
                prop_assert!(resized.pixels().zip(plane.pixels()).all(|(rgb, grey)| rgb.0[channel as usize] == grey.0[0]));
            }
        }
    }

    #[test]
    fn rows_are_resized_before_columns() {
        let levels = (0..7).flat_map(|y| (0..5).map(move |x| if x > 2 || y < 3 { 255 } else { 0 })).collect();
        let picture = grey(5, 7, levels);
        let resized = |picture: &GrayImage, width, height| resize_gray(picture, width, height).unwrap();
        let at_once = resized(&picture, 11, 13);
        assert_eq!(at_once, resized(&resized(&picture, 11, 7), 11, 13));
        assert_ne!(at_once, resized(&resized(&picture, 5, 13), 11, 13), "the case does not distinguish the orders");
    }

    #[test]
    fn shrinking_averages_areas() {
        let picture = RgbImage::from_fn(6, 4, |x, y| image::Rgb([(10 * x) as u8, (20 * y) as u8, 7]));
        let small = shrink_area_rgb(&picture, 3, 2).unwrap();
        assert_eq!(small.get_pixel(0, 0).0, [5, 10, 7]);
        assert_eq!(small.get_pixel(2, 1).0, [45, 50, 7]);
    }

    #[test]
    fn picture_without_pixels_is_an_error() {
        assert!(resize_rgb(&RgbImage::new(0, 4), 4, 4).is_err());
        assert!(shrink_area_rgb(&RgbImage::new(4, 4), 4, 0).is_err());
    }
}
