//! Decoding of picture files. Every file is treated as hostile: its size and header are checked before any pixel is
//! decoded.

mod alpha;
mod depth;
mod foreign;
mod look;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, ErrorKind, Seek},
    path::Path,
};

use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits,
    RgbImage, error::LimitErrorKind, metadata::Orientation,
};

use crate::{
    error::{Cause, Error, Result},
    frame::{
        Labels,
        limits::{
            DECODER_BYTES, DECODER_BYTES_PER_PX, MAX_DECODE_BYTES, MAX_HEADER_BYTES, MAX_PICTURE_FILE_BYTES,
            MAX_PICTURE_SIDE_PX, MAX_WHOLE_FIELD_PX,
        },
        tiff::{Page, first_page::FirstPage, pixels::Pixels},
    },
};

/// File extensions of pictures when a folder is read, lower case.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "tif", "tiff", "bmp"];

/// Bytes per pixel of the result.
const RGB_BYTES: u64 = 3;

const EXPECTED: &str = "a PNG, JPEG, TIFF or BMP picture of 8 or 16 bit";

/// Reads a picture of at most `most_px` pixels as 8-bit RGB.
///
/// PNG, JPEG, TIFF (its first page) and BMP, detected by content; 8 or 16 bit, grey or colour. 16-bit samples are rounded
/// to 8, grey is copied to the three channels. Pixels below half opacity become black, other translucent ones are
/// composited on white. The EXIF or TIFF orientation is applied.
pub fn read_picture(path: &Path, most_px: u64) -> Result<RgbImage> {
    read(path, Wanted::first(Most::px(most_px))).map(|decoded| decoded.picture)
}

/// What to read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Size limits.
    pub most: Most,
    /// Page of a TIFF, from 0; reduced copies of other pages are not counted.
    pub page: usize,
    /// Bits used by 16-bit samples, from 8 to 16. If `None`, samples that are too low for 16 bit are rejected.
    pub bits: Option<u32>,
}

impl Wanted {
    /// The first page at full depth.
    pub fn first(most: Most) -> Self {
        Self { most, page: 0, bits: None }
    }
}

/// A picture and the metadata of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// 8-bit RGB.
    pub picture: RgbImage,
    /// The metadata.
    pub metadata: Metadata,
}

/// Metadata of a picture file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metadata {
    /// Edge of a pixel in the specimen, in micrometres: from OME-TIFF, from ImageJ, or from the resolution of a TIFF if
    /// it is not a common default.
    pub um_per_px: Option<f64>,
    /// Pages of the file; 1 if it is not a TIFF. Reduced copies are not counted.
    pub pages: usize,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { um_per_px: None, pages: 1 }
    }
}

/// Reads a picture or page with its metadata; see [`read_picture`].
pub fn read(path: &Path, wanted: Wanted) -> Result<Decoded> {
    let (file, file_bytes) = open(path)?;
    decode_from(BufReader::new(file), file_bytes, path, wanted)
}

/// Pages of a picture file that are separate pictures: 1 if it is not a TIFF, or cannot be read, which reading it
/// reports.
pub fn pages(path: &Path) -> usize {
    let found = open(path).and_then(|(file, _)| look::at(&mut BufReader::new(file), path));
    found.map_or(1, |look| look.metadata.pages)
}

/// Size limits of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Pixels.
    pub px: u64,
    /// Bytes that reading it may take ([`Header::reading_bytes`]).
    pub reading_bytes: u64,
}

impl Most {
    /// A pixel limit, with the memory for that many pixels.
    pub fn px(px: u64) -> Self {
        Self { px, reading_bytes: u64::MAX }
    }
}

/// The header of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width and height in pixels, with the orientation applied.
    pub size_px: (u32, u32),
    /// Maximum heap bytes that reading it takes: the file, the decoder's state, the samples as stored, and the picture.
    pub reading_bytes: u64,
    /// The orientation to apply.
    turned: Orientation,
    /// Whether alpha is premultiplied.
    is_multiplied: bool,
}

/// Reads the header of a picture of at most `most_px` pixels; rejects what [`read_picture`] rejects.
pub fn read_header(path: &Path, most_px: u64) -> Result<Header> {
    let (file, file_bytes) = open(path)?;
    let wanted = Wanted::first(Most::px(most_px));
    decoder_of(BufReader::new(file), file_bytes, path, wanted, Looked::Header).map(|(_, header, _)| header)
}

/// As [`read_picture`], from bytes in memory; `path` names them in errors.
pub fn read_picture_bytes(bytes: &[u8], path: &Path, most_px: u64) -> Result<RgbImage> {
    read_bytes(bytes, path, Wanted::first(Most::px(most_px))).map(|decoded| decoded.picture)
}

/// As [`read`], from bytes in memory; `path` names them in errors.
pub fn read_bytes(bytes: &[u8], path: &Path, wanted: Wanted) -> Result<Decoded> {
    decode_from(Cursor::new(bytes), bytes.len() as u64, path, wanted)
}

/// Reads a mask as one 8-bit channel (luma if it has three), without thresholding.
pub fn read_mask(path: &Path) -> Result<GrayImage> {
    Ok(decode(path, Most::px(MAX_WHOLE_FIELD_PX))?.into_luma8())
}

/// Reads a label picture, one 16-bit channel, of at most `most_px` pixels.
pub fn read_labels(path: &Path, most_px: u64) -> Result<Labels> {
    Ok(decode(path, Most::px(most_px))?.into_luma16())
}

/// Whether a file name has the extension of a picture.
pub fn looks_like_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Samples as stored in the file, with the orientation applied.
fn decode(path: &Path, most: Most) -> Result<DynamicImage> {
    let (file, file_bytes) = open(path)?;
    let (decoder, header, _) = decoder_of(BufReader::new(file), file_bytes, path, Wanted::first(most), Looked::Whole)?;
    let mut picture = samples(decoder, path)?;
    picture.apply_orientation(header.turned);
    Ok(picture)
}

fn decode_from(file: impl BufRead + Seek, file_bytes: u64, path: &Path, wanted: Wanted) -> Result<Decoded> {
    let (decoder, header, metadata) = decoder_of(file, file_bytes, path, wanted, Looked::Whole)?;
    let samples = samples(decoder, path)?;
    let picture = depth::rgb8(samples, wanted.bits, header.is_multiplied).map_err(|e| e.at(path))?;
    let mut picture = DynamicImage::from(picture);
    // Applied last: the samples, which may be larger, have been freed by then.
    picture.apply_orientation(header.turned);
    Ok(Decoded { picture: picture.into_rgb8(), metadata })
}

fn samples(mut decoder: impl ImageDecoder, path: &Path) -> Result<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PICTURE_SIDE_PX);
    limits.max_image_height = Some(MAX_PICTURE_SIDE_PX);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    decoder.set_limits(limits).map_err(|e| broken(path, e))?;
    DynamicImage::from_decoder(decoder).map_err(|e| broken(path, e))
}

/// How much of a file is scanned before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Only the header.
    Header,
    /// A JPEG is scanned to its end.
    Whole,
}

/// The decoder of a picture whose header was read and is within the limits.
fn decoder_of<'a>(
    mut file: impl BufRead + Seek + 'a,
    file_bytes: u64,
    path: &Path,
    wanted: Wanted,
    looked: Looked,
) -> Result<(impl ImageDecoder + 'a, Header, Metadata)> {
    let most = wanted.most;
    let failed = |e: std::io::Error| Error::input(path, e, EXPECTED, "");
    let look = look::at(&mut file, path)?;
    let metadata = look.of_page(wanted.page, path)?;
    let page = look.page(wanted.page);
    if looked == Looked::Whole {
        match page {
            Some(page) => look::through_page(&mut file, file_bytes, path, page)?,
            None if look.format == ImageFormat::Jpeg => look::through_jpeg(&mut file, file_bytes, path, most.px)?,
            None => {}
        }
    }
    let file = match page {
        Some(page) => FirstPage::of(file, page.at),
        None => FirstPage::as_it_is(file),
    };
    let file = BufReader::new(file.map_err(failed)?);
    let decoder: ImageResult<Box<dyn ImageDecoder + 'a>> = match page {
        Some(page) if page.is_plain() => Pixels::of(file).map(|pixels| Box::new(pixels) as _),
        _ => {
            let mut reader = ImageReader::with_format(file, look.format);
            // A PNG's colour profile is decompressed while its header is read.
            let mut limits = Limits::default();
            limits.max_alloc = Some(MAX_HEADER_BYTES);
            reader.limits(limits);
            reader.into_decoder().map(|decoder| Box::new(decoder) as _)
        }
    };
    let mut decoder = decoder.map_err(|e| broken(path, e))?;
    let (width, height) = decoder.dimensions();
    check_size(path, width, height, most.px)?;
    if decoder.total_bytes() > MAX_DECODE_BYTES {
        return Err(Error::input(
            path,
            format!("{width}x{height} pixels that take {} bytes", decoder.total_bytes()),
            format!("at most {MAX_DECODE_BYTES} bytes"),
            "Shrink it, or reduce its depth to 8 bit",
        ));
    }
    match decoder.color_type() {
        ColorType::Rgb32F | ColorType::Rgba32F => {
            return Err(Error::input(path, "floating-point pixels", EXPECTED, "Convert it to 8 or 16 bit"));
        }
        _ => {}
    }
    let px = u64::from(width) * u64::from(height);
    let reading_bytes =
        file_bytes + 2 * decoder.total_bytes() + px * (DECODER_BYTES_PER_PX + RGB_BYTES) + DECODER_BYTES;
    if reading_bytes > most.reading_bytes {
        return Err(Error::input(
            path,
            format!("a picture that takes {reading_bytes} bytes to read"),
            format!("at most {}, which the memory budget assumes", most.reading_bytes),
            "Restart the run, or raise budget.total_mib",
        ));
    }
    // Without a valid orientation, the picture is upright.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let size_px = if lies(turned) { (height, width) } else { (width, height) };
    let is_multiplied = page.is_some_and(Page::is_multiplied);
    Ok((decoder, Header { size_px, reading_bytes, turned, is_multiplied }, metadata))
}

/// Whether width and height are swapped.
fn lies(turned: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(turned, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

/// Opens a regular file of plausible size, and returns its size. A pipe or device could block or never end.
fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => Error::input(path, Cause::with_source("no such file", e), EXPECTED, "Check the name"),
        ErrorKind::PermissionDenied => {
            Error::input(path, Cause::with_source("no permission to read it", e), EXPECTED, "")
        }
        _ => Error::input(path, e, EXPECTED, ""),
    };
    // Check the path first: opening a pipe would already wait for its other end.
    let known = std::fs::metadata(path).map_err(failed)?;
    if !known.is_file() {
        return Err(Error::input(path, if known.is_dir() { "a folder" } else { "not a regular file" }, EXPECTED, ""));
    }
    if known.len() > MAX_PICTURE_FILE_BYTES {
        return Err(Error::input(
            path,
            format!("a file of {} bytes", known.len()),
            format!("at most {MAX_PICTURE_FILE_BYTES} bytes"),
            "",
        ));
    }
    File::open(path).map(|file| (file, known.len())).map_err(failed)
}

fn check_size(path: &Path, width: u32, height: u32, most_px: u64) -> Result<()> {
    let found = format!("{width}x{height} pixels");
    if width == 0 || height == 0 {
        return Err(Error::input(path, found, "at least 1x1", ""));
    }
    if width > MAX_PICTURE_SIDE_PX || height > MAX_PICTURE_SIDE_PX {
        let expected = format!("at most {MAX_PICTURE_SIDE_PX} per side");
        return Err(Error::input(path, found, expected, "Crop or shrink it"));
    }
    if u64::from(width) * u64::from(height) > most_px {
        let todo = if most_px < MAX_WHOLE_FIELD_PX {
            "Crop it, or shrink it to the pitch of the models (--whole-field does, for a full-resolution field)"
        } else {
            "Crop or shrink it"
        };
        return Err(Error::input(path, found, format!("at most {most_px} pixels in total"), todo));
    }
    Ok(())
}

fn broken(path: &Path, error: ImageError) -> Error {
    let again = "Copy it again from its source";
    let (found, expected, todo) = match &error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::DimensionError => {
            ("too many pixels".into(), format!("at most {MAX_PICTURE_SIDE_PX} per side"), "Shrink it")
        }
        ImageError::Limits(_) => {
            let found = "a picture that takes too much memory to decode".into();
            (found, format!("at most {MAX_DECODE_BYTES} bytes"), "Shrink it")
        }
        ImageError::Unsupported(kind) => (kind.to_string(), EXPECTED.into(), "Convert it to PNG"),
        ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            ("a truncated picture".into(), EXPECTED.into(), again)
        }
        other => (format!("a damaged picture ({other})"), EXPECTED.into(), again),
    };
    Error::input(path, Cause::with_source(found, error), expected, todo)
}
