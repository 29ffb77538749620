//! The tables, version by version; docs/records.md describes them.

use rusqlite::{Connection, TransactionBehavior};

use super::sum::Summed;

/// Marks a database as ours: "bseg".
pub const APPLICATION_ID: i32 = 0x6273_6567;

/// Migrates a database from one version to the next; the first from none to 1.
const STEPS: [&str; 6] = [
    "CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        box_ms INTEGER NOT NULL
    );
    INSERT INTO state VALUES (1, 0);
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        mark INTEGER NOT NULL,
        started_utc_ms INTEGER NOT NULL,
        started_box_ms INTEGER NOT NULL,
        source TEXT NOT NULL,
        description TEXT NOT NULL,
        um_per_px REAL,
        pitch_from TEXT NOT NULL,
        scale INTEGER NOT NULL,
        software TEXT NOT NULL,
        notes TEXT NOT NULL,
        ended_utc_ms INTEGER,
        ended TEXT,
        not_kept INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE models (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (run, role)
    ) WITHOUT ROWID;
    CREATE TABLE frames (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id),
        number INTEGER NOT NULL,
        at_utc_ms INTEGER NOT NULL,
        box_ms INTEGER NOT NULL,
        image TEXT NOT NULL,
        verdict TEXT NOT NULL,
        sharpness REAL,
        contrast_levels REAL,
        clipped_share REAL,
        depth_levels REAL,
        brightness_levels REAL,
        counted INTEGER NOT NULL,
        cells INTEGER NOT NULL,
        unsupported INTEGER NOT NULL,
        tiles INTEGER NOT NULL,
        dropped INTEGER NOT NULL,
        ssr_ms REAL,
        unet_ms REAL,
        tiling_ms REAL,
        cells_ms REAL,
        total_ms REAL
    );
    CREATE INDEX frames_of_run ON frames (run);
    CREATE TABLE cells (
        frame INTEGER NOT NULL REFERENCES frames (id) ON DELETE CASCADE,
        label INTEGER NOT NULL,
        x_px REAL,
        y_px REAL,
        area_px INTEGER NOT NULL,
        perimeter_px REAL,
        eccentricity REAL,
        touches_border INTEGER NOT NULL,
        confidence REAL,
        consistency_levels REAL,
        supported INTEGER NOT NULL,
        PRIMARY KEY (frame, label)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        run INTEGER REFERENCES runs (id) ON DELETE CASCADE,
        at_utc_ms INTEGER NOT NULL,
        box_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL
    );",
    // Outlines, and the grid that they lie on.
    "ALTER TABLE frames ADD COLUMN width_px INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE frames ADD COLUMN height_px INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE cells ADD COLUMN outline BLOB NOT NULL DEFAULT x'';",
    // A run is deleted with its events: without this index, all events are read for each run.
    "CREATE INDEX events_of_run ON events (run);",
    // How the analysed picture lies on the input, what is known about its size, and the base name of its pictures:
    // before, frames were analysed without scaling.
    "ALTER TABLE frames ADD COLUMN um_per_px REAL;
    ALTER TABLE frames ADD COLUMN um_per_px_low REAL;
    ALTER TABLE frames ADD COLUMN um_per_px_high REAL;
    ALTER TABLE frames ADD COLUMN pitch_source TEXT NOT NULL DEFAULT '';
    ALTER TABLE frames ADD COLUMN input_scale REAL NOT NULL DEFAULT 1;
    ALTER TABLE frames ADD COLUMN input_x_px REAL NOT NULL DEFAULT 0;
    ALTER TABLE frames ADD COLUMN input_y_px REAL NOT NULL DEFAULT 0;
    ALTER TABLE frames ADD COLUMN analysed_px INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE frames ADD COLUMN stem TEXT NOT NULL DEFAULT '';
    UPDATE frames SET um_per_px = r.um_per_px, pitch_source = iif(r.um_per_px IS NULL, 'none', 'given'),
        analysed_px = width_px / r.scale * (height_px / r.scale) FROM runs r WHERE r.id = run;",
    // Kinds: before, there were only cells. From here on `cells` does not include platelets.
    "ALTER TABLE frames ADD COLUMN red INTEGER;
    ALTER TABLE frames ADD COLUMN white INTEGER;
    ALTER TABLE frames ADD COLUMN platelets INTEGER;
    ALTER TABLE cells ADD COLUMN kind TEXT;
    ALTER TABLE cells ADD COLUMN kind_confidence REAL;",
    // Samples, distinct fields, and the checksums that reveal damage (`sum`). Frames of earlier versions have no
    // checksum.
    "CREATE TABLE samples (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        operator TEXT NOT NULL,
        stain TEXT NOT NULL,
        note TEXT NOT NULL,
        first_utc_ms INTEGER NOT NULL,
        sum INTEGER
    );
    ALTER TABLE frames ADD COLUMN sample INTEGER REFERENCES samples (id);
    ALTER TABLE frames ADD COLUMN field TEXT;
    ALTER TABLE frames ADD COLUMN earlier INTEGER;
    ALTER TABLE frames ADD COLUMN shift_x_px REAL;
    ALTER TABLE frames ADD COLUMN shift_y_px REAL;
    ALTER TABLE frames ADD COLUMN new_part REAL;
    ALTER TABLE frames ADD COLUMN fresh INTEGER;
    ALTER TABLE frames ADD COLUMN fresh_red INTEGER;
    ALTER TABLE frames ADD COLUMN fresh_white INTEGER;
    ALTER TABLE frames ADD COLUMN fresh_platelets INTEGER;
    ALTER TABLE frames ADD COLUMN sum INTEGER;
    CREATE INDEX frames_of_sample ON frames (sample);
    ALTER TABLE cells ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN sum INTEGER;
    ALTER TABLE events ADD COLUMN sum INTEGER;
    ALTER TABLE state ADD COLUMN summed_from INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE state ADD COLUMN oldest INTEGER;
    ALTER TABLE state ADD COLUMN newest INTEGER;
    ALTER TABLE state ADD COLUMN sum INTEGER;
    UPDATE state SET oldest = (SELECT min(id) FROM frames), newest = (SELECT max(id) FROM frames),
        summed_from = 1 + ifnull((SELECT max(id) FROM frames), 0);",
];

/// CRC-32 of the tables of each version ([`tables_sum`]): what every bloodseg database contains.
const TABLES_SUMS: [u32; STEPS.len()] =
    [129_954_712, 1_702_695_768, 3_279_981_761, 4_220_579_130, 1_529_635_480, 2_549_816_478];

/// The tables and indices of all versions.
const NAMES: &str =
    "'state', 'runs', 'models', 'frames', 'frames_of_run', 'cells', 'events', 'events_of_run', 'samples',
    'frames_of_sample'";

/// The version that this software reads and writes.
pub const VERSION: i32 = STEPS.len() as i32;

/// What a file turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Empty.
    Empty,
    /// Ours, of this version: 1 up to [`VERSION`].
    Ours(i32),
    /// Ours, of a later version of the software.
    Newer(i32),
    /// A database of another program.
    Foreign,
    /// Ours, but its header or its tables are damaged.
    Damaged(&'static str),
}

/// Examines the file without changing it.
///
/// # Errors
/// Those of SQLite; among them that the file is not a database.
pub fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(Found::Empty);
    }
    let sum = tables_sum(connection)?;
    // Every version changed a table, so the tables reveal the version of a database.
    let of_tables = (1..).zip(TABLES_SUMS).find(|(_, known)| *known == sum).map(|(version, _)| version);
    Ok(match (application, version, of_tables) {
        (APPLICATION_ID, _, Some(of_tables)) if version == of_tables => Found::Ours(version),
        (_, _, Some(_)) => Found::Damaged("its header is not what was written"),
        (APPLICATION_ID, 1..=VERSION, None) => Found::Damaged("its tables are not what was written"),
        (APPLICATION_ID, newer, None) if newer > VERSION => Found::Newer(newer),
        _ => Found::Foreign,
    })
}

/// CRC-32 of the definitions of our tables and indices, ignoring anything else that was added.
fn tables_sum(connection: &Connection) -> rusqlite::Result<u32> {
    let sql = format!("SELECT name, sql FROM sqlite_schema WHERE name IN ({NAMES}) ORDER BY name");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut sum = crc32fast::Hasher::new();
    while let Some(row) = rows.next()? {
        for column in 0..2 {
            sum.update(row.get_ref(column)?.as_bytes_or_null()?.unwrap_or_default());
            sum.update(&[0]);
        }
    }
    Ok(sum.finalize())
}

/// Migrates a database that is empty or ours to [`VERSION`], all of it or nothing.
///
/// # Errors
/// Those of SQLite; the database is then what it was.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    migrate_by(connection, &STEPS)
}

fn migrate_by(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let known = i32::try_from(steps.len()).unwrap_or(i32::MAX);
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0));
    if version(connection)? == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again: another process may have been faster.
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if done < SUMMED_SINCE && SUMMED_SINCE <= steps.len() {
        sum_what_is_there(&transaction)?;
    }
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known}"))?;
    transaction.commit()
}

/// The first version with sums.
const SUMMED_SINCE: usize = 6;

/// Adds checksums to all rows except frames, which are many: a migration has to end soon.
fn sum_what_is_there(connection: &Connection) -> rusqlite::Result<()> {
    for (summed, ids) in [(Summed::Run, "SELECT id FROM runs"), (Summed::Event, "SELECT id FROM events")] {
        let ids: Vec<i64> =
            connection.prepare(ids)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        ids.into_iter().try_for_each(|id| summed.store(connection, id))?;
    }
    Summed::State.store(connection, 1)
}

/// A database of an older version, for tests.
#[cfg(test)]
pub(crate) fn migrate_to(connection: &mut Connection, version: usize) {
    #![allow(clippy::unwrap_used)]
    migrate_by(connection, &STEPS[..version]).unwrap();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn tables(connection: &Connection) -> String {
        let sql = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name)";
        connection.query_row(sql, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
    }

    #[test]
    fn old_versions_are_migrated_and_keep_rows() {
        let mut fresh = Connection::open_in_memory().unwrap();
        assert_eq!(look(&fresh).unwrap(), Found::Empty);
        migrate(&mut fresh).unwrap();
        assert_eq!(look(&fresh).unwrap(), Found::Ours(VERSION));
        let mut old = Connection::open_in_memory().unwrap();
        migrate_to(&mut old, 1);
        assert_eq!(look(&old).unwrap(), Found::Ours(1));
        old.execute_batch(
            "INSERT INTO runs VALUES (1, 5, 0, 0, 's', 'd', 2.0, '', 4, 'v', '', NULL, NULL, 0);
             INSERT INTO frames VALUES (1, 1, 7, 0, 0, 'a', 'good', 1, 2, 3, 4, 5, 1, 1, 0, 1, 0, 1, 2, 3, 4, 5);
             INSERT INTO cells VALUES (1, 1, 1.5, 2.5, 9, 10, 0.5, 0, 0.9, 1, 1);
             INSERT INTO events VALUES (1, 1, 0, 0, 'kind', 'text');",
        )
        .unwrap();
        migrate_to(&mut old, 2);
        assert_eq!(look(&old).unwrap(), Found::Ours(2));
        migrate(&mut old).unwrap();
        assert_eq!(tables(&old), tables(&fresh));
        let plan: String = old
            .query_row("EXPLAIN QUERY PLAN SELECT id FROM events WHERE run = 1", [], |row| row.get("detail"))
            .unwrap();
        assert!(plan.contains("events_of_run"), "{plan}");
        let row: (i64, i64, Vec<u8>) = old
            .query_row("SELECT number, width_px, outline FROM frames JOIN cells ON frame = frames.id", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(row, (7, 0, vec![]));
    }

    #[test]
    fn version_4_records_get_unknown_kinds() {
        let mut old = Connection::open_in_memory().unwrap();
        migrate_to(&mut old, 4);
        old.execute_batch(
            "INSERT INTO runs VALUES (1, 5, 0, 0, 's', 'd', 2.0, '', 4, 'v', '', NULL, NULL, 0);
             INSERT INTO frames (id, run, number, at_utc_ms, box_ms, image, verdict, counted, cells, unsupported, tiles, dropped)
                 VALUES (1, 1, 7, 0, 0, 'a', 'good', 1, 3, 1, 1, 0);
             INSERT INTO cells VALUES (1, 1, 1.5, 2.5, 9, 10, 0.5, 0, 0.9, 1, 1, x'');",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        assert_eq!(look(&old).unwrap(), Found::Ours(VERSION));
        let sql = "SELECT f.cells, red IS NULL AND white IS NULL AND platelets IS NULL AND kind IS NULL AND
                   kind_confidence IS NULL FROM frames f JOIN cells ON frame = f.id";
        let row: (i64, bool) = old.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (3, true));
    }

    #[test]
    fn table_sums_match_each_version() {
        let sums: Vec<u32> = (1..=STEPS.len())
            .map(|version| {
                let mut connection = Connection::open_in_memory().unwrap();
                migrate_to(&mut connection, version);
                tables_sum(&connection).unwrap()
            })
            .collect();
        assert_eq!(sums, TABLES_SUMS, "each version has tables of its own");
    }

    #[test]
    fn altered_header_or_tables_are_damage() {
        let damages = [
            "PRAGMA application_id = 7",
            "PRAGMA user_version = 99",
            "PRAGMA user_version = 2",
            "PRAGMA user_version = 0",
            "DROP TABLE models",
            "DROP INDEX frames_of_run",
            "ALTER TABLE cells RENAME COLUMN area_px TO area_qx",
            "ALTER TABLE events ADD COLUMN mine",
        ];
        for damage in damages {
            let mut connection = Connection::open_in_memory().unwrap();
            migrate(&mut connection).unwrap();
            connection.execute_batch(damage).unwrap();
            assert!(matches!(look(&connection).unwrap(), Found::Damaged(_)), "{damage}");
        }
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute_batch("CREATE VIEW mine AS SELECT * FROM frames; CREATE INDEX m ON frames (number)")
            .unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Ours(VERSION), "an added table is no damage");
    }

    #[test]
    fn failed_migration_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_to(&mut connection, 1);
        let before = tables(&connection);
        let broken = [STEPS[0], "CREATE TABLE half (a); CREATE TABLE runs (b)"];
        assert!(migrate_by(&mut connection, &broken).is_err());
        assert_eq!((tables(&connection), look(&connection).unwrap()), (before, Found::Ours(1)));
        assert!(connection.is_autocommit());
    }

    #[test]
    fn foreign_and_newer_databases_are_distinguished() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Foreign);
        connection.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}")).unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Foreign, "ours have a version");
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Newer(99));
        connection.execute_batch("PRAGMA user_version = -1").unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Foreign);
    }
}
