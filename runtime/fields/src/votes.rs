//! Votes for shifts: every pair of an earlier and a current cell votes for the shift that aligns them.
//!
//! If two fields overlap, the pairs of the same cell all vote for one shift; other pairs spread over all shifts. Shifts
//! with more votes than chance explains are examined. Positions are whole bins, so that a pair costs one subtraction: a
//! shift between two bins falls into both, so votes are counted in squares of four bins.

use crate::{
    constellation::Constellation,
    limits::{MAX_ANCHORS, MAX_BINS},
};

/// Maximum number of shifts that are examined for a pair of fields, and for the frame and the newest field.
const MAX_CANDIDATES: [usize; 2] = [3, 12];

/// Bins per cell diameter.
const BINS_A_CELL: f32 = 4.0;

/// Cells whose areas differ by more, as a difference of logarithms, are not the same.
const MAX_LN_AREA_DIFFERENCE: f32 = 0.22;

/// Minimum shared part of the picture that is searched for.
const MIN_SHARED: f32 = 0.06;

/// Fewer votes are taken as chance.
const MIN_VOTES: usize = 3;

/// Minimum log likelihood ratio of the found over the expected number of votes, for a shift to be examined.
const MIN_GAIN: f32 = 6.5;

/// Higher thresholds are not needed: four bins get fewer votes by chance.
const MAX_VOTES: usize = 1024;

/// A shift with more votes than expected: what lies at `p` now lay at `p + shift` then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) shift: [f32; 2],
    gain: f32,
}

/// The histogram, in preallocated memory.
#[derive(Debug)]
pub(crate) struct Votes {
    bin_px: f32,
    /// Bins of a picture's width and height.
    of_picture: [usize; 2],
    bins: Vec<u16>,
    /// Votes from which four bins are examined, laid out like `bins`; empty until the first pair of fields of a frame.
    least: Vec<u16>,
    /// Maximum number of anchors of the fields that the frame is compared with.
    most_then: usize,
    /// Votes expected in four bins per square pixel of overlap.
    density: f32,
    /// Votes of two rows.
    rows: Vec<u16>,
    then: Vec<u16>,
    /// By number of votes: the largest expected number at which they are still examined.
    most_expected: Vec<f32>,
    found: Vec<Candidate>,
}

impl Votes {
    pub(crate) fn new() -> Self {
        Self {
            bin_px: 1.0,
            of_picture: [1; 2],
            bins: Vec::with_capacity(MAX_BINS * MAX_BINS),
            least: Vec::with_capacity(MAX_BINS * MAX_BINS),
            most_then: 0,
            density: 0.0,
            rows: Vec::with_capacity(MAX_BINS),
            then: Vec::with_capacity(MAX_ANCHORS),
            most_expected: (0..MAX_VOTES).map(most_expected).collect(),
            found: Vec::with_capacity(MAX_CANDIDATES[1] + 1),
        }
    }

    /// Starts a frame, which is compared with fields of at most `most_then` anchors.
    pub(crate) fn begin(&mut self, now: &Constellation, most_then: usize) {
        let longest_px = now.size_px[0].max(now.size_px[1]);
        self.bin_px = (now.diameter_px / BINS_A_CELL).max(longest_px / (MAX_BINS / 2 - 1) as f32);
        self.of_picture = now.size_px.map(|side| (side / self.bin_px) as usize + 1);
        self.most_then = most_then;
        self.least.clear();
    }

    /// The most likely shifts between a field and the frame, which have the same size, best first; none if no shift has
    /// more votes than chance. `thorough` also searches for less likely ones, and takes several times as long.
    pub(crate) fn candidates(&mut self, then: &Constellation, now: &Constellation, thorough: bool) -> &[Candidate] {
        self.found.clear();
        let [across, down] = self.of_picture.map(|bins| 2 * bins - 1);
        let votes = self.vote(then, now);
        if votes == 0 {
            return &self.found;
        }
        if self.least.is_empty() {
            self.set_least(votes * self.most_then / then.compared().len(), now.size_px);
        }
        for row in 0..down - 1 {
            let (above, below) = self.bins[row * across..(row + 2) * across].split_at(across);
            self.rows.clear();
            self.rows.extend(above.iter().zip(below).map(|(above, below)| above.saturating_add(*below)));
            let least = &self.least[row * across..(row + 1) * across];
            let four = || self.rows.iter().zip(&self.rows[1..]).map(|(left, right)| left.saturating_add(*right));
            // Most rows have no candidate; this test skips them quickly, eight bins at once.
            let above_least = |any: u16, (votes, least): (u16, &u16)| any | votes.saturating_sub(*least - 1);
            if !thorough && four().zip(least).fold(0, above_least) == 0 {
                continue;
            }
            for (column, votes) in four().enumerate() {
                let least = least[column];
                if votes < least && !(thorough && least < u16::MAX && usize::from(votes) >= MIN_VOTES) {
                    continue;
                }
                let shift = self.shift([column, row]);
                let (votes, expected) = (f32::from(votes), self.density * shared_px2(shift, now.size_px));
                if votes > 1.5 * expected {
                    let candidate = Candidate { shift, gain: gain(votes, expected) };
                    keep(&mut self.found, candidate, 2.5 * self.bin_px, MAX_CANDIDATES[usize::from(thorough)]);
                }
            }
        }
        &self.found
    }

    /// Maximum error of a shift along one axis: the four bins extend one bin to both sides of their middle.
    pub(crate) fn within_px(&self) -> f32 {
        self.bin_px
    }

    /// Fills the bins, and counts the votes.
    fn vote(&mut self, then: &Constellation, now: &Constellation) -> usize {
        let Self { bins, then: places, of_picture, bin_px, .. } = self;
        let across = 2 * of_picture[0] - 1;
        bins.clear();
        bins.resize(across * (2 * of_picture[1] - 1), 0);
        let per_px = 1.0 / *bin_px;
        let bin = |at: [f32; 2]| [0, 1].map(|axis| ((at[axis] * per_px) as usize).min(of_picture[axis] - 1));
        // The zero shift lies in the middle.
        let middle = (of_picture[1] - 1) * across + of_picture[0] - 1;
        let place = |at: [f32; 2]| {
            let [column, row] = bin(at);
            (row * across + column) as u16
        };
        places.clear();
        places.extend(then.compared().iter().map(|anchor| place(anchor.at) + middle as u16));
        let whole = then.whole();
        let (mut begin, mut end, mut votes) = (0, 0, 0);
        for anchor in now.compared() {
            let at = place(anchor.at);
            let mut count = |from: &[u16]| {
                votes += from.len();
                for place in from {
                    let bin = &mut bins[usize::from(place - at)];
                    *bin = bin.saturating_add(1);
                }
            };
            if anchor.cut {
                count(places);
                continue;
            }
            // Both lists are sorted by area.
            while begin < whole.len() && whole[begin].ln_area < anchor.ln_area - MAX_LN_AREA_DIFFERENCE {
                begin += 1;
            }
            end = end.max(begin);
            while end < whole.len() && whole[end].ln_area <= anchor.ln_area + MAX_LN_AREA_DIFFERENCE {
                end += 1;
            }
            count(&places[begin..end]);
            count(&places[whole.len()..]);
        }
        votes
    }

    /// The shift of the four bins that start at this one.
    fn shift(&self, bin: [usize; 2]) -> [f32; 2] {
        std::array::from_fn(|axis| (bin[axis] as f32 - (self.of_picture[axis] - 1) as f32 + 0.5) * self.bin_px)
    }

    /// Sets for every four bins how many votes are too many for chance, if the fields have `votes` pairs in all.
    fn set_least(&mut self, votes: usize, size_px: [f32; 2]) {
        let [across, down] = self.of_picture.map(|bins| 2 * bins - 1);
        // Summed over all shifts, the overlap is the square of the picture's area.
        let picture_px2 = size_px[0] * size_px[1];
        self.density = 4.0 * votes as f32 * self.bin_px * self.bin_px / (picture_px2 * picture_px2);
        let mut least = MIN_VOTES;
        for bin in 0..across * down {
            let shared_px2 = shared_px2(self.shift([bin % across, bin / across]), size_px);
            let expected = self.density * shared_px2;
            // Starts from the previous bin's threshold, which hardly differs.
            while least < MAX_VOTES - 1 && self.most_expected[least] < expected {
                least += 1;
            }
            while least > MIN_VOTES && self.most_expected[least - 1] >= expected {
                least -= 1;
            }
            self.least.push(if shared_px2 < MIN_SHARED * picture_px2 { u16::MAX } else { least as u16 });
        }
    }
}

/// Area of overlap of two pictures of the same size.
fn shared_px2(shift: [f32; 2], size_px: [f32; 2]) -> f32 {
    (size_px[0] - shift[0].abs()).max(0.0) * (size_px[1] - shift[1].abs()).max(0.0)
}

/// Log likelihood ratio of a Poisson number: with the found number as mean over the expected one.
fn gain(votes: f32, expected: f32) -> f32 {
    votes * (votes / expected.max(1e-6)).ln() - (votes - expected)
}

/// The largest expected number for which `votes` gain [`MIN_GAIN`]: the gain falls as it rises.
fn most_expected(votes: usize) -> f32 {
    let (mut low, mut high) = (0.0, votes as f32);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        match gain(votes as f32, middle) >= MIN_GAIN {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// Keeps a candidate among the best, one per neighbourhood.
fn keep(found: &mut Vec<Candidate>, candidate: Candidate, apart_px: f32, most: usize) {
    let close = |other: &Candidate| (0..2).all(|axis| (other.shift[axis] - candidate.shift[axis]).abs() < apart_px);
    if found.iter().any(|other| close(other) && other.gain >= candidate.gain) {
        return;
    }
    found.retain(|other| !close(other));
    let place = found.partition_point(|other| other.gain >= candidate.gain);
    found.insert(place, candidate);
    found.truncate(most);
}
