//! From a 32-bit sum to an 8-bit level: the same bits everywhere.
//!
//! `level = clamp(round_half_even(f32(sum) * scale) + zero_point, lowest, highest)`, the definition of ONNX's
//! `QuantizeLinear` with the scales combined into one. `f32(sum)` and the product are one IEEE 754 rounding each, so
//! every processor agrees. With power-of-two scales and sums below 2^24, only the final rounding rounds at all.

/// Output channels computed at a time.
pub const BLOCK: usize = 16;

/// Converts the sums of up to [`BLOCK`] output channels to levels. Unused channels have bias and scale 0.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Requant {
    /// Added to the sum, in its steps.
    pub bias: [i32; BLOCK],
    /// Output steps per step of the sum.
    pub scale: [f32; BLOCK],
    /// Level of zero.
    pub zero_point: u8,
    /// Least level.
    pub lowest: u8,
    /// Greatest level.
    pub highest: u8,
}

impl Requant {
    /// The level of one channel for a sum without its bias.
    #[inline]
    pub fn level(&self, channel: usize, sum: i32) -> u8 {
        let real = (sum + self.bias[channel]) as f32 * self.scale[channel];
        let level = round_half_even(real) + i32::from(self.zero_point);
        level.clamp(i32::from(self.lowest), i32::from(self.highest)) as u8
    }
}

/// Rounds to the nearest integer, ties to even; values beyond 2^15 are clamped first.
///
/// Adding 1.5 * 2^23 leaves no bits for a fraction, so the addition itself rounds. This works on every baseline
/// processor.
#[inline]
pub fn round_half_even(real: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    let near = real.clamp(-32_768.0, 32_767.0);
    (near + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::round_half_even;

    #[test]
    fn ties_round_to_even_and_large_values_clamp() {
        let rounded = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49, -0.51, 1e9, -1e9].map(round_half_even);
        assert_eq!(rounded, [0, 2, 2, 0, -2, 0, -1, 32_767, -32_768]);
    }

    proptest! {
        #[test]
        fn matches_std_round_ties_even(real in -32_768.0f32..32_767.0) {
            prop_assert_eq!(round_half_even(real), real.round_ties_even() as i32);
        }
    }
}
