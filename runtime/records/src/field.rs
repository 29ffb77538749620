//! What a frame shows of the specimen compared with earlier frames: each cell is counted in the first frame that shows
//! it.

use serde::Serialize;

use bloodseg_vision::cells::{Cell, Counts};

/// Whether a frame shows what an earlier one of its run showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldState {
    /// A field of its own.
    New,
    /// The field of an earlier frame.
    Same,
    /// A part of an earlier frame's field, and something else.
    Overlaps,
    /// Too few cells to compare.
    TooFew,
}

impl FieldState {
    const ALL: [Self; 4] = [Self::New, Self::Same, Self::Overlaps, Self::TooFew];

    /// Its name in records and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Overlaps => "overlaps",
            Self::TooFew => "too-few",
        }
    }

    /// As text, followed by the number of the earlier frame, if any.
    pub fn words(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "the same as frame",
            Self::Overlaps => "overlaps frame",
            Self::TooFew => "too few cells to compare",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Whether a cell was counted before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Not counted before: it counts.
    #[default]
    New,
    /// Counted in an earlier frame of the run.
    Before,
    /// Keeps its place in the picture while the specimen moves: dust.
    Stuck,
}

impl Seen {
    const ALL: [Self; 3] = [Self::New, Self::Before, Self::Stuck];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Before => "before",
            Self::Stuck => "stuck",
        }
    }

    /// Its number in the records.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The state with this number; new for any other.
    pub fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|seen| seen.number() == number).unwrap_or_default()
    }
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Whether it was seen before.
    pub state: FieldState,
    /// Number, in the run, of the earlier frame that shares the most with it.
    pub earlier: Option<u64>,
    /// What lies at `p` in this frame lies at `p + shift` in the earlier one, in pixels of the super-resolved picture.
    pub shift_px: Option<[f64; 2]>,
    /// Part of the analysed picture that no earlier frame showed, 0 to 1.
    pub new_part: f64,
    /// Cells that were not counted before.
    pub fresh: Counts,
}

impl Field {
    /// The counts of the cells that were not counted before; `seen` has one entry for each of `cells`.
    pub fn fresh(cells: &[Cell], seen: &[Seen], has_kinds: bool) -> Counts {
        let fresh = cells.iter().zip(seen).filter(|(_, seen)| **seen == Seen::New).map(|(cell, _)| cell);
        Counts::of(fresh, has_kinds)
    }
}
