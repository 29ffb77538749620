//! Where cells are: the peaks of the core map that stand out enough.
//!
//! The measure of standing out is a peak's dynamics: how far one has to go down from it to reach a higher
//! one (Grimaud, "A new measure of contrast: the dynamics", 1992). Pixels are visited from the highest level
//! down and joined to their visited neighbours; where two joined regions meet, the lower peak of the two has
//! found its dynamics. One counting sort and one union-find: linear in the pixels, all integer.

use image::GrayImage;

use super::flood::{Ground, NONE, neighbours};
use crate::model::manifest::CellRule;

/// Marks the peaks that become cells in `ground`, which tells the foreground from the background before.
///
/// `core` is the core map; both of `width` pixels a row. `order` and `parent`, as long, are memory to work in. Neighbourhood
/// is 4, here and in the flooding, so that every foreground component has a peak of its own.
///
/// The highest peak of each component needs neither level nor dynamics: a foreground that no peak
/// explains is a doubtful cell, and a lost cell is worse than a doubtful one.
pub(super) fn mark(
    core: &[u8],
    ground: &mut [Ground],
    width: usize,
    rule: &CellRule,
    order: &mut [u32],
    parent: &mut [u32],
) {
    let order = by_level_descending(core, ground, order);
    let depth = rule.saddle_depth.max(1);
    // Parent of each visited pixel; a root stands for its region's highest peak.
    parent.fill(NONE);
    for &pixel in order {
        let at = pixel as usize;
        let saddle = core[at];
        parent[at] = pixel;
        let mut here = pixel;
        for neighbour in neighbours(at, width, core.len()) {
            if parent[neighbour] == NONE {
                continue;
            }
            let there = root(parent, neighbour as u32);
            if there == here {
                continue;
            }
            let (high, low) = if core[there as usize] >= core[here as usize] { (there, here) } else { (here, there) };
            let level = core[low as usize];
            if level >= rule.peak_level && level - saddle >= depth {
                ground[low as usize] = Ground::Peak;
            }
            parent[low as usize] = high;
            here = high;
        }
    }
    for (at, ground) in ground.iter_mut().enumerate() {
        if parent[at] == at as u32 {
            *ground = Ground::Peak;
        }
    }
}

/// Indices of the foreground pixels, from the highest level to the lowest, in raster order within a level.
fn by_level_descending<'a>(core: &[u8], ground: &[Ground], order: &'a mut [u32]) -> &'a [u32] {
    let foreground = || core.iter().zip(ground).enumerate().filter(|(_, (_, ground))| **ground != Ground::Outside);
    let mut start = [0_usize; 256];
    for (_, (&level, _)) in foreground() {
        start[255 - usize::from(level)] += 1;
    }
    let mut total = 0;
    for bucket in &mut start {
        total += std::mem::replace(bucket, total);
    }
    for (at, (&level, _)) in foreground() {
        let bucket = &mut start[255 - usize::from(level)];
        order[*bucket] = at as u32;
        *bucket += 1;
    }
    &order[..total]
}

/// The root of a region, halving the path to it on the way.
fn root(parent: &mut [u32], mut pixel: u32) -> u32 {
    while parent[pixel as usize] != pixel {
        let above = parent[parent[pixel as usize] as usize];
        parent[pixel as usize] = above;
        pixel = above;
    }
    pixel
}

/// The core map smoothed by the 3x3 binomial kernel, rounded, edges repeated, to `smooth`, which is as long: the net's
/// maps are read without the noise of single levels.
pub(super) fn smooth(map: &GrayImage, smooth: &mut [u8]) {
    let (width, height) = (map.width() as usize, map.height() as usize);
    let bytes = map.as_raw();
    for y in 0..height {
        let above = &bytes[y.saturating_sub(1) * width..][..width];
        let row = &bytes[y * width..][..width];
        let below = &bytes[(y + 1).min(height - 1) * width..][..width];
        let column = |x: usize| u16::from(above[x]) + 2 * u16::from(row[x]) + u16::from(below[x]);
        for (x, level) in smooth[y * width..][..width].iter_mut().enumerate() {
            let sum = column(x.saturating_sub(1)) + 2 * column(x) + column((x + 1).min(width - 1));
            *level = ((sum + 8) / 16) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(peak_level: u8, saddle_depth: u8) -> CellRule {
        CellRule { foreground_level: 128, peak_level, saddle_depth, least_area_px: 1 }
    }

    /// The peaks as indices, found in memory that others have left.
    fn find(core: &[u8], inside: &[bool], width: usize, rule: &CellRule) -> Vec<usize> {
        let ground = |inside: &bool| if *inside { Ground::Inside } else { Ground::Outside };
        let mut ground: Vec<Ground> = inside.iter().map(ground).collect();
        mark(core, &mut ground, width, rule, &mut vec![9; core.len()], &mut vec![1; core.len()]);
        (0..core.len()).filter(|&at| ground[at] == Ground::Peak).collect()
    }

    fn smoothed(map: &GrayImage) -> Vec<u8> {
        let mut to = vec![1; map.len()];
        smooth(map, &mut to);
        to
    }

    fn count(row: &[u8], peak_level: u8, saddle_depth: u8) -> usize {
        find(row, &vec![true; row.len()], row.len(), &rule(peak_level, saddle_depth)).len()
    }

    #[test]
    fn a_saddle_parts_two_peaks_only_when_deep_enough() {
        let row = [10, 200, 150, 180, 10];
        assert_eq!(count(&row, 100, 30), 2);
        assert_eq!(count(&row, 100, 31), 1);
    }

    #[test]
    fn the_lower_peak_needs_the_peak_level() {
        let row = [10, 200, 50, 120, 10];
        assert_eq!(count(&row, 120, 20), 2);
        assert_eq!(count(&row, 121, 20), 1);
    }

    #[test]
    fn the_highest_peak_of_a_component_needs_nothing() {
        assert_eq!(count(&[3, 9, 2], 200, 20), 1);
    }

    #[test]
    fn a_plateau_is_one_peak() {
        assert_eq!(count(&[0, 90, 90, 90, 0, 90, 90, 0], 50, 20), 2);
        assert_eq!(count(&[7; 9], 5, 0), 1);
    }

    #[test]
    fn dynamics_look_past_a_shallow_saddle_to_the_deep_one() {
        // 180 and 170 are one peak; the deep valley then parts them from 200.
        assert_eq!(count(&[180, 165, 170, 20, 200], 100, 30), 2);
    }

    #[test]
    fn the_background_parts_components() {
        let core = [50, 60, 70, 60];
        assert_eq!(find(&core, &[true, true, false, true], 4, &rule(0, 1)), [1, 3]);
    }

    #[test]
    fn smoothing_keeps_a_flat_map_and_weighs_a_spot() {
        assert_eq!(smoothed(&GrayImage::from_pixel(4, 3, image::Luma([255]))), [255; 12]);
        let mut spot = GrayImage::new(3, 3);
        spot.put_pixel(1, 1, image::Luma([160]));
        assert_eq!(smoothed(&spot), [10, 20, 10, 20, 40, 20, 10, 20, 10]);
    }
}
