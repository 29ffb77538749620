//! Simulated scans: new fields are recognised as new, and each cell is counted once.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use rand::RngExt;

use super::*;
use crate::{
    limits::MAX_FIELDS,
    patterns::{DIAMETER_PX, Lie, Noise, Specimen, frame, rng},
};

const SIDE_PX: f64 = 256.0;

/// Results of a scan, by the disks that its cells come from.
#[derive(Debug, Default)]
struct Scan {
    counted: HashSet<usize>,
    shown: HashSet<usize>,
    /// Cells that were counted, and those of them whose disk was counted before.
    new: usize,
    twice: usize,
}

impl Scan {
    fn see(&mut self, fields: &mut Fields, frame: &Frame, cells: &[(Cell, Option<usize>)]) -> Sight {
        let sight = fields.see(frame, cells.iter().map(|(cell, _)| *cell)).unwrap();
        for ((_, disk), state) in cells.iter().zip(fields.cells()) {
            let Some(disk) = disk else { continue };
            self.shown.insert(*disk);
            if *state == CellState::New {
                self.new += 1;
                self.twice += usize::from(!self.counted.insert(*disk));
            }
        }
        sight
    }

    fn twice_part(&self) -> f64 {
        self.twice as f64 / self.new as f64
    }

    fn left_out_part(&self) -> f64 {
        self.shown.difference(&self.counted).count() as f64 / self.shown.len() as f64
    }
}

#[test]
fn unrelated_fields_are_new_in_999_of_1000_frames() {
    let cases =
        [(Lie::Scattered, 0.1), (Lie::Repelling, 0.3), (Lie::Repelling, 0.5), (Lie::Clumped, 0.1), (Lie::Clumped, 0.5)];
    let (mut pairs, mut frames, mut old) = (0, 0, 0);
    for ((lie, share), seed) in cases.into_iter().zip(1..) {
        let apart_px = SIDE_PX + 3.0 * DIAMETER_PX;
        let specimen = Specimen::new(18.0 * apart_px, share, lie, seed);
        let (mut fields, mut rng) = (Fields::new(), rng(seed));
        for tile in 0..18 * 18 {
            let corner = [tile % 18, tile / 18].map(|step| f64::from(step) * apart_px);
            let cells = specimen.window(corner, SIDE_PX, Noise::USUAL, &mut rng);
            pairs += fields.len();
            let sight = fields.see(&frame(tile as u64, SIDE_PX), cells.iter().map(|(cell, _)| *cell)).unwrap();
            let is_old = !matches!(sight.state, State::New | State::TooFew);
            assert_eq!((sight.stuck_cells, is_old || sight.new_part == 1.0), (0, true));
            frames += 1;
            old += u32::from(is_old);
        }
    }
    assert!(pairs > 90_000 && f64::from(old) <= 0.001 * f64::from(frames), "{old} of {frames} frames, {pairs} pairs");
}

/// A serpentine scan in rows, with steps of `1 - shared` of a field.
fn rows(shared: f64, across: u32, down: u32) -> impl Iterator<Item = [f64; 2]> {
    let step_px = (1.0 - shared) * SIDE_PX;
    (0..across * down).map(move |place| {
        let (row, column) = (place / across, place % across);
        let column = if row % 2 == 0 { column } else { across - 1 - column };
        [f64::from(column) * step_px, f64::from(row) * step_px]
    })
}

/// A scan in rows with slightly uneven steps, entirely inside the specimen.
fn scan(lie: Lie, share: f64, shared: f64, noise: Noise) -> (Scan, u32) {
    let specimen = Specimen::new(7.0 * SIDE_PX, share, lie, 8);
    let (mut scan, mut fields, mut rng, mut alone) = (Scan::default(), Fields::new(), rng(4), 0);
    for (number, corner) in (0..).zip(rows(shared, 6, 6)) {
        let corner = corner.map(|at| at + 10.0 + 6.0 * rng.random::<f64>());
        let cells = specimen.window(corner, SIDE_PX, noise, &mut rng);
        let sight = scan.see(&mut fields, &frame(number, SIDE_PX), &cells);
        alone += u32::from(sight.state == State::New);
    }
    (scan, alone)
}

#[test]
fn noiseless_scan_counts_no_cell_twice_and_nearly_all() {
    let none = Noise { moved_px: 0.0, lost: 0.0, area: 0.0 };
    for (lie, shared) in [(Lie::Scattered, 0.3), (Lie::Repelling, 0.2), (Lie::Repelling, 0.45), (Lie::Clumped, 0.3)] {
        let (scan, alone) = scan(lie, 0.4, shared, none);
        assert_eq!((scan.twice, alone), (0, 1), "{lie:?} {shared}");
        assert!(scan.counted.len() > 900 && scan.left_out_part() < 0.01, "{lie:?} {shared}: {}", scan.left_out_part());
    }
}

#[test]
fn at_most_1_percent_counted_twice_with_noise() {
    for (lie, share, shared) in [
        (Lie::Repelling, 0.3, 0.3),
        (Lie::Repelling, 0.5, 0.25),
        (Lie::Repelling, 0.5, 0.8),
        (Lie::Scattered, 0.3, 0.5),
        (Lie::Clumped, 0.5, 0.3),
        (Lie::Clumped, 0.3, 0.5),
    ] {
        let (scan, _) = scan(lie, share, shared, Noise::USUAL);
        assert!(scan.twice_part() <= 0.01, "{lie:?} {share} {shared}: {} of {}", scan.twice, scan.new);
        // Cells that the first frame of their place missed: 7 of 100 are lost.
        assert!(scan.left_out_part() <= 0.07, "{lie:?} {share} {shared}: {}", scan.left_out_part());
    }
}

#[test]
fn overlap_of_one_eighth_is_enough_with_many_cells() {
    let side_px = 1400.0;
    let specimen = Specimen::new(2.0 * side_px, 0.5, Lie::Repelling, 3);
    let (mut scan, mut fields, mut rng) = (Scan::default(), Fields::new(), rng(6));
    for (number, x) in [(1, 20.0), (2, 20.0 + 0.87 * side_px)] {
        let cells = specimen.window([x, 700.0], side_px, Noise::USUAL, &mut rng);
        assert!(cells.len() > 2000);
        let sight = scan.see(&mut fields, &frame(number, side_px), &cells);
        let is_part = matches!(sight.state, State::Overlaps { earlier: 1, shared_part, .. } if (0.12..0.14).contains(&shared_part));
        assert!(number == 1 || (is_part && (0.86..0.88).contains(&sight.new_part)), "{sight:?}");
    }
    assert_eq!(scan.twice, 0);
}

#[test]
fn stationary_stage_is_recognised() {
    // With eight cells, some of them lost and others invented, one frame in a hundred is inconclusive.
    for (share, seed, most_alone) in [(0.05, 1, 4), (0.1, 2, 0), (0.3, 3, 0), (0.5, 4, 0)] {
        let specimen = Specimen::new(2.0 * SIDE_PX, share, Lie::Repelling, seed);
        let (mut scan, mut fields, mut rng, mut alone) = (Scan::default(), Fields::new(), rng(seed), 0);
        for number in 0..400 {
            // The stage jitters.
            let corner = [80.0 + 3.0 * rng.random::<f64>(), 90.0];
            let cells = specimen.window(corner, SIDE_PX, Noise::USUAL, &mut rng);
            let sight = scan.see(&mut fields, &frame(number, SIDE_PX), &cells);
            let is_same = matches!(sight.state, State::Same { .. }) && (sight.new_cells, sight.new_part) == (0, 0.0);
            alone += u32::from(number > 0 && !is_same);
        }
        assert!(alone <= most_alone && fields.len() == 1 + alone as usize, "{share}: {alone}");
    }
}

fn at(places: &[(f64, f64)]) -> Vec<Cell> {
    places.iter().map(|&(x_px, y_px)| Cell { x_px, y_px, area_px: 380.0, touches_border: false }).collect()
}

#[test]
fn two_cells_in_place_are_same_field_and_one_is_too_few() {
    let places = [(40.0, 200.0), (130.0, 60.0), (210.0, 150.0)];
    let states = |few: usize| {
        let mut fields = Fields::new();
        [1, 2].map(|number| fields.see(&frame(number, SIDE_PX), at(&places[..few]).into_iter()).unwrap().state)
    };
    assert_eq!(states(3), [State::New, State::Same { earlier: 1 }]);
    assert_eq!(states(2), [State::New, State::Same { earlier: 1 }]);
    assert_eq!(states(1), [State::TooFew; 2]);
    assert_eq!(states(0), [State::TooFew; 2]);
}

#[test]
fn frame_overlaps_neighbours_of_matched_field() {
    let specimen = Specimen::new(4.0 * SIDE_PX, 0.5, Lie::Repelling, 5);
    let faint = Noise { moved_px: 1.0, lost: 0.0, area: 0.05 };
    // The last frame of each scan shares too little with the first to be found by it, but half with another one.
    let corner_of_the_first = [[100.0, 100.0], [220.0, 100.0], [338.0, 228.0]];
    let between_two_maps = [[100.0, 500.0], [390.0, 500.0], [245.0, 560.0], [350.0, 500.0]];
    for (corners, alone) in [(&corner_of_the_first[..], 1), (&between_two_maps[..], 2)] {
        let (mut scan, mut fields, mut rng) = (Scan::default(), Fields::new(), rng(2));
        for (number, corner) in (1..).zip(corners) {
            let cells = specimen.window(*corner, SIDE_PX, faint, &mut rng);
            let sight = scan.see(&mut fields, &frame(number, SIDE_PX), &cells);
            assert_eq!(sight.state == State::New, number <= alone, "frame {number}: {sight:?}");
        }
        assert_eq!(scan.twice, 0);
        fields.clear();
        assert!(fields.is_empty() && fields.cells().is_empty());
    }
}

#[test]
fn dust_is_detected_without_false_positives() {
    let specimen = Specimen::new(6.0 * SIDE_PX, 0.3, Lie::Repelling, 6);
    let dust = at(&[(60.0, 70.0), (128.0, 190.0), (200.0, 101.5)]);
    let (mut fields, mut rng) = (Fields::new(), rng(3));
    let mut stuck = 0;
    for (number, corner) in (0..).zip(rows(0.2, 7, 5)) {
        let mut cells: Vec<Cell> =
            specimen.window(corner, SIDE_PX, Noise::USUAL, &mut rng).into_iter().map(|(cell, _)| cell).collect();
        // Sometimes a cell lies over the dust, and they merge.
        cells.extend(dust.iter().filter(|_| rng.random::<f64>() < 0.8));
        fields.see(&frame(number, SIDE_PX), cells.iter().copied()).unwrap();
        for (cell, state) in cells.iter().zip(fields.cells()) {
            let is_dust = dust.contains(cell);
            assert!(is_dust || *state != CellState::Stuck, "frame {number}: {cell:?}");
            stuck += u32::from(is_dust && number >= 14 && *state == CellState::Stuck);
            assert!(!is_dust || number < 14 || *state == CellState::Stuck, "frame {number}: {cell:?}");
        }
    }
    assert!(stuck > 40, "{stuck}");
}

#[test]
fn centred_cell_is_not_dust() {
    let specimen = Specimen::new(6.0 * SIDE_PX, 0.3, Lie::Repelling, 6);
    let middle = SIDE_PX / 2.0;
    let (mut fields, mut rng) = (Fields::new(), rng(3));
    let mut stuck = 0;
    for (number, corner) in (0..).zip(rows(0.2, 7, 5)) {
        let mut cells: Vec<Cell> =
            specimen.window(corner, SIDE_PX, Noise::USUAL, &mut rng).into_iter().map(|(cell, _)| cell).collect();
        cells.retain(|cell| (cell.x_px - middle).hypot(cell.y_px - middle) > 30.0);
        // A white cell centred by a scanner, and a particle away from it.
        cells.extend(at(&[(middle + 3.0, middle - 4.0), (60.0, 70.0)]));
        fields.see(&frame(number, SIDE_PX), cells.iter().copied()).unwrap();
        let states: Vec<CellState> = fields.cells().iter().rev().take(2).copied().collect();
        assert_ne!(states[1], CellState::Stuck, "frame {number}");
        stuck += u32::from(states[0] == CellState::Stuck);
    }
    assert!(stuck > 15, "{stuck}");
}

#[test]
fn oldest_field_is_evicted_when_full() {
    let specimen = Specimen::new(12.0 * SIDE_PX, 0.4, Lie::Repelling, 7);
    let (mut scan, mut fields, mut rng) = (Scan::default(), Fields::new(), rng(1));
    let mut see = |number: u64, place: usize, fields: &mut Fields| {
        let corner = [place % 10, place / 10].map(|step| 300.0 * step as f64);
        let cells = specimen.window(corner, SIDE_PX, Noise::USUAL, &mut rng);
        scan.see(fields, &frame(number, SIDE_PX), &cells).state
    };
    for place in 0..MAX_FIELDS + 5 {
        assert_eq!(see(place as u64, place, &mut fields), State::New);
    }
    assert_eq!(fields.len(), MAX_FIELDS);
    assert_eq!(see(1000, 10, &mut fields), State::Same { earlier: 10 });
    assert_eq!(see(1001, 2, &mut fields), State::New);
}

#[test]
fn rejected_frame_changes_nothing() {
    let mut fields = Fields::new();
    let cells = || at(&[(40.0, 200.0), (130.0, 60.0), (210.0, 150.0)]).into_iter();
    fields.see(&frame(1, SIDE_PX), cells()).unwrap();
    assert!(fields.see(&Frame { number: 2, width_px: f64::NAN, height_px: 1.0 }, cells()).is_err());
    let nowhere = Cell { x_px: f64::INFINITY, y_px: 0.0, area_px: 1.0, touches_border: false };
    assert!(fields.see(&frame(3, SIDE_PX), std::iter::once(nowhere)).is_err());
    assert_eq!(fields.see(&frame(4, SIDE_PX), cells()).unwrap().state, State::Same { earlier: 1 });
    // A picture of another size comes from another camera.
    assert_eq!(fields.see(&frame(5, 300.0), cells()).unwrap().state, State::New);
}
