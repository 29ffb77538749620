//! Pictures with transparency: invisible pixels are black, whatever the file stores there.

use std::path::PathBuf;

use image::{ImageBuffer, LumaA, Rgb, Rgba};

use super::{
    super::*,
    Folder,
    made::{Cut, tiff},
    refusal,
};

/// What the transparent pixels contain.
const BELOW: [fn(u32, u32) -> u8; 3] = [|_, _| 255, |_, _| 0, |x, y| (x * 97 + y * 61) as u8];

/// Whether a pixel of 12x8 is transparent: its left half.
fn is_clear(x: u32) -> bool {
    x < 6
}

/// One picture in every format with transparency.
fn in_every_format(folder: &Folder, below: fn(u32, u32) -> u8) -> Vec<PathBuf> {
    let rgba = ImageBuffer::from_fn(12, 8, |x, y| {
        let level = below(x, y);
        if is_clear(x) { Rgba([level, level / 2, level, 127]) } else { Rgba([180, 90, 200, 255]) }
    });
    let grey =
        ImageBuffer::from_fn(12, 8, |x, y| if is_clear(x) { LumaA([below(x, y), 0]) } else { LumaA([180, 255]) });
    let deep = |picture: DynamicImage| match picture {
        DynamicImage::ImageRgba8(_) => DynamicImage::ImageRgba16(picture.into_rgba16()),
        _ => DynamicImage::ImageLumaA16(picture.into_luma_alpha16()),
    };
    let (rgba, grey) = (DynamicImage::from(rgba), DynamicImage::from(grey));
    let mut paths = Vec::new();
    for name in ["c.png", "c.tif", "c.bmp"] {
        paths.push(folder.picture(name, &rgba));
    }
    paths.push(folder.picture("g.png", &grey));
    for name in ["c16.png", "c16.tif"] {
        paths.push(folder.picture(name, &deep(rgba.clone())));
    }
    paths.push(folder.picture("g16.png", &deep(grey.clone())));
    let tags: [(u16, u16, &[u32]); 4] = [(258, 3, &[8, 8]), (262, 3, &[1]), (277, 3, &[2]), (338, 3, &[2])];
    let bytes = tiff((12, 8), &tags, Cut::Strips(8), &[grey.as_bytes().to_vec()]);
    paths.push(folder.file("g.tif", &bytes));
    paths
}

#[test]
fn transparent_pixels_are_black_in_every_format() {
    for below in BELOW {
        let folder = Folder::new();
        for path in in_every_format(&folder, below) {
            let picture = read_picture(&path, 1000).unwrap();
            let is_grey = path.file_name().unwrap().to_string_lossy().starts_with('g');
            let seen = if is_grey { Rgb([180; 3]) } else { Rgb([180, 90, 200]) };
            for (x, _, pixel) in picture.enumerate_pixels() {
                assert_eq!(*pixel, if is_clear(x) { Rgb([0; 3]) } else { seen }, "{}", path.display());
            }
        }
    }
}

#[test]
fn fully_transparent_picture_is_rejected() {
    let folder = Folder::new();
    let clear = |level| DynamicImage::from(ImageBuffer::from_pixel(9, 9, Rgba([level, level, level, 0_u8])));
    for (name, level) in [("white.png", 255), ("black.png", 0), ("clear.tif", 77)] {
        let message = refusal(&folder.picture(name, &clear(level)));
        assert!(message.contains("fully transparent") && message.contains(name), "{message}");
    }
}

#[test]
fn colours_of_transparent_pixels_do_not_affect_depth() {
    let folder = Folder::new();
    let twelve = |alpha: [u16; 2]| {
        DynamicImage::from(ImageBuffer::from_fn(12, 8, |x, _| {
            if is_clear(x) { Rgba([65_535, 0, 9, alpha[0]]) } else { Rgba([4000_u16, 2000, 3000, alpha[1]]) }
        }))
    };
    for alpha in [[0, 65_535], [0, 4095]] {
        let path = folder.picture("deep.png", &twelve(alpha));
        let read = |bits| read(&path, Wanted { most: Most::px(1000), page: 0, bits });
        let picture = read(Some(12)).unwrap().picture;
        assert_eq!([0, 11].map(|x| picture.get_pixel(x, 3).0), [[0; 3], [249, 125, 187]], "{alpha:?}");
        assert!(read(None).is_err());
    }
    let message = refusal(&folder.picture("deep.png", &twelve([0, 65_535])));
    assert!(message.contains("samples reach 4000 of 65535: looks like 12 bit"), "{message}");
}

#[test]
fn premultiplied_alpha_of_tiff_is_respected() {
    let folder = Folder::new();
    let half = [50, 0, 100, 128];
    let page = |extra: u32| {
        let tags: [(u16, u16, &[u32]); 4] = [(258, 3, &[8; 4]), (262, 3, &[2]), (277, 3, &[4]), (338, 3, &[extra])];
        read_picture(&folder.file("a.tif", &tiff((1, 1), &tags, Cut::Strips(1), &[half.to_vec()])), 10).unwrap()
    };
    assert_eq!(page(1).get_pixel(0, 0), &Rgb([177, 127, 227]));
    assert_eq!(page(2).get_pixel(0, 0), &Rgb([152, 127, 177]));
}
