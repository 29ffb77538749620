//! Inspection of a file before it is decoded: its format, its pages, and whether a JPEG is complete.

use std::{
    io::{BufRead, Read, Seek},
    path::Path,
};

use image::ImageFormat;

use super::{EXPECTED, Metadata, check_size, foreign};
use crate::{
    error::{Error, Result},
    frame::{
        jpeg::{self, Fault, Walk},
        limits::MAX_PICTURE_FILE_BYTES,
        tiff::{self, Page},
    },
};

const COPY_AGAIN: &str = "Copy it again from its source";

/// What was found.
pub(super) struct Look {
    pub(super) format: ImageFormat,
    /// For the first page.
    pub(super) metadata: Metadata,
    pages: Vec<Page>,
}

impl Look {
    /// A page of a TIFF whose directory could be read.
    pub(super) fn page(&self, page: usize) -> Option<&Page> {
        self.pages.get(page)
    }

    /// The metadata of a page.
    ///
    /// # Errors
    /// A page that does not exist, or is not supported.
    pub(super) fn of_page(&self, page: usize, path: &Path) -> Result<Metadata> {
        if page >= self.metadata.pages {
            let found = format!("no page {}", page + 1);
            return Err(Error::input(path, found, format!("one of {}", self.metadata.pages), ""));
        }
        let Some(known) = self.pages.get(page) else { return Ok(self.metadata) };
        match known.unread() {
            Some((found, todo)) => Err(Error::input(path, found, EXPECTED, todo)),
            None => Ok(Metadata { um_per_px: known.um_per_px, ..self.metadata }),
        }
    }
}

/// Inspects a file from its start.
///
/// # Errors
/// [`Error::Input`] for unsupported formats.
pub(super) fn at(file: &mut (impl BufRead + Seek), path: &Path) -> Result<Look> {
    let failed = |e: std::io::Error| Error::input(path, e, EXPECTED, "");
    let start = file.fill_buf().map_err(failed)?;
    if start.is_empty() {
        return Err(Error::input(path, "an empty file", EXPECTED, "Copy it again from its source"));
    }
    if let Some((name, todo)) = foreign::name(start) {
        return Err(Error::input(path, name, EXPECTED, todo));
    }
    let text = start.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let wide = start.starts_with(b"II+\0") || start.starts_with(b"MM\0+");
    let format = if wide { Some(ImageFormat::Tiff) } else { image::guess_format(start).ok() };
    let format = match format {
        Some(known @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Tiff | ImageFormat::Bmp)) => known,
        Some(other) => return Err(Error::input(path, format!("a {other:?} picture"), EXPECTED, "Convert it to PNG")),
        None => return Err(Error::input(path, if text { "a text file" } else { "not a picture" }, EXPECTED, "")),
    };
    let mut look = Look { format, metadata: Metadata::default(), pages: Vec::new() };
    // The decoder reports what cannot be read here.
    if format == ImageFormat::Tiff
        && let Ok(found) = tiff::pages(file)
    {
        if found.is_broken {
            log::warn!("{}: its list of pages ends unexpectedly after {}", path.display(), found.pages.len());
        }
        look.pages = found.pages;
        let um_per_px = look.pages.first().and_then(|page| page.um_per_px);
        look.metadata = Metadata { um_per_px, pages: look.pages.len().max(1) };
    }
    file.rewind().map_err(failed)?;
    Ok(look)
}

/// Scans a JPEG to its end; see [`jpeg`].
///
/// # Errors
/// [`Error::Input`] for one that is incomplete, too large, or not supported.
pub(super) fn through_jpeg(file: &mut (impl BufRead + Seek), file_bytes: u64, path: &Path, most_px: u64) -> Result<()> {
    let failed = |e: std::io::Error| Error::input(path, e, EXPECTED, "");
    let mut bytes = Vec::with_capacity(file_bytes.min(MAX_PICTURE_FILE_BYTES) as usize);
    file.take(MAX_PICTURE_FILE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    let (width, height) = jpeg::kind_of(&bytes).map_err(|fault| refused(path, fault))?;
    check_size(path, width, height, most_px)?;
    let walk = Walk::through(&bytes).map_err(|fault| refused(path, fault))?;
    if !walk.has_end {
        log::warn!("{}: JPEG without end marker; the picture is complete", path.display());
    }
    file.rewind().map_err(failed)
}

/// Scans the JPEGs in a page of a TIFF.
///
/// # Errors
/// As [`through_jpeg`].
pub(super) fn through_page(file: &mut (impl BufRead + Seek), file_bytes: u64, path: &Path, page: &Page) -> Result<()> {
    if page.has_jpegs() {
        tiff::through_jpegs(file, page, file_bytes).map_err(|fault| refused(path, fault))?;
        file.rewind().map_err(|e| Error::input(path, e, EXPECTED, ""))?;
    }
    Ok(())
}

fn refused(path: &Path, fault: Fault) -> Error {
    match fault {
        Fault::CutOff => Error::input(path, "a truncated picture", EXPECTED, COPY_AGAIN),
        Fault::Damaged(how) => Error::input(path, format!("a damaged picture ({how})"), EXPECTED, COPY_AGAIN),
        Fault::Unread(kind) => Error::input(path, kind, EXPECTED, "Convert it to PNG, or to an 8-bit baseline JPEG"),
    }
}
