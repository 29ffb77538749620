//! Records in the formats of other programs, streamed frame by frame, whatever their number.

mod coco;
mod csv;
mod fhir;
mod geojson;
mod imagej_roi;
mod json;
mod jsonl;
mod rows;
mod samples;
#[cfg(test)]
mod tests;
mod xlsx;
mod zip;

use std::io::{self, Write};

use super::store::read::{Filter, FrameRow, Records};
use crate::error::Error;

/// Formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values: one row per cell, per frame, or per sample.
    Csv(Table),
    /// JSON lines: one line per frame, with its cells.
    Jsonl,
    /// COCO annotations: one JSON object.
    Coco,
    /// GeoJSON as QuPath reads it.
    GeoJson(Coordinates),
    /// A ZIP of ImageJ ROI files, in which micrometres become pixels of the input.
    ImagejRoi(Coordinates),
    /// A FHIR R4 bundle: one Observation per sample.
    Fhir,
    /// A workbook of Excel with sheets of samples, frames and cells.
    Xlsx,
}

/// What the coordinates of outlines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// Pixels of the input, as viewers show it: to overlay the picture that was analysed.
    Input,
    /// Pixels of the super-resolved picture: to overlay `NAME.sr.png`.
    SuperResolved,
    /// Micrometres from the corner of the input if the pitch is known; else pixels of the input.
    Micrometres,
}

impl Coordinates {
    /// Their name in an export.
    fn unit(self, frame: &FrameRow) -> &'static str {
        match self {
            Self::Micrometres if frame.um_per_px().is_some() => "um",
            Self::Input | Self::Micrometres => "px",
            Self::SuperResolved => "sr_px",
        }
    }

    /// A position on the super-resolved picture.
    fn of(self, frame: &FrameRow, corner: [u32; 2]) -> [f64; 2] {
        let corner = corner.map(f64::from);
        match (self, frame.um_per_px()) {
            (Self::SuperResolved, _) => corner,
            // Rounded to a nanometre, and to a thousandth of a pixel: more digits carry no information.
            (Self::Micrometres, Some(um)) => frame.scaled.placement.on_input_px(corner).map(|px| rounded(px * um)),
            (Self::Input | Self::Micrometres, _) => frame.scaled.placement.on_input_px(corner).map(rounded),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

impl Format {
    /// Whether the export makes two passes over one snapshot, which holds the records open meanwhile: not suitable for a
    /// reader who may stall.
    pub fn holds_records(self) -> bool {
        matches!(self, Self::Coco | Self::ImagejRoi(_) | Self::Xlsx)
    }
}

/// What a row of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// A cell.
    Cells,
    /// A frame.
    Frames,
    /// A sample, with its counts and their intervals.
    Samples,
}

/// Why an export stopped.
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
        // Unchanged: its kind distinguishes a closed pipe from a full disk.
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => Self::Write(error),
            other => Self::Write(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// Result of an export.
pub type Result<T> = std::result::Result<T, ExportError>;

/// Writes the frames that `filter` accepts to `out`; `progress` is called for each. Formats that need two passes call it
/// in the last.
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
        Format::Csv(table) => {
            let mut csv = csv::Csv::new(&mut *out);
            match table {
                Table::Cells => rows::cells(records, filter, &mut csv, progress)?,
                Table::Frames => rows::frames(records, filter, &mut csv, progress)?,
                Table::Samples => rows::samples(records, filter, &mut csv, progress)?,
            }
            csv.flush()?;
        }
        Format::Jsonl => jsonl::write(records, filter, out, progress)?,
        Format::Coco => coco::write(records, filter, out, progress)?,
        Format::GeoJson(coordinates) => geojson::write(records, filter, coordinates, out, progress)?,
        Format::ImagejRoi(coordinates) => imagej_roi::write(records, filter, coordinates, out, progress)?,
        Format::Fhir => fhir::write(records, filter, out, progress)?,
        Format::Xlsx => xlsx::write(records, filter, out, progress)?,
    }
    Ok(out.flush()?)
}

/// The two tables of a run's folder, from all of its records.
pub mod tables {
    pub use super::{
        csv::{cells_of_folder, frames_of_folder},
        rows::FRAMES_COLUMNS,
    };
}
