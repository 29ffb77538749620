//! Whether a given pitch contradicts the cells that were found at it.
//!
//! At a wrong pitch, cells have the wrong size, or come apart: at two and more times the true pitch the models find pieces,
//! which can have the size of cells, but neither their roundness nor their uniformity. Red cells that stay whole are then
//! called white because of their size.
//!
//! The limits were chosen on two of every seven pictures of the four laboratories in `data/README.md`, at 0.4 to 6 times their
//! pitch. `docs/accuracy.md` has the figures on the others: at twice the pitch and more, at least 95 % of the pictures are
//! doubted; at the true one, 1 of 520.

use crate::{
    cells::{Cell, Kind},
    pipeline::Analysis,
};

/// Plausible median diameters of red cells, in micrometres.
const PLAUSIBLE_CELL_UM: (f64, f64) = (5.0, 11.0);

/// Greatest plausible diameter of a white cell, in micrometres. Of the white cells in these laboratories, 19 of 20 have at most
/// 17.
const GREATEST_WHITE_UM: f64 = 18.0;

/// Complete cells needed to doubt a pitch by their size.
const LEAST_SIZED: u32 = 3;

/// Complete cells needed to doubt it by their shapes.
const LEAST_SHAPED: u32 = 5;

/// Least mean circularity. Of the pictures that it was chosen on, the least at the true pitch is 0.82.
const LEAST_CIRCULARITY: f64 = 0.80;

/// Greatest interquartile range of the diameters over their median. Of these pictures, the greatest at the true pitch is 0.27.
const MOST_SPREAD: f64 = 0.45;

/// Diameters are sorted into classes of this width, in micrometres.
const CLASS_UM: f64 = 0.125;

/// Classes; the last one has all greater diameters.
const CLASSES: usize = 512;

/// Whether a good analysis at a known pitch contradicts it. The placement must be set.
pub(super) fn is_doubtful(analysis: &Analysis) -> bool {
    let Some(um_per_sr_px) = analysis.scaled.um_per_sr_px() else { return false };
    analysis.quality.verdict.is_good() && Sizes::of(&analysis.cells, um_per_sr_px).contradict()
}

/// The complete cells of an analysis; all but the whites are of the red ones.
struct Sizes {
    cells: u32,
    small: u32,
    large: u32,
    whites: u32,
    large_whites: u32,
    circularities: f64,
    classes: [u32; CLASSES],
}

impl Sizes {
    fn of(cells: &[Cell], um_per_sr_px: f64) -> Self {
        let (circularities, classes) = (0.0, [0; CLASSES]);
        let mut sizes = Self { cells: 0, small: 0, large: 0, whites: 0, large_whites: 0, circularities, classes };
        for cell in cells.iter().filter(|cell| !cell.touches_border) {
            let diameter_um = cell.equivalent_diameter_px * um_per_sr_px;
            if cell.kind == Kind::White {
                sizes.whites += 1;
                sizes.large_whites += u32::from(diameter_um > GREATEST_WHITE_UM);
            }
            if !cell.kind.may_be_red() {
                continue;
            }
            sizes.cells += 1;
            sizes.small += u32::from(diameter_um < PLAUSIBLE_CELL_UM.0);
            sizes.large += u32::from(diameter_um > PLAUSIBLE_CELL_UM.1);
            sizes.circularities += cell.circularity;
            sizes.classes[((diameter_um / CLASS_UM) as usize).min(CLASSES - 1)] += 1;
        }
        sizes
    }

    fn contradict(&self) -> bool {
        let median_is_off = 2 * self.small.max(self.large) > self.cells;
        let all = self.cells + self.whites;
        let most_are_large = 2 * (self.large + self.large_whites) > all;
        let are_pieces = || {
            self.circularities < LEAST_CIRCULARITY * f64::from(self.cells)
                || self.quantile_um(3) - self.quantile_um(1) > MOST_SPREAD * self.quantile_um(2)
        };
        (self.cells >= LEAST_SIZED && median_is_off)
            || (all >= LEAST_SIZED && most_are_large)
            || (self.cells >= LEAST_SHAPED && are_pieces())
    }

    /// The diameter that this many quarters of the cells do not exceed.
    fn quantile_um(&self, quarters: u32) -> f64 {
        let mut below = 0;
        let class = self.classes.iter().position(|count| {
            below += count;
            4 * below >= quarters * self.cells
        });
        (class.unwrap_or(CLASSES) as f64 + 0.5) * CLASS_UM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A complete red cell.
    fn cell(diameter_um: f64, circularity: f64) -> Cell {
        Cell { equivalent_diameter_px: diameter_um, circularity, kind: Kind::Red, ..Cell::default() }
    }

    fn doubted(cells: &[Cell]) -> bool {
        Sizes::of(cells, 1.0).contradict()
    }

    #[test]
    fn implausible_cell_sizes_contradict_pitch() {
        let of = |um: f64, count: usize| vec![cell(um, 0.95); count];
        assert!(!doubted(&of(7.5, 9)) && !doubted(&of(5.1, 9)) && !doubted(&of(10.9, 9)));
        assert!(doubted(&of(4.9, 3)) && doubted(&of(11.1, 3)) && doubted(&of(300.0, 3)));
        assert!(!doubted(&of(4.9, 2)) && !doubted(&[]));
        // Half of the cells do not suffice to contradict.
        assert!(!doubted(&[of(4.9, 2), of(7.5, 2)].concat()));
        let others = [
            Cell { touches_border: true, ..cell(3.0, 0.9) },
            Cell { kind: Kind::White, ..cell(15.0, 0.9) },
            Cell { kind: Kind::Platelet, ..cell(2.0, 0.9) },
        ];
        assert!(!doubted(&[vec![cell(7.5, 0.95); 3], others.to_vec(), others.to_vec()].concat()));
    }

    #[test]
    fn cells_too_large_for_their_kind_contradict_pitch() {
        let whites = |um: f64, count: usize| vec![Cell { kind: Kind::White, ..cell(um, 0.95) }; count];
        assert!(doubted(&whites(22.0, 3)) && !doubted(&whites(22.0, 2)) && !doubted(&whites(17.9, 9)));
        // Large red and large white cells count together; plausible ones of either kind against them.
        assert!(doubted(&[whites(22.0, 2), vec![cell(16.0, 0.9)]].concat()));
        assert!(!doubted(&[whites(22.0, 3), vec![cell(7.5, 0.9); 3]].concat()));
        assert!(!doubted(&[whites(22.0, 3), whites(12.0, 3)].concat()));
        let outside = Cell { touches_border: true, kind: Kind::White, ..cell(22.0, 0.95) };
        assert!(!doubted(&vec![outside; 9]));
        assert!(!doubted(&vec![Cell { kind: Kind::Platelet, ..cell(22.0, 0.95) }; 9]));
    }

    #[test]
    fn fragments_of_plausible_size_contradict_pitch() {
        let pieces: Vec<Cell> = (0..5).map(|at| cell(7.0 + 0.2 * f64::from(at), 0.79)).collect();
        assert!(doubted(&pieces) && !doubted(&pieces[..4]));
        assert!(!doubted(&vec![cell(7.0, 0.81); 5]));
        let spread: Vec<Cell> = (0..9).map(|at| cell(5.2 + 0.7 * f64::from(at), 0.95)).collect();
        assert!(!doubted(&spread), "people differ");
        let wide: Vec<Cell> = [5.0, 5.2, 5.4, 8.0, 8.2, 10.4, 10.8, 12.0].map(|um| cell(um, 0.95)).to_vec();
        assert!(doubted(&wide));
    }

    #[test]
    fn quantiles_match_sorted_diameters() {
        let sizes = Sizes::of(&[8.0, 5.0, 7.0, 6.0].map(|um| cell(um, 0.95)), 1.0);
        let quartiles = [1, 2, 3].map(|quarters| sizes.quantile_um(quarters));
        for (found, wanted) in quartiles.into_iter().zip([5.0, 6.0, 7.0]) {
            assert!((found - wanted).abs() <= CLASS_UM, "{found} {wanted}");
        }
    }
}
