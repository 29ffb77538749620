//! Random draws of the renderer.
//!
//! Based on the raw 64-bit output of one PCG generator, because the distributions of general libraries can change between
//! releases, and the committed fields must be reproducible for years.

use rand_pcg::{Pcg64Mcg, rand_core::Rng};

/// A seeded stream of draws.
#[derive(Debug, Clone)]
pub struct Draw(Pcg64Mcg);

impl Draw {
    /// A separate stream for each `purpose` of one `seed`, so that one part of a picture can draw more numbers without
    /// changing another.
    pub fn new(seed: u64, purpose: u64) -> Self {
        // The generator drops the two lowest bits of its state, so neighbouring seeds must be spread first.
        let state = (u128::from(spread(purpose ^ 0x5eed)) << 64) | u128::from(spread(seed));
        let mut draw = Self(Pcg64Mcg::new(state.rotate_left(32)));
        for _ in 0..8 {
            draw.0.next_u64();
        }
        draw
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in [`low`, `high`).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// An angle, in radians.
    pub fn angle(&mut self) -> f64 {
        self.between(0.0, std::f64::consts::TAU)
    }

    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A whole number from `low` to `high`, both included.
    pub fn whole(&mut self, low: u32, high: u32) -> u32 {
        low + (self.unit() * f64::from(high - low + 1)) as u32
    }

    /// A count with this `mean`: one of the two neighbouring whole numbers.
    pub fn count(&mut self, mean: f64) -> u32 {
        (mean * self.between(0.7, 1.3) + self.unit()) as u32
    }

    /// Mean 0, deviation 1, never beyond 3.5: the sum of four uniform 16-bit numbers, without a logarithm.
    pub fn normal(&mut self) -> f64 {
        let bits = self.0.next_u64();
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        (sum as f64 / 65535.0 - 2.0) * 3_f64.sqrt()
    }

    /// A seed for a texture.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// The finaliser of splitmix64: a bijective spread of 64 bits.
pub fn spread(value: u64) -> u64 {
    let mut hash = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_reproducible_and_differ_by_purpose() {
        let take = |seed, purpose| {
            let mut draw = Draw::new(seed, purpose);
            (0..8).map(|_| draw.seed()).collect::<Vec<_>>()
        };
        assert_eq!(take(5, 1), take(5, 1));
        assert_ne!(take(5, 1), take(5, 2));
        assert_ne!(take(5, 1), take(6, 1));
        assert_ne!(take(4, 1), take(5, 1));
    }

    #[test]
    fn normal_has_mean_zero_and_deviation_one() {
        let mut draw = Draw::new(1, 0);
        let values: Vec<f64> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }
}
