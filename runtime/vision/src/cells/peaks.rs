//! Peaks of the core map that stand out enough to be cells.
//!
//! The criterion is a peak's dynamics: how far one must descend from it to reach a higher one (Grimaud, "A new measure of
//! contrast: the dynamics", 1992). Pixels are visited from the highest level down and joined to their visited neighbours.
//! Where two regions meet, the dynamics of the lower peak is known. One counting sort and one union-find, most of whose
//! lookups are direct neighbours: linear in the pixels, all integer.

use image::GrayImage;

use super::{
    flood::{Framed, Ground, NONE},
    kind::EVEN_LEVEL,
    runs::runs,
};
use crate::{model::manifest::CellRule, segmentation::KindMaps};

/// What a peak needs to be a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standard<'a> {
    rule: &'a CellRule,
    framed: Framed,
    /// The map of white cells, if its saddles are different.
    white: Option<(&'a [u8], u8)>,
}

impl<'a> Standard<'a> {
    /// That of a rule.
    pub(super) fn new(rule: &'a CellRule, framed: Framed, kinds: Option<&'a KindMaps>) -> Self {
        Self { rule, framed, white: kinds.map(|kinds| kinds.white.as_raw().as_slice()).zip(rule.white_saddle_depth) }
    }

    /// Whether the lower of two peaks that meet at a saddle stands out enough. Where the peak and the saddle are white,
    /// another depth applies, because the lobes of a white cell are not cells.
    fn is_met(&self, core: &[u8], low: usize, saddle: usize) -> bool {
        let is_white =
            |map: &[u8], at: usize| map.get(self.framed.in_picture(at)).is_some_and(|level| *level > EVEN_LEVEL);
        let depth = match self.white {
            Some((map, depth)) if is_white(map, low) && is_white(map, saddle) => depth,
            _ => self.rule.saddle_depth,
        };
        core[low] >= self.rule.peak_level && core[low] - core[saddle] >= depth.max(1)
    }
}

/// Marks the peaks that become cells in `ground`, which distinguishes foreground from background.
///
/// `core` is the core map; both have the layout of `standard`. `order` and `parent` have the same length and are scratch
/// memory. The neighbourhood is 4, here and in flooding, so every foreground component has its own peak. Afterwards the
/// [`root`] of each foreground pixel in `parent` is the highest peak of its component, and [`NONE`] marks the background.
///
/// The highest peak of each component needs neither level nor dynamics: foreground without a peak is a doubtful cell, and
/// missing a cell is worse than reporting a doubtful one.
pub(super) fn mark(core: &[u8], ground: &mut [Ground], standard: &Standard<'_>, order: &mut [u32], parent: &mut [u32]) {
    let order = by_level_descending(core, ground, order);
    // Parent of each visited pixel: a peak of its region, and finally the highest one, which represents the region.
    parent.fill(NONE);
    for &pixel in order {
        let at = pixel as usize;
        let near = standard.framed.neighbours(at).map(|neighbour| parent[neighbour]);
        let first = near.into_iter().fold(NONE, u32::min);
        if first == NONE {
            parent[at] = pixel;
            ground[at] = Ground::Peak;
            continue;
        }
        parent[at] = first;
        // Almost every pixel has neighbours with a single parent. Adding one makes those without a parent the least, not
        // the greatest.
        let last = near.into_iter().fold(0, |last, near| last.max(near.wrapping_add(1)));
        let is_one = last == first + 1;
        if !is_one {
            join(core, ground, standard, at, near, parent);
        }
    }
}

/// Joins the regions that meet at the pixel `saddle`, whose neighbours have the parents `near`. The lower of two peaks is
/// kept if it stands out enough.
fn join(
    core: &[u8],
    ground: &mut [Ground],
    standard: &Standard<'_>,
    saddle: usize,
    near: [u32; 4],
    parent: &mut [u32],
) {
    let mut here = NONE;
    for near in near.into_iter().filter(|near| *near != NONE) {
        let there = root(parent, near);
        if here == NONE || there == here {
            here = there;
            continue;
        }
        let (high, low) = if core[there as usize] >= core[here as usize] { (there, here) } else { (here, there) };
        let is_kept = standard.is_met(core, low as usize, saddle);
        if is_kept || ground[low as usize] == Ground::Higher {
            ground[high as usize] = Ground::Higher;
        }
        if !is_kept {
            ground[low as usize] = Ground::Inside;
        }
        parent[low as usize] = high;
        here = high;
    }
}

/// Indices of the foreground pixels, by descending level, in raster order within a level.
fn by_level_descending<'a>(core: &[u8], ground: &[Ground], order: &'a mut [u32]) -> &'a [u32] {
    let foreground = || runs(ground, Ground::Outside);
    let mut start = [0_usize; 256];
    for run in foreground() {
        core[run.begin..run.end].iter().for_each(|level| start[255 - usize::from(*level)] += 1);
    }
    let mut total = 0;
    for bucket in &mut start {
        total += std::mem::replace(bucket, total);
    }
    for run in foreground() {
        for (at, level) in (run.begin..).zip(&core[run.begin..run.end]) {
            let bucket = &mut start[255 - usize::from(*level)];
            order[*bucket] = at as u32;
            *bucket += 1;
        }
    }
    &order[..total]
}

/// The root of a region, with path halving.
pub(super) fn root(parent: &mut [u32], mut pixel: u32) -> u32 {
    while parent[pixel as usize] != pixel {
        let above = parent[parent[pixel as usize] as usize];
        parent[pixel as usize] = above;
        pixel = above;
    }
    pixel
}

/// The core map smoothed with the 3x3 binomial kernel, rounded, edges repeated, to `smooth` with the layout `framed`:
/// this removes the noise of single levels.
pub(super) fn smooth(map: &GrayImage, framed: Framed, smooth: &mut [u8]) {
    let (width, height) = (map.width() as usize, map.height() as usize);
    let bytes = map.as_raw();
    for y in 0..height {
        let above = &bytes[y.saturating_sub(1) * width..][..width];
        let row = &bytes[y * width..][..width];
        let below = &bytes[(y + 1).min(height - 1) * width..][..width];
        let column = |x: usize| u16::from(above[x]) + 2 * u16::from(row[x]) + u16::from(below[x]);
        let level = |left: u16, middle: u16, right: u16| ((left + 2 * middle + right + 8) / 16) as u8;
        let to = &mut smooth[framed.row(y)];
        let last = width - 1;
        to[0] = level(column(0), column(0), column(last.min(1)));
        to[last] = level(column(last.saturating_sub(1)), column(last), column(last));
        // Slices of equal length let the compiler vectorise.
        let inner = last.saturating_sub(1);
        let [a, b, c] = [above, row, below].map(|row| [0, 1, 2].map(|by| row.get(by..by + inner).unwrap_or_default()));
        for (x, to) in to[1..].iter_mut().take(inner).enumerate() {
            let column = |at: usize| u16::from(a[at][x]) + 2 * u16::from(b[at][x]) + u16::from(c[at][x]);
            *to = level(column(0), column(1), column(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(peak_level: u8, saddle_depth: u8) -> CellRule {
        CellRule {
            foreground_level: 128,
            peak_level,
            saddle_depth,
            white_saddle_depth: None,
            white_margin: 0,
            least_area_px: 1,
        }
    }

    /// The peaks as indices, found in reused memory.
    fn find(core: &[u8], inside: &[bool], width: usize, rule: &CellRule) -> Vec<usize> {
        find_in(core, inside, width, rule, None)
    }

    fn find_in(core: &[u8], inside: &[bool], width: usize, rule: &CellRule, kinds: Option<&KindMaps>) -> Vec<usize> {
        let framed = Framed::new(width, core.len() / width);
        let (mut levels, mut ground) = (vec![9; framed.len()], vec![Ground::Outside; framed.len()]);
        let place = |at: usize| framed.row(at / width).start + at % width;
        for at in 0..core.len() {
            levels[place(at)] = core[at];
            ground[place(at)] = if inside[at] { Ground::Inside } else { Ground::Outside };
        }
        let standard = Standard::new(rule, framed, kinds);
        mark(&levels, &mut ground, &standard, &mut vec![9; framed.len()], &mut vec![1; framed.len()]);
        (0..core.len()).filter(|&at| matches!(ground[place(at)], Ground::Peak | Ground::Higher)).collect()
    }

    fn smoothed(map: &GrayImage) -> Vec<u8> {
        let framed = Framed::new(map.width() as usize, map.height() as usize);
        let mut to = vec![1; framed.len()];
        smooth(map, framed, &mut to);
        (0..map.height() as usize).flat_map(|y| to[framed.row(y)].to_vec()).collect()
    }

    fn count(row: &[u8], peak_level: u8, saddle_depth: u8) -> usize {
        find(row, &vec![true; row.len()], row.len(), &rule(peak_level, saddle_depth)).len()
    }

    #[test]
    fn saddle_separates_peaks_only_when_deep_enough() {
        let row = [10, 200, 150, 180, 10];
        assert_eq!(count(&row, 100, 30), 2);
        assert_eq!(count(&row, 100, 31), 1);
    }

    #[test]
    fn white_cell_lobes_merge_at_depth_that_separates_red_cells() {
        let core = [10, 200, 150, 180, 10];
        let rule = CellRule { white_saddle_depth: Some(31), ..rule(100, 30) };
        let count = |white: [u8; 5]| {
            let white = GrayImage::from_raw(5, 1, white.to_vec()).unwrap_or_default();
            let kinds = KindMaps { white, platelet: GrayImage::new(5, 1) };
            find_in(&core, &[true; 5], 5, &rule, Some(&kinds)).len()
        };
        assert_eq!((count([128; 5]), count([129; 5])), (2, 1));
        // A red cell beside a white one: the lower peak, or the saddle, is not white.
        assert_eq!((count([129, 129, 129, 128, 128]), count([129, 129, 128, 129, 129])), (2, 2));
    }

    #[test]
    fn lower_peak_must_reach_peak_level() {
        let row = [10, 200, 50, 120, 10];
        assert_eq!(count(&row, 120, 20), 2);
        assert_eq!(count(&row, 121, 20), 1);
    }

    #[test]
    fn highest_peak_of_component_is_always_kept() {
        assert_eq!(count(&[3, 9, 2], 200, 20), 1);
    }

    #[test]
    fn plateau_is_one_peak() {
        assert_eq!(count(&[0, 90, 90, 90, 0, 90, 90, 0], 50, 20), 2);
        assert_eq!(count(&[7; 9], 5, 0), 1);
    }

    #[test]
    fn dynamics_look_past_shallow_saddles() {
        // 180 and 170 are one peak; the deep valley then separates them from 200.
        assert_eq!(count(&[180, 165, 170, 20, 200], 100, 30), 2);
    }

    #[test]
    fn background_separates_components() {
        let core = [50, 60, 70, 60];
        assert_eq!(find(&core, &[true, true, false, true], 4, &rule(0, 1)), [1, 3]);
    }

    #[test]
    fn smoothing_keeps_flat_maps_and_spreads_spots() {
        assert_eq!(smoothed(&GrayImage::from_pixel(4, 3, image::Luma([255]))), [255; 12]);
        let mut spot = GrayImage::new(3, 3);
        spot.put_pixel(1, 1, image::Luma([160]));
        assert_eq!(smoothed(&spot), [10, 20, 10, 20, 40, 20, 10, 20, 10]);
    }
}
