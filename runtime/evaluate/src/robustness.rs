//! How accuracy degrades when frames get worse.
//!
//! Every field is evaluated undisturbed and with every [`Disturbance`] in each of its strengths. All except magnification
//! change only the low-resolution input, not the truth; magnification shows another part of the field, with another
//! truth.

use serde::Serialize;

use crate::{
    disturb::{Disturbance, disturbed, magnified},
    measures::truth,
    method::Method,
    score::{FieldScore, summary},
    set::{EvalField, FieldSet},
};
use bloodseg_vision::{
    cells::{self, Labels},
    error::Result,
    frame::quality::{self, Verdict},
};

/// One disturbance in one strength, over all fields. The field names are the keys of `eval --robustness --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustnessRow {
    /// `None` for the unchanged fields.
    pub disturbance: Option<Disturbance>,
    /// In the unit of [`Disturbance::words`].
    pub strength: Option<f64>,
    /// With cells counted in every frame.
    pub any_quality: KeyFigures,
    /// With only good frames counted, as on the device.
    pub gated: KeyFigures,
    /// Share of the fields with each verdict, 0 to 1.
    pub verdicts: VerdictShares,
}

/// The figures for a table with many rows, by the definitions of [`crate::measures`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KeyFigures {
    /// Dice of the foreground.
    pub dice: Option<f64>,
    /// TP / (TP + FP + FN) of instances.
    pub ap50: Option<f64>,
    /// Panoptic quality of instances.
    pub pq: Option<f64>,
    /// |predicted - true| / true.
    pub count_error: Option<f64>,
}

/// Shares of the fields, 0 to 1, that sum to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct VerdictShares {
    /// Cells are counted.
    pub good: f64,
    /// Blurred beyond counting.
    pub out_of_focus: f64,
    /// Shows nothing.
    pub empty: f64,
    /// Clipping has erased the cells.
    pub over_exposed: f64,
    /// Almost no light.
    pub under_exposed: f64,
}

/// The cases of a table: undisturbed first.
fn cases() -> impl Iterator<Item = Option<(Disturbance, f64)>> {
    let of = |disturbance: Disturbance| disturbance.strengths().map(|strength| Some((disturbance, strength)));
    std::iter::once(None).chain(Disturbance::ALL.into_iter().flat_map(of))
}

/// Number of runs for a set of `fields` fields: how often [`robustness`] calls `step`.
pub fn runs(fields: usize) -> usize {
    fields * cases().count()
}

/// Scores `model`, which must count cells in any frame, on every case; calls `step` after each run.
///
/// # Errors
/// Those of an unreadable field and of the models; the first one ends it.
pub fn robustness(set: &FieldSet, model: &mut dyn Method, step: &mut dyn FnMut()) -> Result<Vec<RobustnessRow>> {
    let mut tallies: Vec<Tally> = cases().map(|_| Tally::default()).collect();
    for (seed, pair) in (0_u64..).zip(set.pairs()) {
        let (picture, mask) = pair.read()?;
        let whole = pair.prepare(&picture, &mask)?;
        // Specks are removed before the cells change their size, because the minimum area is defined on the original
        // grid.
        let mask = cells::mask(&truth::instances(&mask)?);
        for (case, tally) in cases().zip(&mut tallies) {
            match case {
                None => tally.add(&whole, model)?,
                Some((Disturbance::Magnification, factor)) => {
                    let field = pair.prepare(&magnified(&picture, factor), &magnified(&mask, factor))?;
                    tally.add(&field, model)?;
                }
                Some((disturbance, strength)) => {
                    let lr = disturbed(&whole.lr, disturbance, strength, seed)?;
                    tally.add(&EvalField { lr, ..whole.clone() }, model)?;
                }
            }
            step();
        }
    }
    Ok(cases().zip(&tallies).map(|(case, tally)| tally.row(case)).collect())
}

/// A case being evaluated.
#[derive(Default)]
struct Tally {
    any_quality: Vec<FieldScore>,
    gated: Vec<FieldScore>,
    verdicts: Vec<Verdict>,
}

impl Tally {
    fn add(&mut self, field: &EvalField, model: &mut dyn Method) -> Result<()> {
        let answer = model.answer(&field.lr)?;
        let score = FieldScore::of_labels(field, &answer.labels)?;
        let verdict = quality::judge(&field.lr).verdict;
        self.gated.push(if verdict.is_good() {
            score.clone()
        } else {
            FieldScore::of_labels(field, &Labels::new(answer.labels.width(), answer.labels.height()))?
        });
        self.any_quality.push(score);
        self.verdicts.push(verdict);
        Ok(())
    }

    fn row(&self, case: Option<(Disturbance, f64)>) -> RobustnessRow {
        let share = |verdict: Verdict| {
            self.verdicts.iter().filter(|&&other| other == verdict).count() as f64 / self.verdicts.len().max(1) as f64
        };
        RobustnessRow {
            disturbance: case.map(|(disturbance, _)| disturbance),
            strength: case.map(|(_, strength)| strength),
            any_quality: key_figures(&self.any_quality),
            gated: key_figures(&self.gated),
            verdicts: VerdictShares {
                good: share(Verdict::Good),
                out_of_focus: share(Verdict::OutOfFocus),
                empty: share(Verdict::Empty),
                over_exposed: share(Verdict::OverExposed),
                under_exposed: share(Verdict::UnderExposed),
            },
        }
    }
}

fn key_figures(scores: &[FieldScore]) -> KeyFigures {
    let figures = summary(scores);
    KeyFigures { dice: figures.dice, ap50: figures.ap50, pq: figures.pq, count_error: figures.count_error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::RgbImage;

    use super::*;
    use crate::method::Answer;
    use bloodseg_smear::write_set;
    use bloodseg_vision::frame::resize::resize_rgb;

    /// Finds nothing, and counts its calls.
    struct Blind(usize);

    impl Method for Blind {
        fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
            self.0 += 1;
            Ok(Answer { sr: resize_rgb(lr, 256, 256)?, labels: Labels::new(256, 256) })
        }
    }

    /// Finds one cell in any picture, at a place without one.
    struct Sure;

    impl Method for Sure {
        fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
            let labels = Labels::from_fn(256, 256, |x, y| image::Luma([u16::from(x < 4 && y < 4)]));
            Ok(Answer { sr: resize_rgb(lr, 256, 256)?, labels })
        }
    }

    #[test]
    fn one_row_per_strength_follows_undisturbed_row() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), 2, 5, 256).unwrap();
        let set = FieldSet::open(folder.path()).unwrap();
        let (mut model, mut steps) = (Blind(0), 0);
        let rows = robustness(&set, &mut model, &mut || steps += 1).unwrap();
        assert_eq!(rows.len(), 1 + 8 * 4);
        assert_eq!((model.0, steps), (2 * rows.len(), runs(2)));
        assert_eq!((rows[0].disturbance, rows[0].strength), (None, None));
        for (row, disturbance) in rows[1..].chunks_exact(4).zip(Disturbance::ALL) {
            assert!(row.iter().all(|row| row.disturbance == Some(disturbance)));
            assert_eq!(row.iter().filter_map(|row| row.strength).collect::<Vec<_>>(), disturbance.strengths());
        }
        for row in &rows {
            let shares = &row.verdicts;
            let sum = shares.good + shares.out_of_focus + shares.empty + shares.over_exposed + shares.under_exposed;
            assert!((sum - 1.0).abs() < 1e-9, "{row:?}");
            assert_eq!((row.any_quality.count_error, row.gated.ap50), (Some(1.0), Some(0.0)));
        }
        assert_eq!(rows[0].verdicts.good, 1.0);
        assert_eq!(rows[4].verdicts.out_of_focus, 1.0, "{:?}", rows[4]);
        assert_eq!(rows[12].verdicts.under_exposed, 1.0, "{:?}", rows[12]);
    }

    #[test]
    fn only_gate_drops_cells_of_bad_frames() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), 1, 5, 256).unwrap();
        let rows = robustness(&FieldSet::open(folder.path()).unwrap(), &mut Sure, &mut || ()).unwrap();
        let error = |figures: &KeyFigures| figures.count_error.unwrap();
        assert!(error(&rows[0].any_quality) < 1.0 && rows[0].gated == rows[0].any_quality);
        assert!(error(&rows[4].any_quality) < 1.0 && error(&rows[4].gated) == 1.0, "{:?}", rows[4]);
    }
}
