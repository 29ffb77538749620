//! The segmenter of the package.

use std::{
    ffi::OsStr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use bloodseg_vision::{
    analyser::{Analyser, Options},
    error::Error,
    frame::limits::MAX_PICTURE_SIDE_PX,
};
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    errors::{Failure, guarded},
    many, models, picture,
    result::Taken,
};

/// Finds cells in pictures, with models that are loaded once. Several threads may use it at a time.
#[pyclass(module = "bloodseg", frozen)]
pub(crate) struct Segmenter {
    /// Copied for each call: the copy shares the weights.
    analyser: Mutex<Analyser>,
    models: Option<PathBuf>,
    key: Option<String>,
}

#[pymethods]
impl Segmenter {
    #[new]
    #[pyo3(signature = (um_per_px=None, *, as_is=false, any_quality=false, models=None, key=None, most_bytes=None))]
    fn new(
        py: Python<'_>,
        um_per_px: Option<Bound<'_, PyAny>>,
        as_is: bool,
        any_quality: bool,
        models: Option<PathBuf>,
        key: Option<String>,
        most_bytes: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let um_per_px = um_per_px.map(|um_per_px| many::number("um_per_px", &um_per_px)).transpose()?;
        let most_bytes = most_bytes.map(|bytes| many::within("most_bytes", &bytes, 0, u64::MAX)).transpose()?;
        let options = Options { um_per_px, as_is, any_quality, most_bytes, threads: 1 };
        let loaded = models::load(models.as_deref(), key.as_deref())?;
        let analyser = py.detach(|| guarded(|| Ok(Analyser::new(&loaded, options)?)))?;
        Ok(Self { analyser: Mutex::new(analyser), models, key })
    }

    /// Finds the cells of one picture.
    fn segment(&self, py: Python<'_>, array: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let picture = guarded(|| picture::read(array))?;
        let taken = py.detach(|| {
            guarded(|| {
                let mut analyser = self.another()?;
                analyser.analyse(&picture)?;
                Taken::of(&mut analyser)
            })
        })?;
        taken.into_python(py)
    }

    /// Finds the cells of pictures of one microscope, which share their scale, on several threads.
    #[pyo3(signature = (arrays, *, threads=None, return_exceptions=false))]
    fn segment_many(
        &self,
        py: Python<'_>,
        arrays: &Bound<'_, PyAny>,
        threads: Option<Bound<'_, PyAny>>,
        return_exceptions: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let arrays = many::listed(arrays)?;
        let threads = many::threads(threads.as_ref(), arrays.len())?;
        let analyser = self.another().map_err(PyErr::from)?;
        many::segment(py, analyser, &arrays, threads, return_exceptions)
    }

    /// Most bytes that the analysis of a picture takes, with the models and the result, without the picture itself.
    fn memory_bytes(&self, width: Bound<'_, PyAny>, height: Bound<'_, PyAny>) -> PyResult<u64> {
        let side = |name: &str, px: &Bound<'_, PyAny>| many::within(name, px, 1, MAX_PICTURE_SIDE_PX.into());
        let (width, height) = (side("width", &width)?, side("height", &height)?);
        let found = || format!("a picture of {width} x {height} pixels");
        picture::check_sides(width as usize, height as usize, found)
            .map_err(|error| PyErr::from(Failure::Ours(error)))?;
        Ok(self.analyser().memory_bytes(width as u32, height as u32))
    }

    #[getter]
    fn um_per_px(&self) -> Option<f64> {
        self.analyser().options().um_per_px
    }

    #[getter]
    fn as_is(&self) -> bool {
        self.analyser().options().as_is
    }

    #[getter]
    fn any_quality(&self) -> bool {
        self.analyser().options().any_quality
    }

    #[getter]
    fn most_bytes(&self) -> Option<u64> {
        self.analyser().options().most_bytes
    }

    /// The folder or bundle of its models; None for the built-in ones.
    #[getter]
    fn models(&self) -> Option<&OsStr> {
        self.models.as_ref().map(|path| path.as_os_str())
    }

    #[getter]
    fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// For pickle: Dask sends a segmenter to its workers, which load the models again.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<((Option<f64>,), Bound<'py, PyDict>)> {
        let Options { um_per_px, as_is, any_quality, most_bytes, .. } = *self.analyser().options();
        let named = PyDict::new(py);
        named.set_item("as_is", as_is)?;
        named.set_item("any_quality", any_quality)?;
        named.set_item("models", self.models.as_ref().map(|path| path.as_os_str()))?;
        named.set_item("key", self.key.as_deref())?;
        named.set_item("most_bytes", most_bytes)?;
        Ok(((um_per_px,), named))
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        let models = self.models.as_ref().map_or_else(|| "built-in".to_owned(), |path| path.display().to_string());
        let Options { um_per_px, as_is, any_quality, most_bytes, .. } = *self.analyser().options();
        let mut words = format!("<bloodseg.Segmenter: models {models}");
        let numbers =
            [("um_per_px", um_per_px.map(|um| um.to_string())), ("most_bytes", most_bytes.map(|b| b.to_string()))];
        for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            words += &format!(", {name}={value}");
        }
        for (name, is_set) in [("as_is", as_is), ("any_quality", any_quality)] {
            if is_set {
                words += &format!(", {name}=True");
            }
        }
        PyString::new(py, &(words + ">"))
    }
}

impl Segmenter {
    fn analyser(&self) -> std::sync::MutexGuard<'_, Analyser> {
        // It is never modified, so a poisoned lock is harmless.
        self.analyser.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn another(&self) -> Result<Analyser, Failure> {
        self.analyser().another().map_err(|e: Error| e.into())
    }
}
