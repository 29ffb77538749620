//! The tables of one call: of all its pictures, or of one shard of them.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_records::{
    frames::{self, FrameTable},
    shard::sealed::Sealed,
    table::{self, CellTable},
};
use bloodseg_vision::{error::Cause, pipeline::Analysis};

/// cells.csv and frames.csv in the making; dropped before the end, they leave no trace.
pub(super) struct Tables {
    cells: CellTable<Sealed<AtomicFile>>,
    frames: FrameTable<Sealed<AtomicFile>>,
    cells_path: PathBuf,
    frames_path: PathBuf,
}

impl Tables {
    /// Begins both in a folder that is there.
    pub(super) fn begin(folder: &Path, with_um: bool) -> Result<Self> {
        let (cells_path, frames_path) = (folder.join(table::TABLE), folder.join(frames::TABLE));
        let file = |path: &Path| AtomicFile::create(path).map(Sealed::new);
        Ok(Self {
            cells: CellTable::begin(file(&cells_path)?, with_um)
                .map_err(|e| Error::output(&cells_path, Cause::of(e)))?,
            frames: FrameTable::begin(file(&frames_path)?).map_err(|e| Error::output(&frames_path, Cause::of(e)))?,
            cells_path,
            frames_path,
        })
    }

    /// Adds a picture and its cells.
    pub(super) fn add(&mut self, name: &str, analysis: &Analysis, um_per_sr_px: Option<f64>) -> Result<()> {
        let cells = self.cells.add(name, &analysis.cells, um_per_sr_px);
        cells.map_err(|e| Error::output(&self.cells_path, Cause::of(e)))?;
        self.frames.add(name, analysis).map_err(|e| Error::output(&self.frames_path, Cause::of(e)))
    }

    /// Puts both in their places, and tells the SHA-256 of the cells and of the frames.
    pub(super) fn end(self) -> Result<[String; 2]> {
        let (cells, cells_sha256) = self.cells.end().map_err(|e| Error::output(&self.cells_path, e))?.end();
        let (frames, frames_sha256) = self.frames.end().map_err(|e| Error::output(&self.frames_path, e))?.end();
        cells.commit()?;
        frames.commit()?;
        Ok([cells_sha256, frames_sha256])
    }
}
