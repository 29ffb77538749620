//! Reads the data of a run itself: how it began and ended, its models, its extent, its events.

use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::read::{Filter, Records, text};
use crate::{error::Result, sample::Sample};
use bloodseg_vision::{geometry::SCALE, placement::PitchSource};

/// A run as it was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunRow {
    /// Its number.
    pub id: i64,
    /// When it started, milliseconds since 1970.
    pub started_utc_ms: i64,
    /// The same in running time of the box.
    pub started_box_ms: i64,
    /// Name of the source.
    pub source: String,
    /// What the source is.
    pub description: String,
    /// Size of a frame's pixel in the specimen, if known.
    pub um_per_px: Option<f64>,
    /// How it is known.
    pub pitch_from: String,
    /// Pixels of the super-resolved grid per pixel of the frame, along one axis.
    pub scale: u32,
    /// Version of the software that ran.
    pub software: String,
    /// Flags that change what is counted.
    pub notes: String,
    /// When it ended, milliseconds since 1970; none if no end is recorded.
    pub ended_utc_ms: Option<i64>,
    /// How it ended.
    pub ended: Option<String>,
    /// Frames that could not be kept.
    pub not_kept: i64,
}

/// A model that a run used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelRow {
    /// `ssr` or `unet`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// The pitch of a run's frames from one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PitchRow {
    /// The source.
    pub source: PitchSource,
    /// Frames.
    pub frames: u64,
    /// Minimum and maximum size of an input pixel, in micrometres.
    pub um_per_px: Option<[f64; 2]>,
    /// The interval that contains all of them, if they are estimates.
    pub um_per_px_range: Option<[f64; 2]>,
    /// Minimum and maximum number of input pixels per analysed pixel.
    pub scale: [f64; 2],
    /// Mean size of a pixel of the super-resolved grid, in micrometres.
    pub um_per_sr_px: Option<f64>,
}

/// Extent of the frames of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Recorded frames.
    pub frames: u64,
    /// Minimum and maximum frame number.
    pub numbers: Option<(i64, i64)>,
    /// Earliest and latest time, milliseconds since 1970.
    pub utc_ms: Option<(i64, i64)>,
    /// The same in running time of the box.
    pub box_ms: Option<(i64, i64)>,
    /// Frames dropped up to the last one.
    pub dropped: i64,
}

/// Something that happened to a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRow {
    /// When, milliseconds since 1970.
    pub at_utc_ms: i64,
    /// The same in running time of the box.
    pub box_ms: i64,
    /// What kind.
    pub kind: String,
    /// What happened.
    pub text: String,
}

impl Records {
    /// The run with this number, if any.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when it cannot be read.
    pub fn run(&self, run: i64) -> Result<Option<RunRow>> {
        let sql =
            "SELECT id, started_utc_ms, started_box_ms, source, description, um_per_px, pitch_from, scale, software,
                   notes, ended_utc_ms, ended, not_kept FROM runs WHERE id = ?1";
        let read = |row: &Row<'_>| {
            Ok(RunRow {
                id: row.get(0)?,
                started_utc_ms: row.get(1)?,
                started_box_ms: row.get(2)?,
                source: owned(row, 3)?,
                description: owned(row, 4)?,
                um_per_px: row.get(5)?,
                pitch_from: owned(row, 6)?,
                scale: row.get(7)?,
                software: owned(row, 8)?,
                notes: owned(row, 9)?,
                ended_utc_ms: row.get(10)?,
                ended: row.get::<_, Option<String>>(11)?,
                not_kept: row.get(12)?,
            })
        };
        self.connection.query_row(sql, [run], read).optional().map_err(|e| self.fault(e))
    }

    /// Numbers of the latest runs, at most `most`, in order; and their total number.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn latest_runs(&self, most: usize) -> Result<(Vec<i64>, u64)> {
        let all = "SELECT count(*) FROM runs";
        let all: i64 = self.connection.query_row(all, [], |row| row.get(0)).map_err(|e| self.fault(e))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = "SELECT id FROM (SELECT id FROM runs ORDER BY id DESC LIMIT ?1) ORDER BY id";
        let runs = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map([most], |row| row.get(0))?;
            rows.collect()
        });
        Ok((runs.map_err(|e| self.fault(e))?, all.unsigned_abs()))
    }

    /// Number of frames of a run, and of the cells counted in them; no cells if it has more than `most` frames.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn counted(&self, run: i64, most: u64) -> Result<(u64, Option<u64>)> {
        let number = |sql| self.connection.query_row(sql, [run], |row| row.get::<_, i64>(0)).map_err(|e| self.fault(e));
        let frames = number("SELECT count(*) FROM frames WHERE run = ?1")?.unsigned_abs();
        let cells = "SELECT coalesce(sum(cells), 0) FROM frames WHERE run = ?1 AND counted";
        let cells = (frames <= most).then(|| number(cells)).transpose()?;
        Ok((frames, cells.map(i64::unsigned_abs)))
    }

    /// The samples of a run's frames.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn samples_of_run(&self, run: i64) -> Result<Vec<Sample>> {
        let sql = "SELECT name, operator, stain, note FROM samples
                   WHERE id IN (SELECT DISTINCT sample FROM frames WHERE run = ?1) ORDER BY id LIMIT 16";
        self.read_samples(sql, &run)
    }

    fn read_samples(&self, sql: &str, value: &dyn ToSql) -> Result<Vec<Sample>> {
        let samples = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| {
                Ok(Sample {
                    name: owned(row, 0)?,
                    operator: owned(row, 1)?,
                    stain: owned(row, 2)?,
                    note: owned(row, 3)?,
                })
            };
            let rows = statement.query_map([value], read)?;
            rows.collect()
        });
        samples.map_err(|e| self.fault(e))
    }

    /// The samples with this name: several if operator, stain or note differ.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn samples(&self, name: &str) -> Result<Vec<Sample>> {
        self.read_samples("SELECT name, operator, stain, note FROM samples WHERE name = ?1 ORDER BY id LIMIT 16", &name)
    }

    /// Names of the latest samples, at most `most`.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn sample_names(&self, most: usize) -> Result<Vec<String>> {
        let sql = "SELECT name FROM samples GROUP BY name ORDER BY max(id) DESC LIMIT ?1";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let names = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map([most], |row| owned(row, 0))?;
            rows.collect()
        });
        names.map_err(|e| self.fault(e))
    }

    /// The mark of a run, which no run of another folder has; 0 if there is no such run.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when it cannot be read.
    pub fn mark_of_run(&self, run: i64) -> Result<i64> {
        let mark = self.connection.query_row("SELECT mark FROM runs WHERE id = ?1", [run], |row| row.get(0));
        mark.optional().map(Option::unwrap_or_default).map_err(|e| self.fault(e))
    }

    /// Numbers of the runs with frames of a sample.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn runs_of_sample(&self, name: &str) -> Result<Vec<i64>> {
        let sql =
            "SELECT DISTINCT run FROM frames WHERE sample IN (SELECT id FROM samples WHERE name = ?1) ORDER BY run";
        let runs = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map([name], |row| row.get(0))?;
            rows.collect()
        });
        runs.map_err(|e| self.fault(e))
    }

    /// The models of a run, in the order of their roles.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn models(&self, run: i64) -> Result<Vec<ModelRow>> {
        let sql = "SELECT role, name, version, sha256 FROM models WHERE run = ?1 ORDER BY role LIMIT 16";
        let models = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| {
                Ok(ModelRow {
                    role: owned(row, 0)?,
                    name: owned(row, 1)?,
                    version: owned(row, 2)?,
                    sha256: owned(row, 3)?,
                })
            };
            let rows = statement.query_map([run], read)?;
            rows.collect()
        });
        models.map_err(|e| self.fault(e))
    }

    /// The pitch of a run's frames by source, the most frequent first.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when it cannot be read.
    pub fn pitches(&self, of: &Filter) -> Result<Vec<PitchRow>> {
        let sql =
            "SELECT pitch_source, count(*), min(um_per_px), max(um_per_px), min(um_per_px_low), max(um_per_px_high),
                   min(input_scale), max(input_scale), avg(um_per_px * input_scale) FROM frames
                   WHERE (?1 IS NULL OR run = ?1) AND (?2 IS NULL OR sample IN (SELECT id FROM samples WHERE name = ?2))
                   GROUP BY pitch_source ORDER BY count(*) DESC, pitch_source LIMIT 8";
        let pitches = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let both = |row: &Row<'_>, first: usize| {
                let ends: (Option<f64>, Option<f64>) = (row.get(first)?, row.get(first + 1)?);
                Ok::<_, rusqlite::Error>(ends.0.zip(ends.1).map(|(least, greatest)| [least, greatest]))
            };
            let read = |row: &Row<'_>| {
                Ok(PitchRow {
                    source: PitchSource::of_name(&owned(row, 0)?).unwrap_or_default(),
                    frames: row.get::<_, i64>(1)?.unsigned_abs(),
                    um_per_px: both(row, 2)?,
                    um_per_px_range: both(row, 4)?,
                    scale: both(row, 6)?.unwrap_or([1.0; 2]),
                    um_per_sr_px: row.get::<_, Option<f64>>(8)?.map(|um| um / f64::from(SCALE)),
                })
            };
            let rows = statement.query_map(params![of.run, of.sample], read)?;
            rows.collect()
        });
        pitches.map_err(|e| self.fault(e))
    }

    /// Extent of the frames of a run or a sample.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn extent(&self, of: &Filter) -> Result<Extent> {
        let sql = "SELECT count(*), min(number), max(number), min(at_utc_ms), max(at_utc_ms), min(box_ms), max(box_ms),
                   max(dropped) FROM frames WHERE (?1 IS NULL OR run = ?1) AND (?2 IS NULL OR sample IN
                   (SELECT id FROM samples WHERE name = ?2))";
        let read = |row: &Row<'_>| {
            let pair = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.zip(row.get(at + 1)?));
            Ok(Extent {
                frames: row.get::<_, i64>(0)?.unsigned_abs(),
                numbers: pair(1)?,
                utc_ms: pair(3)?,
                box_ms: pair(5)?,
                dropped: row.get::<_, Option<i64>>(7)?.unwrap_or(0),
            })
        };
        self.connection.query_row(sql, params![of.run, of.sample], read).map_err(|e| self.fault(e))
    }

    /// The latest events of a run, at most `most`, in order; and their total number.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn events(&self, run: i64, most: usize) -> Result<(Vec<EventRow>, u64)> {
        let all = "SELECT count(*) FROM events WHERE run = ?1";
        let all: i64 = self.connection.query_row(all, [run], |row| row.get(0)).map_err(|e| self.fault(e))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql =
            "SELECT at_utc_ms, box_ms, kind, text FROM (SELECT * FROM events WHERE run = ?1 ORDER BY id DESC LIMIT ?2)
                   ORDER BY id";
        let events = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let read = |row: &Row<'_>| {
                Ok(EventRow { at_utc_ms: row.get(0)?, box_ms: row.get(1)?, kind: owned(row, 2)?, text: owned(row, 3)? })
            };
            let rows = statement.query_map(params![run, most], read)?;
            rows.collect()
        });
        Ok((events.map_err(|e| self.fault(e))?, all.unsigned_abs()))
    }
}

/// An owned text.
fn owned(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    let mut owned = String::new();
    text(row, at, &mut owned)?;
    Ok(owned)
}
