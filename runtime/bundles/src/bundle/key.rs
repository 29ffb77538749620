//! The secret key of a bundle maker, in minisign format, without a password.

use blake2::{Blake2b512, Digest};
use ct_codecs::{Base64, Decoder, Encoder};
use ed25519_compact::{KeyPair, Seed};

use super::signature::KeyId;
use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// Signs with Ed25519, the algorithm of all minisign keys.
const ALGORITHM: [u8; 2] = *b"Ed";

/// Ed25519 over BLAKE2b-512 of the file.
const PREHASHED: [u8; 2] = *b"ED";

/// BLAKE2b, for the checksum of the key.
const CHECKSUM: [u8; 2] = *b"B2";

/// Bytes of the salt and limits for password derivation; zeros without a password.
const DERIVATION_BYTES: usize = 32 + 8 + 8;

/// Bytes of a whole key: algorithm, derivation, checksum algorithm, its parameters, id, seed and public key, checksum.
const KEY_BYTES: usize = 2 + 2 + 2 + DERIVATION_BYTES + 8 + 64 + 32;

/// A signing key.
pub struct SecretKey {
    id: [u8; 8],
    pair: KeyPair,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never print the secret.
        write!(f, "SecretKey({})", self.id())
    }
}

impl SecretKey {
    /// A new key from the system's random number generator.
    ///
    /// # Errors
    /// [`Error::Vision`] if the system has none.
    pub fn generate() -> Result<Self> {
        let (mut id, mut seed) = ([0; 8], [0; 32]);
        let filled = getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut seed));
        filled.map_err(|e| Error::internal("random number generator", Cause::of(e)))?;
        Ok(Self { id, pair: KeyPair::from_seed(Seed::new(seed)) })
    }

    /// Parses a minisign key file; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Bundle`] for anything but a key without a password.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let fault = |found: &str, todo: &str| {
            Err(Error::bundle(origin, found, "a minisign secret key without a password", todo))
        };
        let mut lines = text.lines();
        let (comment, line) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        if !comment.starts_with("untrusted comment: ") {
            return fault("not a key", "`bloodseg models keygen` creates one");
        }
        let mut bytes = [0; KEY_BYTES];
        if Base64::decode(&mut bytes, line.trim_end(), None).map(<[u8]>::len) != Ok(KEY_BYTES) {
            return fault("a truncated or damaged key", "");
        }
        let (head, rest) = bytes.split_at(6 + DERIVATION_BYTES);
        if head.get(..2) != Some(&ALGORITHM) || head.get(4..6) != Some(&CHECKSUM) {
            return fault("a key with another algorithm", "");
        }
        if head.get(2..4) != Some(&[0, 0]) {
            let todo = "Pack without --key, then sign with minisign -Sm BUNDLE";
            return fault("a key with a password", todo);
        }
        let [id @ .., _, _, _, _, _, _, _, _] = rest.first_chunk::<16>().copied().unwrap_or_default();
        let pair = rest.get(8..72).and_then(|pair| KeyPair::from_slice(pair).ok());
        let Some(pair) = pair.filter(|pair| KeyPair::from_seed(pair.sk.seed()).pk == pair.pk) else {
            return fault("a key whose public and secret parts do not match", "");
        };
        let key = Self { id, pair };
        let checksum = rest.get(72..).unwrap_or_default();
        // minisign writes no checksum if there is no password.
        if checksum.iter().any(|byte| *byte != 0) && checksum != key.checksum() {
            return fault("a damaged key", "");
        }
        Ok(key)
    }

    /// The text of a key file.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(KEY_BYTES);
        bytes.extend(ALGORITHM);
        bytes.extend([0, 0]);
        bytes.extend(CHECKSUM);
        bytes.extend([0; DERIVATION_BYTES]);
        bytes.extend(self.id);
        bytes.extend(*self.pair.sk);
        bytes.extend(self.checksum());
        format!("untrusted comment: bloodseg secret key {}\n{}\n", self.id(), encode(&bytes))
    }

    /// The line of the public key, as `[models] keys` of the config takes it.
    pub fn public_line(&self) -> String {
        encode(&[ALGORITHM.as_slice(), &self.id, &*self.pair.pk].concat())
    }

    /// The text of the public key file.
    pub fn public_text(&self) -> String {
        format!("untrusted comment: bloodseg public key {}\n{}\n", self.id(), self.public_line())
    }

    /// The id of the key.
    pub fn id(&self) -> KeyId {
        KeyId(self.id)
    }

    /// The signature file of `bytes`; `name` is the file name, which is signed too.
    pub fn sign(&self, bytes: &[u8], name: &str) -> String {
        let signature = self.pair.sk.sign(Blake2b512::digest(bytes), None);
        // Keep it on one line: a name can contain anything.
        let name: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
        let comment = format!("file:{name}\thashed");
        let whole = self.pair.sk.sign([signature.as_slice(), comment.as_bytes()].concat(), None);
        let line = encode(&[PREHASHED.as_slice(), &self.id, signature.as_slice()].concat());
        let id = self.id();
        let whole = encode(whole.as_slice());
        format!("untrusted comment: signature from bloodseg key {id}\n{line}\ntrusted comment: {comment}\n{whole}\n")
    }

    /// BLAKE2b-256 of algorithm, id and key.
    fn checksum(&self) -> [u8; 32] {
        let mut hash = blake2::Blake2b::<blake2::digest::consts::U32>::new();
        hash.update(ALGORITHM);
        hash.update(self.id);
        hash.update(*self.pair.sk);
        hash.finalize().into()
    }
}

fn encode(bytes: &[u8]) -> String {
    // Only fails for lengths above half of the address space.
    Base64::encode_to_string(bytes).unwrap_or_default()
}
