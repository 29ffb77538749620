//! The keeper of a run's records: what it cannot keep it counts, and goes on.
//!
//! ```text
//!            opened                     an error of the connection
//!   start ───────────▶ open ──────────────────────────────────────▶ broken
//!                       ▲ │ ▲ disk full: the frame is not kept, or     │
//!                       │ └─┘ the oldest make room (the config says)   │ tried again after 250 ms, 500 ms .. 30 s,
//!                       └──────────────────────────────────────────────┘ with the next frame
//! ```
//!
//! Nothing here waits, grows, or ends a run: frames that come while the records are broken are counted at once.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use heapless::Deque;
use rusqlite::{Connection, ErrorCode};

use super::{
    frame_record::FrameRecord,
    run_info::{ModelInfo, RunInfo},
    store::{
        self, Fault,
        retention::{self, Bytes, Newest, Retention},
        write::{self, Event, cut},
    },
    utc,
};
use crate::{
    clock::{Clock, back_off::pause},
    error::{Error, Result},
    limits::{EVENT_RING_LEN, MAX_EVENT_BYTES, RECORDS_RETRY_LEAST, RECORDS_RETRY_MOST, RETENTION_LEAST_PART},
};

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on the disk, with all its cells: it outlasts a power cut.
    Durable,
    /// It is not, or nobody knows.
    NotKept,
}

/// What the keeper did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeeperCounters {
    /// Frames that are durable, or were until they were too old.
    pub kept: u64,
    /// Frames that could not be kept.
    pub lost: u64,
    /// Frames of this and earlier runs that were deleted because of age or size.
    pub deleted: u64,
    /// Events that were written.
    pub events: u64,
    /// Events that had to make way before they could be written.
    pub lost_events: u64,
    /// Bytes of the database and its log.
    pub bytes: u64,
}

/// Frames in a row that were not kept.
#[derive(Debug)]
struct Trouble {
    frames: u64,
    why: heapless::String<MAX_EVENT_BYTES>,
    /// Bytes that were in use when the disk was first full.
    used_bytes: Option<u64>,
}

/// Keeps the records of one run.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    log: PathBuf,
    run: RunInfo,
    retention: Retention,
    clock: Arc<dyn Clock>,
    /// None while it is broken.
    connection: Option<Connection>,
    /// The file that the connection is to: another may take its place.
    file: Option<u64>,
    run_id: Option<i64>,
    /// The time that the box was running when `clock` stood at `began`.
    box_ms: i64,
    began: Duration,
    retry_at: Duration,
    /// Tries to open them in vain.
    tries: u32,
    waiting: Deque<Event, EVENT_RING_LEN>,
    trouble: Option<Trouble>,
    /// Whether it was told that a single frame is more than is allowed.
    told_too_large: bool,
    counters: KeeperCounters,
}

impl Keeper {
    /// Opens or makes the records in `folder`, and begins a run in them; one of the same mark is gone on with.
    ///
    /// A full or failing disk is no error where records are there already: the run goes on without them until they can be
    /// written.
    ///
    /// # Errors
    /// [`Error::Output`] when the folder cannot be used: it cannot be written, or something else is in the place of the
    /// records.
    pub fn open(folder: &Path, run: &RunInfo, retention: &Retention, clock: Arc<dyn Clock>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        let path = folder.join(store::FILE);
        let was_there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        let began = clock.elapsed();
        let mut keeper = Self {
            log: store::log_of(&path),
            path,
            run: run.clone(),
            retention: *retention,
            clock,
            connection: None,
            file: None,
            run_id: None,
            box_ms: 0,
            began,
            retry_at: began,
            tries: 0,
            waiting: Deque::new(),
            trouble: None,
            told_too_large: false,
            counters: KeeperCounters::default(),
        };
        match keeper.connect() {
            Ok(()) => {}
            Err(Fault::Sqlite(error)) if was_there && passes(&error) => {
                keeper.broken(&error);
                log::warn!("{}: records cannot be written: {error}; the run goes on", keeper.path.display());
            }
            Err(fault) => return Err(fault.to_write(&keeper.path)),
        }
        Ok(keeper)
    }

    /// Where the records are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the run in the records, once it stands there.
    pub fn run_id(&self) -> Option<i64> {
        self.run_id
    }

    /// What was done so far.
    pub fn counters(&self) -> KeeperCounters {
        self.counters
    }

    /// Keeps one frame. When it is [`Kept::Durable`] it may be acknowledged.
    pub fn keep(&mut self, record: &FrameRecord) -> Kept {
        match self.try_keep(record) {
            Ok(id) => {
                self.counters.kept += 1;
                self.recovered();
                self.write_waiting();
                self.retain(Newest { id, cells: record.cells.len() as u64 });
                Kept::Durable
            }
            Err(why) => {
                self.lost(record.number, &why);
                Kept::NotKept
            }
        }
    }

    /// Keeps an event: `kind` in one word, `text` in a line. It waits where it cannot be written yet; of too many that
    /// wait, the oldest go.
    pub fn event(&mut self, kind: &str, text: &str) {
        self.wait(kind, text);
        self.write_waiting();
    }

    /// Other models run from now on. The run's are replaced: the ones before were on trial and left within their first
    /// frames, which an event says.
    pub fn models(&mut self, models: Vec<ModelInfo>) {
        self.run.models = models;
        if let (Some(connection), Some(run)) = (&self.connection, self.run_id)
            && let Err(error) = write::models(connection, run, &self.run.models)
        {
            log::warn!("{}: the run's models are not recorded: {error}", self.path.display());
        }
    }

    /// Ends the run: says `how`, and brings the log into the database.
    pub fn end(mut self, how: &str) -> KeeperCounters {
        if self.reach().is_ok() {
            self.write_waiting();
        }
        if let (Some(connection), Some(run)) = (&self.connection, self.run_id) {
            let ended = write::end_run(connection, run, utc::ms(self.clock.wall()), how, self.counters.lost);
            let brought = ended
                .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
                .and_then(|()| Bytes::of(connection, &self.log));
            match brought {
                Ok(bytes) => self.counters.bytes = bytes.all(),
                Err(error) => log::warn!("{}: the end of the run is not recorded: {error}", self.path.display()),
            }
        }
        self.counters
    }

    /// The time that the box was running, now.
    fn box_ms_now(&self) -> i64 {
        let since = self.clock.elapsed().saturating_sub(self.began);
        self.box_ms.saturating_add(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn connect(&mut self) -> std::result::Result<(), Fault> {
        let connection = store::open_to_write(&self.path)?;
        // The time goes on from what is recorded, but never back: the records may have lost some of it.
        let recorded = write::box_ms(&connection)?;
        if recorded > self.box_ms_now() {
            (self.box_ms, self.began) = (recorded, self.clock.elapsed());
        }
        let run_id = match write::find_run(&connection, &self.run)? {
            Some(id) => id,
            None => write::begin_run(&connection, &self.run, self.box_ms_now())?,
        };
        self.run_id = Some(run_id);
        self.counters.bytes = Bytes::of(&connection, &self.log)?.all();
        self.file = file_number(&self.path);
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection, opened again where it is broken and it is time to try.
    fn reach(&mut self) -> std::result::Result<(), Reason> {
        if self.connection.is_some() && file_number(&self.path) != self.file {
            log::warn!("{}: the records were taken away; new ones are begun", self.path.display());
            self.connection = None;
            self.retry_at = self.clock.elapsed();
        }
        if self.connection.is_none() {
            if self.clock.elapsed() < self.retry_at {
                return Err(Reason::StillBroken);
            }
            self.connect().map_err(|fault| {
                self.back_off();
                Reason::Fault(fault)
            })?;
            self.tries = 0;
        }
        Ok(())
    }

    fn try_keep(&mut self, record: &FrameRecord) -> std::result::Result<i64, Reason> {
        self.reach()?;
        let (box_ms, Some(connection), Some(run)) = (self.box_ms_now(), &self.connection, self.run_id) else {
            return Err(Reason::StillBroken);
        };
        let mut done = write::frame(connection, run, record, box_ms);
        if done.as_ref().is_err_and(is_full) {
            let used = match self.trouble.as_ref().and_then(|trouble| trouble.used_bytes) {
                Some(used) => used,
                None => Bytes::of(connection, &self.log).map_or(0, |bytes| bytes.used),
            };
            // The log can be written over once it is in the database; where not even that has room, nothing is lost by it.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if self.retention.oldest_make_room {
                let cells = record.cells.len() as u64;
                let room = retention::make_room(connection, &self.log, used / RETENTION_LEAST_PART, cells);
                self.counters.deleted += room.unwrap_or(0);
            }
            done = write::frame(connection, run, record, box_ms);
            if done.is_err() {
                self.trouble_mut().used_bytes.get_or_insert(used);
            }
        }
        done.map_err(|error| {
            if !is_full(&error) && error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
                self.broken(&error);
            }
            Reason::Fault(Fault::Sqlite(error))
        })
    }

    /// The oldest frames go where there are too many.
    fn retain(&mut self, newest: Newest) {
        let Some(connection) = &self.connection else { return };
        match retention::step(connection, &self.log, &self.retention, newest, self.box_ms_now()) {
            Ok(step) => {
                self.counters.deleted += step.deleted;
                self.counters.bytes = step.bytes.all();
                if !step.fits && !self.told_too_large {
                    self.told_too_large = true;
                    let most = self.retention.most_bytes;
                    let text: heapless::String<MAX_EVENT_BYTES> = cut(format_args!(
                        "the newest frame alone takes {} bytes, and {most} are allowed: it is kept all the same",
                        step.bytes.used
                    ));
                    log::warn!("{}: {text}", self.path.display());
                    self.event("too-large", &text);
                }
            }
            Err(error) if is_full(&error) => log::debug!("{}: nothing can be deleted: {error}", self.path.display()),
            Err(error) => {
                log::warn!("{}: old frames cannot be deleted: {error}", self.path.display());
                self.broken(&error);
            }
        }
    }

    fn lost(&mut self, number: u64, why: &Reason) {
        self.counters.lost += 1;
        let lost = self.counters.lost;
        let path = self.path.clone();
        let trouble = self.trouble_mut();
        trouble.frames += 1;
        if let Reason::Fault(fault) = why {
            trouble.why = cut(fault);
        }
        // Told at once, and then each time that their number has doubled.
        if trouble.frames.is_power_of_two() {
            log::warn!("{}: frame {number} is not kept: {}; {lost} so far", path.display(), trouble.why);
        }
    }

    fn recovered(&mut self) {
        let Some(trouble) = self.trouble.take().filter(|trouble| trouble.frames > 0) else { return };
        let text: heapless::String<MAX_EVENT_BYTES> =
            cut(format_args!("{} frames were not kept: {}", trouble.frames, trouble.why));
        log::warn!("{}: frames are kept again; {text}", self.path.display());
        self.wait("not-kept", &text);
    }

    fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_with(|| Trouble { frames: 0, why: cut("not known"), used_bytes: None })
    }

    fn wait(&mut self, kind: &str, text: &str) {
        if self.waiting.is_full() {
            self.waiting.pop_front();
            self.counters.lost_events += 1;
        }
        let at_utc_ms = utc::ms(self.clock.wall());
        let event = Event { at_utc_ms, box_ms: self.box_ms_now(), kind: cut(kind), text: cut(text) };
        // There is room: one was just taken away.
        let _ = self.waiting.push_back(event);
    }

    fn write_waiting(&mut self) {
        while let (Some(connection), Some(event)) = (&self.connection, self.waiting.front()) {
            match write::event(connection, self.run_id, event) {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.counters.events += 1;
                }
                Err(error) => {
                    if !is_full(&error) && error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
                        self.broken(&error);
                    }
                    return;
                }
            }
        }
    }

    /// Lets go of the connection: whatever state it was in, the next one starts from what is on the disk.
    fn broken(&mut self, why: &dyn Display) {
        log::debug!("{}: opened anew: {why}", self.path.display());
        self.connection = None;
        self.back_off();
    }

    fn back_off(&mut self) {
        self.retry_at = self.clock.elapsed() + pause(RECORDS_RETRY_LEAST, RECORDS_RETRY_MOST, self.tries);
        self.tries = self.tries.saturating_add(1);
    }
}

/// Why a frame was not kept.
#[derive(Debug)]
enum Reason {
    Fault(Fault),
    /// It is not yet time to try again.
    StillBroken,
}

/// Whether waiting may help: the disk, not the records, is at fault.
fn passes(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(DiskFull | SystemIoFailure | DatabaseBusy | DatabaseLocked | OutOfMemory))
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Tells one file from another that takes its place; none where the system has no such number.
pub(crate) fn file_number(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    return std::fs::metadata(path).ok().map(|file| std::os::unix::fs::MetadataExt::ino(&file));
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests;
