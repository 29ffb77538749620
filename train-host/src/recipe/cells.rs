//! Cells of the segmenter's maps during training: their figures, and the rule that reads them off.

use anyhow::{Context, Result};
use rayon::prelude::*;
use tch::{Kind, Tensor};

use crate::data::{field::Field, set::to_gray};
use bloodseg_evaluate::measures::{
    instances::{InstanceSums, match_instances},
    mean, truth,
};
use bloodseg_vision::{
    cells::{Labels, split},
    frame::reference::mask_square,
    geometry::REFERENCE_HR_PX,
    model::manifest::CellRule,
    segmentation::CellMaps,
};

/// The rule that figures are measured with until one is chosen.
pub const FIRST_RULE: CellRule =
    CellRule { foreground_level: 128, peak_level: 128, saddle_depth: 8, least_area_px: 12 };

/// Figures of the cells of several fields.
#[derive(Debug, Clone, Copy)]
pub struct CellFigures {
    /// Average precision at an overlap of one half.
    pub ap50: f64,
    /// Panoptic quality.
    pub pq: f64,
    /// Mean relative error of the count a field.
    pub count_error: f64,
}

/// The true cells of the reference window of every field, on the 256x256 grid.
pub fn truths(fields: &[Field]) -> Result<Vec<Labels>> {
    fields
        .par_iter()
        .map(|field| Ok(truth::sample(&truth::instances(&mask_square(&field.mask))?, REFERENCE_HR_PX)))
        .collect()
}

/// Figures of maps `[N, 2, 256, 256]` (levels) against the true cells.
pub fn figures(maps: &Tensor, truths: &[Labels], rule: &CellRule) -> Result<CellFigures> {
    let matched = (0..truths.len())
        .map(|index| Ok((cell_maps(&maps.get(index as i64))?, &truths[index])))
        .collect::<Result<Vec<_>>>()?
        .into_par_iter()
        .map(|(maps, truth)| Ok(match_instances(truth, &split(&maps, rule)?)?))
        .collect::<Result<Vec<_>>>()?;
    let mut sums = InstanceSums::default();
    matched.iter().for_each(|m| sums.add(&m.sums()));
    Ok(CellFigures {
        ap50: sums.ap50().context("no cells in the fields held back")?,
        pq: sums.pq().context("no cells in the fields held back")?,
        count_error: mean(matched.iter().filter_map(|m| m.count_error())).unwrap_or(f64::NAN),
    })
}

/// Chooses how cells are read off maps `[N, 2, 256, 256]` (levels) of the held-back fields: the foreground's level by its
/// mean Dice against `foreground` `[N, 1, 256, 256]` (0 or 255), then what parts the cells by the sum of AP50 and PQ less
/// the count error.
pub fn choose_rule(maps: &Tensor, foreground: &Tensor, truths: &[Labels]) -> Result<CellRule> {
    let foreground_level = (96..=160)
        .step_by(4)
        .max_by(|a, b| mean_dice(maps, foreground, *a).total_cmp(&mean_dice(maps, foreground, *b)))
        .context("no level was tried")?;
    let mut best: Option<(f64, CellRule)> = None;
    for peak_level in [80, 92, 104, 116, 128, 140, 152] {
        for saddle_depth in [1, 2, 3, 4, 6, 8, 11, 15, 20] {
            let rule = CellRule { foreground_level, peak_level, saddle_depth, ..FIRST_RULE };
            let f = figures(maps, truths, &rule)?;
            let score = f.ap50 + f.pq - f.count_error;
            if best.as_ref().is_none_or(|(least, _)| score > *least) {
                best = Some((score, rule));
            }
        }
    }
    best.map(|(_, rule)| rule).context("no rule was tried")
}

/// Mean Dice of the foreground over the fields, where it is what lies above a level.
pub fn mean_dice(maps: &Tensor, foreground: &Tensor, level: u8) -> f64 {
    let predicted = maps.select(1, 0).gt(i64::from(level));
    let truth = foreground.select(1, 0).gt(127);
    let sum = |t: &Tensor| t.to_kind(Kind::Double).sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Double);
    let both = sum(&predicted.logical_and(&truth));
    (&both * 2.0 / (sum(&predicted) + sum(&truth) + 1e-9)).mean(Kind::Double).double_value(&[])
}

/// Maps of one field, `[2, 256, 256]` (levels), as the runtime has them.
pub fn cell_maps(levels: &Tensor) -> Result<CellMaps> {
    Ok(CellMaps { foreground: to_gray(&levels.get(0))?, core: to_gray(&levels.get(1))? })
}
