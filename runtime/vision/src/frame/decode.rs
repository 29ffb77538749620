//! Decoding of picture files. Every file is taken to be hostile: its size and its header are checked
//! before a pixel is decoded.

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

/// Endings of the files that are taken for pictures when a folder is read, lower case.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "tif", "tiff", "bmp"];

/// Bytes of a pixel of the picture that comes out.
const RGB_BYTES: u64 = 3;

const EXPECTED: &str = "a PNG, JPEG, TIFF or BMP picture of 8 or 16 bit";

/// Reads a picture of at most `most_px` pixels as 8-bit RGB.
///
/// PNG, JPEG, TIFF (its first page) and BMP, told by their content and not by their name; 8 or 16 bit, grey or
/// colour. 16-bit samples are rounded to 8, grey is copied to the three channels. Pixels that are less than half opaque
/// become black, those in between are laid on white. It is turned as its EXIF or TIFF orientation says.
pub fn read_picture(path: &Path, most_px: u64) -> Result<RgbImage> {
    read(path, Wanted::first(Most::px(most_px))).map(|decoded| decoded.picture)
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// How large it may be.
    pub most: Most,
    /// Which page of a TIFF, from 0; pages that are reduced copies of others are not counted.
    pub page: usize,
    /// Bits that samples of 16 bit use, from 8 to 16. Without it, samples that stay so low that they can hardly have 16 are
    /// refused.
    pub bits: Option<u32>,
}

impl Wanted {
    /// The first page, at its own depth.
    pub fn first(most: Most) -> Self {
        Self { most, page: 0, bits: None }
    }
}

/// A picture, and what its file says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// 8-bit RGB.
    pub picture: RgbImage,
    /// See there.
    pub metadata: Metadata,
}

/// What a file says about its picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metadata {
    /// Edge of a pixel in the specimen, in micrometres: of a TIFF by OME-TIFF, by ImageJ, or by its resolution an inch or
    /// centimetre, where that is none of the usual defaults.
    pub um_per_px: Option<f64>,
    /// Pages of the file; 1 for what is no TIFF. Reduced copies are not counted.
    pub pages: usize,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { um_per_px: None, pages: 1 }
    }
}

/// Reads a picture or a page with what its file says about it; as [`read_picture`].
pub fn read(path: &Path, wanted: Wanted) -> Result<Decoded> {
    let (file, file_bytes) = open(path)?;
    decode_from(BufReader::new(file), file_bytes, path, wanted)
}

/// Pages of a picture file that are pictures of their own: 1 for what is no TIFF, and for what cannot be read, which
/// reading it will tell.
pub fn pages(path: &Path) -> usize {
    let found = open(path).and_then(|(file, _)| look::at(&mut BufReader::new(file), path));
    found.map_or(1, |look| look.metadata.pages)
}

/// How large a picture may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Pixels.
    pub px: u64,
    /// Bytes that it may take while it is read ([`Header::reading_bytes`]).
    pub reading_bytes: u64,
}

impl Most {
    /// So many pixels, and the memory that they take.
    pub fn px(px: u64) -> Self {
        Self { px, reading_bytes: u64::MAX }
    }
}

/// What the header of a picture tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width and height in pixels, of the picture as it is shown.
    pub size_px: (u32, u32),
    /// Most bytes of the heap that reading it takes: the file, what the decoder keeps, the samples as they are in the file,
    /// and the picture.
    pub reading_bytes: u64,
    /// How the samples in the file have to be turned.
    turned: Orientation,
    /// Whether colours are multiplied with their alpha.
    is_multiplied: bool,
}

/// Reads the header of a picture of at most `most_px` pixels; what it refuses, [`read_picture`] refuses too.
pub fn read_header(path: &Path, most_px: u64) -> Result<Header> {
    let (file, file_bytes) = open(path)?;
    let wanted = Wanted::first(Most::px(most_px));
    decoder_of(BufReader::new(file), file_bytes, path, wanted, Looked::Header).map(|(_, header, _)| header)
}

/// As [`read_picture`], of bytes in memory; `path` names them in errors.
pub fn read_picture_bytes(bytes: &[u8], path: &Path, most_px: u64) -> Result<RgbImage> {
    let wanted = Wanted::first(Most::px(most_px));
    decode_from(Cursor::new(bytes), bytes.len() as u64, path, wanted).map(|decoded| decoded.picture)
}

/// Reads a mask as one 8-bit channel (luma, where it has three); any level, thresholding is left to the caller.
pub fn read_mask(path: &Path) -> Result<GrayImage> {
    Ok(decode(path, Most::px(MAX_WHOLE_FIELD_PX))?.into_luma8())
}

/// Reads a picture of labels, one 16-bit channel, of at most `most_px` pixels.
pub fn read_labels(path: &Path, most_px: u64) -> Result<Labels> {
    Ok(decode(path, Most::px(most_px))?.into_luma16())
}

/// Whether the name of a file ends like that of a picture.
pub fn looks_like_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Samples as they are in the file, turned upright.
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
    // Turned at last: the samples, which may be larger, are gone by then.
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

/// How far a file is looked through before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// What its header tells.
    Header,
    /// A JPEG is walked to its end.
    Whole,
}

/// The decoder of a picture whose header was read and is within bounds.
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
            // A PNG unpacks its colour profile while its header is read.
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
            format!("at most {}, which the memory was reckoned with", most.reading_bytes),
            "Begin the run again, or raise budget.total_mib",
        ));
    }
    // A picture without a word about it stands upright; so does one whose word cannot be read.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let size_px = if lies(turned) { (height, width) } else { (width, height) };
    let is_multiplied = page.is_some_and(Page::is_multiplied);
    Ok((decoder, Header { size_px, reading_bytes, turned, is_multiplied }, metadata))
}

/// Whether width and height change places.
fn lies(turned: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(turned, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

/// Opens a regular file of a sensible size, and tells its bytes. A pipe or a device could block or never end.
fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => Error::input(path, Cause::told("no such file", e), EXPECTED, "Check the name"),
        ErrorKind::PermissionDenied => Error::input(path, Cause::told("no permission to read it", e), EXPECTED, ""),
        _ => Error::input(path, e, EXPECTED, ""),
    };
    // Asked by name first: opening a pipe would already wait for its other end.
    let known = std::fs::metadata(path).map_err(failed)?;
    if !known.is_file() {
        return Err(Error::input(path, if known.is_dir() { "a folder" } else { "not a regular file" }, EXPECTED, ""));
    }
    if known.len() == 0 {
        return Err(Error::input(path, "an empty file", EXPECTED, "Copy it again from its source"));
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
        let expected = format!("at most {MAX_PICTURE_SIDE_PX} a side");
        return Err(Error::input(path, found, expected, "Cut or shrink it"));
    }
    if u64::from(width) * u64::from(height) > most_px {
        let todo = if most_px < MAX_WHOLE_FIELD_PX {
            "Cut it, or shrink it to the pitch the models were trained for (--whole-field does, for a full-resolution field)"
        } else {
            "Cut or shrink it"
        };
        return Err(Error::input(path, found, format!("at most {most_px} pixels in all"), todo));
    }
    Ok(())
}

fn broken(path: &Path, error: ImageError) -> Error {
    let again = "Copy it again from its source";
    let (found, expected, todo) = match &error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::DimensionError => {
            ("too many pixels".into(), format!("at most {MAX_PICTURE_SIDE_PX} a side"), "Shrink it")
        }
        ImageError::Limits(_) => {
            let found = "a picture that takes too much memory to decode".into();
            (found, format!("at most {MAX_DECODE_BYTES} bytes"), "Shrink it")
        }
        ImageError::Unsupported(kind) => (kind.to_string(), EXPECTED.into(), "Convert it to PNG"),
        ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            ("a picture that is cut off".into(), EXPECTED.into(), again)
        }
        other => (format!("a damaged picture ({other})"), EXPECTED.into(), again),
    };
    Error::input(path, Cause::told(found, error), expected, todo)
}
