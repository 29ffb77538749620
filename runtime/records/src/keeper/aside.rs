//! Unreadable records are moved aside as they are, and new ones are started in their place.
//!
//! What was acknowledged stays in the moved file, as far as it can be read; docs/records.md explains how. A disk that
//! damages one database after another is not filled with them: beyond a limit, no new one is started.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Keeper;
use crate::{
    limits::{MAX_DAMAGED_DATABASES, MAX_EVENT_BYTES},
    store::{self, Fault, beside, write::cut},
};
use bloodseg_durable::{folder_of, sync_folder};

impl Keeper {
    /// Closes damaged records and moves them aside.
    pub(super) fn put_aside(&mut self, why: &str) -> Result<(), Fault> {
        // Before its files are renamed: closing the connection may still merge its log into the database.
        self.connection = None;
        match put_aside(&self.path) {
            Ok(aside) => {
                let name = aside.file_name().unwrap_or_default().to_string_lossy();
                let text = cut::<MAX_EVENT_BYTES>(format_args!(
                    "{why}; the records so far are now {name}, new ones are started"
                ));
                log::error!("{}: {text}", self.path.display());
                self.wait("damaged", &text);
                Ok(())
            }
            Err(error) => Err(Fault::Damaged(format!("{why}; it cannot be moved aside: {error}"), None)),
        }
    }
}

/// Renames a database and its companion files to the first free `records.damaged-N.sqlite`.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside =
        (1..=MAX_DAMAGED_DATABASES).map(|number| path.with_file_name(format!("records.damaged-{number}.sqlite")));
    let is_free = |aside: &PathBuf| ["", "-wal"].iter().all(|ending| is_absent(&beside(aside, ending)));
    let Some(aside) = aside.into_iter().find(is_free) else {
        let found = format!("there are already {MAX_DAMAGED_DATABASES} damaged ones, which a person has to check");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, found));
    };
    // The database last: SQLite deletes a log without a database.
    for ending in store::BESIDE.into_iter().chain([""]) {
        match fs::rename(beside(path, ending), beside(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(folder_of(path))?;
    Ok(aside)
}

fn is_absent(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn database_and_log_are_moved_aside_without_overwriting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(store::FILE);
        // As when the power failed after the log was renamed.
        fs::write(folder.path().join("records.damaged-1.sqlite-wal"), "0").unwrap();
        for number in 2..=MAX_DAMAGED_DATABASES {
            let text = number.to_string();
            fs::write(&path, &text).unwrap();
            fs::write(beside(&path, "-wal"), &text).unwrap();
            let aside = put_aside(&path).unwrap();
            assert_eq!(aside, folder.path().join(format!("records.damaged-{number}.sqlite")));
            assert_eq!(
                [&aside, &beside(&aside, "-wal")].map(|file| fs::read_to_string(file).unwrap()),
                [text.clone(), text]
            );
            assert!(!path.exists());
        }
        fs::write(&path, "one too many").unwrap();
        assert!(put_aside(&path).unwrap_err().to_string().contains("already"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one too many");
        assert_eq!(fs::read_to_string(folder.path().join("records.damaged-1.sqlite-wal")).unwrap(), "0");
    }
}
