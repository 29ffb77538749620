//! Checksums of what is recorded, so that a value that changes on disk is detected even if SQLite reads it without an
//! error.
//!
//! A checksum is the CRC-32 of the values of rows as SQLite stores them: one for each frame with all its cells, one for
//! each run with its models, one for each event and sample, and one for the row that tracks the range of frames. It is
//! computed from rows that are read back, so that writing and checking use the same code.

use crc32fast::Hasher;
use rusqlite::{Connection, OptionalExtension, types::ValueRef};

/// Columns of a frame covered by its checksum.
const FRAME: &str = "SELECT id, run, number, at_utc_ms, box_ms, image, verdict, sharpness, contrast_levels, clipped_share,
    depth_levels, brightness_levels, counted, cells, unsupported, tiles, dropped, ssr_ms, unet_ms, tiling_ms, cells_ms,
    total_ms, width_px, height_px, um_per_px, um_per_px_low, um_per_px_high, pitch_source, input_scale, input_x_px,
    input_y_px, analysed_px, stem, red, white, platelets, sample, field, earlier, shift_x_px, shift_y_px, new_part, fresh, fresh_red,
    fresh_white, fresh_platelets FROM frames WHERE id = ?1";

/// Columns of its cells.
const CELLS: &str = "SELECT label, x_px, y_px, area_px, perimeter_px, eccentricity, touches_border, confidence,
    consistency_levels, supported, outline, kind, kind_confidence, seen FROM cells WHERE frame = ?1 ORDER BY label";

/// Columns of a run, and of its models.
const RUN: &str = "SELECT id, mark, started_utc_ms, started_box_ms, source, description, um_per_px, pitch_from, scale,
    software, notes, ended_utc_ms, ended, not_kept FROM runs WHERE id = ?1";
const MODELS: &str = "SELECT role, name, version, sha256 FROM models WHERE run = ?1 ORDER BY role";

const EVENT: &str = "SELECT id, run, at_utc_ms, box_ms, kind, text FROM events WHERE id = ?1";

const SAMPLE: &str = "SELECT id, name, operator, stain, note, first_utc_ms FROM samples WHERE id = ?1";

const STATE: &str = "SELECT id, box_ms, summed_from, oldest, newest FROM state WHERE id = ?1";

/// What has a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Summed {
    /// A frame and its cells.
    Frame,
    /// A run and its models.
    Run,
    /// An event.
    Event,
    /// A sample.
    Sample,
    /// The row that tracks the range of frames.
    State,
}

impl Summed {
    fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Frame => &[FRAME, CELLS],
            Self::Run => &[RUN, MODELS],
            Self::Event => &[EVENT],
            Self::Sample => &[SAMPLE],
            Self::State => &[STATE],
        }
    }

    /// The checksum of what is stored under this number.
    fn compute(self, connection: &Connection, id: i64) -> rusqlite::Result<i64> {
        let mut sum = Hasher::new();
        for sql in self.rows() {
            let mut statement = connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query([id])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    add(&mut sum, row.get_ref(column)?);
                }
                sum.update(b"row");
            }
        }
        Ok(i64::from(sum.finalize()))
    }

    /// Stores the checksum of a row that was written or changed.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn store(self, connection: &Connection, id: i64) -> rusqlite::Result<()> {
        let sum = self.compute(connection, id)?;
        let sql = match self {
            Self::Frame => "UPDATE frames SET sum = ?2 WHERE id = ?1",
            Self::Run => "UPDATE runs SET sum = ?2 WHERE id = ?1",
            Self::Event => "UPDATE events SET sum = ?2 WHERE id = ?1",
            Self::Sample => "UPDATE samples SET sum = ?2 WHERE id = ?1",
            Self::State => "UPDATE state SET sum = ?2 WHERE id = ?1",
        };
        connection.prepare_cached(sql)?.execute([id, sum]).map(|_| ())
    }

    /// Whether what is stored under this number is as it was written; none if there is nothing.
    ///
    /// # Errors
    /// Those of SQLite, among them that the pages of a row are damaged.
    pub(super) fn is_sound(self, connection: &Connection, id: i64) -> rusqlite::Result<Option<bool>> {
        // A row and its checksum from one snapshot, whatever a run writes or deletes meanwhile.
        let begun = connection.is_autocommit().then(|| connection.unchecked_transaction());
        let _moment = begun.transpose()?;
        let sql = match self {
            Self::Frame => "SELECT sum FROM frames WHERE id = ?1",
            Self::Run => "SELECT sum FROM runs WHERE id = ?1",
            Self::Event => "SELECT sum FROM events WHERE id = ?1",
            Self::Sample => "SELECT sum FROM samples WHERE id = ?1",
            Self::State => "SELECT sum FROM state WHERE id = ?1",
        };
        let stored = connection.prepare_cached(sql)?.query_row([id], |row| {
            // A checksum that is no longer a number is damage too.
            Ok(row.get_ref(0)?.as_i64_or_null().unwrap_or(Some(-1)))
        });
        match stored.optional()? {
            None => Ok(None),
            // Frames of earlier versions have none.
            Some(None) if self == Self::Frame && id < summed_from(connection)? => Ok(Some(true)),
            Some(stored) => Ok(Some(stored == Some(self.compute(connection, id)?))),
        }
    }
}

/// The first frame with a checksum.
fn summed_from(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT summed_from FROM state")?.query_row([], |row| row.get(0))
}

/// Adds a value: its type, its length, its bytes.
fn add(sum: &mut Hasher, value: ValueRef<'_>) {
    let mut bytes = |kind: u8, bytes: &[u8]| {
        sum.update(&[kind]);
        sum.update(&(bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    };
    match value {
        ValueRef::Null => bytes(0, &[]),
        ValueRef::Integer(number) => bytes(1, &number.to_le_bytes()),
        ValueRef::Real(number) => bytes(2, &number.to_bits().to_le_bytes()),
        ValueRef::Text(text) => bytes(3, text),
        ValueRef::Blob(blob) => bytes(4, blob),
    }
}
