//! Dice and IoU per cell by the rule of the published reference pipeline, for comparison with its figures.
//!
//! The rule takes every grey pixel of the downscaled mask as truth, so its cells have an extra rim, and touching cells
//! are one: a perfect mask scores about 0.92, and a slightly dilated one more. Report it, but do not optimise for it.

use image::{GrayImage, Luma};

use crate::measures::{FOREGROUND_ABOVE, foreground::Overlap, same_size};
use bloodseg_vision::{error::Result, frame::components::components};

/// Smaller components are not cells by this rule, in pixels of the 256x256 grid.
pub const LEAST_AREA_PX: u64 = 50;

/// Sums over the cells of one field, or of many.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReferenceCells {
    /// Number of cells.
    pub cells: u64,
    /// Sum of their Dice.
    pub dice_sum: f64,
    /// Sum of their IoU.
    pub iou_sum: f64,
}

impl ReferenceCells {
    /// Adds the cells of another field: the rule's mean is over all cells of all fields.
    pub fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.dice_sum += other.dice_sum;
        self.iou_sum += other.iou_sum;
    }

    /// Mean Dice per cell; `None` without cells.
    pub fn dice(&self) -> Option<f64> {
        (self.cells > 0).then(|| self.dice_sum / self.cells as f64)
    }

    /// Mean IoU per cell; `None` without cells.
    pub fn iou(&self) -> Option<f64> {
        (self.cells > 0).then(|| self.iou_sum / self.cells as f64)
    }
}

/// Compares one field.
///
/// `resized`: the true mask from [`bloodseg_vision::frame::reference::mask_hr`]; every level above 0 is truth.
/// `predicted`: foreground is a level above [`FOREGROUND_ABOVE`]. Each 4-connected component of the truth of at least
/// [`LEAST_AREA_PX`] is compared, within its bounding box, with all of the predicted foreground there.
pub fn reference_cells(resized: &GrayImage, predicted: &GrayImage) -> Result<ReferenceCells> {
    same_size("reference_cells", resized.dimensions(), predicted.dimensions())?;
    let truth = GrayImage::from_fn(resized.width(), resized.height(), |x, y| {
        Luma([u8::from(resized.get_pixel(x, y).0[0] > 0)])
    });
    let labels = components(&truth);
    let mut boxes: Vec<Extent> = Vec::new();
    for (x, y, &Luma([label])) in labels.enumerate_pixels() {
        let Some(at) = (label as usize).checked_sub(1) else { continue };
        if boxes.len() <= at {
            boxes.resize(at + 1, Extent::NOTHING);
        }
        boxes[at].take(x, y);
    }
    let mut sums = ReferenceCells::default();
    for (label, extent) in (1_u32..).zip(boxes).filter(|(_, extent)| extent.area_px >= LEAST_AREA_PX) {
        let mut overlap = Overlap::default();
        for y in extent.top..=extent.bottom {
            for x in extent.left..=extent.right {
                let predicted = predicted.get_pixel(x, y).0[0] > FOREGROUND_ABOVE;
                overlap.add(labels.get_pixel(x, y).0[0] == label, predicted);
            }
        }
        sums.add(&ReferenceCells { cells: 1, dice_sum: overlap.dice(), iou_sum: overlap.iou() });
    }
    Ok(sums)
}

/// Bounding box (its last row and column included) and area of a component.
#[derive(Clone, Copy)]
struct Extent {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    area_px: u64,
}

impl Extent {
    const NOTHING: Self = Self { left: u32::MAX, top: u32::MAX, right: 0, bottom: 0, area_px: 0 };

    fn take(&mut self, x: u32, y: u32) {
        self.left = self.left.min(x);
        self.top = self.top.min(y);
        self.right = self.right.max(x);
        self.bottom = self.bottom.max(y);
        self.area_px += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn paint(mask: &mut GrayImage, (left, top, width, height): (u32, u32, u32, u32), level: u8) {
        for y in top..top + height {
            for x in left..left + width {
                mask.put_pixel(x, y, Luma([level]));
            }
        }
    }

    #[test]
    fn grey_counts_as_truth_and_box_bounds_prediction() {
        let mut truth = GrayImage::new(40, 30);
        paint(&mut truth, (2, 2, 10, 10), 1);
        let mut predicted = GrayImage::new(40, 30);
        // 60 px inside the box of the cell, the rest of the same blob outside it
        paint(&mut predicted, (2, 6, 30, 6), 255);
        let found = reference_cells(&truth, &predicted).unwrap();
        assert_eq!(found.cells, 1);
        assert_eq!(found.dice(), Some(120.0 / 160.0));
        assert_eq!(found.iou(), Some(0.6));
    }

    #[test]
    fn specks_are_ignored_and_missed_cells_score_zero() {
        let mut truth = GrayImage::new(40, 30);
        paint(&mut truth, (0, 0, 7, 7), 255); // 49 px
        paint(&mut truth, (20, 0, 10, 5), 255); // 50 px
        paint(&mut truth, (20, 10, 10, 10), 255);
        let mut predicted = GrayImage::new(40, 30);
        paint(&mut predicted, (20, 10, 10, 10), 255);
        let found = reference_cells(&truth, &predicted).unwrap();
        assert_eq!((found.cells, found.dice(), found.iou()), (2, Some(0.5), Some(0.5)));
    }

    #[test]
    fn neighbour_in_box_is_not_truth_of_cell() {
        let mut truth = GrayImage::new(20, 20);
        paint(&mut truth, (0, 0, 2, 20), 255); // an L of 76 px, its box is the whole picture
        paint(&mut truth, (0, 18, 20, 2), 255);
        paint(&mut truth, (10, 0, 10, 10), 255); // inside that box
        let found = reference_cells(&truth, &truth).unwrap();
        assert_eq!(found.cells, 2);
        assert_eq!(found.iou(), Some((76.0 / 176.0 + 1.0) / 2.0));
    }

    #[test]
    fn scores_are_undefined_without_cells() {
        let none = reference_cells(&GrayImage::new(9, 9), &GrayImage::new(9, 9)).unwrap();
        assert_eq!((none.dice(), none.iou()), (None, None));
        assert!(reference_cells(&GrayImage::new(2, 1), &GrayImage::new(1, 2)).is_err());
    }
}
