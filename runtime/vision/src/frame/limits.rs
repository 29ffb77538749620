//! Sizes of pictures and frames, and memory for decoding.

use crate::geometry::MAX_TILED_PX;

/// Largest width or height of a picture to be tiled, in pixels.
pub const MAX_PICTURE_SIDE_PX: u32 = 16_384;

/// Most pixels of a full-resolution picture that is downscaled first (`--whole-field`, `eval`).
pub const MAX_WHOLE_FIELD_PX: u64 = 64 * 1024 * 1024;

/// Most bytes for reading the header of a picture, including a PNG's decompressed colour profile.
pub const MAX_HEADER_BYTES: u64 = 8 * 1024 * 1024;

/// Most bytes for decoding one picture.
pub const MAX_DECODE_BYTES: u64 = 512 * 1024 * 1024;

/// Most bytes per pixel that a decoder holds besides its output: the coefficients of a progressive JPEG with four
/// components.
pub const DECODER_BYTES_PER_PX: u64 = 8;

/// Bytes that a decoder holds regardless of the picture size.
pub const DECODER_BYTES: u64 = 512 * 1024;

/// Most scans of a JPEG; progressive ones have about ten.
pub const MAX_JPEG_SCANS: u32 = 256;

/// Most bytes of one TIFF tag: the offsets of the 16x16 tiles of a large picture.
pub const MAX_TIFF_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Largest picture file that is opened, in bytes.
pub const MAX_PICTURE_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Pictures for live frames, allocated once: the queued ones, the one being analysed, and the one being filled.
pub const FRAME_POOL_LEN: usize = 6;

/// Largest camera frame, in pixels. It is downscaled row by row.
pub const MAX_CAMERA_PX: u64 = 16 * 1024 * 1024;

/// Largest width or height of a camera's frame, in pixels.
pub const MAX_CAMERA_SIDE_PX: u32 = 8192;

/// Largest flat-field file that is opened, in bytes: enough for any frame of [`MAX_CAMERA_PX`].
pub const MAX_FLAT_FIELD_BYTES: u64 = 1024 * 1024;

const _: () = {
    assert!(MAX_TILED_PX <= MAX_WHOLE_FIELD_PX);
    assert!(MAX_WHOLE_FIELD_PX * 3 <= MAX_DECODE_BYTES);
    assert!(MAX_CAMERA_PX <= MAX_WHOLE_FIELD_PX);
    // Sizes in bytes are 32-bit numbers.
    assert!(MAX_CAMERA_PX * 4 <= u32::MAX as u64);
};
