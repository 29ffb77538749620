//! Files that contain only a secret, on one line.

use std::{io::Read, path::Path};

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// The secret in a file, without the line end. In messages, the config key `key` names the file, and `what` the secret;
/// neither they nor the log show the contents.
///
/// # Errors
/// [`Error::Config`] if the file cannot be read, has more than `most_bytes`, or is not one line of text.
pub fn read(path: &Path, key: &str, what: &str, most_bytes: u64) -> Result<String> {
    let todo = || format!("Put the {what} alone into it, in one line");
    let wrong = |found: Cause| Error::config(key, found.led_by(path.display()), todo());
    let file = bloodseg_durable::open_plain(path).map_err(|e| wrong(e.into()))?;
    let known = file.metadata().map_err(|e| wrong(e.into()))?;
    if open_to_all(&known) {
        log::warn!("{}: every user of this machine can read the {what}: chmod 600", path.display());
    }
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes).map_err(|e| wrong(e.into()))?;
    if bytes.len() as u64 > most_bytes {
        return Err(wrong(format!("more than {most_bytes} bytes").into()));
    }
    let text = String::from_utf8(bytes).map_err(|e| wrong(Cause::with_source("not UTF-8", e)))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains('\n') {
        return Err(wrong(if line.is_empty() { format!("no {what}").into() } else { "more than one line".into() }));
    }
    Ok(line.to_owned())
}

#[cfg(unix)]
fn open_to_all(file: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(file) & 0o004 != 0
}

#[cfg(not(unix))]
fn open_to_all(_file: &std::fs::Metadata) -> bool {
    false
}
