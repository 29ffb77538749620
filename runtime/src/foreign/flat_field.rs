//! A flat-field file.

use bloodseg_vision::frame::{
    flat_field::{FlatField, sealed},
    limits::{MAX_CAMERA_PX, MAX_CAMERA_SIDE_PX},
};

/// Pixels of a row to correct.
const ROW_PX: usize = 64;

/// The bytes are the file, and then the part of one that its hash covers.
///
/// # Panics
/// If a field of implausible size is accepted, darkens anything, or changes when written and read again.
pub fn meet(bytes: &[u8]) -> bool {
    let mut taken = false;
    for file in [bytes, &sealed(bytes)] {
        let Ok(mut field) = FlatField::parse(file) else { continue };
        taken = true;
        let (width, height) = field.size_px();
        assert!(width.max(height) <= MAX_CAMERA_SIDE_PX && u64::from(width) * u64::from(height) <= MAX_CAMERA_PX);
        assert_eq!(FlatField::parse(&field.to_bytes()).as_ref(), Ok(&field));
        for (y, x) in [(0, 0), (height / 2, width / 2), (height - 1, width - 1), (height, width), (u32::MAX, u32::MAX)]
        {
            let mut row = [100; 3 * ROW_PX];
            field.correct(y, x, &mut row);
            assert!(row.iter().all(|level| *level >= 100));
        }
    }
    taken
}
