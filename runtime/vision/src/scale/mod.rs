//! The scale of a picture from its red cells: how large they are in its pixels, or why that cannot be told.
//!
//! The models know one magnification, that of a red cell of [`CELL_PX`] on the picture they are given. [`measure`] finds how
//! far a picture is from it: a guess without a net, by how far pixels stay alike; then a few analyses of one tile each,
//! every one of which says where to look next; then one at a higher magnification, in which the same cells must be found
//! again. What is not seen twice, is not round, has no size of its own or is too little is [`Outcome::Unknown`]. Pictures of
//! one microscope share a scale: [`Pool`] takes what several say together, and tells which disagree.
//!
//! A size in pixels is good for counting. Micrometres from it are an estimate: red cells differ between people
//! ([`RED_CELL_UM`]).

mod guess;
mod look;
mod pool;
mod scaler;
mod search;
mod thumb;

use image::RgbImage;

pub use look::{CELL_PX, Size, size_in};
pub use pool::{Fit, Pool, Pooled, groups, probes};
pub use scaler::{Learning, MAX_PROBES, Note, Scaler, words};

use crate::{error::Result, pipeline::Pipeline};

/// Diameters of red cells on dry smears, median of a person, in micrometres: the usual one, and the least and greatest that
/// are met with.
pub const RED_CELL_UM: (f64, f64, f64) = (6.2, 7.5, 8.6);

/// How far the cells of one picture differ from those of others of the same microscope, as a share: persons, and places of
/// a smear.
const PICTURE_SPREAD: f64 = 0.08;

/// The size of the red cells of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Diameter in pixels of the picture, 3 and more.
    pub cell_px: f64,
    /// Standard error of the median from the spread and the number of cells, as a share, 0 to 0.12.
    pub doubt: f64,
    /// Cells that it rests on, by their weights.
    pub cells: f64,
    /// Distance between the quartiles of the diameters over their median, 0 to 0.36.
    pub spread: f64,
    /// Analyses that it took.
    pub looks: u32,
    /// Tiles that it took.
    pub tiles: u32,
}

impl Estimate {
    /// Pixels of the picture for one of the picture that is to be analysed.
    pub fn factor(&self) -> f64 {
        self.cell_px / CELL_PX
    }

    /// Interval of the cells' diameter in pixels, about 95 %.
    pub fn interval_px(&self) -> (f64, f64) {
        let reach = (1.96 * self.doubt).hypot(PICTURE_SPREAD);
        (self.cell_px / (1.0 + reach), self.cell_px * (1.0 + reach))
    }

    /// The pitch if red cells are 7.5 um, and the interval that the pitch lies in whosever cells they are.
    pub fn um_per_px(&self) -> (f64, (f64, f64)) {
        um_per_px(self.cell_px, self.interval_px())
    }
}

fn um_per_px(cell_px: f64, interval_px: (f64, f64)) -> (f64, (f64, f64)) {
    let (least, usual, most) = RED_CELL_UM;
    (usual / cell_px, (least / interval_px.1, most / interval_px.0))
}

/// Why the size cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The picture has no size of its own: it is flat, unlit, or a slope.
    NothingStandsOut,
    /// The models find no cells at any magnification.
    NoCells,
    /// What they find changes with the magnification.
    NotSettled,
    /// What they find is not found again at another magnification.
    NotSeenAgain,
    /// There are fewer cells than it takes.
    TooFewCells,
    /// What they find is not round.
    NotRound,
    /// What they find is of many sizes.
    ManySizes,
    /// What they find is far from the size of what the picture shows.
    UnlikeThePicture,
    /// What they find is as alike as no cells are.
    Pattern,
    /// Cells of less than three pixels.
    TooSmall,
}

impl Reason {
    /// In words, as the rest of "no scale: ...".
    pub fn words(self) -> &'static str {
        match self {
            Self::NothingStandsOut => "nothing in the picture has a size",
            Self::NoCells => "no cells at any magnification",
            Self::NotSettled => "cells whose size changes with the magnification",
            Self::NotSeenAgain => "cells that another magnification does not show",
            Self::TooFewCells => "too few whole cells",
            Self::NotRound => "shapes that are not round",
            Self::ManySizes => "shapes of many sizes",
            Self::UnlikeThePicture => "shapes of another size than what the picture shows",
            Self::Pattern => "a regular pattern",
            Self::TooSmall => "cells of less than three pixels",
        }
    }
}

/// What a measurement gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The size of the red cells.
    Measured(Estimate),
    /// It cannot be told.
    Unknown(Reason),
}

impl Outcome {
    /// The estimate, where there is one.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Measured(estimate) => Some(*estimate),
            Self::Unknown(_) => None,
        }
    }
}

/// Measures the red cells of one picture of any size and magnification, from 4 to 160 px a cell; two to seven analyses of
/// one tile each, mostly two.
///
/// # Errors
/// Those of the models; an empty picture is an [`crate::error::Error::Picture`].
pub fn measure(pipeline: &mut Pipeline, picture: &RgbImage) -> Result<Outcome> {
    if picture.is_empty() {
        return Err(crate::error::Error::picture("no pixels", "a picture", ""));
    }
    search::measure(pipeline, picture)
}

#[cfg(test)]
mod tests;
