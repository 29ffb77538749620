//! `bloodseg eval`: all measures on a folder of fields with masks.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{print, session::Session};
use crate::error::{Error, Result};
use bloodseg_evaluate::{
    crops::CellCrops,
    method::Methods,
    panel, pans,
    report::Report,
    robustness::{self, RobustnessRow},
    robustness_table,
    set::FieldSet,
    table, worst_cells,
};
use bloodseg_vision::{model::store::Models, pictures, pipeline::Pipeline};

/// Arguments of `eval`.
///
/// DIR contains full-resolution fields: img/NAME.png (or .jpg) with mask/NAME.png. Each goes through the reference
/// preparation (centre square, bicubic to 64x64) and the models; every measure is printed beside its bicubic baseline.
#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// Folder with img/ and mask/
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,

    /// Write pictures of the worst fields and of the ten worst cells here: low resolution, super-resolved, high
    /// resolution, outlines (true green, predicted magenta, both white)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Number of fields for --out
    #[arg(long, value_name = "N", default_value_t = 3, requires = "out")]
    worst: usize,

    /// Write a picture of every true cell beside the prediction here, and cells.csv with one row each: fit, agreement
    /// with the input, drift of its area
    #[arg(long, value_name = "DIR")]
    cells: Option<PathBuf>,

    /// Folder with the float twins of the models, for the drift rows [default: `float/` in the models' folder]
    #[arg(long, value_name = "DIR")]
    float_models: Option<PathBuf>,

    /// Count cells also in fields that are out of focus, empty, or badly exposed
    #[arg(long)]
    any_quality: bool,

    /// Also evaluate the models on blurred, noisy, badly exposed, compressed, off-colour, pale and magnified fields, each
    /// in four strengths; takes as long as 33 evaluations
    #[arg(long)]
    robustness: bool,

    /// Only measure whether cells are counted once: move a window over the fields, as a stage moves a specimen, and report
    /// how many cells are counted twice or left out
    #[arg(long, conflicts_with_all = ["out", "cells", "float_models", "any_quality", "robustness"])]
    pans: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    robustness: Option<&'a [RobustnessRow]>,
}

/// Runs the command.
///
/// # Errors
/// The first unusable field: a mean over the others would be a different figure.
pub(super) fn run(session: &Session, args: &EvalArgs) -> Result<()> {
    let set = FieldSet::open(&args.folder)?;
    if args.pans {
        return pan(session, &set, args.json);
    }
    let float = match &args.float_models {
        Some(folder) => Some(Models::load(folder)?),
        None => match session.models_dir().map(|folder| folder.join("float")) {
            Some(folder) if has_models(&folder) => Some(Models::load(&folder)?),
            _ => None,
        },
    };
    let mut methods = Methods::load(&session.models()?, float.as_ref())?;
    let robustness = if args.robustness { Some(disturb(session, &set, &mut methods)?) } else { None };
    if !args.any_quality {
        methods = methods.gated();
    }
    let mut crops = args.cells.clone().map(CellCrops::begin).transpose()?;

    let bar = print::progress(set.pairs().len(), "fields", session.quiet);
    let report = bloodseg_evaluate::evaluate(&set, &mut methods, &mut |field, answers| {
        if let Some(crops) = &mut crops {
            crops.add(field, answers)?;
        }
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    let report = report?;
    if let Some(crops) = crops {
        crops.end()?;
    }
    if let Some(folder) = &args.out {
        write_worst(&set, &mut methods, &report, args.worst, folder)?;
        worst_cells::write(&set, methods.model.as_mut(), &report.worst_cells, folder)?;
    }
    if args.json {
        let printed = Printed { report: &report, robustness: robustness.as_deref() };
        print::json("eval", &printed)?;
    } else {
        print::line(table::render(&report).trim_end());
        if let Some(rows) = &robustness {
            print::line(format_args!("\n{}", robustness_table::render(rows).trim_end()));
        }
    }
    Ok(())
}

/// The pans of a set, through the models as they count any frame.
fn pan(session: &Session, set: &FieldSet, json: bool) -> Result<()> {
    let mut pipeline = Pipeline::load(&session.models()?)?;
    let bar = print::progress(pans::frames(set.pairs().len()), "frames", session.quiet);
    let found = pans::pans(set, &mut pipeline, &mut || bar.inc(1));
    bar.finish_and_clear();
    let found = found?;
    match json {
        true => print::json("eval", &found)?,
        false => print::line(pans::render(&found).trim_end()),
    }
    Ok(())
}

/// The model on the disturbed fields, without the quality check: each row has the figures with and without it.
fn disturb(session: &Session, set: &FieldSet, methods: &mut Methods<'_>) -> Result<Vec<RobustnessRow>> {
    let bar = print::progress(robustness::runs(set.pairs().len()), "disturbed fields", session.quiet);
    let rows = robustness::robustness(set, methods.model.as_mut(), &mut || bar.inc(1));
    bar.finish_and_clear();
    Ok(rows?)
}

fn has_models(folder: &Path) -> bool {
    ["ssr.onnx", "unet.onnx"].iter().all(|name| folder.join(name).is_file())
}

/// The worst fields are analysed again, because keeping the pictures of all would need unbounded memory.
fn write_worst(set: &FieldSet, methods: &mut Methods<'_>, report: &Report, most: usize, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
    for (place, pair) in (1..).zip(report.worst(most).into_iter().filter_map(|name| set.pair(name))) {
        let field = pair.load()?;
        let answer = methods.model.answer(&field.lr)?;
        let path = folder.join(format!("worst_{place:02}_{}.png", pair.name));
        pictures::write_rgb(&path, &panel::of_field(&field, &answer))?;
    }
    Ok(())
}
