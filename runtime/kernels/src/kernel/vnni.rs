//! AVX-512 VNNI: 64 multiply-accumulates of bytes per instruction, levels unsigned, weights signed, sums exact.

// Vector loads and stores use raw pointers. The entry point checks once that everything read and written lies inside its
// slices; the proofs below rely on that check.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, _mm_max_epu8, _mm_min_epu8, _mm_packus_epi16, _mm_set1_epi8, _mm_storeu_si128, _mm256_adds_epi16,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_set1_epi16, _mm512_cvtepi32_ps, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi16, _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32,
};

use super::{
    Kernel, Prepared, direct,
    form::Unsigned,
    micro::{Block, Micro, Rows},
};
use crate::{
    conv::{Conv, Unsuitable},
    requant::{BLOCK, Requant},
};

/// The kernel.
pub(super) static KERNEL: Vnni = Vnni { _only_where_available: () };

/// See the module. Only [`KERNEL`] is ever used, and only if [`is_available`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Vnni {
    _only_where_available: (),
}

/// Whether this processor can run the kernel.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

/// Pixels computed together, one vector of sums each.
const PIXELS: usize = 8;

/// Lanes that one instruction sums up.
const GROUP: usize = 4;

impl Kernel for Vnni {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
        Ok(Box::new(direct::Direct::prepare(*self, conv)?))
    }
}

impl Micro for Vnni {
    type Form = Unsigned;

    const NAME: &'static str = "vnni";
    const GROUP: usize = GROUP;

    fn widen(self, levels: &[u8], _zero_point: u8, lanes: &mut [u8]) {
        lanes.copy_from_slice(levels);
    }

    fn convolve(self, rows: &Rows<'_, u8>, weights: &[i8], requant: &Requant, block: &mut Block<'_>) {
        rows.check(weights.len());
        block.check(rows.pixels);
        // SAFETY: the kernel is only handed out if AVX-512 VNNI is available; the checks above satisfy the function's
        // requirements.
        unsafe { convolve(rows, weights, requant, block) }
    }
}

/// Requires what the entry point checks.
#[target_feature(enable = "avx2,avx512f,avx512vnni")]
unsafe fn convolve(rows: &Rows<'_, u8>, weights: &[i8], requant: &Requant, block: &mut Block<'_>) {
    let mut pixel = 0;
    // SAFETY: the instruction sets are enabled for this function; pixels stay below `rows.pixels` by the bounds of the
    // loops; `bias` holds the 16 numbers of a vector.
    unsafe {
        let bias = _mm512_loadu_si512(requant.bias.as_ptr().cast());
        while pixel + PIXELS <= rows.pixels {
            for (p, sums) in accumulate::<PIXELS>(rows, weights, pixel, bias).into_iter().enumerate() {
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

/// Sums of `P` pixels from `pixel` on, 16 channels per vector.
///
/// Requires what [`Rows::check`] checks, `pixel + P <= rows.pixels`, and `run * BLOCK` weights per line.
#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
unsafe fn accumulate<const P: usize>(
    rows: &Rows<'_, u8>,
    weights: &[i8],
    pixel: usize,
    start: __m512i,
) -> [__m512i; P] {
    let mut sums = [start; P];
    let mut weight = weights.as_ptr();
    for line in rows.lines {
        let lanes = line[pixel * rows.step..].as_ptr();
        for at in (0..rows.run).step_by(GROUP) {
            // SAFETY: a line holds `(pixels - 1) * step + run` lanes and `run` is a multiple of 4, so four lanes from
            // `at` on of each of the `P` pixels are in it; every four lanes have 64 weights, and a line has `run *
            // BLOCK`.
            unsafe {
                let weights = _mm512_loadu_si512(weight.cast());
                weight = weight.add(GROUP * BLOCK);
                for (p, sums) in sums.iter_mut().enumerate() {
                    let four = lanes.add(p * rows.step + at).cast::<i32>().read_unaligned();
                    *sums = _mm512_dpbusd_epi32(*sums, _mm512_set1_epi32(four), weights);
                }
            }
        }
    }
    sums
}

/// [`Requant`] in registers: levels of 16 channels from their sums, biases included.
#[target_feature(enable = "avx2,avx512f")]
#[inline]
unsafe fn levels(requant: &Requant, sums: __m512i) -> [u8; BLOCK] {
    // SAFETY: `scale` holds the 16 numbers of a vector.
    let scale = unsafe { _mm512_loadu_ps(requant.scale.as_ptr()) };
    let steps = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale));
    let zero = _mm256_set1_epi16(i16::from(requant.zero_point));
    let levels = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(steps), zero);
    let levels = _mm_packus_epi16(_mm256_castsi256_si128(levels), _mm256_extracti128_si256::<1>(levels));
    let levels = _mm_max_epu8(levels, _mm_set1_epi8(requant.lowest.cast_signed()));
    let levels = _mm_min_epu8(levels, _mm_set1_epi8(requant.highest.cast_signed()));
    let mut out = [0; BLOCK];
    // SAFETY: `out` holds the 16 bytes of the vector.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), levels) };
    out
}
