//! Whether a person has to fix something before records can be written, or only the disk is at fault.
//!
//! A box that starts by itself must not wait for a person because its disk is full, failing or read-only: it continues
//! without records. A person who starts a run with a folder that cannot be written to gets the error immediately.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use crate::store::{BESIDE, Fault, beside};

/// Whether a person has to fix it: no permission, or something else in its place. Everything else may pass.
pub(crate) fn is_mistake(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, InvalidInput, IsADirectory, NotADirectory, PermissionDenied};
    matches!(
        error.kind(),
        AlreadyExists | InvalidFilename | InvalidInput | IsADirectory | NotADirectory | PermissionDenied
    )
}

/// What a person has to fix before the database at `path` can be written, if anything; `fault` is why it could not be
/// opened.
pub(super) fn behind(fault: &Fault, path: &Path) -> Option<(PathBuf, io::Error)> {
    let Fault::Sqlite(error) = fault else { return None };
    // SQLite does not report the system's error. The system is asked again, but only for these codes: opening and closing
    // a database releases every lock that this process has on it.
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    if !matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly)) {
        return None;
    }
    let files = [""].into_iter().chain(BESIDE).map(|ending| beside(path, ending));
    let denied = files.filter_map(|file| may_not_open(&file).map(|error| (file, error))).next();
    denied.or_else(|| {
        // A log has to be created beside it.
        let probe = beside(path, "-probe");
        let made = File::options().create(true).append(true).open(&probe).err().filter(is_mistake);
        let _ = fs::remove_file(&probe);
        made.map(|error| (path.to_owned(), error))
    })
}

fn may_not_open(file: &Path) -> Option<io::Error> {
    // A missing file would be created.
    let opened = file.metadata().and_then(|_| File::options().read(true).write(true).open(file));
    opened.err().filter(is_mistake)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn fault(code: i32) -> Fault {
        Fault::Sqlite(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
    }

    #[test]
    fn only_errors_a_person_can_fix_are_mistakes() {
        // By the numbers of Linux: EACCES, EPERM, ENOTDIR, EISDIR, EEXIST; ENOSPC, EROFS, EIO, ENOENT, EMFILE, ENOMEM, ESTALE.
        for (errors, wanted) in [(&[13, 1, 20, 21, 17][..], true), (&[28, 30, 5, 2, 24, 12, 116], false)] {
            for error in errors {
                assert_eq!(is_mistake(&io::Error::from_raw_os_error(*error)), wanted, "{error}");
            }
        }
    }

    #[test]
    fn mistake_is_found_behind_sqlite_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let (cannot_open, full) = (fault(14), fault(13));
        assert!(behind(&cannot_open, &path).is_none(), "it can be made");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        fs::create_dir(beside(&path, "-wal")).unwrap();
        let (found, _) = behind(&cannot_open, &path).unwrap();
        assert_eq!(found, beside(&path, "-wal"));
        assert!(behind(&full, &path).is_none(), "a full disk");
        fs::write(folder.path().join("file"), "").unwrap();
        let (_, error) = behind(&fault(8), &folder.path().join("file/a.sqlite")).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
