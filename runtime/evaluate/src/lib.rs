//! Evaluation: runs the models on a folder of full-resolution fields with masks, and reports every measure of
//! [`crate::measures`] beside its baselines.
//!
//! ```text
//! set (img/, mask/) -> EvalField (reference preparation) -> Method (lr -> sr, labels) -> FieldScore -> Report
//! ```
//!
//! The quality of frames is checked as on the device ([`bloodseg_vision::frame::quality`]); with [`gated`], frames that
//! are not good have no cells. [`robustness`] disturbs the fields first.
//!
//! [`evaluate`] is used by `bloodseg eval`, and by the trainer, with its own methods where it has them.

pub mod crops;
pub mod disturb;
pub mod gated;
pub mod marks;
pub mod measures;
pub mod method;
pub mod objects;
pub mod panel;
pub mod pans;
pub mod report;
pub mod robustness;
pub mod robustness_table;
pub mod score;
pub mod set;
pub mod table;
pub mod worst_cells;

use crate::{
    measures::drift::{AreaDrift, Drift, area_drift},
    method::{Answers, Methods, perfect_mask},
    report::{FieldReport, Report},
    score::{FieldScore, Figures, summary},
    set::{EvalField, FieldSet},
    worst_cells::{WORST_CELLS, WorstCells},
};
use bloodseg_vision::{error::Result, frame::quality};

/// Evaluates every field of `set`. `each` is called for each field in order with the answers of `methods.model` and
/// `methods.float`, to write pictures or show progress; one field at a time is in memory.
///
/// # Errors
/// Those of an unreadable field, of the models, and of `each`. The first one ends the evaluation, because a mean over
/// only the readable fields would be misleading.
pub fn evaluate(
    set: &FieldSet,
    methods: &mut Methods<'_>,
    each: &mut dyn FnMut(&EvalField, &Answers) -> Result<()>,
) -> Result<Report> {
    let mut per_field = Vec::new();
    let (mut model, mut bicubic, mut perfect, mut float) = (vec![], vec![], vec![], vec![]);
    let (mut areas, mut worst) = (AreaDrift::default(), WorstCells::new(WORST_CELLS));
    let mut annotated_cells = 0;
    for pair in set.pairs() {
        let field = pair.load()?;
        annotated_cells += field.annotated_cells;
        let answers = Answers {
            model: methods.model.answer(&field.lr)?,
            float: methods.float.as_mut().map(|method| method.answer(&field.lr)).transpose()?,
        };
        let of_model = FieldScore::of(&field, &answers.model)?;
        let of_bicubic = FieldScore::of(&field, &methods.bicubic.answer(&field.lr)?)?;
        let mut report = FieldReport {
            field: field.name.clone(),
            quality: quality::judge(&field.lr),
            model: of_model.figures(),
            bicubic: of_bicubic.figures(),
            float: None,
            drift: None,
        };
        if let Some(answer) = &answers.float {
            let of_float = FieldScore::of(&field, answer)?;
            let of_areas = area_drift(&answer.labels, &answers.model.labels)?;
            report.float = Some(of_float.figures());
            report.drift = Some(drift(&of_model.figures(), &of_float.figures(), &of_areas));
            areas.add(&of_areas);
            float.push(of_float);
        }
        perfect.push(FieldScore::of_labels(&field, &perfect_mask(&field)?)?);
        model.push(of_model);
        bicubic.push(of_bicubic);
        worst.add(&field, &answers.model)?;
        each(&field, &answers)?;
        per_field.push(report);
    }
    let (figures, float) = (summary(&model), (!float.is_empty()).then(|| summary(&float)));
    let drift = float.as_ref().map(|float| drift(&figures, float, &areas));
    Ok(Report {
        fields: per_field.len(),
        annotated_cells,
        figures,
        bicubic: summary(&bicubic),
        perfect_mask: summary(&perfect),
        float,
        drift,
        per_field,
        worst_cells: worst.into_cells(),
    })
}

fn drift(int8: &Figures, float: &Figures, areas: &AreaDrift) -> Drift {
    let difference = |int8: Option<f64>, float: Option<f64>| Some(int8? - float?);
    Drift {
        psnr_db: difference(int8.psnr_db, float.psnr_db),
        dice: difference(int8.dice, float.dice),
        ap50: difference(int8.ap50, float.ap50),
        area_px: areas.mean_px(),
    }
}
