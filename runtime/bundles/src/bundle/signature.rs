//! Minisign signatures of whole bundles, and the trusted keys.

use std::fmt;

use ct_codecs::{Base64, Decoder};
use minisign_verify::{PublicKey, Signature};

use crate::error::{Error, Result};

/// The id of a key: eight random bytes, formatted like minisign does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// The trusted public keys.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(KeyId, PublicKey)>);

impl Keys {
    /// Adds a trusted key: a base64 line, or the text of a key file. `origin` says where it comes from.
    ///
    /// # Errors
    /// [`Error::Key`] if it is not a public key.
    pub fn add(&mut self, text: &str, origin: &str) -> Result<()> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("untrusted comment:"));
        let (line, more) = (lines.next().unwrap_or("").trim(), lines.next());
        let key = PublicKey::from_base64(line).ok().zip(id(line)).filter(|_| more.is_none());
        match key {
            Some((key, id)) => {
                self.0.push((id, key));
                Ok(())
            }
            None => Err(Error::Key {
                origin: origin.to_owned(),
                found: "not a minisign public key".to_owned(),
                todo: "Write the line that begins with RW, as `bloodseg models keygen` prints it".into(),
            }),
        }
    }

    /// Whether there are no trusted keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a signature claims to be by a trusted key. Does not verify it.
    pub fn know(&self, text: &str) -> bool {
        let id = text.lines().nth(1).and_then(id);
        id.is_some_and(|id| self.0.iter().any(|(known, _)| *known == id))
    }

    /// Verifies that a trusted key signed `bytes`, and returns its id. `text` is the signature file; `origin` names the
    /// bundle in errors.
    ///
    /// # Errors
    /// [`Error::Bundle`] if none did, or if the bundle was modified.
    pub fn verify(&self, bytes: &[u8], text: &str, origin: &str) -> Result<KeyId> {
        let fault = |found: String, expected: &str, todo: &str| Err(Error::bundle(origin, found, expected, todo));
        if self.is_empty() {
            let todo = "Add the maker's public key to `[models] keys` in the config, or give --key FILE";
            return fault("a signature, but there are no trusted keys".into(), "a trusted key", todo);
        }
        // Exactly four lines; the decoder reads three of them.
        let is_whole = text.starts_with("untrusted comment: ") && text.lines().count() == 4;
        let text = if is_whole { text } else { "" };
        let Some((signature, id)) = Signature::decode(text).ok().zip(text.lines().nth(1).and_then(id)) else {
            return fault("a signature that cannot be read".into(), "a minisign signature", "");
        };
        let Some((_, key)) = self.0.iter().find(|(known, _)| *known == id) else {
            let known: Vec<String> = self.0.iter().map(|(id, _)| id.to_string()).collect();
            let expected = format!("a signature by {}", known.join(", "));
            return fault(format!("a signature by key {id}"), &expected, "It is not among the trusted keys");
        };
        match key.verify(bytes, &signature, false) {
            Ok(()) => Ok(id),
            Err(e) => fault(format!("an invalid signature by key {id}: {e}"), "an unchanged bundle", ""),
        }
    }
}

/// The id in a base64 line: it follows the two algorithm bytes, in keys and signatures alike.
fn id(line: &str) -> Option<KeyId> {
    let mut bytes = [0; 128];
    let bytes = Base64::decode(&mut bytes, line.trim(), None).ok()?;
    Some(KeyId(bytes.get(2..10)?.try_into().ok()?))
}
