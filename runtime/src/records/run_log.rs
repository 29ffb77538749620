//! What a live run leaves in its folder: its records, and at its end tables of all that the folder holds.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    atomic::AtomicFile,
    export::{
        ExportError,
        tables::{FRAMES_COLUMNS, cells_of_folder, frames_of_folder},
    },
    frame_record::FrameRecord,
    frames,
    keeper::{Keeper, KeeperCounters, Kept},
    run_info::{ModelInfo, RunInfo},
    store::{
        self,
        read::{Filter, Records},
        retention::Retention,
    },
    table::{COLUMNS, COLUMNS_UM},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    limits::MAX_TABLE_FRAMES,
};

/// Name of the table of cells.
pub const CELLS_TABLE: &str = "cells.csv";

/// The results of one run.
#[derive(Debug)]
pub struct RunLog {
    folder: PathBuf,
    keeper: Keeper,
    tables: bool,
}

/// What became of the tables.
#[derive(Debug)]
pub enum Tables {
    /// They hold all frames of the folder.
    Written,
    /// The folder has so many frames that tables are left to `bloodseg export`.
    TooMany(u64),
    /// They are not wanted.
    NotWanted,
    /// They cannot be written, or the records cannot be read.
    Failed(Error),
}

/// How a run's results ended.
#[derive(Debug)]
pub struct RunEnd {
    /// What the keeper did.
    pub counters: KeeperCounters,
    /// The tables.
    pub tables: Tables,
}

impl RunLog {
    /// Opens or goes on with the records in `folder`, which is made. `tables` says whether the tables are written at the
    /// end.
    ///
    /// # Errors
    /// [`Error::Output`] when the folder cannot be used, or has tables that are not ours.
    pub fn open(
        folder: &Path,
        run: &RunInfo,
        retention: &Retention,
        tables: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        if tables {
            check_tables(folder)?;
        }
        Ok(Self { folder: folder.to_owned(), keeper: Keeper::open(folder, run, retention, clock)?, tables })
    }

    /// Records one frame. What cannot be written is counted and told, and ends nothing.
    pub fn record(&mut self, record: &FrameRecord) -> Kept {
        self.keeper.keep(record)
    }

    /// Records an event; see [`Keeper::event`].
    pub fn event(&mut self, kind: &str, text: &str) {
        self.keeper.event(kind, text);
    }

    /// Other models run from now on; see [`Keeper::models`].
    pub fn models(&mut self, models: Vec<ModelInfo>) {
        self.keeper.models(models);
    }

    /// What the keeper did so far.
    pub fn counters(&self) -> KeeperCounters {
        self.keeper.counters()
    }

    /// Ends the run: says `how`, and writes the tables.
    pub fn end(self, how: &str) -> RunEnd {
        // While the keeper has the records open: whoever closes them last clears their log away.
        let tables = if self.tables { write_tables(&self.folder) } else { Tables::NotWanted };
        RunEnd { counters: self.keeper.end(how), tables }
    }
}

/// Headers that the tables of a run's folder may have.
fn headers() -> [(&'static str, Vec<String>); 2] {
    let in_px = COLUMNS.join(",");
    let in_um = [COLUMNS.as_slice(), &COLUMNS_UM].concat().join(",");
    let frames = [FRAMES_COLUMNS.as_slice(), &frames::QUALITY_COLUMNS].concat().join(",");
    [(CELLS_TABLE, vec![in_px, in_um]), (frames::TABLE, vec![frames])]
}

/// Refuses tables that others made. Tables of ours that no records are for, of an earlier version or of `segment`, are moved
/// aside: those that are written at the end of a run hold what the records hold, and nothing else.
fn check_tables(folder: &Path) -> Result<()> {
    let mut ours = Vec::new();
    for (name, known) in headers() {
        let path = folder.join(name);
        match first_line(&path) {
            Ok(first) if known.contains(&first) => ours.push(path),
            Ok(first) if first.is_empty() => {}
            Ok(_) => return Err(Error::output(&path, "a table with other columns is there, and is left as it is")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::output(&path, error)),
        }
    }
    if folder.join(store::FILE).is_file() {
        return Ok(());
    }
    for path in ours {
        let aside = path.with_extension("earlier.csv");
        if aside.exists() {
            return Err(Error::output(
                &path,
                format!("a table without records is there, and so is {}", aside.display()),
            ));
        }
        std::fs::rename(&path, &aside).map_err(|e| Error::output(&path, e))?;
        log::warn!("{}: a table without records; it is {} now", path.display(), aside.display());
    }
    Ok(())
}

/// The first line of a file, as far as a header is long.
fn first_line(path: &Path) -> io::Result<String> {
    let mut start = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
}

fn write_tables(folder: &Path) -> Tables {
    let written = Records::open(folder).and_then(|records| {
        let (frames, with_um) = records.count(&Filter::default())?;
        if frames > MAX_TABLE_FRAMES {
            return Ok(Tables::TooMany(frames));
        }
        write_table(&folder.join(CELLS_TABLE), |out| cells_of_folder(&records, with_um, out))?;
        write_table(&folder.join(frames::TABLE), |out| frames_of_folder(&records, out))?;
        Ok(Tables::Written)
    });
    written.unwrap_or_else(Tables::Failed)
}

fn write_table(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::result::Result<(), ExportError>) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file).map_err(|error| match error {
        ExportError::Records(error) => error,
        ExportError::Write(error) => Error::output(path, error),
    })?;
    file.commit()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn tables_of_others_are_refused_and_our_own_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let refused = || check_tables(folder.path()).unwrap_err();
        check_tables(&folder.path().join("none")).unwrap();
        let [(_, cells), (_, frames)] = headers();
        let earlier = format!("{}\na,1\n", cells[0]);
        put(CELLS_TABLE, &earlier);
        check_tables(folder.path()).unwrap();
        let aside = std::fs::read_to_string(folder.path().join("cells.earlier.csv")).unwrap();
        assert!(aside == earlier && !folder.path().join(CELLS_TABLE).exists(), "an earlier version's are not lost");
        put(CELLS_TABLE, &earlier);
        assert!(refused().to_string().contains("cells.earlier.csv"));
        put(store::FILE, "");
        check_tables(folder.path()).unwrap();
        put(CELLS_TABLE, &format!("{}\r\n", cells[1]));
        put(frames::TABLE, &frames[0]);
        check_tables(folder.path()).unwrap();
        for other in ["mine,own\n1,2\n", "image;cell\n", "\u{fffd}"] {
            put(frames::TABLE, other);
            assert_eq!(refused().exit_code(), 5);
        }
        std::fs::remove_file(folder.path().join(frames::TABLE)).unwrap();
        std::fs::create_dir(folder.path().join(frames::TABLE)).unwrap();
        assert_eq!(refused().exit_code(), 5);
    }
}
