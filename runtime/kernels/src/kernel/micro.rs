//! The loops of a kernel that touch vectors.

use std::fmt::Debug;

use bytemuck::{AnyBitPattern, NoUninit};

use crate::requant::{BLOCK, Requant};

/// Input rows that a row of outputs is made of, as lanes: levels in the form that a kernel multiplies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a, L> {
    /// One a row of the kernel. A pixel's share of a line is contiguous: columns of the kernel, each with its channels.
    pub(super) lines: &'a [&'a [L]],
    /// Lanes of a line that one output pixel reads, a multiple of [`LANES`].
    pub(super) run: usize,
    /// Lanes from one output pixel to the next.
    pub(super) step: usize,
    /// Output pixels.
    pub(super) pixels: usize,
}

impl<L> Rows<'_, L> {
    /// Whether every lane that is read is there.
    pub(super) fn fits(&self) -> bool {
        let lanes = self.pixels.saturating_sub(1) * self.step + self.run;
        self.pixels > 0 && self.run.is_multiple_of(LANES) && self.lines.iter().all(|line| line.len() >= lanes)
    }
}

/// Where the levels of a block go.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// From the block's first channel of the first pixel on.
    pub(super) levels: &'a mut [u8],
    /// Levels from a pixel to the next.
    pub(super) pitch: usize,
    /// Channels of the block that are there, 1 to [`BLOCK`].
    pub(super) channels: usize,
}

impl Block<'_> {
    /// Whether `pixels` fit.
    pub(super) fn fits(&self, pixels: usize) -> bool {
        let levels = pixels.saturating_sub(1) * self.pitch + self.channels;
        self.levels.len() >= levels && (1..=BLOCK).contains(&self.channels)
    }

    /// Stores the levels of one pixel.
    #[inline]
    pub(super) fn store(&mut self, pixel: usize, levels: &[u8; BLOCK]) {
        let to = &mut self.levels[pixel * self.pitch..][..self.channels];
        // The usual length is a constant, so that it becomes one instruction.
        match <&mut [u8; BLOCK]>::try_from(&mut *to) {
            Ok(whole) => *whole = *levels,
            Err(_) => to.copy_from_slice(&levels[..to.len()]),
        }
    }
}

/// Channels of a line are padded to a multiple of this.
pub(super) const LANES: usize = 4;

/// A kernel's vector loops for direct convolution.
///
/// Packed weights lie as `[lane / GROUP][BLOCK][lane % GROUP]`, lanes in the order of kernel row, kernel column, channel.
pub(super) trait Micro: Debug + Copy + Send + Sync + 'static {
    /// A level in the form that is multiplied.
    type Lane: AnyBitPattern + NoUninit + Default + Debug;
    /// A weight in that form.
    type Weight: AnyBitPattern + NoUninit + Debug + Send + Sync;

    /// Name of the kernel.
    const NAME: &'static str;
    /// Lanes that one multiplication takes together: 1, 2 or 4.
    const GROUP: usize;

    /// A weight, converted.
    fn weight(weight: i8) -> Self::Weight;

    /// What is taken off a level when it becomes a lane, for an input whose zero is at `zero_point`.
    fn taken_off(zero_point: u8) -> i32;

    /// The lane of a level.
    fn lane(level: u8, zero_point: u8) -> Self::Lane;

    /// Levels to lanes, one for one.
    fn widen(self, levels: &[u8], zero_point: u8, lanes: &mut [Self::Lane]) {
        for (lane, level) in lanes.iter_mut().zip(levels) {
            *lane = Self::lane(*level, zero_point);
        }
    }

    /// A row of output pixels for one block of channels.
    fn convolve(self, rows: &Rows<'_, Self::Lane>, weights: &[Self::Weight], requant: &Requant, block: &mut Block<'_>);
}

/// A kernel's vector loops for Winograd's convolution, on 16-bit lanes.
pub(super) trait Winograd: Micro<Lane = i16, Weight = i16> {
    /// `V = B^T d B` of each 4x4 patch `d` whose columns begin every second pixel; see [`super::winograd`].
    ///
    /// `lines` are four rows of pixels with `channels` lanes each; component `(i, j)` of patch `t` goes to
    /// `patches[(4 i + j) * stride + t * channels]`.
    fn transform_input(self, lines: [&[i16]; 4], channels: usize, tiles: usize, stride: usize, patches: &mut [i16]);

    /// Sums of products without requantization, `[pixel][BLOCK]`; one line.
    fn products(self, rows: &Rows<'_, i16>, weights: &[i16], sums: &mut [i32]);

    /// `A^T m A / 4` of each tile, requantized: two rows of two pixels a tile.
    ///
    /// `sums[(component * tiles + tile) * BLOCK + channel]`; `rows` are the upper and the lower row of outputs, the lower
    /// one absent below the map; `pixels` is how many pixels of a row are there, `2 tiles` or one less.
    fn transform_output(
        self,
        sums: &[i32],
        tiles: usize,
        requant: &Requant,
        upper: &mut Block<'_>,
        lower: Option<&mut Block<'_>>,
        pixels: usize,
    );
}
