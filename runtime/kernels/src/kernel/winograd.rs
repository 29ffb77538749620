//! Winograd's minimal filtering F(2x2, 3x3), exact in integers.
//!
//! Four outputs of a 3x3 convolution take 16 multiplications per channel instead of 36 (Lavin and Gray, "Fast
//! Algorithms for Convolutional Neural Networks", 2015). `Y = A^T [(G g G^T) . (B^T d B)] A` with halves in `G`; here
//! the weights are transformed by `2 G`, so that everything is integer and the result is exactly `4 Y`:
//!
//! ```text
//! 2G = | 2  0  0 |    B^T = | 1  0 -1  0 |    A^T = | 1  1  1  0 |
//!      | 1  1  1 |          | 0  1  1  0 |          | 0  1 -1 -1 |
//!      | 1 -1  1 |          | 0 -1  1  0 |
//!      | 0  0  2 |          | 0  1  0 -1 |
//! ```
//!
//! A patch is at most 4 * 255, a weight 9 * 128: both fit 16 bits. Intermediate sums may overflow 32 bits, but the
//! final ones do not, so two's complement gives the right result: the levels of the direct convolution, bit for bit. It
//! pays off if a processor multiplies 16-bit numbers as fast as 8-bit ones, as AVX2 and NEON without dot products do.

use super::{
    Prepared,
    direct::{Direct, Lines},
    form::Form,
    micro::{Block, Rows, Winograd as Micro},
};
use crate::{
    arena::{Packed, aligned},
    conv::{Conv, Unsuitable},
    map::Shape,
    requant::{BLOCK, Requant},
};

/// Products per tile and channel.
const COMPONENTS: usize = 16;

/// Tiles processed at a time, so that patches and sums stay in the fast cache.
const MOST_TILES: usize = 16;

/// With fewer input channels than this the transforms do not pay off.
const LEAST_CHANNELS: usize = 16;

/// Packs a convolution for this algorithm if it pays off, otherwise for the direct one.
///
/// # Errors
/// [`Unsuitable`] if it cannot be computed in integers.
pub(super) fn prepare<M: Micro>(micro: M, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
    Ok(if pays(conv) { Box::new(Winograd::prepare(micro, conv)?) } else { Box::new(Direct::prepare(micro, conv)?) })
}

/// Whether a convolution has the right form, and enough channels to benefit.
fn pays(conv: &Conv) -> bool {
    conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.input.channels >= LEAST_CHANNELS
}

/// A convolution, packed.
#[derive(Debug)]
pub(super) struct Winograd<M> {
    micro: M,
    lines: Lines,
    output: Shape,
    top: usize,
    weights: Packed,
    requants: Vec<Requant>,
    multiplies: u64,
}

impl<M: Micro> Winograd<M> {
    /// Packs a convolution for which [`pays`] holds.
    fn prepare(micro: M, conv: &Conv) -> Result<Self, Unsuitable> {
        conv.check()?;
        let output = conv.output();
        let (down, across) = (output.height.div_ceil(2), output.width.div_ceil(2));
        let lines = Lines::new(conv, conv.pads[1], 2 * across + 2);
        Ok(Self {
            micro,
            lines,
            output,
            top: conv.pads[0],
            weights: Packed::of(&pack::<M>(conv, lines.channels)),
            requants: conv.requants(M::Form::taken_off(conv.input_zero)),
            multiplies: (down * across * COMPONENTS * lines.channels * conv.out_channels) as u64,
        })
    }

    fn most_tiles(&self) -> usize {
        self.output.width.div_ceil(2).min(MOST_TILES)
    }

    /// Bytes of the patches of a strip of tiles.
    fn patch_bytes(&self) -> usize {
        aligned(COMPONENTS * self.most_tiles() * self.lines.channels * size_of::<i16>())
    }

    /// Bytes of the sums of a strip of tiles and one block of channels.
    fn sum_bytes(&self) -> usize {
        aligned(COMPONENTS * self.most_tiles() * BLOCK * size_of::<i32>())
    }

    /// One strip: `tiles` tiles from tile `first` of a row of tiles on.
    fn strip(
        &self,
        lines: [&[i16]; 4],
        first: usize,
        tiles: usize,
        rows: Rows2<'_>,
        patches: &mut [i16],
        sums: &mut [i32],
    ) {
        let channels = self.lines.channels;
        let stride = tiles * channels;
        let lines = lines.map(|line| &line[2 * first * channels..]);
        self.micro.transform_input(lines, channels, tiles, stride, patches);
        let pixels = (self.output.width - 2 * first).min(2 * tiles);
        let pitch = self.output.channels;
        let block_weights = COMPONENTS * channels * BLOCK;
        let weights = self.weights.get::<i16>().chunks_exact(block_weights);
        let Rows2 { upper, mut lower } = rows;
        for (at, (weights, requant)) in weights.zip(&self.requants).enumerate() {
            let patches = patches.chunks_exact(stride).zip(weights.chunks_exact(channels * BLOCK));
            for ((patches, weights), sums) in patches.zip(sums.chunks_exact_mut(tiles * BLOCK)) {
                let rows = Rows { lines: &[patches], run: channels, step: channels, pixels: tiles };
                self.micro.products(&rows, weights, sums);
            }
            let channel = at * BLOCK;
            let from = 2 * first * pitch + channel;
            let width = BLOCK.min(pitch - channel);
            let mut upper = Block { levels: &mut upper[from..], pitch, channels: width };
            let mut lower = lower.as_deref_mut().map(|row| Block { levels: &mut row[from..], pitch, channels: width });
            self.micro.transform_output(sums, tiles, requant, &mut upper, lower.as_mut(), pixels);
        }
    }
}

/// Two output rows; the lower one may be below the map.
struct Rows2<'a> {
    upper: &'a mut [u8],
    lower: Option<&'a mut [u8]>,
}

/// `[block][component][lane / GROUP][BLOCK][lane % GROUP]`.
fn pack<M: Micro>(conv: &Conv, channels: usize) -> Vec<i16> {
    let mut packed = vec![0; conv.blocks() * COMPONENTS * channels * BLOCK];
    for block in 0..conv.blocks() {
        for channel in 0..conv.input.channels {
            for out in 0..BLOCK {
                let taps =
                    |row: usize, column: usize| i16::from(conv.weight(block * BLOCK + out, channel, row, column));
                let transformed = transform_weight(taps);
                for (component, weight) in transformed.into_iter().enumerate() {
                    let group = ((block * COMPONENTS + component) * channels + channel) / M::GROUP;
                    packed[(group * BLOCK + out) * M::GROUP + channel % M::GROUP] = weight;
                }
            }
        }
    }
    packed
}

/// `(2 G) g (2 G)^T`.
fn transform_weight(taps: impl Fn(usize, usize) -> i16) -> [i16; COMPONENTS] {
    let through = |g: [i16; 3]| [2 * g[0], g[0] + g[1] + g[2], g[0] - g[1] + g[2], 2 * g[2]];
    // Columns first: rows[i][c] of 4 x 3.
    let columns: [[i16; 4]; 3] = std::array::from_fn(|c| through(std::array::from_fn(|r| taps(r, c))));
    let mut out = [0; COMPONENTS];
    for (i, out) in out.chunks_exact_mut(4).enumerate() {
        out.copy_from_slice(&through(std::array::from_fn(|c| columns[c][i])));
    }
    out
}

impl<M: Micro> Prepared for Winograd<M> {
    fn weight_bytes(&self) -> usize {
        self.weights.bytes() + self.requants.len() * size_of::<Requant>()
    }

    fn scratch_bytes(&self) -> usize {
        4 * self.lines.bytes::<M>() + self.patch_bytes() + self.sum_bytes()
    }

    fn multiplies(&self) -> u64 {
        self.multiplies
    }

    fn run(&self, input: &[u8], output: &mut [u8], scratch: &mut [u8]) {
        let line_bytes = self.lines.bytes::<M>();
        let (ring, rest) = scratch.split_at_mut(4 * line_bytes);
        let (patches, rest) = rest.split_at_mut(self.patch_bytes());
        let patches: &mut [i16] = bytemuck::cast_slice_mut(patches);
        let sums: &mut [i32] = bytemuck::cast_slice_mut(&mut rest[..self.sum_bytes()]);
        let row_bytes = self.output.row_bytes();
        let across = self.output.width.div_ceil(2);
        let mut filled = 0;
        for (y, output) in output[..self.output.bytes()].chunks_mut(2 * row_bytes).enumerate() {
            let first = 2 * y;
            for row in filled.max(first)..first + 4 {
                let slot = &mut ring[row % 4 * line_bytes..][..line_bytes];
                self.lines.fill(self.micro, input, row as isize - self.top as isize, bytemuck::cast_slice_mut(slot));
            }
            filled = first + 4;
            let lines: [&[i16]; 4] =
                std::array::from_fn(|at| bytemuck::cast_slice(&ring[(first + at) % 4 * line_bytes..][..line_bytes]));
            let (upper, lower) = output.split_at_mut(row_bytes);
            for tile in (0..across).step_by(MOST_TILES) {
                let tiles = (across - tile).min(MOST_TILES);
                let lower = if lower.is_empty() { None } else { Some(&mut *lower) };
                self.strip(lines, tile, tiles, Rows2 { upper: &mut *upper, lower }, patches, sums);
            }
        }
    }
}
