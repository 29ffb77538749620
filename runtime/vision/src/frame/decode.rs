//! Decoding of picture files. Every file is taken to be hostile: its size and its header are checked
//! before a pixel is decoded.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, ErrorKind, Seek},
    path::Path,
};

use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    error::LimitErrorKind,
};

use crate::{
    error::{Cause, Error, Result},
    frame::{
        Labels,
        limits::{
            DECODER_BYTES, DECODER_BYTES_PER_PX, MAX_DECODE_BYTES, MAX_PICTURE_FILE_BYTES, MAX_PICTURE_SIDE_PX,
            MAX_WHOLE_FIELD_PX,
        },
    },
};

/// Endings of the files that are taken for pictures when a folder is read, lower case.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "tif", "tiff", "bmp"];

/// Bytes of a pixel of the picture that comes out.
const RGB_BYTES: u64 = 3;

const EXPECTED: &str = "a PNG, JPEG, TIFF or BMP picture of 8 or 16 bit";

/// Reads a picture of at most `most_px` pixels as 8-bit RGB.
///
/// PNG, JPEG, TIFF (first page) and BMP, told by their content and not by their name; 8 or 16 bit, grey or
/// colour. 16-bit samples are rounded to 8, grey is copied to the three channels, alpha is left out.
pub fn read_picture(path: &Path, most_px: u64) -> Result<RgbImage> {
    read_picture_within(path, Most::px(most_px))
}

/// As [`read_picture`], within bounds of memory too.
pub fn read_picture_within(path: &Path, most: Most) -> Result<RgbImage> {
    Ok(decode(path, most)?.into_rgb8())
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
    /// Width and height in pixels.
    pub size_px: (u32, u32),
    /// Most bytes of the heap that reading it takes: the file, what the decoder keeps, the samples as they are in the file,
    /// and the picture.
    pub reading_bytes: u64,
}

/// Reads the header of a picture of at most `most_px` pixels; what it refuses, [`read_picture`] refuses too.
pub fn read_header(path: &Path, most_px: u64) -> Result<Header> {
    let (file, file_bytes) = open(path)?;
    decoder_of(BufReader::new(file), file_bytes, path, Most::px(most_px)).map(|(_, header)| header)
}

/// As [`read_picture`], of bytes in memory; `path` names them in errors.
pub fn read_picture_bytes(bytes: &[u8], path: &Path, most_px: u64) -> Result<RgbImage> {
    Ok(decode_from(Cursor::new(bytes), bytes.len() as u64, path, Most::px(most_px))?.into_rgb8())
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

fn decode(path: &Path, most: Most) -> Result<DynamicImage> {
    let (file, file_bytes) = open(path)?;
    decode_from(BufReader::new(file), file_bytes, path, most)
}

fn decode_from(file: impl BufRead + Seek, file_bytes: u64, path: &Path, most: Most) -> Result<DynamicImage> {
    let (mut decoder, _) = decoder_of(file, file_bytes, path, most)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PICTURE_SIDE_PX);
    limits.max_image_height = Some(MAX_PICTURE_SIDE_PX);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    decoder.set_limits(limits).map_err(|e| broken(path, e))?;
    DynamicImage::from_decoder(decoder).map_err(|e| broken(path, e))
}

/// The decoder of a picture whose header was read and is within bounds.
fn decoder_of<'a>(
    mut file: impl BufRead + Seek + 'a,
    file_bytes: u64,
    path: &Path,
    most: Most,
) -> Result<(impl ImageDecoder + 'a, Header)> {
    let start = file.fill_buf().map_err(|e| Error::input(path, e, EXPECTED, ""))?;
    let text = start.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());

    let reader = ImageReader::new(file).with_guessed_format().map_err(|e| Error::input(path, e, EXPECTED, ""))?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Tiff | ImageFormat::Bmp) => {}
        Some(other) => return Err(Error::input(path, format!("a {other:?} picture"), EXPECTED, "Convert it to PNG")),
        None => return Err(Error::input(path, if text { "a text file" } else { "not a picture" }, EXPECTED, "")),
    }

    let decoder = reader.into_decoder().map_err(|e| broken(path, e))?;
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
            "Begin the run anew, or raise budget.total_mib",
        ));
    }
    Ok((decoder, Header { size_px: (width, height), reading_bytes }))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::{io::Write, path::PathBuf};

    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            File::create(&path).unwrap().write_all(bytes).unwrap();
            path
        }
        fn picture(&self, name: &str, picture: &DynamicImage) -> PathBuf {
            let path = self.0.path().join(name);
            picture.save(&path).unwrap();
            path
        }
    }

    fn refusal(path: &Path) -> String {
        let error = read_picture(path, 1000).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Input);
        error.to_string()
    }

    #[test]
    fn what_is_no_picture_is_refused_with_its_reason() {
        let folder = Folder::new();
        assert!(refusal(&folder.0.path().join("none.png")).contains("no such file"));
        assert!(refusal(folder.0.path()).contains("a folder"));
        assert!(refusal(&folder.file("empty.png", b"")).contains("an empty file"));
        assert!(refusal(&folder.file("text.png", b"these are words\n")).contains("a text file"));
        assert!(refusal(&folder.file("noise.png", &[0, 200, 3, 1, 9])).contains("not a picture"));
        assert!(refusal(&folder.file("a.png", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")).contains("Gif"));
        #[cfg(unix)]
        assert!(refusal(Path::new("/dev/zero")).contains("not a regular file"));
    }

    #[test]
    fn every_cut_of_a_png_is_refused_and_none_panics() {
        let folder = Folder::new();
        let picture = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8 * 9, y as u8 * 11, (x * y) as u8]));
        let bytes = std::fs::read(folder.picture("whole.png", &picture.into())).unwrap();
        // The last 12 bytes are the empty end chunk: without it, the pixels are whole.
        for cut in 1..bytes.len() - 12 {
            let message = refusal(&folder.file("cut.png", &bytes[..cut]));
            assert!(message.contains("cut.png"), "{message}");
        }
    }

    #[test]
    fn a_huge_header_is_refused_before_its_pixels_are_read() {
        let folder = Folder::new();
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(20_000_u32.to_be_bytes());
        bytes.extend(20_000_u32.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0, 0xc2, 0x93, 0xf2, 0x6c]);
        let crc = crc32(&bytes[12..29]);
        bytes.truncate(29);
        bytes.extend(crc.to_be_bytes());
        bytes.extend(b"\0\0\0\0IDAT");
        bytes.extend(crc32(b"IDAT").to_be_bytes());
        let message = refusal(&folder.file("huge.png", &bytes));
        assert!(message.contains("20000x20000"), "{message}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
        })
    }

    #[test]
    fn pixels_over_the_given_limit_are_refused() {
        let folder = Folder::new();
        let path = folder.picture("a.png", &RgbImage::new(40, 30).into());
        assert!(refusal(&path).contains("40x30"));
        assert!(read_picture(&path, 1200).is_ok());
    }

    #[test]
    fn one_pixel_is_a_picture() {
        let folder = Folder::new();
        let path = folder.picture("one.png", &RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])).into());
        assert_eq!(read_picture(&path, 1).unwrap().get_pixel(0, 0), &Rgb([1, 2, 3]));
    }

    #[test]
    fn depths_channels_and_formats_come_out_as_rgb8() {
        let folder = Folder::new();
        let grey16 = ImageBuffer::from_pixel(3, 2, Luma([0x80_80_u16]));
        let rgb16 = ImageBuffer::from_pixel(3, 2, Rgb([0xffff_u16, 0, 0x10_10]));
        let alpha = ImageBuffer::from_pixel(3, 2, Rgba([7_u8, 8, 9, 0]));
        let grey_alpha = ImageBuffer::from_pixel(3, 2, LumaA([5_u8, 1]));
        let cases: [(&str, DynamicImage, [u8; 3]); 8] = [
            ("g16.png", grey16.clone().into(), [0x80; 3]),
            ("g16.tif", grey16.into(), [0x80; 3]),
            ("c16.png", rgb16.clone().into(), [255, 0, 16]),
            ("c16.tiff", rgb16.into(), [255, 0, 16]),
            ("a.png", alpha.into(), [7, 8, 9]),
            ("ga.png", grey_alpha.into(), [5; 3]),
            ("g.bmp", GrayImage::from_pixel(3, 2, Luma([77])).into(), [77; 3]),
            ("g.jpg", GrayImage::from_pixel(8, 8, Luma([77])).into(), [77; 3]),
        ];
        for (name, picture, wanted) in cases {
            let read = read_picture(&folder.picture(name, &picture), 100).unwrap();
            assert_eq!(read.dimensions(), (picture.width(), picture.height()), "{name}");
            assert_eq!(read.get_pixel(1, 1), &Rgb(wanted), "{name}");
        }
    }

    #[test]
    fn a_mask_with_three_channels_is_one() {
        let folder = Folder::new();
        let mask = RgbImage::from_fn(4, 1, |x, _| if x < 2 { Rgb([255; 3]) } else { Rgb([0; 3]) });
        assert_eq!(read_mask(&folder.picture("m.png", &mask.into())).unwrap().into_raw(), [255, 255, 0, 0]);
    }

    #[test]
    fn a_name_is_a_pictures_by_its_ending_in_any_case() {
        assert!(looks_like_picture(Path::new("a/b.PNG")) && looks_like_picture(Path::new("x.Tiff")));
        assert!(!looks_like_picture(Path::new("cells.csv")) && !looks_like_picture(Path::new("png")));
    }
}
