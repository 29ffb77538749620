//! What is kept of one frame: everything but its pictures.

use std::{sync::Arc, time::SystemTime};

use crate::{
    field::{Field, Seen},
    sample::Sample,
};
use bloodseg_vision::{
    cells::{Cell, Counts, outline::Outlines},
    frame::{name::FrameName, quality::Quality},
    pipeline::{Analysis, StageTimes},
    placement::Scaled,
};

/// One analysed frame, ready to be recorded.
#[derive(Debug, Clone)]
pub struct FrameRecord {
    /// Its number in the run, starting at 1.
    pub number: u64,
    /// Its name.
    pub name: FrameName,
    /// Base name of its pictures, if they are kept.
    pub stem: String,
    /// When it was analysed, by the wall clock.
    pub at: SystemTime,
    /// The quality assessment.
    pub quality: Quality,
    /// Whether its cells were counted; if not, there are none.
    pub counted: bool,
    /// Milliseconds of each stage.
    pub times: StageTimes,
    /// Tiles that each network ran.
    pub tiles: u32,
    /// Frames of the run dropped so far.
    pub dropped: u64,
    /// Width and height of the super-resolved grid, in whose pixels the cells are measured.
    pub size_px: (u32, u32),
    /// How the analysed picture lies on the input, and its size in the specimen.
    pub scaled: Scaled,
    /// Pixels of the analysed picture that are specimen.
    pub analysed_px: u64,
    /// Totals of `cells`; zero if `counted` is false.
    pub counts: Counts,
    /// What it belongs to.
    pub sample: Option<Arc<Sample>>,
    /// What the frame shows that earlier frames of the run did not; none if frames are not compared, or it was not
    /// counted.
    pub field: Option<Field>,
    /// Which cells and platelets were counted before, in the order of `cells`; empty if all are new.
    pub seen: Vec<Seen>,
    /// The measures of cells and platelets, in order of their labels.
    pub cells: Vec<Cell>,
    /// The cells' outlines, in the same order.
    pub outlines: Outlines,
}

impl FrameRecord {
    /// The record of `analysis` for a frame with this number and name. `spare` is an old record whose memory is reused.
    pub fn of(
        number: u64,
        name: &FrameName,
        analysis: &Analysis,
        counted: bool,
        dropped: u64,
        at: SystemTime,
        spare: Option<Self>,
    ) -> Self {
        let (mut cells, mut outlines, mut stem, mut seen) =
            spare.map(|spare| (spare.cells, spare.outlines, spare.stem, spare.seen)).unwrap_or_default();
        seen.clear();
        name.stem_into(&mut stem);
        cells.clear();
        cells.extend_from_slice(&analysis.cells);
        outlines.trace(&analysis.labels, &cells);
        Self {
            number,
            name: name.clone(),
            stem,
            at,
            quality: analysis.quality,
            counted,
            times: analysis.times,
            tiles: analysis.tiles,
            dropped,
            size_px: analysis.labels.dimensions(),
            scaled: analysis.scaled,
            analysed_px: analysis.outside.analysed_px(),
            counts: analysis.counts(),
            sample: None,
            field: None,
            seen,
            cells,
            outlines,
        }
    }
}
