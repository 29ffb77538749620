//! Signatures of minisign over a whole bundle, and the keys that are trusted.

use std::fmt;

use ct_codecs::{Base64, Decoder};
use minisign_verify::{PublicKey, Signature};

use crate::error::{Error, Result};

/// Which key: eight bytes that the maker drew, written as the minisign tool writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// Public keys whose bundles are taken.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(KeyId, PublicKey)>);

impl Keys {
    /// Trusts one more: a line of base64, or the text of a key file. `origin` says where it is from.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no public key.
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
                found: "no public key of minisign".to_owned(),
                todo: "Write the line that begins with RW, as `bloodseg models keygen` prints it".into(),
            }),
        }
    }

    /// Whether none is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a signature says that it is of a trusted key; whether it holds is another question.
    pub fn know(&self, text: &str) -> bool {
        let id = text.lines().nth(1).and_then(id);
        id.is_some_and(|id| self.0.iter().any(|(known, _)| *known == id))
    }

    /// Checks that one of the keys signed `bytes`, and tells which. `text` is that of the signature's file, `origin` names
    /// the bundle in errors.
    ///
    /// # Errors
    /// [`Error::Bundle`] when none did, or when something was changed since.
    pub fn verify(&self, bytes: &[u8], text: &str, origin: &str) -> Result<KeyId> {
        let fault = |found: String, expected: &str, todo: &str| Err(Error::bundle(origin, found, expected, todo));
        if self.is_empty() {
            let todo = "Put the maker's public key into `[models] keys` of the config, or give --key FILE";
            return fault("a signature, but no key is trusted".into(), "a trusted key", todo);
        }
        // Four lines and no more; the decoder looks at three of them.
        let is_whole = text.starts_with("untrusted comment: ") && text.lines().count() == 4;
        let text = if is_whole { text } else { "" };
        let Some((signature, id)) = Signature::decode(text).ok().zip(text.lines().nth(1).and_then(id)) else {
            return fault("a signature that cannot be read".into(), "one of minisign", "");
        };
        let Some((_, key)) = self.0.iter().find(|(known, _)| *known == id) else {
            let known: Vec<String> = self.0.iter().map(|(id, _)| id.to_string()).collect();
            let expected = format!("one of {}", known.join(", "));
            return fault(format!("a signature of the key {id}"), &expected, "It is not among the trusted keys");
        };
        match key.verify(bytes, &signature, false) {
            Ok(()) => Ok(id),
            Err(e) => fault(format!("a signature of the key {id} that does not hold: {e}"), "an unchanged bundle", ""),
        }
    }
}

/// The id in a line of base64: after the two bytes of the algorithm, in keys and signatures alike.
fn id(line: &str) -> Option<KeyId> {
    let mut bytes = [0; 128];
    let bytes = Base64::decode(&mut bytes, line.trim(), None).ok()?;
    Some(KeyId(bytes.get(2..10)?.try_into().ok()?))
}
