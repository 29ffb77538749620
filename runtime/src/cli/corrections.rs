//! The validation in a bundle, which corrects the counts of its models.

use crate::error::{Error, Result};
use bloodseg_bundles::bundle::Contents;
use bloodseg_records::validation::Validation;
use bloodseg_vision::model::store::Models;

/// SHA-256 of both models, in the order of a validation.
pub(super) fn sha256(models: &Models) -> [String; 2] {
    [&models.ssr, &models.unet].map(|model| model.manifest.sha256.clone())
}

/// The validation in a bundle that is to be packed or installed; `origin` names the bundle in errors.
///
/// # Errors
/// [`ErrorKind::Model`](crate::error::ErrorKind::Model) if it cannot be read or is for other models.
pub(super) fn check(contents: &Contents, origin: &str) -> Result<Option<Validation>> {
    let Some(text) = &contents.validation else { return Ok(None) };
    let todo = "Validate these models with `bloodseg validate`, and pack them again";
    let validation = Validation::parse(text)
        .map_err(|found| Error::model(origin, found, "a validation of this version of bloodseg", todo))?;
    if validation.models_sha256 != sha256(&contents.models) {
        return Err(Error::model(origin, "a validation of other models", "one of the models beside it", todo));
    }
    Ok(Some(validation))
}

/// The validation of models that are in use. One that cannot be read must not stop a box: its counts stay uncorrected.
pub(super) fn of_running(text: Option<&str>) -> Option<Validation> {
    match Validation::parse(text?) {
        Ok(validation) => Some(validation),
        Err(found) => {
            log::warn!("counts are not corrected: the validation in the bundle of the models has {found}");
            None
        }
    }
}
