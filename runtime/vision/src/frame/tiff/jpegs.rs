//! A TIFF whose strips or tiles are JPEGs with shared tables: each is scanned to its last block, because the decoder
//! fills missing data with grey.

use std::io::{Read, Seek};

use super::{Page, fields::Fields, tag};
use crate::frame::{
    jpeg::{Fault, Result, Walk, kind_of},
    limits::MAX_WHOLE_FIELD_PX,
};

/// Most strips or tiles of a page: those of 16x16 pixels in the largest picture.
const MAX_JPEGS: u64 = MAX_WHOLE_FIELD_PX / 256;

/// Most pixels of all together: the last ones may be larger than their visible part.
const MAX_PX: u64 = 2 * MAX_WHOLE_FIELD_PX;

/// Most bytes of all copies of the tables together.
const MAX_TABLES_BYTES: usize = 512 * 1024 * 1024;

/// Scans the JPEGs of a page of a file of `file_bytes`.
///
/// # Errors
/// The [`Fault`] of the first one that is incomplete or not supported.
pub fn through_jpegs(file: &mut (impl Read + Seek), page: &Page, file_bytes: u64) -> Result<()> {
    let unread = |_| Fault::CutOff;
    let mut fields = Fields::begin(file).map_err(unread)?;
    let directory = fields.directory(page.at).map_err(unread)?;
    let mut numbers = |strips, tiles| {
        let found = fields.numbers(&directory, strips, MAX_JPEGS);
        found.or_else(|| fields.numbers(&directory, tiles, MAX_JPEGS)).unwrap_or_default()
    };
    let places = numbers(tag::STRIP_OFFSETS, tag::TILE_OFFSETS);
    let lengths = numbers(tag::STRIP_BYTES, tag::TILE_BYTES);
    if places.is_empty() || places.len() != lengths.len() {
        return Err(Fault::Damaged("strips without an offset or a length"));
    }
    // Each byte belongs to one of them.
    if lengths.iter().try_fold(0_u64, |sum, length| sum.checked_add(*length)).is_none_or(|sum| sum > file_bytes) {
        return Err(Fault::CutOff);
    }
    let tables = fields.undefined(&directory, tag::JPEG_TABLES).unwrap_or_default();
    // Without their end marker.
    let tables = tables.strip_suffix(&[0xff, 0xd9]).unwrap_or(&tables);
    if tables.len().saturating_mul(places.len()) > MAX_TABLES_BYTES {
        return Err(Fault::Damaged("tables that are larger than the data"));
    }
    let mut px = 0;
    for (at, length) in places.into_iter().zip(lengths) {
        let piece = fields.piece(at, length).map_err(unread)?;
        if piece.len() as u64 != length {
            return Err(Fault::CutOff);
        }
        // Without its start marker, if the tables have one.
        let piece = if tables.is_empty() { &piece } else { piece.strip_prefix(&[0xff, 0xd8]).unwrap_or(&piece) };
        let whole = [tables, piece].concat();
        let (width, height) = kind_of(&whole)?;
        px += u64::from(width) * u64::from(height);
        if px > MAX_PX {
            return Err(Fault::Damaged("strips that are larger than any picture"));
        }
        Walk::through(&whole)?;
    }
    Ok(())
}
