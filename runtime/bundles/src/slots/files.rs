//! File operations of the slots behind a trait, so that tests can fail or stop at any step.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use bloodseg_durable::{create_plain, open_plain};

use crate::limits::{MAX_SLOTS_WAIT, SLOTS_LOOK};

/// File operations. Unsynced changes can be lost in a power failure.
pub trait Files: fmt::Debug + Send + Sync {
    /// Reads a whole file.
    ///
    /// # Errors
    /// If it is missing, not a regular file, larger than `most_bytes`, or unreadable.
    fn read(&self, path: &Path, most_bytes: u64) -> io::Result<Vec<u8>>;

    /// Creates a folder and its parents; succeeds if it exists.
    ///
    /// # Errors
    /// I/O errors, as for all methods below.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a file from the start, replacing its contents.
    ///
    /// # Errors
    /// The file may then be partially written.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Syncs the contents of a file to disk.
    ///
    /// # Errors
    /// I/O errors.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Atomically replaces a file with another.
    ///
    /// # Errors
    /// I/O errors.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; succeeds if it does not exist.
    ///
    /// # Errors
    /// I/O errors.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Syncs the names in a folder to disk.
    ///
    /// # Errors
    /// I/O errors.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Locks a folder against other processes until the guard is dropped. Waits up to [`MAX_SLOTS_WAIT`].
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process holds it for longer; other I/O errors, including a missing
    /// folder.
    fn lock(&self, folder: &Path) -> io::Result<Box<dyn Send>>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn read(&self, path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        open_plain(path)?.take(most_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {most_bytes} bytes")));
        }
        Ok(bytes)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // The folder may belong to the service's user while root is installing.
        create_plain(path)?.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        open_plain(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, folder: &Path) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(locked(folder, MAX_SLOTS_WAIT)?))
    }
}

/// Locks a folder, waiting at most `patience`.
fn locked(folder: &Path, patience: Duration) -> io::Result<File> {
    let folder = File::open(folder)?;
    // Counts attempts, so that no clock is needed.
    for _ in 0..patience.as_millis() / SLOTS_LOOK.as_millis() {
        match folder.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(SLOTS_LOOK),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(folder),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds the folder"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn waiting_for_locked_slots_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let first = locked(folder.path(), SLOTS_LOOK).unwrap();
        let error = locked(folder.path(), 3 * SLOTS_LOOK).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || locked(&path, MAX_SLOTS_WAIT).map(|_| ()));
        std::thread::sleep(2 * SLOTS_LOOK);
        drop(first);
        second.join().unwrap().unwrap();
        assert_eq!(locked(&folder.path().join("none"), SLOTS_LOOK).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
