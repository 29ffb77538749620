//! How an analysed picture lies on the picture that was given: the one place where pixels of both are reckoned into each other.

use image::RgbImage;

use crate::{
    error::{Error, Result},
    frame::row_resize::{RowResize, Side},
    geometry::{MAX_TILED_PX, SCALE},
};

/// Where the size of a pixel in the specimen is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PitchSource {
    /// A flag or a key of the config.
    Given,
    /// The picture's own file.
    Metadata,
    /// The size of the red cells in it: good for counting; micrometres are estimates.
    Measured,
    /// Nobody knows.
    #[default]
    None,
}

impl PitchSource {
    /// As it stands in tables: `given`, `metadata`, `measured`, `none`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Metadata => "metadata",
            Self::Measured => "measured",
            Self::None => "none",
        }
    }
}

/// How a picture of W x H lies on the one that it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Pixels of the input a pixel analysed, above 0; 1 where the picture was taken as it is.
    pub scale: f64,
    /// Where the analysed picture begins on the input, in pixels of the input, from the outer corner of its first pixel.
    pub start_px: [f64; 2],
}

impl Default for Placement {
    fn default() -> Self {
        Self { scale: 1.0, start_px: [0.0; 2] }
    }
}

impl Placement {
    /// A place of the super-resolved picture on the input. Both in pixels, from the outer corner of the first.
    pub fn on_input_px(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let px = self.input_px_per_sr_px();
        [self.start_px[0] + x * px, self.start_px[1] + y * px]
    }

    /// A place of the input on the super-resolved picture; the reverse of [`Self::on_input_px`].
    pub fn on_sr_px(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let px = self.input_px_per_sr_px();
        [(x - self.start_px[0]) / px, (y - self.start_px[1]) / px]
    }

    /// The placement on a copy of the input, which lies on the input as `copy` says.
    pub fn on_copy(&self, copy: &Self) -> Self {
        let on_copy = |axis: usize| (self.start_px[axis] - copy.start_px[axis]) / copy.scale;
        Self { scale: self.scale / copy.scale, start_px: [on_copy(0), on_copy(1)] }
    }

    /// Pixels of the input a pixel of the super-resolved picture.
    pub fn input_px_per_sr_px(&self) -> f64 {
        self.scale / f64::from(SCALE)
    }
}

/// Brings a whole picture to the scale of the nets, with `scale` of its pixels for one: shrunk or enlarged bicubic, none of it
/// cut off but for less than half a pixel of the result at each side. A scale of 1 changes nothing.
///
/// # Errors
/// [`Error::Picture`] where the result would have no pixels, or more than [`MAX_TILED_PX`].
pub fn rescale(picture: &RgbImage, scale: f64) -> Result<(RgbImage, Placement)> {
    let size = picture.dimensions();
    if scale == 1.0 {
        return Ok((picture.clone(), Placement::default()));
    }
    let [across, down] = sides(size, scale);
    let count = u64::from(across.to_px) * u64::from(down.to_px);
    if count > MAX_TILED_PX {
        let found = format!("{}x{} pixels at the scale of the models", across.to_px, down.to_px);
        return Err(Error::picture(found, format!("{MAX_TILED_PX} pixels in all at most"), "Cut the picture"));
    }
    resampled(picture, scale)
}

/// A picture with one pixel for `scale` of its own, of any size; see [`rescale`].
///
/// # Errors
/// [`Error::Picture`] where either has no pixels.
pub(crate) fn resampled(picture: &RgbImage, scale: f64) -> Result<(RgbImage, Placement)> {
    let size = picture.dimensions();
    let [across, down] = sides(size, scale);
    let mut resize = RowResize::new(across, down)?;
    let mut result = RgbImage::new(across.to_px, down.to_px);
    for row in picture.as_raw().chunks_exact(3 * size.0.max(1) as usize) {
        resize.row(row, &mut result)?;
    }
    Ok((result, Placement { scale, start_px: [across.start_px, down.start_px] }))
}

fn sides((width, height): (u32, u32), scale: f64) -> [Side; 2] {
    [width, height].map(|from_px| side(from_px, scale))
}

fn side(from_px: u32, scale: f64) -> Side {
    let to_px = (f64::from(from_px) / scale).round().max(1.0) as u32;
    Side { from_px, to_px, factor: scale, start_px: (f64::from(from_px) - f64::from(to_px) * scale) / 2.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::Rgb;

    use super::*;

    #[test]
    fn places_on_the_input_are_where_the_marks_were() {
        // A dark square of 30 px, centred at (200, 90).
        let picture = RgbImage::from_fn(613, 377, |x, y| {
            Rgb([if x.abs_diff(200) < 15 && y.abs_diff(90) < 15 { 20 } else { 240 }; 3])
        });
        for scale in [0.7, 1.0, 3.3, 7.13] {
            let (small, placement) = rescale(&picture, scale).unwrap();
            let (mut sum, mut mean) = (0.0, [0.0; 2]);
            for (x, y, pixel) in small.enumerate_pixels() {
                let dark = f64::from(240_u8.saturating_sub(pixel.0[0]));
                sum += dark;
                mean[0] += dark * (f64::from(x) + 0.5);
                mean[1] += dark * (f64::from(y) + 0.5);
            }
            let found = placement.on_input_px(mean.map(|at| f64::from(SCALE) * at / sum));
            assert!((found[0] - 200.5).hypot(found[1] - 90.5) < 0.2, "{scale}: {found:?}");
            let back = placement.on_sr_px(found);
            let again = placement.on_input_px(back);
            assert!((again[0] - found[0]).hypot(again[1] - found[1]) < 1e-9);
        }
    }

    #[test]
    fn a_placement_on_a_copy_leads_to_the_same_place() {
        let (_, analysed) = rescale(&RgbImage::new(613, 377), 7.1).unwrap();
        let (_, copy) = resampled(&RgbImage::new(613, 377), 2.3).unwrap();
        let on_copy = analysed.on_copy(&copy).on_input_px([100.0, 50.0]);
        let on_input = analysed.on_input_px([100.0, 50.0]);
        for axis in 0..2 {
            assert!((copy.start_px[axis] + on_copy[axis] * copy.scale - on_input[axis]).abs() < 1e-9);
        }
    }

    #[test]
    fn nearly_all_of_the_picture_is_there_at_every_scale() {
        for scale in [0.3, 0.99, 1.01, 5.0, 18.7, 64.0] {
            let (small, placement) = rescale(&RgbImage::new(100, 64), scale).unwrap();
            let covered = f64::from(small.width()) * scale;
            assert!((covered - 100.0).abs() <= scale.max(1.0) / 2.0 + 1e-9, "{scale}: {covered}");
            assert!((placement.start_px[0] - (100.0 - covered) / 2.0).abs() < 1e-9);
        }
        assert_eq!(rescale(&RgbImage::new(3, 3), 1e6).unwrap().0.dimensions(), (1, 1));
        assert_eq!(rescale(&RgbImage::new(4000, 4000), 0.5).unwrap_err().kind(), crate::error::ErrorKind::Input);
    }
}
