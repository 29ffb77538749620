//! Fields side by side, so that a window can move over more than one of them.

use image::{RgbImage, imageops};

use crate::set::Pair;
use bloodseg_vision::{
    error::Result,
    frame::{reference::centre_square, resize::resize_rgb},
    geometry::{REFERENCE_HR_PX, REFERENCE_LR_PX},
};

/// Edge of a field in a montage, and of the window that moves over it: four montage pixels per pixel of the analysed
/// picture, so that shifts are not whole pixels of the low-resolution input.
pub(super) const FIELD_PX: u32 = 4 * REFERENCE_HR_PX;

/// Maximum number of fields in a montage.
pub(super) const MAX_FIELDS: usize = 9;

/// Fields in rows, without gaps; free places in the last row are filled with the first fields, upside down.
pub(super) struct Montage(RgbImage);

impl Montage {
    /// Requires at least one field.
    pub(super) fn of(pairs: &[Pair]) -> Result<Self> {
        let across = (1..).find(|edge| edge * edge >= pairs.len()).unwrap_or(1);
        let down = pairs.len().div_ceil(across);
        let mut all = RgbImage::new(across as u32 * FIELD_PX, down as u32 * FIELD_PX);
        for place in 0..across * down {
            let (picture, _) = pairs[place % pairs.len()].read()?;
            let (x, y, edge) = centre_square(picture.width(), picture.height());
            let square = imageops::crop_imm(&picture, x, y, edge, edge).to_image();
            let mut field = resize_rgb(&square, FIELD_PX, FIELD_PX)?;
            if place >= pairs.len() {
                imageops::flip_vertical_in_place(&mut field);
            }
            let (column, row) = (place % across, place / across);
            imageops::replace(&mut all, &field, (column as u32 * FIELD_PX).into(), (row as u32 * FIELD_PX).into());
        }
        Ok(Self(all))
    }

    /// How far a window can move, to the right and down.
    pub(super) fn range_px(&self) -> [u32; 2] {
        [self.0.width() - FIELD_PX, self.0.height() - FIELD_PX]
    }

    /// A window at the size of the models' input.
    pub(super) fn window(&self, corner: [u32; 2]) -> Result<RgbImage> {
        let window = imageops::crop_imm(&self.0, corner[0], corner[1], FIELD_PX, FIELD_PX).to_image();
        resize_rgb(&window, REFERENCE_LR_PX, REFERENCE_LR_PX)
    }
}
