//! The Python package `bloodseg`: arrays in, labels and tables out. `docs/python.md` describes it.
//!
//! All logic is in [`bloodseg_vision`]; this crate converts. Other Python threads run while a picture is analysed. A
//! panic becomes an exception.

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
