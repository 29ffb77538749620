//! Smears of known pitch, and fields that cannot be calibrated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::store::Models;
use bloodseg_smear::SmearSpec;

/// `None` in a checkout without models, which skips the test.
fn pipeline() -> Option<Pipeline> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    if !folder.join("unet.onnx").is_file() {
        return None;
    }
    Some(Pipeline::load(&Models::load(&folder).unwrap()).unwrap())
}

fn frames(width: u32, height: u32, scale: f64, count: u64) -> Vec<RgbImage> {
    let spec = SmearSpec { scale, heaping: 0.3, ..SmearSpec::field(width, height) };
    (1..=count).map(|seed| bloodseg_smear::render(&spec, seed).picture).collect()
}

fn calibrate(pipeline: &mut Pipeline, frames: &[RgbImage]) -> Result<Estimate> {
    let mut calibration = Calibration::default();
    for frame in frames {
        calibration.add(pipeline, frame)?;
    }
    calibration.finish()
}

#[test]
fn finds_pitch_of_rendered_smears_at_any_magnification() {
    let Some(mut pipeline) = pipeline() else { return };
    for (width, height, scale, count) in [(640, 480, 0.4, 4), (640, 480, 0.6, 7), (320, 240, 0.15, 4)] {
        let estimate = calibrate(&mut pipeline, &frames(width, height, scale, count)).unwrap();
        let wanted = RED_CELL_UM / (SmearSpec::field(1, 1).cell_diameter_px * scale);
        let off = estimate.um_per_px / wanted - 1.0;
        assert!(off.abs() < 0.08, "{estimate:?} where {wanted} was rendered");
        let (low, high) = estimate.interval_um_per_px;
        assert!(low < estimate.um_per_px && estimate.um_per_px < high);
    }
}

#[test]
fn unusable_fields_are_rejected_with_reason() {
    let Some(mut pipeline) = pipeline() else { return };
    let mut refusal = |frames: &[RgbImage]| calibrate(&mut pipeline, frames).unwrap_err().to_string();
    let smears = frames(640, 480, 0.4, 3);
    assert!(refusal(&smears[..2]).contains("2 good frames of 2"));
    for blur_px in [14.0, 25.0] {
        let blurred: Vec<RgbImage> = smears.iter().map(|frame| image::imageops::fast_blur(frame, blur_px)).collect();
        let text = refusal(&blurred);
        assert!(text.contains("good frames of 3") && text.contains("last rejected frame: "), "{text}");
    }
    let text = refusal(&[RgbImage::new(64, 64), RgbImage::new(1, 1), RgbImage::new(200, 3)]);
    assert!(text.contains("0 good frames of 3"), "{text}");
    // Only a few cells.
    let spec = SmearSpec { scale: 0.4, red_cells_per_mpx: 6.0, ..SmearSpec::field(640, 480) };
    let sparse: Vec<RgbImage> = (1..4).map(|seed| bloodseg_smear::render(&spec, seed).picture).collect();
    let text = refusal(&sparse);
    assert!(text.contains("complete cells"), "{text}");
}

fn gathered(diameters_px: Vec<f64>, good: usize) -> Calibration {
    Calibration { diameters_px, good, frames: good, ..Calibration::default() }
}

#[test]
fn interval_of_median_shrinks_with_cells_per_frame() {
    let diameters = |count: usize| (0..count).map(|n| 30.0 * (0.9 + 0.2 * n as f64 / (count - 1) as f64)).collect();
    let (few, many) = (gathered(diameters(400), 4).finish().unwrap(), gathered(diameters(4000), 4).finish().unwrap());
    assert!((few.um_per_px - 0.25).abs() < 1e-6 && (many.um_per_px - 0.25).abs() < 1e-6);
    let width = |estimate: Estimate| estimate.interval_um_per_px.1 - estimate.interval_um_per_px.0;
    assert!(width(many) < width(few) / 2.0);
    // Twice the frames of the same cells give no better interval.
    let again = gathered(diameters(800), 8).finish().unwrap();
    assert!((width(again) - width(few)).abs() < 1e-3);
}

#[test]
fn insufficient_or_imprecise_measurements_are_rejected() {
    let text = |diameters: Vec<f64>, good| gathered(diameters, good).finish().unwrap_err().to_string();
    assert!(text(vec![30.0; 99], 3).contains("99 complete cells"));
    assert!(text((0..200).map(|n| 10.0 + f64::from(n) / 5.0).collect(), 3).contains("quartiles"));
    assert!(
        text((0..120).map(|n| 30.0 * (0.84 + 0.32 * f64::from(n) / 119.0)).collect(), 12).contains("known only to")
    );
    assert!(text(vec![30.0; 500], 2).contains("2 good frames"));
}
