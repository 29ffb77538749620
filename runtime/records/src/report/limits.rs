//! How much a report shows.

use bloodseg_vision::{
    frame::limits::MAX_WHOLE_FIELD_PX,
    geometry::{MAX_FRAME_PX, SCALE, TILE_SR_PX},
};

/// Points that a line over time in a report has at most, however many frames there are.
pub const MAX_REPORT_POINTS: usize = 240;

/// Bars that a histogram in a report has at most.
pub const MAX_REPORT_BARS: usize = 40;

/// Sizes of cells up to this one, in pixels of the super-resolved picture, are counted each by itself in a report, so that
/// medians are exact; larger ones are counted as this large. A whole tile.
pub const MAX_REPORT_AREA_PX: u32 = TILE_SR_PX * TILE_SR_PX;

/// Events that a report lists; of more, the latest.
pub const MAX_REPORT_EVENTS: usize = 200;

/// Typical cells, and odd ones, that a report shows.
pub const MAX_REPORT_CELLS: usize = 12;

/// Kept pictures whose cells a report chooses from; some forty bytes are held for each.
pub const MAX_REPORT_PICTURED: usize = 16_384;

/// Longest side of a cell's picture in a report, in pixels; what is larger is shrunk.
pub const MAX_REPORT_CROP_PX: u32 = 256;

/// Largest kept picture that a report cuts cells from, in pixels.
pub const MAX_KEPT_PICTURE_PX: u64 = MAX_FRAME_PX * (SCALE * SCALE) as u64;

const _: () = {
    assert!(MAX_KEPT_PICTURE_PX <= MAX_WHOLE_FIELD_PX);
};
