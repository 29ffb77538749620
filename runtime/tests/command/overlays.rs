//! What `segment` draws: on which picture, how large, and with which scale.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use image::{RgbImage, imageops};

use super::segment::{Bench, smear};

const GREEN: [u8; 3] = [0, 220, 60];

fn overlay(bench: &Bench, out: &str) -> RgbImage {
    image::open(bench.path(out).join("a.overlay.png")).unwrap().into_rgb8()
}

/// Length of the longest white run in the lower right quarter: that of the scale bar; 0 without.
fn bar_px(picture: &RgbImage) -> u32 {
    let (width, height) = picture.dimensions();
    let mut longest = 0;
    for y in height / 2..height {
        let mut run = 0;
        for x in width / 2..width {
            run = if picture.get_pixel(x, y).0 == [255; 3] { run + 1 } else { 0 };
            longest = longest.max(run);
        }
    }
    longest
}

#[test]
fn overlay_of_rescaled_input_keeps_input_resolution() {
    let bench = Bench::new();
    let small = smear(100, 70, &[(20.0, 20.0), (70.0, 40.0)]);
    let picture = imageops::resize(&small, 600, 420, imageops::FilterType::Nearest);
    bench.picture("a.png", &picture);
    // The tiny models are made for 1 um per pixel, which is six of these.
    let answer = bench.call(&["segment", "a.png", "--models", "models", "--out", "out", "--um-per-px", "0.166667"]);
    answer.done();
    assert!(answer.stdout.contains("a.png: 2 cells"), "{}", answer.stdout);
    let drawn = overlay(&bench, "out");
    assert_eq!(drawn.dimensions(), picture.dimensions());
    let near = |x: u32, y: u32| {
        let far = |(cx, cy): (f64, f64)| (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy);
        far((120.0, 120.0)).min(far((420.0, 240.0)))
    };
    let outline: Vec<f64> =
        drawn.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 == GREEN).map(|(x, y, _)| near(x, y)).collect();
    assert!(outline.len() > 200 && outline.iter().all(|far| (10.0..40.0).contains(far)), "{}", outline.len());
    // A fifth of 100 um.
    assert_eq!(bar_px(&drawn), 120);
    // Everything else is the input.
    let changed = drawn
        .enumerate_pixels()
        .filter(|(x, y, pixel)| pixel.0 != GREEN && *pixel != picture.get_pixel(*x, *y) && !(*x > 300 && *y > 210));
    assert_eq!(changed.count(), 0);
    let sr = image::open(bench.path("out/a.sr.png")).unwrap();
    assert_eq!((sr.width(), sr.height()), (400, 280));
}

#[test]
fn overlay_at_model_scale_is_super_resolved() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(100, 70, &[(20.0, 20.0)]));
    let segment = |out: &str, flags: &[&str]| {
        bench.call(&[&["segment", "a.png", "--models", "models", "--as-is", "--out", out], flags].concat()).done();
        overlay(&bench, out)
    };
    let (plain, known) = (segment("plain", &[]), segment("known", &["--um-per-px", "1"]));
    assert_eq!((plain.dimensions(), bar_px(&plain)), ((400, 280), 0));
    let sr = image::open(bench.path("plain/a.sr.png")).unwrap().into_rgb8();
    assert!(plain.enumerate_pixels().all(|(x, y, pixel)| pixel.0 == GREEN || pixel == sr.get_pixel(x, y)));
    // A fifth of 100 um, at a quarter of a micrometre per pixel.
    assert_eq!((known.dimensions(), bar_px(&known)), ((400, 280), 80));
}

#[test]
fn overlay_follows_exif_orientation() {
    let bench = Bench::new();
    let lying = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/exif6.jpg");
    let size = image::image_dimensions(&lying).unwrap();
    bench.write("a.jpg", &std::fs::read(lying).unwrap());
    let flags = ["--um-per-px", "0.2", "--any-quality"];
    bench.call(&[&["segment", "a.jpg", "--models", "models", "--out", "out"], &flags[..]].concat()).done();
    assert_eq!(overlay(&bench, "out").dimensions(), (size.1, size.0));
}
