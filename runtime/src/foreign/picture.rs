//! A picture file.

use std::path::Path;

use bloodseg_vision::{error::ErrorKind, frame::decode::read_picture_bytes};

/// Pixel limit: low, so that a fuzzer stays fast.
const MOST_PX: u64 = 64 * 1024;

/// The bytes are a picture file.
///
/// # Panics
/// If a fault is not reported as one of the input, or a picture with no or too many pixels is accepted.
pub fn meet(bytes: &[u8]) -> bool {
    match read_picture_bytes(bytes, Path::new("foreign"), MOST_PX) {
        Ok(picture) => {
            let pixels = u64::from(picture.width()) * u64::from(picture.height());
            assert!((1..=MOST_PX).contains(&pixels), "{pixels} pixels");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Input, "{error}");
            false
        }
    }
}
