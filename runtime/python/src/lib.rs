//! The Python package `bloodseg`: arrays in, labels and tables out. `docs/python.md` describes it.
//!
//! Everything is decided in [`bloodseg_vision`]; this crate converts. While a picture is analysed, other Python threads
//! run. A panic becomes an exception.

mod errors;
mod many;
mod models;
mod picture;
mod result;
mod segmenter;

use pyo3::prelude::*;

/// The native part of the package.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<segmenter::Segmenter>()
}
