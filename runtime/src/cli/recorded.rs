//! Selects the records that a command reads.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::{print, session::Session};
use crate::error::{Error, Result};
use bloodseg_records::{
    earlier,
    store::{self, read::Records},
};

/// The header of an SQLite database.
const DATABASE: &[u8; 16] = b"SQLite format 3\0";

/// The given folder or database, else the only folder with records in the results folder.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) if none is given and there is not exactly one.
pub(super) fn folder(session: &Session, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(named) if !named.join(store::FILE).exists() && !earlier::tables(named).is_empty() => Err(Error::input(
            named,
            "tables without records, from shards or an earlier version",
            "results of a run",
            "Use the CSV tables directly, or record the pictures for report and export with `bloodseg run FOLDER --out DIR`",
        )),
        Some(named) => Ok(named.to_owned()),
        None => the_only(session.config.output.dir.as_deref().unwrap_or(Path::new("results"))),
    }
}

/// The same for several; one if none is named.
///
/// # Errors
/// As [`folder`].
pub(super) fn folders(session: &Session, named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if named.is_empty() {
        return Ok(vec![folder(session, None)?]);
    }
    named.iter().map(|named| folder(session, Some(named))).collect()
}

/// Warns of damaged records, which are skipped.
pub(super) fn warn_of_damage(records: &Records) {
    if records.damage().is_any() {
        let path = records.path().display();
        print::problem(format_args!("{path}: damaged records were skipped: {}", records.damage()));
    }
}

/// Refuses to overwrite records, whatever the file is called.
///
/// # Errors
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if there is a database.
pub(super) fn spare(out: &Path) -> Result<()> {
    let mut start = [0; DATABASE.len()];
    let is_database = bloodseg_durable::open_plain(out).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *DATABASE;
    if is_database {
        return Err(Error::output(out, "the file contains records, which are never overwritten"));
    }
    Ok(())
}

/// The only folder with records in the results folder.
fn the_only(results: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(store::FILE).is_file()).collect();
    found.sort();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::input(results, "no folder with records", "results of a run", "Pass --from DIR")),
        count => {
            let names: Vec<String> = found.iter().rev().take(3).map(|path| path.display().to_string()).collect();
            let found = format!("{count} folders with records, among them {}", names.join(", "));
            Err(Error::input(results, found, "exactly one", "Pass --from DIR"))
        }
    }
}
