//! The models of a segmenter.

use std::path::Path;

use bloodseg_bundles::bundle::{self, signature::Keys};
use bloodseg_vision::{error::Error, model::store::Models};
use pyo3::prelude::*;

use crate::errors::{Failure, of_bundle};

/// Loads the models of a folder or a bundle; the built-in ones without a path.
///
/// # Errors
/// Those of the models, and of a key without a bundle.
pub(crate) fn load(path: Option<&Path>, key: Option<&str>) -> PyResult<Models> {
    let bundle = path.filter(|path| !path.is_dir() && path.exists());
    match (path, bundle) {
        (_, Some(bundle)) => {
            let keys = key.map(|text| {
                let mut keys = Keys::default();
                keys.add(text, "key").map(|()| keys)
            });
            let loaded = keys.transpose().and_then(|keys| bundle::load(bundle, keys.as_ref()));
            loaded.map(|contents| contents.models).map_err(|e| of_bundle(&e))
        }
        (path, None) if key.is_some() => {
            let place = path.map_or_else(|| "the built-in models".to_owned(), |path| path.display().to_string());
            let todo = "Pass the bundle that the key signed as models, or no key";
            Err(Failure::Ours(Error::picture(format!("a key for {place}"), "a bundle", todo)).into())
        }
        (Some(folder), None) => Models::load(folder).map_err(|e| Failure::Ours(e).into()),
        (None, None) => Models::embedded().map_err(|e| Failure::Ours(e).into()),
    }
}
