//! The JPEG frames of a camera.

use super::front::Front;
use crate::camera::{
    device::{
        Format, RawFrame,
        layout::{Layout, Range},
    },
    intake::{Intake, Scale},
};

/// Longest side of a frame, in pixels.
const MOST_SIDE_PX: u8 = 128;

/// Width, height, the length of the first of two frames in two bytes, and the frames.
///
/// # Panics
/// If an accepted frame has another size than the stream, or shows data of the previous frame.
pub fn meet(bytes: &[u8]) -> bool {
    let mut front = Front(bytes);
    let mut side = || u32::from(front.byte() % MOST_SIDE_PX) + 1;
    let (width_px, height_px) = (side(), side());
    let length = front.word();
    let frames = [front.bytes(length.into()), front.0];
    let format = Format {
        layout: Layout::Mjpeg,
        width_px,
        height_px,
        stride_bytes: 0,
        most_bytes: bytes.len() as u32,
        range: Range::Full,
    };
    let open = || Intake::new(format, None, None, Scale::AsIs, 1);
    let Ok(mut used) = open() else { return false };
    let mut any = false;
    for bytes in frames {
        let raw = RawFrame { bytes, damaged: false };
        let taken = used.take(raw).map(|picture| picture.as_raw().clone());
        let alone = open().map(|mut fresh| fresh.take(raw).map(|picture| picture.as_raw().clone()));
        assert!(taken.as_ref().map_or(true, |pixels| pixels.len() as u32 == 3 * width_px * height_px));
        assert!(alone.is_ok_and(|alone| alone == taken), "a frame that depends on the one before it");
        any |= taken.is_ok();
    }
    any
}
