//! NEON with dot products (Cortex-A55, A76 and newer): 16 multiply-accumulates of bytes per instruction.

// See `neon`: entry points check, and the proofs rely on the checks. The instruction is written in assembly because its
// intrinsic is not stable.
#![allow(unsafe_code)]

use std::arch::{
    aarch64::{int8x16_t, int32x4_t, vld1q_s8, vld1q_s32, vreinterpretq_s8_s32},
    asm, is_aarch64_feature_detected,
};

use super::{
    Kernel, Prepared, direct,
    form::Signed,
    micro::{Block, Micro, Rows},
    neon,
};
use crate::{
    conv::{Conv, Unsuitable},
    requant::{BLOCK, Requant},
};

/// The kernel.
pub(super) static KERNEL: Sdot = Sdot { _only_where_available: () };

/// See the module. Only [`KERNEL`] is ever used, and only if [`is_available`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Sdot {
    _only_where_available: (),
}

/// Whether this processor can run the kernel.
pub(super) fn is_available() -> bool {
    is_aarch64_feature_detected!("dotprod")
}

/// Pixels computed together: four vectors of sums each, half of the registers.
const PIXELS: usize = 4;

/// Lanes that one instruction sums up.
const GROUP: usize = 4;

/// Vectors of 32-bit sums per block of channels.
const QUADS: usize = BLOCK / 4;

impl Kernel for Sdot {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
        Ok(Box::new(direct::Direct::prepare(*self, conv)?))
    }
}

impl Micro for Sdot {
    type Form = Signed;

    const NAME: &'static str = "sdot";
    const GROUP: usize = GROUP;

    fn convolve(self, rows: &Rows<'_, i8>, weights: &[i8], requant: &Requant, block: &mut Block<'_>) {
        rows.check(weights.len());
        block.check(rows.pixels);
        // SAFETY: the kernel is only handed out if dot products are available; the rest is checked above. A whole block's
        // levels of each pixel below `rows.pixels` are inside the slice.
        unsafe {
            if block.channels == BLOCK {
                // The usual length on its own, so that no sums leave their registers for a call.
                let (to, pitch) = (block.levels.as_mut_ptr(), block.pitch);
                convolve(rows, weights, requant, |pixel, levels| {
                    to.add(pixel * pitch).cast::<[u8; BLOCK]>().write(levels)
                });
            } else {
                convolve(rows, weights, requant, |pixel, levels| block.store(pixel, levels));
            }
        }
    }
}

/// Hands the levels of every pixel below `rows.pixels` to `store`.
///
/// # Safety
/// Dot products are available, and what [`Rows::check`] checks.
unsafe fn convolve(rows: &Rows<'_, i8>, weights: &[i8], requant: &Requant, mut store: impl FnMut(usize, [u8; BLOCK])) {
    let bias = neon::biases(requant);
    let mut pixel = 0;
    // SAFETY: guaranteed by the caller; pixels stay below `rows.pixels` by the bounds of the loops.
    unsafe {
        while pixel + PIXELS <= rows.pixels {
            let sums = accumulate::<PIXELS>(rows, weights, pixel, bias);
            for (p, sums) in sums.into_iter().enumerate() {
                store(pixel + p, neon::levels(requant, sums));
            }
            pixel += PIXELS;
        }
        for pixel in pixel..rows.pixels {
            let [sums] = accumulate::<1>(rows, weights, pixel, bias);
            store(pixel, neon::levels(requant, sums));
        }
    }
}

/// `sum[i] += a[4 i ..] . b[4 L ..]` of four bytes each.
///
/// # Safety
/// The processor has dot products.
#[inline(always)]
unsafe fn dot<const L: i32>(sum: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the instruction only accesses the three registers.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]",
            sum = inout(vreg) *sum,
            a = in(vreg) a,
            b = in(vreg) b,
            lane = const L,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// Sums of `P` pixels from `pixel` on.
///
/// # Safety
/// Dot products are available, and what [`Rows::check`] checks, `pixel + P <= rows.pixels`, and `run * BLOCK` weights per
/// line.
#[inline]
unsafe fn accumulate<const P: usize>(
    rows: &Rows<'_, i8>,
    weights: &[i8],
    pixel: usize,
    start: [int32x4_t; QUADS],
) -> [[int32x4_t; QUADS]; P] {
    const WIDE: usize = 4 * GROUP;
    let mut sums = [start; P];
    let mut weight = weights.as_ptr();
    for line in rows.lines {
        let lanes = line[pixel * rows.step..].as_ptr();
        let whole = rows.run / WIDE * WIDE;
        // SAFETY: a line holds `(pixels - 1) * step + run` lanes and `run` is a multiple of 4, so the 16 lanes, or four
        // at the end, of each of the `P` pixels are in it; every four lanes have 64 weights, and a line has `run *
        // BLOCK`.
        unsafe {
            for at in (0..whole).step_by(WIDE) {
                let mut taken = [vld1q_s8(lanes.add(at)); P];
                for (p, taken) in taken.iter_mut().enumerate().skip(1) {
                    *taken = vld1q_s8(lanes.add(p * rows.step + at));
                }
                group::<P, 0>(&mut sums, taken, weight);
                group::<P, 1>(&mut sums, taken, weight.add(GROUP * BLOCK));
                group::<P, 2>(&mut sums, taken, weight.add(2 * GROUP * BLOCK));
                group::<P, 3>(&mut sums, taken, weight.add(3 * GROUP * BLOCK));
                weight = weight.add(WIDE * BLOCK);
            }
            for at in (whole..rows.run).step_by(GROUP) {
                let mut taken = [vld1q_s8(weight); P];
                for (p, taken) in taken.iter_mut().enumerate() {
                    let four = lanes.add(p * rows.step + at).cast::<i32>().read_unaligned();
                    *taken = vreinterpretq_s8_s32(vld1q_s32([four; 4].as_ptr()));
                }
                group::<P, 0>(&mut sums, taken, weight);
                weight = weight.add(GROUP * BLOCK);
            }
        }
    }
    sums
}

/// Four lanes of each pixel, the `L`-th four of their vectors, times the weights of 16 channels.
///
/// # Safety
/// Dot products are available, and there are 64 weights at `weight`.
#[inline(always)]
unsafe fn group<const P: usize, const L: i32>(
    sums: &mut [[int32x4_t; QUADS]; P],
    lanes: [int8x16_t; P],
    weight: *const i8,
) {
    // SAFETY: guaranteed by the caller; quad is below 4, so its 16 weights are among the 64.
    unsafe {
        for quad in 0..QUADS {
            let weights = vld1q_s8(weight.add(16 * quad));
            for (sums, lanes) in sums.iter_mut().zip(lanes) {
                dot::<L>(&mut sums[quad], weights, lanes);
            }
        }
    }
}
