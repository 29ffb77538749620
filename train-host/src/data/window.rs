//! Random square windows of a field, resampled to the grids of the models.

use anyhow::Result;
use image::{GrayImage, ImageBuffer, Luma, Pixel, RgbImage, imageops};
use rand::{Rng, RngExt};

use super::field::{Beyond, Field, class};
use bloodseg_vision::{
    frame::{
        mirror::mirrored,
        resize::{resize_gray, resize_rgb},
    },
    geometry::{REFERENCE_LR_PX, SCALE},
};

/// Minimum and maximum edge of a window, relative to one at the models' pitch: magnifications of two to a half.
pub const EDGES: (f64, f64) = (0.5, 2.1);

/// Edges of the windows close to the models' pitch, to which the runtime scales pictures.
const USUAL_EDGES: (f64, f64) = (0.85, 1.15);

/// A square of a field, in its pixels. It may extend beyond the field; see [`Beyond`].
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
    /// 256x256 target for super-resolution.
    pub hr: RgbImage,
    /// 256x256, 0 or 255.
    pub foreground: GrayImage,
    /// 256x256, depth inside a cell, 0 to 255.
    pub core: GrayImage,
    /// 256x256, the class of each pixel; see [`class`].
    pub classes: GrayImage,
}

impl Sample {
    /// Applies one of the eight orientations to the sample.
    pub fn turn(&mut self, rng: &mut impl Rng) {
        if rng.random_bool(0.5) {
            imageops::flip_horizontal_in_place(&mut self.lr);
            imageops::flip_horizontal_in_place(&mut self.hr);
            imageops::flip_horizontal_in_place(&mut self.foreground);
            imageops::flip_horizontal_in_place(&mut self.core);
            imageops::flip_horizontal_in_place(&mut self.classes);
        }
        for _ in 0..rng.random_range(0..4) {
            self.lr = imageops::rotate90(&self.lr);
            self.hr = imageops::rotate90(&self.hr);
            self.foreground = imageops::rotate90(&self.foreground);
            self.core = imageops::rotate90(&self.core);
            self.classes = imageops::rotate90(&self.classes);
        }
    }
}

impl Window {
    /// Draws a window that becomes `lr_px` pixels wide: a share of them close to the models' pitch, the others
    /// log-uniform in [`EDGES`]. The position is uniform over the whole field, so that the sides outside the centre crop
    /// are used too.
    pub fn draw(field: &Field, lr_px: u32, usual_share: f64, rng: &mut impl Rng) -> Self {
        let (width, height) = field.picture.dimensions();
        let fraction = if rng.random_bool(usual_share) {
            rng.random_range(USUAL_EDGES.0..=USUAL_EDGES.1)
        } else {
            rng.random_range(EDGES.0.ln()..=EDGES.1.ln()).exp()
        };
        let part = f64::from(lr_px) / f64::from(REFERENCE_LR_PX);
        let edge = (field.frame_edge_px * part * fraction).round() as u32;
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

    /// The window of a frame at the models' pitch as in the runtime: centred on a larger field, and on a smaller one from
    /// its upper left corner, padded on the other sides.
    pub fn frame(field: &Field) -> Self {
        let edge = field.frame_edge_px.round() as u32;
        let begin = |side: u32| (i64::from(side) - i64::from(edge)).max(0) / 2;
        Self { x: begin(field.picture.width()), y: begin(field.picture.height()), edge }
    }

    /// Cuts the window out of a field and resamples it to both grids, as the reference preparation does.
    pub fn cut(self, field: &Field) -> Result<Sample> {
        self.cut_to(field, REFERENCE_LR_PX)
    }

    /// The same, `lr_px` wide and four times that.
    pub fn cut_to(self, field: &Field, lr_px: u32) -> Result<Sample> {
        let hr_px = lr_px * SCALE;
        let picture = self.crop(&field.picture, field.beyond);
        let mask = self.crop(&field.mask, field.beyond);
        let core = self.crop(&field.core, field.beyond);
        let mut foreground = resize_gray(&mask, hr_px, hr_px)?;
        for Luma([level]) in foreground.pixels_mut() {
            *level = if *level > 127 { 255 } else { 0 };
        }
        Ok(Sample {
            lr: resize_rgb(&picture, lr_px, lr_px)?,
            hr: resize_rgb(&picture, hr_px, hr_px)?,
            foreground,
            core: resize_gray(&core, hr_px, hr_px)?,
            classes: self.classes(field, hr_px),
        })
    }

    /// The classes on a grid of `px` over the window: that of the field's pixel at the centre of each.
    fn classes(self, field: &Field, px: u32) -> GrayImage {
        let places = |from: i64, side: u32| -> Vec<Option<u32>> {
            let step = f64::from(self.edge) / f64::from(px);
            (0..px)
                .map(|at| {
                    let place = from + ((f64::from(at) + 0.5) * step) as i64;
                    match field.beyond {
                        Beyond::Mirror => Some(mirrored(place, side)),
                        Beyond::Repeat => u32::try_from(place).ok().filter(|place| *place < side),
                    }
                })
                .collect()
        };
        let (columns, rows) = (places(self.x, field.classes.width()), places(self.y, field.classes.height()));
        GrayImage::from_fn(px, px, |x, y| match (columns[x as usize], rows[y as usize]) {
            (Some(x), Some(y)) => *field.classes.get_pixel(x, y),
            _ => Luma([class::OUTSIDE]),
        })
    }

    /// The window in the centre of a field whose cells are `magnification` times as large on the models' grids.
    pub fn magnified(field: &Field, magnification: f64) -> Self {
        let (width, height) = field.picture.dimensions();
        let edge = (field.frame_edge_px / magnification).round() as u32;
        let middle = |side: u32| (i64::from(side) - i64::from(edge)).div_euclid(2);
        Self { x: middle(width), y: middle(height), edge }
    }

    /// The contents of the window as a field.
    pub fn field(self, of: &Field) -> Field {
        let mask = self.crop(&of.mask, of.beyond);
        Field::of_mask(of.name.clone(), self.crop(&of.picture, of.beyond), mask)
    }

    fn crop<P: Pixel + 'static>(
        self,
        from: &ImageBuffer<P, Vec<P::Subpixel>>,
        beyond: Beyond,
    ) -> ImageBuffer<P, Vec<P::Subpixel>> {
        let columns = places(self.x, self.edge, from.width(), beyond);
        let rows = places(self.y, self.edge, from.height(), beyond);
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

/// The places along a side of `side` pixels that a window from `from` on covers.
fn places(from: i64, edge: u32, side: u32, beyond: Beyond) -> Vec<u32> {
    let place = |at: i64| match beyond {
        Beyond::Mirror => mirrored(at, side),
        Beyond::Repeat => at.clamp(0, i64::from(side) - 1) as u32,
    };
    (from..from + i64::from(edge)).map(place).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    #[test]
    fn places_past_the_ends_are_mirrored_or_repeated() {
        assert_eq!(places(-2, 9, 3, Beyond::Mirror), [1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(places(1, 2, 3, Beyond::Mirror), [1, 2]);
        assert_eq!(places(-2, 7, 3, Beyond::Repeat), [0, 0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn pixels_beyond_laboratory_picture_are_outside() {
        let mask = GrayImage::from_pixel(256, 256, Luma([255]));
        let mut field = Field::of_mask("f".into(), RgbImage::from_pixel(256, 256, image::Rgb([9; 3])), mask);
        (field.beyond, field.frame_edge_px) = (Beyond::Repeat, 512.0);
        let sample = Window::frame(&field).cut(&field).expect("a sample");
        let of = |x, y| sample.classes.get_pixel(x, y).0[0];
        assert_eq!(
            (of(0, 0), of(127, 127), of(128, 127), of(0, 200)),
            (class::CELL, class::CELL, class::OUTSIDE, class::OUTSIDE)
        );
        assert_eq!(sample.lr.get_pixel(63, 63).0, [9; 3]);
    }

    #[test]
    fn magnified_field_is_centred_and_scaled() {
        let mask =
            GrayImage::from_fn(300, 256, |x, y| Luma([if x.abs_diff(150) + y.abs_diff(128) < 20 { 255 } else { 0 }]));
        let field = Field::of_mask("f".into(), RgbImage::new(300, 256), mask);
        for (magnification, edge) in [(2.0, 128), (1.0, 256), (0.5, 512)] {
            let of = Window::magnified(&field, magnification).field(&field);
            assert_eq!((of.mask.dimensions(), of.picture.dimensions()), ((edge, edge), (edge, edge)));
            assert_eq!(of.mask.get_pixel(edge / 2, edge / 2).0[0], 255);
        }
    }
}
