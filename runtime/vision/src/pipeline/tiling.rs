//! Runs a picture through a model in tiles and stitches the result, reusing memory.

use image::RgbImage;

use super::{Workers, analysis::StepTimes};
use crate::{
    error::Result,
    frame::{normalise::Normalisation, refit::refit},
    geometry::SCALE,
    segmentation::CellMaps,
    tile::{grid::Grid, stitch::Stitch},
};

/// The grid of the last picture, and the buffers for its tiles.
#[derive(Debug)]
pub(super) struct Tiling {
    grid: Grid,
    padded: RgbImage,
    /// The super-resolved picture with padding, if there is any.
    sr: RgbImage,
    pixels: Stitch,
    foreground: Stitch,
    core: Stitch,
    /// White and platelet; empty if the model reports no kinds.
    kinds: [Stitch; 2],
}

impl Default for Tiling {
    fn default() -> Self {
        let (grid, padded, sr) = Default::default();
        let map = || Stitch::new(1);
        Self { grid, padded, sr, pixels: Stitch::new(3), foreground: map(), core: map(), kinds: [map(), map()] }
    }
}

impl Tiling {
    /// Number of tiles of the last picture.
    pub(super) fn tiles(&self) -> usize {
        self.grid.tiles()
    }

    /// Super-resolves a picture to `sr`, four times its size.
    pub(super) fn super_resolve(
        &mut self,
        workers: &mut Workers,
        picture: &RgbImage,
        sr: &mut RgbImage,
        times: &mut StepTimes,
    ) -> Result<()> {
        let (width, height) = picture.dimensions();
        let Self { grid, padded, sr: whole, pixels, .. } = self;
        grid.lay_over(width, height);
        refit(sr, width * SCALE, height * SCALE);
        pixels.begin(grid);
        if (width, height) == (grid.width, grid.height) {
            times.ssr_ms += workers.super_resolve(grid, picture, |tile| pixels.place(tile, sr))?;
        } else {
            let padded = grid.pad(picture, padded);
            refit(whole, grid.width * SCALE, grid.height * SCALE);
            times.ssr_ms += workers.super_resolve(grid, padded, |tile| pixels.place(tile, whole))?;
            cut(whole, sr);
        }
        pixels.finish()
    }

    /// Segments the picture last super-resolved to `sr`, to `maps` of its size. Padding is removed before cells are
    /// extracted, so that a cell at the picture's edge touches its border.
    pub(super) fn segment(
        &mut self,
        workers: &mut Workers,
        normalisation: &Normalisation,
        sr: &RgbImage,
        maps: &mut CellMaps,
        times: &mut StepTimes,
    ) -> Result<()> {
        let Self { grid, sr: padded, foreground, core, kinds: [white, platelet], .. } = self;
        let is_padded = sr.dimensions() != (grid.width * SCALE, grid.height * SCALE);
        let whole = if is_padded { padded } else { sr };
        let has_kinds = workers.has_kinds();
        maps.refit(sr.dimensions(), has_kinds);
        foreground.begin(grid);
        core.begin(grid);
        if has_kinds {
            white.begin(grid);
            platelet.begin(grid);
        }
        times.unet_ms += workers.segment(grid, whole, normalisation, |tile| {
            foreground.place(&tile.foreground, &mut maps.foreground)?;
            core.place(&tile.core, &mut maps.core)?;
            if let (Some(tile), Some(maps)) = (&tile.kinds, &mut maps.kinds) {
                white.place(&tile.white, &mut maps.white)?;
                platelet.place(&tile.platelet, &mut maps.platelet)?;
            }
            Ok(())
        })?;
        // Stitches of kind maps that were not started lack no tiles.
        [foreground, core, white, platelet].into_iter().try_for_each(|stitch| stitch.finish())
    }
}

/// The upper left part of `whole`, with the size of `part`.
fn cut(whole: &RgbImage, part: &mut RgbImage) {
    let (row_bytes, part_row_bytes) = (3 * whole.width() as usize, 3 * part.width() as usize);
    for (to, from) in part.chunks_exact_mut(part_row_bytes).zip(whole.chunks_exact(row_bytes)) {
        to.copy_from_slice(&from[..part_row_bytes]);
    }
}
