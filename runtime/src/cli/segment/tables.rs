//! The tables of one call: of all its pictures, or of one shard of them.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_records::{
    earlier,
    frames::{self, FrameTable},
    shard::sealed::Sealed,
    table::{self, CellTable},
};
use bloodseg_vision::{error::Cause, pipeline::Analysis};

/// cells.csv and frames.csv in progress; dropped before the end, they leave no trace.
pub(super) struct Tables {
    cells: CellTable<Sealed<AtomicFile>>,
    frames: FrameTable<Sealed<AtomicFile>>,
    cells_path: PathBuf,
    frames_path: PathBuf,
}

impl Tables {
    /// Starts both in an existing folder; with `goes_on`, they start with the rows of the existing tables.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for a folder that cannot be written to, and for tables with
    /// other columns.
    pub(super) fn begin(folder: &Path, with_um: bool, goes_on: bool) -> Result<Self> {
        let (cells_path, frames_path) = (folder.join(table::TABLE), folder.join(frames::TABLE));
        let file = |path: &Path, columns: &[&str]| {
            let mut file = Sealed::new(AtomicFile::create(path)?);
            if goes_on {
                earlier::copy(path, columns, &mut file).map_err(|e| Error::output(path, e))?;
            }
            Ok::<_, Error>(file)
        };
        let cells = file(&cells_path, &table::columns(with_um))?;
        let frames = file(&frames_path, &frames::columns())?;
        let (cells, frames) = if goes_on {
            (CellTable::go_on(cells, with_um), FrameTable::go_on(frames))
        } else {
            (
                CellTable::begin(cells, with_um).map_err(|e| Error::output(&cells_path, Cause::of(e)))?,
                FrameTable::begin(frames).map_err(|e| Error::output(&frames_path, Cause::of(e)))?,
            )
        };
        Ok(Self { cells, frames, cells_path, frames_path })
    }

    /// Adds a picture and its cells, counted or not.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if a table cannot be written.
    pub(super) fn add(&mut self, name: &str, analysis: &Analysis, counted: bool) -> Result<()> {
        let scaled = &analysis.scaled;
        let cells = self.cells.add(name, &analysis.cells, &scaled.placement, scaled.um_per_sr_px());
        cells.map_err(|e| Error::output(&self.cells_path, Cause::of(e)))?;
        self.frames.add(name, analysis, counted).map_err(|e| Error::output(&self.frames_path, Cause::of(e)))
    }

    /// Moves both into place, and returns the SHA-256 of the cells and of the frames.
    pub(super) fn end(self) -> Result<[String; 2]> {
        let (cells, cells_sha256) = self.cells.end().map_err(|e| Error::output(&self.cells_path, Cause::of(e)))?.end();
        let (frames, frames_sha256) =
            self.frames.end().map_err(|e| Error::output(&self.frames_path, Cause::of(e)))?.end();
        cells.commit()?;
        frames.commit()?;
        Ok([cells_sha256, frames_sha256])
    }
}
