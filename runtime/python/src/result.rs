//! Results as Python objects.

use bloodseg_vision::{
    analyser::{Analyser, Found},
    cells::{
        Cell, Counts, Labels,
        row::{self, Value},
    },
    error::Error,
    pipeline::Analysis,
    placement::Scaled,
    scale::Note,
};
use image::RgbImage;
use numpy::{IntoPyArray, PyArray1, PyArrayMethods};
use pyo3::{
    IntoPyObjectExt, intern,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::errors::{Failure, in_python};

/// The result for one picture, taken from the analyser.
#[derive(Debug)]
pub(crate) struct Taken {
    picture: RgbImage,
    labels: Labels,
    cells: Vec<Cell>,
    counts: Option<Counts>,
    is_counted: bool,
    verdict: &'static str,
    reason: String,
    scale: Option<f64>,
    scaled: Scaled,
    is_outlier: bool,
    with_um: bool,
}

impl Taken {
    /// Takes the latest result, and leaves the analyser the memory that it does not need.
    ///
    /// # Errors
    /// [`Error::Internal`] without one.
    pub(crate) fn of(analyser: &mut Analyser) -> Result<Self, Failure> {
        // As in the tables of `bloodseg segment`.
        let with_um = analyser.options().um_per_px.is_some() || !analyser.options().as_is;
        let found: Found<'_> = analyser.latest().ok_or_else(|| Error::internal("result", "no analysis"))?;
        let mut taken = Self {
            picture: RgbImage::default(),
            labels: Labels::default(),
            cells: Vec::new(),
            counts: found.counts(),
            is_counted: found.is_counted(),
            verdict: found.verdict().name(),
            reason: found.reason(),
            scale: found.scale(),
            scaled: *found.scaled(),
            is_outlier: matches!(found.note(), Some(Note::Outlier { .. })),
            with_um,
        };
        let mut analysis = analyser.exchange(Analysis::default());
        taken.picture = std::mem::take(&mut analysis.sr);
        taken.labels = std::mem::take(&mut analysis.labels);
        // A copy, because the vector has capacity for every cell that a picture can have.
        taken.cells = analysis.cells.clone();
        analyser.exchange(analysis);
        Ok(taken)
    }

    /// Converts to a Python object. Arrays take over the memory.
    ///
    /// # Errors
    /// Those of Python.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let fields = PyDict::new(py);
        let (width, height) = (self.picture.width() as usize, self.picture.height() as usize);
        fields.set_item(intern!(py, "cells"), self.table(py)?)?;
        let labels = PyArray1::from_vec(py, self.labels.into_raw()).reshape([height, width])?;
        fields.set_item(intern!(py, "labels"), labels)?;
        let picture = PyArray1::from_vec(py, self.picture.into_raw()).reshape([height, width, 3])?;
        fields.set_item(intern!(py, "picture"), picture)?;
        let counts = self.counts;
        let supported = counts.map(|counts| counts.cells - counts.unsupported);
        let counted = [
            ("count", counts.map(|counts| counts.cells)),
            ("red", counts.and_then(|counts| counts.red)),
            ("white", counts.and_then(|counts| counts.white)),
            ("platelets", counts.and_then(|counts| counts.platelets)),
            ("supported", supported),
            ("unsupported", counts.map(|counts| counts.unsupported)),
        ];
        counted.into_iter().try_for_each(|(name, count)| fields.set_item(name, count))?;
        fields.set_item("is_counted", self.is_counted)?;
        fields.set_item("verdict", self.verdict)?;
        fields.set_item("reason", in_python(&self.reason))?;
        fields.set_item("scale", self.scale)?;
        fields.set_item("um_per_px", self.scaled.um_per_px)?;
        fields.set_item("um_per_px_range", self.scaled.um_per_px_range.map(|[low, high]| (low, high)))?;
        fields.set_item("pitch_source", self.scaled.source.name())?;
        fields.set_item("is_outlier", self.is_outlier)?;
        let [x_px, y_px] = self.scaled.placement.start_px;
        fields.set_item("start_px", (x_px, y_px))?;
        fields.set_item("input_px_per_sr_px", self.scaled.placement.input_px_per_sr_px())?;
        let class = py.import(intern!(py, "bloodseg._result"))?.getattr(intern!(py, "Result"))?;
        Ok(class.call((), Some(&fields))?.unbind())
    }

    /// The columns of `cells.csv` without the picture, rounded as in the file.
    fn table<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Self { scaled, with_um, .. } = self;
        let value = |cell| row::values(cell, &scaled.placement, scaled.um_per_sr_px(), *with_um);
        let rows: Vec<Vec<Value>> = self.cells.iter().map(value).collect();
        let table = PyDict::new(py);
        for (at, name) in row::columns(*with_um).into_iter().enumerate() {
            let values = rows.iter().filter_map(|row| row.get(at));
            table.set_item(name, column(py, name, values)?)?;
        }
        Ok(table)
    }
}

/// A column as an array. Unknown values are NaN.
fn column<'py, 'a>(
    py: Python<'py>,
    name: &str,
    values: impl Iterator<Item = &'a Value> + Clone,
) -> PyResult<Bound<'py, PyAny>> {
    let count = |value: &Value| if let Value::Count(count) = value { *count } else { 0 };
    let truth = |value: &Value| matches!(value, Value::Truth(true));
    let word = |value: &Value| if let Value::Word(word) = value { *word } else { "" };
    match row::kind_of_column(name) {
        row::ColumnKind::Count => values.map(count).collect::<Vec<u32>>().into_pyarray(py).into_bound_py_any(py),
        row::ColumnKind::Truth => values.map(truth).collect::<Vec<bool>>().into_pyarray(py).into_bound_py_any(py),
        row::ColumnKind::Word => {
            let words = PyList::new(py, values.map(word).collect::<Vec<_>>())?;
            py.import(intern!(py, "numpy"))?.call_method1(intern!(py, "array"), (words, intern!(py, "str")))
        }
        row::ColumnKind::Measure => {
            let measures: Vec<f64> = values.map(|value| value.rounded().unwrap_or(f64::NAN)).collect();
            measures.into_pyarray(py).into_bound_py_any(py)
        }
    }
}
