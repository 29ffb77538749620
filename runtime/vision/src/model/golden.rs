//! The golden input of a model: bytes that any machine can reproduce.
//!
//! All scales of the models are powers of two and all sums stay below 2^24, so float and integer engines produce the same
//! output bytes on every processor: the hash is exact, not approximate.

use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng, SeedableRng},
};

pub use crate::digest::sha256;

/// Name of the only generator, as in manifests.
pub const GENERATOR: &str = "pcg64mcg-bytes";

/// `len` bytes of the golden input, uniform over 0..=255, from `seed` (`Pcg64Mcg::seed_from_u64`).
pub fn input(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pcg64Mcg::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// Converts planes, as in the trainer and ONNX, to interleaved channels, as in the engine.
pub fn to_pixels(planes: &[u8], channels: usize) -> Vec<u8> {
    let count = planes.len() / channels.max(1);
    let mut pixels = vec![0; planes.len()];
    for (channel, plane) in planes.chunks_exact(count.max(1)).enumerate() {
        for (pixel, level) in pixels.chunks_exact_mut(channels.max(1)).zip(plane) {
            pixel[channel] = *level;
        }
    }
    pixels
}

/// The inverse of [`to_pixels`].
pub fn to_planes(pixels: &[u8], channels: usize) -> Vec<u8> {
    let count = pixels.len() / channels.max(1);
    let mut planes = vec![0; pixels.len()];
    for (channel, plane) in planes.chunks_exact_mut(count.max(1)).enumerate() {
        for (level, pixel) in plane.iter_mut().zip(pixels.chunks_exact(channels.max(1))) {
            *level = pixel[channel];
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::{to_pixels, to_planes};

    #[test]
    fn planes_and_pixels_round_trip() {
        assert_eq!(to_pixels(&[1, 2, 3, 4, 5, 6], 3), [1, 3, 5, 2, 4, 6]);
        assert_eq!(to_planes(&to_pixels(&[1, 2, 3, 4, 5, 6], 3), 3), [1, 2, 3, 4, 5, 6]);
        assert!(to_pixels(&[], 3).is_empty() && to_planes(&[], 2).is_empty());
    }
}
