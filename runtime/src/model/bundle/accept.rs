//! The way of a bundle from bytes to models that may be tried: container, signature, manifests, gate, in this order.

use super::{
    parse,
    signature::{KeyId, Keys},
};
use crate::{
    error::{Error, Result},
    model::{golden, slots::state::Origin, store::Models},
};

/// A bundle that has passed everything but the engine.
#[derive(Debug)]
pub struct Accepted {
    /// The bundle, whole.
    pub bytes: Vec<u8>,
    /// The text of its signature; none where it was taken without one.
    pub signature: Option<String>,
    /// The key that signed it.
    pub key_id: Option<KeyId>,
    /// What is in it.
    pub models: Models,
}

/// Takes a bundle in. With `unsigned`, a missing signature is no fault, nor one that no trusted key made; what was taken
/// so has no `key_id`.
///
/// # Errors
/// [`Error::Model`] with the first thing that is wrong. Nothing inside is read before the signature holds.
pub fn accept(
    bytes: Vec<u8>,
    signature: Option<String>,
    keys: &Keys,
    unsigned: bool,
    origin: &str,
) -> Result<Accepted> {
    let bundle = parse(&bytes, origin)?;
    let verified = match &signature {
        Some(text) => keys.verify(&bytes, text, origin).map(Some),
        None => {
            let todo = "Fetch the file NAME.minisig too, or take it without with --unsigned";
            Err(Error::model(origin, "no signature", "one of a trusted key", todo))
        }
    };
    let key_id = match verified {
        Err(_) if unsigned => None,
        verified => verified?,
    };
    let models = bundle.models(origin)?;
    // A signature that was not held against a key is not kept: it would seem to be one.
    let signature = signature.filter(|_| key_id.is_some());
    Ok(Accepted { bytes, signature, key_id, models })
}

impl Accepted {
    /// What goes on record of it when it is installed at `installed_utc`.
    pub fn origin(&self, installed_utc: String) -> Origin {
        Origin {
            bundle_sha256: golden::sha256(&self.bytes),
            installed_utc,
            key_id: self.key_id.map(|id| id.to_string()),
            ssr_version: self.models.ssr.manifest.version.clone(),
            unet_version: self.models.unet.manifest.version.clone(),
        }
    }
}
