//! The small text files in the results folder of a run, which are kept across runs.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use crate::error::{Error, Result};
use bloodseg_durable::{AtomicFile, open_plain};

/// Most bytes that are read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The text of a file; `None` if there is no file, empty if it cannot be read.
pub(super) fn read_text(path: &Path) -> Option<String> {
    fs::symlink_metadata(path).ok()?;
    let mut text = String::new();
    let read = open_plain(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    Some(read.map_or(String::new(), |_| text))
}

/// Replaces a file.
pub(super) fn write_text(path: &Path, text: &str) -> Result<()> {
    let mut file = AtomicFile::create_alone(path)?;
    file.write_all(text.as_bytes()).map_err(|error| Error::output(path, error))?;
    Ok(file.commit()?)
}
