//! The way of a bundle from bytes to models that may be tried: container, signature, manifests, gate, in this order.

use super::{
    parse,
    signature::{KeyId, Keys},
};
use crate::{
    error::{Error, Result},
    slots::state::Origin,
};
use bloodseg_vision::model::{golden, onnx_gate, store::Models};

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

/// Takes a bundle in. With `unsigned`, a missing signature is no fault, nor one of a key that is not trusted; what was taken
/// so has no `key_id`. A signature of a trusted key must hold all the same: where it does not, something was changed.
///
/// # Errors
/// [`Error::Bundle`] with the first thing that is wrong. Nothing inside is read before the signature holds.
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
            Err(Error::bundle(origin, "no signature", "one of a trusted key", todo))
        }
    };
    let key_id = match verified {
        Err(_) if unsigned && signature.as_ref().is_none_or(|text| !keys.know(text)) => None,
        verified => verified?,
    };
    let models = bundle.models(origin)?;
    // A signature that was not held against a key is not kept: it would seem to be one.
    let signature = signature.filter(|_| key_id.is_some());
    Ok(Accepted { bytes, signature, key_id, models })
}

impl Accepted {
    /// Refuses models that cannot fit into `total_mib`: their weights and the maps between their layers, as the gate reckons
    /// them from the shapes, before an engine plans anything. What fits here may still be too much with all the rest.
    ///
    /// # Errors
    /// [`Error::Bundle`] with both figures.
    pub fn check_memory(&self, total_mib: f64, origin: &str) -> Result<()> {
        let Models { ssr, unet } = &self.models;
        let (mut weight_bytes, mut map_bytes) = (0, 0);
        for model in [ssr, unet] {
            let need = onnx_gate::check(&model.onnx)
                .map_err(|fault| Error::bundle(origin, fault.found, fault.expected, ""))?
                .need;
            weight_bytes += need.weight_bytes;
            // One runs after the other, in one arena.
            map_bytes = need.least_map_bytes.max(map_bytes);
        }
        let mib = (weight_bytes + map_bytes) as f64 / 1_048_576.0;
        if mib <= total_mib {
            return Ok(());
        }
        let found = format!("models that need {mib:.1} MiB for weights and maps alone");
        Err(Error::bundle(
            origin,
            found,
            format!("at most budget.total_mib = {total_mib}"),
            "Raise it, or use smaller models",
        ))
    }

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
