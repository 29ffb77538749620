//! Errors as exceptions of the package.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use bloodseg_bundles::error as bundles;
use bloodseg_vision::error::{self, ErrorKind, Parts};
use pyo3::{intern, prelude::*};

/// Why a picture has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Ours(error::Error),
    /// An exception that Python raised.
    Python(PyErr),
}

impl From<error::Error> for Failure {
    fn from(error: error::Error) -> Self {
        Self::Ours(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        failure.raised(None)
    }
}

impl Failure {
    /// As an exception; `index` is the number of the picture in a list.
    pub(crate) fn raised(self, index: Option<usize>) -> PyErr {
        match self {
            Self::Python(error) => error,
            Self::Ours(error) => {
                let error = match index {
                    Some(at) => error.at(Path::new(&format!("arrays[{at}]"))),
                    None => error,
                };
                raised(class(error.kind()), &error.to_string(), &error.parts(), index)
            }
        }
    }
}

/// An error of a bundle as an exception.
pub(crate) fn of_bundle(error: &bundles::Error) -> PyErr {
    let class = match error.kind() {
        bundles::ErrorKind::Bundle | bundles::ErrorKind::Held => "ModelError",
        bundles::ErrorKind::Key => "InputError",
        bundles::ErrorKind::Vision(kind) => class(kind),
        _ => "InternalError",
    };
    raised(class, &error.to_string(), &error.parts(), None)
}

/// Converts a panic in `run` to an error: as a Python panic it would bypass every `except Exception`.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(error::Error::internal("a panic", words(&*panic)).into()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Input => "InputError",
        ErrorKind::Model => "ModelError",
        _ => "InternalError",
    }
}

/// An exception of `bloodseg._errors`.
fn raised(class: &str, message: &str, parts: &Parts<'_>, index: Option<usize>) -> PyErr {
    Python::attach(|py| {
        let made = || {
            let class = py.import(intern!(py, "bloodseg._errors"))?.getattr(class)?;
            let [message, remedy] = [message, parts.remedy].map(in_python);
            class.call1((message, &parts.found, parts.expected, remedy, index))
        };
        made().map_or_else(|error: PyErr| error, PyErr::from_value)
    })
}

/// A message with its options named as in Python.
pub(crate) fn in_python(message: &str) -> String {
    let names =
        [("--um-per-px", "um_per_px"), ("--as-is", "as_is=True"), ("--models DIR", "models"), ("--models", "models")];
    names.into_iter().fold(message.to_owned(), |text, (flag, name)| text.replace(flag, name))
}
