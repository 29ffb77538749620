//! Thumbnails for finding near-duplicates: small high-passed grey copies in a few sizes.

use std::path::PathBuf;

use image::{
    ImageBuffer, Luma, RgbImage,
    imageops::{self, FilterType},
};
use imageproc::filter::gaussian_blur_f32;

/// Area of the largest copy in pixels, for any aspect ratio: 40x30 for 4:3. A cell of a field of 1600x1200 is then 2 px
/// across.
const AREA_PX: f64 = 1200.0;
/// Longest side of a copy; a picture longer than 2:1 gets a smaller one.
pub(super) const LONGEST_PX: u32 = 48;
/// Downscaling factors of the copies. An enlarged window of 60 % of a field shows everything 1.29 times as large; the
/// steps between are small enough that the correlation tolerates half of one.
pub(super) const SHRINKS: [f64; 6] = [1.0, 1.054, 1.111, 1.171, 1.234, 1.30];
/// Longest side of the middle copy that the others are made from.
const MIDDLE_PX: u32 = 256;
/// Standard deviation of the blur that is subtracted, so that lamps and vignettes do not count as similar: two cells.
const HIGH_PASS_PX: f32 = 4.0;
/// Greatest value in standard deviations, so that one dark white cell does not dominate.
const CLIP_DEVIATIONS: f32 = 2.0;

/// A grey picture with values around zero.
type Grey = ImageBuffer<Luma<f32>, Vec<f32>>;

/// A picture made small.
#[derive(Debug, Clone)]
pub struct Thumbnail {
    /// The file it was made from.
    pub file: PathBuf,
    /// Copies by [`SHRINKS`], high-passed, of zero mean and unit variance.
    pub(super) copies: [Grey; SHRINKS.len()],
}

impl Thumbnail {
    /// Makes the copies of a picture read from `file`.
    pub fn new(file: PathBuf, picture: &RgbImage) -> Self {
        let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
        let shrink = (width * height / AREA_PX).sqrt().max(width.max(height) / f64::from(LONGEST_PX));
        let middle = middle(picture);
        let copies = SHRINKS.map(|further| {
            let side = |length: f64| ((length / shrink / further).round() as u32).clamp(1, LONGEST_PX);
            high_pass(&imageops::resize(&middle, side(width), side(height), FilterType::Triangle))
        });
        Self { file, copies }
    }
}

/// Luma, averaged over whole blocks of pixels so that no side is longer than [`MIDDLE_PX`].
fn middle(picture: &RgbImage) -> Grey {
    let block = picture.width().max(picture.height()).div_ceil(MIDDLE_PX).max(1);
    let (width, height) = ((picture.width() / block).max(1), (picture.height() / block).max(1));
    let mut sums = Grey::new(width, height);
    let columns = sums.width() as usize;
    let row_bytes = picture.width() as usize * 3;
    for (y, row) in picture.as_raw().chunks_exact(row_bytes.max(1)).enumerate() {
        let Some(to) = sums.chunks_exact_mut(columns).nth(y / block as usize) else { break };
        for (sum, pixels) in to.iter_mut().zip(row.chunks(block as usize * 3)) {
            // Rec. 601, as everywhere.
            let luma = |p: &[u8]| 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]);
            *sum += pixels.chunks_exact(3).map(luma).sum::<u32>() as f32;
        }
    }
    // The resizer expects floats from 0 to 1 and clips the rest.
    let full = (block * block) as f32 * 255_000.0;
    sums.iter_mut().for_each(|sum| *sum /= full);
    sums
}

fn high_pass(picture: &Grey) -> Grey {
    let broad = gaussian_blur_f32(picture, HIGH_PASS_PX);
    let mut fine: Vec<f32> = picture.iter().zip(broad.iter()).map(|(level, around)| level - around).collect();
    standardise(&mut fine);
    fine.iter_mut().for_each(|value| *value = value.clamp(-CLIP_DEVIATIONS, CLIP_DEVIATIONS));
    standardise(&mut fine);
    let mut values = fine.into_iter();
    Grey::from_fn(picture.width(), picture.height(), |_, _| Luma([values.next().unwrap_or_default()]))
}

/// To zero mean and unit variance; a flat picture becomes zero.
fn standardise(values: &mut [f32]) {
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
    // Rounding errors of a flat picture are not content.
    let scale = if deviation > 1e-5 { deviation.recip() } else { 0.0 };
    values.iter_mut().for_each(|v| *v = (*v - mean) * scale);
}
