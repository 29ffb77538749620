//! Runs the models over the tiles of a picture, on one or two cores.
//!
//! Tiles are processed in groups of one per worker and returned in the order of the grid, so results do not depend on the
//! number of workers. A worker has its own buffers; weights are shared. The second worker is set up when a picture first
//! has more than one tile.

use std::time::Instant;

use image::RgbImage;

use super::helper::Helper;
use crate::{
    engine::{Figures, Setup, Share},
    error::{Error, Result},
    frame::normalise::Normalisation,
    geometry::{SCALE, TILE_PX, TILE_SR_PX},
    model::store::Models,
    pipeline::limits::MAX_WORKERS,
    segmentation::{CellMaps, Segmenter},
    super_resolution::SuperResolution,
    tile::grid::Grid,
};

/// Both models, loaded once, for the requested number of threads.
#[derive(Debug)]
pub struct Workers {
    all: heapless::Vec<Box<Worker>, MAX_WORKERS>,
    /// Runs the second worker, if there is one.
    helper: Option<Helper>,
    threads: usize,
    arena_bytes: usize,
}

/// One of the models.
#[derive(Debug, Clone, Copy)]
pub(super) enum Net {
    SuperResolution,
    Segmentation,
}

/// Both models, and the buffers of one tile.
#[derive(Debug)]
pub(super) struct Worker {
    super_resolution: SuperResolution,
    segmenter: Segmenter,
    /// Memory for the maps between the layers of both.
    arena: Share,
    tile: RgbImage,
    sr: RgbImage,
    maps: CellMaps,
}

impl Worker {
    fn new(super_resolution: SuperResolution, segmenter: Segmenter, arena: Share) -> Self {
        let mut maps = CellMaps::default();
        maps.refit((TILE_SR_PX, TILE_SR_PX), segmenter.has_kinds());
        Self {
            super_resolution,
            segmenter,
            arena,
            tile: RgbImage::new(TILE_PX, TILE_PX),
            sr: RgbImage::new(TILE_SR_PX, TILE_SR_PX),
            maps,
        }
    }

    /// Runs a model on the tile, or on the super-resolved tile, in its buffers.
    pub(super) fn run(&mut self, net: Net) -> Result<()> {
        match net {
            Net::SuperResolution => self.super_resolution.run_into(&self.tile, &mut self.sr),
            Net::Segmentation => self.segmenter.run_into(&self.sr, &mut self.maps),
        }
    }

    /// Bytes of the buffers.
    fn buffer_bytes(&self) -> usize {
        self.tile.len() + self.sr.len() + self.maps.bytes() + self.segmenter.buffer_bytes()
    }

    fn another(&self) -> Result<Self> {
        Ok(Self::new(self.super_resolution.another()?, self.segmenter.another()?, self.arena.another()))
    }
}

impl Workers {
    /// Loads both models, checks their golden outputs, and uses at most `threads` threads for the tiles of a picture.
    /// With a `brief` check, only the kernel is checked for built-in models; see [`super::Pipeline::start_with`].
    ///
    /// # Errors
    /// [`Error::Model`] if a model cannot run, or computes something else than the trainer did.
    pub(super) fn load(models: &Models, setup: &Setup, threads: usize, brief: bool) -> Result<Self> {
        let (super_resolution, segmenter) = if brief && models.are_built_in() {
            setup.check()?;
            (SuperResolution::load_unverified(&models.ssr, setup)?, Segmenter::load_unverified(&models.unet, setup)?)
        } else {
            (SuperResolution::load(&models.ssr, setup)?, Segmenter::load(&models.unet, setup)?)
        };
        let mut all = heapless::Vec::new();
        let _ = all.push(Box::new(Worker::new(super_resolution, segmenter, setup.share())));
        Ok(Self { all, helper: None, threads: threads.clamp(1, MAX_WORKERS), arena_bytes: setup.arena_bytes() })
    }

    /// The same models for another thread: weights are shared, buffers are not.
    ///
    /// # Errors
    /// [`Error::Model`] if the engine cannot be set up again.
    pub(super) fn another(&self, threads: usize) -> Result<Self> {
        let mut all = heapless::Vec::new();
        let _ = all.push(Box::new(self.first().another()?));
        Ok(Self { all, helper: None, threads: threads.clamp(1, MAX_WORKERS), ..*self })
    }

    /// Properties of the super-resolution model and the segmenter.
    pub fn figures(&self) -> [&Figures; 2] {
        let worker = self.first();
        [worker.super_resolution.engine().figures(), worker.segmenter.engine().figures()]
    }

    /// Bytes of the arena that both models share; each thread has one.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// Threads for the tiles of a picture.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes of the input and output buffers: those of a worker and of its engines.
    pub fn edge_bytes(&self) -> usize {
        self.first().buffer_bytes() + self.figures().iter().map(|figures| figures.edge_bytes).sum::<usize>()
    }

    /// Whether the segmenter reports kinds.
    pub fn has_kinds(&self) -> bool {
        self.first().segmenter.has_kinds()
    }

    // A worker only leaves while the helper runs it, and the first one never does.
    fn first(&self) -> &Worker {
        &self.all[0]
    }

    /// See [`Segmenter::normalisation`].
    pub(super) fn normalisation(&self, frame: &RgbImage) -> Normalisation {
        self.first().segmenter.normalisation(frame)
    }

    /// Super-resolves every tile of `padded` and passes them to `place` in order; returns the milliseconds in the model.
    pub(super) fn super_resolve(
        &mut self,
        grid: &Grid,
        padded: &RgbImage,
        mut place: impl FnMut(&RgbImage) -> Result<()>,
    ) -> Result<f64> {
        let lay = |worker: &mut Worker, (x, y): (u32, u32)| {
            for (to, from) in tile_rows(padded, x, y, &mut worker.tile) {
                to.copy_from_slice(from);
            }
        };
        self.over_tiles(grid, Net::SuperResolution, lay, |worker| place(&worker.sr))
    }

    /// Segments every tile of a super-resolved picture, normalising it on the way, and passes the maps to `place` in
    /// order; returns the milliseconds in the model.
    pub(super) fn segment(
        &mut self,
        grid: &Grid,
        sr: &RgbImage,
        normalisation: &Normalisation,
        mut place: impl FnMut(&CellMaps) -> Result<()>,
    ) -> Result<f64> {
        let lay = |worker: &mut Worker, (x, y): (u32, u32)| {
            for (to, from) in tile_rows(sr, x * SCALE, y * SCALE, &mut worker.sr) {
                normalisation.apply_to(from, to);
            }
        };
        self.over_tiles(grid, Net::Segmentation, lay, |worker| place(&worker.maps))
    }

    fn over_tiles(
        &mut self,
        grid: &Grid,
        net: Net,
        lay: impl Fn(&mut Worker, (u32, u32)),
        mut place: impl FnMut(&Worker) -> Result<()>,
    ) -> Result<f64> {
        while self.all.len() < self.threads.min(grid.tiles()) {
            let another = Box::new(self.first().another()?);
            self.all.push(another).map_err(|_| Error::internal("workers", "too many workers"))?;
        }
        if self.all.len() > 1 && self.helper.is_none() {
            self.helper = Some(Helper::start()?);
        }
        let mut tiles = grid.ys.iter().flat_map(|y| grid.xs.iter().map(move |x| (*x, *y)));
        let mut total_ms = 0.0;
        loop {
            let mut laid = 0;
            // Workers first, so that every tile taken has a worker.
            for (worker, tile) in self.all.iter_mut().zip(tiles.by_ref()) {
                lay(worker, tile);
                laid += 1;
            }
            let before = Instant::now();
            match (laid, &self.helper) {
                (0, _) => return Ok(total_ms),
                (2, Some(helper)) => {
                    let second = self.all.pop().ok_or_else(|| Error::internal("workers", "a worker is missing"))?;
                    helper.give(second, net);
                    let one = self.all[0].run(net);
                    let (second, other) = helper.take();
                    if let Some(second) = second {
                        let _ = self.all.push(second);
                    }
                    one.and(other)?;
                }
                _ => self.all.iter_mut().take(laid).try_for_each(|worker| worker.run(net))?,
            }
            total_ms += super::ms_since(before);
            self.all.iter().take(laid).try_for_each(|worker| place(worker))?;
        }
    }
}

/// The rows of a tile, and the part of `picture` they cover if the tile's upper left corner is at (x, y).
fn tile_rows<'a>(
    picture: &'a RgbImage,
    x: u32,
    y: u32,
    tile: &'a mut RgbImage,
) -> impl Iterator<Item = (&'a mut [u8], &'a [u8])> {
    let row_bytes = 3 * tile.width() as usize;
    let rows = picture.chunks_exact(3 * picture.width() as usize).skip(y as usize);
    let left = 3 * x as usize;
    tile.chunks_exact_mut(row_bytes).zip(rows.map(move |row| &row[left..left + row_bytes]))
}
