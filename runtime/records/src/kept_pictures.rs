//! The pictures of a run: of every N-th frame, and of the last. Those of a camera, which never ends, are limited: the
//! oldest are deleted to leave room for the records.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::limits::MAX_KEPT_PICTURES;
use bloodseg_vision::{frame::Frame, pictures, pipeline::Analysis};

/// Which frames of a run leave pictures.
#[derive(Debug)]
pub struct KeptPictures {
    folder: PathBuf,
    every: Option<u64>,
    analysed: u64,
    latest_stem: String,
    not_written: u64,
    shelf: Option<Shelf>,
}

/// Frames with pictures, the oldest first.
#[derive(Debug)]
struct Shelf {
    most_bytes: u64,
    bytes: u64,
    frames: VecDeque<(String, u64)>,
}

impl KeptPictures {
    /// `every` = k writes those of every k-th frame to `folder`. With `most_bytes` the oldest pictures in the folder are
    /// deleted beyond that, those of earlier runs first.
    pub fn new(folder: &Path, every: Option<u64>, most_bytes: Option<u64>) -> Self {
        let shelf = most_bytes.map(|most_bytes| Shelf::of(folder, most_bytes));
        Self { folder: folder.to_owned(), every, analysed: 0, latest_stem: String::new(), not_written: 0, shelf }
    }

    /// A frame was analysed. Pictures that cannot be written are reported, and do not end the run; while the disk does
    /// not respond, none are written.
    pub fn see(&mut self, frame: &Frame, analysis: &Analysis, disk_answers: bool) {
        self.analysed += 1;
        frame.name.stem_into(&mut self.latest_stem);
        if disk_answers && self.every.is_some_and(|every| self.analysed.is_multiple_of(every)) {
            self.write(analysis);
        }
    }

    /// Writes the pictures of the last frame seen, and returns the path of the overlay.
    pub fn end(&mut self, latest: &Analysis) -> Option<PathBuf> {
        (self.analysed > 0 && self.write(latest)).then(|| self.folder.join(format!("{}.overlay.png", self.latest_stem)))
    }

    fn write(&mut self, analysis: &Analysis) -> bool {
        let Err(error) = pictures::write_alone(&self.folder, &self.latest_stem, analysis) else {
            if let Some(shelf) = &mut self.shelf {
                shelf.put(&self.folder, &self.latest_stem);
            }
            return true;
        };
        self.not_written += 1;
        if self.not_written.is_power_of_two() {
            log::warn!("{} frames without their pictures: {error}", self.not_written);
        }
        false
    }
}

impl Shelf {
    /// What is already in a folder.
    fn of(folder: &Path, most_bytes: u64) -> Self {
        let mut there: Vec<(SystemTime, String)> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                // One of the four pictures stands for all.
                let name = entry.file_name().into_string().ok()?;
                let stem = name.strip_suffix(pictures::SUFFIXES[0])?;
                Some((entry.metadata().ok()?.modified().ok()?, stem.to_owned()))
            })
            .collect();
        there.sort();
        let mut shelf = Self { most_bytes, bytes: 0, frames: VecDeque::new() };
        for (_, stem) in there {
            shelf.put(folder, &stem);
        }
        shelf
    }

    /// The pictures of one more frame are written; the oldest are deleted.
    fn put(&mut self, folder: &Path, stem: &str) {
        let bytes = bytes_of(folder, stem);
        // Same name again: the pictures of an earlier run were overwritten.
        self.frames.retain(|(known, bytes)| {
            let stays = known != stem;
            self.bytes -= if stays { 0 } else { *bytes };
            stays
        });
        self.frames.push_back((stem.to_owned(), bytes));
        self.bytes += bytes;
        while self.frames.len() > 1 && (self.bytes > self.most_bytes || self.frames.len() > MAX_KEPT_PICTURES) {
            let Some((oldest, bytes)) = self.frames.pop_front() else { break };
            self.bytes -= bytes;
            for path in pictures::paths(folder, &oldest) {
                if let Err(error) = fs::remove_file(&path) {
                    log::debug!("{}: {error}", path.display());
                }
            }
        }
    }
}

fn bytes_of(folder: &Path, stem: &str) -> u64 {
    pictures::paths(folder, stem).iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn create(folder: &Path, stem: &str) {
        for path in pictures::paths(folder, stem) {
            fs::write(path, [0; 25]).unwrap();
        }
    }

    fn remaining(folder: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
        names.retain(|name| name.ends_with(".sr.png"));
        names.sort();
        names
    }

    #[test]
    fn oldest_pictures_are_deleted_earlier_runs_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("records.sqlite"), [0; 1000]).unwrap();
        for stem in ["c_1", "c_2", "c_9"] {
            create(path, stem);
            // They are ordered by time.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut shelf = Shelf::of(path, 350);
        assert_eq!((shelf.bytes, remaining(path).len()), (300, 3));
        // Overwritten by this run: now the newest.
        create(path, "c_1");
        shelf.put(path, "c_1");
        assert_eq!(shelf.bytes, 300);
        create(path, "c_3");
        shelf.put(path, "c_3");
        assert_eq!(remaining(path), ["c_1.sr.png", "c_3.sr.png", "c_9.sr.png"]);
        assert_eq!(fs::read_dir(path).unwrap().count(), 3 * 4 + 1);
        // Pictures that exceed the limit by themselves stay if they are the newest.
        let mut shelf = Shelf::of(path, 10);
        assert_eq!(remaining(path), ["c_3.sr.png"]);
        create(path, "c_4");
        shelf.put(path, "c_4");
        assert_eq!(remaining(path), ["c_4.sr.png"]);
    }
}
