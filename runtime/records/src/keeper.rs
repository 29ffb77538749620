//! Keeps a run's records: what it cannot keep is counted, and the run continues.
//!
//! ```text
//!            opened                     an error of the connection
//!   start ───────────▶ open ──────────────────────────────────────▶ broken
//!     │                 ▲ │ ▲ disk full: the frame is not kept, or     ▲ │
//!     │                 │ └─┘ the oldest are deleted (if configured)   │ │ retried after 250 ms, 500 ms .. 30 s,
//!     │                 └────────────────────────────────────────────────┘ with the next frame
//!     └────────────────────────────────────────────────────────────────┘
//!        a disk that is full, read-only or failing
//! ```
//!
//! Nothing here waits, grows without bound, or ends a run: frames that arrive while the records are broken are only
//! counted. Damaged records are moved aside (`aside`), and new ones are started.

mod aside;
mod events;
mod losses;
pub(crate) mod mistake;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use heapless::Deque;
use rusqlite::{Connection, ErrorCode};

use losses::Losses;

use super::{
    frame_record::FrameRecord,
    run_info::{ModelInfo, RunInfo},
    sample::Sample,
    store::{
        self, Fault, is_full,
        log_check::log_damage,
        retention::{self, Bytes, Newest, Retention},
        scrub::Scrub,
        write::{self, Event, cut},
    },
};
use crate::{
    error::{Error, Result},
    limits::{EVENT_RING_LEN, MAX_EVENT_BYTES, MAX_RECORDS_RETRY, MIN_RECORDS_RETRY},
    store::limits::MIN_RETENTION_PART,
};
use bloodseg_clock::{Clock, back_off::pause, utc};
use bloodseg_durable::make_folder;

/// What happened to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk with all its cells, and survives a power cut.
    Durable,
    /// It is not, or it is unknown.
    NotKept,
}

/// Counters of the keeper so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeeperCounters {
    /// Frames that are on disk, or were until they were too old.
    pub kept: u64,
    /// Frames that could not be kept; after the end, all of the run.
    pub lost: u64,
    /// Frames lost because the disk was full.
    pub lost_for_space: u64,
    /// Frames of this and earlier runs that were deleted because of age or size.
    pub deleted: u64,
    /// Events that were written.
    pub events: u64,
    /// Events that were dropped before they could be written.
    pub lost_events: u64,
    /// Bytes of the database and its log.
    pub bytes: u64,
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
    /// The file of the connection: another may take its place.
    file: Option<u64>,
    run_id: Option<i64>,
    /// Running time of the box when `clock` was at `began`.
    box_ms: i64,
    began: Duration,
    retry_at: Duration,
    /// Failed attempts to open them.
    tries: u32,
    waiting: Deque<Event, EVENT_RING_LEN>,
    losses: Losses,
    scrub: Scrub,
    /// The sample of the previous frame, if any.
    sample: Option<Arc<Sample>>,
    /// Whether it was reported that a single frame exceeds the limit.
    told_too_large: bool,
    counters: KeeperCounters,
}

impl Keeper {
    /// Opens or creates the records in `folder`, and starts a run in them; a run with the same mark is continued.
    ///
    /// A disk that is full, read-only or failing is not an error: the run continues without records until they can be
    /// written.
    ///
    /// # Errors
    /// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable) for what a person has to fix: the folder cannot be
    /// created or written to, or something else is in the place of the records.
    pub fn open(folder: &Path, run: &RunInfo, retention: &Retention, clock: Arc<dyn Clock>) -> Result<Self> {
        if let Err(error) = make_folder(folder)
            && !folder.is_dir()
        {
            return Err(Error::output(folder, error));
        }
        let path = folder.join(store::FILE);
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
            losses: Losses::default(),
            scrub: Scrub::default(),
            sample: None,
            told_too_large: false,
            counters: KeeperCounters::default(),
        };
        match keeper.connect() {
            Ok(()) => keeper.write_waiting(),
            Err(fault @ (Fault::Refused(_) | Fault::NoDatabase)) => return Err(fault.to_write(&keeper.path)),
            Err(fault) => {
                if let Some((path, error)) = mistake::behind(&fault, &keeper.path) {
                    return Err(Error::output(&path, error));
                }
                let path = keeper.path.display();
                log::warn!("{path}: records cannot be written: {fault}; the run continues without them and retries");
                keeper.trouble_mut().why = cut(&fault);
                keeper.broken(&fault);
            }
        }
        Ok(keeper)
    }

    /// Where the records are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the run in the records, once it has been written.
    pub fn run_id(&self) -> Option<i64> {
        self.run_id
    }

    /// Counters so far.
    pub fn counters(&self) -> KeeperCounters {
        self.counters
    }

    /// Stores one frame. If it is [`Kept::Durable`] it may be acknowledged.
    pub fn keep(&mut self, record: &FrameRecord) -> Kept {
        match self.try_keep(record) {
            Ok(id) => {
                self.counters.kept += 1;
                self.note_sample(record);
                self.recovered();
                self.write_waiting();
                self.retain(Newest { id, cells: record.cells.len() as u64 });
                self.scrub();
                Kept::Durable
            }
            Err(why) => {
                self.lost(record.number, &why);
                Kept::NotKept
            }
        }
    }

    /// Other models are in use from now on. They replace those of the run: the previous models were on trial and were
    /// rolled back within their first frames, which an event reports.
    pub fn models(&mut self, models: Vec<ModelInfo>) {
        self.run.models = models;
        if let (Some(connection), Some(run)) = (&self.connection, self.run_id)
            && let Err(error) = write::models(connection, run, &self.run.models)
        {
            log::warn!("{}: the run's models are not recorded: {error}", self.path.display());
        }
    }

    /// Ends the run: notes `how`, and how many of its frames were not kept, by the run's own count if that is higher than
    /// the keeper's; then merges the log into the database.
    pub fn end(&mut self, how: &str, not_kept: u64) -> KeeperCounters {
        self.lost_by_run(not_kept);
        // This is the last attempt.
        self.retry_at = self.clock.elapsed();
        if self.reach().is_ok() {
            self.report_last_losses();
            self.write_waiting();
        }
        self.counters.lost = self.losses.of_run;
        if let (Some(connection), Some(run)) = (&self.connection, self.run_id) {
            let ended = write::end_run(connection, run, utc::ms(self.clock.wall()), how, self.losses.of_run);
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

    /// The running time of the box, now.
    fn box_ms_now(&self) -> i64 {
        let since = self.clock.elapsed().saturating_sub(self.began);
        self.box_ms.saturating_add(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Opens the records, or new ones if they are damaged.
    fn connect(&mut self) -> std::result::Result<(), Fault> {
        match self.try_connect() {
            Err(Fault::Damaged(why, _)) => {
                self.put_aside(&why)?;
                self.try_connect()
            }
            done => done,
        }
    }

    fn try_connect(&mut self) -> std::result::Result<(), Fault> {
        // Before SQLite reads it, because it then discards what it ignores.
        let log_damage = log_damage(&self.log);
        let connection = store::open_to_write(&self.path)?;
        if let Some(what) = log_damage {
            self.wait_damaged(format_args!("{what} cannot be read; frames that were only there are lost"));
        }
        if !write::is_state_sound(&connection)? {
            write::restore_state(&connection)?;
            self.wait_damaged(format_args!(
                "the running time of the box was damaged; it continues from the newest frame"
            ));
        }
        // The time continues from what is recorded, but never goes back: the records may have lost some of it.
        let recorded = write::box_ms(&connection)?;
        if recorded > self.box_ms_now() {
            (self.box_ms, self.began) = (recorded, self.clock.elapsed());
        }
        let run_id = match write::find_run(&connection, &self.run)? {
            Some((id, announced)) => {
                self.losses.announced = self.losses.announced.max(announced);
                self.lost_by_run(announced);
                id
            }
            None => write::begin_run(&connection, &self.run, self.box_ms_now())?,
        };
        self.run_id = Some(run_id);
        self.counters.bytes = Bytes::of(&connection, &self.log)?.all();
        self.file = file_number(&self.path);
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection, reopened if it is broken and a retry is due.
    fn reach(&mut self) -> std::result::Result<(), Reason> {
        if self.connection.is_some() && file_number(&self.path) != self.file {
            log::warn!("{}: the records were removed; new ones are started", self.path.display());
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
        let mut done = self.write_frame(record);
        // If damaged records were replaced, the new ones take it.
        if matches!(done, Err(Reason::Fault(Fault::Damaged(..)))) && self.reach().is_ok() {
            done = self.write_frame(record);
        }
        done
    }

    fn write_frame(&mut self, record: &FrameRecord) -> std::result::Result<i64, Reason> {
        let (box_ms, Some(connection), Some(run)) = (self.box_ms_now(), &self.connection, self.run_id) else {
            return Err(Reason::StillBroken);
        };
        let mut done = write::frame(connection, run, record, box_ms);
        if done.as_ref().is_err_and(is_full) {
            let used = match self.losses.trouble.as_ref().and_then(|trouble| trouble.used_bytes) {
                Some(used) => used,
                None => Bytes::of(connection, &self.log).map_or(0, |bytes| bytes.used),
            };
            // The log can be overwritten once it is in the database; if even that has no room, nothing is lost.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if self.retention.oldest_make_room {
                let cells = record.cells.len() as u64;
                let room = retention::make_room(connection, &self.log, used / MIN_RETENTION_PART, cells);
                self.counters.deleted += room.unwrap_or(0);
            }
            done = write::frame(connection, run, record, box_ms);
            if done.is_err() {
                self.trouble_mut().used_bytes.get_or_insert(used);
            }
        }
        done.map_err(|error| Reason::Fault(self.failed(error)))
    }

    /// Deletes the oldest frames if there are too many.
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
                        "the newest frame alone takes {} bytes, and {most} are allowed: it is kept anyway",
                        step.bytes.used
                    ));
                    log::warn!("{}: {text}", self.path.display());
                    self.event("too-large", &text);
                }
            }
            Err(error) => {
                if !is_full(&error) {
                    log::warn!("{}: old frames cannot be deleted: {error}", self.path.display());
                }
                self.failed(error);
            }
        }
    }

    /// A change of sample is an event.
    fn note_sample(&mut self, record: &FrameRecord) {
        if self.sample != record.sample {
            self.sample.clone_from(&record.sample);
            let name = self.sample.as_ref().map_or_else(|| "none".to_owned(), |sample| sample.name.clone());
            self.wait("sample", &name);
        }
    }

    /// Checks a few old frames.
    fn scrub(&mut self) {
        let (Some(connection), box_ms) = (&self.connection, self.box_ms_now()) else { return };
        match self.scrub.step(connection, box_ms) {
            Ok(step) => {
                if let Some(frame) = step.first {
                    self.wait_damaged(format_args!("frame {frame} in the database is damaged; exports skip it"));
                }
                if let Some(frames) = step.all {
                    self.wait_damaged(format_args!("{frames} frames are damaged; exports skip them"));
                }
                if step.first.is_some() || step.all.is_some() {
                    self.write_waiting();
                }
            }
            Err(error) => {
                if !is_full(&error) {
                    log::warn!("{}: old frames cannot be checked: {error}", self.path.display());
                }
                self.failed(error);
            }
        }
    }

    /// An event about damage.
    fn wait_damaged(&mut self, what: std::fmt::Arguments<'_>) {
        let text: heapless::String<MAX_EVENT_BYTES> = cut(what);
        log::error!("{}: {text}", self.path.display());
        self.wait("damaged", &text);
    }

    /// Handles an error of the connection.
    fn failed(&mut self, error: rusqlite::Error) -> Fault {
        let waits = is_full(&error) || error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        let fault = Fault::from(error);
        match &fault {
            _ if waits => {}
            Fault::Damaged(why, _) => match self.put_aside(why) {
                // New ones are started immediately.
                Ok(()) => self.retry_at = self.clock.elapsed(),
                Err(in_the_way) => self.broken(&in_the_way),
            },
            other => self.broken(other),
        }
        fault
    }

    /// Drops the connection: whatever its state, the next one starts from what is on disk.
    fn broken(&mut self, why: &dyn Display) {
        log::debug!("{}: reopened: {why}", self.path.display());
        self.connection = None;
        self.back_off();
    }

    fn back_off(&mut self) {
        self.retry_at = self.clock.elapsed() + pause(MIN_RECORDS_RETRY, MAX_RECORDS_RETRY, self.tries);
        self.tries = self.tries.saturating_add(1);
    }
}

/// Why a frame was not kept.
#[derive(Debug)]
enum Reason {
    Fault(Fault),
    /// The next retry is not due yet.
    StillBroken,
}

/// Distinguishes a file from another that takes its place; none if the system has no such number.
pub fn file_number(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    return std::fs::metadata(path).ok().map(|file| std::os::unix::fs::MetadataExt::ino(&file));
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests;
