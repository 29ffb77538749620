//! Records in the formats of other programs, streamed: a frame at a time, whatever their number.

mod coco;
mod csv;
mod geojson;
mod imagej_roi;
mod json;
mod jsonl;
#[cfg(test)]
mod tests;
mod zip;

use std::io::{self, Write};

use super::store::read::{Filter, Records};
use crate::error::Error;

/// Formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values: a row a cell, or a row a frame.
    Csv(Table),
    /// JSON lines: a line a frame, its cells in it.
    Jsonl,
    /// The annotations of COCO: one JSON object.
    Coco,
    /// GeoJSON as QuPath reads it.
    GeoJson {
        /// Whether coordinates are pixels even where the pitch is known.
        in_px: bool,
    },
    /// A ZIP of ImageJ's ROI files.
    ImagejRoi,
}

impl Format {
    /// Whether it is made in two passes over one moment of the records, which are held still as long: not to be written to who
    /// may stand still.
    pub fn holds_records(self) -> bool {
        matches!(self, Self::Coco | Self::ImagejRoi)
    }
}

/// What a row of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// A cell.
    Cells,
    /// A frame.
    Frames,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The records cannot be read.
    #[error(transparent)]
    Records(#[from] Error),
    /// What was read cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl From<bloodseg_durable::Error> for ExportError {
    fn from(error: bloodseg_durable::Error) -> Self {
        Self::Records(error.into())
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<::csv::Error> for ExportError {
    fn from(error: ::csv::Error) -> Self {
        if !error.is_io_error() {
            return Self::Write(error.into());
        }
        // As it was: its kind tells who closed a pipe from who has no room.
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => Self::Write(error),
            other => Self::Write(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// Result of an export.
pub type Result<T> = std::result::Result<T, ExportError>;

/// Writes the frames that `filter` lets through to `out`; `progress` is called for each. Formats that need two passes
/// call it in the last.
///
/// # Errors
/// [`ExportError::Records`] when the records cannot be read, [`ExportError::Write`] when `out` takes no more.
pub fn export(
    records: &Records,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    match format {
        Format::Csv(Table::Cells) => csv::cells(records, filter, out, progress)?,
        Format::Csv(Table::Frames) => csv::frames(records, filter, out, progress)?,
        Format::Jsonl => jsonl::write(records, filter, out, progress)?,
        Format::Coco => coco::write(records, filter, out, progress)?,
        Format::GeoJson { in_px } => geojson::write(records, filter, in_px, out, progress)?,
        Format::ImagejRoi => imagej_roi::write(records, filter, out, progress)?,
    }
    Ok(out.flush()?)
}

/// The two tables of a run's folder, from all of its records.
pub mod tables {
    pub use super::csv::{FRAMES_COLUMNS, cells_of_folder, frames_of_folder};
}
