//! Split and sums pixel by pixel, as defined: the reference for the fast ones, to the last bit.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use image::GrayImage;
use proptest::prelude::*;

use super::{Labels, split};
use crate::{
    model::manifest::CellRule,
    segmentation::{CellMaps, KindMaps},
};

/// Neighbours of a pixel: above, left, right, below.
fn neighbours(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let x = at % width;
    let above = (at >= width).then(|| at - width);
    let beside = [(x > 0).then(|| at - 1), (x + 1 < width).then(|| at + 1)];
    above.into_iter().chain(beside.into_iter().flatten()).chain((at + width < len).then_some(at + width))
}

fn smoothed(map: &GrayImage) -> Vec<u8> {
    let (width, height) = (i64::from(map.width()), i64::from(map.height()));
    let level = |x: i64, y: i64| {
        let (x, y) = (x.clamp(0, width - 1), y.clamp(0, height - 1));
        u32::from(map.get_pixel(x as u32, y as u32).0[0])
    };
    let row = |x: i64, y: i64| level(x - 1, y) + 2 * level(x, y) + level(x + 1, y);
    let sum = |x: i64, y: i64| row(x, y - 1) + 2 * row(x, y) + row(x, y + 1);
    (0..width * height).map(|at| ((sum(at % width, at / width) + 8) / 16) as u8).collect()
}

/// The pixels from which cells grow.
fn peaks(core: &[u8], inside: &[bool], white: Option<&[u8]>, width: usize, rule: &CellRule) -> Vec<bool> {
    let mut order: Vec<usize> = (0..core.len()).filter(|at| inside[*at]).collect();
    order.sort_by_key(|at| std::cmp::Reverse(core[*at]));
    let mut parent: Vec<Option<usize>> = vec![None; core.len()];
    let mut is_peak = vec![false; core.len()];
    for at in order {
        parent[at] = Some(at);
        let mut here = at;
        for neighbour in neighbours(at, width, core.len()) {
            let Some(mut there) = parent[neighbour] else { continue };
            while parent[there] != Some(there) {
                there = parent[there].unwrap();
            }
            if there != here {
                let (high, low) = if core[there] >= core[here] { (there, here) } else { (here, there) };
                let is_white = white.is_some_and(|white| white[low] > 128 && white[at] > 128);
                let depth = rule.white_saddle_depth.filter(|_| is_white).unwrap_or(rule.saddle_depth);
                is_peak[low] |= core[low] >= rule.peak_level && core[low] - core[at] >= depth.max(1);
                parent[low] = Some(high);
                here = high;
            }
        }
    }
    (0..core.len()).map(|at| is_peak[at] || parent[at] == Some(at)).collect()
}

/// Number of the peak that each pixel grew from, from 1; 0 outside.
fn grown(core: &[u8], inside: &[bool], peaks: &[bool], width: usize) -> Vec<usize> {
    let mut grown = vec![0; core.len()];
    let mut queues = vec![VecDeque::new(); 256];
    for (number, at) in (1..).zip((0..core.len()).filter(|at| peaks[*at])) {
        grown[at] = number;
        queues[usize::from(core[at])].push_back(at);
    }
    for level in (0..256).rev() {
        while let Some(at) = queues[level].pop_front() {
            for neighbour in neighbours(at, width, core.len()) {
                if inside[neighbour] && grown[neighbour] == 0 {
                    grown[neighbour] = grown[at];
                    queues[level.min(usize::from(core[neighbour]))].push_back(neighbour);
                }
            }
        }
    }
    grown
}

fn labels(maps: &CellMaps, rule: &CellRule) -> Vec<u16> {
    let width = maps.core.width() as usize;
    let core = smoothed(&maps.core);
    let inside: Vec<bool> = maps.foreground.iter().map(|level| *level > rule.foreground_level).collect();
    let white = maps.kinds.as_ref().map(|kinds| kinds.white.as_raw().as_slice());
    let grown = grown(&core, &inside, &peaks(&core, &inside, white, width, rule), width);
    let mut numbers = vec![0; grown.len() + 1];
    let mut count = 0;
    for &peak in grown.iter().filter(|peak| **peak > 0) {
        let area = || grown.iter().filter(|other| **other == peak).count();
        if numbers[peak] == 0 && area() >= rule.least_area_px as usize {
            count += 1;
            numbers[peak] = count;
        }
    }
    grown.iter().map(|peak| numbers[*peak]).collect()
}

/// Transitions to another label along rows and columns, and along diagonals, for each label.
pub(super) fn steps(labels: &Labels) -> Vec<[u64; 2]> {
    let mut steps = vec![[0; 2]; usize::from(labels.iter().copied().max().unwrap_or(0))];
    for (x, y, pixel) in labels.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0) {
        for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))).filter(|step| *step != (0, 0)) {
            let beside = x.checked_add_signed(dx).zip(y.checked_add_signed(dy));
            let is_other = beside.and_then(|(x, y)| labels.get_pixel_checked(x, y)) != Some(pixel);
            steps[usize::from(pixel.0[0]) - 1][usize::from(dx != 0 && dy != 0)] += u64::from(is_other);
        }
    }
    steps
}

prop_compose! {
    /// Maps with plateaus and ties, or with all levels.
    fn rough()(width in 1_u32..40, height in 1_u32..40, shift in 0_u32..7)(
        foreground in prop::collection::vec(60_u8..255, (width * height) as usize),
        core in prop::collection::vec(any::<u8>(), (width * height) as usize),
        white in prop::option::of(prop::collection::vec(120_u8..136, (width * height) as usize)),
        width in Just(width), height in Just(height), shift in Just(shift),
    ) -> CellMaps {
        let core = core.into_iter().map(|level| level >> shift << shift).collect();
        CellMaps {
            foreground: GrayImage::from_raw(width, height, foreground).unwrap(),
            core: GrayImage::from_raw(width, height, core).unwrap(),
            kinds: white.map(|white| KindMaps {
                white: GrayImage::from_raw(width, height, white).unwrap(),
                platelet: GrayImage::new(width, height),
            }),
        }
    }
}

proptest! {
    #[test]
    fn labels_match_reference_implementation(
        maps in rough(), foreground_level in 50_u8..220, peak_level in 0_u8..200, saddle_depth in 0_u8..40, least_area_px in 1_u32..9,
        white_saddle_depth in prop::option::of(0_u8..60),
    ) {
        let rule = CellRule {
            foreground_level, peak_level, saddle_depth, white_saddle_depth, white_margin: 0, least_area_px,
        };
        // In memory that a picture of another shape used.
        let (mut splitter, mut found) = (super::Splitter::default(), Labels::default());
        let turned = image::imageops::rotate90(&maps.core);
        splitter.split(&CellMaps::without_kinds(turned.clone(), turned), &rule, &mut found).unwrap();
        splitter.split(&maps, &rule, &mut found).unwrap();
        prop_assert_eq!(found.as_raw(), &labels(&maps, &rule));
        prop_assert_eq!(found, split(&maps, &rule).unwrap());
    }
}
