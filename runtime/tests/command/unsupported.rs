//! A cell that is only painted into the super-resolved picture is distinguished from the cells that the camera saw, on
//! the rendered fields of `data/`: with the high-resolution picture as a perfect super-resolution, and with the models.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{f64::consts::PI, path::Path};

use bloodseg_evaluate::set::{EvalField, FieldSet};
use bloodseg_vision::{
    cells::{self, Labels},
    consistency::Consistency,
    model::{manifest::CellRule, store::Models},
    pipeline::Pipeline,
    segmentation::CellMaps,
};
use image::{GrayImage, Luma, Rgb, RgbImage};
use rand_pcg::{Pcg64Mcg, rand_core::Rng};

/// Without kinds, it does not matter to measures.
const RULE: CellRule = CellRule {
    foreground_level: 128,
    peak_level: 100,
    saddle_depth: 20,
    white_saddle_depth: None,
    white_margin: 0,
    least_area_px: 12,
};

fn fields() -> Vec<EvalField> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/synth");
    FieldSet::open(&folder).unwrap().pairs().iter().map(|pair| pair.load().unwrap()).collect()
}

/// Labels of the cells of a picture that `lr` does not support.
fn unsupported(lr: &RgbImage, sr: &RgbImage, labels: &Labels) -> Vec<u16> {
    let map = GrayImage::from_pixel(labels.width(), labels.height(), Luma([200]));
    let maps = CellMaps::without_kinds(map.clone(), map);
    let cells = cells::measure(labels, &maps, &RULE, &Consistency::new(lr, sr).unwrap()).unwrap();
    cells.iter().filter(|cell| !cell.consistency.supported()).map(|cell| cell.label).collect()
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Paints a disk of the cells' median colour and area where no cell is; returns its label, or `None` without room.
fn paint(sr: &mut RgbImage, labels: &mut Labels) -> Option<u16> {
    let (width, height) = labels.dimensions();
    let greatest = labels.as_raw().iter().copied().max()?;
    let mut areas = vec![0_u32; usize::from(greatest) + 1];
    let mut inside = Vec::new();
    for (label, colour) in labels.pixels().zip(sr.pixels()) {
        areas[usize::from(label.0[0])] += 1;
        if label.0[0] > 0 {
            inside.push(colour.0);
        }
    }
    let radius = (f64::from(median(areas.split_off(1))) / PI).sqrt();
    let colour = Rgb([0, 1, 2].map(|channel| median(inside.iter().map(|colour| colour[channel]).collect())));
    let reach = radius.ceil() as u32 + 1;
    let within = |x: u32, y: u32, (cx, cy): (u32, u32), r: f64| {
        (f64::from(x) - f64::from(cx)).hypot(f64::from(y) - f64::from(cy)) < r
    };
    let free = |labels: &Labels, centre: (u32, u32)| {
        labels.enumerate_pixels().all(|(x, y, label)| label.0[0] == 0 || !within(x, y, centre, radius + 2.0))
    };
    let centre = (reach..height - reach)
        .step_by(3)
        .flat_map(|y| (reach..width - reach).step_by(3).map(move |x| (x, y)))
        .find(|&centre| free(labels, centre))?;
    for (x, y, label) in labels.enumerate_pixels_mut() {
        if within(x, y, centre, radius) {
            *label = Luma([greatest + 1]);
            sr.put_pixel(x, y, colour);
        }
    }
    Some(greatest + 1)
}

/// The reading of a noisy sensor: normal noise of the given deviation, as a sum of twelve uniform numbers.
fn noisy(lr: &RgbImage, sigma_levels: f64, seed: u128) -> RgbImage {
    // Adjacent seeds must be spread: the generator drops the lowest bits of its state.
    let mut random = Pcg64Mcg::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let mut uniform = || f64::from(random.next_u32()) / f64::from(u32::MAX);
    let mut noisy = lr.clone();
    for level in noisy.iter_mut() {
        let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        *level = (f64::from(*level) + normal * sigma_levels).round().clamp(0.0, 255.0) as u8;
    }
    noisy
}

#[test]
fn only_painted_cell_is_flagged_with_perfect_super_resolution() {
    let mut painted_fields = 0;
    for field in fields() {
        assert_eq!(unsupported(&field.lr, &field.hr, &field.truth), [0_u16; 0], "{}", field.name);
        let (mut sr, mut labels) = (field.hr.clone(), field.truth.clone());
        let Some(painted) = paint(&mut sr, &mut labels) else { continue };
        assert_eq!(unsupported(&field.lr, &sr, &labels), [painted], "{}", field.name);
        painted_fields += 1;
    }
    assert!(painted_fields >= 8, "room for a disk in {painted_fields} fields alone");
}

#[test]
fn removed_noise_does_not_change_flags() {
    for (seed, field) in (1..).zip(fields()) {
        let lr = noisy(&field.lr, 5.0, seed);
        let (mut sr, mut labels) = (field.hr.clone(), field.truth.clone());
        let painted = paint(&mut sr, &mut labels);
        assert_eq!(unsupported(&lr, &sr, &labels), painted.into_iter().collect::<Vec<_>>(), "{}", field.name);
    }
}

/// Only trained models can pass this; skipped in a build without them.
#[test]
fn only_painted_cell_is_flagged_with_trained_models() {
    let Ok(models) = Models::embedded() else {
        println!("skipped: this build carries no models");
        return;
    };
    let mut pipeline = Pipeline::load(&models).unwrap();
    for (seed, field) in (1..).zip(fields()) {
        for lr in [field.lr.clone(), noisy(&field.lr, 5.0, seed)] {
            let analysis = pipeline.analyse(&lr).unwrap();
            assert_eq!(analysis.counts().unsupported, 0, "{}", field.name);
            let (mut sr, mut labels) = (analysis.sr.clone(), analysis.labels.clone());
            let Some(painted) = paint(&mut sr, &mut labels) else { continue };
            assert_eq!(unsupported(&lr, &sr, &labels), [painted], "{}", field.name);
        }
    }
}
