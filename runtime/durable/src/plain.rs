//! Access to regular files only: a path may lead to a pipe without a writer, an endless device, or a link planted by
//! another user.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

/// Opens a regular file for reading. Follows links.
///
/// # Errors
/// I/O errors, and [`io::ErrorKind::InvalidInput`] for anything but a regular file; never blocks.
pub fn open_plain(path: &Path) -> io::Result<File> {
    open_plain_with(path, OpenOptions::new().read(true))
}

/// Opens a regular file with `options`, which may create it.
///
/// # Errors
/// As [`open_plain`].
pub fn open_plain_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Opening a pipe for reading would wait for its other end, and some devices act when opened.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let file = match options.open(path) {
        // A pipe without a reader, opened for writing.
        Err(_) if fs::metadata(path).is_ok_and(|known| !known.is_file()) => return Err(no_regular_file()),
        opened => opened?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_regular_file()) }
}

/// Creates a file for writing. Removes what is there first: a link itself, not its target.
///
/// # Errors
/// I/O errors, including a folder at the path.
pub fn create_plain(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Fails if a link was planted in between.
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Whether the path is something other than a regular file; follows links.
pub fn is_odd(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|known| !known.is_file())
}

fn no_regular_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{io::Write, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn pipes_devices_and_folders_are_rejected_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        for odd in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            assert_eq!(open_plain(odd).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", odd.display());
            let appended = open_plain_with(odd, OpenOptions::new().append(true).create(true));
            assert_eq!(appended.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", odd.display());
            assert!(is_odd(odd));
        }
        assert_eq!(open_plain(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn planted_link_or_pipe_is_replaced_and_target_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, place, pipe) =
            (folder.path().join("victim"), folder.path().join("new"), folder.path().join("pipe"));
        fs::write(&victim, "keep").unwrap();
        symlink(&victim, &place).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        for place in [&place, &pipe] {
            create_plain(place).unwrap().write_all(b"new").unwrap();
            assert_eq!(fs::read_to_string(place).unwrap(), "new");
            assert!(fs::symlink_metadata(place).unwrap().is_file());
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "keep");
        assert!(create_plain(folder.path()).is_err());
    }
}
