//! Files that appear whole or not at all: written beside their place, then renamed into it.

mod plain;

pub use plain::{create_plain, is_odd, open_plain, open_plain_with};

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write: {source}", path.display())]
pub struct Error {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Error {
    fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

/// A file in the making. Dropped before it is committed, it leaves no trace.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins to write `path`, whose folder must exist. Two processes may do so at a time; the later one's stays.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        // The process number keeps two calls on one folder apart.
        Self::begin(path, &format!(".part-{}", std::process::id()))
    }

    /// The same for a file that one process alone writes, as those of a run in its folder: what one that was killed left half
    /// done is written over by the next.
    ///
    /// # Errors
    /// As [`AtomicFile::create`].
    pub fn create_alone(path: &Path) -> Result<Self> {
        Self::begin(path, ".part")
    }

    fn begin(path: &Path, ending: &str) -> Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        let part = path.with_file_name(name);
        let file = create_plain(&part).map_err(|e| Error::new(path, e))?;
        Ok(Self { path: path.to_owned(), part, file: Some(BufWriter::new(file)) })
    }

    /// Puts the finished file in its place, over an older one, and brings both its bytes and its name to the disk: when this
    /// returns, it outlasts a power cut.
    ///
    /// # Errors
    /// [`Error`] when what was written cannot be kept, or nobody knows whether it is.
    pub fn commit(self) -> Result<()> {
        let path = self.path.clone();
        self.place(|file| {
            noted(&path);
            file.sync_all()
        })?;
        sync_folder(folder_of(&path)).map_err(|e| Error::new(&path, e))
    }

    /// Puts the finished file in its place, over an older one, without waiting for the disk: for what can be done without. A
    /// process that is killed leaves it whole or not at all; a power cut within the next minute may leave it empty.
    ///
    /// # Errors
    /// [`Error`] when what was written cannot be kept.
    pub fn commit_unsynced(self) -> Result<()> {
        self.place(|_| Ok(()))
    }

    fn place(mut self, keep: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let kept = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| keep(&file));
        let placed = kept.and_then(|()| fs::rename(&self.part, &self.path));
        placed.map_err(|e| {
            // Nothing is left to do when this fails too.
            let _ = fs::remove_file(&self.part);
            Error::new(&self.path, e)
        })
    }
}

/// Makes a folder and those above it, and brings the names of those that are new to the disk.
///
/// # Errors
/// Those of the system; a folder that is there already is none.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let new: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    new.into_iter().rev().try_for_each(|folder| sync_folder(folder_of(folder)))
}

/// Brings the names in a folder to the disk.
///
/// # Errors
/// Those of the system. Where names cannot be synced at all (some network shares, FAT, a folder that may not be read) there
/// is none: the system does what it does.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    noted(folder);
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        done => done,
    }
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes away what processes that were killed left half done in a folder, of files that `is_ours` knows by their names. Parts
/// that name no process are taken away, so that nobody may be writing them; those that name another process stay while it is alive.
pub fn sweep(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    // A folder that cannot be read is told by whoever writes into it.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some((whole, process)) = name.to_str().and_then(parts_of)
            && is_ours(whole)
            && !process.is_some_and(is_another)
            && let Err(error) = fs::remove_file(entry.path())
        {
            log::debug!("{}: it stays: {error}", entry.path().display());
        }
    }
}

/// The same where others may be writing: parts stay whose process is alive, and those that tell no process. Of a process
/// number that was given to another program since, the part stays too. Only processes of this machine are known; where those
/// of others write, call it not.
pub fn sweep_dead(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    // Without a list of processes, all may be alive.
    if !Path::new("/proc/self").exists() {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let part = name.to_str().and_then(parts_of);
        if let Some((whole, Some(process))) = part
            && is_ours(whole)
            && !Path::new("/proc").join(process).exists()
            && let Err(error) = fs::remove_file(entry.path())
        {
            log::debug!("{}: it stays: {error}", entry.path().display());
        }
    }
}

/// Whether a process of this number is alive and not this one: in a container, numbers begin again with each start.
fn is_another(process: &str) -> bool {
    process != std::process::id().to_string() && Path::new("/proc").join(process).exists()
}

/// The name of the file that a part is of, and the number of the process that writes it.
fn parts_of(part: &str) -> Option<(&str, Option<&str>)> {
    let (whole, ending) = part.rsplit_once(".part")?;
    if ending.is_empty() {
        return Some((whole, None));
    }
    let process = ending.strip_prefix('-')?;
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((whole, Some(process)))
}

#[cfg(test)]
thread_local! {
    /// What this thread brought to the disk, in its order.
    static SYNCED: std::cell::RefCell<Vec<PathBuf>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Tests see by it what is synced.
fn noted(path: &Path) {
    #[cfg(test)]
    SYNCED.with_borrow_mut(|synced| synced.push(path.to_owned()));
    let _ = path;
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_whole_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_not_finished_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("a.txt")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_is_committed_is_synced_with_its_name_and_what_can_be_done_without_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let synced = || SYNCED.with_borrow_mut(std::mem::take);
        AtomicFile::create(&path).unwrap().commit().unwrap();
        assert_eq!(synced(), [path.clone(), folder.path().to_owned()]);
        AtomicFile::create(&path).unwrap().commit_unsynced().unwrap();
        assert!(synced().is_empty());
        let new = folder.path().join("b/c");
        make_folder(&new).unwrap();
        assert_eq!(synced(), [folder.path().to_owned(), folder.path().join("b")]);
        make_folder(&new).unwrap();
        assert!(synced().is_empty() && new.is_dir());
        assert_eq!(folder_of(Path::new("a.txt")), Path::new("."));
        sync_folder(Path::new(".")).unwrap();
    }

    #[test]
    fn what_was_left_half_done_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stay = [
            "a.csv",
            "b.csv.part",
            "a.csv.part-",
            "a.csv.part-x",
            "a.csv.part-1.png",
            "a.csv.parts",
            "part",
            "a.csv.part-1",
        ];
        for name in ["a.csv.part", "a.csv.part-4999998", "a.csv.part-4999999"].iter().chain(&stay) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep(folder.path(), |name| name == "a.csv");
        let (mut left, mut wanted) = (names(folder.path()), stay.map(str::to_owned));
        left.sort();
        wanted.sort();
        assert_eq!(left, wanted);
        sweep(&folder.path().join("none"), |_| true);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn parts_of_the_dead_are_swept_and_those_of_the_living_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = format!("a.csv.part-{}", child.id());
        child.wait().unwrap();
        // The first process of a machine lives as long as it does.
        let alive = ["a.csv.part-1".to_owned(), format!("a.csv.part-{}", std::process::id()), "a.csv.part".into()];
        for name in alive.iter().chain([&dead, &format!("b{dead}")]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep_dead(folder.path(), |name| name == "a.csv");
        assert!(!folder.path().join(&dead).exists() && folder.path().join(format!("b{dead}")).exists());
        for name in alive {
            assert!(folder.path().join(&name).exists(), "{name}");
        }
    }

    #[test]
    fn one_process_alone_writes_over_what_it_left_half_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        // As when it is killed.
        std::mem::forget(AtomicFile::create_alone(&path).unwrap());
        assert_eq!(names(folder.path()), ["a.txt.part"]);
        AtomicFile::create_alone(&path).unwrap().commit().unwrap();
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_missing_folder_is_an_output_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            AtomicFile::create(&folder.path().join("no/a.txt")).unwrap_err().source.kind(),
            io::ErrorKind::NotFound
        );
    }
}
