//! What a run writes: one transaction per frame with all its cells, or nothing of it.

use std::fmt::Write;

use heapless::String as Text;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{damage::without_damage, retention::delete_empty_runs, sum::Summed};
use crate::{
    frame_record::FrameRecord,
    limits::{MAX_EVENT_BYTES, MAX_RECORD_NAME_BYTES},
    run_info::{ModelInfo, RunInfo},
    sample::Sample,
    store::limits::{MAX_EMPTY_RUNS, MAX_EVENTS},
};
use bloodseg_clock::utc;
use bloodseg_vision::geometry::SCALE;

/// An event: something that happened to a run, other than a frame.
#[derive(Debug, Clone)]
pub struct Event {
    /// When, by the wall clock, milliseconds since 1970.
    pub at_utc_ms: i64,
    /// When, in running time of the box.
    pub box_ms: i64,
    /// Its kind, in one word.
    pub kind: Text<32>,
    /// What happened.
    pub text: Text<MAX_EVENT_BYTES>,
}

/// A text of at most this many bytes, cut between characters if it is longer.
pub fn cut<const N: usize>(text: impl std::fmt::Display) -> Text<N> {
    struct Cut<const N: usize>(Text<N>);
    impl<const N: usize> Write for Cut<N> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            text.chars().try_for_each(|character| self.0.push(character).map_err(|_| std::fmt::Error))
        }
    }
    let mut whole = Cut(Text::new());
    // An error means that the rest did not fit.
    let _ = write!(whole, "{text}");
    whole.0
}

/// Total running time of the box in whole milliseconds, as stored in the database.
///
/// # Errors
/// Those of SQLite.
pub fn box_ms(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT box_ms FROM state", [], |row| row.get(0))
}

/// Whether the row with the running time and the range of frames is sound.
///
/// # Errors
/// Those of SQLite.
pub fn is_state_sound(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(without_damage(Summed::State.is_sound(connection, 1))? == Some(true))
}

/// Rebuilds that row from the frames.
///
/// # Errors
/// Those of SQLite; nothing is then changed.
pub fn restore_state(connection: &Connection) -> rusqlite::Result<()> {
    within(connection, || {
        connection.execute(
            "INSERT OR REPLACE INTO state (id, box_ms, summed_from, oldest, newest)
             SELECT 1, ifnull(max(box_ms), 0), ifnull((SELECT min(id) FROM frames WHERE sum NOT NULL), ifnull(max(id), 0) + 1), min(id), max(id)
             FROM frames",
            [],
        )?;
        Summed::State.store(connection, 1)
    })
}

/// Starts a run, and returns its number. Of earlier runs without frames only the latest [`MAX_EMPTY_RUNS`] are kept: a
/// program that repeatedly ends right after its start leaves no more than these and their events.
///
/// # Errors
/// Those of SQLite; nothing is then written.
pub fn begin_run(connection: &Connection, run: &RunInfo, box_ms: i64) -> rusqlite::Result<i64> {
    within(connection, || {
        connection.execute(
            "INSERT INTO runs (mark, started_utc_ms, started_box_ms, source, description, um_per_px, pitch_from, scale, software,
             notes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                run.mark,
                utc::ms(run.started),
                box_ms,
                run.source,
                run.description,
                run.um_per_px,
                run.pitch_from,
                SCALE,
                run.software,
                run.notes
            ],
        )?;
        let id = connection.last_insert_rowid();
        insert_models(connection, id, &run.models)?;
        Summed::Run.store(connection, id)?;
        delete_empty_runs(connection, id.saturating_sub(MAX_EMPTY_RUNS))?;
        Ok(id)
    })
}

/// Replaces the models of a run.
///
/// # Errors
/// Those of SQLite; nothing is then changed.
pub fn models(connection: &Connection, run: i64, models: &[ModelInfo]) -> rusqlite::Result<()> {
    within(connection, || {
        connection.execute("DELETE FROM models WHERE run = ?1", [run])?;
        insert_models(connection, run, models)?;
        Summed::Run.store(connection, run)
    })
}

fn insert_models(connection: &Connection, run: i64, models: &[ModelInfo]) -> rusqlite::Result<()> {
    for model in models {
        connection.execute(
            "INSERT INTO models VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run, model.role, model.name, model.version, model.sha256],
        )?;
    }
    Ok(())
}

/// The number of a run that was started before, if it exists, and how many frames it is recorded to have lost: another
/// file may have taken the place of the one it started in.
///
/// # Errors
/// Those of SQLite.
pub fn find_run(connection: &Connection, run: &RunInfo) -> rusqlite::Result<Option<(i64, u64)>> {
    let sql = "SELECT id, not_kept FROM runs WHERE mark = ?1 ORDER BY id DESC LIMIT 1";
    let both = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
    connection.query_row(sql, [run.mark], both).optional()
}

/// Records how many frames of an ongoing run were not kept so far.
///
/// # Errors
/// Those of SQLite; nothing is then written.
pub fn lost(connection: &Connection, run: i64, frames: u64) -> rusqlite::Result<()> {
    within(connection, || {
        let sql = "UPDATE runs SET not_kept = ?2 WHERE id = ?1";
        connection.execute(sql, params![run, frames.cast_signed()])?;
        Summed::Run.store(connection, run)
    })
}

/// The number of a sample, which is written if it is new.
fn sample(connection: &Connection, sample: &Sample, now_utc_ms: i64) -> rusqlite::Result<i64> {
    let Sample { name, operator, stain, note } = sample;
    let sql = "SELECT id FROM samples WHERE name = ?1 AND operator = ?2 AND stain = ?3 AND note = ?4";
    let known = connection.prepare_cached(sql)?.query_row([name, operator, stain, note], |row| row.get(0));
    if let Some(id) = known.optional()? {
        return Ok(id);
    }
    connection.execute(
        "INSERT INTO samples (name, operator, stain, note, first_utc_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name, operator, stain, note, now_utc_ms],
    )?;
    let id = connection.last_insert_rowid();
    Summed::Sample.store(connection, id)?;
    // Samples of frames that retention has deleted.
    let unused = "DELETE FROM samples WHERE id < ?1 AND NOT EXISTS (SELECT 1 FROM frames WHERE sample = samples.id)";
    connection.execute(unused, [id])?;
    Ok(id)
}

/// Writes a frame and all its cells, and returns the frame's number in the database. When it returns, the frame is
/// durable.
///
/// # Errors
/// Those of SQLite; nothing of the frame is then stored, unless the disk failed during the commit.
pub fn frame(connection: &Connection, run: i64, record: &FrameRecord, box_ms: i64) -> rusqlite::Result<i64> {
    within(connection, || {
        let sample = record.sample.as_ref().map(|known| sample(connection, known, utc::ms(record.at))).transpose()?;
        let field = record.field.as_ref();
        let fresh = field.map(|field| field.fresh);
        let FrameRecord { quality, times, size_px, scaled, counts, .. } = record;
        connection
            .prepare_cached(
                "INSERT INTO frames (run, number, at_utc_ms, box_ms, image, verdict, sharpness, contrast_levels, clipped_share,
                 depth_levels, brightness_levels, counted, cells, unsupported, tiles, dropped, ssr_ms, unet_ms, tiling_ms,
                 cells_ms, total_ms, width_px, height_px, um_per_px, um_per_px_low, um_per_px_high, pitch_source, input_scale,
                 input_x_px, input_y_px, analysed_px, stem, red, white, platelets, sample, field, earlier, shift_x_px, shift_y_px, new_part, fresh,
                 fresh_red, fresh_white, fresh_platelets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
                 ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39,
                 ?40, ?41, ?42, ?43, ?44, ?45)",
            )?
            .execute(params![
                run,
                record.number.cast_signed(),
                utc::ms(record.at),
                box_ms,
                cut::<MAX_RECORD_NAME_BYTES>(&record.name).as_str(),
                quality.verdict.name(),
                quality.sharpness,
                quality.contrast_levels,
                quality.clipped_share,
                quality.depth_levels,
                quality.brightness_levels,
                record.counted,
                counts.cells,
                counts.unsupported,
                record.tiles,
                record.dropped.cast_signed(),
                times.ssr_ms,
                times.unet_ms,
                times.tiling_ms,
                times.cells_ms,
                times.total_ms,
                size_px.0,
                size_px.1,
                scaled.um_per_px,
                scaled.um_per_px_range.map(|range| range[0]),
                scaled.um_per_px_range.map(|range| range[1]),
                scaled.source.name(),
                scaled.placement.scale,
                scaled.placement.start_px[0],
                scaled.placement.start_px[1],
                record.analysed_px.cast_signed(),
                cut::<MAX_RECORD_NAME_BYTES>(&record.stem).as_str(),
                counts.red,
                counts.white,
                counts.platelets,
                sample,
                field.map(|field| field.state.name()),
                field.and_then(|field| field.earlier).map(u64::cast_signed),
                field.and_then(|field| field.shift_px).map(|shift| shift[0]),
                field.and_then(|field| field.shift_px).map(|shift| shift[1]),
                field.map(|field| field.new_part),
                fresh.map(|fresh| fresh.cells),
                fresh.and_then(|fresh| fresh.red),
                fresh.and_then(|fresh| fresh.white),
                fresh.and_then(|fresh| fresh.platelets)
            ])?;
        let id = connection.last_insert_rowid();
        let mut cells = connection.prepare_cached(
            "INSERT INTO cells (frame, label, x_px, y_px, area_px, perimeter_px, eccentricity, touches_border, confidence,
             consistency_levels, supported, outline, kind, kind_confidence, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
             ?10, ?11, ?12, ?13, ?14, ?15)",
        )?;
        for (at, cell) in record.cells.iter().enumerate() {
            cells.execute(params![
                id,
                cell.label,
                cell.x_px,
                cell.y_px,
                cell.area_px,
                cell.perimeter_px,
                cell.eccentricity,
                cell.touches_border,
                cell.confidence,
                cell.consistency.levels,
                cell.consistency.supported(),
                record.outlines.get(at),
                cell.kind.known(),
                cell.kind_confidence(),
                record.seen.get(at).copied().unwrap_or_default().number()
            ])?;
        }
        drop(cells);
        Summed::Frame.store(connection, id)?;
        connection
            .prepare_cached("UPDATE state SET box_ms = max(box_ms, ?1), newest = ?2, oldest = ifnull(oldest, ?2)")?
            .execute([box_ms, id])?;
        Summed::State.store(connection, 1)?;
        Ok(id)
    })
}

/// Writes an event; if there are too many, the oldest are deleted.
///
/// # Errors
/// Those of SQLite; nothing is then written.
pub fn event(connection: &Connection, run: Option<i64>, event: &Event) -> rusqlite::Result<()> {
    within(connection, || {
        connection
            .prepare_cached("INSERT INTO events (run, at_utc_ms, box_ms, kind, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run, event.at_utc_ms, event.box_ms, event.kind.as_str(), event.text.as_str()])?;
        let id = connection.last_insert_rowid();
        Summed::Event.store(connection, id)?;
        let oldest = id.saturating_sub(MAX_EVENTS.cast_signed());
        connection.prepare_cached("DELETE FROM events WHERE id <= ?1")?.execute([oldest])?;
        Ok(())
    })
}

/// Records how a run ended, and how many of its frames were not kept.
///
/// # Errors
/// Those of SQLite; nothing is then written.
pub fn end_run(connection: &Connection, run: i64, at_utc_ms: i64, how: &str, not_kept: u64) -> rusqlite::Result<()> {
    within(connection, || {
        let sql = "UPDATE runs SET ended_utc_ms = ?2, ended = ?3, not_kept = ?4 WHERE id = ?1";
        connection.execute(sql, params![run, at_utc_ms, how, not_kept.cast_signed()])?;
        Summed::Run.store(connection, run)
    })
}

/// Runs a closure in one transaction: all of it or nothing.
pub(super) fn within<T>(connection: &Connection, work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let run = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(|_| ());
    run("BEGIN IMMEDIATE")?;
    let done = work().and_then(|done| run("COMMIT").map(|()| done));
    // Some errors roll back automatically.
    if done.is_err() && !connection.is_autocommit() {
        // If this fails too, the connection is unusable, which the next user will notice.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}
