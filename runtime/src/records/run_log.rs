//! What a live run leaves in its folder: `cells.csv`, a row a cell; `frames.csv`, a row a frame.

use std::path::{Path, PathBuf};

use super::{append::AppendedTable, frame_record::FrameRecord, frames, table::CellTable};
use crate::{
    error::{Error, Result},
    limits::SCALE,
};

/// Columns of `frames.csv`: run by its start (UTC), the frame in it, milliseconds of each stage, and the frames dropped
/// in this run so far. The columns of [`frames::QUALITY_COLUMNS`] follow.
pub const FRAMES_COLUMNS: [&str; 10] =
    ["started_utc", "frame", "image", "cells", "ssr_ms", "unet_ms", "tiling_ms", "cells_ms", "total_ms", "dropped"];

/// The results of one run.
#[derive(Debug)]
pub struct RunLog {
    folder: PathBuf,
    started_utc: String,
    um_per_px: Option<f64>,
    cells: AppendedTable,
    frames: AppendedTable,
}

impl RunLog {
    /// Opens or goes on with the tables in `folder`, which is made.
    ///
    /// # Errors
    /// [`Error::Output`] when the folder cannot be written, or has tables of other columns.
    pub fn open(folder: &Path, started_utc: &str, um_per_px: Option<f64>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        let cells = folder.join("cells.csv");
        let header = CellTable::begin(Vec::new(), um_per_px.is_some())
            .map_err(|e| Error::output(&cells, e))?
            .end()
            .map_err(|e| Error::output(&cells, e))?;
        let header = String::from_utf8_lossy(&header);
        Ok(Self {
            folder: folder.to_owned(),
            started_utc: started_utc.to_owned(),
            um_per_px,
            cells: AppendedTable::open(&cells, header.trim_end())?,
            frames: AppendedTable::open(
                &folder.join(frames::TABLE),
                &[FRAMES_COLUMNS.as_slice(), &frames::QUALITY_COLUMNS].concat().join(","),
            )?,
        })
    }

    /// Records one frame.
    ///
    /// # Errors
    /// [`Error::Output`] when something cannot be written.
    pub fn record(&mut self, frame: &FrameRecord) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::output(&self.folder, e);
        let name = frame.name.to_string();
        let mut cells = CellTable::resume(Vec::new(), self.um_per_px.is_some());
        let um_per_sr_px = self.um_per_px.map(|um| um / f64::from(SCALE));
        cells.add(&name, &frame.cells, um_per_sr_px).map_err(|e| failed(&e))?;
        let cells = cells.end().map_err(|e| failed(&e))?;

        let times = frame.times;
        let mut row = csv::Writer::from_writer(Vec::new());
        let ms = |ms: f64| format!("{ms:.3}");
        let of_run = [
            self.started_utc.clone(),
            frame.number.to_string(),
            name,
            frame.cells.len().to_string(),
            ms(times.ssr_ms),
            ms(times.unet_ms),
            ms(times.tiling_ms),
            ms(times.cells_ms),
            ms(times.total_ms),
            frame.dropped.to_string(),
        ];
        row.write_record(of_run.iter().chain(&frames::quality_fields(&frame.quality))).map_err(|e| failed(&e))?;
        let row = row.into_inner().map_err(|e| failed(&e))?;
        self.cells.add(&cells)?;
        self.frames.add(&row)
    }

    /// Brings the tables to the disk.
    ///
    /// # Errors
    /// [`Error::Output`] when something cannot be written.
    pub fn end(self) -> Result<()> {
        self.cells.keep()?;
        self.frames.keep()
    }
}
