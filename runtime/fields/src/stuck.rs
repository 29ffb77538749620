//! Particles that keep their place in the picture while the specimen moves: dust on the sensor or the lenses.

use crate::{
    constellation::{Anchor, Constellation},
    grid::Grid,
    limits::{MAX_ANCHORS, MIN_STUCK, STUCK_FIELDS},
};

/// Distance within which a particle keeps its place, in cell diameters.
const KEPT_PLACE: f32 = 0.12;

/// Difference in log area within which it stays the same.
const KEPT_LN_AREA: f32 = 0.3;

/// Distance from the middle of the picture, in cell diameters, within which nothing is a particle: a machine or a
/// person puts the cell in question there, in one field after another. Such anchors are not used for comparing fields
/// either.
const MIDDLE: f32 = 1.0;

/// The anchors of a field that are particles, not cells.
pub(crate) fn particles(field: &Constellation) -> impl Iterator<Item = &Anchor> {
    let (middle, near_px) = (field.size_px.map(|side| side / 2.0), MIDDLE * field.diameter_px);
    let is_centred = move |at: [f32; 2]| (at[0] - middle[0]).hypot(at[1] - middle[1]) <= near_px;
    field.anchors.iter().filter(move |anchor| anchor.stuck && !is_centred(anchor.at))
}

/// Marks the anchors of `now` that coincide with an anchor in enough of the latest distinct fields, newest first.
/// `grid` holds all anchors of `now`.
pub(crate) fn mark<'a>(now: &mut Constellation, grid: &Grid, latest: impl Iterator<Item = &'a Constellation>) {
    let reach_px = KEPT_PLACE * now.diameter_px;
    let mut times = [0_u8; MAX_ANCHORS];
    for field in latest.filter(|field| field.size_px == now.size_px).take(STUCK_FIELDS) {
        let mut here = [false; MAX_ANCHORS];
        for anchor in &field.anchors {
            for point in grid.near(anchor.at, reach_px) {
                let other = &now.anchors[point];
                let (x, y) = (anchor.at[0] - other.at[0], anchor.at[1] - other.at[1]);
                let same_size = (anchor.ln_area - other.ln_area).abs() <= KEPT_LN_AREA;
                here[point] |= x * x + y * y <= reach_px * reach_px && same_size && !anchor.cut && !other.cut;
            }
        }
        times.iter_mut().zip(here).for_each(|(times, here)| *times += u8::from(here));
    }
    for (anchor, times) in now.anchors.iter_mut().zip(times) {
        anchor.stuck = times >= MIN_STUCK;
    }
}
