//! Sizes shared by all steps: of tiles, and of the pictures that are cut into them.

/// Edge of a low-resolution tile in input pixels: the input of the super-resolution model.
pub const TILE_PX: u32 = 64;

/// Linear factor of the super-resolution.
pub const SCALE: u32 = 4;

/// Edge of a super-resolved tile in pixels: the input of the segmentation model.
pub const TILE_SR_PX: u32 = TILE_PX * SCALE;

/// Most pixels of a picture that is tiled. The outputs have 16 times as many.
pub const MAX_TILED_PX: u64 = 2 * 1024 * 1024;

/// Largest frame that a source may deliver to `run`, in pixels.
pub const MAX_FRAME_PX: u64 = 1024 * 1024;

/// Edge of the square that the reference preparation resizes the high-resolution target to.
pub const REFERENCE_HR_PX: u32 = 256;

/// Edge of the square that the reference preparation resizes the low-resolution input to.
pub const REFERENCE_LR_PX: u32 = 64;

/// Accepted pitches, in micrometres per pixel: from beyond the resolution of light to beyond any cell.
pub const PITCHES_UM: std::ops::RangeInclusive<f64> = 0.01..=100.0;

const _: () = {
    assert!(REFERENCE_HR_PX == REFERENCE_LR_PX * SCALE);
    assert!(MAX_FRAME_PX <= MAX_TILED_PX);
};
