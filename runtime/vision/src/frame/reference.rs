//! The reference preparation of a full-resolution field.
//!
//! Crops the centre square, then resizes it bicubically to 256x256 (high-resolution target) and, again from the full
//! picture, to 64x64 (low-resolution input). Masks are cropped in the same way.

use image::{GrayImage, Luma, RgbImage, imageops};

use crate::{
    error::Result,
    frame::resize::{resize_gray, resize_rgb},
    geometry::{REFERENCE_HR_PX, REFERENCE_LR_PX},
    placement::Placement,
};

/// The low- and high-resolution picture of a field.
#[derive(Debug, Clone)]
pub struct Field {
    /// 64x64, the input of the models.
    pub lr: RgbImage,
    /// 256x256, the reference for super-resolution.
    pub hr: RgbImage,
    /// Edge of the centre square in pixels of the original picture.
    pub square_px: u32,
}

impl Field {
    /// Where the low-resolution picture lies on the original, which is `width` x `height`.
    pub fn placement(&self, (width, height): (u32, u32)) -> Placement {
        let scale = f64::from(self.square_px) / f64::from(REFERENCE_LR_PX);
        let (x, y, _) = centre_square(width, height);
        Placement { scale, start_px: [x, y].map(f64::from) }
    }
}

/// `(x, y, edge)` of the largest centred square of a `width` x `height` picture.
///
pub fn centre_square(width: u32, height: u32) -> (u32, u32, u32) {
    let edge = width.min(height);
    ((width - edge) / 2, (height - edge) / 2, edge)
}

/// Prepares a picture of any size.
pub fn prepare(picture: &RgbImage) -> Result<Field> {
    let (x, y, edge) = centre_square(picture.width(), picture.height());
    let square = imageops::crop_imm(picture, x, y, edge, edge).to_image();
    Ok(Field {
        lr: resize_rgb(&square, REFERENCE_LR_PX, REFERENCE_LR_PX)?,
        hr: resize_rgb(&square, REFERENCE_HR_PX, REFERENCE_HR_PX)?,
        square_px: edge,
    })
}

/// Crops a mask to the centre square and binarises it to 0 or 255.
pub fn mask_square(mask: &GrayImage) -> GrayImage {
    let (x, y, edge) = centre_square(mask.width(), mask.height());
    let mut square = imageops::crop_imm(mask, x, y, edge, edge).to_image();
    for Luma([level]) in square.pixels_mut() {
        *level = if *level > 127 { 255 } else { 0 };
    }
    square
}

/// The foreground of a mask at 256x256: resized bicubically, levels 0 to 255; foreground is `> 127`.
pub fn mask_hr(square: &GrayImage) -> Result<GrayImage> {
    resize_gray(square, REFERENCE_HR_PX, REFERENCE_HR_PX)
}
