//! The records of several folders read as one: a private SQLite database that is deleted when it is closed.
//!
//! Runs, frames, events and samples get new numbers, in the order of the folders; a sample is known by its name, so one
//! that is in several folders is one sample.

use std::{collections::BTreeSet, path::PathBuf};

use rusqlite::{Connection, types::Value};

use super::{damage::ids, read::Records, salvage::copied_as, schema, set_limits};
use crate::error::{Error, Result};

/// The largest numbers in use.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    runs: i64,
    frames: i64,
    events: i64,
    samples: i64,
}

impl Records {
    /// Opens the records of several folders as one; those of a single folder as they are. They are checked like those of
    /// [`Records::open_checked`], and what is damaged is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) for records that are missing or cannot be read, and for
    /// no folder; an input error if two folders have the same run, which would be counted twice.
    pub fn open_pooled(from: &[PathBuf]) -> Result<Self> {
        let [first, others @ ..] = from else {
            return Err(Error::input(std::path::Path::new("."), "no folder", "one at least", ""));
        };
        let first = Self::open_checked(first)?;
        if others.is_empty() {
            return Ok(first);
        }
        let sources = std::iter::once(Ok(first))
            .chain(others.iter().map(|from| Self::open_checked(from)))
            .collect::<Result<Vec<_>>>()?;
        refuse_repeated_runs(&sources)?;
        let mut to = begun().map_err(|e| sources[0].fault(e))?;
        let mut taken = Taken::default();
        let mut folders = Vec::new();
        for source in &sources {
            let added = add(source, &to, taken).map_err(|e| source.fault(e))?;
            folders.push((added.runs, source.folder().to_owned()));
            taken = added;
        }
        finish(&mut to).map_err(|e| sources[0].fault(e))?;
        Ok(Self::of_parts(sources, to, taken.frames, folders))
    }
}

fn begun() -> rusqlite::Result<Connection> {
    let mut to = Connection::open("")?;
    set_limits(&to)?;
    schema::migrate(&mut to)?;
    to.execute_batch("PRAGMA foreign_keys = OFF; BEGIN")?;
    Ok(to)
}

fn finish(to: &mut Connection) -> rusqlite::Result<()> {
    to.execute_batch("COMMIT")
}

/// The same run in two folders: one is a copy of the other.
fn refuse_repeated_runs(sources: &[Records]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for source in sources {
        for run in ids(&source.connection, "SELECT mark FROM runs").map_err(|e| source.fault(e))? {
            // Runs whose row was damaged have none.
            if run != 0 && !seen.insert(run) {
                let found = "a run that another folder has too";
                return Err(Error::input(source.path(), found, "each run once", "Name one of the two folders only"));
            }
        }
    }
    Ok(())
}

/// Copies the records of a folder; returns the numbers then in use.
fn add(source: &Records, to: &Connection, taken: Taken) -> rusqlite::Result<Taken> {
    let from = &source.connection;
    let mut most = taken;
    let plus = |value: Value, by: i64| match value {
        Value::Integer(number) => Value::Integer(number.saturating_add(by)),
        other => other,
    };
    for run in ids(from, "SELECT id FROM runs")? {
        most.runs = most.runs.max(taken.runs.saturating_add(run));
        for table in [("runs", "id"), ("models", "run")] {
            copied_as(from, to, table, run, &mut |column, value| match column {
                "id" | "run" => plus(value, taken.runs),
                _ => value,
            })?;
        }
    }
    for sample in ids(from, "SELECT id FROM samples")? {
        most.samples = most.samples.max(taken.samples.saturating_add(sample));
        copied_as(from, to, ("samples", "id"), sample, &mut |column, value| match column {
            "id" => plus(value, taken.samples),
            _ => value,
        })?;
    }
    for event in ids(from, "SELECT id FROM events NOT INDEXED")? {
        most.events = most.events.max(taken.events.saturating_add(event));
        copied_as(from, to, ("events", "id"), event, &mut |column, value| match column {
            "id" => plus(value, taken.events),
            "run" => plus(value, taken.runs),
            _ => value,
        })?;
    }
    for frame in ids(from, "SELECT id FROM frames")?.into_iter().filter(|frame| *frame <= source.newest()) {
        most.frames = most.frames.max(taken.frames.saturating_add(frame));
        for table in [("frames", "id"), ("cells", "frame")] {
            copied_as(from, to, table, frame, &mut |column, value| match (table.0, column) {
                ("frames", "id") | ("cells", "frame") => plus(value, taken.frames),
                ("frames", "run") => plus(value, taken.runs),
                ("frames", "sample") => plus(value, taken.samples),
                _ => value,
            })?;
        }
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{path::Path, sync::Arc};

    use bloodseg_clock::{Clock, SystemClock};

    use super::*;
    use crate::{
        fixture::{record, run},
        keeper::Keeper,
        sample::Sample,
        store::{read::Filter, retention::Retention},
    };

    const PLENTY: Retention = Retention { most_bytes: u64::MAX >> 1, most_age_ms: None, oldest_make_room: false };

    /// Records of a sample in a folder of this name.
    fn folder(root: &Path, name: &str, of: &str, frames: u64) -> PathBuf {
        let folder = root.join(name);
        std::fs::create_dir(&folder).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let mut keeper = Keeper::open(&folder, &run(None), &PLENTY, clock).unwrap();
        let sample = Arc::new(Sample { name: of.into(), ..Sample::default() });
        for number in 1..=frames {
            let mut record = record(number, 3);
            record.sample = Some(Arc::clone(&sample));
            keeper.keep(&record);
        }
        keeper.end("done", 0);
        folder
    }

    #[test]
    fn folders_are_pooled_and_shared_sample_is_one() {
        let root = tempfile::tempdir().unwrap();
        let folders = [
            folder(root.path(), "a", "S-1", 3),
            folder(root.path(), "b", "S-1", 2),
            folder(root.path(), "c", "S-2", 4),
        ];
        let records = Records::open_pooled(&folders).unwrap();
        let of = |name: &str| Filter { sample: Some(name.into()), ..Filter::default() };
        assert_eq!(records.count(&of("S-1")).unwrap().0, 5);
        assert_eq!(records.count(&of("S-2")).unwrap().0, 4);
        assert_eq!(records.runs().unwrap(), Some((1, 3)));
        let mut seen = Vec::new();
        records
            .whole_frames::<crate::error::Error>(&of("S-1"), |frame, cells| {
                seen.push((frame.run, frame.number, cells.len() as i64 == frame.cells));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(1, 1, true), (1, 2, true), (1, 3, true), (2, 1, true), (2, 2, true)]);
        assert_eq!((records.folder_of(2), records.folder_of(3)), (folders[1].as_path(), folders[2].as_path()));
    }

    #[test]
    fn repeated_run_is_rejected() {
        let root = tempfile::tempdir().unwrap();
        let one = folder(root.path(), "a", "S-1", 3);
        let error = Records::open_pooled(&[one.clone(), one.clone()]).unwrap_err();
        assert!(error.to_string().contains("a run that another folder has too"), "{error}");
        assert_eq!(Records::open_pooled(&[one]).unwrap().count(&Filter::default()).unwrap().0, 3);
        assert!(Records::open_pooled(&[]).is_err());
    }
}
