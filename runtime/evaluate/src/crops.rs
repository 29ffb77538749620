//! Pictures of every true cell beside the prediction, with one row of `cells.csv` each.

use std::{collections::BTreeMap, f64::consts::PI, io::Write, path::PathBuf};

use crate::{
    measures::{drift::cell_area_drift_px, instances::nearest},
    method::Answers,
    panel,
    set::EvalField,
};
use bloodseg_durable::AtomicFile;
use bloodseg_vision::{
    consistency::Consistency,
    error::{Cause, Error, Result},
    pictures::write_rgb,
};

/// Name of the table in its folder.
pub const TABLE: &str = "cells.csv";

/// Columns of the table. `iou` is that with the best-fitting predicted cell, matched or not. Areas and diameters are on
/// the 256x256 grid; a diameter is that of the disk of the same area. `consistency_levels`, `supported` (see
/// [`bloodseg_vision::support`]) and `area_drift_px` refer to that predicted cell; the last is its area minus that of the
/// matching cell of the float twin. All three are empty if there is no such cell.
pub const COLUMNS: [&str; 12] = [
    "field",
    "cell",
    "matched",
    "iou",
    "true_area_px",
    "predicted_area_px",
    "true_diameter_px",
    "predicted_diameter_px",
    "consistency_levels",
    "supported",
    "area_drift_px",
    "picture",
];

/// The folder being written; the table appears with [`CellCrops::end`].
#[derive(Debug)]
pub struct CellCrops {
    folder: PathBuf,
    table: csv::Writer<AtomicFile>,
}

impl CellCrops {
    /// Starts in `folder`, which is created if missing.
    ///
    /// # Errors
    /// [`Error::Output`] if the folder cannot be written to.
    pub fn begin(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(|e| Error::output(&folder, e))?;
        let mut this = Self { table: csv::Writer::from_writer(AtomicFile::create(&folder.join(TABLE))?), folder };
        this.row(&COLUMNS.map(str::to_owned))?;
        Ok(this)
    }

    /// Adds the true cells of a field: `FIELD_CELL.png` and one row each. Cells keep their numbers from the full-size
    /// mask.
    ///
    /// # Errors
    /// [`Error::Output`] if a file cannot be written.
    pub fn add(&mut self, field: &EvalField, answers: &Answers) -> Result<()> {
        let answer = &answers.model;
        let consistency = Consistency::new(&field.lr, &answer.sr)?.cells(&answer.labels)?;
        let drift_px = match &answers.float {
            Some(float) => cell_area_drift_px(&float.labels, &answer.labels)?,
            None => BTreeMap::new(),
        };
        for cell in nearest(&field.truth, &answer.labels)? {
            let Some(crop) = panel::of_cell(field, answer, cell.truth) else { continue };
            let name = format!("{}_{:04}.png", field.name, cell.truth);
            write_rgb(&self.folder.join(&name), &crop)?;
            let own = cell.predicted.and_then(|label| consistency.get(usize::from(label).checked_sub(1)?));
            let drift_px = cell.predicted.and_then(|label| drift_px.get(&label));
            self.row(&[
                field.name.clone(),
                cell.truth.to_string(),
                cell.matched.to_string(),
                format!("{:.4}", cell.iou),
                cell.truth_area_px.to_string(),
                cell.predicted_area_px.to_string(),
                format!("{:.2}", diameter_px(cell.truth_area_px)),
                format!("{:.2}", diameter_px(cell.predicted_area_px)),
                own.map_or_else(String::new, |own| format!("{:.2}", own.levels)),
                own.map_or_else(String::new, |own| own.supported().to_string()),
                drift_px.map_or_else(String::new, i64::to_string),
                name,
            ])?;
        }
        Ok(())
    }

    /// Moves the table into place.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be stored.
    pub fn end(self) -> Result<()> {
        let path = self.folder.join(TABLE);
        let mut file = self.table.into_inner().map_err(|e| Error::output(&path, e.into_error()))?;
        file.flush().map_err(|e| Error::output(&path, e))?;
        Ok(file.commit()?)
    }

    fn row(&mut self, cells: &[String; COLUMNS.len()]) -> Result<()> {
        self.table.write_record(cells).map_err(|e| Error::output(&self.folder.join(TABLE), Cause::of(e)))
    }
}

fn diameter_px(area_px: u32) -> f64 {
    (4.0 * f64::from(area_px) / PI).sqrt()
}
