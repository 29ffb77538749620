//! Plain Rust: the reference that every other kernel matches bit for bit.

use super::{
    Kernel, Prepared, direct,
    form::Wide,
    micro::{Block, Micro, Rows},
};
use crate::{
    conv::{Conv, Unsuitable},
    requant::{BLOCK, Requant},
};

/// The kernel.
pub(super) static KERNEL: Portable = Portable;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
        Ok(Box::new(direct::Direct::prepare(*self, conv)?))
    }
}

/// The sums of one pixel.
#[inline]
pub(super) fn sums(rows: &Rows<'_, i16>, weights: &[i16], pixel: usize) -> [i32; BLOCK] {
    let mut sums = [0i32; BLOCK];
    for (line, weights) in rows.lines.iter().zip(weights.chunks_exact(rows.run * BLOCK)) {
        let lanes = &line[pixel * rows.step..][..rows.run];
        for (lane, weights) in lanes.iter().zip(weights.chunks_exact(BLOCK)) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += i32::from(*lane) * i32::from(*weight);
            }
        }
    }
    sums
}

impl Micro for Portable {
    type Form = Wide;

    const NAME: &'static str = "portable";
    const GROUP: usize = 1;

    fn convolve(self, rows: &Rows<'_, i16>, weights: &[i16], requant: &Requant, block: &mut Block<'_>) {
        for pixel in 0..rows.pixels {
            let sums = sums(rows, weights, pixel);
            block.store(pixel, std::array::from_fn(|channel| requant.level(channel, sums[channel])));
        }
    }
}
