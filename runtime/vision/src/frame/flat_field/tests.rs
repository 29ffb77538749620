//! Known lamps, measured and corrected.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{Rgb, RgbImage};

use super::*;
use bloodseg_smear::SmearSpec;

/// A lamp that is bright in the upper left and loses 40 % towards the opposite corner, with its own colour and noise.
fn lamp(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let far = f64::from(x) / f64::from(width) + f64::from(y) / f64::from(height);
        let noise = f64::from((x * 7919 + y * 104_729 + seed * 31).wrapping_mul(0x9e37_79b9) >> 29) - 3.5;
        Rgb([230.0, 210.0, 240.0].map(|level: f64| (level * (1.0 - 0.05 * far * far - 0.1 * far) + noise) as u8))
    })
}

fn measured(width: u32, height: u32) -> FlatField {
    let mut meter = FlatFieldMeter::new(width, height);
    (0..8).for_each(|seed| meter.add(&lamp(width, height, seed)).unwrap());
    meter.finish().unwrap()
}

fn corrected(field: &mut FlatField, picture: &RgbImage) -> RgbImage {
    let mut picture = picture.clone();
    let width = picture.width() as usize;
    for (y, row) in picture.chunks_exact_mut(3 * width).enumerate() {
        // In two parts, as with a region.
        let (left, right) = row.split_at_mut(3 * (width / 3));
        field.correct(y as u32, 0, left);
        field.correct(y as u32, (width / 3) as u32, right);
    }
    picture
}

#[test]
fn correction_flattens_lamp_down_to_noise() {
    for (width, height) in [(320, 240), (101, 67)] {
        let mut field = measured(width, height);
        assert!(field.most_gain() > 1.3, "{}", field.most_gain());
        let flat = corrected(&mut field, &lamp(width, height, 99));
        for channel in 0..3 {
            let levels: Vec<u8> = flat.pixels().map(|pixel| pixel.0[channel]).collect();
            let mean = levels.iter().map(|level| f64::from(*level)).sum::<f64>() / levels.len() as f64;
            let most = levels.iter().map(|level| (f64::from(*level) - mean).abs()).fold(0.0, f64::max);
            assert!(most < 11.0, "channel {channel} of {width}x{height}: off by {most} from {mean}");
        }
        let corner = |x, y| f64::from(flat.get_pixel(x, y).0[1]);
        assert!((corner(2, 2) - corner(width - 2, height - 2)).abs() < 14.0);
    }
}

#[test]
fn file_round_trips_and_damage_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat");
    let field = measured(100, 70);
    field.write(&path).unwrap();
    assert_eq!(FlatField::read(&path).unwrap(), field);

    let whole = std::fs::read(&path).unwrap();
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = FlatField::read(&path).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Input);
        error.to_string()
    };
    for cut in [0, 5, 22, 40, 100, 130, whole.len() - 1] {
        refusal(&whole[..cut]);
    }
    let mut spoiled = whole.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    assert!(refusal(&spoiled).contains("sha256"));
    assert!(refusal(b"PNG").contains("another kind"));
    // A valid hash over gains below 1, and over an impossible size.
    let body = |text: &str, gains: &[u16]| {
        let mut body = text.as_bytes().to_vec();
        body.extend(gains.iter().flat_map(|gain| gain.to_le_bytes()));
        [format!("{MAGIC}\nsha256 {}\n", sha256(&body)).into_bytes(), body].concat()
    };
    assert!(refusal(&body("size_px 1 1\nframes 1\n", &[1; 12])).contains("gains"));
    assert!(refusal(&body("size_px 4294967295 4294967295\nframes 1\n", &[4096; 12])).contains("gains"));
    assert!(refusal(&body("size_px 1\nframes 1\n", &[4096; 12])).contains("size_px 1"));
    std::fs::write(&path, body("size_px 1 1\nframes 1\n", &[4096; 12])).unwrap();
    assert_eq!(FlatField::read(&path).unwrap().size_px(), (1, 1));
    assert_eq!(FlatField::read(folder.path()).unwrap_err().kind(), crate::error::ErrorKind::Input);
}

#[test]
fn unsuitable_fields_are_rejected_with_reason() {
    let refusal = |picture: &RgbImage| {
        let mut meter = FlatFieldMeter::new(picture.width(), picture.height());
        meter.add(picture).and_then(|()| meter.finish().map(|_| ())).unwrap_err().to_string()
    };
    let smear = bloodseg_smear::render(&SmearSpec::field(320, 240), 3).picture;
    assert!(refusal(&smear).contains("not empty"));
    assert!(refusal(&RgbImage::from_pixel(64, 64, Rgb([255; 3]))).contains("over-exposed"));
    assert!(refusal(&RgbImage::from_pixel(64, 64, Rgb([9; 3]))).contains("under-exposed"));
    let dark_half = RgbImage::from_fn(320, 240, |x, _| Rgb([(220 - x * 200 / 320) as u8; 3]));
    assert!(refusal(&dark_half).contains("uneven"), "{}", refusal(&dark_half));
}

#[test]
fn flickering_lamp_and_mismatched_frame_are_rejected() {
    let mut meter = FlatFieldMeter::new(64, 64);
    meter.add(&RgbImage::from_pixel(64, 64, Rgb([200; 3]))).unwrap();
    assert!(meter.add(&RgbImage::from_pixel(64, 64, Rgb([170; 3]))).unwrap_err().to_string().contains("steady"));
    assert!(meter.add(&RgbImage::from_pixel(64, 63, Rgb([200; 3]))).is_err());
    assert_eq!(meter.frames(), 1);
    assert!(FlatFieldMeter::new(64, 64).finish().is_err());
}

#[test]
fn pixels_beyond_the_frame_are_unchanged() {
    let mut field = measured(32, 32);
    let mut pixels = [100; 9];
    field.correct(32, 0, &mut pixels);
    field.correct(0, 32, &mut pixels);
    assert_eq!(pixels, [100; 9]);
    field.correct(31, 31, &mut pixels);
    assert!(pixels[0] > 100 && pixels[3..] == [100; 6]);
}
