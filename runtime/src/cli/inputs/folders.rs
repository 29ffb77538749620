//! Folders, each read once.

use std::{collections::BTreeSet, io, path::Path};

use super::Found;
use crate::error::{Error, Result};
use bloodseg_vision::{frame::decode::looks_like_picture, pictures};

/// The identity of a folder, independent of the path to it.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = std::path::PathBuf;

#[cfg(unix)]
fn identity(folder: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).map(|known| (known.dev(), known.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> io::Result<Identity> {
    folder.canonicalize()
}

/// The folders already read.
#[derive(Default)]
pub(super) struct Folders(BTreeSet<Identity>);

impl Folders {
    /// Adds the pictures of a folder by name, and with `recursive` those of its subfolders; folders reached through links
    /// come last. A folder that was already read adds nothing. Returns whether it was new.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for a folder that cannot be read.
    pub(super) fn read(&mut self, folder: &Path, recursive: bool, found: &mut Vec<Found>) -> Result<bool> {
        // After the others, so that a folder's own path takes precedence over links to it.
        let mut links = Vec::new();
        let is_new = self.read_below(folder, Path::new(""), recursive, found, &mut links)?;
        while !links.is_empty() {
            for Found { path, below } in std::mem::take(&mut links) {
                self.read_below(&path, &below, recursive, found, &mut links)?;
            }
        }
        Ok(is_new)
    }

    fn read_below(
        &mut self,
        folder: &Path,
        below: &Path,
        recursive: bool,
        found: &mut Vec<Found>,
        links: &mut Vec<Found>,
    ) -> Result<bool> {
        let failed = |e: io::Error| Error::input(folder, e, "a folder that can be read", "");
        if !self.0.insert(identity(folder).map_err(failed)?) {
            log::info!("{}: already read under another name", folder.display());
            return Ok(false);
        }
        let entries = std::fs::read_dir(folder).map_err(failed)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, below) = (entry.path(), below.join(entry.file_name()));
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                if recursive && path.is_symlink() {
                    links.push(Found { path, below });
                } else if recursive {
                    self.read_below(&path, &below, recursive, found, links)?;
                }
            } else if looks_like_picture(&path) && !pictures::is_result(&path) {
                found.push(Found { path, below });
            }
        }
        Ok(true)
    }
}
