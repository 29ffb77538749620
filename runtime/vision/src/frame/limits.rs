//! How large pictures and frames may be, and what decoding one may take.

use crate::geometry::MAX_TILED_PX;

/// Largest width or height of a picture that is read for tiling, in pixels.
pub const MAX_PICTURE_SIDE_PX: u32 = 16_384;

/// Most pixels of a full-resolution picture that is shrunk before it is read (`--whole-field`, `eval`).
pub const MAX_WHOLE_FIELD_PX: u64 = 64 * 1024 * 1024;

/// Most bytes that reading the header of a picture may take: a PNG's colour profile, unpacked, is a part of it.
pub const MAX_HEADER_BYTES: u64 = 8 * 1024 * 1024;

/// Most bytes that decoding one picture may take.
pub const MAX_DECODE_BYTES: u64 = 512 * 1024 * 1024;

/// Bytes a pixel that a decoder keeps beside the samples it gives, at most: the coefficients of a progressive JPEG with four
/// components.
pub const DECODER_BYTES_PER_PX: u64 = 8;

/// Bytes that a decoder keeps whatever the size of the picture.
pub const DECODER_BYTES: u64 = 512 * 1024;

/// Most scans of a JPEG that are walked: progressive ones have about ten.
pub const MAX_JPEG_SCANS: u32 = 256;

/// Most bytes of one tag of a TIFF: the places of the 16x16 tiles of a large picture.
pub const MAX_TIFF_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Largest picture file that is opened, in bytes.
pub const MAX_PICTURE_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Pictures that frames of a live camera are made in, allocated once: those that wait, the one that is analysed, and the one
/// that is being made.
pub const FRAME_POOL_LEN: usize = 6;

/// Largest frame that is read from a camera, in pixels. It is shrunk row by row on its way.
pub const MAX_CAMERA_PX: u64 = 16 * 1024 * 1024;

/// Largest width or height of a camera's frame, in pixels.
pub const MAX_CAMERA_SIDE_PX: u32 = 8192;

/// Largest flat-field file that is opened, in bytes: enough for any frame of [`MAX_CAMERA_PX`].
pub const MAX_FLAT_FIELD_BYTES: u64 = 1024 * 1024;

const _: () = {
    assert!(MAX_TILED_PX <= MAX_WHOLE_FIELD_PX);
    assert!(MAX_WHOLE_FIELD_PX * 3 <= MAX_DECODE_BYTES);
    assert!(MAX_CAMERA_PX <= MAX_WHOLE_FIELD_PX);
    // Sizes in bytes are counted in 32 bits.
    assert!(MAX_CAMERA_PX * 4 <= u32::MAX as u64);
};
