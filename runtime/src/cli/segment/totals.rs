//! The result of a call, as a file.

use std::{io::Write, path::Path};

use serde::Serialize;

use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_records::{count::Summary, validation::Correction};

/// Name of the file in the folder for results.
pub(super) const FILE: &str = "summary.json";

/// The counts of a call, and their correction if there is one.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub(super) summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) corrected: Option<Correction>,
}

/// Writes it to [`FILE`] in a folder.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(answer: &Answer, folder: &Path) -> Result<()> {
    let path = folder.join(FILE);
    let failed = |e: std::io::Error| Error::output(&path, e);
    let mut file = AtomicFile::create(&path)?;
    serde_json::to_writer_pretty(&mut file, answer).map_err(|e| failed(e.into()))?;
    file.write_all(b"\n").map_err(failed)?;
    Ok(file.commit()?)
}
