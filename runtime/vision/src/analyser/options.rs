//! How pictures are analysed.

use std::path::Path;

use crate::{
    error::{Error, Result},
    geometry::PITCHES_UM,
    pipeline::limits::MAX_WORKERS,
};

/// How pictures are analysed. The default determines the scale of every picture from its red cells.
///
/// ```
/// use bloodseg_vision::analyser::Options;
///
/// let options = Options::default().um_per_px(0.17).most_bytes(64 << 20);
/// assert_eq!(options.um_per_px, Some(0.17));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Edge of a pixel of the pictures in the specimen, in micrometres, 0.01 to 100. It determines the scale, unless
    /// pictures are analysed as they are, and takes precedence over what files say.
    pub um_per_px: Option<f64>,
    /// Analyses pictures unchanged: they are at the scale of the models, with red cells of about 5.5 pixels.
    pub as_is: bool,
    /// Also counts cells in pictures that are out of focus, empty, or badly exposed, but never at an unknown scale.
    pub any_quality: bool,
    /// Threads for the tiles of a picture, 1 or 2; by default 1. Results do not depend on it.
    pub threads: usize,
    /// Most heap bytes, as [`Analyser::memory_bytes`](super::Analyser::memory_bytes) counts them. Pictures that would take
    /// more at their scale are refused.
    pub most_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { um_per_px: None, as_is: false, any_quality: false, threads: 1, most_bytes: None }
    }
}

impl Options {
    /// With this pitch, in micrometres per pixel.
    #[must_use]
    pub fn um_per_px(self, um_per_px: f64) -> Self {
        Self { um_per_px: Some(um_per_px), ..self }
    }

    /// For pictures at the scale of the models.
    #[must_use]
    pub fn as_is(self) -> Self {
        Self { as_is: true, ..self }
    }

    /// For pictures of any quality.
    #[must_use]
    pub fn any_quality(self) -> Self {
        Self { any_quality: true, ..self }
    }

    /// With this many threads for the tiles of a picture, 1 or 2.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// With a limit on memory, in bytes.
    #[must_use]
    pub fn most_bytes(self, most_bytes: u64) -> Self {
        Self { most_bytes: Some(most_bytes), ..self }
    }

    /// Refuses values that make no sense.
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=MAX_WORKERS).contains(&self.threads) {
            let error = Error::picture(self.threads, format!("1 to {MAX_WORKERS}"), "");
            return Err(error.at(Path::new("threads")));
        }
        self.um_per_px.map_or(Ok(()), check_pitch).map_err(|error| error.at(Path::new("um_per_px")))
    }
}

/// Refuses a pitch that no microscope has.
pub(super) fn check_pitch(um_per_px: f64) -> Result<()> {
    if PITCHES_UM.contains(&um_per_px) {
        return Ok(());
    }
    Err(Error::picture(
        format!("a pitch of {um_per_px} um per pixel"),
        format!("{} to {}", PITCHES_UM.start(), PITCHES_UM.end()),
        "Pass the pitch in micrometres, or none to measure the red cells",
    ))
}
