//! What is known of a picture at the end.

use image::RgbImage;

use super::Outside;
use crate::{
    cells::{Cell, Counts, Labels},
    frame::quality::Quality,
    placement::Scaled,
    segmentation::CellMaps,
};

/// What is known of a picture of W x H at the end. All pictures in it are 4W x 4H.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// Whether the picture shows cells that can be counted; see [`super::Pipeline::analyse`].
    pub quality: Quality,
    /// The super-resolved picture.
    pub sr: RgbImage,
    /// The maps that the cells were read off.
    pub maps: CellMaps,
    /// One number a cell.
    pub labels: Labels,
    /// The cells' measures, in order of their labels; platelets are among them, and no cells: [`Self::counts`].
    pub cells: Vec<Cell>,
    /// What of the picture is no specimen.
    pub outside: Outside,
    /// How the picture lies on the input that it was made of, and its size in the specimen.
    pub scaled: Scaled,
    /// Where the time went.
    pub times: StageTimes,
    /// Tiles that each net ran; of a picture that was not counted, the super-resolution net alone.
    pub tiles: u32,
}

impl Analysis {
    /// What is counted: the one place that says what a cell is.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.cells, self.maps.kinds.is_some())
    }
}

/// Milliseconds of each stage, summed over the tiles of one picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageTimes {
    /// The super-resolution net.
    pub ssr_ms: f64,
    /// The segmentation net.
    pub unet_ms: f64,
    /// Judging the frame; cutting, padding, normalising and stitching tiles.
    pub tiling_ms: f64,
    /// Maps to labels to measures, and the comparison with what was read.
    pub cells_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// The same in single steps, which add up to the whole but for what lies between them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepTimes {
    /// What of the frame is specimen.
    pub specimen_ms: f64,
    /// Whether the frame shows cells.
    pub judge_ms: f64,
    /// The super-resolution net.
    pub ssr_ms: f64,
    /// Ground and contrast of the frame; that they are laid on the picture is a part of tiling.
    pub normalise_ms: f64,
    /// The segmentation net.
    pub unet_ms: f64,
    /// Cutting, padding, normalising and stitching tiles.
    pub tiling_ms: f64,
    /// Maps to labels.
    pub split_ms: f64,
    /// The super-resolved picture compared with what was read.
    pub consistency_ms: f64,
    /// Labels to measures.
    pub measure_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

impl StepTimes {
    /// In the fewer stages that are kept of a frame.
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
