//! The stored fields, and the position of a frame among them.

use crate::{
    Cell, CellState, Frame, Sight, State,
    census::Census,
    constellation::Constellation,
    error::Result,
    evidence::{self, Evidence},
    grid::Grid,
    limits::{MAX_CELLS, MAX_FIELDS},
    regions::{self, Region},
    stuck,
    votes::Votes,
};

/// Minimum evidence for an overlap with any field. In 350 000 pairs of unrelated fields (scattered, repelling or
/// clumped), at most 1 of 1000 reaches 12, over all shifts, and none exceeds 18; the margin allows for the number of
/// stored fields.
const MIN_SCORE: f32 = 18.0;

/// The same for the newest field, which is far more likely than any other and is searched more thoroughly.
const MIN_SCORE_NEWEST: f32 = 13.0;

/// Minimum evidence for a stationary stage: only one shift of a few fields is tested.
const MIN_SCORE_STILL: f32 = 7.0;

/// Minimum evidence for refining a position that is known from other fields.
const MIN_SCORE_BESIDE: f32 = 6.0;

/// Number of newest fields that are tested for a stationary stage: with few cells, a frame that showed too few of them
/// may have been stored in between.
const STILL_FIELDS: usize = 4;

/// Fewer matches prove nothing, whatever their score; for a stationary stage, two do.
const MIN_MATCHES: u32 = 3;

/// A field is the same within this shift along both axes, in cell diameters.
const SAME: f32 = 0.5;

/// A stored field.
#[derive(Debug)]
struct Kept {
    field: Constellation,
    /// Fields of one map have known relative positions.
    map: u64,
    /// Position of the picture's corner in the map.
    corner_px: [f64; 2],
}

/// The latest [`MAX_FIELDS`] distinct fields of a smear. All memory is allocated at the start; no frame allocates.
#[derive(Debug)]
pub struct Fields {
    kept: Vec<Kept>,
    /// How many of them are in use, and which one is the newest.
    len: usize,
    newest: usize,
    next_map: u64,
    now: Constellation,
    census: Census,
    grid: Grid,
    votes: Votes,
    regions: Vec<Region>,
    states: Vec<CellState>,
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

impl Fields {
    /// Without fields.
    pub fn new() -> Self {
        let kept = || Kept { field: Constellation::new(), map: 0, corner_px: [0.0; 2] };
        Self {
            kept: std::iter::repeat_with(kept).take(MAX_FIELDS).collect(),
            len: 0,
            newest: 0,
            next_map: 0,
            now: Constellation::new(),
            census: Census::new(),
            grid: Grid::new(),
            votes: Votes::new(),
            regions: Vec::with_capacity(MAX_FIELDS),
            states: Vec::with_capacity(MAX_CELLS),
        }
    }

    /// Number of stored fields.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all fields, for another smear.
    pub fn clear(&mut self) {
        self.len = 0;
        self.states.clear();
    }

    /// States of the cells of the last frame that [`Self::see`] accepted, in their order.
    pub fn cells(&self) -> &[CellState] {
        &self.states
    }

    /// Compares a frame with the stored fields, and stores it unless it shows one of them again. Do not pass frames
    /// that are not counted, such as those out of focus.
    ///
    /// `cells` are all cells that the frame would count, including those cut by the border. The iterator is cloned and
    /// read three times.
    ///
    /// # Errors
    /// [`crate::error::Error`] for an invalid size, an invalid cell, or too many cells; the frame is then not stored.
    pub fn see(&mut self, frame: &Frame, cells: impl Iterator<Item = Cell> + Clone) -> Result<Sight> {
        self.now.read(frame, cells.clone(), &mut self.census)?;
        self.mark_stuck();
        self.regions.clear();
        let few = self.now.compared().len() < 2;
        let place = if few { None } else { self.place() };
        let state = if few { State::TooFew } else { self.state() };
        let is_same = matches!(state, State::Same { .. });
        let new_part = if is_same { 0.0 } else { regions::new_part(self.now.size_px, self.seen()) };
        self.judge_cells(cells, is_same);
        if !few && !is_same {
            self.keep(place);
        }
        let count = |wanted| self.states.iter().filter(|state| **state == wanted).count() as u32;
        let [new_cells, seen_cells, stuck_cells] = [CellState::New, CellState::Seen, CellState::Stuck].map(count);
        Ok(Sight { state, new_part, new_cells, seen_cells, stuck_cells })
    }

    /// Slots in use, the newest field first.
    fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        let newest = self.newest;
        (0..self.len).map(move |age| (newest + MAX_FIELDS - age) % MAX_FIELDS)
    }

    fn mark_stuck(&mut self) {
        let Self { now, grid, kept, .. } = self;
        grid.fill(now.size_px, now.diameter_px / 2.0, now.anchors.iter().map(|anchor| anchor.at));
        let (newest, len) = (self.newest, self.len);
        let latest = (0..len).map(|age| &kept[(newest + MAX_FIELDS - age) % MAX_FIELDS].field);
        stuck::mark(now, grid, latest);
        now.sort();
        grid.fill(now.size_px, now.diameter_px / 2.0, now.compared().iter().map(|anchor| anchor.at));
    }

    /// Locates the frame among the fields, and collects those that it overlaps; returns its map and its position there.
    fn place(&mut self) -> Option<(u64, [f64; 2])> {
        let mut place: Option<(u64, [f64; 2])> = None;
        let anchors = self.slots().map(|slot| self.kept[slot].field.compared().len());
        self.votes.begin(&self.now, anchors.max().unwrap_or(0));
        for (age, slot) in self.slots().enumerate() {
            if place.is_some_and(|(map, _)| map == self.kept[slot].map) {
                continue;
            }
            let Some(found) = self.compare(slot, age) else { continue };
            let Kept { map, corner_px, .. } = self.kept[slot];
            let corner_px: [f64; 2] = std::array::from_fn(|axis| corner_px[axis] + f64::from(found.shift[axis]));
            match place {
                None => place = Some((map, corner_px)),
                // The frame joins two maps.
                Some((joined, at)) => {
                    let other = self.kept.iter_mut().filter(|kept| kept.map == map);
                    for kept in other {
                        kept.map = joined;
                        kept.corner_px = std::array::from_fn(|axis| kept.corner_px[axis] + at[axis] - corner_px[axis]);
                    }
                }
            }
        }
        self.overlaps(place?)
    }

    /// Collects what overlaps a frame at that position of a map; returns the position, from the field with the best
    /// evidence.
    fn overlaps(&mut self, (map, mut corner_px): (u64, [f64; 2])) -> Option<(u64, [f64; 2])> {
        let from = corner_px;
        let mut best = f32::NEG_INFINITY;
        for slot in self.slots() {
            let kept = &self.kept[slot];
            let expected: [f32; 2] = std::array::from_fn(|axis| (from[axis] - kept.corner_px[axis]) as f32);
            if kept.map != map || evidence::overlap_px2(&kept.field, &self.now, expected) <= 0.0 {
                continue;
            }
            let found = evidence::weigh_near(&kept.field, &self.now, &self.grid, expected, 0.0);
            let moved = (0..2).map(|axis| (found.shift[axis] - expected[axis]).abs()).fold(0.0, f32::max);
            let better = found.score >= MIN_SCORE_BESIDE && moved <= SAME * self.now.diameter_px;
            let shift = if better { found.shift } else { expected };
            if better && found.score > best {
                best = found.score;
                corner_px = std::array::from_fn(|axis| kept.corner_px[axis] + f64::from(shift[axis]));
            }
            self.regions.push(Region { slot, shift });
        }
        Some((map, corner_px))
    }

    /// The overlap of the frame with one field, if any; the newest field has age 0.
    fn compare(&mut self, slot: usize, age: usize) -> Option<Evidence> {
        let (field, now, grid) = (&self.kept[slot].field, &self.now, &self.grid);
        if field.size_px != now.size_px || field.compared().is_empty() {
            return None;
        }
        if age < STILL_FIELDS {
            let still = evidence::weigh_near(field, now, grid, [0.0; 2], 0.0);
            let stays = still.shift.iter().all(|shift| shift.abs() <= SAME * now.diameter_px);
            if stays && still.score >= MIN_SCORE_STILL && still.matches >= 2 {
                return Some(still);
            }
        }
        let within_px = self.votes.within_px();
        let candidates = self.votes.candidates(field, now, age == 0).iter();
        let weighed = candidates.map(|candidate| evidence::weigh_near(field, now, grid, candidate.shift, within_px));
        let least = if age == 0 { MIN_SCORE_NEWEST } else { MIN_SCORE };
        weighed
            .max_by(|a, b| a.score.total_cmp(&b.score))
            .filter(|best| best.score >= least && best.matches >= MIN_MATCHES)
    }

    fn seen(&self) -> impl Iterator<Item = (Region, &Constellation)> + Clone {
        self.regions.iter().map(|region| (*region, &self.kept[region.slot].field))
    }

    fn state(&self) -> State {
        let within = SAME * self.now.diameter_px;
        let picture_px2 = self.now.size_px[0] * self.now.size_px[1];
        let mut most = (0.0, State::New);
        for (region, field) in self.seen() {
            if region.shift.iter().all(|shift| shift.abs() <= within) {
                return State::Same { earlier: field.number };
            }
            let shared = evidence::overlap_px2(field, &self.now, region.shift) / picture_px2;
            if shared > most.0 {
                let shared_part = f64::from(shared);
                let state =
                    State::Overlaps { earlier: field.number, shift_px: region.shift.map(f64::from), shared_part };
                most = (shared, state);
            }
        }
        most.1
    }

    fn judge_cells(&mut self, cells: impl Iterator<Item = Cell>, is_same: bool) {
        let Self { states, regions, kept, now, .. } = self;
        states.clear();
        states.extend(cells.map(|cell| {
            let at = now.centre(&cell);
            let seen = |region: &Region| {
                regions::state(at, region, &kept[region.slot].field, now.diameter_px) == CellState::Seen
            };
            if is_same || regions.iter().any(seen) { CellState::Seen } else { CellState::New }
        }));
        for anchor in stuck::particles(now) {
            if let Some(state) = states.get_mut(usize::from(anchor.index)) {
                *state = CellState::Stuck;
            }
        }
    }

    fn keep(&mut self, place: Option<(u64, [f64; 2])>) {
        self.newest = if self.len == 0 { 0 } else { (self.newest + 1) % MAX_FIELDS };
        self.len = (self.len + 1).min(MAX_FIELDS);
        let (map, corner_px) = place.unwrap_or_else(|| {
            self.next_map += 1;
            (self.next_map, [0.0; 2])
        });
        let kept = &mut self.kept[self.newest];
        kept.field.copy_from(&self.now);
        (kept.map, kept.corner_px) = (map, corner_px);
    }
}
