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
fn assert_verdict(picture: &RgbImage, wanted: Verdict) {
    let quality = judge(picture);
    assert_eq!(quality.verdict, wanted, "{quality:?}");
}

#[test]
fn mildly_disturbed_smears_are_good() {
    for seed in 1..6 {
        let frame = frame(64, seed);
        assert_verdict(&frame, Verdict::Good);
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
fn defocus_is_detected_despite_pale_stain_and_noise() {
    for seed in 1..6 {
        let frame = frame(64, seed);
        for (stain, noise) in [(1.0, 1.0), (0.5, 1.0), (1.0, 5.0)] {
            let pale = disturbed(&frame, Disturbance::PaleStain, stain, seed).unwrap();
            let blurred = disturbed(&pale, Disturbance::Blur, 2.0, seed).unwrap();
            assert_verdict(&disturbed(&blurred, Disturbance::Noise, noise, seed).unwrap(), Verdict::OutOfFocus);
        }
    }
}

#[test]
fn sharpness_follows_blur_but_not_stain_light_or_noise() {
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
fn glass_without_cells_is_empty() {
    for (width, height) in [(64, 64), (640, 480), (30, 200)] {
        for vignette in [0.0, 0.3] {
            assert_verdict(&glass(width, height, 225.0, vignette), Verdict::Empty);
        }
    }
    assert_verdict(&RgbImage::from_pixel(64, 64, Rgb([200, 210, 220])), Verdict::Empty);
    assert_verdict(&RgbImage::from_pixel(1, 1, Rgb([200, 210, 220])), Verdict::Empty);
    assert_verdict(&RgbImage::new(0, 0), Verdict::Empty);
}

#[test]
fn clipped_cells_are_over_exposed_but_clipped_background_is_not() {
    let frame = frame(64, 1);
    let white_ground = disturbed(&frame, Disturbance::OverExposure, 1.15, 0).unwrap();
    let quality = judge(&white_ground);
    assert!(quality.clipped_share > OVER_EXPOSED_SHARE, "{quality:?}");
    assert_verdict(&white_ground, Verdict::Good);
    assert_verdict(&disturbed(&frame, Disturbance::OverExposure, 4.0, 0).unwrap(), Verdict::OverExposed);
    assert_verdict(&RgbImage::from_pixel(64, 64, Rgb([255; 3])), Verdict::OverExposed);
}

#[test]
fn dark_frames_are_under_exposed() {
    assert_verdict(&RgbImage::new(64, 64), Verdict::UnderExposed);
    assert_verdict(&disturbed(&frame(64, 1), Disturbance::UnderExposure, 0.12, 0).unwrap(), Verdict::UnderExposed);
}

#[test]
fn verdict_is_independent_of_frame_size() {
    for side_px in [96, 200] {
        let frame = frame(side_px, 4);
        assert_verdict(&frame, Verdict::Good);
        assert_verdict(&imageops::blur(&frame, 2.5), Verdict::OutOfFocus);
    }
}

#[test]
fn crowded_fields_and_single_cells_are_good() {
    let mut spec = SmearSpec::field(512, 512);
    spec.red_cells_per_mpx = 150.0;
    spec.heaping = 0.7;
    let smear = bloodseg_smear::render(&spec, 3);
    let covered = smear.mask.pixels().filter(|level| level.0[0] > 0).count();
    assert!(covered * 10 > 512 * 512 * 6, "not crowded: {covered}");
    assert_verdict(&resize_rgb(&smear.picture, 64, 64).unwrap(), Verdict::Good);

    let ground = glass(64, 64, 225.0, 0.1);
    let mut single = ground.clone();
    for (x, y, pixel) in single.enumerate_pixels_mut() {
        if (f64::from(x) - 30.0).hypot(f64::from(y) - 25.0) < 2.75 {
            *pixel = Rgb([150, 110, 190]);
        }
    }
    assert_verdict(&single, Verdict::Good);
    assert_verdict(&imageops::blur(&single, 2.5), Verdict::OutOfFocus);
}

#[test]
fn frames_too_small_for_sharpness_pass() {
    let small = RgbImage::from_fn(40, 6, |x, _| if x % 10 < 5 { Rgb([120; 3]) } else { Rgb([230; 3]) });
    let quality = judge(&small);
    assert_eq!((quality.verdict, quality.sharpness), (Verdict::Good, None));
}

#[test]
fn verdict_names_are_stable_and_match_json() {
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
fn reason_names_figure_and_limit() {
    let blurred = judge(&imageops::blur(&frame(64, 1), 2.5));
    let sharpness = format!("(sharpness {:.3}, expected at least 0.31)", blurred.sharpness.unwrap());
    assert_eq!(blurred.reason(), format!("out of focus {sharpness}"));
    assert!(judge(&glass(64, 64, 225.0, 0.0)).reason().contains("expected at least 5.5"));
}
