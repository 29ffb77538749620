//! Files of many kinds: supported ones are read exactly, others are rejected by name.

use std::slice;

use super::{
    super::*,
    Folder,
    made::{Cut, Jpeg, adobe, tiff},
    refusal,
};

/// Bits, photometric kind, samples and compression of a TIFF.
fn tags(bits: u32, photometric: u32, samples: u32, compression: u32) -> Vec<(u16, u16, Vec<u32>)> {
    vec![
        (258, 3, vec![bits; samples as usize]),
        (259, 3, vec![compression]),
        (262, 3, vec![photometric]),
        (277, 3, vec![samples]),
    ]
}

fn made(size: (u32, u32), tags: &[(u16, u16, Vec<u32>)], cut: Cut, pieces: &[Vec<u8>]) -> Vec<u8> {
    let tags: Vec<_> = tags.iter().map(|(tag, kind, values)| (*tag, *kind, &values[..])).collect();
    tiff(size, &tags, cut, pieces)
}

fn read_bytes(bytes: &[u8]) -> Result<RgbImage> {
    read_picture_bytes(bytes, Path::new("made"), 10_000)
}

fn refused(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn tiff_layouts_decode_to_same_pixels() {
    // 3x2 pixels, channel c of pixel p is 40 p + 10 c.
    let level = |pixel: usize, channel: usize| (40 * pixel + 10 * channel) as u8;
    let wanted: Vec<u8> = (0..6).flat_map(|pixel| (0..3).map(move |channel| level(pixel, channel))).collect();
    let rgb = tags(8, 2, 3, 1);
    let chunky = made((3, 2), &rgb, Cut::Strips(2), slice::from_ref(&wanted));
    let strips = made((3, 2), &rgb, Cut::Strips(1), &[wanted[..9].to_vec(), wanted[9..].to_vec()]);
    let planes: Vec<Vec<u8>> = (0..3).map(|channel| (0..6).map(|pixel| level(pixel, channel)).collect()).collect();
    let planar = made((3, 2), &[&rgb[..], &[(284, 3, vec![2])]].concat(), Cut::Strips(2), &planes);
    let mut tile = vec![0; 16 * 16 * 3];
    tile[..9].copy_from_slice(&wanted[..9]);
    tile[48..57].copy_from_slice(&wanted[9..]);
    let tiled = made((3, 2), &rgb, Cut::Tiles(16), &[tile]);
    let packed = made((3, 2), &tags(8, 2, 3, 32_773), Cut::Strips(2), &[[&[17], &wanted[..]].concat()]);
    for (name, bytes) in
        [("chunky", chunky), ("strips", strips), ("planar", planar), ("tiled", tiled), ("PackBits", packed)]
    {
        assert_eq!(read_bytes(&bytes).unwrap().into_raw(), wanted, "{name}");
    }
    let grey = |photometric| made((3, 1), &tags(8, photometric, 1, 1), Cut::Strips(1), &[vec![0, 100, 255]]);
    assert_eq!(read_bytes(&grey(1)).unwrap().into_raw(), [0, 0, 0, 100, 100, 100, 255, 255, 255]);
    assert_eq!(read_bytes(&grey(0)).unwrap().into_raw(), [255, 255, 255, 155, 155, 155, 0, 0, 0]);
}

#[test]
fn bytes_and_file_have_same_metadata() {
    let description: Vec<u32> =
        "<OME><Pixels PhysicalSizeX=\"0.25\" PhysicalSizeY=\"0.25\"/></OME>\0".bytes().map(u32::from).collect();
    let bytes =
        made((3, 1), &[&tags(8, 1, 1, 1)[..], &[(270, 2, description)]].concat(), Cut::Strips(1), &[vec![0, 100, 255]]);
    let wanted = Wanted::first(Most::px(10));
    let of_bytes = super::super::read_bytes(&bytes, Path::new("made"), wanted).unwrap();
    assert_eq!(of_bytes.metadata.um_per_px, Some(0.25));
    let folder = Folder::new();
    assert_eq!(read(&folder.file("a.tif", &bytes), wanted).unwrap(), of_bytes);
}

#[test]
fn non_alpha_extra_channel_is_dropped_or_rejected() {
    let pixels: Vec<u8> = (0..6_u8).flat_map(|pixel| [pixel * 9, 100, 200, 0]).collect();
    let wanted: Vec<u8> = (0..6_u8).flat_map(|pixel| [pixel * 9, 100, 200]).collect();
    let extra = [&tags(8, 2, 4, 1)[..], &[(338, 3, vec![0])]].concat();
    assert_eq!(read_bytes(&made((3, 2), &extra, Cut::Strips(2), slice::from_ref(&pixels))).unwrap().into_raw(), wanted);
    let predicted = [&extra[..], &[(317, 3, vec![2])]].concat();
    let message = refused(&made((3, 2), &predicted, Cut::Strips(2), &[pixels]));
    assert!(message.contains("a TIFF in RGB with 4 channels") && message.contains("without extra"), "{message}");
    for (photometric, samples) in [(1, 2), (1, 3), (2, 5)] {
        let message = refused(&made((1, 1), &tags(8, photometric, samples, 1), Cut::Strips(1), &[vec![0; 9]]));
        assert!(message.contains(&format!("with {samples} channels")), "{message}");
    }
}

#[test]
fn jpeg_in_tiff_is_read_and_truncated_one_rejected() {
    let jpeg = Jpeg::flat((16, 16), &[150, 100, 180]);
    let tables: Vec<u32> =
        [&[0xff, 0xd8], &jpeg.tables[..], &[0xff, 0xd9]].concat().into_iter().map(u32::from).collect();
    let piece = [&[0xff, 0xd8], &jpeg.picture[..]].concat();
    let page = |photometric, cut, pieces: &[Vec<u8>]| {
        let tags = [&tags(8, photometric, 3, 7)[..], &[(347, 7, tables.clone()), (530, 3, vec![1, 1])]].concat();
        made((16, if pieces.len() > 1 { 32 } else { 16 }), &tags, cut, pieces)
    };
    let colour = |bytes: &[u8]| read_bytes(bytes).unwrap().get_pixel(5, 9).0;
    // RGB levels are unchanged; YCbCr levels are converted as in the standard.
    assert_eq!(colour(&page(2, Cut::Strips(16), slice::from_ref(&piece))), [150, 100, 180]);
    assert_eq!(colour(&page(6, Cut::Strips(16), slice::from_ref(&piece))), [223, 123, 100]);
    let two = page(6, Cut::Tiles(16), &[piece.clone(), piece.clone()]);
    assert_eq!(read_bytes(&two).unwrap().dimensions(), (16, 32));
    let inside = page(6, Cut::Strips(16), &[jpeg.file(&[])]);
    assert_eq!(colour(&inside), [223, 123, 100], "tables in both places");
    // The end of the last JPEG is cut off, and its length adjusted.
    let cut = piece[..piece.len() - 4].to_vec();
    let message = refused(&page(6, Cut::Tiles(16), &[piece.clone(), cut]));
    assert!(message.contains("truncated"), "{message}");
    let mut twelve = piece.clone();
    twelve[6] = 12;
    let message = refused(&page(2, Cut::Strips(16), &[twelve]));
    assert!(message.contains("a 12-bit JPEG"), "{message}");
}

#[test]
fn unsupported_tiff_kinds_are_rejected_by_name() {
    let page = |tags: &[(u16, u16, Vec<u32>)]| refused(&made((2, 2), tags, Cut::Strips(2), &[vec![0; 64]]));
    for (compression, name) in [
        (6, "old-style JPEG"),
        (34_712, "JPEG 2000"),
        (34_925, "LZMA"),
        (50_000, "Zstandard"),
        (50_001, "WebP"),
        (50_002, "JPEG XL"),
        (777, "compression 777"),
    ] {
        let message = page(&tags(8, 2, 3, compression));
        assert!(message.contains(name) && message.contains("LZW or Deflate"), "{message}");
    }
    for (bits, format, photometric, name) in [
        (32, 3, 1, "floating-point samples of 32 bit"),
        (64, 3, 1, "floating-point samples of 64 bit"),
        (16, 2, 1, "signed samples"),
        (32, 1, 1, "samples of 32 bit"),
        (12, 1, 1, "samples of 12 bit, packed"),
        (8, 1, 3, "palette"),
        (8, 1, 6, "YCbCr"),
        (8, 1, 8, "L*a*b*"),
        (16, 1, 32_803, "raw sensor data"),
        (8, 1, 99, "photometric kind 99"),
    ] {
        let samples = if matches!(photometric, 6 | 8) { 3 } else { 1 };
        let message = page(&[&tags(bits, photometric, samples, 1)[..], &[(339, 3, vec![format])]].concat());
        assert!(message.contains(name), "{message}");
    }
    let text = |text: &str| text.bytes().map(u32::from).chain([0]).collect::<Vec<u32>>();
    for (tag, name) in [
        ((270, 2, text("Aperio Image Library v12")), "Aperio"),
        ((65_420, 4, vec![1]), "NDPI"),
        ((50_706, 1, vec![1, 4, 0, 0]), "a raw photograph"),
    ] {
        let message = page(&[&tags(8, 2, 3, 1)[..], &[tag]].concat());
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn jpeg_kinds_are_read_or_rejected_by_name() {
    let of = |levels: &[u8], marker: &[u8]| Jpeg::flat((16, 8), levels).file(marker);
    let colour = |bytes: &[u8]| read_bytes(bytes).unwrap().get_pixel(12, 3).0;
    assert_eq!(colour(&of(&[77], &[])), [77; 3]);
    assert_eq!(colour(&of(&[200, 128, 128], &[])), [200; 3]);
    assert_eq!(colour(&of(&[200, 10, 90], &adobe(0))), [200, 10, 90]);
    // Adobe's CMYK is inverted: 255 is no ink.
    assert_eq!(colour(&of(&[255; 4], &adobe(0))), [255; 3]);
    assert_eq!(colour(&of(&[0, 255, 255, 255], &adobe(0))), [0, 255, 255]);
    assert!(refused(&of(&[255; 4], &[])).contains("four-channel"));
    assert!(refused(&of(&[9, 9], &[])).contains("two channels"));
    for (marker, name) in [(0xc3, "lossless"), (0xc5, "hierarchical"), (0xc9, "arithmetic"), (0xca, "arithmetic")] {
        let mut bytes = of(&[77], &[]);
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bytes[frame + 1] = marker;
        let message = refused(&bytes);
        assert!(message.contains(name) && message.contains("8-bit baseline"), "{message}");
        bytes[frame + 1] = 0xc1;
        bytes[frame + 4] = 12;
        assert!(refused(&bytes).contains("a 12-bit JPEG"));
    }
}

#[test]
fn unsupported_formats_are_named_with_conversion_target() {
    let folder = Folder::new();
    for (start, words) in [
        (&b"GIF89a\x01\0\x01\0\0\0\0;"[..], ["a GIF picture", "PNG"]),
        (b"RIFF\x24\0\0\0WEBPVP8 ", ["a WebP picture", "PNG"]),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ["a HEIC picture", "JPEG"]),
        (b"ZISRAWFILE\0\0\0\0\0\0\x01\0\0\0", ["CZI file", "QuPath"]),
    ] {
        let message = refusal(&folder.file("field.png", start));
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn damaged_tiff_of_jpegs_does_not_panic() {
    let jpeg = Jpeg::flat((16, 16), &[150, 100, 180]);
    let tags = [&tags(8, 6, 3, 7)[..], &[(530, 3, vec![1, 1])]].concat();
    let whole = made((16, 16), &tags, Cut::Strips(16), &[jpeg.file(&[])]);
    assert!(read_bytes(&whole).is_ok());
    for at in 0..whole.len() {
        for level in [0, 1, 0x7f, 0xff] {
            let mut spoilt = whole.clone();
            spoilt[at] = level;
            let _ = read_bytes(&spoilt);
        }
    }
}
