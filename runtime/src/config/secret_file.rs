//! Files that hold a secret alone, in one line.

use std::{fs::File, io::Read, path::Path};

use bloodseg_vision::error::{Error, Result};

/// The secret in a file, without the end of its line. `key` of the config names the file, and `what` the secret, in messages;
/// neither they nor the log show what stands in it.
///
/// # Errors
/// [`Error::Config`] when the file cannot be read, has more than `most_bytes`, or is not one line of text.
pub fn read(path: &Path, key: &str, what: &str, most_bytes: u64) -> Result<String> {
    let wrong = |found: String| Error::Config {
        origin: key.to_owned(),
        found: format!("{}: {found}", path.display()),
        todo: format!("Put the {what} alone into it, in one line"),
    };
    let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    let known = file.metadata().map_err(|e| wrong(e.to_string()))?;
    if !known.is_file() {
        return Err(wrong("no file".into()));
    }
    if open_to_all(&known) {
        log::warn!("{}: everybody on this machine can read the {what}: chmod 600", path.display());
    }
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    if bytes.len() as u64 > most_bytes {
        return Err(wrong(format!("more than {most_bytes} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8".into()))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains('\n') {
        return Err(wrong(if line.is_empty() { format!("no {what}") } else { "more than one line".into() }));
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
