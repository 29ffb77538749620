//! False alarm rates and detection delays of the charts.
#![allow(clippy::unwrap_used)]

use rand::{Rng, RngExt};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

use super::{chart::Chart, *};

/// At one field in 10 s.
const FIELDS_A_DAY: u32 = 8640;

fn normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle) = (rng.random::<f64>().max(1e-300), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// Student's t with three degrees of freedom, of variance 1.
fn heavy(rng: &mut impl Rng) -> f64 {
    let squares: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
    normal(rng) / (squares / 3.0).sqrt() / 3.0_f64.sqrt()
}

/// Values of mean 0 and variance 1 with autocorrelation `kept`.
struct Process {
    kept: f64,
    is_heavy: bool,
    last: f64,
    rng: Pcg64Mcg,
}

impl Process {
    fn new(kept: f64, is_heavy: bool, seed: u64) -> Self {
        Self { kept, is_heavy, last: 0.0, rng: Pcg64Mcg::seed_from_u64(seed) }
    }

    fn next(&mut self) -> f64 {
        let new = if self.is_heavy { heavy(&mut self.rng) } else { normal(&mut self.rng) };
        self.last = self.kept * self.last + (1.0 - self.kept * self.kept).sqrt() * new;
        self.last
    }
}

const PROCESSES: [(f64, bool); 6] = [(0.0, false), (0.0, true), (0.5, false), (0.9, false), (0.9, true), (0.99, false)];

/// Run lengths of charts whose baseline is known, as in Lucas and Saccucci, Technometrics 32, 1990, table 3.
#[test]
fn run_lengths_for_independent_values_match_published_tables() {
    for (weight, deviations, shift, length) in
        [(0.25, 2.998, 0.0, 500.0), (0.1, 2.814, 0.0, 500.0), (0.1, 2.814, 1.0, 10.3), (0.05, 2.615, 1.0, 11.4)]
    {
        let rule = Rule { weight, learned: 0, deviations, shift: 0.0, persistence: 1 };
        let mut known = Chart::default().to_parts();
        // 1 is the standard deviation of a mean absolute deviation of 0.7979.
        (known[0], known[2]) = (1e9, (2.0 / std::f64::consts::PI).sqrt());
        let mut rng = Pcg64Mcg::seed_from_u64(7);
        let mut sum = 0_u64;
        const RUNS: u32 = 4000;
        for _ in 0..RUNS {
            let mut chart = Chart::from_parts(known);
            while !chart.is_out(&rule) {
                chart.see(shift + normal(&mut rng), &rule, 0.0);
                sum += 1;
            }
        }
        let found = sum as f64 / f64::from(RUNS);
        assert!((found / length - 1.0).abs() < 0.06, "{weight}, {deviations}, {shift}: {found} after {length}");
    }
}

#[test]
fn seven_figures_raise_at_most_one_false_alarm_in_thirty_days() {
    for (kept, is_heavy) in PROCESSES {
        let (mut alarms, mut months) = (0, 0);
        for seed in 0..3 * 7 {
            let mut process = Process::new(kept, is_heavy, seed);
            let mut drift = Drift::new(Least { absolute: 0.0, relative: 0.0 });
            let mut was_out = false;
            for _ in 0..30 * FIELDS_A_DAY {
                let is_out = matches!(drift.see(10.0 + process.next()), Standing::Drifted { .. });
                alarms += u32::from(is_out && !was_out);
                was_out = is_out;
            }
            months += 1;
        }
        assert!(alarms <= months / 7, "{kept}, {is_heavy}: {alarms} alarms in {months} months of one figure");
    }
}

/// Fields until a drift that begins after three days is detected, and whether by the fast chart.
fn detected_after(process: &mut Process, figure: impl Fn(f64, f64) -> f64) -> Option<(f64, bool)> {
    let mut drift = Drift::new(Figure::Light.least());
    for _ in 0..3 * FIELDS_A_DAY {
        drift.see(figure(0.0, process.next()));
    }
    let after = |field: u32| match drift.see(figure(f64::from(field), process.next())) {
        Standing::Drifted { fast, .. } => Some((f64::from(field), fast)),
        _ => None,
    };
    (0..2 * FIELDS_A_DAY).find_map(after)
}

#[test]
fn drifts_are_detected_early() {
    for (kept, is_heavy) in PROCESSES {
        // The limit for each kind of process: low, high and very high autocorrelation.
        let most = |soon: f64, late: f64, hardly: f64| match kept {
            ..0.8 => soon,
            ..0.95 => late,
            _ => hardly,
        };
        for seed in 0..10 {
            let mut process = Process::new(kept, is_heavy, 100 + seed);
            // Light that varies by 1 % from field to field.
            let fade = |field: f64, noise: f64| 200.0 * 0.999_f64.powf(field) * (1.0 + 0.01 * noise);
            let (fields, fast) = detected_after(&mut process, fade).unwrap();
            let moved = 1.0 - 0.999_f64.powf(fields);
            assert!(fast && moved < most(0.045, 0.07, 0.09), "{kept}, {is_heavy}: {moved} of the light");
            // Sharpness that varies by 10 %, and is a third lower after two hours.
            let blur = |field: f64, noise: f64| 50.0 * (1.0 - (field / 720.0).min(1.0) / 3.0) * (1.0 + 0.1 * noise);
            let (fields, _) = detected_after(&mut process, blur).unwrap();
            assert!(fields < most(500.0, 850.0, 1900.0), "{kept}, {is_heavy}: {fields} fields");
            // Diameters that vary by 3 %, either way.
            for way in [-1.0, 1.0] {
                let day = f64::from(FIELDS_A_DAY);
                let grown = |field: f64, noise: f64| 22.0 * (1.0 + way * 0.05 * field / day + 0.03 * noise);
                let (fields, _) = detected_after(&mut process, grown).unwrap();
                let moved = 0.05 * fields / day;
                assert!(moved < most(0.03, 0.035, 0.06), "{kept}, {is_heavy}: {moved} of the diameter");
            }
        }
    }
}

#[test]
fn restored_history_continues_identically() {
    let least = Figure::Scale.least();
    let mut process = Process::new(0.5, false, 3);
    let (mut whole, mut kept) = (Drift::new(least), Drift::new(least));
    for field in 0..3 * FIELDS_A_DAY + 1000 {
        let value = 5.0 + 0.1 * process.next() + if field > 3 * FIELDS_A_DAY { 0.3 } else { 0.0 };
        assert_eq!(whole.see(value), kept.see(value), "field {field}");
        if field % 997 == 0 {
            kept = Drift::from_parts(least, &kept.to_parts()).unwrap();
        }
    }
    assert!(
        matches!(kept.standing(), Standing::Drifted { to, .. } if (5.1..5.4).contains(&to)),
        "{:?}",
        kept.standing()
    );
}

#[test]
fn rejects_damaged_history() {
    let least = Figure::Light.least();
    let mut drift = Drift::new(least);
    (0..100).for_each(|value| {
        drift.see(f64::from(value % 7));
    });
    let parts = drift.to_parts();
    assert!(Drift::from_parts(least, &parts).is_some());
    assert!(Drift::from_parts(least, &parts[1..]).is_none() && Drift::from_parts(least, &[]).is_none());
    // Only the pinned means of the charts may be missing.
    for at in (0..PARTS).filter(|&at| at != PARTS - 1 && at != PARTS - 1 - chart::PARTS) {
        for wrong in [f64::NAN, f64::INFINITY] {
            let mut parts = parts;
            parts[at] = wrong;
            assert!(Drift::from_parts(least, &parts).is_none(), "part {at} of {wrong}");
        }
    }
    for (at, wrong) in [(0, 2.0), (1, 60.0), (2, -1.0), (2, 1000.0), (4, -1.0)] {
        let mut parts = parts;
        parts[at] = wrong;
        assert!(Drift::from_parts(least, &parts).is_none(), "part {at} of {wrong}");
    }
}

#[test]
fn pin_sets_baseline_and_restart_clears_it() {
    let mut process = Process::new(0.0, false, 4);
    let mut drift = Drift::new(Figure::Light.least());
    for _ in 0..3 * FIELDS_A_DAY {
        drift.see(200.0 + process.next());
    }
    assert_eq!(drift.standing(), Standing::Steady);
    drift.pin(210.0);
    let found = (0..200).map(|_| drift.see(200.0 + process.next())).last();
    assert!(matches!(found, Some(Standing::Drifted { from: 210.0, fast: true, .. })), "{found:?}");
    let found = (0..200).map(|_| drift.see(210.0 + process.next())).last();
    assert_eq!(found, Some(Standing::Steady));
    drift.restart();
    assert_eq!(drift.standing(), Standing::Learning(0.0));
    // A mean that is set while learning is kept afterwards.
    drift.pin(205.0);
    for _ in 0..FIELDS_A_DAY {
        drift.see(200.0 + process.next());
    }
    assert!(matches!(drift.standing(), Standing::Drifted { from: 205.0, .. }), "{:?}", drift.standing());
}

#[test]
fn insignificant_changes_and_non_finite_values_are_ignored() {
    let mut drift = Drift::new(Figure::UnsupportedShare.least());
    for _ in 0..3 * FIELDS_A_DAY {
        drift.see(0.0);
    }
    let seen = |drift: &mut Drift, value: f64| (0..500).map(|_| drift.see(value)).last();
    assert_eq!(seen(&mut drift, 0.008), Some(Standing::Steady));
    for wrong in [f64::NAN, f64::INFINITY] {
        assert_eq!(seen(&mut drift, wrong), Some(Standing::Steady));
    }
    assert!(matches!(seen(&mut drift, 0.05), Some(Standing::Drifted { from: 0.0, fast: true, .. })));
}
