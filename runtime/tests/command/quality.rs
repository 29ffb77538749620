//! The quality check on whole sets of fields: it refuses none of them, and passes no strong fault.
//!
//! The rendered fields and the simulated camera are always there; BLOODSEG_FIELDS names a further folder with img/.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bloodseg::camera::{FrameSource, Next, demo::Demo};
use bloodseg_evaluate::disturb::{
    Disturbance::{self, Blur, Jpeg, Magnification, Noise, OverExposure, PaleStain, UnderExposure},
    disturbed, magnified,
};
use bloodseg_vision::frame::{
    quality::{CLIPPED_FROM_LEVEL, Quality, Verdict, judge},
    reference::prepare,
};
use image::RgbImage;

type Faults = &'static [(Disturbance, f64)];

/// Single mild faults, then pairs.
const MILD: [Faults; 12] = [
    &[],
    &[(Blur, 0.6)],
    &[(Noise, 5.0)],
    &[(Jpeg, 50.0)],
    &[(UnderExposure, 0.5)],
    &[(OverExposure, 1.2)],
    &[(PaleStain, 0.4)],
    &[(PaleStain, 0.4), (Noise, 5.0)],
    &[(Blur, 0.6), (Noise, 5.0)],
    &[(PaleStain, 0.4), (Blur, 0.6)],
    &[(Blur, 0.6), (Jpeg, 50.0)],
    &[(Blur, 0.6), (UnderExposure, 0.5)],
];

const DEFOCUS: [Faults; 4] = [
    &[(Blur, 2.0), (Noise, 1.2)],
    &[(Blur, 2.0), (Noise, 5.0)],
    &[(Blur, 3.0), (Noise, 5.0)],
    &[(PaleStain, 0.4), (Blur, 2.0), (Noise, 2.0)],
];

fn degraded(lr: &RgbImage, faults: Faults) -> RgbImage {
    faults.iter().fold(lr.clone(), |lr, &(fault, strength)| disturbed(&lr, fault, strength, 7).unwrap())
}

/// Low-resolution frames of a folder's fields at every magnification, by name.
fn fields(folder: &Path) -> Vec<(String, f64, RgbImage)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder.join("img")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut frames = Vec::new();
    for path in paths {
        let (picture, name) = (image::open(&path).unwrap().into_rgb8(), path.display().to_string());
        frames.push((name.clone(), 1.0, prepare(&picture).unwrap().lr));
        for factor in Magnification.strengths() {
            frames.push((name.clone(), factor, prepare(&magnified(&picture, factor)).unwrap().lr));
        }
    }
    frames
}

/// Refused frames of a set; prints the lowest figures, for setting the limits.
fn refused(frames: &[(String, f64, RgbImage)], faults: Faults) -> Vec<String> {
    let judged: Vec<(&String, f64, Quality)> =
        frames.iter().map(|(name, factor, lr)| (name, *factor, judge(&degraded(lr, faults)))).collect();
    let least = |figure: fn(&Quality) -> f64| judged.iter().map(|(_, _, q)| figure(q)).fold(f64::INFINITY, f64::min);
    println!(
        "{faults:?}: sharpness {:.4}, contrast {:.2}, brightness {:.0}, good {} of {}",
        least(|q| q.sharpness.unwrap_or(9.9)),
        least(|q| q.contrast_levels),
        least(|q| q.brightness_levels),
        judged.iter().filter(|(_, _, q)| q.verdict.is_good()).count(),
        judged.len()
    );
    let bad = judged.iter().filter(|(_, _, quality)| !quality.verdict.is_good());
    bad.map(|(name, factor, quality)| format!("{name} x{factor} {faults:?}: {quality:?}")).collect()
}

/// Whether a gain clips little more than the background: otherwise the cells are lost, and a refusal is correct.
fn little_clipped(lr: &RgbImage) -> bool {
    let white = lr.pixels().filter(|pixel| pixel.0.iter().all(|&level| f64::from(level) >= CLIPPED_FROM_LEVEL));
    (white.count() as f64) < 0.85 * f64::from(lr.width() * lr.height())
}

fn assert_no_field_is_refused(folder: &Path) {
    let frames = fields(folder);
    for faults in MILD {
        let gain = faults.iter().any(|(fault, _)| *fault == OverExposure);
        let little = |(_, _, lr): &&(String, f64, RgbImage)| !gain || little_clipped(&degraded(lr, faults));
        let frames: Vec<_> = frames.iter().filter(little).cloned().collect();
        let refused = refused(&frames, faults);
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }
}

/// At least `least` of the frames of each magnification must be refused for every kind of defocus.
fn assert_defocus_is_refused(folder: &Path, least: f64) {
    let frames = fields(folder);
    for faults in DEFOCUS {
        for factor in [0.5, 1.0, 2.0] {
            let frames: Vec<_> = frames.iter().filter(|(_, of, _)| *of == factor).cloned().collect();
            let count = refused(&frames, faults).len();
            println!("  x{factor}: {count} of {} refused", frames.len());
            assert!(count as f64 >= least * frames.len() as f64, "x{factor} {faults:?}: {count} of {}", frames.len());
        }
    }
}

fn rendered() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/synth")
}

#[test]
fn no_rendered_field_is_refused() {
    assert_no_field_is_refused(&rendered());
}

#[test]
fn rendered_fields_out_of_focus_are_refused() {
    assert_defocus_is_refused(&rendered(), 0.9);
}

#[test]
fn named_folder_passes_the_same_checks() {
    let Some(folder) = std::env::var_os("BLOODSEG_FIELDS").map(PathBuf::from) else {
        println!("skipped: BLOODSEG_FIELDS names no folder");
        return;
    };
    assert_defocus_is_refused(&folder, 0.9);
    assert_no_field_is_refused(&folder);
}

#[test]
fn simulated_camera_passes_quality_check() {
    for seed in [1, 2] {
        let mut demo = Demo::new("demo", seed, 10.0);
        for number in 0..40 {
            let Next::Frame(frame) = demo.next_frame(Duration::from_secs(number)).unwrap() else { panic!("no frame") };
            for faults in MILD {
                let quality = judge(&degraded(&frame.picture, faults));
                assert_eq!(quality.verdict, Verdict::Good, "{seed} {number} {faults:?}: {quality:?}");
            }
        }
    }
}
