//! The parts of a picture without specimen: no cells, no area, and shown unchanged.

use image::{GrayImage, RgbImage};

use crate::{
    cells::{Cell, Labels},
    frame::{
        refit::refit,
        specimen::{OUTSIDE, RIM, Specimen},
    },
    geometry::SCALE,
    segmentation::CellMaps,
};

/// The parts of a picture of W x H without specimen.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// The kind of each pixel, W x H: [`crate::frame::specimen::SPECIMEN`], `RIM` or `OUTSIDE`.
    pub mask: GrayImage,
    /// Pixels of kind `OUTSIDE`.
    pub px: u64,
}

impl Outside {
    /// Analysed pixels of the picture that are specimen, including the rim.
    pub fn analysed_px(&self) -> u64 {
        self.mask.len() as u64 - self.px
    }

    /// Copies the mask, and restores the input's levels in the super-resolved picture there, so that it shows what the
    /// camera saw.
    pub(super) fn set(&mut self, specimen: &Specimen, picture: &RgbImage, has_outside: bool, sr: &mut RgbImage) {
        let (width, height) = picture.dimensions();
        refit(&mut self.mask, width, height);
        self.mask.copy_from_slice(specimen.mask());
        self.px = specimen.outside_px();
        if !has_outside {
            return;
        }
        for (y, row) in sr.chunks_exact_mut((3 * SCALE * width) as usize).enumerate() {
            for (x, pixels) in row.chunks_exact_mut(3 * SCALE as usize).enumerate() {
                let at = (x as u32, y as u32 / SCALE);
                if self.mask.get_pixel(at.0, at.1).0[0] == OUTSIDE {
                    let read = picture.get_pixel(at.0, at.1).0;
                    pixels.as_chunks_mut::<3>().0.fill(read);
                }
            }
        }
    }
}

/// Clears the maps where there is no specimen. The maps are four times the mask's size.
pub(super) fn clear_maps(maps: &mut CellMaps, mask: &GrayImage) {
    let width = (SCALE * mask.width()) as usize;
    for map in [&mut maps.foreground, &mut maps.core] {
        for (y, row) in map.chunks_exact_mut(width.max(1)).enumerate() {
            for (x, levels) in row.chunks_exact_mut(SCALE as usize).enumerate() {
                if mask.get_pixel(x as u32, y as u32 / SCALE).0[0] == OUTSIDE {
                    levels.fill(0);
                }
            }
        }
    }
}

/// Marks cells that reach into the rim as cut, like those at the picture's border.
pub(super) fn mark_cut_cells(labels: &Labels, mask: &GrayImage, cells: &mut [Cell]) {
    let width = labels.width() as usize;
    for (y, row) in labels.chunks_exact(width.max(1)).enumerate() {
        for (x, labels) in row.chunks_exact(SCALE as usize).enumerate() {
            if mask.get_pixel(x as u32, y as u32 / SCALE).0[0] != RIM {
                continue;
            }
            for label in labels {
                if let Some(cell) = usize::from(*label).checked_sub(1).and_then(|at| cells.get_mut(at)) {
                    cell.touches_border = true;
                }
            }
        }
    }
}
