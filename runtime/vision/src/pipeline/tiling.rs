//! A picture in tiles through a net and together again, in memory that serves one picture after another.

use image::RgbImage;

use super::{Workers, analysis::StageTimes};
use crate::{
    error::Result,
    frame::refit::refit,
    geometry::SCALE,
    segmentation::CellMaps,
    tile::{grid::Grid, stitch::Stitch},
};

/// The grid of the last picture, and what its tiles are laid out in.
#[derive(Debug)]
pub(super) struct Tiling {
    grid: Grid,
    padded: RgbImage,
    /// The super-resolved picture with its padding; then the same, prepared for the segmenter.
    sr: RgbImage,
    pixels: Stitch,
    foreground: Stitch,
    core: Stitch,
}

impl Default for Tiling {
    fn default() -> Self {
        let (grid, padded, sr) = Default::default();
        Self { grid, padded, sr, pixels: Stitch::new(3), foreground: Stitch::new(1), core: Stitch::new(1) }
    }
}

impl Tiling {
    /// Number of tiles of the last picture.
    pub(super) fn tiles(&self) -> usize {
        self.grid.tiles()
    }

    /// Super-resolves a picture to `sr`, which gets four times its size.
    pub(super) fn super_resolve(
        &mut self,
        workers: &mut Workers,
        picture: &RgbImage,
        sr: &mut RgbImage,
        times: &mut StageTimes,
    ) -> Result<()> {
        let (width, height) = picture.dimensions();
        let Self { grid, padded, sr: whole, pixels, .. } = self;
        grid.lay_over(width, height);
        let padded = grid.pad(picture, padded);
        refit(whole, grid.width * SCALE, grid.height * SCALE);
        pixels.begin(grid);
        times.ssr_ms += workers.super_resolve(grid, padded, |tile| pixels.place(tile, whole))?;
        pixels.finish()?;
        refit(sr, width * SCALE, height * SCALE);
        cut(whole, sr);
        Ok(())
    }

    /// Segments the picture that was super-resolved last, and whose frame is `picture`, to `maps` of four times its size:
    /// the padding goes before cells are found, so that a cell at the picture's edge touches its border.
    pub(super) fn segment(
        &mut self,
        workers: &mut Workers,
        picture: &RgbImage,
        maps: &mut CellMaps,
        times: &mut StageTimes,
    ) -> Result<()> {
        let Self { grid, sr, foreground, core, .. } = self;
        workers.prepare(picture, sr);
        refit_maps(maps, picture);
        foreground.begin(grid);
        core.begin(grid);
        times.unet_ms += workers.segment(grid, sr, |tile| {
            foreground.place(&tile.foreground, &mut maps.foreground)?;
            core.place(&tile.core, &mut maps.core)
        })?;
        foreground.finish()?;
        core.finish()
    }
}

/// Maps of `picture` without cells.
pub(super) fn empty_maps(maps: &mut CellMaps, picture: &RgbImage) {
    refit_maps(maps, picture);
    maps.foreground.fill(0);
    maps.core.fill(0);
}

fn refit_maps(maps: &mut CellMaps, picture: &RgbImage) {
    let (width, height) = (picture.width() * SCALE, picture.height() * SCALE);
    refit(&mut maps.foreground, width, height);
    refit(&mut maps.core, width, height);
}

/// The upper left of `whole`, as much as `part` is large.
fn cut(whole: &RgbImage, part: &mut RgbImage) {
    let (row_bytes, part_row_bytes) = (3 * whole.width() as usize, 3 * part.width() as usize);
    for (to, from) in part.chunks_exact_mut(part_row_bytes).zip(whole.chunks_exact(row_bytes)) {
        to.copy_from_slice(&from[..part_row_bytes]);
    }
}
