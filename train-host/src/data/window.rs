//! Random square windows of a field, brought to the grids of the nets.

use anyhow::Result;
use bloodseg::{
    frame::resize::{resize_gray, resize_rgb},
    limits::{REFERENCE_HR_PX, REFERENCE_LR_PX},
};
use image::{GrayImage, Luma, RgbImage, imageops};
use rand::{Rng, RngExt};

use super::field::Field;

/// Least edge of a window as a fraction of the field's shorter side; the greatest is 1.
pub const LEAST_EDGE: f64 = 2.0 / 3.0;

/// A square of a field, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
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

impl Window {
    /// Draws a window: edge uniform over [`LEAST_EDGE`] to 1 of the shorter side, place uniform over the
    /// whole field, so that the sides that the centre crop loses are learned from too.
    pub fn draw(field: &Field, rng: &mut impl Rng) -> Self {
        let (width, height) = field.picture.dimensions();
        let side = f64::from(width.min(height));
        let edge = (side * rng.random_range(LEAST_EDGE..=1.0)).round() as u32;
        Self { x: rng.random_range(0..=width - edge), y: rng.random_range(0..=height - edge), edge }
    }

    /// The window of the reference preparation.
    pub fn reference(field: &Field) -> Self {
        let (x, y, edge) = bloodseg::frame::reference::centre_square(field.picture.width(), field.picture.height());
        Self { x, y, edge }
    }

    /// Cuts the window out of a field and brings it to both grids, as the reference preparation does.
    pub fn cut(self, field: &Field) -> Result<Sample> {
        let Self { x, y, edge } = self;
        let picture = imageops::crop_imm(&field.picture, x, y, edge, edge).to_image();
        let mask = imageops::crop_imm(&field.mask, x, y, edge, edge).to_image();
        let core = imageops::crop_imm(&field.core, x, y, edge, edge).to_image();
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
}
