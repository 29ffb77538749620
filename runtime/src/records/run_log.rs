//! What a live run leaves in its folder: `cells.csv`, a row a cell; `frames.csv`, a row a frame; pictures.

use std::path::{Path, PathBuf};

use super::{append::AppendedTable, frames, pictures, table::CellTable};
use crate::{
    camera::Frame,
    error::{Error, Result},
    limits::SCALE,
    pipeline::Analysis,
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
    save_every: Option<u64>,
    cells: AppendedTable,
    frames: AppendedTable,
    /// What the pictures of the last frame are called.
    latest_stem: Option<String>,
    recorded: u64,
}

impl RunLog {
    /// Opens or goes on with the tables in `folder`, which is made.
    /// `save_every` = k writes the pictures of every k-th frame; those of the last frame are always written.
    ///
    /// # Errors
    /// [`Error::Output`] when the folder cannot be written, or has tables of other columns.
    pub fn open(folder: &Path, started_utc: &str, um_per_px: Option<f64>, save_every: Option<u64>) -> Result<Self> {
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
            save_every,
            cells: AppendedTable::open(&cells, header.trim_end())?,
            frames: AppendedTable::open(
                &folder.join(frames::TABLE),
                &[FRAMES_COLUMNS.as_slice(), &frames::QUALITY_COLUMNS].concat().join(","),
            )?,
            latest_stem: None,
            recorded: 0,
        })
    }

    /// Records one frame; `dropped` is the count of frames dropped so far.
    ///
    /// # Errors
    /// [`Error::Output`] when something cannot be written.
    pub fn record(&mut self, frame: &Frame, analysis: &Analysis, dropped: u64) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::output(&self.folder, e);
        let name = frame.name.to_string();
        let mut cells = CellTable::resume(Vec::new(), self.um_per_px.is_some());
        let um_per_sr_px = self.um_per_px.map(|um| um / f64::from(SCALE));
        cells.add(&name, &analysis.cells, um_per_sr_px).map_err(|e| failed(&e))?;
        let cells = cells.end().map_err(|e| failed(&e))?;

        let times = analysis.times;
        let mut row = csv::Writer::from_writer(Vec::new());
        let ms = |ms: f64| format!("{ms:.3}");
        let of_run = [
            self.started_utc.clone(),
            frame.number.to_string(),
            name.clone(),
            analysis.cells.len().to_string(),
            ms(times.ssr_ms),
            ms(times.unet_ms),
            ms(times.tiling_ms),
            ms(times.cells_ms),
            ms(times.total_ms),
            dropped.to_string(),
        ];
        row.write_record(of_run.iter().chain(&frames::quality_fields(&analysis.quality))).map_err(|e| failed(&e))?;
        let row = row.into_inner().map_err(|e| failed(&e))?;
        self.cells.add(&cells)?;
        self.frames.add(&row)?;

        self.recorded += 1;
        let stem = Path::new(&name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if self.save_every.is_some_and(|every| self.recorded.is_multiple_of(every)) {
            pictures::write(&self.folder, &stem, analysis)?;
        }
        self.latest_stem = Some(stem);
        Ok(())
    }

    /// Writes the pictures of the last frame, whose analysis is `latest`, brings the tables to the disk, and tells where the overlay is.
    ///
    /// # Errors
    /// [`Error::Output`] when something cannot be written.
    pub fn end(self, latest: Option<&Analysis>) -> Result<Option<PathBuf>> {
        self.cells.keep()?;
        self.frames.keep()?;
        let Some((stem, analysis)) = self.latest_stem.zip(latest) else { return Ok(None) };
        pictures::write(&self.folder, &stem, analysis)?;
        Ok(Some(self.folder.join(format!("{stem}.overlay.png"))))
    }
}
