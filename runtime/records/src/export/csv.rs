//! Tables: one row per cell, or one row per frame. Units are in the names of the columns.

use std::{fmt::Display, io::Write};

use ::csv::Writer;

use super::{ExportError, Result};
use crate::{
    cell_text::guarded,
    frames::{self, KIND_COLUMNS, QUALITY_COLUMNS, SCALE_COLUMNS},
    store::read::{CellRow, Filter, FrameRow, Records},
    table,
};
use bloodseg_clock::utc;

/// Columns of `frames.csv` in a run's folder: the run by its start (UTC), the frame in it, milliseconds of each stage,
/// and the frames dropped in the run so far. Followed by [`QUALITY_COLUMNS`], [`SCALE_COLUMNS`] and [`KIND_COLUMNS`].
pub const FRAMES_COLUMNS: [&str; 10] =
    ["started_utc", "frame", "image", "cells", "ssr_ms", "unet_ms", "tiling_ms", "cells_ms", "total_ms", "dropped"];

/// Columns before those of the folder's `cells.csv`.
const CELLS_FIRST: [&str; 7] = ["run", "frame", "at_utc", "sample", "seen", "um_per_px", "um_per_sr_px"];

/// Columns before those of the folder's `frames.csv`.
const FRAMES_FIRST: [&str; 11] = [
    "run",
    "at_utc",
    "source",
    "sample",
    "field",
    "earlier_frame",
    "new_part",
    "new_cells",
    "new_white",
    "new_platelets",
    "unsupported",
];

/// A table of cells, each with its run, frame, time and pitch. Columns in micrometres are empty if the pitch is unknown.
pub(super) fn cells(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    let mut row = Row::new(out);
    row.fields(CELLS_FIRST.into_iter().chain(table::columns(true)))?;
    row.end()?;
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        for cell in cells {
            row.fields([frame.run, frame.number])?;
            row.field(utc::rfc3339(frame.at_utc_ms))?;
            row.field(guarded(&frame.sample))?;
            row.field(cell.seen.name())?;
            row.known(frame.um_per_px())?;
            row.known(frame.um_per_sr_px())?;
            row.cell(frame, cell, true)?;
            row.end()?;
        }
        progress();
        Ok(())
    })?;
    row.flush()
}

/// A table of frames, each with its run, time, source and pitch.
pub(super) fn frames(
    records: &Records,
    filter: &Filter,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    let mut row = Row::new(out);
    row.fields(
        FRAMES_FIRST.iter().chain(&FRAMES_COLUMNS).chain(&QUALITY_COLUMNS).chain(&SCALE_COLUMNS).chain(&KIND_COLUMNS),
    )?;
    row.end()?;
    records.frames::<ExportError>(filter, |frame| {
        row.field(frame.run)?;
        row.field(utc::rfc3339(frame.at_utc_ms))?;
        row.field(guarded(&frame.source))?;
        row.field(guarded(&frame.sample))?;
        let field = frame.field.as_ref();
        row.field(field.map_or("", |field| field.state.name()))?;
        row.known(field.and_then(|field| field.earlier))?;
        row.known(field.map(|field| format!("{:.4}", field.new_part)))?;
        let new = field.map(|field| field.fresh);
        row.known(new.map(|new| new.cells))?;
        row.known(new.and_then(|new| new.white))?;
        row.known(new.and_then(|new| new.platelets))?;
        row.known(frame.counted.then_some(frame.unsupported))?;
        row.frame(frame)?;
        progress();
        row.end()
    })?;
    row.flush()
}

/// `cells.csv` of a run's folder, with the columns in micrometres if `with_um`. `go_on` is called before each frame.
///
/// # Errors
/// As [`super::export`], and what `go_on` says.
pub fn cells_of_folder(
    records: &Records,
    with_um: bool,
    out: &mut dyn Write,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let mut row = Row::new(out);
    row.fields(table::columns(with_um))?;
    row.end()?;
    // One cell at a time, straight into the file: the memory of a run is limited, and a disk does not wait.
    records.frames::<ExportError>(&Filter::default(), |frame| {
        go_on()?;
        records.cells(frame.id, |cell| {
            row.cell(frame, cell, with_um)?;
            row.end()
        })
    })?;
    row.flush()
}

/// `frames.csv` of a run's folder. `go_on` is called before each frame.
///
/// # Errors
/// As [`super::export`], and what `go_on` says.
pub fn frames_of_folder(records: &Records, out: &mut dyn Write, go_on: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let mut row = Row::new(out);
    row.fields(FRAMES_COLUMNS.iter().chain(&QUALITY_COLUMNS).chain(&SCALE_COLUMNS).chain(&KIND_COLUMNS))?;
    row.end()?;
    records.frames::<ExportError>(&Filter::default(), |frame| {
        go_on()?;
        row.frame(frame)?;
        row.end()
    })?;
    row.flush()
}

/// A row being built; the memory of its fields is reused.
struct Row<'a> {
    writer: Writer<&'a mut dyn Write>,
    field: Vec<u8>,
}

impl<'a> Row<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Self { writer: Writer::from_writer(out), field: Vec::new() }
    }

    fn field(&mut self, value: impl Display) -> Result<()> {
        self.field.clear();
        write!(self.field, "{value}")?;
        Ok(self.writer.write_field(&self.field)?)
    }

    fn fields(&mut self, values: impl IntoIterator<Item = impl Display>) -> Result<()> {
        values.into_iter().try_for_each(|value| self.field(value))
    }

    /// A value, or an empty field.
    fn known(&mut self, value: Option<impl Display>) -> Result<()> {
        match value {
            Some(value) => self.field(value),
            None => self.field(""),
        }
    }

    fn end(&mut self) -> Result<()> {
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn flush(mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }

    /// The columns of `cells.csv`.
    fn cell(&mut self, frame: &FrameRow, cell: &CellRow, with_um: bool) -> Result<()> {
        self.field(guarded(&frame.image))?;
        self.field(cell.label)?;
        self.field(format_args!("{:.2}", cell.x_px))?;
        self.field(format_args!("{:.2}", cell.y_px))?;
        self.field(cell.area_px)?;
        self.field(format_args!("{:.2}", cell.equivalent_diameter_px()))?;
        self.field(format_args!("{:.2}", cell.perimeter_px))?;
        self.field(format_args!("{:.4}", cell.circularity()))?;
        self.field(format_args!("{:.4}", cell.eccentricity))?;
        self.field(cell.touches_border)?;
        self.field(format_args!("{:.4}", cell.confidence))?;
        self.field(format_args!("{:.2}", cell.consistency_levels))?;
        self.field(cell.supported)?;
        let placement = &frame.scaled.placement;
        let [x, y] = placement.on_input_px([cell.x_px, cell.y_px]);
        for px in [x, y, cell.equivalent_diameter_px() * placement.input_px_per_sr_px()] {
            self.field(format_args!("{px:.2}"))?;
        }
        if with_um {
            let [x, y, diameter, perimeter] =
                [cell.x_px, cell.y_px, cell.equivalent_diameter_px(), cell.perimeter_px].map(|px| (px, 1));
            for (px, power) in [x, y, (cell.area_px as f64, 2), diameter, perimeter] {
                match frame.um_per_sr_px() {
                    Some(um) => self.field(format_args!("{:.3}", px * um.powi(power)))?,
                    None => self.field("")?,
                }
            }
        }
        self.field(cell.kind.name())?;
        self.known(cell.kind_confidence)
    }

    /// The columns of `frames.csv`.
    fn frame(&mut self, frame: &FrameRow) -> Result<()> {
        self.field(utc::stamp_ms(frame.started_utc_ms))?;
        self.field(frame.number)?;
        self.field(guarded(&frame.image))?;
        // “None found” and “not counted” differ: the latter leaves the field empty.
        self.known(frame.counted.then_some(frame.cells))?;
        for ms in frame.ms {
            self.field(format_args!("{ms:.3}"))?;
        }
        self.field(frame.dropped)?;
        self.field(&frame.verdict)?;
        match frame.sharpness {
            Some(sharpness) => self.field(format_args!("{sharpness:.4}"))?,
            None => self.field("")?,
        }
        let [contrast, clipped, depth, brightness] = frame.quality;
        self.field(format_args!("{contrast:.2}"))?;
        self.field(format_args!("{clipped:.4}"))?;
        self.field(format_args!("{depth:.1}"))?;
        self.field(format_args!("{brightness:.1}"))?;
        let cells = frame.counted.then_some(frame.cells as f64);
        self.fields(frames::scale_fields(&frame.scaled, frame.analysed_px as f64, cells))?;
        frame.kinds().into_iter().try_for_each(|count| self.known(count))
    }
}
