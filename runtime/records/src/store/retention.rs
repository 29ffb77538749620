//! Deletes the oldest frames when there is too much, a few at a time, never the newest.
//!
//! Age is counted in running time of the box (`box_ms`), which continues from run to run and never jumps: a clock that is
//! off by years deletes nothing, and keeps nothing for ever.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{
    sum::Summed,
    write::{cut, within},
};
use crate::store::limits::{
    RECORDS_LOG_BYTES, RETENTION_STEP_CELLS, RETENTION_STEP_FRAMES, RETENTION_STEP_PAGES, RETENTION_STEP_RUNS,
};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Maximum bytes of the database and its log together; a log that a reader holds up counts with its ordinary length.
    pub most_bytes: u64,
    /// Maximum age of a frame, in milliseconds of running time; without it frames do not age.
    pub most_age_ms: Option<i64>,
    /// Whether acknowledged frames are deleted for new ones if the disk is full, down to half of them.
    pub oldest_make_room: bool,
}

/// Bytes of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Pages in use.
    pub used: u64,
    /// Free pages: the next frames go there.
    pub free: u64,
    /// The log that is not yet merged into the database, or was and will be overwritten.
    pub log: u64,
}

impl Bytes {
    /// What the records take now; `log` is the file of their log ([`super::log_of`]).
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn of(connection: &Connection, log: &Path) -> rusqlite::Result<Self> {
        let number = |sql: &str| -> rusqlite::Result<u64> {
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
        };
        let (pages, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
        let page_bytes = number("PRAGMA page_size")?;
        let log = std::fs::metadata(log).map_or(0, |file| file.len());
        Ok(Self { used: pages.saturating_sub(free) * page_bytes, free: free * page_bytes, log })
    }

    /// All of it.
    pub fn all(self) -> u64 {
        self.used + self.free + self.log
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Frames that were deleted.
    pub deleted: u64,
    /// What is there now.
    pub bytes: Bytes,
    /// Whether it is within its limits now, or another step may get it there.
    pub fits: bool,
}

/// The last frame written: it always stays.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// Its number in the database.
    pub id: i64,
    /// Its cells and platelets: twice as many may be deleted in one step.
    pub cells: u64,
}

/// One bounded step towards what `retention` allows; called after every frame.
///
/// # Errors
/// Those of SQLite; what was deleted before stays deleted.
pub fn step(
    connection: &Connection,
    log: &Path,
    retention: &Retention,
    newest: Newest,
    box_ms: i64,
) -> rusqlite::Result<Step> {
    let before = Bytes::of(connection, log)?;
    // The log counts up to its ordinary length. If a reader holds it up it grows beyond that, and deleting frames would
    // make it longer still: acknowledged frames are not deleted because of a stalled reader.
    let room = retention.most_bytes - before.log.min(RECORDS_LOG_BYTES).min(retention.most_bytes / 2);
    let aged = match retention.most_age_ms {
        Some(age) => oldest(connection, newest.id)?.is_some_and(|frame| frame.box_ms < box_ms.saturating_sub(age)),
        None => false,
    };
    // A little under the limit, so that there is free space for the next frames and the file keeps its length.
    let full = room - room / 16;
    let deleted = if before.used > full {
        delete_oldest(connection, newest, i64::MAX)?
    } else if aged {
        delete_oldest(connection, newest, box_ms.saturating_sub(retention.most_age_ms.unwrap_or(i64::MAX)))?
    } else {
        0
    };
    if before.used + before.free > room && before.free > 0 {
        // One row per returned page.
        let sql = cut::<48>(format_args!("PRAGMA incremental_vacuum({RETENTION_STEP_PAGES})"));
        let mut vacuum = connection.prepare_cached(&sql)?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
    }
    let bytes = if deleted > 0 { Bytes::of(connection, log)? } else { before };
    let alone = oldest(connection, newest.id)?.is_none();
    Ok(Step { deleted, bytes, fits: bytes.used <= room || !alone })
}

/// Deletes the oldest frames to free space on a full disk, as long as `least_bytes` are in use. Returns how many.
///
/// # Errors
/// Those of SQLite.
pub fn make_room(connection: &Connection, log: &Path, least_bytes: u64, cells: u64) -> rusqlite::Result<u64> {
    if Bytes::of(connection, log)?.used < least_bytes {
        return Ok(0);
    }
    let id =
        connection.prepare_cached("SELECT max(id) FROM frames")?.query_row([], |row| row.get::<_, Option<i64>>(0))?;
    id.map_or(Ok(0), |id| delete_oldest(connection, Newest { id, cells }, i64::MAX))
}

struct Oldest {
    id: i64,
    run: i64,
    box_ms: i64,
    cells: u64,
}

fn oldest(connection: &Connection, newest: i64) -> rusqlite::Result<Option<Oldest>> {
    let mut sql = connection.prepare_cached(
        "SELECT id, run, box_ms, cells + ifnull(platelets, 0) FROM frames WHERE id < ?1 ORDER BY id LIMIT 1",
    )?;
    let mut rows = sql.query([newest])?;
    rows.next()?
        .map(|row| {
            let cells = row.get::<_, i64>(3)?.unsigned_abs();
            Ok(Oldest { id: row.get(0)?, run: row.get(1)?, box_ms: row.get(2)?, cells })
        })
        .transpose()
}

/// Deletes frames before `newest` that are older than `before_box_ms`, the oldest first, as many as a step may. A run is
/// deleted with the last of its frames.
fn delete_oldest(connection: &Connection, newest: Newest, before_box_ms: i64) -> rusqlite::Result<u64> {
    within(connection, || {
        let most_cells = RETENTION_STEP_CELLS.max(2 * newest.cells);
        let (mut frames, mut cells, mut ended_run) = (0, 0, None);
        while frames < RETENTION_STEP_FRAMES && cells < most_cells {
            let Some(frame) = oldest(connection, newest.id)?.filter(|frame| frame.box_ms < before_box_ms) else {
                break;
            };
            connection.prepare_cached("DELETE FROM cells WHERE frame = ?1")?.execute([frame.id])?;
            connection.prepare_cached("DELETE FROM frames WHERE id = ?1")?.execute([frame.id])?;
            frames += 1;
            cells += frame.cells;
            ended_run = Some(frame.run);
        }
        if let Some(run) = ended_run {
            // Earlier runs have no frames any more; later ones may only have started.
            delete_empty_runs(connection, run)?;
            connection.prepare_cached("UPDATE state SET oldest = (SELECT min(id) FROM frames)")?.execute([])?;
            Summed::State.store(connection, 1)?;
        }
        Ok(frames)
    })
}

/// Deletes runs up to number `last` that have no frames, with their events, the oldest first, as many as a step may; the
/// newest run of all stays, so that no number is reused. A later step deletes the rest.
///
/// # Errors
/// Those of SQLite.
pub(super) fn delete_empty_runs(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM runs WHERE id IN (SELECT id FROM runs r WHERE id <= ?1 AND id < (SELECT max(id) FROM runs)
               AND NOT EXISTS (SELECT 1 FROM frames WHERE run = r.id) ORDER BY id LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![last, RETENTION_STEP_RUNS]).map(|_| ())
}
