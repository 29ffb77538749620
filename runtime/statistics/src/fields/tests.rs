//! Coverage of the intervals.
#![allow(clippy::unwrap_used)]
use rand::{Rng, RngExt};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

use super::*;

fn of(counts: &[u64]) -> FieldCounts {
    FieldCounts::of(counts.iter().copied()).unwrap()
}

#[test]
fn one_field_has_exact_interval_and_many_have_students() {
    let one = of(&[100]);
    assert_eq!((one.method, one.dispersion, one.more_fields_for(0.05)), (Method::Poisson, None, None));
    assert!((one.interval.low - 81.4).abs() < 0.1 && (one.interval.high - 121.6).abs() < 0.1);
    let twelve = of(&[8, 12, 8, 12, 8, 12, 8, 12, 8, 12, 8, 12]);
    assert_eq!((twelve.fields, twelve.cells, twelve.mean, twelve.method), (12, 120, 10.0, Method::Student));
    // s = 2.089, t = 2.201.
    assert!((twelve.interval.high - 11.327).abs() < 0.001, "{twelve:?}");
    assert!((twelve.dispersion.unwrap() - 0.4364).abs() < 0.001);
    assert!(FieldCounts::of(std::iter::empty()).is_none());
}

#[test]
fn few_equal_fields_use_the_wider_exact_interval() {
    for counts in [vec![29; 2], vec![29; 3], vec![28; 10]] {
        let found = of(&counts);
        assert_eq!(found.method, Method::FewCells);
        assert!(found.interval.low < found.mean - 2.0 && found.interval.high > found.mean + 2.0, "{found:?}");
    }
    assert_eq!(of(&[28; 11]).method, Method::Student);
}

#[test]
fn fields_without_cells_have_an_upper_bound() {
    let none = of(&[0; 20]);
    assert_eq!((none.mean, none.interval.low, none.dispersion, none.relative_half_width()), (0.0, 0.0, None, None));
    assert!((none.interval.high - 3.69 / 20.0).abs() < 0.001);
}

#[test]
fn requests_just_enough_fields_for_target_width() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let counts: Vec<u64> = (0..400).map(|_| poisson_draw(30.0, &mut rng)).collect();
    let some = of(&counts[..12]);
    let more = some.more_fields_for(0.05).unwrap();
    assert!((20..90).contains(&more), "{more}");
    let all = of(&counts[..12 + more as usize]);
    assert!(all.relative_half_width().unwrap() < 0.07, "{all:?}");
    assert_eq!(of(&counts).more_fields_for(0.05), Some(0));
    // The requested fields are just enough, with Student's t for their number.
    for (part, counts) in [(0.05, counts.as_slice()), (0.2, &counts[..3]), (0.02, &counts[..30])] {
        let found = of(counts);
        let spread = found.dispersion.unwrap() / found.mean;
        let half_width = |fields: u64| student(fields) * (spread / fields as f64).sqrt();
        let needed = found.more_fields_for(part).unwrap() + found.fields;
        assert!(half_width(needed) <= part, "{part}");
        assert!(needed == found.fields || half_width(needed - 1) > part, "{part}");
    }
}

fn poisson_draw(mean: f64, rng: &mut impl Rng) -> u64 {
    let (mut product, least, mut count) = (rng.random::<f64>(), (-mean).exp(), 0);
    while product > least {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}

/// Clumps of `1 / stay` cells on average: variance over mean is 2 / stay - 1.
fn clumped_draw(mean: f64, stay: f64, rng: &mut impl Rng) -> u64 {
    let clumps = poisson_draw(mean * stay, rng);
    (0..clumps)
        .map(|_| 1 + std::iter::repeat_with(|| rng.random::<f64>()).take_while(|draw| *draw > stay).count() as u64)
        .sum()
}

/// Places that are taken or free: variance over mean is 1 - share.
fn repelling_draw(mean: f64, share: f64, rng: &mut impl Rng) -> u64 {
    let places = (mean / share).round() as u64;
    (0..places).filter(|_| rng.random::<f64>() < share).count() as u64
}

#[test]
fn intervals_cover_truth_in_94_to_97_percent_of_samples() {
    type Draw = Box<dyn Fn(&mut Pcg64Mcg) -> u64>;
    let cases: [(&str, f64, Draw); 4] = [
        ("independent", 30.0, Box::new(|rng| poisson_draw(30.0, rng))),
        ("repelling", 40.0, Box::new(|rng| repelling_draw(40.0, 0.5, rng))),
        ("clumped", 20.0, Box::new(|rng| clumped_draw(20.0, 0.5, rng))),
        ("few", 6.0, Box::new(|rng| poisson_draw(6.0, rng))),
    ];
    for (name, truth, draw) in cases {
        for fields in [3, 8, 12, 30] {
            let mut rng = Pcg64Mcg::seed_from_u64(fields as u64);
            let holds = |_: &u32| {
                let counts: Vec<u64> = (0..fields).map(|_| draw(&mut rng)).collect();
                let interval = of(&counts).interval;
                interval.low <= truth && truth <= interval.high
            };
            let covered = (0..10_000).filter(holds).count();
            assert!((9_400..=9_700).contains(&covered), "{name}, {fields} fields: {covered}");
        }
    }
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let rare = |_: &u32| {
        let counts: Vec<u64> = (0..8).map(|_| poisson_draw(0.5, &mut rng)).collect();
        let interval = of(&counts).interval;
        interval.low <= 0.5 && 0.5 <= interval.high
    };
    let covered = (0..10_000).filter(rare).count();
    assert!(covered >= 9_400, "rare: {covered}");
}

/// How many fields had how many red and white cells, as people labelled them.
const LABORATORIES: [(&str, &[(u64, usize)]); 3] = [
    (
        "txl_pbc",
        &[
            (9, 2),
            (10, 5),
            (11, 8),
            (12, 14),
            (13, 28),
            (14, 28),
            (15, 39),
            (16, 34),
            (17, 50),
            (18, 31),
            (19, 48),
            (20, 36),
            (21, 19),
            (22, 18),
            (23, 14),
            (24, 10),
            (25, 5),
            (26, 4),
            (27, 1),
            (28, 1),
            (30, 1),
            (33, 1),
            (38, 1),
        ],
    ),
    (
        "txl_bccd",
        &[
            (10, 1),
            (13, 1),
            (16, 2),
            (17, 2),
            (18, 2),
            (19, 4),
            (20, 6),
            (21, 15),
            (22, 20),
            (23, 17),
            (24, 19),
            (25, 35),
            (26, 24),
            (27, 11),
            (28, 11),
            (29, 6),
            (30, 5),
            (31, 2),
            (33, 1),
        ],
    ),
    (
        "draaslan",
        &[
            (11, 2),
            (13, 1),
            (16, 2),
            (18, 5),
            (19, 2),
            (20, 8),
            (21, 4),
            (22, 11),
            (23, 8),
            (24, 5),
            (25, 8),
            (26, 10),
            (27, 6),
            (28, 4),
            (29, 1),
            (30, 2),
            (31, 1),
            (32, 3),
            (33, 2),
        ],
    ),
];

#[test]
fn intervals_of_resampled_real_fields_cover_mean_in_94_to_97_percent() {
    for (name, fields_with) in LABORATORIES {
        let all: Vec<u64> =
            fields_with.iter().flat_map(|&(cells, fields)| std::iter::repeat_n(cells, fields)).collect();
        let truth = all.iter().sum::<u64>() as f64 / all.len() as f64;
        for fields in [3, 8, 12, 30] {
            let mut rng = Pcg64Mcg::seed_from_u64(fields as u64);
            let holds = |_: &u32| {
                let counts: Vec<u64> = (0..fields).map(|_| all[rng.random_range(0..all.len())]).collect();
                let interval = of(&counts).interval;
                interval.low <= truth && truth <= interval.high
            };
            let covered = (0..10_000).filter(holds).count();
            assert!((9_400..=9_700).contains(&covered), "{name}, {fields} fields: {covered}");
        }
    }
}
