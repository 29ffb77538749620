//! Which records a command reads.

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

/// How an SQLite database begins.
const DATABASE: &[u8; 16] = b"SQLite format 3\0";

/// The folder or database that was named, else the one folder with records in the folder for results.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) when none is named and there is not exactly one.
pub(super) fn folder(session: &Session, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(named) if !named.join(store::FILE).exists() && !earlier::tables(named).is_empty() => Err(Error::input(
            named,
            "tables without records, of shards or of an earlier version",
            "results of a run",
            "The tables are CSV as they are; `bloodseg run FOLDER --out DIR` records the same pictures for report and export",
        )),
        Some(named) => Ok(named.to_owned()),
        None => the_only(session.config.output.dir.as_deref().unwrap_or(Path::new("results"))),
    }
}

/// Says what of the records is damaged and left out.
pub(super) fn warn_of_damage(records: &Records) {
    if records.damage().is_any() {
        let path = records.path().display();
        print::problem(format_args!("{path}: damaged, and left out: {}", records.damage()));
    }
}

/// Refuses to write over records, whatever the file is named.
///
/// # Errors
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) where a database is.
pub(super) fn spare(out: &Path) -> Result<()> {
    let mut start = [0; DATABASE.len()];
    let is_database = bloodseg_durable::open_plain(out).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *DATABASE;
    if is_database {
        return Err(Error::output(out, "records are there, which are not written over"));
    }
    Ok(())
}

/// The one folder with records in the folder for results.
fn the_only(results: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(store::FILE).is_file()).collect();
    found.sort();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::input(results, "no folder with records", "results of a run", "Give --from DIR")),
        count => {
            let names: Vec<String> = found.iter().rev().take(3).map(|path| path.display().to_string()).collect();
            let found = format!("{count} folders with records, among them {}", names.join(", "));
            Err(Error::input(results, found, "one, or to be told which", "Give --from DIR"))
        }
    }
}
