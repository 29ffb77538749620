//! The database of a folder: how it is opened, and the name of its file. docs/records.md describes its contents.

pub mod about;
pub mod damage;
pub mod follow;
pub mod header;
pub mod limits;
pub mod log_check;
mod pool;
pub mod read;
pub mod retention;
pub(crate) mod salvage;
pub mod schema;
pub(crate) mod scrub;
pub(crate) mod sum;
pub mod write;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use bloodseg_durable::is_odd;

use crate::{
    error::Error,
    store::limits::{
        MAX_RECORDS_BUSY, MAX_RECORDS_HEAP_BYTES, RECORDS_CACHE_KIB, RECORDS_LOG_BYTES, RECORDS_LOG_PAGES,
    },
};
use schema::Found;

/// Name of the database in the folder of a run.
pub const FILE: &str = "records.sqlite";

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It does not belong to us; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// SQLite does not accept it as a database; nothing was changed.
    #[error("no database is in it; it is left as it is")]
    NoDatabase,
    /// It was ours, and is damaged.
    #[error("damaged: {0}")]
    Damaged(String, #[source] Option<rusqlite::Error>),
    /// What SQLite said.
    #[error("{0}{code}", code = code_of(.0))]
    Sqlite(#[source] rusqlite::Error),
}

/// The extended code of an I/O error; zero for other errors.
fn code_of(error: &rusqlite::Error) -> String {
    let io = |error: &&ffi::Error| error.code == ErrorCode::SystemIoFailure;
    error.sqlite_error().filter(io).map_or_else(String::new, |error| format!(" (SQLite {})", error.extended_code))
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NoDatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string(), Some(error)),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether SQLite says that the disk is full.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

impl Fault {
    /// The error for a user who named the folder of `path` for results.
    pub fn to_write(self, path: &Path) -> Error {
        Error::Unwritable { path: path.to_owned(), source: self }
    }

    /// The error for a user who wants to read `path`.
    pub fn to_read(self, path: &Path) -> Error {
        Error::Unreadable { path: path.to_owned(), source: self }
    }

    /// Whether the disk is full.
    pub fn lacks_space(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_full(error))
    }
}

/// Opens the database at `path` for a run: created if missing, migrated if older.
///
/// It uses a write-ahead log that is flushed at every commit, so that readers never wait and committed data survives. If
/// the file system cannot share memory between processes (9p, some network shares), a rollback journal does the same, and
/// a reader may block the writer.
///
/// # Errors
/// [`Fault::NoDatabase`] or [`Fault::Refused`] if it is not a database, or of another program or a newer version: it is
/// left unchanged. [`Fault::Damaged`] for bloodseg records that cannot be read. [`Fault::Sqlite`] for everything else.
pub fn open_to_write(path: &Path) -> Result<Connection, Fault> {
    refuse_odd(path)?;
    header::check(path)?;
    let opened = match prepared(path, Journal::Ahead) {
        Err(Fault::Sqlite(error)) if cannot_share_memory(&error) => {
            log::info!("{}: no shared memory there: a rollback journal is used", path.display());
            prepared(path, Journal::Rollback)
        }
        other => other,
    };
    match opened {
        Err(Fault::NoDatabase) if header::was_ours(path) => {
            Err(Fault::Damaged("its header is not what was written".into(), None))
        }
        Err(Fault::Damaged(why, Some(_))) if header::is_of_another_program(path) => {
            Err(Fault::Refused(format!("a database of another program, and damaged: {why}; it is left as it is")))
        }
        other => other,
    }
}

/// Refuses a pipe, a device or a folder in the place of the database or its companion files: SQLite would wait for the
/// other end of a pipe.
fn refuse_odd(path: &Path) -> Result<(), Fault> {
    let files = [path.to_owned(), log_of(path), beside(path, "-journal"), beside(path, "-shm")];
    match files.iter().find(|file| is_odd(file)) {
        None => Ok(()),
        Some(odd) => {
            let name = odd.file_name().unwrap_or_default().to_string_lossy();
            Err(Fault::Refused(format!("{name} is not a regular file; move it away, or name another folder")))
        }
    }
}

/// How a commit is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    Ahead,
    Rollback,
}

fn prepared(path: &Path, journal: Journal) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    if journal == Journal::Rollback {
        // Before anything is read: an exclusive connection needs no shared memory to read a write-ahead log.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    set_limits(&connection)?;
    let found = looked_at(&connection)?;
    if found == Found::Empty {
        // Before the first table, or never: only then can deleted space be returned to the disk.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let wanted = if journal == Journal::Ahead { "WAL" } else { "TRUNCATE" };
    let mode: String = connection.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |row| row.get(0))?;
    if journal == Journal::Rollback || !mode.eq_ignore_ascii_case("wal") {
        connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))?;
        connection.pragma_update(None, "locking_mode", "NORMAL")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {RECORDS_LOG_PAGES}"), [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {RECORDS_LOG_BYTES}"), [], |_| Ok(()))?;
    schema::migrate(&mut connection)?;
    // The first read shows whether memory can be shared.
    schema::look(&connection)?;
    Ok(connection)
}

/// What is there, or why it is refused.
fn looked_at(connection: &Connection) -> Result<Found, Fault> {
    match schema::look(connection) {
        Ok(Found::Newer(version)) => Err(Fault::Refused(format!(
            "records of version {version}; this software knows up to {}. They are left as they are: use the newer \
             software, or another folder",
            schema::VERSION
        ))),
        Ok(Found::Damaged(why)) => Err(Fault::Damaged(why.into(), None)),
        Ok(Found::Foreign) => Err(Fault::Refused("a database of another program, which is left as it is".into())),
        other => Ok(other?),
    }
}

/// Limits on memory and time of a connection.
fn set_limits(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(MAX_RECORDS_BUSY)?;
    connection.set_prepared_statement_cache_capacity(32);
    // For the whole process: every connection sets the same.
    connection.query_row(&format!("PRAGMA hard_heap_limit = {MAX_RECORDS_HEAP_BYTES}"), [], |_| Ok(()))?;
    connection.execute_batch(&format!("PRAGMA cache_size = -{RECORDS_CACHE_KIB}; PRAGMA temp_store = MEMORY"))
}

/// Whether it failed because processes cannot share memory here.
fn cannot_share_memory(error: &rusqlite::Error) -> bool {
    // Not for lack of space, which may come back.
    let shared = [ffi::SQLITE_IOERR_SHMLOCK, ffi::SQLITE_IOERR_SHMMAP];
    error.sqlite_error().is_some_and(|error| shared.contains(&error.extended_code))
}

/// Opens the database at `path` for reading, also while a run writes to it. Nothing is created or migrated.
///
/// # Errors
/// [`Fault::Refused`] for what is not ours or of another version, [`Fault::Sqlite`] for everything else.
pub fn open_to_read(path: &Path) -> Result<Connection, Fault> {
    refuse_odd(path)?;
    header::check(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match Connection::open_with_flags(path, flags).and_then(|connection| {
        set_limits(&connection)?;
        schema::look(&connection)?;
        Ok(connection)
    }) {
        // A read-only folder has no place for the readers' shared memory. Without a log there is no writer either.
        Err(error) if may_be_read_only(&error) && !log_of(path).exists() => still(path)?,
        other => other?,
    };
    match looked_at(&connection)? {
        Found::Ours(schema::VERSION) => Ok(connection),
        Found::Ours(version) => Err(Fault::Refused(format!(
            "records of version {version}, and {} is read; `bloodseg run` with this folder brings them up to date",
            schema::VERSION
        ))),
        _ => Err(Fault::Refused("a database without records".into())),
    }
}

/// Opens a database that nobody writes to.
fn still(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    // Characters with a meaning in a URI are percent-encoded.
    let escaped: String = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    set_limits(&connection)?;
    Ok(connection)
}

fn may_be_read_only(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) || cannot_share_memory(error)
}

/// Merges the log of a database and deletes it, if nobody else has it open: a read-only connection would leave it.
pub fn clear_log(path: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let cleared = Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    if let Err(error) = cleared {
        log::debug!("{}: the log stays: {error}", path.display());
    }
}

/// The log beside a database.
pub fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The companion files of a database.
pub const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// A companion file, by its suffix: one of [`BESIDE`].
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn text(connection: &Connection, pragma: &str) -> String {
        connection
            .query_row(&format!("PRAGMA {pragma}"), [], |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap().to_owned(),
                })
            })
            .unwrap()
    }

    #[test]
    #[cfg(unix)]
    fn non_files_in_place_of_database_files_are_rejected() {
        for ending in ["", "-wal", "-journal", "-shm"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(FILE);
            drop(open_to_write(&path).unwrap());
            let place = beside(&path, ending);
            let _ = std::fs::remove_file(&place);
            std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
            for opened in [open_to_write(&path), open_to_read(&path)] {
                let text = opened.unwrap_err().to_string();
                assert!(text.contains(&format!("{FILE}{ending} is not a regular file")), "{text}");
            }
            std::fs::remove_file(&place).unwrap();
            std::fs::create_dir(&place).unwrap();
            assert!(matches!(open_to_write(&path), Err(Fault::Refused(_))), "{ending}");
        }
    }

    #[test]
    fn database_has_expected_pragmas() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for _ in ["new", "again"] {
            let connection = open_to_write(&path).unwrap();
            for (pragma, wanted) in [
                ("journal_mode", "wal"),
                ("synchronous", "2"),
                ("foreign_keys", "1"),
                ("auto_vacuum", "2"),
                ("locking_mode", "normal"),
            ] {
                assert_eq!(text(&connection, pragma), wanted, "{pragma}");
            }
            assert_eq!(text(&connection, "hard_heap_limit"), MAX_RECORDS_HEAP_BYTES.to_string());
        }
        assert_eq!(text(&open_to_read(&path).unwrap(), "user_version"), schema::VERSION.to_string());
    }

    #[test]
    fn rollback_journal_allows_readers_without_shared_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        // A write-ahead log is read first.
        let ahead = open_to_write(&path).unwrap();
        ahead.execute_batch("UPDATE state SET box_ms = 7").unwrap();
        drop(ahead);
        let rollback = prepared(&path, Journal::Rollback).unwrap();
        assert_eq!(
            (text(&rollback, "journal_mode"), text(&rollback, "locking_mode")),
            ("truncate".into(), "normal".into())
        );
        rollback.execute_batch("UPDATE state SET box_ms = box_ms + 1").unwrap();
        let reader = open_to_read(&path).unwrap();
        let box_ms: i64 = reader.query_row("SELECT box_ms FROM state", [], |row| row.get(0)).unwrap();
        assert_eq!(box_ms, 8);
    }

    #[test]
    fn log_left_by_reader_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let writer = open_to_write(&path).unwrap();
        let reader = open_to_read(&path).unwrap();
        clear_log(&path);
        drop(writer);
        drop(reader);
        assert_eq!(files(), 3);
        clear_log(&path);
        assert_eq!(files(), 1);
        clear_log(&folder.path().join("none"));
        assert_eq!(files(), 1, "nothing is made");
    }

    #[test]
    fn foreign_and_newer_files_are_rejected_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let garbage = folder.path().join("garbage");
        std::fs::write(&garbage, "no database, but longer than the first page of one has to be".repeat(100)).unwrap();
        let foreign = folder.path().join("foreign");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
        let newer = folder.path().join("newer");
        drop(open_to_write(&newer).unwrap());
        Connection::open(&newer)
            .unwrap()
            .execute_batch("ALTER TABLE runs ADD COLUMN later; PRAGMA user_version = 99")
            .unwrap();
        for (path, wanted) in [(garbage, "no database"), (foreign, "another program"), (newer, "version 99")] {
            let before = std::fs::read(&path).unwrap();
            for error in [open_to_write(&path).unwrap_err(), open_to_read(&path).unwrap_err()] {
                assert!(matches!(&error, Fault::Refused(_) | Fault::NoDatabase), "{error:?}");
                assert!(error.to_string().contains(wanted), "{error:?}");
            }
            assert!(std::fs::read(&path).unwrap() == before, "{} was changed", path.display());
        }
    }

    #[test]
    fn damaged_records_are_distinguished_from_foreign_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        drop(open_to_write(&path).unwrap());
        let whole = std::fs::read(&path).unwrap();
        let opened_with = |damage: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            damage(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
            let fault = open_to_write(&path).unwrap_err();
            assert!(std::fs::read(&path).unwrap() == bytes, "it was changed");
            fault
        };
        type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
        let damages: [Damage; 4] = [
            &|bytes| bytes[0] = b'X',
            &|bytes| bytes[16..18].fill(0xff),
            &|bytes| bytes[..512].fill(0),
            // The schema table.
            &|bytes| bytes[100..200].fill(0xff),
        ];
        for (at, damage) in damages.into_iter().enumerate() {
            let fault = opened_with(damage);
            assert!(matches!(&fault, Fault::Damaged(..)), "{at}: {fault:?}");
        }
        let others: [Damage; 2] = [&|bytes| bytes[..100].fill(b'x'), &|bytes| *bytes = b"short".to_vec()];
        for damage in others {
            let fault = opened_with(damage);
            assert!(matches!(&fault, Fault::NoDatabase), "{fault:?}");
        }
    }

    #[test]
    fn reader_creates_and_migrates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(open_to_read(&path).is_err() && !path.exists());
        std::fs::write(&path, "").unwrap();
        assert!(matches!(open_to_read(&path).unwrap_err(), Fault::Refused(why) if why.contains("without records")));
        schema::migrate_to(&mut Connection::open(&path).unwrap(), 1);
        assert!(matches!(open_to_read(&path).unwrap_err(), Fault::Refused(why) if why.contains("version 1")));
        drop(open_to_write(&path).unwrap());
        open_to_read(&path).unwrap();
    }

    #[test]
    fn immutable_open_creates_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd # name?.sqlite");
        drop(open_to_write(&path).unwrap());
        let version = still(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0)).unwrap();
        assert_eq!(version, schema::VERSION);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
