//! How likely it is that two fields show the same specimen, shifted.
//!
//! A shift is scored by a log likelihood ratio, as for star fields (Lang et al., "Astrometry.net: Blind astrometric
//! calibration of arbitrary astronomical images", Astronomical Journal 139, 2010): the positions of the cells in the
//! overlap under "the same cells, each lost with a small probability, each displaced a little" over "unrelated cells".
//! So a few cells on an empty glass count as much as many in a crowd, and every cell without a counterpart counts
//! against the shift.

use crate::{
    constellation::{Anchor, Constellation},
    grid::Grid,
    limits::MAX_ANCHORS,
};

/// Standard deviations of the displacement between two frames along one axis, in cell diameters: for cells with the
/// same outline in both, and for others; both are equally likely. `eval --pans` on smears of BBBC041 finds 0.012 for
/// half of the cells, 0.02 to 0.1 for a third, and more for the rest.
const DISPLACED: [f32; 2] = [0.02, 0.07];

/// The same if the border cuts one of the two cells, so that its centre is an estimate.
const DISPLACED_CUT: f32 = 0.13;

/// Standard deviations of the difference in log area, likewise: 0.05 for half of the cells.
const LN_AREA: [f32; 2] = [0.05, 0.15];

/// Probability that a cell of one frame is not found in the other.
const LOST: f32 = 0.15;

/// The same if a field has more cells than are compared: the largest ones of both fields are not quite the same.
const LOST_OF_LARGEST: f32 = 0.45;

/// First and last radius within which a shift is refined, in cell diameters.
const FIRST_CIRCLE: f32 = 0.4;
const LAST_CIRCLE: f32 = 0.24;

/// Standard deviations beyond which two cells are not the same.
const MAX_DEVIATIONS: f32 = 3.0;

/// The evidence for a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    /// What lies at `p` now lay at `p + shift` then.
    pub(crate) shift: [f32; 2],
    /// Natural logarithm of the likelihood ratio.
    pub(crate) score: f32,
    /// Cells that have a counterpart.
    pub(crate) matches: u32,
}

/// Refines a shift that is accurate within `within_px`, and scores it. `grid` holds the compared anchors of `now`.
pub(crate) fn weigh_near(
    then: &Constellation,
    now: &Constellation,
    grid: &Grid,
    mut shift: [f32; 2],
    within_px: f32,
) -> Evidence {
    // Mean displacement of nearby pairs, within a shrinking radius.
    let last_px = LAST_CIRCLE * now.diameter_px;
    let mut reach_px = within_px.max(FIRST_CIRCLE * now.diameter_px);
    loop {
        match pulled(then, now, grid, shift, reach_px) {
            Some(better) => shift = better,
            None => return Evidence { shift, score: f32::NEG_INFINITY, matches: 0 },
        }
        if reach_px <= last_px {
            return weigh(then, now, grid, shift);
        }
        reach_px = (0.6 * reach_px).max(last_px);
    }
}

/// Expected share of cells without a counterpart, if the fields match.
fn lost(then: &Constellation, now: &Constellation) -> f32 {
    let most = then.anchors.len().max(now.anchors.len());
    if most == MAX_ANCHORS { LOST_OF_LARGEST } else { LOST }
}

/// With fewer cells in the overlap, the share of cells with another one nearby is not meaningful.
const FEW_CELLS: u32 = 16;

/// A better shift; none if too few cells have another one nearby for any similar shift to be right.
fn pulled(then: &Constellation, now: &Constellation, grid: &Grid, shift: [f32; 2], reach_px: f32) -> Option<[f32; 2]> {
    let (mut sum, mut weights) = ([0.0; 2], 0.0);
    let (mut cells, mut paired) = (0, 0);
    let anchors = now.compared();
    for anchor in then.compared() {
        let at = [anchor.at[0] - shift[0], anchor.at[1] - shift[1]];
        if !now.holds(at) {
            continue;
        }
        let before = weights;
        for other in grid.near(at, reach_px).map(|point| &anchors[point]) {
            let (x, y) = (at[0] - other.at[0], at[1] - other.at[1]);
            if x * x + y * y <= reach_px * reach_px {
                let weight = if anchor.cut || other.cut { 0.25 } else { 1.0 };
                sum = [sum[0] + weight * x, sum[1] + weight * y];
                weights += weight;
            }
        }
        cells += 1;
        paired += u32::from(weights > before);
    }
    let least = if lost(then, now) > LOST { 0.3 } else { 0.5 };
    let likely = weights > 0.0 && (cells < FEW_CELLS || paired as f32 >= least * cells as f32);
    likely.then(|| [shift[0] + sum[0] / weights, shift[1] + sum[1] / weights])
}

/// Scores a shift as given.
pub(crate) fn weigh(then: &Constellation, now: &Constellation, grid: &Grid, shift: [f32; 2]) -> Evidence {
    let nothing = Evidence { shift, score: f32::NEG_INFINITY, matches: 0 };
    let overlap_px2 = overlap_px2(then, now, shift);
    if overlap_px2 <= 0.0 {
        return nothing;
    }
    let anchors = now.compared();
    let within = |at: [f32; 2]| then.holds([at[0] + shift[0], at[1] + shift[1]]);
    let now_count = anchors.iter().filter(|anchor| within(anchor.at)).count();
    let there = || then.compared().iter().map(|anchor| (anchor, [anchor.at[0] - shift[0], anchor.at[1] - shift[1]]));
    let then_count = there().filter(|(_, at)| now.holds(*at)).count();
    let most = now_count.max(then_count);
    if most == 0 {
        return nothing;
    }
    let lost = lost(then, now);
    let chance = Chance::of(then, now, most as f32 / overlap_px2, lost);
    let mut taken = [false; MAX_ANCHORS];
    let (mut score, mut matches) = (0.0, 0);
    for (anchor, at) in there().filter(|(_, at)| now.holds(*at)) {
        let mut nearest: Option<(usize, f32)> = None;
        for point in grid.near(at, chance.reach_px) {
            let (x, y) = (at[0] - anchors[point].at[0], at[1] - anchors[point].at[1]);
            let px2 = x * x + y * y;
            if nearest.is_none_or(|(_, least)| px2 < least) {
                nearest = Some((point, px2));
            }
        }
        let Some((point, px2)) = nearest.filter(|(point, _)| !taken[*point]) else { continue };
        if let Some(weight) = chance.weight(anchor, &anchors[point], px2) {
            taken[point] = true;
            score += weight;
            matches += 1;
        }
    }
    score += (most as f32 - matches as f32).max(0.0) * lost.ln();
    Evidence { shift, score, matches }
}

/// Weights of pairs of cells in two fields.
struct Chance {
    /// Weight of a cell without a counterpart.
    ln_lost: f32,
    diameter_px: f32,
    /// Distance beyond which pairs have no weight.
    reach_px: f32,
    /// Weight of a pair at the same position, for each deviation.
    in_place: [f32; 2],
    in_place_cut: f32,
    /// Weight of equal areas, for each deviation.
    area: [f32; 2],
    /// By how much the spread of all areas reduces the weight of a difference.
    area_spread: f32,
}

impl Chance {
    /// `density` is the number of cells per square pixel of the overlap.
    fn of(then: &Constellation, now: &Constellation, density: f32, lost: f32) -> Self {
        let diameter_px = now.diameter_px;
        let in_place = |sd: f32| {
            let sd_px = sd * diameter_px;
            ((1.0 - lost) / (2.0 * std::f32::consts::PI * sd_px * sd_px * density)).ln()
        };
        let variance = then.ln_area_sd.powi(2) + now.ln_area_sd.powi(2);
        // If all cells have the same size, sizes carry no information.
        let sizes = variance > LN_AREA[1] * LN_AREA[1];
        let area = LN_AREA.map(|sd| if sizes { 0.5 * (variance / (sd * sd)).ln() } else { 0.0 });
        Self {
            ln_lost: lost.ln(),
            diameter_px,
            reach_px: MAX_DEVIATIONS * DISPLACED_CUT * diameter_px,
            in_place: DISPLACED.map(|sd| in_place(sd) - std::f32::consts::LN_2),
            in_place_cut: in_place(DISPLACED_CUT),
            area: area.map(|area| area - if sizes { std::f32::consts::LN_2 } else { 0.0 }),
            area_spread: if sizes { 0.5 / variance } else { f32::INFINITY },
        }
    }

    /// Weight of a pair at that squared distance; none if it is not a pair.
    fn weight(&self, then: &Anchor, now: &Anchor, px2: f32) -> Option<f32> {
        let squares = |sd: f32| px2 / (sd * sd * self.diameter_px * self.diameter_px);
        let weight = if then.cut || now.cut {
            self.in_place_cut - 0.5 * squares(DISPLACED_CUT)
        } else {
            // The larger part of each mixture, which is nearly the sum.
            let place = [0, 1].map(|part| self.in_place[part] - 0.5 * squares(DISPLACED[part]));
            let difference = (then.ln_area - now.ln_area).powi(2);
            let size = [0, 1]
                .map(|part| self.area[part] - difference * (0.5 / LN_AREA[part].powi(2) - self.area_spread).max(0.0));
            place[0].max(place[1]) + size[0].max(size[1])
        };
        let widest = if then.cut || now.cut { DISPLACED_CUT } else { DISPLACED[1] };
        (squares(widest) <= MAX_DEVIATIONS * MAX_DEVIATIONS && weight > self.ln_lost).then_some(weight)
    }
}

/// Area in which a frame overlaps an earlier one, which lies at `shift`.
pub(crate) fn overlap_px2(then: &Constellation, now: &Constellation, shift: [f32; 2]) -> f32 {
    let along =
        |axis: usize| ((shift[axis] + now.size_px[axis]).min(then.size_px[axis]) - shift[axis].max(0.0)).max(0.0);
    along(0) * along(1)
}
