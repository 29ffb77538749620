//! The pictures of a run: of every so many frames, and of the last.

use std::path::{Path, PathBuf};

use super::pictures;
use crate::{camera::Frame, pipeline::Analysis};

/// Which frames of a run leave pictures.
#[derive(Debug)]
pub struct KeptPictures {
    folder: PathBuf,
    every: Option<u64>,
    analysed: u64,
    latest_stem: String,
    not_written: u64,
}

impl KeptPictures {
    /// `every` = k writes those of every k-th frame into `folder`.
    pub fn new(folder: &Path, every: Option<u64>) -> Self {
        Self { folder: folder.to_owned(), every, analysed: 0, latest_stem: String::new(), not_written: 0 }
    }

    /// A frame was analysed. Pictures that cannot be written are told, and no reason to end.
    pub fn see(&mut self, frame: &Frame, analysis: &Analysis) {
        use std::fmt::Write;
        self.analysed += 1;
        self.latest_stem.clear();
        // Writing to a string does not fail.
        let _ = write!(self.latest_stem, "{}", frame.name);
        self.latest_stem.truncate(pictures::stem(&self.latest_stem).len());
        if self.every.is_some_and(|every| self.analysed.is_multiple_of(every)) {
            self.write(analysis);
        }
    }

    /// Writes the pictures of the last frame that was seen, and tells where the overlay is.
    pub fn end(&mut self, latest: &Analysis) -> Option<PathBuf> {
        (self.analysed > 0 && self.write(latest)).then(|| self.folder.join(format!("{}.overlay.png", self.latest_stem)))
    }

    fn write(&mut self, analysis: &Analysis) -> bool {
        let Err(error) = pictures::write_alone(&self.folder, &self.latest_stem, analysis) else { return true };
        self.not_written += 1;
        if self.not_written.is_power_of_two() {
            log::warn!("{} frames without their pictures: {error}", self.not_written);
        }
        false
    }
}
