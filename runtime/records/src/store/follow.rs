//! Follows records while a run adds to them: frames in the order in which they became durable, with the data of their run
//! and cells that is published with them.
//!
//! It uses its own read-only connection. With a write-ahead log, it and the keeper never wait for each other; a rollback
//! journal would block the keeper, so such records are not followed at all. Reads are short, so that the log can be
//! cleared between them.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Fault,
    damage::is_frame_sound,
    open_to_read,
    read::{COLUMN_COUNT, COLUMNS, FrameRow},
};

/// Index of the run's mark, after [`COLUMNS`].
const MARK: usize = COLUMN_COUNT;

/// A frame, and what is published with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FollowedFrame {
    /// As it was recorded.
    pub frame: FrameRow,
    /// The mark of its run.
    pub run_mark: i64,
    /// Mean equivalent diameter of the cells (without platelets) that are supported and not cut by the border, in pixels
    /// of the super-resolved grid.
    pub mean_diameter_px: Option<f64>,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Follower(Connection);

impl Follower {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// Those of [`open_to_read`], and [`Fault::Refused`] if a rollback journal is used.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let connection = open_to_read(path)?;
        let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        if journal.eq_ignore_ascii_case("wal") {
            return Ok(Self(connection));
        }
        Err(Fault::Refused(
            "a rollback journal is used there, since the file system shares no memory between processes; MQTT would hold up \
             the records. Choose a folder on a disk of the box"
                .into(),
        ))
    }

    /// Number of the oldest frame.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be read, as for everything below.
    pub fn oldest(&self) -> Result<Option<i64>, Fault> {
        Ok(self.0.query_row("SELECT min(id) FROM frames", [], |row| row.get(0))?)
    }

    /// Number of the newest frame.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn newest(&self) -> Result<Option<i64>, Fault> {
        Ok(self.0.prepare_cached("SELECT max(id) FROM frames")?.query_row([], |row| row.get(0))?)
    }

    /// The mark of a run; none if there is no such run.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn mark_of(&self, run: i64) -> Result<Option<i64>, Fault> {
        Ok(self.0.query_row("SELECT mark FROM runs WHERE id = ?1", [run], |row| row.get(0)).optional()?)
    }

    /// Whether there are runs, and all of them are newer than this one.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn all_came_after(&self, run: i64) -> Result<bool, Fault> {
        let later = |row: &Row<'_>| row.get::<_, Option<bool>>(0);
        Ok(self.0.query_row("SELECT min(id) > ?1 FROM runs", [run], later)? == Some(true))
    }

    /// At most `most` frames after number `after`. Damaged frames are skipped, as if they did not exist any more.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn after(&self, mut after: i64, most: usize) -> Result<Vec<FollowedFrame>, Fault> {
        loop {
            let (found, last) = self.sound_after(after, most)?;
            match last {
                Some(last) if found.is_empty() => after = last,
                _ => return Ok(found),
            }
        }
    }

    /// The sound ones of the next `most` frames, and the last of them all.
    fn sound_after(&self, after: i64, most: usize) -> Result<(Vec<FollowedFrame>, Option<i64>), Fault> {
        let sql = format!(
            "SELECT {COLUMNS}, r.mark FROM frames f CROSS JOIN runs r ON r.id = f.run WHERE f.id > ?1 ORDER BY f.id LIMIT ?2"
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = statement.query(params![after, i64::try_from(most).unwrap_or(i64::MAX)])?;
        let (mut found, mut last) = (Vec::with_capacity(most), None);
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            last = Some(id);
            // All from one snapshot: a frame deleted meanwhile is still visible.
            if is_frame_sound(&self.0, id)? == Some(true) {
                found.push(self.followed(row)?);
            } else {
                log::error!("frame {id} in the database is damaged, and is skipped");
            }
        }
        Ok((found, last))
    }

    /// The newest frame.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn newest_frame(&self) -> Result<Option<FollowedFrame>, Fault> {
        let sql = format!(
            "SELECT {COLUMNS}, r.mark FROM frames f CROSS JOIN runs r ON r.id = f.run ORDER BY f.id DESC LIMIT 1"
        );
        Ok(self.0.prepare_cached(&sql)?.query_row([], |row| self.followed(row)).optional()?)
    }

    fn followed(&self, row: &Row<'_>) -> rusqlite::Result<FollowedFrame> {
        let mut frame = FrameRow::default();
        frame.read(row)?;
        let mean_diameter_px = self.mean_diameter_px(frame.id)?;
        Ok(FollowedFrame { frame, run_mark: row.get(MARK)?, mean_diameter_px })
    }

    fn mean_diameter_px(&self, frame: i64) -> rusqlite::Result<Option<f64>> {
        let sql = "SELECT area_px FROM cells WHERE frame = ?1 AND supported AND NOT touches_border AND
                   kind IS NOT 'platelet'";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query([frame])?;
        let (mut sum, mut cells) = (0.0, 0_u32);
        while let Some(row) = rows.next()? {
            sum += (4.0 * row.get::<_, i64>(0)? as f64 / std::f64::consts::PI).sqrt();
            cells += 1;
        }
        Ok((cells > 0).then(|| sum / f64::from(cells)))
    }
}
