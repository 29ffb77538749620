//! The tables: one row per cell, per frame, or per sample. Units are in the names of the columns.

use std::fmt::Display;

use super::{ExportError, Result, samples};
use crate::{
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

/// Where rows go: a table of some format.
pub(super) trait Sheet {
    /// Adds a field: a number, or a word of this program; nothing if it is empty.
    fn value(&mut self, value: &dyn Display) -> Result<()>;
    /// Adds a field of user-supplied text.
    fn text(&mut self, text: &str) -> Result<()>;
    /// Ends the row.
    fn end(&mut self) -> Result<()>;
}

/// Columns of the table of samples before those of [`samples::FIGURES`], each of which has a value and the ends of its interval.
const SAMPLES_FIRST: [&str; 17] = [
    "sample",
    "operator",
    "stain",
    "note",
    "runs",
    "first_at_utc",
    "last_at_utc",
    "frames",
    "not_counted",
    "fields",
    "seen_again",
    "overlapping",
    "level",
    "cells",
    "red",
    "white",
    "platelets",
];

/// A table of cells, each with its run, frame, time and pitch. Columns in micrometres are empty if the pitch is unknown.
pub(super) fn cells(
    records: &Records,
    filter: &Filter,
    sheet: &mut dyn Sheet,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    let mut row = Row(sheet);
    row.fields(CELLS_FIRST.into_iter().chain(table::columns(true)))?;
    row.end()?;
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        for cell in cells {
            row.fields([frame.run, frame.number])?;
            row.field(utc::rfc3339(frame.at_utc_ms))?;
            row.text(&frame.sample)?;
            row.field(cell.seen.name())?;
            row.known(frame.um_per_px())?;
            row.known(frame.um_per_sr_px())?;
            row.cell(frame, cell, true)?;
            row.end()?;
        }
        progress();
        Ok(())
    })
}

/// A table of frames, each with its run, time, source and pitch.
pub(super) fn frames(
    records: &Records,
    filter: &Filter,
    sheet: &mut dyn Sheet,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    let mut row = Row(sheet);
    row.fields(
        FRAMES_FIRST.iter().chain(&FRAMES_COLUMNS).chain(&QUALITY_COLUMNS).chain(&SCALE_COLUMNS).chain(&KIND_COLUMNS),
    )?;
    row.end()?;
    records.frames::<ExportError>(filter, |frame| {
        row.field(frame.run)?;
        row.field(utc::rfc3339(frame.at_utc_ms))?;
        row.text(&frame.source)?;
        row.text(&frame.sample)?;
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
    })
}

/// A table of samples, each with its counts and their intervals; frames without a sample make a row without a name.
pub(super) fn samples(
    records: &Records,
    filter: &Filter,
    sheet: &mut dyn Sheet,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    let mut row = Row(sheet);
    row.fields(SAMPLES_FIRST)?;
    for figure in samples::FIGURES {
        row.fields([figure.to_owned(), format!("{figure}_low"), format!("{figure}_high")])?;
    }
    row.end()?;
    for counted in samples::count(records, filter, progress)? {
        let about = samples::About::read(records, &counted.name)?;
        row.text(&counted.name)?;
        [&about.operator, &about.stain, &about.note].into_iter().try_for_each(|text| row.text(text))?;
        row.field(counted.runs)?;
        row.field(utc::rfc3339(counted.first_utc_ms))?;
        row.field(utc::rfc3339(counted.last_utc_ms))?;
        let summary = counted.count.summary();
        row.field(counted.frames)?;
        row.field(counted.frames - summary.map_or(0, |summary| summary.pictures))?;
        row.known(summary.map(|summary| summary.fields))?;
        row.known(summary.map(|summary| summary.seen_again))?;
        row.known(summary.map(|summary| summary.overlapping))?;
        row.known(summary.map(|summary| summary.level))?;
        let total = summary.map(|summary| summary.total);
        row.known(total.map(|total| total.cells))?;
        row.known(total.and_then(|total| total.red))?;
        row.known(total.and_then(|total| total.white))?;
        row.known(total.and_then(|total| total.platelets))?;
        for figure in samples::figures(summary.as_ref()) {
            for value in figure.map_or([None; 3], |figure| figure.map(Some)) {
                row.known(value.map(|value| format!("{value:.4}")))?;
            }
        }
        row.end()?;
    }
    Ok(())
}

/// The fields of a row.
pub(super) struct Row<'a>(pub(super) &'a mut dyn Sheet);

impl Row<'_> {
    fn field(&mut self, value: impl Display) -> Result<()> {
        self.0.value(&value)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.0.text(text)
    }

    pub(super) fn fields(&mut self, values: impl IntoIterator<Item = impl Display>) -> Result<()> {
        values.into_iter().try_for_each(|value| self.field(value))
    }

    /// A value, or an empty field.
    fn known(&mut self, value: Option<impl Display>) -> Result<()> {
        match value {
            Some(value) => self.field(value),
            None => self.field(""),
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.0.end()
    }

    /// The columns of `cells.csv`.
    pub(super) fn cell(&mut self, frame: &FrameRow, cell: &CellRow, with_um: bool) -> Result<()> {
        self.text(&frame.image)?;
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
    pub(super) fn frame(&mut self, frame: &FrameRow) -> Result<()> {
        self.field(utc::stamp_ms(frame.started_utc_ms))?;
        self.field(frame.number)?;
        self.text(&frame.image)?;
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
