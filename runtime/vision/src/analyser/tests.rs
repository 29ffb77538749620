#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::Rgb;

use super::*;
use crate::{engine::fixture, error::ErrorKind, frame::quality::Verdict, placement::Placement, scale::Learning};
use bloodseg_smear::SmearSpec;

fn smear(seed: u64, scale: f64) -> RgbImage {
    let spec = SmearSpec { scale, ..SmearSpec::varied(480, 360, seed) };
    bloodseg_smear::render(&spec, seed).picture
}

fn analyser(options: Options) -> Analyser {
    Analyser::new(&Models::embedded().unwrap(), options).unwrap()
}

#[test]
fn analyser_is_send() {
    fn assert_send<T: Send>() {}
    assert_send::<Analyser>();
}

#[test]
fn matches_pipeline_and_scaler() {
    let pictures: Vec<RgbImage> = (1..5).map(|seed| smear(seed, 0.5)).collect();
    let mut analyser = analyser(Options::default());
    let shared = analyser.share_scale(pictures.len(), |at| Ok(pictures.get(at))).unwrap();
    assert!(shared.pooled.is_some() && !shared.measured.is_empty());
    let mut pipeline = Pipeline::load(&Models::embedded().unwrap()).unwrap();
    let mut scaler = Scaler::new(false, Learning::Probed);
    for at in crate::scale::probes(pictures.len()) {
        if !scaler.is_settled() {
            scaler.probe(&mut pipeline, &pictures[at]).unwrap();
        }
    }
    assert_eq!(scaler.settle(), shared.pooled);
    let mut other = analyser.another().unwrap();
    for (at, picture) in pictures.iter().enumerate() {
        let known = Known { measured: shared.measured.get(&at).copied(), ..Known::default() };
        let found = analyser.analyse_known(picture, &known).unwrap();
        let again = other.analyse_known(picture, &known).unwrap();
        scaler.analyse(&mut pipeline, picture, &Scaled::default(), known.measured).unwrap();
        let wanted = pipeline.latest().unwrap();
        assert!(found.counts().is_some_and(|counts| counts.cells > 0));
        for found in [found, again] {
            assert_eq!((found.cells(), found.labels()), (wanted.cells.as_slice(), &wanted.labels));
            assert_eq!((found.picture(), found.scaled()), (&wanted.sr, &wanted.scaled));
        }
    }
}

#[test]
fn uncounted_picture_has_no_counts() {
    let black = RgbImage::new(200, 150);
    let mut one = analyser(Options::default());
    let found = one.analyse(&black).unwrap();
    assert!(found.counts().is_none() && found.scale().is_none() && found.cells().is_empty());
    // Nor at any quality, while the scale is unknown.
    let mut any = analyser(Options::default().any_quality());
    let found = any.analyse(&black).unwrap();
    assert_eq!((found.verdict(), found.counts()), (Verdict::ScaleUnknown, None));
}

#[test]
fn memory_limit_rejects_larger_pictures() {
    let models = fixture::models();
    let unlimited = Analyser::new(&models, Options::default().as_is()).unwrap();
    let [small, large] = [(128, 96), (512, 384)].map(|(width, height)| unlimited.memory_bytes(width, height));
    assert!(small < large);
    let mut limited = Analyser::new(&models, Options::default().as_is().most_bytes(small.midpoint(large))).unwrap();
    limited.analyse(&RgbImage::from_pixel(128, 96, Rgb([255; 3]))).unwrap();
    let error = limited.analyse(&RgbImage::new(512, 384)).unwrap_err();
    assert!(error.kind() == ErrorKind::Input && error.to_string().contains("512x384"), "{error}");
    let error = Analyser::new(&models, Options::default().most_bytes(1000)).unwrap_err();
    assert!(error.to_string().contains("1000 bytes"), "{error}");
    for um in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Analyser::new(&models, Options::default().um_per_px(um)).is_err());
    }
    // With a limit, the figure never exceeds it.
    let most_bytes = 2 * large;
    let scaled = Analyser::new(&models, Options::default().um_per_px(2.0).most_bytes(most_bytes)).unwrap();
    for (width, height) in [(64, 64), (2000, 1500), (9000, 10), (10, 9000)] {
        assert!(scaled.memory_bytes(width, height) <= most_bytes, "{width}x{height}");
    }
}

#[test]
fn invalid_pitch_placement_or_threads_are_errors() {
    let picture = smear(1, 0.5);
    let mut analyser = analyser(Options::default());
    let pitch = |um| Known { um_per_px: Some(um), ..Known::default() };
    let placed = |scale, x| Known { placement: Placement { scale, start_px: [x, 0.0] }, ..Known::default() };
    let none = [0.0, -3.0, 1e-5, 1e-300, 101.0, f64::NAN, f64::INFINITY];
    let all = none.into_iter().flat_map(|number| {
        let product = Known { um_per_px: Some(0.5), ..placed(number, 0.0) };
        [pitch(number), product]
    });
    let placements = [placed(0.0, 0.0), placed(-1.0, 0.0), placed(f64::NAN, 0.0), placed(1.0, f64::NAN)];
    for known in all.chain(placements) {
        if known.placement.scale == 101.0 {
            continue;
        }
        let error = analyser.analyse_known(&picture, &known).map(|found| found.verdict()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{known:?}: {error}");
        // The same as the pitch of the options.
        analyser.memory_bytes_known(480, 360, &known);
    }
    for threads in [0, 3, 1000] {
        assert!(Analyser::new(&Models::embedded().unwrap(), Options::default().threads(threads)).is_err());
        assert!(analyser.another_with(threads).is_err());
    }
}

#[test]
fn failed_analysis_clears_latest() {
    let picture = smear(1, 0.5);
    let mut analyser = analyser(Options::default().um_per_px(0.5).most_bytes(48 << 20));
    let fail: [fn(&mut Analyser) -> bool; 4] = [
        |analyser| analyser.analyse_rgb(vec![1; 7], 64, 48).is_err(),
        |analyser| analyser.analyse(&RgbImage::new(0, 0)).is_err(),
        |analyser| analyser.analyse(&RgbImage::new(20_000, 1)).is_err(),
        |analyser| {
            let known = Known { placement: Placement { scale: 0.0, start_px: [0.0; 2] }, ..Known::default() };
            analyser.analyse_known(&RgbImage::new(64, 64), &known).is_err()
        },
    ];
    for (at, fail) in fail.into_iter().enumerate() {
        assert!(analyser.analyse(&picture).unwrap().is_counted());
        assert!(fail(&mut analyser) && analyser.latest().is_none(), "{at}");
    }
}

#[test]
fn memory_bytes_accounts_for_file_pitch() {
    let analyser = analyser(Options::default());
    let known = |um| Known { um_per_px: Some(um), ..Known::default() };
    let given = |um| super::Analyser::new(&Models::embedded().unwrap(), Options::default().um_per_px(um)).unwrap();
    for um in [0.2, 1.3, 6.0] {
        // At least the figure with the pitch in the options, where red cells are never measured.
        assert!(analyser.memory_bytes_known(320, 240, &known(um)) >= given(um).memory_bytes(320, 240), "{um}");
    }
}

#[test]
fn memory_limit_error_names_the_limit() {
    let mut analyser = analyser(Options::default().um_per_px(1.3).most_bytes(8 << 20));
    let error = analyser.analyse(&RgbImage::new(640, 480)).map(|found| found.verdict()).unwrap_err().to_string();
    assert!(error.contains("limit on memory") && error.contains("Raise the limit"), "{error}");
}
