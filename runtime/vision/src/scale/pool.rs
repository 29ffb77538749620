//! Combines the estimates of several pictures from one microscope at one magnification.
//!
//! A few pictures, spread over the folder, are measured individually ([`probes`]). Once three agree, the others need no
//! measurement: their analysis at the common scale shows whether it fits ([`Pooled::fit`]), and only those that do not
//! fit are measured. All distances are logarithms.

use super::{Estimate, Size, red_cell_px, um_per_px};
use crate::pipeline::Pipeline;

/// Sizes within this of their median agree, as a logarithm: cells vary by that much between pictures.
const NEAR: f64 = 0.15;

/// Estimates that must agree before other pictures need no measurement.
const LEAST_AGREEING: usize = 3;

/// The share of the estimates that must agree for a settled pool, and for any pool.
const SETTLED_SHARE: f64 = 0.75;
const LEAST_SHARE: f64 = 0.6;

/// A picture keeps its own estimate if it is farther from the pool than this.
const OWN: f64 = 0.2;

/// An analysis at the pool's scale fits if its size is within this. The lower limit is tighter: if cells are smaller than
/// assumed, the models are biased towards what they expect.
const FITS: (f64, f64) = (-0.13, 0.2);

/// Minimum weight of the cells in an analysis that can contradict the pool.
const LEAST_CELLS: f64 = 3.0;

/// Relative uncertainty of the pool's scale.
const POOL_SPREAD: f64 = 0.05;

/// Two groups are separate if their means differ by at least this, and by this many deviations within them; a constant is
/// added to the deviations, for groups of equal values.
const GROUPS_APART: f64 = 0.18;
const GROUPS_DEVIATIONS: f64 = 3.4;
const GROUPS_FLOOR: f64 = 0.02;

/// Minimum size of a group.
const GROUP_LEAST: usize = 3;

/// The estimates of several pictures.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    /// Logarithms of the sizes in pixels.
    sizes: Vec<f64>,
}

/// The pooled estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pooled {
    /// Diameter of a red cell in pixels.
    pub cell_px: f64,
    /// Number of agreeing estimates, and of all.
    pub agreeing: (usize, usize),
}

impl Pooled {
    /// As [`Estimate::factor`].
    pub fn factor(&self, pipeline: &Pipeline) -> f64 {
        self.cell_px / red_cell_px(pipeline)
    }

    /// As [`Estimate::interval_px`].
    pub fn interval_px(&self) -> (f64, f64) {
        (self.cell_px / (1.0 + POOL_SPREAD), self.cell_px * (1.0 + POOL_SPREAD))
    }

    /// As [`Estimate::um_per_px`].
    pub fn um_per_px(&self) -> (f64, (f64, f64)) {
        um_per_px(self.cell_px, self.interval_px())
    }

    /// Whether a picture's own estimate is so far from the pool that the picture keeps it: an outlier, to be reported.
    pub fn is_another(&self, estimate: &Estimate) -> bool {
        (estimate.cell_px / self.cell_px).ln().abs() > OWN
    }

    /// Whether the analysis of a picture at the pool's scale fits.
    pub fn fit(&self, size: Option<Size>) -> Fit {
        let Some(size) = size.filter(|size| size.cells >= LEAST_CELLS) else { return Fit::TooFewCells };
        if (FITS.0..=FITS.1).contains(&(size.cell_px / self.cell_px).ln()) { Fit::Fits } else { Fit::Differs }
    }
}

/// Whether an analysis at the pool's scale fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Its cells have the expected size.
    Fits,
    /// Its cells have another size: the picture must be measured.
    Differs,
    /// It has too few cells.
    TooFewCells,
}

impl Pool {
    /// Number of estimates.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Adds the estimate of a picture.
    pub fn add(&mut self, estimate: &Estimate) {
        self.sizes.push(estimate.cell_px.ln());
    }

    /// Whether enough estimates agree that other pictures need no measurement.
    pub fn is_settled(&self) -> bool {
        self.largest().is_some_and(|(_, agreeing)| {
            agreeing >= LEAST_AGREEING && agreeing as f64 >= SETTLED_SHARE * self.sizes.len() as f64
        })
    }

    /// The common scale; `None` without estimates, or if they disagree: pictures of several magnifications, each of which
    /// needs its own.
    pub fn scale(&self) -> Option<Pooled> {
        let (size, agreeing) = self.largest()?;
        let share = agreeing as f64 / self.sizes.len() as f64;
        let agreed = self.sizes.len() == 1 || share >= LEAST_SHARE;
        agreed.then_some(Pooled { cell_px: size.exp(), agreeing: (agreeing, self.sizes.len()) })
    }

    /// Median and size of the largest set of sizes around one of them; of equally large sets, the tightest.
    fn largest(&self) -> Option<(f64, usize)> {
        let around = |middle: f64| {
            let mut near: Vec<f64> = self.sizes.iter().copied().filter(|size| (size - middle).abs() <= NEAR).collect();
            near.sort_by(f64::total_cmp);
            let apart: f64 = near.iter().map(|size| (size - middle).abs()).sum();
            (near, apart)
        };
        let sets = self.sizes.iter().map(|middle| around(*middle));
        let (near, _) = sets.reduce(|best, set| {
            let better = set.0.len() > best.0.len() || (set.0.len() == best.0.len() && set.1 < best.1);
            if better { set } else { best }
        })?;
        Some((median(&near), near.len()))
    }
}

/// The order in which to measure `count` pictures, so that the first few are spread over all: the middle, the quarters,
/// ...
pub fn probes(count: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(count);
    let mut taken = vec![false; count];
    let mut parts = 1;
    while order.len() < count {
        for part in 0..parts {
            let at = (2 * part + 1) * count / (2 * parts);
            if let Some(taken) = taken.get_mut(at).filter(|taken| !**taken) {
                *taken = true;
                order.push(at);
            }
        }
        parts *= 2;
    }
    order
}

/// The sizes of two groups and the threshold between them (smaller, threshold, larger), all in pixels, if the sizes in a
/// folder's pictures fall into two groups: a mixture of magnifications that are too close to each other to be detected in
/// single pictures.
pub fn groups(sizes_px: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sizes: Vec<f64> = sizes_px.iter().map(|size_px| size_px.ln()).collect();
    sizes.sort_by(f64::total_cmp);
    let mut best: Option<(f64, usize)> = None;
    for at in GROUP_LEAST..(sizes.len() + 1).saturating_sub(GROUP_LEAST) {
        let (low, high) = sizes.split_at(at);
        let apart = mean(high) - mean(low);
        let within = ((squares(low) + squares(high)) / sizes.len() as f64).sqrt() + GROUPS_FLOOR;
        let deviations = apart / within;
        let parts = apart >= GROUPS_APART && deviations >= GROUPS_DEVIATIONS;
        if parts && best.is_none_or(|(most, _)| deviations > most) {
            best = Some((deviations, at));
        }
    }
    let (low, high) = sizes.split_at(best?.1);
    let parting = low.last()?.midpoint(*high.first()?);
    Some((median(low).exp(), parting.exp(), median(high).exp()))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sum of the squared distances from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Of sorted values; 0 if there are none.
fn median(sorted: &[f64]) -> f64 {
    let at = |at: usize| sorted.get(at).copied().unwrap_or_default();
    if sorted.is_empty() { 0.0 } else { at((sorted.len() - 1) / 2).midpoint(at(sorted.len() / 2)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn pool(sizes_px: &[f64]) -> Pool {
        let mut pool = Pool::default();
        for &cell_px in sizes_px {
            pool.add(&estimate(cell_px));
        }
        pool
    }

    fn estimate(cell_px: f64) -> Estimate {
        Estimate { cell_px, doubt: 0.02, cells: 20.0, spread: 0.1, looks: 2, tiles: 2 }
    }

    #[test]
    fn three_agreeing_estimates_settle_despite_outlier() {
        assert!(pool(&[]).scale().is_none() && !pool(&[40.0, 41.0]).is_settled());
        assert_eq!(pool(&[40.0]).scale().unwrap().agreeing, (1, 1));
        let pool = pool(&[40.0, 100.0, 42.0, 41.0]);
        let pooled = pool.scale().unwrap();
        assert!(pool.is_settled() && (pooled.cell_px - 41.0).abs() < 1e-9 && pooled.agreeing == (3, 4));
        assert!(pooled.is_another(&estimate(100.0)) && !pooled.is_another(&estimate(46.0)));
    }

    #[test]
    fn two_magnifications_have_no_common_scale() {
        assert!(pool(&[40.0, 100.0, 42.0, 103.0]).scale().is_none());
        let (low, parting, high) = groups(&[40.0, 57.0, 42.0, 55.0, 41.0, 56.0, 58.0]).unwrap();
        assert!((40.0..42.0).contains(&low) && (42.0..55.0).contains(&parting) && (55.0..58.0).contains(&high));
        assert!(groups(&[40.0, 45.0, 42.0, 47.0, 38.0, 41.0, 43.0]).is_none() && groups(&[40.0]).is_none());
    }

    #[test]
    fn analysis_fits_differs_or_has_too_few_cells() {
        let pooled = pool(&[40.0, 40.0, 40.0]).scale().unwrap();
        let fit = |cell_px, cells| pooled.fit(Some(Size { cell_px, spread: 0.1, cells }));
        assert_eq!([fit(44.0, 9.0), fit(36.0, 9.0)], [Fit::Fits; 2]);
        assert_eq!([fit(50.0, 9.0), fit(34.0, 9.0)], [Fit::Differs; 2]);
        assert_eq!([fit(80.0, 2.0), pooled.fit(None)], [Fit::TooFewCells; 2]);
        assert_eq!(pooled.cell_px, 40.0_f64.ln().exp());
    }

    #[test]
    fn probes_are_spread_and_complete() {
        assert_eq!(probes(30)[..3], [15, 7, 22]);
        for count in [0, 1, 2, 7, 30] {
            let mut order = probes(count);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn pitch_interval_contains_known_scale_bars() {
        for cell_px in [33.9, 39.5, 42.8, 47.3] {
            let (usual, (low, high)) = estimate(cell_px).um_per_px();
            assert!(low < 0.168 && high > 0.181 && low < usual && usual < high, "{cell_px}: {low} to {high}");
        }
        let (_, (low, high)) = pool(&[39.5]).scale().unwrap().um_per_px();
        assert!(low < 0.168 && high > 0.181);
    }
}
