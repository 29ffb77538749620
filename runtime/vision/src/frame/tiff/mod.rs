//! The pages of a TIFF or BigTIFF, and their tags. The decoder reads the pixels; it is given one page as if it were the
//! first ([`first_page::FirstPage`]).

mod fields;
pub mod first_page;
mod jpegs;
mod kinds;
mod pitch;
pub mod pixels;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io::{Read, Result, Seek},
};

use fields::{Directory, Fields};
pub use jpegs::through_jpegs;
use kinds::{Kind, Maker};

/// Most pages that are read; with more, the list counts as broken.
const MAX_PAGES: usize = 4096;

/// The tags of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Offset of its directory in the file, in bytes.
    pub at: u64,
    /// A reduced copy of another page, or a mask.
    pub is_reduced: bool,
    /// Edge of a pixel in the specimen in micrometres, if the file states it plausibly.
    pub um_per_px: Option<f64>,
    /// How its pixels are stored.
    kind: Kind,
}

/// The pages of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pages {
    /// The separate pictures, in order; reduced ones if there are no others.
    pub pages: Vec<Page>,
    /// Whether the list of pages is broken: the next directory cannot be read, or repeats.
    pub is_broken: bool,
}

mod tag {
    pub(super) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(super) const SUBFILE_TYPE: u16 = 255;
    pub(super) const BITS_PER_SAMPLE: u16 = 258;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const DESCRIPTION: u16 = 270;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(super) const STRIP_BYTES: u16 = 279;
    pub(super) const X_RESOLUTION: u16 = 282;
    pub(super) const Y_RESOLUTION: u16 = 283;
    pub(super) const PLANAR: u16 = 284;
    pub(super) const RESOLUTION_UNIT: u16 = 296;
    pub(super) const PREDICTOR: u16 = 317;
    pub(super) const TILE_OFFSETS: u16 = 324;
    pub(super) const TILE_BYTES: u16 = 325;
    pub(super) const SUB_DIRECTORIES: u16 = 330;
    pub(super) const EXTRA_SAMPLES: u16 = 338;
    pub(super) const SAMPLE_FORMAT: u16 = 339;
    pub(super) const JPEG_TABLES: u16 = 347;
    pub(super) const DNG_VERSION: u16 = 50_706;
    pub(super) const NDPI_VERSION: u16 = 65_420;
}

/// Bits of NewSubfileType: a reduced copy, and a mask.
const REDUCED_OR_MASK: u64 = 0b101;

/// Reads the directories of a TIFF that starts at the beginning of the file.
///
/// # Errors
/// I/O errors, and an unreadable first directory.
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
        // OME-TIFF and ImageJ describe all pages in the first one.
        let first = description.get_or_insert_with(|| fields.text(&directory, tag::DESCRIPTION));
        all.push(page(&mut fields, at, &directory, first.as_deref()));
        at = directory.next;
    }
    is_broken |= at != 0;
    let (reduced, whole): (Vec<Page>, Vec<Page>) = all.into_iter().partition(|page| page.is_reduced);
    Ok(Pages { pages: if whole.is_empty() { reduced } else { whole }, is_broken })
}

fn page<R: Read + Seek>(fields: &mut Fields<R>, at: u64, directory: &Directory, description: Option<&str>) -> Page {
    let description = description.unwrap_or_default();
    let mut number = |tag, default| fields.number(directory, tag).unwrap_or(default);
    let subfile = number(tag::NEW_SUBFILE_TYPE, 0);
    let is_reduced = subfile & REDUCED_OR_MASK != 0 || number(tag::SUBFILE_TYPE, 1) == 2;
    let unit = number(tag::RESOLUTION_UNIT, 2);
    let has = |tag| Fields::<R>::count(directory, tag) > 0;
    let maker = match () {
        () if has(tag::NDPI_VERSION) => Some(Maker::Hamamatsu),
        () if description.starts_with("Aperio") => Some(Maker::Aperio),
        () if has(tag::DNG_VERSION) || (is_reduced && has(tag::SUB_DIRECTORIES)) => Some(Maker::Camera),
        () => None,
    };
    let kind = Kind {
        bits: number(tag::BITS_PER_SAMPLE, 1),
        format: number(tag::SAMPLE_FORMAT, 1),
        photometric: number(tag::PHOTOMETRIC, 1),
        compression: number(tag::COMPRESSION, 1),
        samples: number(tag::SAMPLES_PER_PIXEL, 1),
        extra: number(tag::EXTRA_SAMPLES, 0),
        extras: Fields::<R>::count(directory, tag::EXTRA_SAMPLES),
        is_planar: number(tag::PLANAR, 1) == 2,
        has_predictor: number(tag::PREDICTOR, 1) != 1,
        maker,
    };
    let [x, y] = [tag::X_RESOLUTION, tag::Y_RESOLUTION].map(|tag| fields.rational(directory, tag));
    Page { at, is_reduced, um_per_px: pitch::um_per_px(x, y, unit, description), kind }
}

impl Page {
    /// Why its pixels are not supported, and what to do.
    pub fn unread(&self) -> Option<(String, &'static str)> {
        self.kind.unread()
    }

    /// Whether [`pixels::Pixels`] reads its pixels; otherwise the decoder of the crate `image` does.
    pub fn is_plain(&self) -> bool {
        !self.kind.is_planar && matches!(self.kind.bits, 8 | 16) && matches!(self.kind.photometric, 0..=2 | 6)
    }

    /// Whether its strips or tiles are JPEGs.
    pub fn has_jpegs(&self) -> bool {
        self.kind.compression == kinds::JPEG
    }

    /// Whether alpha is premultiplied.
    pub fn is_multiplied(&self) -> bool {
        self.kind.extra == kinds::MULTIPLIED_ALPHA
    }

    /// Bits of a sample.
    pub fn bits(&self) -> u64 {
        self.kind.bits
    }
}
