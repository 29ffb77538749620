//! Frames beyond the mark, in the order in which they became durable.
//!
//! Read through a [`Follower`] of the store, which never blocks the keeper.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::mark::Mark;
use bloodseg_clock::back_off::pause;
use bloodseg_records::{
    field::Field,
    keeper::file_number,
    limits::{MAX_RECORDS_RETRY, MIN_RECORDS_RETRY},
    store::{
        self, Fault,
        follow::{FollowedFrame, Follower},
    },
};
use bloodseg_vision::placement::Scaled;

/// The data of a frame that a message needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Number in the database: one more than that of the previous frame.
    pub id: i64,
    /// Number of its run.
    pub run: i64,
    /// The run's mark.
    pub run_mark: i64,
    /// When the run started, milliseconds since 1970.
    pub started_utc_ms: i64,
    /// Name of the source.
    pub source: String,
    /// Where the analysed picture lies on the input, and its pitch.
    pub scaled: Scaled,
    /// Pixels of the analysed picture that are specimen.
    pub analysed_px: i64,
    /// Number in its run.
    pub number: i64,
    /// When it was analysed, milliseconds since 1970.
    pub at_utc_ms: i64,
    /// Its name.
    pub image: String,
    /// Name of its sample, or empty.
    pub sample: String,
    /// What it shows that earlier frames of its run did not; `None` if frames were not compared.
    pub field: Option<Field>,
    /// Its quality verdict.
    pub verdict: String,
    /// Sharpness, if there is something to measure.
    pub sharpness: Option<f64>,
    /// `contrast_levels`, `clipped_share`, `depth_levels`, `brightness_levels`.
    pub quality: [f64; 4],
    /// Whether its cells were counted.
    pub counted: bool,
    /// Its cells, without platelets.
    pub cells: i64,
    /// Red cells, white cells and platelets; `None` if not counted or unknown.
    pub kinds: [Option<i64>; 3],
    /// Unsupported cells.
    pub unsupported: i64,
    /// Frames of the run dropped before it.
    pub dropped: i64,
    /// Milliseconds of the analysis.
    pub total_ms: f64,
    /// Mean equivalent diameter of supported cells that do not touch the border, in pixels of the super-resolved grid.
    pub mean_diameter_px: Option<f64>,
}

impl Entry {
    /// The mean diameter in micrometres, if the pitch is known.
    pub fn mean_diameter_um(&self) -> Option<f64> {
        self.mean_diameter_px.zip(self.scaled.um_per_sr_px()).map(|(px, um)| px * um)
    }
}

/// A gap of deleted frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Number of frames.
    pub frames: u64,
    /// Number of the last one in the database.
    pub last_id: i64,
}

/// A frame, and the gap before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsent {
    /// Deleted frames between it and the previous one.
    pub gap: Option<Gap>,
    /// The frame.
    pub entry: Entry,
}

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Number of the frame after which to start.
    pub after: i64,
    /// Whether the mark belongs to these records.
    pub is_marked: bool,
}

/// The reader.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    records: Option<Follower>,
    /// The file of the records, which another may replace.
    file: Option<u64>,
    retry_at: Duration,
    tries: u32,
    /// The last message, so that it is logged once.
    reported: String,
}

impl Reader {
    /// For the records in `folder`, which are opened on the first read.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(store::FILE),
            records: None,
            file: None,
            retry_at: Duration::ZERO,
            tries: 0,
            reported: String::new(),
        }
    }

    /// Whether other records replaced those that were read.
    pub fn is_replaced(&self) -> bool {
        self.records.is_some() && file_number(&self.path) != self.file
    }

    /// Closes the records.
    pub fn close(&mut self) {
        self.records = None;
    }

    /// The same at the end of a run; also removes the log that a reader leaves.
    pub fn close_for_good(&mut self) {
        if self.records.take().is_some() {
            store::clear_log(&self.path);
        }
    }

    /// Whether they are open.
    pub fn is_open(&self) -> bool {
        self.records.is_some()
    }

    /// Opens them if it is time to, and returns where to start.
    pub fn open(&mut self, mark: Option<Mark>, now: Duration) -> Option<Start> {
        if now < self.retry_at {
            return None;
        }
        let file = file_number(&self.path);
        match Follower::open(&self.path).and_then(|records| Ok((start(&records, mark)?, records))) {
            Ok((start, records)) => {
                (self.records, self.file, self.tries) = (Some(records), file, 0);
                self.reported.clear();
                Some(start)
            }
            Err(fault) => {
                self.failed(&fault, now);
                None
            }
        }
    }

    /// At most `most` frames after the one with number `after`, and the number of the newest one. `None` if they cannot
    /// be read at the moment.
    pub fn after(&mut self, after: i64, most: usize, now: Duration) -> Option<(Vec<Unsent>, i64)> {
        self.read(now, |records| Ok((unsent(records, after, most)?, records.newest()?.unwrap_or(after))))
    }

    /// The newest frame.
    pub fn newest(&mut self, now: Duration) -> Option<Entry> {
        self.read(now, Follower::newest_frame).flatten().map(Entry::from)
    }

    fn read<T>(&mut self, now: Duration, read: impl FnOnce(&Follower) -> Result<T, Fault>) -> Option<T> {
        match read(self.records.as_ref()?) {
            Ok(done) => Some(done),
            Err(fault) => {
                self.records = None;
                self.failed(&fault, now);
                None
            }
        }
    }

    fn failed(&mut self, fault: &Fault, now: Duration) {
        self.retry_at = now + pause(MIN_RECORDS_RETRY, MAX_RECORDS_RETRY, self.tries);
        self.tries = self.tries.saturating_add(1);
        let words = fault.to_string();
        // A writer that is busy for a moment is not worth reporting.
        if self.tries > 1 && words != self.reported {
            log::warn!("mqtt: {}: cannot read frames: {words}; retrying", self.path.display());
            self.reported = words;
        }
    }
}

/// Starts after the mark if it belongs to these records, else before the first frame.
fn start(records: &Follower, mark: Option<Mark>) -> Result<Start, Fault> {
    let begin = Start { after: records.oldest()?.map_or(0, |first| first - 1), is_marked: false };
    let Some(mark) = mark else { return Ok(begin) };
    let ours = match records.mark_of(mark.run)? {
        Some(run_mark) => run_mark == mark.run_mark,
        // A missing run was deleted with the last of its frames, if all existing ones came later.
        None => records.all_came_after(mark.run)?,
    };
    let reached = records.newest()?.is_some_and(|newest| newest >= mark.frame_id);
    if ours && reached {
        return Ok(Start { after: mark.frame_id, is_marked: true });
    }
    log::warn!("mqtt: the mark belongs to other records; publishing all frames of these");
    Ok(begin)
}

fn unsent(records: &Follower, after: i64, most: usize) -> Result<Vec<Unsent>, Fault> {
    let mut before = after;
    let with_gap = |frame: FollowedFrame| {
        let entry = Entry::from(frame);
        // Numbers are consecutive, and the newest frame is never deleted, so missing ones existed.
        let frames = entry.id.saturating_sub(before).saturating_sub(1).unsigned_abs();
        let gap = (frames > 0).then_some(Gap { frames, last_id: entry.id - 1 });
        before = entry.id;
        Unsent { gap, entry }
    };
    Ok(records.after(after, most)?.into_iter().map(with_gap).collect())
}

impl From<FollowedFrame> for Entry {
    fn from(FollowedFrame { frame, run_mark, mean_diameter_px }: FollowedFrame) -> Self {
        let [.., total_ms] = frame.ms;
        let kinds = frame.kinds();
        Self {
            id: frame.id,
            run: frame.run,
            run_mark,
            started_utc_ms: frame.started_utc_ms,
            source: frame.source,
            scaled: frame.scaled,
            analysed_px: frame.analysed_px,
            number: frame.number,
            at_utc_ms: frame.at_utc_ms,
            image: frame.image,
            sample: frame.sample,
            field: frame.field,
            verdict: frame.verdict,
            sharpness: frame.sharpness,
            quality: frame.quality,
            counted: frame.counted,
            cells: frame.cells,
            kinds,
            unsupported: frame.unsupported,
            dropped: frame.dropped,
            total_ms,
            mean_diameter_px,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use rusqlite::Connection;

    use super::*;
    use crate::fixture::{record, run};
    use bloodseg_records::{
        frame_record::FrameRecord,
        store::{open_to_write, write},
    };
    use bloodseg_vision::placement::PitchSource;

    const NOW: Duration = Duration::ZERO;

    fn database(folder: &Path) -> (Connection, i64) {
        let connection = open_to_write(&folder.join(store::FILE)).unwrap();
        let run = write::begin_run(&connection, &run(Some(2.0)), 0).unwrap();
        (connection, run)
    }

    fn numbers(found: Option<(Vec<Unsent>, i64)>) -> Vec<i64> {
        found.unwrap().0.iter().map(|unsent| unsent.entry.number).collect()
    }

    #[test]
    fn frames_are_read_in_order_with_mean_cell_diameter() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, run) = database(folder.path());
        for number in 1..=5 {
            let scaled = Scaled::as_it_is(Some(2.0), PitchSource::Given);
            write::frame(&connection, run, &FrameRecord { scaled, ..record(number, 4) }, 0).unwrap();
        }
        let mut reader = Reader::new(folder.path());
        assert!(reader.after(0, 9, NOW).is_none(), "it is not open");
        assert_eq!(reader.open(None, NOW), Some(Start { after: 0, is_marked: false }));
        assert_eq!(numbers(reader.after(0, 2, NOW)), [1, 2]);
        assert_eq!(numbers(reader.after(2, 9, NOW)), [3, 4, 5]);
        let newest = reader.newest(NOW).unwrap();
        // Of four squares of 2 x 2, one touches the border and one is unsupported.
        let diameter = (16.0 / std::f64::consts::PI).sqrt();
        assert_eq!((newest.number, newest.cells, newest.mean_diameter_px), (5, 4, Some(diameter)));
        assert_eq!(newest.mean_diameter_um(), Some(diameter * 0.5));
    }

    #[test]
    fn frames_deleted_by_retention_are_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, run) = database(folder.path());
        for number in 1..=9 {
            write::frame(&connection, run, &record(number, 0), 0).unwrap();
        }
        let mut reader = Reader::new(folder.path());
        reader.open(None, NOW).unwrap();
        connection.execute_batch("DELETE FROM frames WHERE id <= 6").unwrap();
        let found = reader.after(2, 9, NOW).unwrap().0;
        assert_eq!(found[0].gap, Some(Gap { frames: 4, last_id: 6 }));
        assert!(found[0].entry.number == 7 && found[1..].iter().all(|unsent| unsent.gap.is_none()));
    }

    #[test]
    fn mark_is_used_only_with_its_own_records() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, run) = database(folder.path());
        for number in 1..=9 {
            write::frame(&connection, run, &record(number, 0), 0).unwrap();
        }
        let run_mark: i64 = connection.query_row("SELECT mark FROM runs", [], |row| row.get(0)).unwrap();
        let mark = |frame_id, run, run_mark| Some(Mark { frame_id, run, run_mark, lost: 0, ended: false });
        let start = |mark: Option<Mark>| {
            let Start { after, is_marked } = Reader::new(folder.path()).open(mark, NOW).unwrap();
            assert_eq!(is_marked, mark.is_some_and(|mark| mark.frame_id == after));
            after
        };
        assert_eq!(start(mark(5, run, run_mark)), 5);
        assert_eq!(start(mark(9, run, run_mark)), 9);
        assert_eq!(start(mark(10, run, run_mark)), 0, "never so many");
        assert_eq!(start(mark(5, run, run_mark ^ 1)), 0, "another run");
        assert_eq!(start(mark(5, run + 1, run_mark)), 0, "no such run yet");
        // The run is deleted with its frames.
        let later = write::begin_run(&connection, &crate::fixture::run(None), 0).unwrap();
        write::frame(&connection, later, &record(1, 0), 0).unwrap();
        connection.execute_batch("DELETE FROM frames WHERE id < 10; DELETE FROM runs WHERE id = 1").unwrap();
        assert_eq!(start(mark(5, run, run_mark)), 5, "what is gone is a gap");
        assert_eq!(start(None), 9, "what was never to be sent is none");
    }

    #[test]
    fn rejects_rollback_journal_and_detects_replaced_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(store::FILE);
        let (connection, _) = database(folder.path());
        let mut reader = Reader::new(folder.path());
        reader.open(None, NOW).unwrap();
        assert!(!reader.is_replaced());
        let away = folder.path().join("away");
        std::fs::rename(&path, &away).unwrap();
        assert!(reader.is_replaced());
        std::fs::rename(&away, &path).unwrap();
        reader.close();
        connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())).unwrap();
        assert!(matches!(Follower::open(&path), Err(Fault::Refused(why)) if why.contains("rollback journal")));
        assert_eq!(reader.open(None, NOW), None);
        assert_eq!(reader.open(None, NOW), None, "not before it is time");
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        assert!(reader.open(None, MAX_RECORDS_RETRY).is_some());
    }
}
