//! The recipe on a data set that is small enough to train within seconds.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use image::{Luma, Rgb, RgbImage};
use tch::Device;

use super::{
    checkpoint::{State, best_file, file, last_epoch},
    settings::{Precision, RECIPE, Settings},
    ssr::Ssr,
    train::{Task, train},
    unet::{Measured, Unet},
};
use crate::data::{degrade::Mixture, field::Field, set::SampleSet};

/// A field of 256 px with a grid of disks.
fn field(shift: u32) -> Field {
    let mask = image::GrayImage::from_fn(256, 256, |x, y| {
        let (dx, dy) = (f64::from((x + shift) % 40) - 20.0, f64::from(y % 36) - 18.0);
        Luma([if dx.hypot(dy) < 12.0 { 255 } else { 0 }])
    });
    let picture = RgbImage::from_fn(256, 256, |x, y| {
        if mask.get_pixel(x, y).0[0] > 0 { Rgb([180, 120, 130]) } else { Rgb([230, 220, 210]) }
    });
    Field::of_mask(format!("field{shift}"), picture, mask)
}

fn settings(epochs: u32) -> Settings {
    Settings {
        recipe: RECIPE,
        seed: 9,
        epochs,
        quantized_epochs: 2,
        windows: 48,
        batch: 16,
        learning_rate: 2e-3,
        warmup_steps: 2,
        average_decay: 0.9,
        precision: Precision::F32,
        width: 1,
        teacher: None,
    }
}

fn ssr(cache: &Path) -> Ssr {
    let fields = [field(0), field(7)];
    let held_back = SampleSet::reference(&[field(3)]).unwrap();
    let reported = SampleSet::reference(&[field(5)]).unwrap();
    Ssr::new(SampleSet::windows(&fields, &Mixture::CELLS, 48, 1, cache).unwrap(), held_back, reported, Device::Cpu)
}

#[test]
fn interrupted_run_resumes_to_identical_result() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let task = ssr(&root.path().join("cache"));
    let (whole, parts) = (root.path().join("whole"), root.path().join("parts"));
    train(&task, &settings(4), &whole, Device::Cpu, false).unwrap();
    train(&task, &settings(4), &parts, Device::Cpu, false).unwrap();
    // As if power had failed after the second epoch (float) and after the third (quantized).
    for kept in [2, 3] {
        for epoch in kept + 1..=4 {
            std::fs::remove_file(file(&parts, epoch)).unwrap();
        }
        train(&task, &settings(4), &parts, Device::Cpu, true).unwrap();
        let log = |folder: &Path| std::fs::read_to_string(folder.join("log.csv")).unwrap();
        assert_eq!(log(&whole), log(&parts));
        assert_eq!(std::fs::read(file(&whole, 4)).unwrap(), std::fs::read(file(&parts, 4)).unwrap());
    }
}

#[test]
fn weights_are_reproducible_in_both_precisions() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let task = ssr(&root.path().join("cache"));
    for precision in [Precision::F32, Precision::Bf16] {
        let settings = Settings { precision, ..settings(3) };
        let weights = |run: &str| {
            let folder = root.path().join(format!("{}-{run}", precision.name()));
            train(&task, &settings, &folder, Device::Cpu, false).unwrap();
            std::fs::read(file(&folder, 3)).unwrap()
        };
        assert_eq!(weights("once"), weights("again"), "{precision:?}");
    }
}

#[test]
fn run_is_not_overwritten_or_resumed_with_other_settings() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let task = ssr(&root.path().join("cache"));
    let folder = root.path().join("run");
    let say = |settings: &Settings, resume| {
        format!("{:#}", train(&task, settings, &folder, Device::Cpu, resume).unwrap_err())
    };
    assert!(say(&settings(2), true).contains("no checkpoint"));
    train(&task, &settings(2), &folder, Device::Cpu, false).unwrap();
    assert_eq!(last_epoch(&folder), Some(2));
    assert!(say(&settings(2), false).contains("--resume"));
    assert!(say(&settings(3), true).contains("same flags"));
    let file = folder.join("settings.toml");
    let begun = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, begun.replace(&format!("recipe = {RECIPE}\n"), "")).unwrap();
    let refused = say(&settings(2), true);
    assert!(refused.contains("recipe 1") && refused.contains("start again"), "{refused}");
}

#[test]
fn damaged_checkpoints_are_rejected() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let task = ssr(&root.path().join("cache"));
    let folder = root.path().join("run");
    train(&task, &settings(2), &folder, Device::Cpu, false).unwrap();
    let best = best_file(&folder);
    assert!(State::read(&best, &crate::net::unet::net(), Device::Cpu).is_err(), "a checkpoint of another net");
    let bytes = std::fs::read(&best).unwrap();
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&best, &bytes[..cut]).unwrap();
        assert!(State::read(&best, task.net(), Device::Cpu).is_err(), "cut at {cut}");
    }
}

#[test]
fn segmenter_learns_disks() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let set = |fields: &[Field]| Measured::new(SampleSet::reference(fields).unwrap(), fields).unwrap();
    let calm = Mixture {
        quarters_share: 0.0,
        usual_share: 1.0,
        stain_share: 0.0,
        fall_off_share: 0.0,
        haze_share: 0.0,
        clean_share: 1.0,
        pasted_share: 0.0,
        recoloured_share: 0.0,
        recoloured_red_share: 0.0,
    };
    let windows = SampleSet::windows(&[field(0), field(7)], &calm, 96, 1, root.path()).unwrap();
    let task = Unet::new(crate::net::unet::net(), windows, set(&[field(3)]), set(&[field(5)]), Device::Cpu);
    let settings = Settings { windows: 96, ..settings(8) };
    let state = train(&task, &settings, &root.path().join("run"), Device::Cpu, false).unwrap();
    let figures = task.validate(&state.average, state.grids.as_ref()).unwrap();
    let figure = |name: &str| figures.iter().find(|f| f.0 == name).unwrap().1;
    assert!(figure("val_dice") > 0.9 && figure("val_ap50") > 0.8, "{figures:?}");
}

#[test]
fn cached_and_regenerated_windows_are_equal() {
    let _turn = crate::generator();
    let root = tempfile::tempdir().unwrap();
    let fields = [field(0), field(7)];
    let make = |folder: &str| SampleSet::windows(&fields, &Mixture::CELLS, 16, 5, &root.path().join(folder)).unwrap();
    let (first, cached, again) = (make("a"), make("a"), make("b"));
    for other in [&cached, &again] {
        assert_eq!(first.lr, other.lr);
        assert_eq!(first.hr, other.hr);
        assert_eq!(first.core, other.core);
    }
    assert_ne!(first.lr, SampleSet::windows(&fields, &Mixture::CELLS, 16, 6, root.path()).unwrap().lr);
}
