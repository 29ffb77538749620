//! What the slots do with files, behind a trait: tests put one in its place that fails or stops at any step.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use bloodseg_durable::{create_plain, open_plain};

use crate::limits::{MAX_SLOTS_WAIT, SLOTS_LOOK};

/// Operations on files. None of them is undone by another; what is not synced may be lost in a power cut.
pub trait Files: fmt::Debug + Send + Sync {
    /// The whole file.
    ///
    /// # Errors
    /// When it is missing, no regular file, larger than `most_bytes`, or unreadable.
    fn read(&self, path: &Path, most_bytes: u64) -> io::Result<Vec<u8>>;

    /// Makes a folder, and those above it; one that is there already is as good.
    ///
    /// # Errors
    /// Those of the system, as with all that follow.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a file from its beginning, over what was there.
    ///
    /// # Errors
    /// Then the file may hold a part of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Brings what was written of a file to the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Puts a file into the place of another, at once.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away; one that is not there is as good.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Brings the names in a folder to the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Keeps other processes out of a folder until it is dropped. Waits for one that is in it, but no longer than
    /// [`MAX_SLOTS_WAIT`].
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where somebody is in it for longer; those of the system, a folder that is not there among
    /// them.
    fn lock(&self, folder: &Path) -> io::Result<Box<dyn Send>>;
}

/// The files of the machine.
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
        // The folder may belong to the service's user, and root may be installing.
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

/// Locks a folder, with so much patience.
fn locked(folder: &Path, patience: Duration) -> io::Result<File> {
    let folder = File::open(folder)?;
    // A number of tries: a clock is not needed for it.
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
    fn somebody_who_holds_the_slots_is_waited_for_and_not_for_ever() {
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
