//! How large cells roughly are in a frame of any magnification, without a net: nets know one magnification alone.
//!
//! Discs strewn over a plane are alike at a distance as far as two of them, shifted so, overlap: by half at 0.404 of their
//! diameter (Matheron, "Random sets and integral geometry", 1975). So the distance at which pixels are half as alike as
//! neighbours gives the diameter, whatever the stain; heaps and pallor move it by a third at most.

use image::RgbImage;

use crate::{error::Result, frame::resize::shrink_area_rgb};

/// Longer side of the picture that is looked at, in pixels.
const LOOKED_AT_PX: u32 = 320;

/// Distance of half likeness, in diameters of a disc.
const HALF_LIKE: f64 = 0.404;

/// Cells are looked for up to this share of the shorter side.
const MOST_SHARE: f64 = 0.35;

/// The rough diameter of cells in pixels of `frame`; none where no size stands out.
///
/// # Errors
/// Internal ones of the resize.
pub(super) fn diameter_px(frame: &RgbImage) -> Result<Option<f64>> {
    let (width, height) = frame.dimensions();
    let shrink = (f64::from(width.max(height)) / f64::from(LOOKED_AT_PX)).max(1.0);
    let side = |px: u32| ((f64::from(px) / shrink).round() as u32).max(1);
    let small = if shrink > 1.0 { shrink_area_rgb(frame, side(width), side(height))? } else { frame.clone() };
    Ok(half_like_px(&small).map(|distance_px| distance_px / HALF_LIKE * shrink))
}

/// The distance in x or y at which pixels are half as alike as neighbours would be without noise.
fn half_like_px(picture: &RgbImage) -> Option<f64> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let levels: Vec<f64> = picture.pixels().map(|pixel| pixel.0.iter().map(|level| f64::from(*level)).sum()).collect();
    let mean = levels.iter().sum::<f64>() / levels.len().max(1) as f64;
    let likeness = |lag: usize| {
        let (mut sum, mut pairs) = (0.0, 0_u64);
        for (y, row) in levels.chunks_exact(width).enumerate() {
            let below = levels.get((y + lag) * width..).unwrap_or_default();
            for other in [row.get(lag..).unwrap_or_default(), below] {
                for (a, b) in row.iter().zip(other) {
                    sum += (a - mean) * (b - mean);
                    pairs += 1;
                }
            }
        }
        sum / pairs.max(1) as f64
    };
    let most = (width.min(height) as f64 * MOST_SHARE) as usize;
    let likenesses: Vec<f64> = (1..=most.max(2)).map(likeness).collect();
    let &[near, next, ..] = likenesses.as_slice() else { return None };
    // What noise adds is at distance 0 alone: the likeness there is read off the next two.
    let top = near + (near - next).max(0.0);
    let half = top / 2.0;
    if top <= 0.0 {
        return None;
    }
    if near <= half {
        return Some(1.0);
    }
    (1_u32..).zip(likenesses.windows(2)).find_map(|(lag, pair)| {
        (pair[0] > half && pair[1] <= half).then(|| f64::from(lag) + (pair[0] - half) / (pair[0] - pair[1]))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use bloodseg_smear::SmearSpec;

    #[test]
    fn cells_of_any_size_are_told_within_a_third() {
        for (width, height, scale) in [(480, 360, 0.8), (640, 480, 0.4), (320, 240, 0.15), (64, 64, 0.06)] {
            for seed in 1..3 {
                let spec = SmearSpec { scale, ..SmearSpec::varied(width, height, seed) };
                let picture = bloodseg_smear::render(&spec, seed).picture;
                let (found, wanted) = (diameter_px(&picture).unwrap().unwrap(), spec.cell_diameter_px * scale);
                assert!((0.6..1.6).contains(&(found / wanted)), "{found} of {wanted} in {width}x{height}, seed {seed}");
            }
        }
    }

    #[test]
    fn where_nothing_stands_out_there_is_no_size() {
        assert_eq!(diameter_px(&RgbImage::new(64, 64)).unwrap(), None);
        assert_eq!(diameter_px(&RgbImage::new(1, 1)).unwrap(), None);
        let slope = RgbImage::from_fn(200, 200, |x, _| image::Rgb([x as u8; 3]));
        assert_eq!(diameter_px(&slope).unwrap(), None);
    }
}
