//! The vector loops of a kernel.

use std::fmt::Debug;

use super::form::{Form, Wide};
use crate::requant::{BLOCK, Requant};

/// The input rows for one output row as lanes: levels in the form that a kernel multiplies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a, L> {
    /// One per row of the kernel. A pixel's part of a line is contiguous: columns of the kernel, each with its channels.
    pub(super) lines: &'a [&'a [L]],
    /// Lanes of a line that one output pixel reads, a multiple of [`LANES`].
    pub(super) run: usize,
    /// Lanes from one output pixel to the next.
    pub(super) step: usize,
    /// Output pixels.
    pub(super) pixels: usize,
}

impl<L> Rows<'_, L> {
    /// Checks that every lane read exists, and [`BLOCK`] weights for each lane of a pixel.
    ///
    /// # Panics
    /// If they do not.
    pub(super) fn check(&self, weights: usize) {
        let lanes = self.pixels.saturating_sub(1) * self.step + self.run;
        let is_there = self.lines.iter().all(|line| line.len() >= lanes);
        assert!(is_there && self.pixels > 0 && self.run.is_multiple_of(LANES), "{} lanes a pixel", self.run);
        assert!(weights >= self.lines.len() * self.run * BLOCK, "{weights} weights");
    }
}

/// Destination of the levels of a block.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// From the block's first channel of the first pixel on.
    pub(super) levels: &'a mut [u8],
    /// Levels from one pixel to the next.
    pub(super) pitch: usize,
    /// Number of channels of the block, 1 to [`BLOCK`].
    pub(super) channels: usize,
}

impl Block<'_> {
    /// Checks that `pixels` fit.
    ///
    /// # Panics
    /// If they do not.
    pub(super) fn check(&self, pixels: usize) {
        let levels = pixels.saturating_sub(1) * self.pitch + self.channels;
        assert!(self.levels.len() >= levels && (1..=BLOCK).contains(&self.channels), "{pixels} pixels");
    }

    /// Stores the levels of one pixel.
    #[inline]
    pub(super) fn store(&mut self, pixel: usize, levels: [u8; BLOCK]) {
        let to = &mut self.levels[pixel * self.pitch..][..self.channels];
        // The usual length is a constant, so that it compiles to one instruction.
        match <&mut [u8; BLOCK]>::try_from(&mut *to) {
            Ok(whole) => *whole = levels,
            Err(_) => store_part(to, levels),
        }
    }
}

/// Stores the levels of fewer channels. Not inlined: the compiler would see that both ways copy `to.len()` bytes, and call
/// memcpy for the usual length, too.
#[cold]
#[inline(never)]
fn store_part(to: &mut [u8], levels: [u8; BLOCK]) {
    to.copy_from_slice(&levels[..to.len()]);
}

/// A level in the form that a kernel multiplies.
pub(super) type Lane<M> = <<M as Micro>::Form as Form>::Lane;

/// A weight in the form that a kernel multiplies.
pub(super) type Weight<M> = <<M as Micro>::Form as Form>::Weight;

/// Channels of a line are padded to a multiple of this.
pub(super) const LANES: usize = 4;

/// A kernel's vector loops for direct convolution.
///
/// The layout of packed weights is `[lane / GROUP][BLOCK][lane % GROUP]`, with lanes in the order of kernel row, kernel
/// column, channel.
pub(super) trait Micro: Debug + Copy + Send + Sync + 'static {
    /// The form that it multiplies.
    type Form: Form;

    /// Name of the kernel.
    const NAME: &'static str;
    /// Lanes that one multiplication combines: 1, 2 or 4.
    const GROUP: usize;

    /// Converts levels to lanes one by one.
    fn widen(self, levels: &[u8], zero_point: u8, lanes: &mut [Lane<Self>]) {
        for (lane, level) in lanes.iter_mut().zip(levels) {
            *lane = Self::Form::lane(*level, zero_point);
        }
    }

    /// A row of output pixels for one block of channels.
    fn convolve(self, rows: &Rows<'_, Lane<Self>>, weights: &[Weight<Self>], requant: &Requant, block: &mut Block<'_>);
}

/// A kernel's vector loops for Winograd's convolution, on 16-bit lanes.
pub(super) trait Winograd: Micro<Form = Wide> {
    /// `V = B^T d B` of each 4x4 patch `d` whose columns begin every second pixel; see [`super::winograd`].
    ///
    /// `lines` are four rows of pixels with `channels` lanes each; component `(i, j)` of patch `t` goes to
    /// `patches[(4 i + j) * stride + t * channels]`.
    fn transform_input(self, lines: [&[i16]; 4], channels: usize, tiles: usize, stride: usize, patches: &mut [i16]);

    /// Sums of products without requantization, `[pixel][BLOCK]`; one line.
    fn products(self, rows: &Rows<'_, i16>, weights: &[i16], sums: &mut [i32]);

    /// `A^T m A / 4` of each tile, requantized: two rows of two pixels per tile.
    ///
    /// `sums[(component * tiles + tile) * BLOCK + channel]`; `rows` are the upper and lower output row, the lower one
    /// absent below the map; `pixels` is the number of pixels in a row, `2 tiles` or one less.
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
