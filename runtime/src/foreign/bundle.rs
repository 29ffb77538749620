//! A bundle of models.

use sha2::{Digest, Sha256};

use bloodseg_bundles::{bundle, error::ErrorKind};

/// The bytes are a bundle without its final hash, which is appended as a forger would.
///
/// # Panics
/// If a fault is not reported as one of the model, or the members differ from the bytes that they were cut from.
pub fn meet(bytes: &[u8]) -> bool {
    let whole = [bytes, Sha256::digest(bytes).as_slice()].concat();
    // Without the right hash everything is rejected.
    assert!(bundle::parse(bytes, "foreign").is_err() || bytes.len() >= 32);
    match bundle::parse(&whole, "foreign") {
        Ok(parts) => {
            let again = bundle::pack(parts.members, parts.validation);
            assert_eq!(again.ok().as_deref(), Some(whole.as_slice()));
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Bundle, "{error}");
            false
        }
    }
}
