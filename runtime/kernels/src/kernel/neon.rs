//! NEON without dot products (Cortex-A53, A72): 4 multiply-accumulates of 16-bit lanes per instruction, with the lane
//! taken directly from a vector of levels.

// Vector loads and stores use raw pointers. Every entry point checks once that everything read and written lies inside
// its slices; the proofs below rely on that check. NEON itself is part of every aarch64 target.
#![allow(unsafe_code)]

use std::arch::aarch64::{
    float32x4_t, int16x4_t, int16x8_t, int32x4_t, uint8x16_t, vaddq_s16, vaddq_s32, vcvtnq_s32_f32, vcvtq_f32_s32,
    vdup_n_s16, vdupq_n_s16, vdupq_n_s32, vdupq_n_u8, vget_low_s16, vget_low_u8, vld1_s16, vld1q_f32, vld1q_s16,
    vld1q_s32, vld1q_u8, vmaxq_u8, vminq_u8, vmlal_high_lane_s16, vmlal_lane_s16, vmovl_high_u8, vmovl_u8, vmulq_f32,
    vqaddq_s16, vqmovn_high_s32, vqmovn_s32, vqmovun_high_s16, vqmovun_s16, vreinterpretq_s16_u16, vshrq_n_s32,
    vst1q_s16, vst1q_s32, vst1q_u8, vsubq_s16, vsubq_s32,
};

use super::{
    Kernel, Prepared,
    form::{Form, Wide},
    micro::{Block, Micro, Rows, Winograd},
    winograd,
};
use crate::{
    conv::{Conv, Unsuitable},
    requant::{BLOCK, Requant},
};

/// The kernel.
pub(super) static KERNEL: Neon = Neon;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon;

/// Pixels computed together: four vectors of sums each, half of the registers.
const PIXELS: usize = 4;

/// Lanes of a vector of levels that are used one after the other.
const STEP: usize = 4;

/// 16-bit lanes of a vector.
const LANES: usize = 8;

/// Vectors of 32-bit sums per block of channels.
const QUADS: usize = BLOCK / 4;

impl Kernel for Neon {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
        winograd::prepare(*self, conv)
    }
}

impl Micro for Neon {
    type Form = Wide;

    const NAME: &'static str = "neon";
    const GROUP: usize = 1;

    fn widen(self, levels: &[u8], zero_point: u8, lanes: &mut [i16]) {
        const WIDE: usize = 2 * LANES;
        let whole = levels.len().min(lanes.len()) / WIDE * WIDE;
        // SAFETY: 16 levels and 16 lanes from `at` on are inside their slices, by the bound of the loop.
        unsafe {
            let zero = vdupq_n_s16(i16::from(zero_point));
            for at in (0..whole).step_by(WIDE) {
                let narrow = vld1q_u8(levels.as_ptr().add(at));
                let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(narrow)));
                let high = vreinterpretq_s16_u16(vmovl_high_u8(narrow));
                vst1q_s16(lanes.as_mut_ptr().add(at), vsubq_s16(low, zero));
                vst1q_s16(lanes.as_mut_ptr().add(at + LANES), vsubq_s16(high, zero));
            }
        }
        for (lane, level) in lanes[whole..].iter_mut().zip(&levels[whole..]) {
            *lane = Wide::lane(*level, zero_point);
        }
    }

    fn convolve(self, rows: &Rows<'_, i16>, weights: &[i16], requant: &Requant, block: &mut Block<'_>) {
        rows.check(weights.len());
        block.check(rows.pixels);
        // SAFETY: the checks above satisfy the functions' requirements; pixels stay below `rows.pixels` by the bounds of
        // the loops.
        unsafe {
            let bias = biases(requant);
            let mut pixel = 0;
            while pixel + PIXELS <= rows.pixels {
                let sums = accumulate::<PIXELS>(rows, weights, pixel, bias);
                for (p, sums) in sums.into_iter().enumerate() {
                    block.store(pixel + p, levels(requant, sums));
                }
                pixel += PIXELS;
            }
            for pixel in pixel..rows.pixels {
                let [sums] = accumulate::<1>(rows, weights, pixel, bias);
                block.store(pixel, levels(requant, sums));
            }
        }
    }
}

impl Winograd for Neon {
    fn transform_input(self, lines: [&[i16]; 4], channels: usize, tiles: usize, stride: usize, patches: &mut [i16]) {
        assert!(channels >= LANES && lines.iter().all(|line| line.len() >= (2 * tiles + 2) * channels));
        assert!(stride >= tiles * channels && patches.len() >= 15 * stride + tiles * channels);
        let to = patches.as_mut_ptr();
        let mut channel = 0;
        loop {
            // SAFETY: `channel + 8 <= channels`, columns stay below `2 tiles + 2` and tiles below `tiles`: all inside what
            // is checked above.
            unsafe {
                let column = |x: usize| {
                    let at = x * channels + channel;
                    through_b(lines.map(|line| vld1q_s16(line.as_ptr().add(at))))
                };
                let (mut first, mut second) = (column(0), column(1));
                for tile in 0..tiles {
                    let (third, fourth) = (column(2 * tile + 2), column(2 * tile + 3));
                    for i in 0..4 {
                        let row = through_b([first[i], second[i], third[i], fourth[i]]);
                        for (j, patch) in row.into_iter().enumerate() {
                            vst1q_s16(to.add((4 * i + j) * stride + tile * channels + channel), patch);
                        }
                    }
                    (first, second) = (third, fourth);
                }
            }
            if channel + LANES == channels {
                return;
            }
            // The last vector may overlap the previous one.
            channel = (channel + LANES).min(channels - LANES);
        }
    }

    fn products(self, rows: &Rows<'_, i16>, weights: &[i16], sums: &mut [i32]) {
        rows.check(weights.len());
        assert!(sums.len() >= rows.pixels * BLOCK);
        let to = sums.as_mut_ptr();
        // SAFETY: pixels stay below `rows.pixels`, and each has room for 16 sums; the rest is checked above.
        unsafe {
            let zero = [vdupq_n_s32(0); QUADS];
            let mut pixel = 0;
            while pixel + PIXELS <= rows.pixels {
                for (p, sums) in accumulate::<PIXELS>(rows, weights, pixel, zero).into_iter().enumerate() {
                    store(to.add((pixel + p) * BLOCK), sums);
                }
                pixel += PIXELS;
            }
            for pixel in pixel..rows.pixels {
                let [sums] = accumulate::<1>(rows, weights, pixel, zero);
                store(to.add(pixel * BLOCK), sums);
            }
        }
    }

    fn transform_output(
        self,
        sums: &[i32],
        tiles: usize,
        requant: &Requant,
        upper: &mut Block<'_>,
        mut lower: Option<&mut Block<'_>>,
        pixels: usize,
    ) {
        assert!(tiles > 0 && sums.len() >= 16 * tiles * BLOCK && (2 * tiles - 1..=2 * tiles).contains(&pixels));
        let from = sums.as_ptr();
        // SAFETY: a component of a tile has 16 sums, four vectors: everything read is inside `sums` for components below
        // 16 and tiles below `tiles`.
        unsafe {
            let bias = biases(requant);
            for tile in 0..tiles {
                // [column][row][quad]
                let mut outputs = [[[bias[0]; QUADS]; 2]; 2];
                for (quad, bias) in bias.into_iter().enumerate() {
                    let row = |i: usize| {
                        let m = |j: usize| vld1q_s32(from.add(((4 * i + j) * tiles + tile) * BLOCK + 4 * quad));
                        through_a([m(0), m(1), m(2), m(3)])
                    };
                    let rows = [row(0), row(1), row(2), row(3)];
                    for (column, outputs) in outputs.iter_mut().enumerate() {
                        let sums = through_a(rows.map(|row| row[column]));
                        for (output, sum) in outputs.iter_mut().zip(sums) {
                            output[quad] = vaddq_s32(vshrq_n_s32::<2>(sum), bias);
                        }
                    }
                }
                for (column, [above, below]) in outputs.into_iter().enumerate() {
                    let pixel = 2 * tile + column;
                    if pixel < pixels {
                        upper.store(pixel, levels(requant, above));
                        if let Some(lower) = lower.as_deref_mut() {
                            lower.store(pixel, levels(requant, below));
                        }
                    }
                }
            }
        }
    }
}

/// Sums of `P` pixels from `pixel` on.
///
/// # Safety
/// What [`Rows::check`] checks, `pixel + P <= rows.pixels`, and `run * BLOCK` weights per line.
#[inline]
unsafe fn accumulate<const P: usize>(
    rows: &Rows<'_, i16>,
    weights: &[i16],
    pixel: usize,
    start: [int32x4_t; QUADS],
) -> [[int32x4_t; QUADS]; P] {
    let mut sums = [start; P];
    let mut weight = weights.as_ptr();
    for line in rows.lines {
        let lanes = line[pixel * rows.step..].as_ptr();
        for at in (0..rows.run).step_by(STEP) {
            // SAFETY: a line holds `(pixels - 1) * step + run` lanes and `run` is a multiple of 4, so four lanes from
            // `at` on of each of the `P` pixels are in it; each lane has 16 weights, and a line has `run * BLOCK`.
            unsafe {
                let mut taken = [vdup_n_s16(0); P];
                for (p, taken) in taken.iter_mut().enumerate() {
                    *taken = vld1_s16(lanes.add(p * rows.step + at));
                }
                lane::<P, 0>(&mut sums, taken, weight);
                lane::<P, 1>(&mut sums, taken, weight.add(BLOCK));
                lane::<P, 2>(&mut sums, taken, weight.add(2 * BLOCK));
                lane::<P, 3>(&mut sums, taken, weight.add(3 * BLOCK));
                weight = weight.add(STEP * BLOCK);
            }
        }
    }
    sums
}

/// Lane `L` of each pixel times its 16 weights.
///
/// # Safety
/// 16 weights at `weight`.
#[inline(always)]
unsafe fn lane<const P: usize, const L: i32>(
    sums: &mut [[int32x4_t; QUADS]; P],
    lanes: [int16x4_t; P],
    weight: *const i16,
) {
    // SAFETY: guaranteed by the caller; the second vector is the upper half of the 16 weights.
    unsafe {
        let (low, high) = (vld1q_s16(weight), vld1q_s16(weight.add(LANES)));
        for (sums, lanes) in sums.iter_mut().zip(lanes) {
            sums[0] = vmlal_lane_s16::<L>(sums[0], vget_low_s16(low), lanes);
            sums[1] = vmlal_high_lane_s16::<L>(sums[1], low, lanes);
            sums[2] = vmlal_lane_s16::<L>(sums[2], vget_low_s16(high), lanes);
            sums[3] = vmlal_high_lane_s16::<L>(sums[3], high, lanes);
        }
    }
}

/// # Safety
/// Room for 16 sums at `to`.
#[inline]
unsafe fn store(to: *mut i32, sums: [int32x4_t; QUADS]) {
    for (quad, sums) in sums.into_iter().enumerate() {
        // SAFETY: quad is below 4, so these four sums are among the 16.
        unsafe { vst1q_s32(to.add(4 * quad), sums) };
    }
}

/// Biases of 16 channels.
pub(super) fn biases(requant: &Requant) -> [int32x4_t; QUADS] {
    // SAFETY: `bias` holds 16 numbers, four vectors of 4.
    std::array::from_fn(|quad| unsafe { vld1q_s32(requant.bias.as_ptr().add(4 * quad)) })
}

/// [`Requant`] in registers: levels of 16 channels from their sums, biases included.
#[inline]
pub(super) fn levels(requant: &Requant, sums: [int32x4_t; QUADS]) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    // SAFETY: `scale` holds 16 numbers, four vectors of 4; `out` holds the 16 bytes that are stored.
    unsafe {
        let scale = |quad: usize| -> float32x4_t { vld1q_f32(requant.scale.as_ptr().add(4 * quad)) };
        let steps = |quad: usize| vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums[quad]), scale(quad)));
        let zero = vdupq_n_s16(i16::from(requant.zero_point));
        let pair = |first: usize| -> int16x8_t {
            vqaddq_s16(vqmovn_high_s32(vqmovn_s32(steps(first)), steps(first + 1)), zero)
        };
        let levels: uint8x16_t = vqmovun_high_s16(vqmovun_s16(pair(0)), pair(2));
        let levels = vmaxq_u8(levels, vdupq_n_u8(requant.lowest));
        vst1q_u8(out.as_mut_ptr(), vminq_u8(levels, vdupq_n_u8(requant.highest)));
    }
    out
}

/// `B^T` along one axis.
#[inline]
fn through_b(d: [int16x8_t; 4]) -> [int16x8_t; 4] {
    // SAFETY: arithmetic on registers, part of every aarch64 target.
    unsafe { [vsubq_s16(d[0], d[2]), vaddq_s16(d[1], d[2]), vsubq_s16(d[2], d[1]), vsubq_s16(d[1], d[3])] }
}

/// `A^T` along one axis.
#[inline]
fn through_a(m: [int32x4_t; 4]) -> [int32x4_t; 2] {
    // SAFETY: arithmetic on registers, part of every aarch64 target.
    unsafe {
        let (sum, difference) = (vaddq_s32(m[1], m[2]), vsubq_s32(m[1], m[2]));
        [vaddq_s32(m[0], sum), vsubq_s32(difference, m[3])]
    }
}
