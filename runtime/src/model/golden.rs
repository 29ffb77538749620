//! The golden input of a model: bytes that any machine can make again.
//!
//! All scales of the models are powers of two and all sums stay below 2^24, so float and integer
//! engines, on every processor, give the same output bytes: the hash is exact, not approximate.

use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

/// Name of the only generator there is, as the manifest writes it.
pub const GENERATOR: &str = "pcg64mcg-bytes";

/// `len` bytes of the golden input, uniform over 0..=255, from `seed` (`Pcg64Mcg::seed_from_u64`).
pub fn input(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pcg64Mcg::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// SHA-256 of `bytes`, lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
