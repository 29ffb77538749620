//! Cells in the segmenter's maps during training: their figures, and the rule that extracts them.

use anyhow::{Context, Result};
use tch::{Kind, Tensor};

use super::scenes::{Scene, SceneFigures};
use crate::data::{field::Field, set::to_gray};
use bloodseg_evaluate::measures::truth;
use bloodseg_vision::{
    cells::Labels,
    frame::reference::mask_square,
    geometry::REFERENCE_HR_PX,
    model::manifest::CellRule,
    segmentation::{CellMaps, KindMaps},
};

/// The rule of every segmenter, but for the foreground level and the speck size, which are chosen for each. The separation of
/// cells was chosen on laboratories that segmenters had not seen (`train-host separation`, docs/accuracy.md).
pub const RULE: CellRule = CellRule {
    foreground_level: 128,
    peak_level: 80,
    saddle_depth: 8,
    white_saddle_depth: Some(30),
    white_margin: 24,
    least_area_px: 12,
};

/// The true cells of the reference window of a field with a mask, on the 256x256 grid.
///
/// # Errors
/// A mask that cannot be sampled.
pub fn truth_of_mask(field: &Field) -> Result<Labels> {
    Ok(truth::sample(&truth::instances(&mask_square(&field.mask))?, REFERENCE_HR_PX))
}

/// Chooses how cells are extracted from maps `[N, C, 256, 256]` (levels) of frames: the foreground level by its mean Dice
/// against `foreground` `[N, 1, 256, 256]` (0 or 255) where `known` is set, then the speck size by [`SceneFigures::score`].
pub fn choose_rule(maps: &Tensor, foreground: &Tensor, known: &Tensor, scenes: &[Scene]) -> Result<CellRule> {
    let dice = |level: u8| mean_dice(maps, foreground, known, level);
    let foreground_level =
        (96..=160).step_by(4).max_by(|a, b| dice(*a).total_cmp(&dice(*b))).context("no level was tried")?;
    let mut best: Option<(f64, CellRule)> = None;
    for least_area_px in [12, 16, 20, 25, 32, 40] {
        let rule = CellRule { foreground_level, least_area_px, ..RULE };
        let score = SceneFigures::of(maps, scenes, &rule)?.score(0.0)?;
        log::debug!("score {score:.4} of {rule:?}");
        if best.is_none_or(|(least, _)| score > least) {
            best = Some((score, rule));
        }
    }
    best.map(|(_, rule)| rule).context("no speck size was tried")
}

/// Mean Dice over the fields of the foreground above a level; only where `known` is set.
pub fn mean_dice(maps: &Tensor, foreground: &Tensor, known: &Tensor, level: u8) -> f64 {
    let known = known.select(1, 0);
    let predicted = maps.select(1, 0).gt(i64::from(level)).logical_and(&known);
    let truth = foreground.select(1, 0).gt(127).logical_and(&known);
    let sum = |t: &Tensor| t.to_kind(Kind::Double).sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Double);
    let both = sum(&predicted.logical_and(&truth));
    (&both * 2.0 / (sum(&predicted) + sum(&truth) + 1e-9)).mean(Kind::Double).double_value(&[])
}

/// Maps of one field, `[C, 256, 256]` (levels), in the form of the runtime.
pub fn cell_maps(levels: &Tensor) -> Result<CellMaps> {
    let map = |channel| to_gray(&levels.get(channel));
    let kinds = match levels.size()[0] {
        4 => Some(KindMaps { white: map(2)?, platelet: map(3)? }),
        _ => None,
    };
    Ok(CellMaps { kinds, ..CellMaps::without_kinds(map(0)?, map(1)?) })
}
