//! The memory that a pipeline takes, known before a picture is analysed.

use std::mem::size_of;

use super::{Pipeline, most_cells_of};
use crate::{
    cells::{Cell, Measurer},
    geometry::{SCALE, TILE_SR_PX},
    tile::grid::Grid,
};

/// Bytes per pixel of the analysed picture: seven planes of the quality check, the specimen's mask, the painted picture
/// and the queue of its areas, the differences from the super-resolved picture, and the mask of the analysis.
const BYTES_PER_PX: u64 = 7 * 4 + 8 + 6 + 1;

/// Bytes per super-resolved pixel without the maps: the picture, its labels, and the memory of the splitter.
const BYTES_PER_SR_PX: u64 = 3 + 2 + 10;

/// Bytes per pixel of the padded picture, and per super-resolved pixel of it.
const BYTES_PER_PADDED_PX: u64 = 3 + 3 * (SCALE * SCALE) as u64;

/// Bytes per pixel of a side: the frame around the splitter's maps, the runs of two rows, polynomials, and offsets of
/// tiles.
const BYTES_PER_SIDE_PX: u64 = 1024;

/// Everything that does not depend on the picture: the manifests, the plan of the models, names.
const BASE_BYTES: u64 = 1024 * 1024;

impl Pipeline {
    /// Most heap bytes that the loaded models and the buffers of all threads take.
    pub fn model_bytes(&self) -> u64 {
        let workers = self.workers();
        let weight_bytes: usize = workers.figures().iter().map(|figures| figures.weight_bytes).sum();
        let each = workers.arena_bytes() + workers.edge_bytes();
        BASE_BYTES + (weight_bytes + workers.threads() * each) as u64
    }

    /// Most heap bytes that the analysis of a picture of `width` x `height` takes on top, including its results. Later
    /// pictures that are no larger use the same memory.
    pub fn frame_bytes(&self, width: u32, height: u32) -> u64 {
        let grid = Grid::over(width, height);
        let px = |width: u32, height: u32| u64::from(width) * u64::from(height);
        let maps = if self.has_kinds() { 4 } else { 2 };
        let sr_px = px(width, height) * u64::from(SCALE * SCALE);
        let is_padded = (width, height) != (grid.width, grid.height);
        let padded = if is_padded { px(grid.width, grid.height) * BYTES_PER_PADDED_PX } else { 0 };
        // The picture and each map are stitched in a strip as high as a tile; a single tile is a strip itself.
        let strip_px = u64::from(grid.width * SCALE) * u64::from(TILE_SR_PX);
        let strips = if grid.xs.len() > 1 { strip_px * (3 + maps) } else { 0 };
        let cells = most_cells_of(width, height, &self.rule()) as u64;
        px(width, height) * BYTES_PER_PX
            + sr_px * (BYTES_PER_SR_PX + maps)
            + padded
            + strips
            + (u64::from(width) + u64::from(height)) * BYTES_PER_SIDE_PX
            + cells * (size_of::<Cell>() + Measurer::BYTES_PER_CELL) as u64
    }
}
