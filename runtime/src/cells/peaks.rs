//! Where cells are: the peaks of the core map that stand out enough.
//!
//! The measure of standing out is a peak's dynamics: how far one has to go down from it to reach a higher
//! one (Grimaud, "A new measure of contrast: the dynamics", 1992). Pixels are visited from the highest level
//! down and joined to their visited neighbours; where two joined regions meet, the lower peak of the two has
//! found its dynamics. One counting sort and one union-find: linear in the pixels, all integer.

use image::GrayImage;

use super::flood::{NONE, neighbours};
use crate::model::manifest::CellRule;

/// The peaks that become cells, as pixel indices in raster order.
///
/// `inside` tells the foreground, `core` is the core map; both of `width` pixels a row. Neighbourhood is 4,
/// here and in the flooding, so that every foreground component has a peak of its own.
///
/// The highest peak of each component needs neither level nor dynamics: a foreground that no peak
/// explains is a doubtful cell, and a lost cell is worse than a doubtful one.
pub(super) fn find(core: &[u8], inside: &[bool], width: usize, rule: &CellRule) -> Vec<u32> {
    let order = by_level_descending(core, inside);
    let depth = rule.saddle_depth.max(1);
    // Parent of each visited pixel; a root stands for its region's highest peak.
    let mut parent = vec![NONE; core.len()];
    let mut peaks = Vec::new();
    for &pixel in &order {
        let at = pixel as usize;
        let saddle = core[at];
        parent[at] = pixel;
        let mut here = pixel;
        for neighbour in neighbours(at, width, core.len()) {
            if parent[neighbour] == NONE {
                continue;
            }
            let there = root(&mut parent, neighbour as u32);
            if there == here {
                continue;
            }
            let (high, low) = if core[there as usize] >= core[here as usize] { (there, here) } else { (here, there) };
            let level = core[low as usize];
            if level >= rule.peak_level && level - saddle >= depth {
                peaks.push(low);
            }
            parent[low as usize] = high;
            here = high;
        }
    }
    peaks.extend(order.iter().copied().filter(|&pixel| parent[pixel as usize] == pixel));
    peaks.sort_unstable();
    peaks
}

/// Indices of the foreground pixels, from the highest level to the lowest, in raster order within a level.
fn by_level_descending(core: &[u8], inside: &[bool]) -> Vec<u32> {
    let mut start = [0_usize; 256];
    for (&level, _) in core.iter().zip(inside).filter(|(_, inside)| **inside) {
        start[255 - usize::from(level)] += 1;
    }
    let mut total = 0;
    for bucket in &mut start {
        total += std::mem::replace(bucket, total);
    }
    let mut order = vec![0; total];
    for (at, (&level, _)) in core.iter().zip(inside).enumerate().filter(|(_, (_, inside))| **inside) {
        let bucket = &mut start[255 - usize::from(level)];
        order[*bucket] = at as u32;
        *bucket += 1;
    }
    order
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

/// The core map smoothed by the 3x3 binomial kernel, rounded, edges repeated: the net's maps are read
/// without the noise of single levels.
pub(super) fn smooth(map: &GrayImage) -> Vec<u8> {
    let (width, height) = (map.width() as usize, map.height() as usize);
    let bytes = map.as_raw();
    let mut smooth = vec![0; bytes.len()];
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
    smooth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(peak_level: u8, saddle_depth: u8) -> CellRule {
        CellRule { foreground_level: 128, peak_level, saddle_depth, least_area_px: 1 }
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
        assert_eq!(smooth(&GrayImage::from_pixel(4, 3, image::Luma([255]))), [255; 12]);
        let mut spot = GrayImage::new(3, 3);
        spot.put_pixel(1, 1, image::Luma([160]));
        assert_eq!(smooth(&spot), [10, 20, 10, 20, 40, 20, 10, 20, 10]);
    }
}
