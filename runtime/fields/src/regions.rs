//! What of a frame was counted in earlier fields.

use crate::{CellState, constellation::Constellation};

/// Distance within which a cell is one that the border of an earlier field cut, in cell diameters. Centres of two cells of which
/// one lies half over the other are further apart.
const SAME_CUT: f32 = 0.45;

/// Points of the picture, along a side, that the new part is reckoned from.
const SAMPLES: usize = 64;

/// An earlier field that a frame overlaps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    /// Which one.
    pub(crate) slot: usize,
    /// What lies at `p` in the frame lies at `p + shift` there.
    pub(crate) shift: [f32; 2],
}

impl Region {
    fn place(&self, at: [f32; 2]) -> [f32; 2] {
        [at[0] + self.shift[0], at[1] + self.shift[1]]
    }
}

/// State of a cell of a frame, whose centre is `at`, in view of one earlier field.
///
/// Where the centre lies in the earlier picture, at least half the cell was seen there, and it counts as counted even if the
/// earlier frame missed it: an area that was counted is counted. Where the centre lies outside, the cell was counted there
/// only if the border cut it and left something, which is then remembered.
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

/// Part of a picture that lies in none of the regions.
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
