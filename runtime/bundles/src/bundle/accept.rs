//! From the bytes of a bundle to models that can be tested: container, signature, manifests, gate, in this order.

use super::{
    Contents, parse,
    signature::{KeyId, Keys},
};
use crate::{
    error::{Error, Result},
    slots::state::Origin,
};
use bloodseg_vision::model::{golden, onnx_gate, store::Models};

/// A bundle that passed every check before the engine.
#[derive(Debug)]
pub struct Accepted {
    /// The complete bundle.
    pub bytes: Vec<u8>,
    /// The text of its signature; `None` if it was accepted without one.
    pub signature: Option<String>,
    /// The key that signed it.
    pub key_id: Option<KeyId>,
    /// Its contents.
    pub contents: Contents,
}

/// Validates a bundle. With `unsigned`, a missing signature or one by an untrusted key is accepted, and `key_id` is
/// `None`. A signature by a trusted key must be valid even then: if it is not, the bundle was modified.
///
/// # Errors
/// [`Error::Bundle`] with the first failed check. Nothing inside is read before the signature is verified.
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
            let todo = "Also fetch the file NAME.minisig, or pass --unsigned";
            Err(Error::bundle(origin, "no signature", "a signature by a trusted key", todo))
        }
    };
    let key_id = match verified {
        Err(_) if unsigned && signature.as_ref().is_none_or(|text| !keys.know(text)) => None,
        verified => verified?,
    };
    let contents = bundle.contents(origin)?;
    // An unverified signature is not stored, because it would look verified.
    let signature = signature.filter(|_| key_id.is_some());
    Ok(Accepted { bytes, signature, key_id, contents })
}

impl Accepted {
    /// Rejects models that cannot fit into `total_mib`, by their weights and the maps between their layers, as the gate
    /// computes them from the shapes before the engine plans anything. A run can still need more in total.
    ///
    /// # Errors
    /// [`Error::Bundle`] with both sizes.
    pub fn check_memory(&self, total_mib: f64, origin: &str) -> Result<()> {
        let Models { ssr, unet } = &self.contents.models;
        let (mut weight_bytes, mut map_bytes) = (0, 0);
        for model in [ssr, unet] {
            let need = onnx_gate::check(&model.onnx)
                .map_err(|fault| Error::bundle(origin, fault.found, fault.expected, ""))?
                .need;
            weight_bytes += need.weight_bytes;
            // The models run one after the other in one arena.
            map_bytes = need.least_map_bytes.max(map_bytes);
        }
        let mib = (weight_bytes + map_bytes) as f64 / 1_048_576.0;
        if mib <= total_mib {
            return Ok(());
        }
        let found = format!("models that need {mib:.1} MiB for weights and maps");
        Err(Error::bundle(
            origin,
            found,
            format!("at most budget.total_mib = {total_mib}"),
            "Raise it, or use smaller models",
        ))
    }

    /// The record of its installation at `installed_utc`.
    pub fn origin(&self, installed_utc: String) -> Origin {
        Origin {
            bundle_sha256: golden::sha256(&self.bytes),
            installed_utc,
            key_id: self.key_id.map(|id| id.to_string()),
            ssr_version: self.contents.models.ssr.manifest.version.clone(),
            unet_version: self.contents.models.unet.manifest.version.clone(),
        }
    }
}
