//! The response of `/api/latest`: everything the page shows except its pictures.

use std::time::Duration;

use serde::Serialize;

use super::{
    Site,
    board::{Reading, TrendPoint},
    diameters,
    facts::ModelCard,
};
use crate::{
    camera::counters::CameraCounters,
    memory,
    run::{Counts, answer::Answer},
};
use bloodseg_clock::utc;
use bloodseg_records::{count::Summary, validation::Correction};

/// See the module. Names and units are part of the public interface (docs/page.md).
#[derive(Debug, Serialize)]
pub struct Latest<'a> {
    version: &'static str,
    run: RunNow<'a>,
    /// Name of the sample under the lens.
    sample: Option<String>,
    /// Its counts; `None` before a frame was counted.
    answer: Option<Summary>,
    /// The mean per field as a person would have counted it; `None` without a validation.
    corrected: Option<Correction>,
    /// Measured figures that have drifted from their history.
    drifted: Vec<&'static str>,
    frame: Option<FrameNow>,
    counts: CountsNow,
    camera: Option<CameraCounters>,
    memory: MemoryNow,
    trend: Vec<TrendPoint>,
    diameters: diameters::Histogram,
    models: Vec<ModelCard>,
}

#[derive(Debug, Serialize)]
struct RunNow<'a> {
    source: &'a str,
    source_words: &'a str,
    started_utc: &'a str,
    uptime_s: f64,
    um_per_px: Option<f64>,
    state: &'static str,
    state_words: String,
}

#[derive(Debug, Serialize)]
struct FrameNow {
    number: u64,
    name: String,
    at_utc: String,
    age_ms: u64,
    interval_ms: Option<u64>,
    size_px: [u32; 2],
    sr_size_px: [u32; 2],
    /// Pitch of the input.
    um_per_px: Option<f64>,
    um_per_px_low: Option<f64>,
    um_per_px_high: Option<f64>,
    pitch_source: &'static str,
    /// Input pixels per analysed pixel.
    scale: f64,
    analysed_px2: f64,
    analysed_um2: Option<f64>,
    cells_per_mm2: Option<f64>,
    verdict: &'static str,
    verdict_words: &'static str,
    sharpness: Option<f64>,
    contrast_levels: f64,
    brightness_levels: f64,
    counted: bool,
    /// `None` for a frame that was not counted.
    cells: Option<u32>,
    unsupported: Option<u32>,
    /// `None` if kinds are unknown; platelets are not included in `cells`.
    red: Option<u32>,
    white: Option<u32>,
    platelets: Option<u32>,
    tiles: u32,
    times_ms: TimesNow,
}

#[derive(Debug, Serialize)]
struct TimesNow {
    ssr: f64,
    unet: f64,
    tiling: f64,
    cells: f64,
    total: f64,
}

#[derive(Debug, Serialize)]
struct CountsNow {
    captured: u64,
    analysed: u64,
    dropped: u64,
    failed: u64,
    unreadable: u64,
    not_kept: u64,
    cells: u64,
    unsupported: u64,
    /// `None` until a model reports kinds.
    red: Option<u64>,
    white: Option<u64>,
    platelets: Option<u64>,
    page_skipped: u64,
}

/// Memory of the process, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MemoryNow {
    /// Allocated and not freed.
    pub heap_bytes: Option<u64>,
    /// Its peak so far.
    pub heap_peak_bytes: Option<u64>,
    /// Resident.
    pub rss_bytes: Option<u64>,
    /// Its peak so far.
    pub rss_peak_bytes: Option<u64>,
    /// Allowed by the config.
    pub budget_bytes: Option<u64>,
}

impl MemoryNow {
    /// Reads the allocator and the kernel.
    pub fn of(site: &Site) -> Self {
        let heap = memory::counting::heap();
        Self {
            heap_bytes: heap.map(|heap| heap.live_bytes as u64),
            heap_peak_bytes: heap.map(|heap| heap.peak_bytes as u64),
            rss_bytes: memory::resident::rss_kib().map(|kib| kib * 1024),
            rss_peak_bytes: memory::resident::peak_rss_kib().map(|kib| kib * 1024),
            budget_bytes: site.facts.budget_bytes,
        }
    }
}

impl<'a> Latest<'a> {
    /// The current status, with a copy from the board.
    pub fn of(site: &'a Site, reading: Reading) -> Self {
        let (facts, board, run) = (&site.facts, &site.board, &site.run);
        let now = run.clock.elapsed();
        let state = run.state();
        let (cells, unsupported) = board.cells();
        let kinds = board.kinds();
        let answered = run.answer();
        let drifted = answered.drifted_names();
        let Answer { sample, summary: answer, corrected, .. } = answered;
        let Counts { captured, analysed, dropped, failed, unreadable, not_kept } = run.counts();
        let frame = reading.numbers.map(|numbers| {
            let (area, cells_per_mm2) = (numbers.area(), numbers.cells_per_mm2());
            FrameNow {
                number: numbers.frame,
                name: numbers.name,
                at_utc: utc::stamp(numbers.at),
                age_ms: whole_ms(now.saturating_sub(numbers.at_elapsed)),
                interval_ms: numbers.interval.map(whole_ms),
                size_px: numbers.size_px.into(),
                sr_size_px: numbers.sr_size_px.into(),
                um_per_px: numbers.scaled.um_per_px,
                um_per_px_low: numbers.scaled.um_per_px_range.map(|range| range[0]),
                um_per_px_high: numbers.scaled.um_per_px_range.map(|range| range[1]),
                pitch_source: numbers.scaled.source.name(),
                scale: numbers.scaled.placement.scale,
                analysed_px2: area.px2,
                analysed_um2: area.um2,
                cells_per_mm2,
                verdict: numbers.quality.verdict.name(),
                verdict_words: numbers.quality.verdict.words(),
                sharpness: numbers.quality.sharpness,
                contrast_levels: numbers.quality.contrast_levels,
                brightness_levels: numbers.quality.brightness_levels,
                counted: numbers.counted,
                cells: numbers.counted.then_some(numbers.counts.cells),
                unsupported: numbers.counted.then_some(numbers.counts.unsupported),
                red: numbers.counts.red.filter(|_| numbers.counted),
                white: numbers.counts.white.filter(|_| numbers.counted),
                platelets: numbers.counts.platelets.filter(|_| numbers.counted),
                tiles: numbers.tiles,
                times_ms: TimesNow {
                    ssr: numbers.times.ssr_ms,
                    unet: numbers.times.unet_ms,
                    tiling: numbers.times.tiling_ms,
                    cells: numbers.times.cells_ms,
                    total: numbers.times.total_ms,
                },
            }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            run: RunNow {
                source: &facts.source,
                source_words: &facts.source_words,
                started_utc: &facts.started_utc,
                uptime_s: run.now().as_secs_f64(),
                um_per_px: facts.um_per_px,
                state: state.name(),
                state_words: state.to_string(),
            },
            sample,
            answer,
            corrected,
            drifted,
            frame,
            counts: CountsNow {
                captured,
                analysed,
                dropped,
                failed,
                unreadable,
                not_kept,
                cells,
                unsupported,
                red: kinds.map(|[red, ..]| red),
                white: kinds.map(|[_, white, _]| white),
                platelets: kinds.map(|[.., platelets]| platelets),
                page_skipped: board.skipped(),
            },
            camera: run.camera(),
            memory: MemoryNow::of(site),
            trend: reading.trend,
            diameters: reading.diameters,
            models: board.models(),
        }
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
