//! JSON lines: one object per frame, including frames without cells.

use std::io::Write;

use serde::Serialize;

use super::{Coordinates, ExportError, Result, json, rounded};
use crate::{
    field::Seen,
    store::read::{CellRow, Filter, FrameRow, Records},
};
use bloodseg_clock::utc;
use bloodseg_vision::cells::{Kind, outline::Polygon};

#[derive(Serialize)]
struct Frame<'a> {
    run: i64,
    frame: i64,
    at_utc: String,
    source: &'a str,
    sample: Option<&'a str>,
    field: Option<Field>,
    image: &'a str,
    #[serde(flatten)]
    scale: Scale,
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

/// How a frame lies on its input, and what is known about its size.
#[derive(Serialize)]
pub(super) struct Scale {
    /// Of the input.
    um_per_px: Option<f64>,
    um_per_px_low: Option<f64>,
    um_per_px_high: Option<f64>,
    pitch_source: &'static str,
    um_per_sr_px: Option<f64>,
    /// Pixels of the input per analysed pixel.
    scale: f64,
    /// Where the analysed picture starts on the input.
    input_start_px: [f64; 2],
    analysed_px2: f64,
    analysed_um2: Option<f64>,
    cells_per_mm2: Option<f64>,
}

impl Scale {
    pub(super) fn of(frame: &FrameRow) -> Self {
        let (scaled, area) = (&frame.scaled, frame.area());
        let range = scaled.um_per_px_range;
        let cells = frame.counted.then_some(frame.cells as f64);
        Self {
            um_per_px: scaled.um_per_px,
            um_per_px_low: range.map(|range| range[0]),
            um_per_px_high: range.map(|range| range[1]),
            pitch_source: scaled.source.name(),
            um_per_sr_px: scaled.um_per_sr_px(),
            scale: scaled.placement.scale,
            input_start_px: scaled.placement.start_px,
            analysed_px2: area.px2.round(),
            analysed_um2: area.um2.map(f64::round),
            cells_per_mm2: cells.zip(area.um2.filter(|um2| *um2 > 0.0)).map(|(cells, um2)| (cells / um2 * 1e6).round()),
        }
    }
}

/// What a frame shows that earlier frames of its run did not.
#[derive(Serialize)]
struct Field {
    state: &'static str,
    earlier_frame: Option<u64>,
    /// What lies at `p` in this frame lies at `p + shift` in the earlier one.
    shift_sr_px: Option<[f64; 2]>,
    new_part: f64,
    new_cells: u32,
    new_red: Option<u32>,
    new_white: Option<u32>,
    new_platelets: Option<u32>,
}

impl Field {
    fn of(field: &crate::field::Field) -> Self {
        let crate::field::Field { state, earlier, shift_px, new_part, fresh } = *field;
        Self {
            state: state.name(),
            earlier_frame: earlier,
            shift_sr_px: shift_px.map(|shift| shift.map(rounded)),
            new_part,
            new_cells: fresh.cells,
            new_red: fresh.red,
            new_white: fresh.white,
            new_platelets: fresh.platelets,
        }
    }
}

#[derive(Serialize)]
struct Counts {
    /// None for a frame whose cells were not counted.
    cells: Option<i64>,
    /// None if kinds are unknown.
    red: Option<i64>,
    white: Option<i64>,
    /// Not part of `cells`.
    platelets: Option<i64>,
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
    seen: Seen,
    kind: Kind,
    kind_confidence: Option<f64>,
    outline_px: &'a [[u32; 2]],
    outline_input_px: &'a [[f64; 2]],
    outline_is_box: bool,
}

/// The numeric measures of a cell, named like the table's columns; `_px` are pixels of the super-resolved grid. Values in
/// micrometres are omitted if the pitch is unknown; `input_` is on the input picture.
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
    input_x_px: f64,
    input_y_px: f64,
    input_diameter_px: f64,
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
    pub(super) fn of(cell: &CellRow, frame: &FrameRow) -> Self {
        let um_per_sr_px = frame.um_per_sr_px();
        let placement = &frame.scaled.placement;
        let [input_x_px, input_y_px] = placement.on_input_px([cell.x_px, cell.y_px]).map(rounded);
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
            input_x_px,
            input_y_px,
            input_diameter_px: rounded(cell.equivalent_diameter_px() * placement.input_px_per_sr_px()),
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
    let [red, white, platelets] = frame.kinds();
    Frame {
        run: frame.run,
        frame: frame.number,
        at_utc: utc::rfc3339(frame.at_utc_ms).to_string(),
        source: &frame.source,
        sample: Some(frame.sample.as_str()).filter(|sample| !sample.is_empty()),
        field: frame.field.as_ref().map(Field::of),
        image: &frame.image,
        scale: Scale::of(frame),
        pitch_from: &frame.pitch_from,
        width_sr_px,
        height_sr_px,
        verdict: &frame.verdict,
        counted: frame.counted,
        counts: Counts {
            cells: frame.counted.then_some(frame.cells),
            red,
            white,
            platelets,
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

/// Writes one line per frame.
pub(super) fn write(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    let (mut scratch, mut polygon, mut on_input) = (Vec::new(), Polygon::default(), Vec::new());
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        json::open(out, &mut scratch, &frame_of(frame))?;
        out.write_all(b",\"cells\":[")?;
        let mut first = true;
        for cell in cells {
            if !std::mem::take(&mut first) {
                out.write_all(b",")?;
            }
            json::outline(cell, &mut polygon);
            on_input.clear();
            on_input.extend(polygon.corners.iter().map(|corner| Coordinates::Input.of(frame, *corner)));
            let cell = Cell {
                cell: cell.label,
                measures: Measures::of(cell, frame),
                touches_border: cell.touches_border,
                supported: cell.supported,
                seen: cell.seen,
                kind: cell.kind,
                kind_confidence: cell.kind_confidence,
                outline_px: &polygon.corners,
                outline_input_px: &on_input,
                outline_is_box: polygon.is_box,
            };
            serde_json::to_writer(&mut *out, &cell)?;
        }
        out.write_all(b"]}\n")?;
        progress();
        Ok(())
    })
}
