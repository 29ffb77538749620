//! The pages of a TIFF or BigTIFF, and what their tags say. Pixels are left to the decoder, which is shown one page as if it
//! were the first ([`first_page::FirstPage`]).

mod fields;
pub mod first_page;
mod pitch;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io::{Read, Result, Seek},
};

use fields::{Directory, Fields};

/// Most pages that are looked at; the list is said to break off where there are more.
const MAX_PAGES: usize = 4096;

/// What the tags of a page say.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Where its directory stands in the file, in bytes.
    pub at: u64,
    /// A small copy of another page, or a mask of one.
    pub is_reduced: bool,
    /// Bits of its first sample.
    pub bits: u64,
    /// Edge of a pixel in the specimen in micrometres, where the file says so believably.
    pub um_per_px: Option<f64>,
    format: u64,
    photometric: u64,
}

/// The pages of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pages {
    /// Those that are pictures of their own, in their order; reduced ones where there are no others.
    pub pages: Vec<Page>,
    /// Whether the list of pages breaks off: its next directory cannot be read, or was there before.
    pub is_broken: bool,
}

mod tag {
    pub(super) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(super) const SUBFILE_TYPE: u16 = 255;
    pub(super) const BITS_PER_SAMPLE: u16 = 258;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const DESCRIPTION: u16 = 270;
    pub(super) const X_RESOLUTION: u16 = 282;
    pub(super) const Y_RESOLUTION: u16 = 283;
    pub(super) const RESOLUTION_UNIT: u16 = 296;
    pub(super) const SAMPLE_FORMAT: u16 = 339;
}

/// Bits of NewSubfileType: a reduced copy, and a mask.
const REDUCED_OR_MASK: u64 = 0b101;

/// Reads the directories of a TIFF that begins where the file does.
///
/// # Errors
/// Those of the file, and a first directory that cannot be read.
pub fn pages(file: &mut (impl Read + Seek)) -> Result<Pages> {
    let mut fields = Fields::begin(file)?;
    let (mut all, mut seen, mut is_broken) = (Vec::new(), BTreeSet::new(), false);
    let (mut at, mut description) = (fields.first()?, None);
    while at != 0 && all.len() < MAX_PAGES {
        is_broken = !seen.insert(at);
        if is_broken {
            break;
        }
        let directory = match fields.directory(at) {
            Ok(directory) => directory,
            Err(error) if all.is_empty() => return Err(error),
            Err(_) => {
                is_broken = true;
                break;
            }
        };
        // OME-TIFF and ImageJ describe all pages in the first.
        let first = description.get_or_insert_with(|| fields.text(&directory, tag::DESCRIPTION));
        all.push(page(&mut fields, at, &directory, first.as_deref()));
        at = directory.next;
    }
    is_broken |= at != 0;
    let (reduced, whole): (Vec<Page>, Vec<Page>) = all.into_iter().partition(|page| page.is_reduced);
    Ok(Pages { pages: if whole.is_empty() { reduced } else { whole }, is_broken })
}

fn page<R: Read + Seek>(fields: &mut Fields<R>, at: u64, directory: &Directory, description: Option<&str>) -> Page {
    let mut number = |tag, default| fields.number(directory, tag).unwrap_or(default);
    let subfile = number(tag::NEW_SUBFILE_TYPE, 0);
    let is_reduced = subfile & REDUCED_OR_MASK != 0 || number(tag::SUBFILE_TYPE, 1) == 2;
    let (bits, format) = (number(tag::BITS_PER_SAMPLE, 1), number(tag::SAMPLE_FORMAT, 1));
    let (photometric, unit) = (number(tag::PHOTOMETRIC, 1), number(tag::RESOLUTION_UNIT, 2));
    let [x, y] = [tag::X_RESOLUTION, tag::Y_RESOLUTION].map(|tag| fields.rational(directory, tag));
    let um_per_px = pitch::um_per_px(x, y, unit, description.unwrap_or_default());
    Page { at, is_reduced, bits, um_per_px, format, photometric }
}

impl Page {
    /// Why its pixels are not read, and what to do: kinds that the decoder does not take, by their names.
    pub fn unread(&self) -> Option<(String, &'static str)> {
        const DEPTH: &str = "Convert it to 8 or 16 bit";
        const COLOUR: &str = "Convert it to RGB or grey";
        let bits = self.bits;
        match (self.format, self.photometric) {
            (3, _) => return Some((format!("floating-point samples of {bits} bit"), DEPTH)),
            (2, _) => return Some(("samples with a sign".into(), "Convert it to 8 or 16 bit without a sign")),
            (_, 3) => return Some(("a TIFF with a palette".into(), COLOUR)),
            (_, 6) => return Some(("a TIFF in YCbCr".into(), COLOUR)),
            (_, 8..=10) => return Some(("a TIFF in L*a*b*".into(), COLOUR)),
            (_, 32_803 | 34_892) => return Some(("a TIFF of raw sensor data".into(), COLOUR)),
            _ => {}
        }
        match bits {
            1 | 8 | 16 => None,
            9..16 => {
                Some((format!("samples of {bits} bit, packed"), "Convert it to 8 bit, or to 16 bit and give --bits"))
            }
            _ => Some((format!("samples of {bits} bit"), DEPTH)),
        }
    }
}
