//! Pictures whose surround is transparent, through the models of the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_smear::SmearSpec;
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::segment::Bench;

const SIDE_PX: u32 = 140;

/// Whether a pixel lies in the round field.
fn is_lit(x: u32, y: u32) -> bool {
    let middle = f64::from(SIDE_PX) / 2.0;
    (f64::from(x) + 0.5 - middle).hypot(f64::from(y) + 0.5 - middle) < middle - 15.0
}

/// A field whose surround is transparent, with the colours of `below` there.
fn round(field: &RgbImage, below: fn(u32, u32) -> [u8; 3]) -> DynamicImage {
    let pixel = |x, y| {
        let ([r, g, b], alpha) = if is_lit(x, y) { (field.get_pixel(x, y).0, 255) } else { (below(x, y), 0) };
        Rgba([r, g, b, alpha])
    };
    RgbaImage::from_fn(SIDE_PX, SIDE_PX, pixel).into()
}

/// Number of cells, empty if they were not counted; and the pixels that were analysed.
fn count(bench: &Bench, name: &str) -> (String, String) {
    bench.call(&["segment", name, "--as-is", "--any-quality", "--out", "out", "--force"]).done();
    let mut table = csv::Reader::from_path(bench.path("out/frames.csv")).unwrap();
    let heads = table.headers().unwrap().clone();
    let row = table.records().next().unwrap().unwrap();
    let value = |name: &str| row[heads.iter().position(|head| head == name).unwrap()].to_owned();
    (value("cells"), value("analysed_px2"))
}

#[test]
fn transparent_surround_is_not_specimen_whatever_its_colour() {
    let bench = Bench::new();
    let empty = RgbImage::from_pixel(SIDE_PX, SIDE_PX, Rgb([225, 214, 220]));
    // Red cells of 5.5 px, as the models know them.
    let spec = SmearSpec { scale: 0.06, ..SmearSpec::field(SIDE_PX, SIDE_PX) };
    let cells = bloodseg_smear::render(&spec, 5).picture;
    let black = |field: &RgbImage| {
        RgbImage::from_fn(SIDE_PX, SIDE_PX, |x, y| if is_lit(x, y) { *field.get_pixel(x, y) } else { Rgb([0; 3]) })
    };
    bench.picture("empty.png", &black(&empty));
    bench.picture("cells.png", &black(&cells));
    let (none, some) = (count(&bench, "empty.png"), count(&bench, "cells.png"));
    assert_eq!(none.0, "0");
    assert!(some.0.parse::<usize>().unwrap() > 10, "{}", some.0);
    let below: [fn(u32, u32) -> [u8; 3]; 3] =
        [|_, _| [255; 3], |_, _| [0; 3], |x, y| [x as u8, (x * 37 + y * 91) as u8, (x * y) as u8]];
    for below in below {
        for (name, field, wanted) in [("a.tif", &empty, &none), ("a.png", &cells, &some)] {
            round(field, below).save(bench.path(name)).unwrap();
            assert_eq!(&count(&bench, name), wanted, "{name}");
        }
    }
    round(&cells, below[0]).into_rgba16().save(bench.path("deep.png")).unwrap();
    assert_eq!(count(&bench, "deep.png"), some);
}

#[test]
fn fully_transparent_picture_is_refused() {
    let bench = Bench::new();
    RgbaImage::from_pixel(80, 60, Rgba([220, 210, 215, 0])).save(bench.path("clear.png")).unwrap();
    let answer = bench.call(&["segment", "clear.png", "--models", "models", "--out", "out"]);
    answer.refused(3, &["clear.png: a fully transparent picture", "alpha channel"]);
}
