//! Atomic file writes: a temporary file beside the destination, renamed when complete.

mod plain;

pub use plain::{create_plain, is_odd, open_plain, open_plain_with};

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write: {source}", path.display())]
pub struct Error {
    /// The file or folder.
    pub path: PathBuf,
    /// The underlying error.
    pub source: io::Error,
}

impl Error {
    fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

/// A file being written. Dropping it before it is committed leaves no trace.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Starts writing `path`, whose folder must exist. Two processes may do so at the same time; the later commit wins.
    ///
    /// # Errors
    /// [`Error`] if the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        // The process id separates the parts of two processes that write to one folder.
        Self::begin(path, &format!(".part-{}", std::process::id()))
    }

    /// The same for a file that only one process writes, such as those of a run in its folder: the next run overwrites
    /// what a killed one left behind.
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

    /// Moves the finished file into place, replacing an older one, and syncs both its contents and its name: when this
    /// returns, the file survives a power failure.
    ///
    /// # Errors
    /// [`Error`] if the file cannot be stored, or it is unknown whether it is.
    pub fn commit(self) -> Result<()> {
        let path = self.path.clone();
        self.place(|file| {
            noted(&path);
            file.sync_all()
        })?;
        sync_folder(folder_of(&path)).map_err(|e| Error::new(&path, e))
    }

    /// Moves the finished file into place, replacing an older one, without syncing: for dispensable files. If the process
    /// is killed, the file is complete or absent; a power failure within the next minute may leave it empty.
    ///
    /// # Errors
    /// [`Error`] if the file cannot be stored.
    pub fn commit_unsynced(self) -> Result<()> {
        self.place(|_| Ok(()))
    }

    fn place(mut self, keep: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let kept = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| keep(&file));
        let placed = kept.and_then(|()| fs::rename(&self.part, &self.path));
        placed.map_err(|e| {
            // Nothing more can be done if this fails too.
            let _ = fs::remove_file(&self.part);
            Error::new(&self.path, e)
        })
    }
}

/// Creates a folder and its parents, and syncs the names of new ones.
///
/// # Errors
/// I/O errors; an existing folder is not an error.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let new: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    new.into_iter().rev().try_for_each(|folder| sync_folder(folder_of(folder)))
}

/// Syncs the names in a folder to disk.
///
/// # Errors
/// I/O errors. File systems that cannot sync names (some network shares, FAT, an unreadable folder) report none and do
/// their best.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    noted(folder);
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        done => done,
    }
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes temporary files that killed processes left in a folder, for files whose names `is_ours` accepts. Parts without
/// a process id are removed, so nothing may be writing them; parts of another live process are kept.
pub fn sweep(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    // The next write to the folder reports if it cannot be read.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some((whole, process)) = name.to_str().and_then(parts_of)
            && is_ours(whole)
            && !process.is_some_and(is_another)
            && let Err(error) = fs::remove_file(entry.path())
        {
            log::debug!("{}: not removed: {error}", entry.path().display());
        }
    }
}

/// The same while other processes may be writing: keeps parts of live processes, and parts without a process id. If the
/// process id was reused by another program, the part is kept too. Only processes of this machine are known; do not call
/// this where other machines write.
pub fn sweep_dead(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    // Without a process list, all processes may be alive.
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
            log::debug!("{}: not removed: {error}", entry.path().display());
        }
    }
}

/// Whether another process with this id is alive; in a container, ids restart with each start.
fn is_another(process: &str) -> bool {
    process != std::process::id().to_string() && Path::new("/proc").join(process).exists()
}

/// The name of the file that a part belongs to, and the id of the process that writes it.
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
    /// What this thread synced, in order.
    static SYNCED: std::cell::RefCell<Vec<PathBuf>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Lets tests see what is synced.
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
    fn commit_replaces_file_atomically() {
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
    fn dropped_file_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("a.txt")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn only_durable_commits_and_new_folders_are_synced() {
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

    /// A part of a process that is alive. Not of process 1, which `/proc` may hide from other users.
    #[cfg(target_os = "linux")]
    fn part_of_live_process() -> String {
        format!("a.csv.part-{}", std::os::unix::process::parent_id())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn sweep_removes_only_stale_parts() {
        let folder = tempfile::tempdir().unwrap();
        let alive = part_of_live_process();
        let stay = [
            "a.csv",
            "b.csv.part",
            "a.csv.part-",
            "a.csv.part-x",
            "a.csv.part-1.png",
            "a.csv.parts",
            "part",
            alive.as_str(),
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
    fn sweep_dead_keeps_parts_of_live_processes() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = format!("a.csv.part-{}", child.id());
        child.wait().unwrap();
        let alive = [part_of_live_process(), format!("a.csv.part-{}", std::process::id()), "a.csv.part".into()];
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
    fn create_alone_overwrites_leftover_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        // As if it were killed.
        std::mem::forget(AtomicFile::create_alone(&path).unwrap());
        assert_eq!(names(folder.path()), ["a.txt.part"]);
        AtomicFile::create_alone(&path).unwrap().commit().unwrap();
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn missing_folder_is_reported_as_not_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            AtomicFile::create(&folder.path().join("no/a.txt")).unwrap_err().source.kind(),
            io::ErrorKind::NotFound
        );
    }
}
