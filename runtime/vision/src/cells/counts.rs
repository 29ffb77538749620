//! The counts of a picture.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cell, Kind};

/// The counts of a picture. A cell is red, white, or of unknown kind; platelets are counted separately, and neither they
/// nor parasites are cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Red and white cells, or all cells if kinds are unknown.
    pub cells: u32,
    /// Red cells; `None` if kinds are unknown, like the two below.
    pub red: Option<u32>,
    /// White cells.
    pub white: Option<u32>,
    /// Platelets, not included in `cells`.
    pub platelets: Option<u32>,
    /// Cells that the input does not support ([`crate::support`]), without platelets.
    pub unsupported: u32,
}

impl Counts {
    /// Counts `cells`, with or without known kinds.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell, IntoIter: Clone>, has_kinds: bool) -> Self {
        let cells = cells.into_iter();
        let count = |wanted: &dyn Fn(&Cell) -> bool| cells.clone().filter(|cell| wanted(cell)).count() as u32;
        let of_kind = |kind| has_kinds.then(|| count(&|cell| cell.kind == kind));
        Self {
            cells: count(&|cell| cell.kind.is_cell()),
            red: of_kind(Kind::Red),
            white: of_kind(Kind::White),
            platelets: of_kind(Kind::Platelet),
            unsupported: count(&|cell| cell.kind.is_cell() && !cell.consistency.supported()),
        }
    }

    /// Whether the kinds of the cells are known.
    pub fn has_kinds(&self) -> bool {
        self.red.is_some()
    }

    /// The kinds in words: `120 red, 2 white, 9 platelets`; `None` if unknown.
    pub fn words(&self) -> Option<impl fmt::Display> {
        let (red, white, platelets) = (self.red?, self.white?, self.platelets?);
        let plural = if platelets == 1 { "" } else { "s" };
        Some(fmt::from_fn(move |f| write!(f, "{red} red, {white} white, {platelets} platelet{plural}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::CellConsistency;

    fn cell(kind: Kind, offset_levels: f64) -> Cell {
        Cell {
            label: 1,
            x_px: 0.0,
            y_px: 0.0,
            area_px: 1,
            equivalent_diameter_px: 1.0,
            perimeter_px: 1.0,
            circularity: 1.0,
            eccentricity: 0.0,
            touches_border: false,
            confidence: 1.0,
            consistency: CellConsistency { levels: 0.0, offset_levels, input_px: 1.0 },
            kind,
            kind_thousandths: 900,
        }
    }

    #[test]
    fn platelets_are_counted_separately_from_cells() {
        let cells = [
            cell(Kind::Red, 0.0),
            cell(Kind::Red, 99.0),
            cell(Kind::White, 0.0),
            cell(Kind::Platelet, 99.0),
            cell(Kind::Platelet, 0.0),
            cell(Kind::Platelet, 0.0),
        ];
        let counts = Counts::of(&cells, true);
        let expected = Counts { cells: 3, red: Some(2), white: Some(1), platelets: Some(3), unsupported: 1 };
        assert_eq!(counts, expected);
        assert_eq!(counts.words().map(|words| words.to_string()).as_deref(), Some("2 red, 1 white, 3 platelets"));
    }

    #[test]
    fn kind_counts_are_none_without_kinds_and_zero_without_cells() {
        let counts = Counts::of(&[cell(Kind::Unknown, 0.0), cell(Kind::Unknown, 99.0)], false);
        assert_eq!(counts, Counts { cells: 2, unsupported: 1, ..Counts::default() });
        assert!(!counts.has_kinds() && counts.words().is_none());
        let none = Counts::of(&[], true);
        assert_eq!((none.cells, none.red, none.white, none.platelets), (0, Some(0), Some(0), Some(0)));
    }
}
