//! Finds damage in the records, row by row.

use std::fmt;

use rusqlite::{Connection, ErrorCode};

use super::{limits::MAX_NAMED_DAMAGED, sum::Summed};

/// The damaged parts of the records. Damaged frames are skipped by everything that reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// Frames.
    pub frames: u64,
    /// Database numbers of the first of them.
    pub named: Vec<i64>,
    /// Runs: their frames are there, but the row of the run is damaged.
    pub runs: u64,
    /// Events.
    pub events: u64,
    /// Samples.
    pub samples: u64,
    /// Whether an index, or the row that tracks the range of frames, was damaged: nothing is lost by that.
    pub index: bool,
    /// What is wrong with the write-ahead log.
    pub log: Option<String>,
}

impl Damage {
    /// Whether there is any damage.
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// Adds the damage of other records; which frames it concerns is then unknown.
    pub(super) fn add(&mut self, other: Self) {
        let Self { frames, named: _, runs, events, samples, index, log } = other;
        self.frames += frames;
        self.runs += runs;
        self.events += events;
        self.samples += samples;
        self.index |= index;
        self.log = self.log.take().or(log);
        // Numbers of several databases.
        self.named.clear();
    }

    /// Whether rows are damaged, so that they have to be skipped.
    pub(super) fn is_of_rows(&self) -> bool {
        self.frames + self.runs + self.events + self.samples > 0 || self.index
    }

    fn frame(&mut self, id: i64) {
        self.frames += 1;
        if self.named.len() < MAX_NAMED_DAMAGED {
            self.named.push(id);
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.frames > 0 {
            let named: Vec<String> = self.named.iter().map(i64::to_string).collect();
            let more = if self.frames > self.named.len() as u64 { ", ..." } else { "" };
            let numbers =
                if named.is_empty() { String::new() } else { format!(" (number {}{more})", named.join(", ")) };
            parts.push(format!("{}{numbers}", counted(self.frames, "frame")));
        }
        for (count, what) in [(self.runs, "run"), (self.events, "event"), (self.samples, "sample")] {
            if count > 0 {
                parts.push(counted(count, what));
            }
        }
        if self.index {
            parts.push("an index".into());
        }
        parts.extend(self.log.clone());
        f.write_str(&parts.join(", "))
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// First and last number of the frames that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    /// From the row that tracks the range; from the frames if that row is damaged.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Option<(Self, bool)>> {
        let both = |sql: &str| {
            connection.query_row(sql, [], |row| {
                let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
                Ok(first.zip(last).map(|(first, last)| Self { first, last }))
            })
        };
        if without_damage(Summed::State.is_sound(connection, 1))? == Some(true) {
            return Ok(both("SELECT oldest, newest FROM state")?.map(|span| (span, true)));
        }
        let Some(span) = both("SELECT min(id), max(id) FROM frames")? else { return Ok(None) };
        // A number may be damaged too: there cannot be more frames than fit.
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let last = span.last.min(span.first.saturating_add(pages.saturating_mul(MAX_FRAMES_A_PAGE)));
        Ok(Some((Self { last, ..span }, false)))
    }
}

/// More frame rows than fit on a page of 64 KiB.
const MAX_FRAMES_A_PAGE: i64 = 1024;

/// Treats a damaged page as a damaged row.
///
/// # Errors
/// All other errors of SQLite.
pub(super) fn without_damage(sound: rusqlite::Result<Option<bool>>) -> rusqlite::Result<Option<bool>> {
    match sound {
        Err(error) if is_damage(&error) => Ok(Some(false)),
        other => other,
    }
}

/// Whether SQLite reports a damaged page, or a value of another type than its column.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
        || matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
        )
}

/// Examines the records, up to the frame with number `newest`.
///
/// # Errors
/// Those of SQLite, other than damage.
pub(super) fn find(connection: &Connection, newest: i64) -> rusqlite::Result<Damage> {
    let mut damage = Damage::default();
    match Span::of(connection)? {
        None => {}
        Some((span, stated)) => {
            damage.index |= !stated;
            for id in span.first..=span.last.min(newest) {
                match is_frame_sound(connection, id)? {
                    Some(true) => damage.index |= !is_indexed(connection, id)?,
                    // Deleted meanwhile, to make room.
                    None if Span::of(connection)?.is_some_and(|(now, _)| id < now.first) => {}
                    _ => damage.frame(id),
                }
            }
        }
    }
    for (summed, sql, count) in [
        (Summed::Run, "SELECT id FROM runs", &mut damage.runs),
        (Summed::Event, "SELECT id FROM events NOT INDEXED", &mut damage.events),
        (Summed::Sample, "SELECT id FROM samples", &mut damage.samples),
    ] {
        for id in ids(connection, sql)? {
            *count += u64::from(without_damage(summed.is_sound(connection, id))? == Some(false));
        }
    }
    damage.index |= !are_counts_equal(connection)?;
    Ok(damage)
}

/// Whether a frame, its cells and its run are as they were written; none if there is no such frame.
///
/// # Errors
/// Those of SQLite, other than damage.
pub(super) fn is_frame_sound(connection: &Connection, id: i64) -> rusqlite::Result<Option<bool>> {
    without_damage(Summed::Frame.is_sound(connection, id))
}

/// Numbers of rows, as far as they can be read.
pub(super) fn ids(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut ids = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => ids.push(row.get(0)?),
            Ok(None) => return Ok(ids),
            Err(error) if is_damage(&error) => {
                // What follows cannot be found: it counts as one damaged row.
                ids.push(i64::MIN);
                return Ok(ids);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the indices contain a frame, and its run exists.
fn is_indexed(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM frames INDEXED BY frames_of_run WHERE run = f.run AND id = f.id)
               AND EXISTS (SELECT 1 FROM frames INDEXED BY frames_of_sample WHERE sample IS f.sample AND id = f.id)
               AND EXISTS (SELECT 1 FROM runs WHERE id = f.run) FROM frames f WHERE f.id = ?1";
    let known = connection.prepare_cached(sql)?.query_row([id], |row| row.get(0).map(Some));
    match known {
        // Deleted meanwhile.
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(true),
        known => Ok(without_damage(known)? == Some(true)),
    }
}

/// Whether tables and their indices have the same number of rows.
fn are_counts_equal(connection: &Connection) -> rusqlite::Result<bool> {
    let sql =
        "SELECT (SELECT count(*) FROM frames NOT INDEXED) = (SELECT count(*) FROM frames INDEXED BY frames_of_run)
               AND (SELECT count(*) FROM events NOT INDEXED) = (SELECT count(*) FROM events INDEXED BY events_of_run)";
    let equal = connection.query_row(sql, [], |row| row.get(0).map(Some));
    Ok(without_damage(equal)? == Some(true))
}

#[cfg(test)]
mod tests;
