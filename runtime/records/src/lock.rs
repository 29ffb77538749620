//! One run per folder: two would replace each other's pictures and tables, and send everything to a broker twice.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::{
    error::{Error, Result},
    store::Fault,
};
use bloodseg_durable::{is_odd, make_folder, open_plain_with};

/// Name of the empty lock file in a run's folder. It stays; the lock is released when the process ends, however it ends.
pub const FILE: &str = "run.lock";

/// Holds a folder for one run.
#[derive(Debug)]
pub struct FolderLock {
    _file: Option<File>,
}

impl FolderLock {
    /// Locks `folder`, which is created if missing.
    ///
    /// If it cannot be created, there is no room for the file, or the file system has no locks, there is no lock: whether
    /// a run can do without the folder is decided by its records.
    ///
    /// # Errors
    /// [`Error::Taken`] if another run holds it, [`Error::Unwritable`] if a pipe, a device or a folder is in its place.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if is_odd(&path) {
            let found = format!("{FILE} is not a regular file; move it away, or name another folder");
            return Err(Fault::Refused(found).to_write(&path));
        }
        let open =
            || make_folder(folder).and_then(|()| open_plain_with(&path, File::options().create(true).append(true)));
        let locked = open().map_err(TryLockError::Error).and_then(|file| {
            file.try_lock()?;
            Ok(file)
        });
        match locked {
            Ok(file) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(Error::Taken { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => {
                log::debug!("{}: not locked: {error}", path.display());
                Ok(Self { _file: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn folder_in_place_of_lock_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FILE)).unwrap();
        let text = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(text.contains("not a regular file"), "{text}");
    }

    #[test]
    fn folder_is_locked_until_run_ends() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let first = FolderLock::take(&out).unwrap();
        let refused = FolderLock::take(&out).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Taken);
        assert!(refused.to_string().contains("another run"), "{refused}");
        drop(first);
        FolderLock::take(&out).unwrap();
    }
}
