//! JSON lines: one object a frame, frames without cells too.

use std::io::Write;

use serde::Serialize;

use super::{ExportError, Result, json};
use crate::store::read::{CellRow, Filter, FrameRow, Records};
use bloodseg_clock::utc;
use bloodseg_vision::cells::outline::Polygon;

#[derive(Serialize)]
struct Frame<'a> {
    run: i64,
    frame: i64,
    at_utc: String,
    source: &'a str,
    image: &'a str,
    um_per_px: Option<f64>,
    um_per_sr_px: Option<f64>,
    pitch_from: &'a str,
    width_sr_px: u32,
    height_sr_px: u32,
    verdict: &'a str,
    counted: bool,
    counts: Counts,
    quality: Quality,
    ms: Milliseconds,
    tiles: i64,
    dropped: i64,
    box_ms: i64,
}

#[derive(Serialize)]
struct Counts {
    /// None of a frame whose cells were not counted.
    cells: Option<i64>,
    unsupported: Option<i64>,
}

#[derive(Serialize)]
struct Quality {
    sharpness: Option<f64>,
    contrast_levels: f64,
    clipped_share: f64,
    depth_levels: f64,
    brightness_levels: f64,
}

#[derive(Serialize)]
struct Milliseconds {
    ssr: f64,
    unet: f64,
    tiling: f64,
    cells: f64,
    total: f64,
}

#[derive(Serialize)]
struct Cell<'a> {
    cell: i64,
    #[serde(flatten)]
    measures: Measures,
    touches_border: bool,
    supported: bool,
    outline_px: &'a [[u32; 2]],
    outline_is_box: bool,
}

/// The measures of a cell that are numbers, by the names of the table's columns; `_px` are pixels of the super-resolved grid. What is in
/// micrometres is left out where the pitch is not known.
#[derive(Serialize)]
pub(super) struct Measures {
    x_px: f64,
    y_px: f64,
    area_px: i64,
    equivalent_diameter_px: f64,
    perimeter_px: f64,
    circularity: f64,
    eccentricity: f64,
    confidence: f64,
    consistency_levels: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_um: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y_um: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area_um2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equivalent_diameter_um: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    perimeter_um: Option<f64>,
}

impl Measures {
    pub(super) fn of(cell: &CellRow, um_per_sr_px: Option<f64>) -> Self {
        let um = |px: f64| um_per_sr_px.map(|um| px * um);
        Self {
            x_px: cell.x_px,
            y_px: cell.y_px,
            area_px: cell.area_px,
            equivalent_diameter_px: cell.equivalent_diameter_px(),
            perimeter_px: cell.perimeter_px,
            circularity: cell.circularity(),
            eccentricity: cell.eccentricity,
            confidence: cell.confidence,
            consistency_levels: cell.consistency_levels,
            x_um: um(cell.x_px),
            y_um: um(cell.y_px),
            area_um2: um(1.0).map(|um| cell.area_px as f64 * um * um),
            equivalent_diameter_um: um(cell.equivalent_diameter_px()),
            perimeter_um: um(cell.perimeter_px),
        }
    }
}

fn frame_of(frame: &FrameRow) -> Frame<'_> {
    let [contrast_levels, clipped_share, depth_levels, brightness_levels] = frame.quality;
    let [ssr, unet, tiling, cells, total] = frame.ms;
    let [width_sr_px, height_sr_px] = frame.size_px;
    Frame {
        run: frame.run,
        frame: frame.number,
        at_utc: utc::rfc3339(frame.at_utc_ms).to_string(),
        source: &frame.source,
        image: &frame.image,
        um_per_px: frame.um_per_px,
        um_per_sr_px: frame.um_per_sr_px(),
        pitch_from: &frame.pitch_from,
        width_sr_px,
        height_sr_px,
        verdict: &frame.verdict,
        counted: frame.counted,
        counts: Counts {
            cells: frame.counted.then_some(frame.cells),
            unsupported: frame.counted.then_some(frame.unsupported),
        },
        quality: Quality {
            sharpness: frame.sharpness,
            contrast_levels,
            clipped_share,
            depth_levels,
            brightness_levels,
        },
        ms: Milliseconds { ssr, unet, tiling, cells, total },
        tiles: frame.tiles,
        dropped: frame.dropped,
        box_ms: frame.box_ms,
    }
}

/// Writes a line a frame.
pub(super) fn write(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    let (mut scratch, mut polygon) = (Vec::new(), Polygon::default());
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        json::open(out, &mut scratch, &frame_of(frame))?;
        out.write_all(b",\"cells\":[")?;
        let mut first = true;
        for cell in cells {
            if !std::mem::take(&mut first) {
                out.write_all(b",")?;
            }
            json::outline(cell, &mut polygon);
            let cell = Cell {
                cell: cell.label,
                measures: Measures::of(cell, frame.um_per_sr_px()),
                touches_border: cell.touches_border,
                supported: cell.supported,
                outline_px: &polygon.corners,
                outline_is_box: polygon.is_box,
            };
            serde_json::to_writer(&mut *out, &cell)?;
        }
        out.write_all(b"]}\n")?;
        progress();
        Ok(())
    })
}
