//! Sizes of overlays.

/// Most pixels of an input on which the overlay is drawn at full resolution: 12 binary megapixels.
pub const MAX_OVERLAY_PX: u64 = 12 * 1024 * 1024;

/// Longest side of the overlay of a larger input, in pixels.
pub const MAX_SHRUNK_OVERLAY_SIDE_PX: u32 = 4096;
