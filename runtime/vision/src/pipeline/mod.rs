//! All steps in sequence: a picture in, cells out.

mod analysis;
mod helper;
pub mod limits;
mod memory;
mod outside;
mod tiling;
mod workers;

use std::time::Instant;

use image::RgbImage;

use crate::{
    cells::{Measurer, Splitter, limits::MAX_CELLS},
    consistency::Consistency,
    engine::Setup,
    error::{Error, Result},
    frame::{
        quality::{Judge, Verdict},
        refit::refit,
        specimen::Specimen,
    },
    geometry::{MAX_TILED_PX, SCALE},
    model::{
        manifest::{CellRule, Pitch},
        store::Models,
    },
    placement::Scaled,
};
pub use analysis::{Analysis, StageTimes, StepTimes};
pub use outside::Outside;
use tiling::Tiling;
pub use workers::Workers;

/// Both models, loaded and checked once, and the memory of every step. Memory for the first picture of a size is kept,
/// and later ones of that size allocate nothing.
#[derive(Debug)]
pub struct Pipeline {
    workers: Workers,
    rule: CellRule,
    pitch: Pitch,
    specimen: Specimen,
    judge: Judge,
    tiling: Tiling,
    splitter: Splitter,
    consistency: Consistency,
    measurer: Measurer,
    latest: Analysis,
    steps: StepTimes,
    /// Whether [`Self::latest`] is a complete analysis.
    has_latest: bool,
}

impl Pipeline {
    /// Loads both models and checks their golden outputs.
    ///
    /// # Errors
    /// [`Error::Model`] if one cannot run, or computes something else than the trainer did.
    pub fn load(models: &Models) -> Result<Self> {
        Self::load_with(models, &Setup::default(), 1)
    }

    /// The same with a choice of kernel and of the number of threads for the tiles of a picture (1 to
    /// [`crate::pipeline::limits::MAX_WORKERS`]); results do not depend on either.
    ///
    /// # Errors
    /// As [`Pipeline::load`].
    pub fn load_with(models: &Models, setup: &Setup, threads: usize) -> Result<Self> {
        Self::load_as(models, setup, threads, false)
    }

    /// The same, with a short check if both models are built in, because the tests of a build have compared their hashes
    /// and golden outputs: only the processor is checked ([`Setup::check`]). Golden runs are most of the startup time.
    /// Models from a folder, a bundle or a slot are checked in full.
    ///
    /// # Errors
    /// As [`Pipeline::load`].
    pub fn start_with(models: &Models, setup: &Setup, threads: usize) -> Result<Self> {
        Self::load_as(models, setup, threads, true)
    }

    fn load_as(models: &Models, setup: &Setup, threads: usize, brief: bool) -> Result<Self> {
        let rule =
            models.unet.manifest.cells.ok_or_else(|| Error::internal("pipeline", "a segmenter without a rule"))?;
        let workers = Workers::load(models, setup, threads, brief)?;
        Ok(Self::with(workers, rule, models.unet.manifest.pitch.clone()))
    }

    fn with(workers: Workers, rule: CellRule, pitch: Pitch) -> Self {
        Self {
            workers,
            rule,
            pitch,
            specimen: Specimen::default(),
            judge: Judge::default(),
            tiling: Tiling::default(),
            splitter: Splitter::default(),
            consistency: Consistency::default(),
            measurer: Measurer::default(),
            latest: Analysis::default(),
            steps: StepTimes::default(),
            has_latest: false,
        }
    }

    /// The same models for another thread, which uses `threads` (1 to [`crate::pipeline::limits::MAX_WORKERS`]) for the tiles
    /// of a picture: weights are shared, buffers are not.
    ///
    /// # Errors
    /// [`Error::Model`] if the engine cannot be set up again.
    pub fn another(&self, threads: usize) -> Result<Self> {
        Ok(Self::with(self.workers.another(threads)?, self.rule, self.pitch.clone()))
    }

    /// The rule for extracting cells from the maps.
    pub fn rule(&self) -> CellRule {
        self.rule
    }

    /// The pitch that the segmenter was trained for.
    pub fn pitch(&self) -> &Pitch {
        &self.pitch
    }

    /// Whether the segmenter reports kinds.
    pub fn has_kinds(&self) -> bool {
        self.workers.has_kinds()
    }

    /// The latest analysis; `None` before the first, and after a failed one.
    pub fn latest(&self) -> Option<&Analysis> {
        self.has_latest.then_some(&self.latest)
    }

    /// Makes [`Self::latest`] `None` until the next analysis.
    pub(crate) fn forget(&mut self) {
        self.has_latest = false;
    }

    /// Exchanges the latest analysis for the memory of another, so that one can be written while the next is computed.
    pub fn exchange(&mut self, memory: Analysis) -> Analysis {
        self.has_latest = false;
        std::mem::replace(&mut self.latest, memory)
    }

    /// The time of each step of the latest analysis.
    pub fn steps(&self) -> &StepTimes {
        &self.steps
    }

    /// The models.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Analyses a picture as the sensor saw it, of any size up to [`MAX_TILED_PX`] pixels.
    ///
    /// The quality is checked first ([`crate::frame::quality::judge()`]). If it is not good, the analysis has no cells,
    /// and empty maps and labels; the picture is still super-resolved for viewing.
    ///
    /// The analysis stays in the pipeline's memory until the next one. A picture no larger than an earlier one is
    /// analysed without an allocation.
    ///
    /// # Errors
    /// [`Error::Picture`] for an empty or too large picture, or one with too many cells.
    pub fn analyse(&mut self, picture: &RgbImage) -> Result<&Analysis> {
        self.analyse_as(picture, Count::Good)
    }

    /// The same, but cells are counted whatever the verdict.
    ///
    /// The whole picture is super-resolved and stitched before it is segmented, so the segmenter never sees the edge of a
    /// tile. Cells are extracted once, from the stitched maps.
    ///
    /// # Errors
    /// [`Error::Picture`] for an empty or too large picture, or one with too many cells.
    pub fn analyse_any(&mut self, picture: &RgbImage) -> Result<&Analysis> {
        self.analyse_as(picture, Count::Any)
    }

    /// Super-resolves a picture of unknown scale for viewing; it has no cells, and its verdict is
    /// [`Verdict::ScaleUnknown`] unless it is empty or badly exposed.
    ///
    /// # Errors
    /// [`Error::Picture`] for an empty or too large picture.
    pub fn look(&mut self, picture: &RgbImage) -> Result<&Analysis> {
        self.analyse_as(picture, Count::None)
    }

    /// Changes the verdict of the latest analysis, for a problem that the picture does not show.
    pub fn set_verdict(&mut self, verdict: Verdict) {
        self.latest.quality.verdict = verdict;
    }

    /// Sets the placement of the latest analysis on its input.
    pub fn set_scaled(&mut self, scaled: Scaled) {
        self.latest.scaled = scaled;
    }

    fn analyse_as(&mut self, picture: &RgbImage, count: Count) -> Result<&Analysis> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_TILED_PX {
            let expected = format!("1x1 up to {MAX_TILED_PX} pixels in total");
            return Err(Error::picture(format!("{width}x{height} pixels"), expected, "Crop it"));
        }
        self.has_latest = false;
        self.refill(picture, count)?;
        self.has_latest = true;
        Ok(&self.latest)
    }

    /// Analyses a picture in place of the latest one.
    fn refill(&mut self, picture: &RgbImage, count: Count) -> Result<()> {
        let Analysis { quality, sr, maps, labels, cells, outside, scaled, times, tiles } = &mut self.latest;
        let (start, mut steps) = (Instant::now(), StepTimes::default());
        *scaled = Scaled::default();
        let mut lap = Lap(start);
        let has_outside = self.specimen.find(picture);
        let seen = if has_outside { self.specimen.painted() } else { picture };
        steps.specimen_ms = lap.ms();
        *quality = self.judge.judge(seen);
        steps.judge_ms = lap.ms();
        self.tiling.super_resolve(&mut self.workers, seen, sr, &mut steps)?;
        steps.tiling_ms = lap.ms() - steps.ssr_ms;
        // Empty or badly exposed pictures are so at every scale.
        if count == Count::None && matches!(quality.verdict, Verdict::Good | Verdict::OutOfFocus) {
            quality.verdict = Verdict::ScaleUnknown;
        }
        let counted = count == Count::Any || quality.verdict.is_good();
        if counted {
            let normalisation = self.workers.normalisation(seen);
            steps.normalise_ms = lap.ms();
            self.tiling.segment(&mut self.workers, &normalisation, sr, maps, &mut steps)?;
            if has_outside {
                outside::clear_maps(maps, self.specimen.mask());
            }
            steps.tiling_ms += lap.ms() - steps.unet_ms;
            self.splitter.split(maps, &self.rule, labels)?;
            steps.split_ms = lap.ms();
            self.consistency.compare(seen, sr)?;
            steps.consistency_ms = lap.ms();
            let most = most_cells(picture, &self.rule);
            self.measurer.measure(labels, maps, &self.rule, &self.consistency, most, cells)?;
            if has_outside {
                outside::mark_cut_cells(labels, self.specimen.mask(), cells);
            }
            steps.measure_ms = lap.ms();
        } else {
            maps.refit_empty(sr.dimensions(), self.workers.has_kinds());
            refit(labels, sr.width(), sr.height());
            labels.fill(0);
            cells.clear();
        }
        outside.set(&self.specimen, picture, has_outside, sr);
        steps.total_ms = ms_since(start);
        (*times, self.steps) = (steps.stages(), steps);
        *tiles = u32::try_from(self.tiling.tiles()).map_err(|e| Error::internal("pipeline", e))?;
        Ok(())
    }
}

/// Which pictures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Good,
    Any,
    None,
}

/// A clock that is read between steps: each begins where the previous one ended.
struct Lap(Instant);

impl Lap {
    fn ms(&mut self) -> f64 {
        let now = Instant::now();
        (now - std::mem::replace(&mut self.0, now)).as_secs_f64() * 1e3
    }
}

/// Most cells that a picture can have: as many of minimum area as cover it.
fn most_cells(picture: &RgbImage, rule: &CellRule) -> usize {
    most_cells_of(picture.width(), picture.height(), rule)
}

fn most_cells_of(width: u32, height: u32, rule: &CellRule) -> usize {
    let pixels = u64::from(width) * u64::from(height) * u64::from(SCALE * SCALE);
    usize::try_from(pixels / u64::from(rule.least_area_px.max(1))).map_or(MAX_CELLS, |most| most.min(MAX_CELLS))
}

fn ms_since(before: Instant) -> f64 {
    before.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{Rgb, imageops};

    use super::*;
    use crate::{cells::Kind, engine::fixture};

    /// Dark disks of radius 6 on a light ground, darkest in the centre, one at each position.
    fn smear(width: u32, height: u32, places: &[(f64, f64)]) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let far = |(cx, cy): &(f64, f64)| (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy);
            let nearest = places.iter().map(far).fold(f64::INFINITY, f64::min);
            let red = if nearest < 6.0 { (nearest / 6.0 * 100.0) as u8 } else { 240 };
            Rgb([red, 200, 220])
        })
    }

    #[test]
    fn four_map_net_reports_kinds_across_tile_seams() {
        let kinds_of = |picture: &RgbImage, threads| {
            let mut pipeline = Pipeline::load_with(&fixture::models_with_kinds(), &Setup::default(), threads).unwrap();
            assert!(pipeline.has_kinds());
            let analysis = pipeline.analyse_any(picture).unwrap();
            let kinds: Vec<_> = analysis.cells.iter().map(|cell| (cell.kind, cell.kind_confidence())).collect();
            (kinds, analysis.counts(), analysis.maps.clone())
        };
        // Three tiles across: the second disk lies in two of them, and is blue; the third is green.
        let places = [(14.0, 14.0), (58.0, 30.0), (110.0, 40.0)];
        let mut picture = smear(130, 60, &places);
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            (pixel.0[1], pixel.0[2]) = if x < 40 {
                (90, 96)
            } else if x < 90 {
                (80, 160)
            } else {
                (144, 100)
            };
        }
        let (kinds, counts, maps) = kinds_of(&picture, 1);
        let expected = [(Kind::Red, Some(0.881)), (Kind::Platelet, Some(0.881)), (Kind::White, Some(0.731))];
        assert_eq!(kinds, expected);
        assert_eq!((counts.cells, counts.red, counts.white, counts.platelets), (2, Some(1), Some(1), Some(1)));
        assert_eq!(kinds_of(&picture, 2), (kinds, counts, maps.clone()));
        // The kind maps are stitched like the others.
        let maps = maps.kinds.unwrap();
        for (x, y, level) in maps.platelet.enumerate_pixels() {
            assert_eq!(level.0[0], picture.get_pixel(x / 4, y / 4).0[2]);
            assert_eq!(maps.white.get_pixel(x, y).0[0], picture.get_pixel(x / 4, y / 4).0[1]);
        }
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        let analysis = pipeline.analyse_any(&picture).unwrap();
        assert!(analysis.maps.kinds.is_none() && !pipeline.has_kinds());
        let analysis = pipeline.analyse_any(&picture).unwrap();
        assert_eq!((analysis.counts().cells, analysis.counts().red), (3, None));
        assert!(analysis.cells.iter().all(|cell| cell.kind == Kind::Unknown));
    }

    #[test]
    fn kind_maps_take_memory_only_if_model_has_kinds() {
        let bytes = |models| Pipeline::load(models).unwrap().workers().edge_bytes();
        let (without, with) = (bytes(&fixture::models()), bytes(&fixture::models_with_kinds()));
        // Two maps of a tile, twice: as the engine outputs them, and as the worker passes them on. The engine's own
        // output buffer comes on top.
        assert!(with >= without + 4 * 65_536, "{without} and {with}");
        // A frame that is not counted has kind maps too, so the next one allocates nothing.
        let mut pipeline = Pipeline::load(&fixture::models_with_kinds()).unwrap();
        let analysis = pipeline.analyse(&RgbImage::new(64, 64)).unwrap();
        assert!(!analysis.quality.verdict.is_good());
        assert_eq!(analysis.maps.bytes(), 4 * 65_536);
        assert_eq!(analysis.counts().platelets, Some(0));
        // None remain after a change of models, although the memory is reused.
        let given = pipeline.exchange(crate::pipeline::Analysis::default());
        let mut plain = Pipeline::load(&fixture::models()).unwrap();
        plain.exchange(given);
        assert_eq!(plain.analyse(&RgbImage::new(64, 64)).unwrap().maps.bytes(), 2 * 65_536);
    }

    #[test]
    fn pixel_repeating_net_stitches_to_repeated_picture() {
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        // Nowhere dark enough to be excluded.
        let picture = RgbImage::from_fn(113, 66, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, (x ^ y) as u8 | 128]));
        let analysis = pipeline.analyse_any(&picture).unwrap();
        assert_eq!((analysis.tiles, analysis.sr.dimensions()), (6, (452, 264)));
        for (x, y, pixel) in analysis.sr.enumerate_pixels() {
            let from = picture.get_pixel(x / 4, y / 4);
            assert_eq!(pixel, from);
            assert_eq!(analysis.maps.foreground.get_pixel(x, y).0[0], 255 - from.0[0]);
        }
        // A picture that only repeats the input differs from it nowhere, for any tiling.
        assert!(!analysis.cells.is_empty() && analysis.counts().unsupported == 0);
        assert!(analysis.cells.iter().all(|cell| cell.consistency.levels == 0.0));
        assert_eq!(analysis.maps.core, analysis.maps.foreground);
    }

    #[test]
    fn two_threads_give_same_result_as_one() {
        let picture = RgbImage::from_fn(140, 60, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, (x ^ y) as u8]));
        // Three tiles: the last one has no partner.
        for models in [fixture::models(), Models::embedded().unwrap()] {
            let run = |threads| {
                Pipeline::load_with(&models, &Setup::default(), threads).unwrap().analyse_any(&picture).unwrap().clone()
            };
            let (one, two) = (run(1), run(2));
            assert_eq!((one.tiles, two.tiles), (3, 3));
            assert_eq!((one.sr, one.maps, one.labels, one.cells), (two.sr, two.maps, two.labels, two.cells));
        }
    }

    #[test]
    fn cell_in_several_tiles_is_reported_once() {
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        let places: Vec<(f64, f64)> = (0..8)
            .flat_map(|i| (0..5).map(move |j| (f64::from(i) * 20.0 + 10.0, f64::from(j) * 20.0 + 10.0)))
            .collect();
        let analysis = pipeline.analyse(&smear(160, 100, &places)).unwrap();
        assert_eq!(analysis.cells.len(), places.len());
        for (x, y) in places {
            assert!(analysis.cells.iter().any(|cell| (cell.x_px - 4.0 * x).hypot(cell.y_px - 4.0 * y) < 1.0));
        }
    }

    #[test]
    fn edge_cell_of_padded_picture_touches_border() {
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        let analysis = pipeline.analyse(&smear(30, 21, &[(10.0, 10.0), (29.0, 19.0)])).unwrap();
        let borders: Vec<bool> = analysis.cells.iter().map(|cell| cell.touches_border).collect();
        assert_eq!((analysis.labels.dimensions(), borders), ((120, 84), vec![false, true]));
    }

    #[test]
    fn flat_pictures_are_analysed_and_empty_or_huge_ones_rejected() {
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        for (picture, cells) in [
            (RgbImage::new(64, 64), 1),
            (RgbImage::from_pixel(70, 40, Rgb([255; 3])), 0),
            (RgbImage::from_pixel(1, 1, Rgb([255; 3])), 0),
        ] {
            assert_eq!(pipeline.analyse_any(&picture).unwrap().cells.len(), cells);
            let gated = pipeline.analyse(&picture).unwrap();
            assert!(!gated.quality.verdict.is_good() && gated.cells.is_empty(), "{:?}", gated.quality);
        }
        assert_eq!(pipeline.analyse(&RgbImage::new(0, 5)).unwrap_err().kind(), crate::error::ErrorKind::Input);
        assert_eq!(pipeline.analyse(&RgbImage::new(2048, 1025)).unwrap_err().kind(), crate::error::ErrorKind::Input);
    }

    #[test]
    fn blurred_picture_is_super_resolved_but_not_counted() {
        let mut pipeline = Pipeline::load(&fixture::models()).unwrap();
        let sharp = smear(64, 64, &[(20.0, 20.0), (44.0, 40.0)]);
        let blurred = imageops::blur(&sharp, 3.0);
        let good = pipeline.analyse(&sharp).unwrap();
        assert_eq!((good.quality.verdict, good.cells.len()), (Verdict::Good, 2));
        let gated = pipeline.analyse(&blurred).unwrap().clone();
        assert_eq!((gated.quality.verdict, gated.cells.len()), (Verdict::OutOfFocus, 0));
        assert!(gated.labels.iter().all(|&label| label == 0) && gated.times.unet_ms == 0.0);
        assert_eq!(gated.labels.dimensions(), (256, 256));
        assert_eq!(gated.sr.get_pixel(80, 80), blurred.get_pixel(20, 20));
        let any = pipeline.analyse_any(&blurred).unwrap();
        assert_eq!((any.quality, &any.sr), (gated.quality, &gated.sr));
        assert!(!any.cells.is_empty());
    }

    #[test]
    fn reused_pipeline_matches_fresh_one_at_every_size() {
        let mut pipeline = Pipeline::load_with(&fixture::models(), &Setup::default(), 2).unwrap();
        assert!(pipeline.latest().is_none());
        let grid = |at: u32| (f64::from(at % 5) * 16.0 + 8.0, f64::from(at / 5) * 16.0 + 8.0);
        for (width, height, count, any) in [
            (64, 64, 6, false),
            (130, 90, 20, false),
            (20, 31, 1, false),
            (64, 64, 0, true),
            (64, 64, 0, false),
            (66, 64, 9, true),
        ] {
            let picture = smear(width, height, &(0..count).map(grid).collect::<Vec<_>>());
            let mut alone = Pipeline::load(&fixture::models()).unwrap();
            let [one, other] = [&mut pipeline, &mut alone].map(|pipeline| {
                let analysis = if any { pipeline.analyse_any(&picture) } else { pipeline.analyse(&picture) };
                analysis.unwrap().clone()
            });
            assert_eq!((one.quality, one.tiles, one.cells), (other.quality, other.tiles, other.cells));
            assert_eq!((&one.sr, &one.maps, &one.labels), (&other.sr, &other.maps, &other.labels));
            assert_eq!(pipeline.latest().unwrap().labels, one.labels);
        }
        // A picture that is refused immediately does not affect the latest analysis.
        assert!(pipeline.analyse(&RgbImage::new(0, 5)).is_err() && pipeline.latest().is_some());
    }

    #[test]
    fn pipeline_is_send() {
        fn assert_send<T: Send>() {}
        assert_send::<Pipeline>();
    }
}
