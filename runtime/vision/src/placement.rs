//! Where an analysed picture lies on the input: the only place that converts between their pixels.

use image::RgbImage;

use crate::{
    error::{Error, Result},
    frame::{
        refit::refit,
        row_resize::{RowResize, Side},
    },
    geometry::{MAX_TILED_PX, SCALE},
};

/// Where the pitch comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PitchSource {
    /// A flag or a config key.
    Given,
    /// The metadata of the picture file.
    Metadata,
    /// The size of the red cells: good for counting; micrometres are estimates.
    Measured,
    /// Unknown.
    #[default]
    None,
}

impl PitchSource {
    /// The source with this name, if any.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Given, Self::Metadata, Self::Measured, Self::None].into_iter().find(|source| source.name() == name)
    }

    /// The name in tables: `given`, `metadata`, `measured`, `none`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Metadata => "metadata",
            Self::Measured => "measured",
            Self::None => "none",
        }
    }
}

/// Where a picture lies on the one it was made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Input pixels per analysed pixel, above 0; 1 if the picture was not scaled.
    pub scale: f64,
    /// Origin of the analysed picture in input pixels, from the outer corner of the first pixel.
    pub start_px: [f64; 2],
}

impl Default for Placement {
    fn default() -> Self {
        Self { scale: 1.0, start_px: [0.0; 2] }
    }
}

impl Placement {
    /// Maps a point from the super-resolved picture to the input. Both in pixels, from the outer corner of the first.
    pub fn on_input_px(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let px = self.input_px_per_sr_px();
        [self.start_px[0] + x * px, self.start_px[1] + y * px]
    }

    /// Where a picture that was made from this one by `next` lies on the input.
    pub fn then(&self, next: Self) -> Self {
        let start_px = [0, 1].map(|axis: usize| self.start_px[axis] + self.scale * next.start_px[axis]);
        Self { scale: self.scale * next.scale, start_px }
    }

    /// Maps a point from the input to the super-resolved picture; the inverse of [`Self::on_input_px`].
    pub fn on_sr_px(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let px = self.input_px_per_sr_px();
        [(x - self.start_px[0]) / px, (y - self.start_px[1]) / px]
    }

    /// The placement on a copy of the input, whose own placement on the input is `copy`.
    pub fn on_copy(&self, copy: &Self) -> Self {
        let on_copy = |axis: usize| (self.start_px[axis] - copy.start_px[axis]) / copy.scale;
        Self { scale: self.scale / copy.scale, start_px: [on_copy(0), on_copy(1)] }
    }

    /// Input pixels per super-resolved pixel.
    pub fn input_px_per_sr_px(&self) -> f64 {
        self.scale / f64::from(SCALE)
    }
}

/// How a picture was scaled for the models, and its pitch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scaled {
    /// How the analysed picture lies on the input.
    pub placement: Placement,
    /// Edge of an input pixel in the specimen, in micrometres.
    pub um_per_px: Option<f64>,
    /// The interval of an estimated pitch.
    pub um_per_px_range: Option<[f64; 2]>,
    /// Where the pitch comes from.
    pub source: PitchSource,
}

impl Scaled {
    /// An unscaled picture with this pitch in micrometres, if known.
    pub fn as_it_is(um_per_px: Option<f64>, source: PitchSource) -> Self {
        let source = if um_per_px.is_some() { source } else { PitchSource::None };
        Self { um_per_px, source, ..Self::default() }
    }

    /// Edge of a super-resolved pixel in the specimen, in micrometres.
    pub fn um_per_sr_px(&self) -> Option<f64> {
        self.um_per_px.map(|um| um * self.placement.input_px_per_sr_px())
    }

    /// Edge of an analysed pixel in the specimen, in micrometres.
    pub fn um_per_analysed_px(&self) -> Option<f64> {
        self.um_per_px.map(|um| um * self.placement.scale)
    }
}

/// Scales whole pictures for the models, reusing memory.
#[derive(Debug, Default)]
pub struct Rescaler {
    picture: RgbImage,
    resize: Option<([Side; 2], RowResize)>,
}

impl Rescaler {
    /// Scales a whole picture bicubically, with `scale` of its pixels per result pixel. Cuts off less than half a result
    /// pixel on each side. A scale of 1 changes nothing.
    ///
    /// # Errors
    /// [`Error::Picture`] if the result would have more than `most_px` pixels.
    pub fn rescale<'a>(
        &'a mut self,
        picture: &'a RgbImage,
        scale: f64,
        most_px: u64,
    ) -> Result<(&'a RgbImage, Placement)> {
        let (width, height) = picture.dimensions();
        if scale == 1.0 {
            check_size((width, height), most_px)?;
            return Ok((picture, Placement::default()));
        }
        let sides = [side(width, scale), side(height, scale)];
        let [across, down] = sides;
        check_size((across.to_px, down.to_px), most_px)?;
        let mut resize = match self.resize.take().filter(|(before, _)| *before == sides) {
            Some((_, resize)) => resize,
            None => RowResize::new(across, down)?,
        };
        refit(&mut self.picture, across.to_px, down.to_px);
        resize.begin();
        for row in picture.as_raw().chunks_exact(3 * width.max(1) as usize) {
            resize.row(row, &mut self.picture)?;
        }
        self.resize = Some((sides, resize));
        Ok((&self.picture, Placement { scale, start_px: [across.start_px, down.start_px] }))
    }
}

fn check_size((width, height): (u32, u32), most_px: u64) -> Result<()> {
    if u64::from(width) * u64::from(height) <= most_px {
        return Ok(());
    }
    let found = format!("{width}x{height} pixels at the scale of the models");
    let (within, todo) = if most_px < MAX_TILED_PX {
        (" within the limit on memory", "Raise the limit, crop the picture, or correct its pitch in um per pixel")
    } else {
        ("", "Crop the picture, or correct its pitch in um per pixel")
    };
    Err(Error::picture(found, format!("at most {most_px} pixels in total{within}"), todo))
}

/// As [`Rescaler::rescale`], for a single picture, up to [`MAX_TILED_PX`].
///
/// # Errors
/// Those of [`Rescaler::rescale`].
pub fn rescale(picture: &RgbImage, scale: f64) -> Result<(RgbImage, Placement)> {
    check_size(size_at(picture.dimensions(), scale), MAX_TILED_PX)?;
    resampled(picture, scale)
}

/// A picture with one pixel per `scale` of its own, of any size; see [`rescale`].
///
/// # Errors
/// [`Error::Picture`] if either has no pixels.
pub(crate) fn resampled(picture: &RgbImage, scale: f64) -> Result<(RgbImage, Placement)> {
    let mut rescaler = Rescaler::default();
    let placement = rescaler.rescale(picture, scale, u64::MAX)?.1;
    Ok((if scale == 1.0 { picture.clone() } else { rescaler.picture }, placement))
}

pub(crate) fn size_at((width, height): (u32, u32), scale: f64) -> (u32, u32) {
    (side(width, scale).to_px, side(height, scale).to_px)
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
    fn marks_map_back_to_their_input_position() {
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
    fn placement_on_copy_maps_to_same_position() {
        let (_, analysed) = rescale(&RgbImage::new(613, 377), 7.1).unwrap();
        let (_, copy) = resampled(&RgbImage::new(613, 377), 2.3).unwrap();
        let on_copy = analysed.on_copy(&copy).on_input_px([100.0, 50.0]);
        let on_input = analysed.on_input_px([100.0, 50.0]);
        for axis in 0..2 {
            assert!((copy.start_px[axis] + on_copy[axis] * copy.scale - on_input[axis]).abs() < 1e-9);
        }
    }

    #[test]
    fn placements_compose() {
        let picture = RgbImage::new(613, 377);
        let (half, first) = rescale(&picture, 2.3).unwrap();
        let (_, second) = rescale(&half, 1.7).unwrap();
        let both = first.then(second);
        let [x, y] = first.on_input_px(second.on_input_px([100.0, 60.0]).map(|at| f64::from(SCALE) * at));
        assert!((both.on_input_px([100.0, 60.0])[0] - x).abs() < 1e-9);
        assert!((both.on_input_px([100.0, 60.0])[1] - y).abs() < 1e-9);
    }

    #[test]
    fn reused_rescaler_matches_fresh_one() {
        let mut rescaler = Rescaler::default();
        for (width, height, scale) in [(613, 377, 3.3), (613, 377, 3.3), (90, 377, 3.3), (613, 377, 0.7)] {
            let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
            let again = rescaler.rescale(&picture, scale, MAX_TILED_PX).unwrap();
            let alone = rescale(&picture, scale).unwrap();
            assert!(*again.0 == alone.0 && again.1 == alone.1);
            assert!(rescaler.rescale(&picture, 0.1, 1000).is_err());
        }
    }

    #[test]
    fn nearly_whole_picture_is_covered_at_every_scale() {
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
