//! A model's manifest.

use bloodseg_vision::{
    error::ErrorKind,
    model::{
        gate,
        manifest::{Manifest, Role},
    },
};

/// The bytes are a manifest; its model is an empty file.
///
/// # Panics
/// If a fault is not reported as one of the model, or a manifest changes when written and read again.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let manifest = match Manifest::parse(text, "foreign") {
        Ok(manifest) => manifest,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            return false;
        }
    };
    for role in [Role::SuperResolution, Role::Segmentation] {
        if let Err(error) = gate::check(&manifest, role, &[], "foreign") {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        }
    }
    // As text, because a figure may be NaN, which equals nothing.
    let written = manifest.to_text().unwrap_or_default();
    let again = Manifest::parse(&written, "written").and_then(|manifest| manifest.to_text());
    assert!(again.is_ok_and(|again| again == written), "a manifest that does not stay as it was:\n{written}");
    true
}
