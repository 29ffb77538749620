#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{Rgb, RgbImage, imageops};

use super::*;
use crate::{
    frame::{quality::Verdict, resize::resize_rgb},
    model::store::Models,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
};
use bloodseg_smear::SmearSpec;

fn pipeline() -> Pipeline {
    Pipeline::load(&Models::embedded().unwrap()).unwrap()
}

fn smear(width: u32, height: u32, scale: f64, seed: u64) -> (RgbImage, f64) {
    let spec = SmearSpec { scale, ..SmearSpec::varied(width, height, seed) };
    (bloodseg_smear::render(&spec, seed).picture, spec.cell_diameter_px * scale)
}

#[test]
fn cells_are_measured_at_any_magnification() {
    let mut pipeline = pipeline();
    for (width, height, scale) in [(480, 360, 0.8), (640, 480, 0.4), (320, 240, 0.15)] {
        let (picture, wanted_px) = smear(width, height, scale, 3);
        let found = measure(&mut pipeline, &picture).unwrap().estimate().unwrap();
        assert!((0.85..1.18).contains(&(found.cell_px / wanted_px)), "{found:?} of {wanted_px}");
        assert!(found.tiles <= 7 && found.interval_px().0 < found.cell_px);
    }
}

#[test]
fn finer_pitch_models_see_larger_cells() {
    let mut models = Models::embedded().unwrap();
    models.unet.manifest.pitch.um_per_px = 1.0;
    let mut finer = Pipeline::load(&models).unwrap();
    assert!((red_cell_px(&finer) - 7.5).abs() < 1e-9 && (red_cell_px(&pipeline()) - CELL_PX).abs() < 1e-9);
    let (picture, wanted_px) = smear(480, 360, 0.8, 3);
    let mut scaler = Scaler::new(false, Learning::FromEach { live: false });
    scaler.analyse(&mut finer, &picture, &Scaled::default(), None).unwrap();
    let scaled = finer.latest().unwrap().scaled;
    assert!((scaled.placement.scale * 7.5 / wanted_px - 1.0).abs() < 0.18, "{scaled:?} of {wanted_px}");
    let um_per_px = scaled.um_per_px.unwrap();
    assert!((um_per_px * wanted_px / 7.5 - 1.0).abs() < 0.18, "{um_per_px} of {wanted_px}");
}

#[test]
fn round_field_is_measured_by_cells_not_rim() {
    let (mut picture, wanted_px) = smear(640, 480, 0.4, 4);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if (f64::from(x) - 320.0).hypot(f64::from(y) - 240.0) > 230.0 {
            *pixel = Rgb([2, 1, 2]);
        }
    }
    let found = measure(&mut pipeline(), &picture).unwrap().estimate().unwrap();
    assert!((0.85..1.18).contains(&(found.cell_px / wanted_px)), "{found:?} of {wanted_px}");
}

#[test]
fn pictures_without_cells_have_no_scale() {
    let mut pipeline = pipeline();
    let noise = |x: u32, y: u32, seed: u32| {
        let mut hash = (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ seed).wrapping_mul(0xc2b2_ae35);
        hash ^= hash >> 15;
        (hash.wrapping_mul(0x27d4_eb2f) >> 24) as u8
    };
    let flat = RgbImage::from_pixel(320, 240, Rgb([220, 215, 225]));
    let noisy = RgbImage::from_fn(320, 240, |x, y| Rgb([noise(x, y, 1), noise(x, y, 2), noise(x, y, 3)]));
    let texture = imageops::blur(&noisy, 4.0);
    let slope = RgbImage::from_fn(320, 240, |x, _| Rgb([(x * 255 / 320) as u8; 3]));
    let disc = RgbImage::from_fn(320, 240, |x, y| {
        let far = (f64::from(x) - 160.0).hypot(f64::from(y) - 120.0);
        Rgb(if far < 30.0 { [120, 60, 140] } else { [220, 215, 225] })
    });
    for (name, picture) in
        [("flat", flat), ("noise", noisy), ("texture", texture), ("slope", slope), ("one disc", disc)]
    {
        let outcome = measure(&mut pipeline, &picture).unwrap();
        assert!(matches!(outcome, Outcome::Unknown(reason) if !reason.words().is_empty()), "{name}: {outcome:?}");
    }
    for side in [1, 2, 5] {
        let tiny = RgbImage::from_fn(side, side, |x, y| Rgb([noise(x, y, 9); 3]));
        assert!(measure(&mut pipeline, &tiny).unwrap().estimate().is_none());
    }
    assert_eq!(measure(&mut pipeline, &RgbImage::new(0, 0)).unwrap_err().kind(), crate::error::ErrorKind::Input);
}

#[test]
fn analysis_at_measured_scale_confirms_it() {
    let mut pipeline = pipeline();
    let (picture, _) = smear(640, 480, 0.4, 5);
    let found = measure(&mut pipeline, &picture).unwrap().estimate().unwrap();
    let mut pool = Pool::default();
    pool.add(&found);
    let pooled = pool.scale().unwrap();
    let factor = pooled.factor(&pipeline);
    let mut fit = |factor: f64| {
        let side = |px: u32| (f64::from(px) / factor).round() as u32;
        let small = resize_rgb(&picture, side(640), side(480)).unwrap();
        let analysis = pipeline.analyse_any(&small).unwrap();
        // The pool sees the picture as if it had been analysed at its own scale.
        pooled.fit(size_in(analysis, factor))
    };
    assert_eq!(fit(factor), Fit::Fits);
}

/// Smears with cells of these sizes in pixels.
fn smears(cells_px: &[f64]) -> Vec<RgbImage> {
    let field = SmearSpec::field(400, 300);
    let spec = |cell_px: f64| SmearSpec { scale: cell_px / field.cell_diameter_px, ..field };
    (1..).zip(cells_px).map(|(seed, cell_px)| bloodseg_smear::render(&spec(*cell_px), seed).picture).collect()
}

#[test]
fn scale_settles_and_follows_objective_change() {
    let mut pipeline = pipeline();
    let mut scaler = Scaler::new(false, Learning::FromEach { live: false });
    let sizes = [24.0, 24.0, 24.0, 24.0, 48.0, 48.0, 48.0, 48.0];
    let (mut settled, mut moved) = (None, None);
    for (at, (frame, cell_px)) in smears(&sizes).iter().zip(sizes).enumerate() {
        let note = scaler.analyse(&mut pipeline, frame, &Scaled::default(), None).unwrap();
        let scaled = pipeline.latest().unwrap().scaled;
        assert!((scaled.placement.scale * CELL_PX / cell_px - 1.0).abs() < 0.2, "{at}: {scaled:?}");
        assert_eq!(scaled.source, PitchSource::Measured);
        match note {
            Some(Note::Settled(_)) => settled = Some(at),
            Some(Note::Moved { from_px, to_px }) => {
                assert!(from_px < 30.0 && to_px > 40.0, "{from_px} {to_px}");
                moved = Some(at);
            }
            _ => {}
        }
    }
    assert_eq!((settled, moved), (Some(2), Some(6)));
}

#[test]
fn live_cells_are_found_again_within_ten_frames() {
    let mut pipeline = pipeline();
    let mut scaler = Scaler::new(true, Learning::FromEach { live: true });
    let flat = RgbImage::from_pixel(96, 96, Rgb([220, 215, 225]));
    for _ in 0..25 {
        scaler.analyse(&mut pipeline, &flat, &Scaled::default(), None).unwrap();
        let analysis = pipeline.latest().unwrap();
        assert_eq!((analysis.quality.verdict, analysis.cells.len()), (Verdict::ScaleUnknown, 0));
    }
    // Cells are still found again, at most ten frames later.
    let smear = &smears(&[30.0])[0];
    let is_counted = |pipeline: &mut Pipeline, scaler: &mut Scaler| {
        scaler.analyse(pipeline, smear, &Scaled::default(), None).unwrap();
        !pipeline.latest().unwrap().cells.is_empty()
    };
    assert!((0..10).any(|_| is_counted(&mut pipeline, &mut scaler)));
}

#[test]
fn frame_too_large_at_its_scale_is_rejected() {
    let mut pipeline = pipeline();
    let mut scaler = Scaler::new(false, Learning::Probed);
    scaler.limit(1000);
    let origin = Scaled::as_it_is(Some(0.2), PitchSource::Given);
    let refused = scaler.analyse(&mut pipeline, &smears(&[38.0])[0], &origin, None).unwrap_err();
    assert!(refused.to_string().contains("1000 pixels in total"), "{refused}");
}

#[test]
fn white_cells_and_platelets_do_not_affect_size() {
    use crate::{
        cells::{Cell, Kind},
        support::CellConsistency,
    };
    let cell = |label: u16, kind, diameter_px: f64| Cell {
        label,
        x_px: 0.0,
        y_px: 0.0,
        area_px: 300,
        equivalent_diameter_px: diameter_px,
        perimeter_px: 60.0,
        circularity: 1.0,
        eccentricity: 0.0,
        touches_border: false,
        confidence: 1.0,
        consistency: CellConsistency { levels: 0.0, offset_levels: 0.0, input_px: 20.0 },
        kind,
        kind_thousandths: 900,
    };
    let of = |kinds: [Kind; 3]| {
        let sizes = [20.0, 44.0, 6.0];
        let all = (0..12).map(|at| cell(at + 1, kinds[usize::from(at % 3)], sizes[usize::from(at % 3)]));
        size_in(&Analysis { cells: all.collect(), ..Analysis::default() }, 1.0)
    };
    let size = of([Kind::Red, Kind::White, Kind::Platelet]).unwrap();
    assert_eq!((size.cell_px, size.spread, size.cells), (5.0, 0.0, 4.0));
    assert!(of([Kind::White, Kind::White, Kind::Platelet]).is_none());
    assert_eq!(of([Kind::Unknown; 3]).unwrap().cells, 12.0);
}
