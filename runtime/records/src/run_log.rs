//! What a live run leaves in its folder: its records, and at its end tables of everything in the folder.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    export::{
        ExportError,
        tables::{FRAMES_COLUMNS, cells_of_folder, frames_of_folder},
    },
    frame_record::FrameRecord,
    frames,
    keeper::{Keeper, KeeperCounters, Kept, mistake::is_mistake},
    run_info::{ModelInfo, RunInfo},
    store::{
        self,
        read::{Filter, Records},
        retention::Retention,
    },
    table::{self, IMAGE},
};
use crate::{
    error::{Error, Result},
    limits::{MAX_TABLE_FRAMES, MAX_TABLE_FRAMES_STOPPED, MAX_TABLES_TIME},
};
use bloodseg_clock::Clock;
use bloodseg_durable::{AtomicFile, open_plain};
use bloodseg_vision::cells::row::{COLUMNS, COLUMNS_INPUT, COLUMNS_UM};
use bloodseg_vision::pictures;

/// Name of the table of cells.
pub const CELLS_TABLE: &str = "cells.csv";

/// The results of one run.
#[derive(Debug)]
pub struct RunLog {
    folder: PathBuf,
    keeper: Keeper,
    clock: Arc<dyn Clock>,
    tables: bool,
}

/// What happened to the tables.
#[derive(Debug)]
pub enum Tables {
    /// They hold all frames of the folder.
    Written,
    /// The folder has so many frames that tables are left to `bloodseg export`.
    TooMany(u64),
    /// The run was stopped, and they took too long. The tables of an earlier run stay.
    CutShort,
    /// They are not wanted.
    NotWanted,
    /// They cannot be written, or the records cannot be read.
    Failed(Error),
}

/// How a run's results ended.
#[derive(Debug)]
pub struct RunEnd {
    /// Counters of the keeper.
    pub counters: KeeperCounters,
    /// The tables.
    pub tables: Tables,
}

impl RunLog {
    /// Opens or continues the records in `folder`, which is created. `tables` says whether the tables are written at the
    /// end.
    ///
    /// # Errors
    /// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable) if a person has something to fix: see
    /// [`Keeper::open`]; or if the folder has tables of another program.
    pub fn open(
        folder: &Path,
        run: &RunInfo,
        retention: &Retention,
        tables: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let tables = tables && check_tables(folder)?;
        let keeper = Keeper::open(folder, run, retention, Arc::clone(&clock))?;
        Ok(Self { folder: folder.to_owned(), keeper, clock, tables })
    }

    /// Records one frame. What cannot be written is counted and reported, and does not end the run.
    pub fn record(&mut self, record: &FrameRecord) -> Kept {
        self.keeper.keep(record)
    }

    /// Notes how many frames of the run were not kept so far; see [`Keeper::lost_by_run`].
    pub fn lost_by_run(&mut self, frames: u64) {
        self.keeper.lost_by_run(frames);
    }

    /// Records an event; see [`Keeper::event`].
    pub fn event(&mut self, kind: &str, text: &str) {
        self.keeper.event(kind, text);
    }

    /// Other models are in use from now on; see [`Keeper::models`].
    pub fn models(&mut self, models: Vec<ModelInfo>) {
        self.keeper.models(models);
    }

    /// Counters of the keeper so far.
    pub fn counters(&self) -> KeeperCounters {
        self.keeper.counters()
    }

    /// Ends the run: notes `how`, and how many of its frames were not kept. This comes before the tables: they may take
    /// longer than a user who stops a run waits, and can be made at any time.
    pub fn end(&mut self, how: &str, not_kept: u64) -> KeeperCounters {
        self.keeper.end(how, not_kept)
    }

    /// Writes the tables, after the end. `stopped` says whether the run was stopped: tables of many frames
    /// are then omitted, and others are cut short if they take long.
    pub fn tables(self, stopped: &dyn Fn() -> bool) -> Tables {
        // While the keeper has the records open: the last one to close them deletes their log.
        if self.tables { write_tables(&self.folder, self.clock.as_ref(), stopped) } else { Tables::NotWanted }
    }
}

/// Deletes unfinished files of earlier runs that were killed, in a folder that this run holds.
pub fn sweep(folder: &Path) {
    bloodseg_durable::sweep(folder, |name| {
        [CELLS_TABLE, frames::TABLE].contains(&name) || pictures::is_result(Path::new(name))
    });
}

/// Headers that the tables of a run's folder may have: those of this version, of earlier ones without kinds, and of 0.1.
fn headers() -> [(&'static str, Vec<String>); 2] {
    let of_cells = [
        table::columns(false),
        table::columns(true),
        [&IMAGE, COLUMNS.as_slice(), &COLUMNS_INPUT].concat(),
        [&IMAGE, COLUMNS.as_slice(), &COLUMNS_INPUT, &COLUMNS_UM].concat(),
        [IMAGE.as_slice(), &COLUMNS].concat(),
        [IMAGE.as_slice(), &COLUMNS, &COLUMNS_UM].concat(),
    ];
    let before = [FRAMES_COLUMNS.as_slice(), &frames::QUALITY_COLUMNS].concat();
    let with_scale = [before.as_slice(), &frames::SCALE_COLUMNS].concat();
    let of_frames = [[with_scale.as_slice(), &frames::KIND_COLUMNS].concat(), with_scale, before];
    let line = |columns: &[&str]| columns.join(",");
    [
        (CELLS_TABLE, of_cells.iter().map(|columns| line(columns)).collect()),
        (frames::TABLE, of_frames.iter().map(|columns| line(columns)).collect()),
    ]
}

/// Refuses tables of other programs. Our own tables without records, from an earlier version or from `segment`, are moved
/// aside: the tables written at the end of a run hold what the records hold, and nothing else.
///
/// Returns whether tables may be written. If the disk is at fault they may not, and the run continues without them.
fn check_tables(folder: &Path) -> Result<bool> {
    let at_fault = |path: &Path, error: io::Error| {
        if is_mistake(&error) {
            return Err(Error::output(path, error));
        }
        log::warn!("{}: {error}; no tables are written at the end of this run", path.display());
        Ok(false)
    };
    let mut ours = Vec::new();
    for (name, known) in headers() {
        let path = folder.join(name);
        match first_line(&path) {
            Ok(first) if known.contains(&first) => ours.push(path),
            Ok(first) if first.is_empty() => {}
            Ok(_) => return Err(Error::output(&path, "a table with other columns exists, and is left unchanged")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return at_fault(&path, error),
        }
    }
    // If this cannot be determined, it counts as existing.
    if folder.join(store::FILE).try_exists().unwrap_or(true) {
        return Ok(true);
    }
    for path in ours {
        let aside = path.with_extension("earlier.csv");
        if aside.exists() {
            return Err(Error::output(
                &path,
                format!("a table without records exists, and so does {}", aside.display()),
            ));
        }
        if let Err(error) = std::fs::rename(&path, &aside) {
            return at_fault(&path, error);
        }
        log::warn!("{}: a table without records; it is now {}", path.display(), aside.display());
    }
    Ok(true)
}

/// The first line of a file, up to the length of a header.
fn first_line(path: &Path) -> io::Result<String> {
    let mut start = Vec::new();
    open_plain(path)?.take(4096).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
}

fn write_tables(folder: &Path, clock: &dyn Clock, stopped: &dyn Fn() -> bool) -> Tables {
    let mut waits = Waits { clock, stopped, since: None, cut_short: false };
    let written = Records::open(folder).and_then(|records| {
        let (frames, _) = records.count(&Filter::default())?;
        let most = if stopped() { MAX_TABLE_FRAMES_STOPPED } else { MAX_TABLE_FRAMES };
        if frames > most {
            return Ok(Tables::TooMany(frames));
        }
        let records = Records::open_checked(folder)?;
        if records.damage().is_any() {
            log::error!("{}: damaged, and missing from the tables: {}", records.path().display(), records.damage());
        }
        let (_, with_um) = records.count(&Filter::default())?;
        let cells =
            table_at(&folder.join(CELLS_TABLE), |out| cells_of_folder(&records, with_um, out, &mut || waits.go_on()))?;
        let frames =
            table_at(&folder.join(frames::TABLE), |out| frames_of_folder(&records, out, &mut || waits.go_on()))?;
        // Both or none, as far as possible: they cover the same frames.
        cells.commit()?;
        frames.commit()?;
        Ok(Tables::Written)
    });
    match written {
        Err(_) if waits.cut_short => Tables::CutShort,
        done => done.unwrap_or_else(Tables::Failed),
    }
}

/// How long tables may take after a stop.
struct Waits<'a> {
    clock: &'a dyn Clock,
    stopped: &'a dyn Fn() -> bool,
    since: Option<Duration>,
    cut_short: bool,
}

impl Waits<'_> {
    fn go_on(&mut self) -> std::result::Result<(), ExportError> {
        if (self.stopped)() {
            let now = self.clock.elapsed();
            self.cut_short = now.saturating_sub(*self.since.get_or_insert(now)) >= MAX_TABLES_TIME;
        }
        if self.cut_short { Err(io::Error::from(io::ErrorKind::TimedOut).into()) } else { Ok(()) }
    }
}

/// A table that is written but not yet in its place.
fn table_at(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::result::Result<(), ExportError>,
) -> Result<AtomicFile> {
    let mut file = AtomicFile::create_alone(path)?;
    write(&mut file).map_err(|error| match error {
        ExportError::Records(error) => error,
        ExportError::Write(error) => Error::output(path, error),
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::fixture::{noon, record, run};
    use bloodseg_clock::VirtualClock;

    fn open(folder: &Path, frames: u64) -> (RunLog, Arc<VirtualClock>) {
        let clock = Arc::new(VirtualClock::at(noon()));
        let retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };
        let mut log = RunLog::open(folder, &run(None), &retention, true, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        for number in 1..=frames {
            assert_eq!(log.record(&record(number, 2)), Kept::Durable);
        }
        (log, clock)
    }

    fn rows(folder: &Path, table: &str) -> usize {
        std::fs::read_to_string(folder.join(table)).unwrap().lines().count() - 1
    }

    fn ended(folder: &Path) -> Option<String> {
        let records = Records::open(folder).unwrap();
        let (_, last) = records.runs().unwrap().unwrap();
        records.run(last).unwrap().unwrap().ended
    }

    fn parts(folder: &Path) -> usize {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(".part")).count()
    }

    #[test]
    fn end_is_recorded_before_tables_and_stop_cuts_them_short() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 10);
        log.end("the source ended", 0);
        assert_eq!(ended(folder.path()).as_deref(), Some("the source ended"));
        assert!(matches!(log.tables(&|| false), Tables::Written));
        let (mut log, clock) = open(folder.path(), 10);
        log.end("stopped", 0);
        assert_eq!(ended(folder.path()).as_deref(), Some("stopped"));
        // One second per frame.
        let slow = || {
            clock.pass(Duration::from_secs(1));
            true
        };
        assert!(matches!(log.tables(&slow), Tables::CutShort));
        assert_eq!(
            (rows(folder.path(), CELLS_TABLE), rows(folder.path(), frames::TABLE)),
            (20, 10),
            "the earlier ones"
        );
        assert_eq!(parts(folder.path()), 0);
        // Without a stop, tables have no time limit.
        let (mut log, clock) = open(folder.path(), 10);
        log.end("the source ended", 0);
        let slow = || {
            clock.pass(Duration::from_secs(1));
            false
        };
        assert!(matches!(log.tables(&slow), Tables::Written));
        assert_eq!(rows(folder.path(), frames::TABLE), 30);
        let (mut log, _) = open(folder.path(), 1);
        log.end("stopped", 0);
        assert!(matches!(log.tables(&|| true), Tables::Written));
        assert_eq!(rows(folder.path(), frames::TABLE), 31);
    }

    #[test]
    fn stopped_run_skips_tables_of_many_frames() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 1);
        let many = format!(
            "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= {MAX_TABLE_FRAMES_STOPPED})
             INSERT INTO frames (id, run, number, at_utc_ms, box_ms, image, verdict, sharpness, contrast_levels, clipped_share,
             depth_levels, brightness_levels, counted, cells, unsupported, tiles, dropped, ssr_ms, unet_ms, tiling_ms, cells_ms,
             total_ms, width_px, height_px, um_per_px, um_per_px_low, um_per_px_high, pitch_source, input_scale, input_x_px,
             input_y_px, analysed_px, stem, red, white, platelets) SELECT n.i, run, n.i, at_utc_ms, box_ms, image, verdict, sharpness, contrast_levels,
             clipped_share, depth_levels, brightness_levels, counted, 0, 0, tiles, dropped, ssr_ms, unet_ms, tiling_ms,
             cells_ms, total_ms, width_px, height_px, um_per_px, um_per_px_low, um_per_px_high, pitch_source, input_scale,
             input_x_px, input_y_px, analysed_px, stem, red, white, platelets FROM frames, n WHERE frames.id = 1"
        );
        let other = store::open_to_write(&folder.path().join(store::FILE)).unwrap();
        other.execute_batch(&many).unwrap();
        drop(other);
        log.end("stopped", 0);
        assert!(matches!(log.tables(&|| true), Tables::TooMany(frames) if frames == MAX_TABLE_FRAMES_STOPPED + 1));
        assert!(!folder.path().join(CELLS_TABLE).exists());
        let (mut log, _) = open(folder.path(), 1);
        log.end("the source ended", 0);
        assert!(matches!(log.tables(&|| false), Tables::Written));
    }

    #[test]
    fn unfinished_files_of_killed_run_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let left = ["cells.csv.part", "frames.csv.part-4999998", "a.sr.png.part", "b.overlay.png.part-4999999"];
        let stay = ["cells.csv", "report-1.html.part-17", "mine.part", "b.png.part"];
        for name in left.iter().chain(&stay) {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep(folder.path());
        assert!(left.iter().all(|name| !folder.path().join(name).exists()));
        assert!(stay.iter().all(|name| folder.path().join(name).exists()));
    }

    #[cfg(unix)]
    #[test]
    fn unreadable_tables_do_not_prevent_start() {
        let folder = tempfile::tempdir().unwrap();
        // An error that no person has to fix: too many links.
        let table = folder.path().join(CELLS_TABLE);
        std::os::unix::fs::symlink(&table, &table).unwrap();
        assert!(!check_tables(folder.path()).unwrap());
        let (mut log, _) = open(folder.path(), 1);
        log.end("stopped", 0);
        assert!(matches!(log.tables(&|| false), Tables::NotWanted));
    }

    #[test]
    fn foreign_tables_are_rejected_and_own_are_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let refused = || check_tables(folder.path()).unwrap_err();
        assert!(check_tables(&folder.path().join("none")).unwrap());
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
            assert!(refused().is_output());
        }
        std::fs::remove_file(folder.path().join(frames::TABLE)).unwrap();
        std::fs::create_dir(folder.path().join(frames::TABLE)).unwrap();
        assert!(refused().is_output());
    }
}
