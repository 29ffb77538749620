//! A quantized convolution before a kernel packs it.

use crate::{
    map::Shape,
    requant::{BLOCK, Requant},
};

/// Largest supported kernel edge.
pub const MAX_KERNEL: usize = 7;

/// Sums, including the bias, stay below this, so that neither they nor four times them exceed 32 bits.
pub const MAX_SUM: i64 = 1 << 29;

/// A sum times its scale stays below this, so that it converts to an integer on every processor.
pub const MAX_SCALED_SUM: f32 = (1u32 << 30) as f32;

/// Why a convolution cannot be computed in integers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{found}; expected {expected}")]
pub struct Unsuitable {
    /// What was found.
    pub found: String,
    /// What is supported.
    pub expected: String,
}

impl Unsuitable {
    pub(crate) fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { found: found.into(), expected: expected.into() }
    }
}

/// `u8` levels in, `i8` weights with zero point 0, `u8` levels out; padding is real zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// Shape of the input.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
    /// Height and width of the kernel, 1 to [`MAX_KERNEL`].
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride, at least 1.
    pub stride: [usize; 2],
    /// Rows above, columns on the left, rows below, columns on the right; less than the kernel.
    pub pads: [usize; 4],
    /// `[out][in][row][column]`.
    pub weights: Vec<i8>,
    /// One per output channel, in steps of the sum.
    pub bias: Vec<i32>,
    /// Output steps per step of the sum, one per output channel: input scale * weight scale / output scale.
    pub scale: Vec<f32>,
    /// Level of zero in the input.
    pub input_zero: u8,
    /// Level of zero in the output.
    pub output_zero: u8,
    /// Least and greatest output level: a ReLU is a least level of `output_zero`.
    pub range: [u8; 2],
}

impl Conv {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        let side = |size: usize, before: usize, after: usize, axis: usize| {
            (size + before + after - self.kernel[axis]) / self.stride[axis] + 1
        };
        Shape::new(
            side(self.input.height, self.pads[0], self.pads[2], 0),
            side(self.input.width, self.pads[1], self.pads[3], 1),
            self.out_channels,
        )
    }

    /// Multiply-accumulates, including padding.
    pub fn macs(&self) -> u64 {
        let output = self.output();
        (output.bytes() * self.input.channels * self.kernel[0] * self.kernel[1]) as u64
    }

    /// Checks that the shapes agree and no sum can overflow.
    ///
    /// # Errors
    /// [`Unsuitable`] with what was found.
    pub fn check(&self) -> Result<(), Unsuitable> {
        let [kh, kw] = self.kernel;
        let taps = kh * kw * self.input.channels;
        let in_range = |sizes: [usize; 2], most: usize| sizes.iter().all(|size| (1..=most).contains(size));
        if !in_range(self.kernel, MAX_KERNEL) || !in_range(self.stride, MAX_KERNEL) {
            let found = format!("kernel {:?} with stride {:?}", self.kernel, self.stride);
            return Err(Unsuitable::new(found, format!("1 to {MAX_KERNEL} of each")));
        }
        let [top, left, bottom, right] = self.pads;
        if top >= kh || bottom >= kh || left >= kw || right >= kw {
            return Err(Unsuitable::new(format!("pads {:?}", self.pads), "less than the kernel"));
        }
        let padded = [self.input.height + top + bottom, self.input.width + left + right];
        if self.input.bytes() == 0 || self.out_channels == 0 || padded[0] < kh || padded[1] < kw {
            return Err(Unsuitable::new(format!("input {:?}", self.input), "at least one output pixel"));
        }
        let lengths = [self.weights.len(), self.bias.len(), self.scale.len()];
        if lengths != [taps * self.out_channels, self.out_channels, self.out_channels] {
            let expected = format!("{} weights and {} of the others", taps * self.out_channels, self.out_channels);
            return Err(Unsuitable::new(format!("weights, biases and scales {lengths:?}"), expected));
        }
        if self.range[0] > self.range[1] {
            return Err(Unsuitable::new(format!("range {:?}", self.range), "a least level below the greatest"));
        }
        for (channel, weights) in self.weights.chunks_exact(taps).enumerate() {
            self.check_sums(channel, weights)?;
        }
        Ok(())
    }

    fn check_sums(&self, channel: usize, weights: &[i8]) -> Result<(), Unsuitable> {
        let scale = self.scale[channel];
        if !scale.is_finite() || scale <= 0.0 {
            return Err(Unsuitable::new(format!("scale {scale} of channel {channel}"), "a number above 0"));
        }
        // Kernels may add levels without their zero point first: 255 is the worst case of all kernels. Split into parts
        // that fit 32 bits, because every loaded model is checked here.
        let part = |weights: &[i8]| weights.iter().map(|weight| u32::from(weight.unsigned_abs())).sum::<u32>();
        let reach = 255 * weights.chunks(1 << 16).map(|weights| i64::from(part(weights))).sum::<i64>();
        let greatest = reach + i64::from(self.bias[channel].unsigned_abs());
        if greatest >= MAX_SUM || greatest as f32 * scale >= MAX_SCALED_SUM {
            let found = format!("sums up to {greatest} with scale {scale} in channel {channel}");
            return Err(Unsuitable::new(found, format!("less than {MAX_SUM}, and {MAX_SCALED_SUM} scaled")));
        }
        Ok(())
    }

    /// Blocks of output channels.
    pub fn blocks(&self) -> usize {
        self.out_channels.div_ceil(BLOCK)
    }

    /// The weight for an output channel, an input channel and a position; 0 for padding channels.
    pub(crate) fn weight(&self, out: usize, channel: usize, row: usize, column: usize) -> i8 {
        let [kh, kw] = self.kernel;
        if out >= self.out_channels || channel >= self.input.channels {
            return 0;
        }
        self.weights[((out * self.input.channels + channel) * kh + row) * kw + column]
    }

    /// The requantization of each block of output channels. If a kernel adds `level - taken_off` instead of `level -
    /// input_zero`, the bias includes the difference.
    pub(crate) fn requants(&self, taken_off: i32) -> Vec<Requant> {
        let taps = self.weights.len() / self.out_channels;
        let shift = taken_off - i32::from(self.input_zero);
        let mut blocks = Vec::with_capacity(self.blocks());
        for first in (0..self.out_channels).step_by(BLOCK) {
            let (mut bias, mut scale) = ([0; BLOCK], [0.0; BLOCK]);
            for (at, channel) in (first..self.out_channels.min(first + BLOCK)).enumerate() {
                let weights = &self.weights[channel * taps..][..taps];
                let sum: i32 = weights.iter().map(|weight| i32::from(*weight)).sum();
                bias[at] = self.bias[channel] + shift * sum;
                scale[at] = self.scale[channel];
            }
            let [lowest, highest] = self.range;
            blocks.push(Requant { bias, scale, zero_point: self.output_zero, lowest, highest });
        }
        blocks
    }
}
