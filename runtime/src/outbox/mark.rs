//! How far the broker has acknowledged the records: a small file beside them, replaced atomically.
//!
//! It is not a table of the records, because writing it would take the lock that the keeper needs for its next frame.
//! With a separate file the keeper never waits for a lock, only occasionally for the disk ([`MIN_MQTT_MARK`]).

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    outbox::limits::{MAX_MQTT_MARK_BYTES, MIN_MQTT_MARK},
};
use bloodseg_durable::AtomicFile;
use bloodseg_vision::error::Cause;

/// Name of the file in the folder of the records.
pub const FILE: &str = "mqtt.mark";

/// The last frame that the broker has acknowledged, including all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Number of the frame in the database.
    pub frame_id: i64,
    /// Number of its run.
    pub run: i64,
    /// The mark of the run, which differs if other records replace these.
    pub run_mark: i64,
    /// Number of frames deleted before they were published.
    pub lost: u64,
    /// Whether the run ended with nothing in flight beyond it. Otherwise the broker may already have later frames, under
    /// the ids that they will be sent with.
    #[serde(default)]
    pub ended: bool,
}

/// The file.
#[derive(Debug)]
pub struct MarkFile {
    path: PathBuf,
    mark: Option<Mark>,
    written: Option<Mark>,
    written_at: Option<Duration>,
    failed: bool,
}

impl MarkFile {
    /// The file in `folder`. An unreadable one is logged, and counts as missing.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mark = read(&path).unwrap_or_else(|why| {
            log::warn!("{}: {why}; publishing all frames of the records again", path.display());
            None
        });
        Self { path, mark, written: mark, written_at: None, failed: false }
    }

    /// The current mark, written or not.
    pub fn get(&self) -> Option<Mark> {
        self.mark
    }

    /// Moves it; [`MarkFile::keep`] writes it.
    pub fn set(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// Nothing is in flight beyond it any more.
    pub fn end(&mut self) {
        if let Some(mark) = &mut self.mark {
            mark.ended = true;
        }
    }

    /// Writes it if it has moved, but not too often, unless it is the last time.
    pub fn keep(&mut self, now: Duration, last: bool) {
        let Some(mark) = self.mark.filter(|mark| self.written != Some(*mark)) else { return };
        let soon = self.written_at.is_some_and(|at| now.saturating_sub(at) < MIN_MQTT_MARK);
        if soon && !last {
            return;
        }
        self.written_at = Some(now);
        match write(&self.path, mark) {
            Ok(()) => (self.written, self.failed) = (Some(mark), false),
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    log::warn!("{error}; the next run may publish frames again");
                }
            }
        }
    }
}

fn read(path: &Path) -> std::result::Result<Option<Mark>, String> {
    let file = match bloodseg_durable::open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = String::new();
    file.take(MAX_MQTT_MARK_BYTES).read_to_string(&mut text).map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map(Some).map_err(|e| format!("not a mark: {e}"))
}

fn write(path: &Path, mark: Mark) -> Result<()> {
    let text = serde_json::to_string(&mark).map_err(|e| Error::internal("mark", Cause::of(e)))?;
    let mut file = AtomicFile::create_alone(path)?;
    writeln!(file, "{text}").map_err(|e| Error::output(path, e))?;
    Ok(file.commit()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn mark_round_trips_and_writes_are_rate_limited() {
        let folder = tempfile::tempdir().unwrap();
        let mark = |frame_id| Mark { frame_id, run: 1, run_mark: i64::MIN, lost: u64::MAX, ended: false };
        let mut file = MarkFile::open(folder.path());
        assert_eq!(file.get(), None);
        let there = || MarkFile::open(folder.path()).get();
        file.set(mark(1));
        file.keep(Duration::ZERO, false);
        assert_eq!(there(), Some(mark(1)));
        file.set(mark(2));
        file.keep(MIN_MQTT_MARK / 2, false);
        assert_eq!((there(), file.get()), (Some(mark(1)), Some(mark(2))));
        file.keep(MIN_MQTT_MARK, false);
        assert_eq!(there(), Some(mark(2)));
        file.set(mark(3));
        file.keep(MIN_MQTT_MARK, true);
        assert_eq!(there(), Some(mark(3)));
        file.end();
        file.keep(MIN_MQTT_MARK, true);
        assert_eq!(there(), Some(Mark { ended: true, ..mark(3) }));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // As earlier versions wrote it.
        let old = "{\"frame_id\":3,\"run\":1,\"run_mark\":5,\"lost\":0}";
        std::fs::write(folder.path().join(FILE), old).unwrap();
        assert_eq!(there().map(|mark| (mark.frame_id, mark.ended)), Some((3, false)));
    }

    #[test]
    fn corrupt_mark_counts_as_missing_and_failed_write_is_not_fatal() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"\xff\xff", b"{}", b"{\"frame_id\":\"x\"}", &[b'['; 1 << 20]] {
            std::fs::write(folder.path().join(FILE), bytes).unwrap();
            assert_eq!(MarkFile::open(folder.path()).get(), None);
        }
        let mut file = MarkFile::open(&folder.path().join("none"));
        file.set(Mark { frame_id: 1, run: 1, run_mark: 1, lost: 0, ended: false });
        file.keep(Duration::ZERO, true);
        assert!(file.failed);
    }
}
