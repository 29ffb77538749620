//! Direct convolution, row by row.
//!
//! Each input row is converted once to a line in the form that the kernel multiplies, including padding. A ring holds as
//! many lines as the kernel has rows. Every output row is computed from them one block of channels at a time; sums stay
//! in registers until they are requantized.

use super::{
    Prepared,
    form::Form,
    micro::{Block, LANES, Lane, Micro, Rows, Weight},
};
use crate::{
    arena::{Packed, aligned},
    conv::{Conv, MAX_KERNEL, Unsuitable},
    map::Shape,
    requant::{BLOCK, Requant},
};

/// The layout of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    input: Shape,
    zero_point: u8,
    left: usize,
    /// Lanes of a pixel.
    pub(super) channels: usize,
    /// Lanes of a line.
    pub(super) lanes: usize,
}

impl Lines {
    /// Lines of `pixels` pixels, the first `left` of them padding.
    pub(super) fn new(conv: &Conv, left: usize, pixels: usize) -> Self {
        let channels = conv.input.channels.next_multiple_of(LANES);
        Self { input: conv.input, zero_point: conv.input_zero, left, channels, lanes: pixels * channels }
    }

    /// Bytes of a line, rounded up to a cache line.
    pub(super) fn bytes<M: Micro>(&self) -> usize {
        aligned(self.lanes * size_of::<Lane<M>>())
    }

    /// Converts row `row`, counted from the first row of the map, to a line; rows outside are padding.
    pub(super) fn fill<M: Micro>(&self, micro: M, map: &[u8], row: isize, line: &mut [Lane<M>]) {
        let line = &mut line[..self.lanes];
        let zero = M::Form::lane(self.zero_point, self.zero_point);
        let Some(row) = usize::try_from(row).ok().filter(|row| *row < self.input.height) else {
            line.fill(zero);
            return;
        };
        let levels = &map[row * self.input.row_bytes()..][..self.input.row_bytes()];
        let (before, rest) = line.split_at_mut(self.left * self.channels);
        // A stride may leave the last columns unread.
        let pixels = self.input.width.min(rest.len() / self.channels);
        let (inside, after) = rest.split_at_mut(pixels * self.channels);
        before.fill(zero);
        after.fill(zero);
        if self.channels == self.input.channels {
            micro.widen(&levels[..pixels * self.channels], self.zero_point, inside);
        } else {
            for (lanes, levels) in inside.chunks_exact_mut(self.channels).zip(levels.chunks_exact(self.input.channels))
            {
                let (there, padding) = lanes.split_at_mut(levels.len());
                for (lane, level) in there.iter_mut().zip(levels) {
                    *lane = M::Form::lane(*level, self.zero_point);
                }
                padding.fill(zero);
            }
        }
    }
}

/// A convolution, packed.
#[derive(Debug)]
pub(super) struct Direct<M> {
    micro: M,
    lines: Lines,
    output: Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    top: usize,
    weights: Packed,
    requants: Vec<Requant>,
    multiplies: u64,
}

impl<M: Micro> Direct<M> {
    pub(super) fn prepare(micro: M, conv: &Conv) -> Result<Self, Unsuitable> {
        conv.check()?;
        let output = conv.output();
        let pixels = (output.width - 1) * conv.stride[1] + conv.kernel[1];
        let lines = Lines::new(conv, conv.pads[1], pixels);
        Ok(Self {
            micro,
            lines,
            output,
            kernel: conv.kernel,
            stride: conv.stride,
            top: conv.pads[0],
            weights: Packed::of(&pack::<M>(conv, lines.channels)),
            requants: conv.requants(M::Form::taken_off(conv.input_zero)),
            multiplies: conv.macs(),
        })
    }
}

/// Weights in the layout of [`Micro`], one block of output channels after another.
fn pack<M: Micro>(conv: &Conv, channels: usize) -> Vec<Weight<M>> {
    let [kh, kw] = conv.kernel;
    let lanes = kh * kw * channels;
    let mut packed = Vec::with_capacity(conv.blocks() * lanes * BLOCK);
    for block in 0..conv.blocks() {
        for group in 0..lanes / M::GROUP {
            for out in 0..BLOCK {
                for at in 0..M::GROUP {
                    let lane = group * M::GROUP + at;
                    let (tap, channel) = (lane / channels, lane % channels);
                    packed.push(M::Form::weight(conv.weight(block * BLOCK + out, channel, tap / kw, tap % kw)));
                }
            }
        }
    }
    packed
}

impl<M: Micro> Prepared for Direct<M> {
    fn weight_bytes(&self) -> usize {
        self.weights.bytes() + self.requants.len() * size_of::<Requant>()
    }

    fn scratch_bytes(&self) -> usize {
        self.kernel[0] * self.lines.bytes::<M>()
    }

    fn multiplies(&self) -> u64 {
        self.multiplies
    }

    fn run(&self, input: &[u8], output: &mut [u8], scratch: &mut [u8]) {
        let rows = self.kernel[0];
        let line_bytes = self.lines.bytes::<M>();
        let weights = self.weights.get::<Weight<M>>();
        let run = self.kernel[1] * self.lines.channels;
        let block_weights = rows * run * BLOCK;
        // The ring: the line of input row r is in slot (r + top) modulo the rows of the kernel.
        let mut filled = 0;
        for (y, output) in output[..self.output.bytes()].chunks_exact_mut(self.output.row_bytes()).enumerate() {
            let first = y * self.stride[0];
            for row in filled.max(first)..first + rows {
                let slot = &mut scratch[row % rows * line_bytes..][..line_bytes];
                self.lines.fill(self.micro, input, row as isize - self.top as isize, bytemuck::cast_slice_mut(slot));
            }
            filled = first + rows;
            let mut lines = [&[][..]; MAX_KERNEL];
            for (at, line) in lines[..rows].iter_mut().enumerate() {
                *line = bytemuck::cast_slice(&scratch[(first + at) % rows * line_bytes..][..line_bytes]);
            }
            let rows = Rows {
                lines: &lines[..rows],
                run,
                step: self.stride[1] * self.lines.channels,
                pixels: self.output.width,
            };
            for (at, (weights, requant)) in weights.chunks_exact(block_weights).zip(&self.requants).enumerate() {
                let first = at * BLOCK;
                let mut block = Block {
                    levels: &mut output[first..],
                    pitch: self.output.channels,
                    channels: BLOCK.min(self.output.channels - first),
                };
                self.micro.convolve(&rows, weights, requant, &mut block);
            }
        }
    }
}
