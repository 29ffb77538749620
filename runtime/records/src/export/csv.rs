//! The tables as comma-separated values, with decimal points in every locale.

use std::{fmt::Display, io::Write};

use ::csv::Writer;

use super::{
    ExportError, Result,
    rows::{FRAMES_COLUMNS, Row, Sheet},
};
use crate::{
    cell_text::guarded,
    frames::{KIND_COLUMNS, QUALITY_COLUMNS, SCALE_COLUMNS},
    store::read::{Filter, Records},
    table,
};

/// `cells.csv` of a run's folder, with the columns in micrometres if `with_um`. `go_on` is called before each frame.
///
/// # Errors
/// As [`super::export`], and those of `go_on`.
pub fn cells_of_folder(
    records: &Records,
    with_um: bool,
    out: &mut dyn Write,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let mut csv = Csv::new(out);
    let mut row = Row(&mut csv);
    row.fields(table::columns(with_um))?;
    row.end()?;
    // One cell at a time, straight into the file: the memory of a run is limited, and a disk does not stall.
    records.frames::<ExportError>(&Filter::default(), |frame| {
        go_on()?;
        records.cells(frame.id, |cell| {
            row.cell(frame, cell, with_um)?;
            row.end()
        })
    })?;
    csv.flush()
}

/// `frames.csv` of a run's folder. `go_on` is called before each frame.
///
/// # Errors
/// As [`super::export`], and those of `go_on`.
pub fn frames_of_folder(records: &Records, out: &mut dyn Write, go_on: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let mut csv = Csv::new(out);
    let mut row = Row(&mut csv);
    row.fields(FRAMES_COLUMNS.iter().chain(&QUALITY_COLUMNS).chain(&SCALE_COLUMNS).chain(&KIND_COLUMNS))?;
    row.end()?;
    records.frames::<ExportError>(&Filter::default(), |frame| {
        go_on()?;
        row.frame(frame)?;
        row.end()
    })?;
    csv.flush()
}

/// A table being written; the memory of its fields is reused.
pub(super) struct Csv<'a> {
    writer: Writer<&'a mut dyn Write>,
    field: Vec<u8>,
}

impl<'a> Csv<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { writer: Writer::from_writer(out), field: Vec::new() }
    }

    /// Writes what is buffered.
    pub(super) fn flush(mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}

impl Sheet for Csv<'_> {
    fn value(&mut self, value: &dyn Display) -> Result<()> {
        self.field.clear();
        write!(self.field, "{value}")?;
        Ok(self.writer.write_field(&self.field)?)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        Ok(self.writer.write_field(guarded(text).as_ref())?)
    }

    fn end(&mut self) -> Result<()> {
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }
}
