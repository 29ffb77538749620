//! The nets over the tiles of a picture, on one core or two.
//!
//! Tiles are taken in turn, as many at a time as there are workers, and handed on in the order of the grid: what comes
//! out does not depend on their number. A worker has buffers of its own; weights are shared. The second one is set up when
//! a picture first has more than one tile.

use std::time::Instant;

use image::{RgbImage, imageops};

use crate::{
    engine::{Figures, Setup},
    error::{Error, Result},
    limits::{MAX_WORKERS, SCALE, TILE_PX, TILE_SR_PX},
    model::store::Models,
    segmentation::{CellMaps, Segmenter},
    super_resolution::SuperResolution,
    tile::grid::Grid,
};

/// Both nets, loaded once, for as many threads as are wanted.
#[derive(Debug)]
pub struct Workers {
    all: heapless::Vec<Worker, MAX_WORKERS>,
    threads: usize,
    arena_bytes: usize,
}

/// Both nets and the buffers of one tile.
#[derive(Debug)]
struct Worker {
    super_resolution: SuperResolution,
    segmenter: Segmenter,
    tile: RgbImage,
    sr: RgbImage,
    maps: CellMaps,
}

impl Worker {
    fn new(super_resolution: SuperResolution, segmenter: Segmenter) -> Self {
        Self {
            super_resolution,
            segmenter,
            tile: RgbImage::new(TILE_PX, TILE_PX),
            sr: RgbImage::new(TILE_SR_PX, TILE_SR_PX),
            maps: CellMaps::empty(TILE_SR_PX, TILE_SR_PX),
        }
    }

    fn another(&self) -> Result<Self> {
        Ok(Self::new(self.super_resolution.another()?, self.segmenter.another()?))
    }
}

impl Workers {
    /// Loads both nets, checks their golden outputs, and takes at most `threads` threads for the tiles of a picture.
    ///
    /// # Errors
    /// [`Error::Model`] when a net cannot run or computes something else than the trainer did.
    pub(super) fn load(models: &Models, setup: &Setup, threads: usize) -> Result<Self> {
        let super_resolution = SuperResolution::load(&models.ssr, setup)?;
        let segmenter = Segmenter::load(&models.unet, setup)?;
        let mut all = heapless::Vec::new();
        let _ = all.push(Worker::new(super_resolution, segmenter));
        Ok(Self { all, threads: threads.clamp(1, MAX_WORKERS), arena_bytes: setup.arena_bytes() })
    }

    /// What the super-resolution net and the segmenter are made of.
    pub fn figures(&self) -> [&Figures; 2] {
        let worker = &self.all[0];
        [worker.super_resolution.engine().figures(), worker.segmenter.engine().figures()]
    }

    /// Bytes of the arena that both nets share; each thread has one.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// Threads that the tiles of a picture go to.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// See [`Segmenter::prepare`].
    pub(super) fn prepare(&self, frame: &RgbImage, sr: &RgbImage) -> RgbImage {
        self.all[0].segmenter.prepare(frame, sr)
    }

    /// Super-resolves every tile of `padded` and hands them to `place` in order; gives the milliseconds in the net.
    pub(super) fn super_resolve(
        &mut self,
        grid: &Grid,
        padded: &RgbImage,
        mut place: impl FnMut(&RgbImage) -> Result<()>,
    ) -> Result<f64> {
        let run = |worker: &mut Worker, (x, y): (u32, u32)| {
            copy_tile(padded, x, y, &mut worker.tile);
            worker.super_resolution.run_into(&worker.tile, &mut worker.sr)
        };
        self.over_tiles(grid, run, |worker| place(&worker.sr))
    }

    /// Segments every tile of a prepared picture and hands the maps to `place` in order; gives the milliseconds in the net.
    pub(super) fn segment(
        &mut self,
        grid: &Grid,
        prepared: &RgbImage,
        mut place: impl FnMut(&CellMaps) -> Result<()>,
    ) -> Result<f64> {
        let run = |worker: &mut Worker, (x, y): (u32, u32)| {
            copy_tile(prepared, x * SCALE, y * SCALE, &mut worker.sr);
            worker.segmenter.run_into(&worker.sr, &mut worker.maps)
        };
        self.over_tiles(grid, run, |worker| place(&worker.maps))
    }

    fn over_tiles(
        &mut self,
        grid: &Grid,
        run: impl Fn(&mut Worker, (u32, u32)) -> Result<()> + Sync,
        mut place: impl FnMut(&Worker) -> Result<()>,
    ) -> Result<f64> {
        while self.all.len() < self.threads.min(grid.tiles()) {
            let another = self.all[0].another()?;
            self.all.push(another).map_err(|_| Error::internal("workers", "more than there is room for"))?;
        }
        let mut tiles = grid.ys.iter().flat_map(|y| grid.xs.iter().map(move |x| (*x, *y)));
        let mut total_ms = 0.0;
        loop {
            let mut batch = heapless::Vec::<_, MAX_WORKERS>::from_iter(tiles.by_ref().take(self.all.len()));
            let before = Instant::now();
            match (self.all.as_mut_slice(), batch.as_mut_slice()) {
                (_, []) => return Ok(total_ms),
                ([first, second, ..], [tile, next]) => {
                    let (one, other) = rayon::join(|| run(first, *tile), || run(second, *next));
                    one.and(other)?;
                }
                (workers, batch) => {
                    for (worker, tile) in workers.iter_mut().zip(batch) {
                        run(worker, *tile)?;
                    }
                }
            }
            total_ms += super::ms_since(before);
            self.all.iter().take(batch.len()).try_for_each(&mut place)?;
        }
    }
}

/// The part of `picture` at (x, y) that is as large as `tile`.
fn copy_tile(picture: &RgbImage, x: u32, y: u32, tile: &mut RgbImage) {
    if picture.dimensions() == tile.dimensions() {
        tile.copy_from_slice(picture);
        return;
    }
    let part = imageops::crop_imm(picture, x, y, tile.width(), tile.height());
    let row_bytes = 3 * tile.width() as usize;
    let stride = 3 * picture.width() as usize;
    let (left, top) = part.offsets();
    for (row, to) in tile.chunks_exact_mut(row_bytes).enumerate() {
        let from = (top as usize + row) * stride + 3 * left as usize;
        to.copy_from_slice(&picture.as_raw()[from..from + row_bytes]);
    }
}
