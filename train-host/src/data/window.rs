//! Random square windows of a field, brought to the grids of the nets.

use anyhow::Result;
use image::{GrayImage, ImageBuffer, Luma, Pixel, RgbImage, imageops};
use rand::{Rng, RngExt};

use super::field::{Field, core_map};
use bloodseg_vision::{
    frame::{
        mirror::mirrored,
        resize::{resize_gray, resize_rgb},
    },
    geometry::{REFERENCE_HR_PX, REFERENCE_LR_PX},
};

/// Least and greatest edge of a window as a fraction of the field's shorter side: magnifications of two to a half.
pub const EDGES: (f64, f64) = (0.5, 2.1);

/// Edges of the windows that are near the whole field, as the reference preparation takes it.
const USUAL_EDGES: (f64, f64) = (0.85, 1.15);

/// A square of a field, in its pixels. It may reach past the field, which is mirrored there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: i64,
    /// Upper edge.
    pub y: i64,
    /// Edge length.
    pub edge: u32,
}

/// One example: the low-resolution input and all targets.
#[derive(Debug, Clone)]
pub struct Sample {
    /// 64x64 input.
    pub lr: RgbImage,
    /// 256x256 target of the super-resolution.
    pub hr: RgbImage,
    /// 256x256, 0 or 255.
    pub foreground: GrayImage,
    /// 256x256, depth inside a cell, 0 to 255.
    pub core: GrayImage,
}

impl Sample {
    /// Turns and flips the sample to one of its eight positions.
    pub fn turn(&mut self, rng: &mut impl Rng) {
        if rng.random_bool(0.5) {
            imageops::flip_horizontal_in_place(&mut self.lr);
            imageops::flip_horizontal_in_place(&mut self.hr);
            imageops::flip_horizontal_in_place(&mut self.foreground);
            imageops::flip_horizontal_in_place(&mut self.core);
        }
        for _ in 0..rng.random_range(0..4) {
            self.lr = imageops::rotate90(&self.lr);
            self.hr = imageops::rotate90(&self.hr);
            self.foreground = imageops::rotate90(&self.foreground);
            self.core = imageops::rotate90(&self.core);
        }
    }
}

impl Window {
    /// Draws a window: a share of them about as large as the field's shorter side, the others from [`EDGES`] with
    /// uniform logarithm; the place uniform over the whole field, so that the sides that the centre crop loses are
    /// learned from too.
    pub fn draw(field: &Field, usual_share: f64, rng: &mut impl Rng) -> Self {
        let (width, height) = field.picture.dimensions();
        let fraction = if rng.random_bool(usual_share) {
            rng.random_range(USUAL_EDGES.0..=USUAL_EDGES.1)
        } else {
            rng.random_range(EDGES.0.ln()..=EDGES.1.ln()).exp()
        };
        let edge = (f64::from(width.min(height)) * fraction).round() as u32;
        let mut place = |side: u32| {
            let slack = i64::from(side) - i64::from(edge);
            rng.random_range(slack.min(0)..=slack.max(0))
        };
        Self { x: place(width), y: place(height), edge }
    }

    /// The window of the reference preparation.
    pub fn reference(field: &Field) -> Self {
        let (x, y, edge) =
            bloodseg_vision::frame::reference::centre_square(field.picture.width(), field.picture.height());
        Self { x: x.into(), y: y.into(), edge }
    }

    /// Cuts the window out of a field and brings it to both grids, as the reference preparation does.
    pub fn cut(self, field: &Field) -> Result<Sample> {
        let picture = self.crop(&field.picture);
        let mask = self.crop(&field.mask);
        let core = self.crop(&field.core);
        let mut foreground = resize_gray(&mask, REFERENCE_HR_PX, REFERENCE_HR_PX)?;
        for Luma([level]) in foreground.pixels_mut() {
            *level = if *level > 127 { 255 } else { 0 };
        }
        Ok(Sample {
            lr: resize_rgb(&picture, REFERENCE_LR_PX, REFERENCE_LR_PX)?,
            hr: resize_rgb(&picture, REFERENCE_HR_PX, REFERENCE_HR_PX)?,
            foreground,
            core: resize_gray(&core, REFERENCE_HR_PX, REFERENCE_HR_PX)?,
        })
    }

    /// The window in the middle of a field whose cells are `magnification` times as large on the grids of the nets.
    pub fn magnified(field: &Field, magnification: f64) -> Self {
        let (width, height) = field.picture.dimensions();
        let edge = (f64::from(width.min(height)) / magnification).round() as u32;
        let middle = |side: u32| (i64::from(side) - i64::from(edge)).div_euclid(2);
        Self { x: middle(width), y: middle(height), edge }
    }

    /// What the window shows, as a field of its own.
    pub fn field(self, of: &Field) -> Field {
        let mask = self.crop(&of.mask);
        Field { name: of.name.clone(), picture: self.crop(&of.picture), core: core_map(&mask), mask }
    }

    fn crop<P: Pixel + 'static>(self, from: &ImageBuffer<P, Vec<P::Subpixel>>) -> ImageBuffer<P, Vec<P::Subpixel>> {
        let (columns, rows) = (places(self.x, self.edge, from.width()), places(self.y, self.edge, from.height()));
        let channels = usize::from(P::CHANNEL_COUNT);
        let whole_rows = self.x >= 0 && self.x + i64::from(self.edge) <= i64::from(from.width());
        let mut to = ImageBuffer::new(self.edge, self.edge);
        for (row, line) in rows.into_iter().zip(to.chunks_exact_mut(self.edge as usize * channels)) {
            let from = &from.as_raw()[row as usize * from.width() as usize * channels..];
            if whole_rows {
                let first = columns[0] as usize * channels;
                line.copy_from_slice(&from[first..first + line.len()]);
            } else {
                for (column, pixel) in columns.iter().zip(line.chunks_exact_mut(channels)) {
                    let first = *column as usize * channels;
                    pixel.copy_from_slice(&from[first..first + channels]);
                }
            }
        }
        to
    }
}

/// The places along a side of `side` pixels that a window from `from` on covers, mirrored past both ends.
fn places(from: i64, edge: u32, side: u32) -> Vec<u32> {
    (from..from + i64::from(edge)).map(|place| mirrored(place, side)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_past_the_ends_are_mirrored() {
        assert_eq!(places(-2, 9, 3), [1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(places(1, 2, 3), [1, 2]);
    }

    #[test]
    fn a_magnified_field_shows_the_middle_larger_or_its_mirror_images() {
        let mask =
            GrayImage::from_fn(300, 256, |x, y| Luma([if x.abs_diff(150) + y.abs_diff(128) < 20 { 255 } else { 0 }]));
        let field = Field { name: "f".into(), picture: RgbImage::new(300, 256), core: core_map(&mask), mask };
        for (magnification, edge) in [(2.0, 128), (1.0, 256), (0.5, 512)] {
            let of = Window::magnified(&field, magnification).field(&field);
            assert_eq!((of.mask.dimensions(), of.picture.dimensions()), ((edge, edge), (edge, edge)));
            assert_eq!(of.mask.get_pixel(edge / 2, edge / 2).0[0], 255);
        }
    }
}
