//! The drift of the int8 models from the float models of the trainer on the same input.

use std::collections::BTreeMap;

use crate::measures::instances::{Match, match_instances};
use bloodseg_vision::{cells::Labels, error::Result};

/// Differences between the areas of cells that both models found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AreaDrift {
    /// Cells that both found: pairs with an IoU above one half.
    pub cells: u64,
    /// Sum of the absolute differences of their areas, in pixels of the super-resolved grid.
    pub difference_sum_px: f64,
}

impl AreaDrift {
    /// Adds another field.
    pub fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.difference_sum_px += other.difference_sum_px;
    }

    /// Mean absolute difference of area per cell, in pixels; `None` without common cells.
    pub fn mean_px(&self) -> Option<f64> {
        (self.cells > 0).then(|| self.difference_sum_px / self.cells as f64)
    }
}

/// Matches the cells of two models in one field as in [`match_instances`], and returns the area differences, int8 minus
/// float, by label of the int8 cell, in pixels of the super-resolved grid. Cells that the float model did not find are
/// not included.
pub fn cell_area_drift_px(float: &Labels, int8: &Labels) -> Result<BTreeMap<u16, i64>> {
    let pairs = match_instances(float, int8)?.pairs;
    let difference = |pair: &Match| i64::from(pair.predicted_area_px) - i64::from(pair.truth_area_px);
    Ok(pairs.iter().map(|pair| (pair.predicted, difference(pair))).collect())
}

/// The same, summed over the field.
pub fn area_drift(float: &Labels, int8: &Labels) -> Result<AreaDrift> {
    let differences = cell_area_drift_px(float, int8)?;
    Ok(AreaDrift {
        cells: differences.len() as u64,
        difference_sum_px: differences.values().map(|difference| difference.unsigned_abs() as f64).sum(),
    })
}

/// Figures of a field or set, int8 minus float: negative is worse. For a set, means are compared.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Drift {
    /// Difference of PSNR, dB.
    pub psnr_db: Option<f64>,
    /// Difference of Dice.
    pub dice: Option<f64>,
    /// Difference of AP50.
    pub ap50: Option<f64>,
    /// Mean absolute area difference of cells that both found, in pixels of the super-resolved grid.
    pub area_px: Option<f64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Luma;

    #[test]
    fn only_common_cells_are_compared() {
        let bars = |heights: [u32; 3]| {
            Labels::from_fn(30, 20, |x, y| {
                let bar = (x / 10) as usize;
                Luma([if y < heights[bar] { bar as u16 + 1 } else { 0 }])
            })
        };
        let (float, int8) = (bars([10, 10, 10]), bars([10, 13, 2]));
        assert_eq!(cell_area_drift_px(&float, &int8).unwrap(), BTreeMap::from([(1, 0), (2, 30)]));
        assert_eq!(cell_area_drift_px(&int8, &float).unwrap()[&2], -30);
        let mut drift = area_drift(&float, &int8).unwrap();
        assert_eq!(drift, AreaDrift { cells: 2, difference_sum_px: 30.0 });
        assert_eq!(drift.mean_px(), Some(15.0));
        drift.add(&AreaDrift { cells: 1, difference_sum_px: 0.0 });
        assert_eq!(drift.mean_px(), Some(10.0));
        assert_eq!(AreaDrift::default().mean_px(), None);
    }
}
