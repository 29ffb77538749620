//! Rendered smears with each fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{Rgb, imageops};

use super::*;
use crate::frame::resize::resize_rgb;
use bloodseg_evaluate::disturb::{Disturbance, disturbed};
use bloodseg_smear::{SmearSpec, draw::Draw};

/// A typical smear as the sensor sees it, `side_px` per side; cells are about 5 px across at any size.
fn frame(side_px: u32, seed: u64) -> RgbImage {
    let mut spec = SmearSpec::field(side_px * 8, side_px * 8);
    spec.scale = 8.0 * 64.0 / 1200.0;
    resize_rgb(&bloodseg_smear::render(&spec, seed).picture, side_px, side_px).unwrap()
}

/// Glass without cells, with noise of 5 levels and corners that are `vignette` darker than the centre.
fn glass(width: u32, height: u32, level: f64, vignette: f64) -> RgbImage {
    let mut draw = Draw::new(u64::from(width), 1);
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (2.0 * f64::from(x) / f64::from(width) - 1.0, 2.0 * f64::from(y) / f64::from(height) - 1.0);
        let light = level * (1.0 - vignette * (u * u + v * v) / 2.0);
        Rgb([0; 3].map(|_: u8| (light + 5.0 * draw.normal()).round().clamp(0.0, 255.0) as u8))
    })
}

#[track_caller]
fn is(picture: &RgbImage, wanted: Verdict) {
    let quality = judge(picture);
    assert_eq!(quality.verdict, wanted, "{quality:?}");
}

#[test]
fn smears_are_good_also_when_mildly_disturbed() {
    for seed in 1..6 {
        let frame = frame(64, seed);
        is(&frame, Verdict::Good);
        for (disturbance, strength) in [
            (Disturbance::Blur, 0.6),
            (Disturbance::Noise, 5.0),
            (Disturbance::Jpeg, 50.0),
            (Disturbance::UnderExposure, 0.5),
            (Disturbance::OverExposure, 1.1),
            (Disturbance::ColourCast, 0.2),
            (Disturbance::PaleStain, 0.4),
        ] {
            let quality = judge(&disturbed(&frame, disturbance, strength, seed).unwrap());
            assert!(quality.verdict.is_good(), "{seed} {disturbance:?}: {quality:?}");
        }
    }
}

#[test]
fn defocus_is_reported_at_any_stain_and_with_noise() {
    for seed in 1..6 {
        let frame = frame(64, seed);
        for (stain, noise) in [(1.0, 1.0), (0.5, 1.0), (1.0, 5.0)] {
            let pale = disturbed(&frame, Disturbance::PaleStain, stain, seed).unwrap();
            let blurred = disturbed(&pale, Disturbance::Blur, 2.0, seed).unwrap();
            is(&disturbed(&blurred, Disturbance::Noise, noise, seed).unwrap(), Verdict::OutOfFocus);
        }
    }
}

#[test]
fn sharpness_falls_with_blur_and_hardly_with_stain_light_or_noise() {
    let frame = frame(64, 2);
    let sharpness =
        |disturbance, strength| judge(&disturbed(&frame, disturbance, strength, 1).unwrap()).sharpness.unwrap();
    let own = judge(&frame).sharpness.unwrap();
    let blurred = Disturbance::Blur.strengths().map(|sigma_px| sharpness(Disturbance::Blur, sigma_px));
    assert!(own > blurred[0] && blurred.is_sorted_by(|a, b| a > b), "{own} {blurred:?}");
    for (disturbance, strength) in
        [(Disturbance::UnderExposure, 0.5), (Disturbance::Noise, 5.0), (Disturbance::PaleStain, 0.5)]
    {
        let other = sharpness(disturbance, strength);
        assert!((other / own - 1.0).abs() < 0.15, "{disturbance:?}: {other} instead of {own}");
    }
}

#[test]
fn glass_without_cells_is_empty_whatever_its_size_corners_and_noise() {
    for (width, height) in [(64, 64), (640, 480), (30, 200)] {
        for vignette in [0.0, 0.3] {
            is(&glass(width, height, 225.0, vignette), Verdict::Empty);
        }
    }
    is(&RgbImage::from_pixel(64, 64, Rgb([200, 210, 220])), Verdict::Empty);
    is(&RgbImage::from_pixel(1, 1, Rgb([200, 210, 220])), Verdict::Empty);
    is(&RgbImage::new(0, 0), Verdict::Empty);
}

#[test]
fn light_that_swallows_the_cells_is_over_exposure_and_a_white_background_is_none() {
    let frame = frame(64, 1);
    let white_ground = disturbed(&frame, Disturbance::OverExposure, 1.15, 0).unwrap();
    let quality = judge(&white_ground);
    assert!(quality.clipped_share > OVER_EXPOSED_SHARE, "{quality:?}");
    is(&white_ground, Verdict::Good);
    is(&disturbed(&frame, Disturbance::OverExposure, 4.0, 0).unwrap(), Verdict::OverExposed);
    is(&RgbImage::from_pixel(64, 64, Rgb([255; 3])), Verdict::OverExposed);
}

#[test]
fn hardly_any_light_is_under_exposure() {
    is(&RgbImage::new(64, 64), Verdict::UnderExposed);
    is(&disturbed(&frame(64, 1), Disturbance::UnderExposure, 0.12, 0).unwrap(), Verdict::UnderExposed);
}

#[test]
fn larger_frames_are_judged_alike() {
    for side_px in [96, 200] {
        let frame = frame(side_px, 4);
        is(&frame, Verdict::Good);
        is(&imageops::blur(&frame, 2.5), Verdict::OutOfFocus);
    }
}

#[test]
fn crowded_fields_and_a_single_cell_are_good() {
    let mut spec = SmearSpec::field(512, 512);
    spec.red_cells_per_mpx = 150.0;
    spec.heaping = 0.7;
    let smear = bloodseg_smear::render(&spec, 3);
    let covered = smear.mask.pixels().filter(|level| level.0[0] > 0).count();
    assert!(covered * 10 > 512 * 512 * 6, "not crowded: {covered}");
    is(&resize_rgb(&smear.picture, 64, 64).unwrap(), Verdict::Good);

    let ground = glass(64, 64, 225.0, 0.1);
    let mut single = ground.clone();
    for (x, y, pixel) in single.enumerate_pixels_mut() {
        if (f64::from(x) - 30.0).hypot(f64::from(y) - 25.0) < 2.75 {
            *pixel = Rgb([150, 110, 190]);
        }
    }
    is(&single, Verdict::Good);
    is(&imageops::blur(&single, 2.5), Verdict::OutOfFocus);
}

#[test]
fn frames_too_small_for_a_measure_pass() {
    let small = RgbImage::from_fn(40, 6, |x, _| if x % 10 < 5 { Rgb([120; 3]) } else { Rgb([230; 3]) });
    let quality = judge(&small);
    assert_eq!((quality.verdict, quality.sharpness), (Verdict::Good, None));
}

#[test]
fn names_are_stable_and_the_same_in_json() {
    let names = Verdict::ALL.map(Verdict::name);
    assert_eq!(
        names,
        ["good", "out_of_focus", "empty", "over_exposed", "under_exposed", "scale_unknown", "scale_doubtful"]
    );
    for verdict in Verdict::ALL {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
    }
}

#[test]
fn a_reason_names_the_figure_and_its_limit() {
    let blurred = judge(&imageops::blur(&frame(64, 1), 2.5));
    let sharpness = format!("(sharpness {:.3}, expected at least 0.31)", blurred.sharpness.unwrap());
    assert_eq!(blurred.reason(), format!("out of focus {sharpness}"));
    assert!(judge(&glass(64, 64, 225.0, 0.0)).reason().contains("expected at least 5.5"));
}
