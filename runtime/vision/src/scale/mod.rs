//! The scale of a picture from the size of its red cells, or the reason why it cannot be determined.
//!
//! The models know one magnification, with red cells of [`red_cell_px`] on their input. [`measure`] determines how far a
//! picture is from it: a guess without a model, from the similarity of pixels; then a few analyses of one tile each, each
//! of which determines where to look next; then one at a higher magnification, which must find the same cells again.
//! Cells that are not confirmed, not round, of no consistent size or too few give [`Outcome::Unknown`]. Pictures from one
//! microscope share a scale: [`Pool`] combines several, and detects those that disagree.
//!
//! A size in pixels is good enough for counting. Micrometres from it are an estimate, because red cells differ between
//! people ([`RED_CELL_UM`]).

mod doubt;
mod guess;
mod look;
mod pool;
mod scaler;
mod search;
mod thumb;

use image::RgbImage;

pub use look::{CELL_PX, Size, size_in};
pub use pool::{Fit, Pool, Pooled, groups, probes};
pub(crate) use scaler::LOOK_PX;
pub use scaler::{Learning, MAX_PROBES, Note, Scaler, words};

use crate::{error::Result, pipeline::Pipeline};

/// Diameters of red cells on dry smears, medians per person, in micrometres: minimum, typical, maximum.
pub const RED_CELL_UM: (f64, f64, f64) = (6.2, 7.5, 8.6);

/// Relative variation of the cell size between pictures from one microscope: people, and places on a smear.
const PICTURE_SPREAD: f64 = 0.08;

/// A pitch this close to the usual one is the same: the difference is rounding.
const SAME_PITCH: f64 = 0.005;

/// Diameter of a red cell in pixels of the analysed picture, at the pitch of the models.
pub fn red_cell_px(pipeline: &Pipeline) -> f64 {
    let px = RED_CELL_UM.1 / pipeline.pitch().um_per_px;
    if (px / CELL_PX - 1.0).abs() < SAME_PITCH { CELL_PX } else { px }
}

/// Fewest picture pixels per analysed pixel of a picture whose red cells were measured.
pub(crate) fn least_factor(pipeline: &Pipeline) -> f64 {
    search::LEAST_MEASURED_PX / red_cell_px(pipeline)
}

/// Most heap bytes for measuring a picture, besides those of an analysis: the part that is looked at, the downscaled
/// picture, and the weights for resizing.
pub(crate) fn measuring_bytes(width: u32, height: u32) -> u64 {
    3 * u64::from(width) * u64::from(height) + 256 * (u64::from(width) + u64::from(height)) + thumb::MAX_BYTES
}

/// The size of the red cells of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Diameter in pixels of the picture, 3 and more.
    pub cell_px: f64,
    /// Relative standard error of the median, from the spread and the number of cells, 0 to 0.12.
    pub doubt: f64,
    /// Total weight of the cells used.
    pub cells: f64,
    /// Interquartile range of the diameters over their median, 0 to 0.36.
    pub spread: f64,
    /// Number of analyses used.
    pub looks: u32,
    /// Number of tiles used.
    pub tiles: u32,
}

impl Estimate {
    /// Picture pixels per analysed pixel, for the models of a pipeline.
    pub fn factor(&self, pipeline: &Pipeline) -> f64 {
        self.cell_px / red_cell_px(pipeline)
    }

    /// Interval of the cell diameter in pixels, about 95 %.
    pub fn interval_px(&self) -> (f64, f64) {
        let reach = (1.96 * self.doubt).hypot(PICTURE_SPREAD);
        (self.cell_px / (1.0 + reach), self.cell_px * (1.0 + reach))
    }

    /// The pitch if red cells are 7.5 um, and its interval over the variation between people.
    pub fn um_per_px(&self) -> (f64, (f64, f64)) {
        um_per_px(self.cell_px, self.interval_px())
    }
}

fn um_per_px(cell_px: f64, interval_px: (f64, f64)) -> (f64, (f64, f64)) {
    let (least, usual, most) = RED_CELL_UM;
    (usual / cell_px, (least / interval_px.1, most / interval_px.0))
}

/// Why the size cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The picture has no characteristic size: it is flat, unlit, or a slope.
    NothingStandsOut,
    /// The models find no cells at any magnification.
    NoCells,
    /// What they find changes with the magnification.
    NotSettled,
    /// Their cells are not found again at another magnification.
    NotSeenAgain,
    /// There are too few cells.
    TooFewCells,
    /// The shapes they find are not round.
    NotRound,
    /// The shapes they find vary in size.
    ManySizes,
    /// The shapes they find do not match the size of the picture's structures.
    UnlikeThePicture,
    /// The shapes they find are too regular for cells.
    Pattern,
    /// Cells smaller than three pixels.
    TooSmall,
}

impl Reason {
    /// In words, to complete "no scale: ...".
    pub fn words(self) -> &'static str {
        match self {
            Self::NothingStandsOut => "no structure of a characteristic size",
            Self::NoCells => "no cells at any magnification",
            Self::NotSettled => "cells whose size changes with the magnification",
            Self::NotSeenAgain => "cells that another magnification does not confirm",
            Self::TooFewCells => "too few complete cells",
            Self::NotRound => "shapes are not round",
            Self::ManySizes => "shapes vary too much in size",
            Self::UnlikeThePicture => "shapes do not match the size of the picture's structures",
            Self::Pattern => "a regular pattern",
            Self::TooSmall => "cells smaller than three pixels",
        }
    }
}

/// The result of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The size of the red cells.
    Measured(Estimate),
    /// It cannot be determined.
    Unknown(Reason),
}

impl Outcome {
    /// The estimate, if there is one.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Measured(estimate) => Some(*estimate),
            Self::Unknown(_) => None,
        }
    }
}

/// Measures the red cells of a picture of any size, for 4 to 160 px per cell, with two to seven analyses of one tile
/// each, mostly two.
///
/// # Errors
/// Those of the models; [`crate::error::Error::Picture`] for an empty picture.
pub fn measure(pipeline: &mut Pipeline, picture: &RgbImage) -> Result<Outcome> {
    if picture.is_empty() {
        return Err(crate::error::Error::picture("no pixels", "a picture", ""));
    }
    search::measure(pipeline, picture)
}

#[cfg(test)]
mod tests;
