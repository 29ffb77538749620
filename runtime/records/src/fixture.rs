//! Test fixtures: frames and runs to record.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use image::Luma;

use bloodseg_records::{frame_record::FrameRecord, run_info::RunInfo};
use bloodseg_vision::{
    cells::{Cell, Counts, Kind, Labels, outline::Outlines},
    frame::quality::{Quality, Verdict},
    pipeline::StageTimes,
    placement::Scaled,
    support::CellConsistency,
};

/// 2026-11-22T17:30:00Z.
pub(crate) fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_368_600)
}

pub(crate) fn run(um_per_px: Option<f64>) -> RunInfo {
    RunInfo {
        mark: RunInfo::new_mark(),
        source: "camera0".into(),
        description: "a camera, \"as they say\"".into(),
        started: noon(),
        um_per_px,
        pitch_from: if um_per_px.is_some() { "the config" } else { "" }.into(),
        software: "0".into(),
        models: vec![],
        notes: String::new(),
    }
}

/// A frame with this many square cells of 2 x 2 pixels, 10 to a row.
pub(crate) fn record(number: u64, cells: u16) -> FrameRecord {
    let (width, height) = (40, 4 * u32::from(cells).div_ceil(10).max(1));
    let labels = Labels::from_fn(width, height, |x, y| {
        let label = y / 4 * 10 + x / 4 + 1;
        Luma([if x % 4 < 2 && y % 4 < 2 && label <= u32::from(cells) { label as u16 } else { 0 }])
    });
    let cell = |label: u16| Cell {
        label,
        x_px: f64::from((label - 1) % 10) * 4.0 + 1.0,
        y_px: f64::from((label - 1) / 10) * 4.0 + 1.0,
        area_px: 4,
        equivalent_diameter_px: (16.0 / std::f64::consts::PI).sqrt(),
        perimeter_px: 8.0,
        circularity: std::f64::consts::FRAC_PI_4,
        eccentricity: 0.125,
        touches_border: label == 1,
        confidence: 0.75,
        consistency: CellConsistency { levels: 1.5, offset_levels: if label == 2 { 99.0 } else { 0.0 }, input_px: 4.0 },
        kind: Kind::Unknown,
        kind_thousandths: 0,
    };
    let cells: Vec<Cell> = (1..=cells).map(cell).collect();
    let mut outlines = Outlines::default();
    outlines.trace(&labels, &cells);
    let quality = Quality {
        verdict: if cells.is_empty() { Verdict::Empty } else { Verdict::Good },
        sharpness: (!cells.is_empty()).then_some(0.5),
        contrast_levels: 40.0,
        clipped_share: 0.25,
        depth_levels: 10.0,
        brightness_levels: 240.0,
    };
    FrameRecord {
        number,
        name: format!("frame, {number}.png").into(),
        stem: format!("frame, {number}"),
        at: noon() + Duration::from_secs(number),
        quality,
        counted: true,
        times: StageTimes { ssr_ms: 1.0, unet_ms: 2.0, tiling_ms: 3.0, cells_ms: 4.0, total_ms: 10.0 },
        tiles: 1,
        dropped: 3,
        size_px: (width, height),
        scaled: Scaled::default(),
        analysed_px: u64::from(width / 4 * (height / 4)),
        counts: Counts::of(&cells, false),
        sample: None,
        field: None,
        seen: vec![],
        cells,
        outlines,
    }
}

/// The same with known kinds: every third cell is a platelet, and the first a white cell.
#[allow(dead_code)]
pub(crate) fn record_with_kinds(number: u64, cells: u16) -> FrameRecord {
    let mut record = record(number, cells);
    for cell in &mut record.cells {
        cell.kind = match cell.label {
            1 => Kind::White,
            label if label % 3 == 0 => Kind::Platelet,
            _ => Kind::Red,
        };
        cell.kind_thousandths = 731;
    }
    record.counts = Counts::of(&record.cells, true);
    record
}
