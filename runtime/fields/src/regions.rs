//! Which parts of a frame were counted in earlier fields.

use crate::{CellState, constellation::Constellation};

/// Distance within which a cell is taken for one that the border of an earlier field cut, in cell diameters. Centres of
/// two cells that overlap by half are further apart.
const SAME_CUT: f32 = 0.45;

/// Sample points along one side of the picture, for estimating the new part.
const SAMPLES: usize = 64;

/// An earlier field that a frame overlaps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    /// Its slot.
    pub(crate) slot: usize,
    /// What lies at `p` in the frame lies at `p + shift` there.
    pub(crate) shift: [f32; 2],
}

impl Region {
    fn place(&self, at: [f32; 2]) -> [f32; 2] {
        [at[0] + self.shift[0], at[1] + self.shift[1]]
    }
}

/// State of a cell with centre `at` with respect to one earlier field.
///
/// If the centre lies in the earlier picture, at least half the cell was visible there, and it counts as seen even if
/// the earlier frame missed it: an area that was counted stays counted. If the centre lies outside, the cell was
/// counted there only if the border cut it and left a part of it, which is then stored.
pub(crate) fn state(at: [f32; 2], region: &Region, field: &Constellation, diameter_px: f32) -> CellState {
    let at = region.place(at);
    let same = |rim: &[f32; 2]| {
        let (x, y) = (rim[0] - at[0], rim[1] - at[1]);
        x * x + y * y <= (SAME_CUT * diameter_px).powi(2)
    };
    let beside = (0..2).all(|axis| (-diameter_px..=field.size_px[axis] + diameter_px).contains(&at[axis]));
    match field.holds(at) || (beside && field.rim.iter().any(same)) {
        true => CellState::Seen,
        false => CellState::New,
    }
}

/// Part of a picture outside all regions.
pub(crate) fn new_part<'a>(
    size_px: [f32; 2],
    regions: impl Iterator<Item = (Region, &'a Constellation)> + Clone,
) -> f64 {
    let mut outside = 0;
    for sample in 0..SAMPLES * SAMPLES {
        let at = [sample % SAMPLES, sample / SAMPLES].map(|step| (step as f32 + 0.5) / SAMPLES as f32);
        let at = [at[0] * size_px[0], at[1] * size_px[1]];
        outside += usize::from(!regions.clone().any(|(region, field)| field.holds(region.place(at))));
    }
    outside as f64 / (SAMPLES * SAMPLES) as f64
}
