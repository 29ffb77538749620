//! Reads damaged records from a copy of their sound part: a private SQLite database that is deleted when it is closed.

use rusqlite::{Connection, params, types::Value};

use super::{
    damage::{Span, ids, is_damage, is_frame_sound, without_damage},
    schema, set_limits,
    sum::Summed,
};
use bloodseg_vision::geometry::SCALE;

/// Name of a run whose own row is damaged.
const DAMAGED: &str = "(damaged)";

/// Copies what is sound, up to the frame with number `newest`.
///
/// # Errors
/// Those of SQLite, other than damage; for example, that the disk for temporary files is full.
pub(super) fn sound_rows(from: &Connection, newest: i64) -> rusqlite::Result<Connection> {
    // A file without a name, which SQLite deletes.
    let mut to = Connection::open("")?;
    set_limits(&to)?;
    schema::migrate(&mut to)?;
    to.execute_batch("PRAGMA foreign_keys = OFF; BEGIN")?;
    if let Some((span, _)) = Span::of(from)? {
        for id in span.first..=span.last.min(newest) {
            if is_frame_sound(from, id)? == Some(true) {
                copied(from, &to, "frames", "id", id)?;
                copied(from, &to, "cells", "frame", id)?;
            }
        }
    }
    for (summed, sql) in [
        (Summed::Run, "SELECT id FROM runs"),
        (Summed::Event, "SELECT id FROM events NOT INDEXED"),
        (Summed::Sample, "SELECT id FROM samples"),
    ] {
        for id in ids(from, sql)? {
            if without_damage(summed.is_sound(from, id))? != Some(true) {
                continue;
            }
            match summed {
                Summed::Run => {
                    copied(from, &to, "runs", "id", id)?;
                    copied(from, &to, "models", "run", id)?;
                }
                Summed::Event => copied(from, &to, "events", "id", id)?,
                _ => copied(from, &to, "samples", "id", id)?,
            }
        }
    }
    to.execute(
        "INSERT INTO runs (id, mark, started_utc_ms, started_box_ms, source, description, pitch_from, scale, software, notes)
         SELECT run, 0, min(at_utc_ms), min(box_ms), ?1, '', '', ?2, '', '' FROM frames
         WHERE run NOT IN (SELECT id FROM runs) GROUP BY run",
        params![DAMAGED, SCALE],
    )?;
    to.execute(
        "INSERT INTO samples (id, name, operator, stain, note, first_utc_ms)
         SELECT sample, ?1, '', '', '', min(at_utc_ms) FROM frames
         WHERE sample NOT NULL AND sample NOT IN (SELECT id FROM samples) GROUP BY sample",
        [DAMAGED],
    )?;
    to.execute_batch("COMMIT")?;
    Ok(to)
}

/// Copies all rows whose `key` is `id`. Both databases have the same tables.
fn copied(from: &Connection, to: &Connection, table: &str, key: &str, id: i64) -> rusqlite::Result<()> {
    copied_as(from, to, (table, key), id, &mut |_, value| value)
}

/// The same, with each value changed by `as_new`, which gets the name of its column.
pub(super) fn copied_as(
    from: &Connection,
    to: &Connection,
    (table, key): (&str, &str),
    id: i64,
    as_new: &mut dyn FnMut(&str, Value) -> Value,
) -> rusqlite::Result<()> {
    let mut select = from.prepare_cached(&format!("SELECT * FROM {table} WHERE {key} = ?1"))?;
    let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let mut insert = to.prepare_cached(&format!("INSERT OR IGNORE INTO {table} VALUES ({places})"))?;
    let mut rows = select.query([id])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(()),
            // Cells that are beyond what was sound a moment ago.
            Err(error) if is_damage(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let value = |(at, name): (usize, &String)| Ok(as_new(name, row.get::<_, Value>(at)?));
        let values = columns.iter().enumerate().map(value).collect::<rusqlite::Result<Vec<_>>>()?;
        insert.execute(rusqlite::params_from_iter(values))?;
    }
}
