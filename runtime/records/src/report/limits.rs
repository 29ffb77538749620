//! How much a report shows.

use bloodseg_vision::{
    frame::limits::MAX_WHOLE_FIELD_PX,
    geometry::{MAX_FRAME_PX, SCALE, TILE_SR_PX},
};

/// Maximum number of points of a line over time, however many frames there are.
pub const MAX_REPORT_POINTS: usize = 240;

/// Maximum number of bars of a histogram.
pub const MAX_REPORT_BARS: usize = 40;

/// Cell sizes up to this one, in pixels of the super-resolved picture, are counted individually, so that medians are
/// exact; larger ones are counted as this size. A whole tile.
pub const MAX_REPORT_AREA_PX: u32 = TILE_SR_PX * TILE_SR_PX;

/// Events that a report lists; if there are more, the latest.
pub const MAX_REPORT_EVENTS: usize = 200;

/// Typical cells, and unusual ones, that a report shows.
pub const MAX_REPORT_CELLS: usize = 12;

/// Kept pictures whose cells a report chooses from; each takes about forty bytes of memory.
pub const MAX_REPORT_PICTURED: usize = 16_384;

/// Longest side of a cell's picture in a report, in pixels; larger ones are shrunk.
pub const MAX_REPORT_CROP_PX: u32 = 256;

/// Maximum number of frames for which a report has a row each.
pub const MAX_REPORT_ROWS: u64 = 200;

/// Longest side of a picture in such a row, in pixels.
pub const MAX_REPORT_THUMBNAIL_PX: u32 = 96;

/// Shortest time of the box over which a report draws lines, in milliseconds.
pub const MIN_REPORT_TIME_MS: i64 = 60_000;

/// Largest kept picture that cells are cut from, in pixels.
pub const MAX_KEPT_PICTURE_PX: u64 = MAX_FRAME_PX * (SCALE * SCALE) as u64;

const _: () = {
    assert!(MAX_KEPT_PICTURE_PX <= MAX_WHOLE_FIELD_PX);
};
