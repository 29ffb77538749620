//! The result of analysing a picture.

use image::RgbImage;

use super::Outside;
use crate::{
    cells::{Cell, Counts, Labels},
    frame::quality::Quality,
    placement::Scaled,
    segmentation::CellMaps,
};

/// The result of analysing a picture of W x H. All pictures in it are 4W x 4H.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// Whether the picture shows cells that can be counted; see [`super::Pipeline::analyse`].
    pub quality: Quality,
    /// The super-resolved picture.
    pub sr: RgbImage,
    /// The maps that the cells were extracted from.
    pub maps: CellMaps,
    /// One number per cell.
    pub labels: Labels,
    /// The measures of the cells, in order of their labels, including platelets, which are not cells: [`Self::counts`].
    pub cells: Vec<Cell>,
    /// The parts of the picture without specimen.
    pub outside: Outside,
    /// Where the picture lies on its input, and its pitch.
    pub scaled: Scaled,
    /// Time of each stage.
    pub times: StageTimes,
    /// Tiles that each model ran; if the picture was not counted, only super-resolution.
    pub tiles: u32,
}

impl Analysis {
    /// The counts; the only place that defines what counts as a cell.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.cells, self.maps.kinds.is_some())
    }
}

/// Milliseconds of each stage, summed over the tiles of one picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageTimes {
    /// Super-resolution.
    pub ssr_ms: f64,
    /// Segmentation.
    pub unet_ms: f64,
    /// Quality check; cutting, padding, normalising and stitching tiles.
    pub tiling_ms: f64,
    /// Maps to labels to measures, and the comparison with the input.
    pub cells_ms: f64,
    /// Total.
    pub total_ms: f64,
}

/// The same in single steps, which add up to the total except for what lies between them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepTimes {
    /// Detection of the specimen.
    pub specimen_ms: f64,
    /// The quality check.
    pub judge_ms: f64,
    /// Super-resolution.
    pub ssr_ms: f64,
    /// Background and contrast of the frame; applying them is part of tiling.
    pub normalise_ms: f64,
    /// Segmentation.
    pub unet_ms: f64,
    /// Cutting, padding, normalising and stitching tiles.
    pub tiling_ms: f64,
    /// Maps to labels.
    pub split_ms: f64,
    /// Comparison of the super-resolved picture with the input.
    pub consistency_ms: f64,
    /// Labels to measures.
    pub measure_ms: f64,
    /// Total.
    pub total_ms: f64,
}

impl StepTimes {
    /// Grouped into the stages that are recorded per frame.
    pub(super) fn stages(&self) -> StageTimes {
        StageTimes {
            ssr_ms: self.ssr_ms,
            unet_ms: self.unet_ms,
            tiling_ms: self.specimen_ms + self.judge_ms + self.normalise_ms + self.tiling_ms,
            cells_ms: self.split_ms + self.consistency_ms + self.measure_ms,
            total_ms: self.total_ms,
        }
    }
}
