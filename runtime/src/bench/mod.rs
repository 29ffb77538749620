//! Time of each stage and memory of a run.
//!
//! The models are timed individually, one tile per run on one thread, with tensors prepared: the engine's own time. Cells
//! are timed on the maps of a rendered smear, because their time depends on the contents. Tiles per second are those of
//! the whole pipeline, whose steps are timed too. Times are reported, not judged.

pub mod alone;
mod steps;
mod timings;

use std::time::{Duration, Instant};

use image::RgbImage;
use serde::Serialize;

pub use steps::Steps;
pub use timings::Timings;

use crate::{
    error::Result,
    memory::{counting, resident},
};
use bloodseg_vision::{
    cells,
    consistency::Consistency,
    engine::{Engine, Setup},
    frame::reference,
    geometry::{TILE_PX, TILE_SR_PX},
    model::store::Models,
    pipeline::Pipeline,
};

/// Runs before timing starts: the first ones see cold caches and unmapped pages.
const WARM_UP_TILES: u32 = 2;

/// Minimum runs of a stage, whatever the time.
const LEAST_TILES: u32 = 3;

/// Number of rendered input fields, and the seed of their set.
const FIELDS: u32 = 4;
const SEED: u64 = 1;

/// When a stage has run often enough: at either limit, but after three runs at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Most runs of each stage.
    pub tiles: u32,
    /// Most time for each stage.
    pub time: Duration,
}

/// The measurements. The names are the keys of `bench --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// Median for one tile, one thread, engine only.
    pub ssr_ms: f64,
    /// Median for one tile, one thread, engine only.
    pub unet_ms: f64,
    /// Median for one tile: maps to labels to measures.
    pub cells_ms: f64,
    /// Through the whole pipeline, sequentially.
    pub tiles_per_s: f64,
    /// Peak heap while tiles run, including models; `None` if the heap is not counted.
    pub peak_heap_bytes: Option<usize>,
    /// Heap between tiles, including models.
    pub live_heap_bytes: Option<usize>,
    /// Peak heap while the models are loaded.
    pub load_peak_heap_bytes: Option<usize>,
    /// Peak resident set of the process, including loading; `None` if the system does not report it.
    pub peak_rss_kib: Option<u64>,
    /// Mean number of allocations per tile in the pipeline.
    pub allocations_per_tile: Option<f64>,
    /// Load time of both models, including checks.
    pub load_ms: f64,
    /// Kernel of the convolutions.
    pub kernel: &'static str,
    /// Arena that both models share, per thread.
    pub arena_bytes: usize,
    /// Packed weights of both models.
    pub weight_bytes: usize,
    /// Nodes that stock tract runs, operation and name; empty if everything is integer.
    pub stock_nodes: Vec<String>,
    /// Median of the super-resolution model up to its last convolution, without the repeated input and the shuffle.
    pub ssr_body_ms: f64,
    /// Median of the segmentation model up to its last convolution.
    pub unet_body_ms: f64,
    /// Every stage in full.
    pub stages: Stages,
}

/// Times of the stages per tile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stages {
    /// Only super-resolution.
    pub ssr: Timings,
    /// Only segmentation.
    pub unet: Timings,
    /// Cells.
    pub cells: Timings,
    /// A tile through the whole pipeline.
    pub pipeline: Timings,
    /// The same, step by step.
    pub steps: Steps,
}

/// Runs every stage on rendered tiles.
///
/// # Errors
/// Those of the models.
pub fn run(models: &Models, effort: Effort, setup: &Setup) -> Result<BenchReport> {
    let tiles = tiles()?;
    counting::restart_peak();
    let before = Instant::now();
    let mut pipeline = Pipeline::load_with(models, setup, 1)?;
    let load_ms = ms(before.elapsed());
    let load_peak_heap_bytes = counting::heap().map(|heap| heap.peak_bytes);

    // The pipeline first, so that its memory does not include the engines of the single stages.
    let whole = measure_pipeline(&mut pipeline, &tiles, effort)?;
    let analyses = tiles.iter().map(|tile| Ok(pipeline.analyse(tile)?.clone())).collect::<Result<Vec<_>>>()?;
    let rule = pipeline.rule();
    let (mut splitter, mut measurer, mut consistency) =
        (cells::Splitter::default(), cells::Measurer::default(), Consistency::default());
    let (mut labels, mut found) = (cells::Labels::default(), Vec::new());
    let cells = timed(effort, |at| {
        let (tile, analysis) = (&tiles[at % tiles.len()], &analyses[at % analyses.len()]);
        splitter.split(&analysis.maps, &rule, &mut labels)?;
        consistency.compare(tile, &analysis.sr)?;
        measurer.measure(&labels, &analysis.maps, &rule, &consistency, analysis.cells.len(), &mut found)?;
        std::hint::black_box(&found);
        Ok(())
    })?;
    let [ssr_figures, unet_figures] = pipeline.workers().figures();
    let stock_nodes = [ssr_figures, unet_figures].iter().flat_map(|figures| figures.stock_nodes.clone()).collect();
    let weight_bytes = ssr_figures.weight_bytes + unet_figures.weight_bytes;
    let arena_bytes = pipeline.workers().arena_bytes();
    drop(pipeline);
    let (edge, sr_edge) = (TILE_PX as usize, TILE_SR_PX as usize);
    let srs: Vec<&RgbImage> = analyses.iter().map(|analysis| &analysis.sr).collect();
    let lrs: Vec<&RgbImage> = tiles.iter().collect();
    let ssr = net(Engine::load(&models.ssr, edge, edge, setup)?, &lrs, effort)?;
    let ssr_body = net(Engine::load_body(&models.ssr, edge, edge, setup)?, &lrs, effort)?;
    let unet = net(Engine::load(&models.unet, sr_edge, sr_edge, setup)?, &srs, effort)?;
    let unet_body = net(Engine::load_body(&models.unet, sr_edge, sr_edge, setup)?, &srs, effort)?;
    Ok(BenchReport {
        ssr_ms: ssr.median_ms,
        unet_ms: unet.median_ms,
        cells_ms: cells.median_ms,
        tiles_per_s: 1e3 * f64::from(whole.timings.runs) / whole.timings.total_ms,
        peak_heap_bytes: whole.peak_heap_bytes,
        live_heap_bytes: whole.live_heap_bytes,
        load_peak_heap_bytes,
        peak_rss_kib: resident::peak_rss_kib(),
        allocations_per_tile: whole.allocations_per_tile,
        load_ms,
        kernel: setup.kernel(),
        arena_bytes,
        weight_bytes,
        stock_nodes,
        ssr_body_ms: ssr_body.median_ms,
        unet_body_ms: unet_body.median_ms,
        stages: Stages { ssr, unet, cells, pipeline: whole.timings, steps: whole.steps },
    })
}

/// Low-resolution tiles with cells: rendered fields after the reference preparation.
fn tiles() -> Result<Vec<RgbImage>> {
    (0..FIELDS).map(|index| Ok(reference::prepare(&bloodseg_smear::set::field(index, SEED, 512).picture)?.lr)).collect()
}

struct Whole {
    timings: Timings,
    steps: Steps,
    peak_heap_bytes: Option<usize>,
    live_heap_bytes: Option<usize>,
    allocations_per_tile: Option<f64>,
}

fn measure_pipeline(pipeline: &mut Pipeline, tiles: &[RgbImage], effort: Effort) -> Result<Whole> {
    // Allocated before the heap is counted.
    let mut steps = Vec::with_capacity((effort.tiles.max(LEAST_TILES) + WARM_UP_TILES) as usize);
    counting::restart_peak();
    let before = counting::heap();
    let timings = timed(effort, |at| {
        std::hint::black_box(pipeline.analyse(&tiles[at % tiles.len()])?);
        steps.push(*pipeline.steps());
        Ok(())
    })?;
    let after = counting::heap();
    let steps = Steps::of(steps.get(WARM_UP_TILES as usize..).unwrap_or_default());
    let runs = f64::from(timings.runs + WARM_UP_TILES);
    Ok(Whole {
        timings,
        steps,
        peak_heap_bytes: after.map(|heap| heap.peak_bytes),
        live_heap_bytes: after.map(|heap| heap.live_bytes),
        allocations_per_tile: before
            .zip(after)
            .map(|(before, after)| (after.allocations - before.allocations) as f64 / runs),
    })
}

/// Times a single model.
fn net(mut engine: Engine, pictures: &[&RgbImage], effort: Effort) -> Result<Timings> {
    let mut output = vec![0; engine.output_shape().iter().product()];
    timed(effort, |at| Ok(engine.run(pictures[at % pictures.len()].as_raw(), &mut output)?))
}

/// Warms up, then runs `stage` with increasing numbers until a limit is reached.
fn timed(effort: Effort, mut stage: impl FnMut(usize) -> Result<()>) -> Result<Timings> {
    for at in 0..WARM_UP_TILES {
        stage(at as usize)?;
    }
    let most = effort.tiles.max(LEAST_TILES);
    let mut times_ms = Vec::with_capacity(most as usize);
    let begin = Instant::now();
    for at in 0..most {
        if at >= LEAST_TILES && begin.elapsed() >= effort.time {
            break;
        }
        let before = Instant::now();
        stage(at as usize)?;
        times_ms.push(ms(before.elapsed()));
    }
    Ok(Timings::of(times_ms))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn runs(effort: Effort) -> (u32, u32) {
        let mut calls = 0;
        let timings = timed(effort, |_| {
            calls += 1;
            Ok(())
        });
        (timings.unwrap().runs, calls)
    }

    #[test]
    fn stage_ends_at_either_limit_after_three_runs() {
        let long = Duration::from_secs(600);
        assert_eq!(runs(Effort { tiles: 7, time: long }), (7, 9));
        assert_eq!(runs(Effort { tiles: 0, time: long }), (3, 5));
        assert_eq!(runs(Effort { tiles: 1000, time: Duration::ZERO }), (3, 5));
    }
}
