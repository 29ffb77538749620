//! What a live run leaves in its folder: its records, and at its end tables of all that the folder holds; pictures.

use std::{
    fmt::Write as _,
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
    keeper::{Keeper, Kept, KeeperCounters},
    pictures,
    run_info::RunInfo,
    store::{
        self,
        read::{Filter, Records},
        retention::Retention,
    },
    table::{COLUMNS, COLUMNS_UM},
};
use crate::{
    camera::Frame,
    clock::Clock,
    error::{Error, Result},
    limits::MAX_TABLE_FRAMES,
    pipeline::Analysis,
};

/// Name of the table of cells.
pub const CELLS_TABLE: &str = "cells.csv";

/// What a run writes besides its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extras {
    /// k writes the pictures of every k-th frame; those of the last frame are always written.
    pub save_every: Option<u64>,
    /// Whether the tables are written at the end.
    pub tables: bool,
}

/// The results of one run.
#[derive(Debug)]
pub struct RunLog {
    folder: PathBuf,
    keeper: Keeper,
    clock: Arc<dyn Clock>,
    extras: Extras,
    /// The last record, for its memory.
    spare: Option<FrameRecord>,
    /// Name of the last frame.
    name: String,
    recorded: u64,
    lost_pictures: u64,
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
    /// Where the last frame is to be looked at, if there is one.
    pub overlay: Option<PathBuf>,
    /// Frames whose pictures could not be written.
    pub lost_pictures: u64,
    /// The tables.
    pub tables: Tables,
}

impl RunLog {
    /// Opens or goes on with the records in `folder`, which is made.
    ///
    /// # Errors
    /// [`Error::Output`] when the folder cannot be used, or has tables that are not ours.
    pub fn open(
        folder: &Path,
        run: &RunInfo,
        retention: &Retention,
        extras: Extras,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        if extras.tables {
            check_tables(folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            keeper: Keeper::open(folder, run, retention, Arc::clone(&clock))?,
            clock,
            extras,
            spare: None,
            name: String::new(),
            recorded: 0,
            lost_pictures: 0,
        })
    }

    /// Records one frame; `dropped` is the count of frames dropped so far. What cannot be written is counted and told,
    /// and ends nothing.
    pub fn record(&mut self, frame: &Frame, analysis: &Analysis, counted: bool, dropped: u64) -> Kept {
        let record = FrameRecord::of(frame, analysis, counted, dropped, self.clock.wall(), self.spare.take());
        let kept = self.keeper.keep(&record);
        self.spare = Some(record);
        self.recorded += 1;
        self.name.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.name, "{}", frame.name);
        if self.extras.save_every.is_some_and(|every| self.recorded.is_multiple_of(every)) {
            self.save(analysis);
        }
        kept
    }

    /// Records an event; see [`Keeper::event`].
    pub fn event(&mut self, kind: &str, text: &str) {
        self.keeper.event(kind, text);
    }

    /// What the keeper did so far.
    pub fn counters(&self) -> KeeperCounters {
        self.keeper.counters()
    }

    /// Ends the run: says `how`, writes the pictures of the `last` frame that was recorded, and the tables.
    pub fn end(mut self, how: &str, last: Option<&Analysis>) -> RunEnd {
        let overlay = last.and_then(|analysis| self.save(analysis));
        let tables = if self.extras.tables { write_tables(&self.folder) } else { Tables::NotWanted };
        RunEnd { counters: self.keeper.end(how), overlay, lost_pictures: self.lost_pictures, tables }
    }

    /// Writes the pictures of the frame that was recorded last, and tells where the overlay is.
    fn save(&mut self, analysis: &Analysis) -> Option<PathBuf> {
        let stem = Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match pictures::write(&self.folder, &stem, analysis) {
            Ok(()) => Some(self.folder.join(format!("{stem}.overlay.png"))),
            Err(error) => {
                self.lost_pictures += 1;
                // Told at once, and then each time that their number has doubled.
                if self.lost_pictures.is_power_of_two() {
                    log::warn!("{error}; pictures of {} frames so far", self.lost_pictures);
                }
                None
            }
        }
    }
}

/// Headers that the tables of a run's folder may have.
fn headers() -> [(&'static str, Vec<String>); 2] {
    let in_px = COLUMNS.join(",");
    let in_um = [COLUMNS.as_slice(), &COLUMNS_UM].concat().join(",");
    let frames = [FRAMES_COLUMNS.as_slice(), &frames::QUALITY_COLUMNS].concat().join(",");
    [(CELLS_TABLE, vec![in_px, in_um]), (frames::TABLE, vec![frames])]
}

/// Refuses tables that the records would overwrite though they are not made from them.
fn check_tables(folder: &Path) -> Result<()> {
    let recorded = folder.join(store::FILE).is_file();
    for (name, known) in headers() {
        let path = folder.join(name);
        let first = match first_line(&path) {
            Ok(first) => first,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::output(&path, error)),
        };
        if !first.is_empty() && !known.contains(&first) {
            return Err(Error::output(&path, "a table with other columns is there, and is left as it is"));
        }
        if !recorded && !first.is_empty() {
            let cause = format!("a table is there that {} is missing for, and is left as it is", store::FILE);
            return Err(Error::output(&path, cause));
        }
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
        put(CELLS_TABLE, &format!("{}\na,1\n", cells[0]));
        assert!(refused().to_string().contains("records.sqlite is missing"), "an earlier version's are not lost");
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
