#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bombs;
mod kinds;
mod made;
mod transparent;

use std::{io::Write, path::PathBuf};

use image::{ImageBuffer, Luma, Rgb};

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
fn non_pictures_are_rejected_with_reason() {
    let folder = Folder::new();
    assert!(refusal(&folder.0.path().join("none.png")).contains("no such file"));
    assert!(refusal(folder.0.path()).contains("a folder"));
    assert!(refusal(&folder.file("empty.png", b"")).contains("an empty file"));
    assert!(refusal(&folder.file("text.png", b"these are words\n")).contains("a text file"));
    assert!(refusal(&folder.file("noise.png", &[0, 200, 3, 1, 9])).contains("not a picture"));
    #[cfg(unix)]
    assert!(refusal(Path::new("/dev/zero")).contains("not a regular file"));
}

#[test]
fn every_truncation_of_png_is_rejected() {
    let folder = Folder::new();
    let picture = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8 * 9, y as u8 * 11, (x * y) as u8]));
    let bytes = std::fs::read(folder.picture("whole.png", &picture.into())).unwrap();
    // The last 12 bytes are the empty end chunk: without it, the pixels are still complete.
    for cut in 1..bytes.len() - 12 {
        let message = refusal(&folder.file("cut.png", &bytes[..cut]));
        assert!(message.contains("cut.png"), "{message}");
    }
}

#[test]
fn huge_picture_is_rejected_before_decoding() {
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
fn pictures_over_pixel_limit_are_rejected() {
    let folder = Folder::new();
    let path = folder.picture("a.png", &RgbImage::new(40, 30).into());
    assert!(refusal(&path).contains("40x30"));
    assert!(read_picture(&path, 1200).is_ok());
}

#[test]
fn single_pixel_picture_is_read() {
    let folder = Folder::new();
    let path = folder.picture("one.png", &RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])).into());
    assert_eq!(read_picture(&path, 1).unwrap().get_pixel(0, 0), &Rgb([1, 2, 3]));
}

#[test]
fn depths_channels_and_formats_decode_to_rgb8() {
    let folder = Folder::new();
    let grey16 = ImageBuffer::from_pixel(3, 2, Luma([0x80_80_u16]));
    let rgb16 = ImageBuffer::from_pixel(3, 2, Rgb([0xffff_u16, 0, 0x10_10]));
    let cases: [(&str, DynamicImage, [u8; 3]); 6] = [
        ("g16.png", grey16.clone().into(), [0x80; 3]),
        ("g16.tif", grey16.into(), [0x80; 3]),
        ("c16.png", rgb16.clone().into(), [255, 0, 16]),
        ("c16.tiff", rgb16.into(), [255, 0, 16]),
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
fn rgb_mask_is_read_as_one_channel() {
    let folder = Folder::new();
    let mask = RgbImage::from_fn(4, 1, |x, _| if x < 2 { Rgb([255; 3]) } else { Rgb([0; 3]) });
    assert_eq!(read_mask(&folder.picture("m.png", &mask.into())).unwrap().into_raw(), [255, 255, 0, 0]);
}

#[test]
fn picture_extensions_are_case_insensitive() {
    assert!(looks_like_picture(Path::new("a/b.PNG")) && looks_like_picture(Path::new("x.Tiff")));
    assert!(!looks_like_picture(Path::new("cells.csv")) && !looks_like_picture(Path::new("png")));
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(name)
}

fn page(name: &str, page: usize, bits: Option<u32>) -> Result<Decoded> {
    read(&case(name), Wanted { most: Most::px(100_000), page, bits })
}

#[test]
fn tiff_pages_are_read_and_thumbnails_skipped() {
    assert_eq!([pages(&case("cases/five-pages.tif")), pages(&case("cases/thumb-first.tif"))], [5, 1]);
    let all: Vec<RgbImage> = (0..5).map(|at| page("cases/five-pages.tif", at, None).unwrap().picture).collect();
    assert!(all.iter().all(|picture| picture.dimensions() == (64, 64)));
    assert!(all[1] != all[0] || all[2] != all[0], "the first page five times");
    assert!(page("cases/five-pages.tif", 5, None).unwrap_err().to_string().contains("no page 6"));
    assert_eq!(page("cases/thumb-first.tif", 0, None).unwrap().picture.dimensions(), (64, 64));
    assert_eq!(page("cases/bigtiff.tif", 0, None).unwrap().picture.dimensions(), (64, 64));
    assert_eq!(pages(&case("cases/exif6.jpg")), 1);
}

#[test]
fn low_bit_depth_samples_are_rejected_unless_bits_are_given() {
    for (name, bits) in [("cases/u12in16.tif", 12), ("cases/u14in16.tif", 14)] {
        let message = page(name, 0, None).unwrap_err().to_string();
        assert!(message.contains(&format!("--bits {bits}")) && message.contains(name), "{message}");
        let bright = |bits| page(name, 0, Some(bits)).unwrap().picture.iter().max().copied().unwrap();
        assert!(bright(bits) > 200 && bright(16) <= 64, "{} {}", bright(bits), bright(16));
        assert!(page(name, 0, Some(10)).unwrap_err().to_string().contains("at most 1023"));
    }
}

#[test]
fn exif_orientation_is_applied_to_picture_and_header() {
    let lying = image::open(case("cases/exif6.jpg")).unwrap();
    let upright = read_picture(&case("cases/exif6.jpg"), 100_000).unwrap();
    assert_eq!(upright.dimensions(), (lying.height(), lying.width()));
    assert_eq!(upright, lying.rotate90().into_rgb8());
    assert_eq!(read_header(&case("cases/exif6.jpg"), 100_000).unwrap().size_px, upright.dimensions());
}

#[test]
fn truncated_jpeg_is_rejected_but_missing_end_marker_is_not() {
    let folder = Folder::new();
    let whole = std::fs::read(case("jpeg/baseline-420.jpg")).unwrap();
    let read = |bytes: &[u8]| read_picture(&folder.file("a.jpg", bytes), 100_000);
    let picture = read(&whole).unwrap();
    assert_eq!(read(&whole[..whole.len() - 2]).unwrap(), picture);
    assert_eq!(read(&[&whole[..], b"trailing"].concat()).unwrap(), picture);
    for twentieth in 1..20 {
        let error = read(&whole[..whole.len() * twentieth / 20]).unwrap_err().to_string();
        assert!(error.contains("truncated"), "{error}");
    }
    let half = read_picture(&case("cases/truncated-half.jpg"), 100_000_000).unwrap_err().to_string();
    assert!(half.contains("a truncated picture"), "{half}");
    let kind = read_picture(&case("cases/jpeg12.jpg"), 100_000).unwrap_err().to_string();
    assert!(kind.contains("a 12-bit JPEG"), "{kind}");
    let kind = read_picture(&case("cases/f32.tif"), 100_000).unwrap_err().to_string();
    assert!(kind.contains("floating-point"), "{kind}");
}
