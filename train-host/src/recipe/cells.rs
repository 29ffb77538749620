//! Cells in the segmenter's maps during training: their figures, and the rule that extracts them.

use anyhow::{Context, Result};
use tch::{Kind, Tensor};

use super::scenes::{Scene, SceneFigures};
use crate::{
    data::{field::Field, set::to_gray},
    net::unet::MAPS_WITH_KINDS,
};
use bloodseg_evaluate::measures::truth;
use bloodseg_vision::{
    cells::Labels,
    frame::reference::mask_square,
    geometry::REFERENCE_HR_PX,
    model::manifest::{Apart, CellRule},
    segmentation::{CellMaps, KindMaps},
};

/// The rule for figures until one is chosen.
pub const FIRST_RULE: CellRule = CellRule {
    foreground_level: 128,
    peak_level: 128,
    saddle_depth: 8,
    white_saddle_depth: None,
    least_area_px: 12,
    apart: None,
};

/// Depths of saddles that are tried.
const SADDLE_DEPTHS: [u8; 9] = [1, 2, 3, 4, 6, 8, 11, 15, 20];

/// The true cells of the reference window of a field with a mask, on the 256x256 grid.
///
/// # Errors
/// A mask that cannot be sampled.
pub fn truth_of_mask(field: &Field) -> Result<Labels> {
    Ok(truth::sample(&truth::instances(&mask_square(&field.mask))?, REFERENCE_HR_PX))
}

/// Chooses how cells are extracted from maps `[N, C, 256, 256]` (levels) of frames: the foreground level by its mean Dice
/// against `foreground` `[N, 1, 256, 256]` (0 or 255) where `known` is set, then, by [`SceneFigures::score`], the
/// separation of cells, another one within white cells, a shallower one for cells that are far apart, and the speck size.
pub fn choose_rule(maps: &Tensor, foreground: &Tensor, known: &Tensor, scenes: &[Scene]) -> Result<CellRule> {
    let dice = |level: u8| mean_dice(maps, foreground, known, level);
    let foreground_level =
        (96..=160).step_by(4).max_by(|a, b| dice(*a).total_cmp(&dice(*b))).context("no level was tried")?;
    let has_kinds = maps.size().get(1) == Some(&MAPS_WITH_KINDS);
    let mut best: Option<(f64, CellRule)> = None;
    let mut try_rule = |rule: CellRule| -> Result<CellRule> {
        let score = SceneFigures::of(maps, scenes, &rule)?.score(0.0)?;
        log::debug!("score {score:.4} of {rule:?}");
        match best {
            Some((least, kept)) if score <= least => Ok(kept),
            _ => Ok(best.insert((score, rule)).1),
        }
    };
    let mut chosen = CellRule { foreground_level, ..FIRST_RULE };
    for peak_level in [80, 104, 128, 152] {
        for saddle_depth in SADDLE_DEPTHS {
            chosen = try_rule(CellRule { foreground_level, peak_level, saddle_depth, ..FIRST_RULE })?;
        }
    }
    let CellRule { peak_level, .. } = chosen;
    for white_saddle_depth in [15, 20, 30, 45, 255].into_iter().filter(|_| has_kinds).map(Some) {
        for saddle_depth in SADDLE_DEPTHS {
            let rule = CellRule { foreground_level, peak_level, saddle_depth, white_saddle_depth, ..FIRST_RULE };
            chosen = try_rule(rule)?;
        }
    }
    let one_depth = chosen;
    for saddle_depth in [8, 11, 15, 20, 30] {
        for shallow in [3, 4, 5, 6, 8].into_iter().filter(|shallow| *shallow < saddle_depth) {
            for centres_px in [11, 12, 13, 14, 15] {
                let apart = Some(Apart { centres_px, saddle_depth: shallow });
                chosen = try_rule(CellRule { saddle_depth, apart, ..one_depth })?;
            }
        }
    }
    for least_area_px in [16, 20, 25, 32, 40] {
        chosen = try_rule(CellRule { least_area_px, ..chosen })?;
    }
    Ok(chosen)
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
