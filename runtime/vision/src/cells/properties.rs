//! Invariants of every split, for any maps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{GrayImage, Luma, RgbImage, imageops};
use proptest::prelude::*;

use super::{Cell, Labels, mask, split};
use crate::{consistency::Consistency, model::manifest::CellRule, segmentation::CellMaps};

pub(super) const RULE: CellRule = CellRule {
    foreground_level: 128,
    peak_level: 100,
    saddle_depth: 20,
    white_saddle_depth: None,
    white_margin: 0,
    least_area_px: 12,
};

fn area_rule(least_area_px: u32) -> CellRule {
    CellRule { least_area_px, ..RULE }
}

/// Maps as a perfect model would draw them: each pixel belongs to the shape in which it lies deepest. A shape is its
/// centre and its half axes along x and y.
fn drawn(width: u32, height: u32, shapes: &[[f64; 4]]) -> CellMaps {
    let depth = |x: u32, y: u32| {
        let inside =
            |[cx, cy, rx, ry]: &[f64; 4]| 1.0 - ((f64::from(x) + 0.5 - cx) / rx).hypot((f64::from(y) + 0.5 - cy) / ry);
        shapes.iter().map(inside).fold(-1.0, f64::max)
    };
    CellMaps {
        foreground: GrayImage::from_fn(width, height, |x, y| Luma([if depth(x, y) > 0.0 { 200 } else { 60 }])),
        core: GrayImage::from_fn(width, height, |x, y| Luma([(depth(x, y).max(0.0) * 255.0) as u8])),
        kinds: None,
    }
}

fn count(maps: &CellMaps) -> usize {
    let labels = split(maps, &RULE).unwrap();
    if labels.is_empty() { 0 } else { measure(&labels, maps).len() }
}

/// The cells, as if the picture equalled the input.
fn measure(labels: &Labels, maps: &CellMaps) -> Vec<Cell> {
    let picture = RgbImage::new(labels.width(), labels.height());
    super::measure(labels, maps, &RULE, &Consistency::new(&picture, &picture).unwrap()).unwrap()
}

#[test]
fn touching_disks_are_two_cells_and_ellipse_is_one() {
    assert_eq!(count(&drawn(64, 64, &[[20.0, 32.0, 8.0, 8.0], [35.0, 32.0, 8.0, 8.0]])), 2);
    assert_eq!(count(&drawn(64, 64, &[[32.0, 32.0, 20.0, 9.0]])), 1);
    assert_eq!(count(&drawn(64, 64, &[])), 0);
}

#[test]
fn row_of_touching_disks_is_split() {
    let maps = drawn(90, 30, &[[15.0, 15.0, 9.0, 9.0], [32.0, 15.0, 9.0, 9.0], [49.0, 15.0, 9.0, 9.0]]);
    let labels = split(&maps, &RULE).unwrap();
    let cells = measure(&labels, &maps);
    assert_eq!(cells.len(), 3);
    for (cell, x) in cells.iter().zip([15.0, 32.0, 49.0]) {
        assert!((cell.x_px - x).abs() < 0.6 && (cell.y_px - 15.0).abs() < 0.3, "{cell:?}");
    }
}

#[test]
fn flat_maps_have_at_most_one_cell() {
    let flat = |foreground, core| CellMaps {
        foreground: GrayImage::from_pixel(40, 30, Luma([foreground])),
        core: GrayImage::from_pixel(40, 30, Luma([core])),
        kinds: None,
    };
    assert_eq!(count(&flat(0, 0)), 0);
    assert_eq!(count(&flat(128, 255)), 0);
    assert_eq!(count(&flat(255, 0)), 1);
    assert_eq!(count(&flat(255, 255)), 1);
}

#[test]
fn empty_maps_have_no_cells_and_mismatched_maps_are_rejected() {
    let empty = CellMaps::empty(0, 0);
    assert_eq!(count(&empty), 0);
    let odd = CellMaps::without_kinds(GrayImage::new(3, 2), GrayImage::new(2, 3));
    assert_eq!(split(&odd, &RULE).unwrap_err().kind(), crate::error::ErrorKind::Internal);
}

#[test]
fn more_cells_than_labels_is_an_error() {
    let dots = |edge| {
        let map = GrayImage::from_fn(edge, edge, |x, y| Luma([if x % 2 + y % 2 == 0 { 255 } else { 0 }]));
        CellMaps::without_kinds(map.clone(), map)
    };
    let error = split(&dots(514), &area_rule(1)).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Input);
    let labels = split(&dots(510), &area_rule(1)).unwrap();
    assert_eq!(labels.as_raw().iter().max(), Some(&(255 * 255)));
}

/// Indices of the four neighbours of pixel `at` within the picture.
fn neighbours(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let x = at % width;
    let above = (at >= width).then(|| at - width);
    let beside = [(x > 0).then(|| at - 1), (x + 1 < width).then(|| at + 1)];
    beside.into_iter().flatten().chain(above).chain((at + width < len).then_some(at + width))
}

/// Number of 4-connected components of the pixels with `label`.
fn pieces(labels: &Labels, label: u16) -> usize {
    let (raw, width) = (labels.as_raw(), labels.width() as usize);
    let mut seen = vec![false; raw.len()];
    let mut pieces = 0;
    for start in 0..raw.len() {
        if raw[start] != label || seen[start] {
            continue;
        }
        pieces += 1;
        let mut stack = vec![start];
        seen[start] = true;
        while let Some(at) = stack.pop() {
            for next in neighbours(at, width, raw.len()) {
                if raw[next] == label && !seen[next] {
                    seen[next] = true;
                    stack.push(next);
                }
            }
        }
    }
    pieces
}

fn turned(maps: &CellMaps, turn: fn(&GrayImage) -> GrayImage) -> CellMaps {
    CellMaps::without_kinds(turn(&maps.foreground), turn(&maps.core))
}

prop_compose! {
    /// Rough maps: blocks of few levels, with plateaus, ties and saddles everywhere.
    fn rough()(width in 1_u32..24, height in 1_u32..24)(
        foreground in prop::collection::vec(prop::sample::select(vec![0_u8, 120, 129, 200, 255]), (width * height) as usize),
        core in prop::collection::vec(prop::sample::select(vec![0_u8, 90, 100, 140, 180, 255]), (width * height) as usize),
        width in Just(width), height in Just(height),
    ) -> CellMaps {
        CellMaps {
            foreground: GrayImage::from_raw(width, height, foreground).unwrap(),
            core: GrayImage::from_raw(width, height, core).unwrap(),
            kinds: None,
        }
    }
}

proptest! {
    #[test]
    fn labels_are_connected_numbered_in_raster_order_and_large_enough(maps in rough(), least in 1_u32..9) {
        let labels = split(&maps, &area_rule(least)).unwrap();
        let mut greatest = 0;
        for pixel in labels.pixels() {
            prop_assert!(pixel.0[0] <= greatest + 1);
            greatest = greatest.max(pixel.0[0]);
        }
        let cells = measure(&labels, &maps);
        prop_assert_eq!(cells.len(), usize::from(greatest));
        for cell in &cells {
            prop_assert!(cell.area_px >= least);
            prop_assert_eq!(pieces(&labels, cell.label), 1);
            prop_assert!(cell.circularity > 0.0 && cell.circularity <= 1.0);
            prop_assert!((0.0..1.0).contains(&cell.eccentricity));
            prop_assert!(cell.confidence > 0.5 && cell.confidence < 1.0);
        }
    }

    #[test]
    fn cells_cover_foreground_without_minimum_area(maps in rough()) {
        let labels = split(&maps, &area_rule(1)).unwrap();
        let foreground = GrayImage::from_fn(maps.core.width(), maps.core.height(), |x, y| {
            Luma([if maps.foreground.get_pixel(x, y).0[0] > RULE.foreground_level { 255 } else { 0 }])
        });
        prop_assert_eq!(mask(&labels), foreground);
    }

    #[test]
    fn cell_count_is_invariant_under_flips_and_rotations(maps in rough()) {
        let cells = |maps: &CellMaps| split(maps, &area_rule(1)).unwrap().into_raw().into_iter().max().unwrap();
        let wanted = cells(&maps);
        for turn in [imageops::flip_horizontal, imageops::flip_vertical, imageops::rotate90, imageops::rotate180] {
            prop_assert_eq!(cells(&turned(&maps, turn)), wanted);
        }
    }

    #[test]
    fn separate_disks_are_found_at_their_positions(
        places in prop::collection::vec((0_u32..5, 0_u32..5, 4.0_f64..9.0), 0..12)
    ) {
        let mut taken = std::collections::BTreeMap::new();
        for (column, row, radius) in places {
            taken.entry((row, column)).or_insert(radius);
        }
        let shapes: Vec<[f64; 4]> = taken.iter().map(|(&(row, column), &radius)| {
            [f64::from(column) * 20.0 + 10.0, f64::from(row) * 20.0 + 10.0, radius, radius]
        }).collect();
        let maps = drawn(100, 100, &shapes);
        let cells = measure(&split(&maps, &RULE).unwrap(), &maps);
        prop_assert_eq!(cells.len(), shapes.len());
        for [x, y, radius, _] in shapes {
            let near = |cell: &&super::Cell| (cell.x_px - x).hypot(cell.y_px - y) < 0.5;
            let cell = cells.iter().find(near);
            prop_assert!(cell.is_some(), "none at {x}, {y}");
            let area = std::f64::consts::PI * radius * radius;
            prop_assert!((f64::from(cell.unwrap().area_px) / area - 1.0).abs() < 0.2);
        }
    }
}
