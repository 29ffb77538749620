//! AVX2: 16 multiply-accumulates of 16-bit lanes per instruction.
//!
//! `vpmaddwd` is exact. `vpmaddubsw`, which processes twice as many bytes, saturates its 16-bit sums and is not.

// Vector loads and stores use raw pointers. Every entry point checks once that everything read and written lies inside
// its slices; the proofs below rely on that check.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_max_epu8, _mm_min_epu8, _mm_packus_epi16, _mm_set1_epi8, _mm_storeu_si128,
    _mm256_add_epi16, _mm256_add_epi32, _mm256_adds_epi16, _mm256_castsi256_si128, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi16, _mm256_cvtps_epi32, _mm256_extracti128_si256, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_srai_epi32, _mm256_storeu_si256, _mm256_sub_epi16, _mm256_sub_epi32,
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
pub(super) static KERNEL: Avx2 = Avx2 { _only_where_available: () };

/// See the module. Only [`KERNEL`] is ever used, and only if [`is_available`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2 {
    _only_where_available: (),
}

/// Whether this processor can run the kernel.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Pixels computed together: with two vectors of sums each, they and the weights fill the registers.
const PIXELS: usize = 4;

/// 16-bit lanes of a vector.
const LANES: usize = 16;

impl Kernel for Avx2 {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable> {
        winograd::prepare(*self, conv)
    }

    fn saturate(&self, rounds: u32) -> Option<u64> {
        // SAFETY: the kernel is only handed out if AVX2 is available.
        Some(unsafe { saturate(rounds) })
    }
}

/// Independent chains of sums: more than the latency of a multiplication times the multiplications started per cycle.
const CHAINS: usize = 12;

#[target_feature(enable = "avx2")]
unsafe fn saturate(rounds: u32) -> u64 {
    let mut sums = [_mm256_set1_epi32(0); CHAINS];
    let lanes = std::hint::black_box(_mm256_set1_epi16(3));
    for round in 0..rounds {
        let weights = _mm256_set1_epi32(round.cast_signed());
        for sums in &mut sums {
            // Multiplying by the sum itself keeps the compiler from sharing one product between the chains.
            *sums = _mm256_add_epi32(weights, _mm256_madd_epi16(*sums, lanes));
        }
    }
    std::hint::black_box(sums);
    u64::from(rounds) * (CHAINS * LANES) as u64
}

impl Micro for Avx2 {
    type Form = Wide;

    const NAME: &'static str = "avx2";
    const GROUP: usize = 2;

    fn widen(self, levels: &[u8], zero_point: u8, lanes: &mut [i16]) {
        // SAFETY: the kernel is only handed out if AVX2 is available.
        unsafe { widen(levels, zero_point, lanes) }
    }

    fn convolve(self, rows: &Rows<'_, i16>, weights: &[i16], requant: &Requant, block: &mut Block<'_>) {
        rows.check(weights.len());
        block.check(rows.pixels);
        // SAFETY: the kernel is only handed out if AVX2 is available; the checks above satisfy the function's
        // requirements.
        unsafe { convolve(rows, weights, requant, block) }
    }
}

impl Winograd for Avx2 {
    fn transform_input(self, lines: [&[i16]; 4], channels: usize, tiles: usize, stride: usize, patches: &mut [i16]) {
        assert!(channels >= LANES && lines.iter().all(|line| line.len() >= (2 * tiles + 2) * channels));
        assert!(stride >= tiles * channels && patches.len() >= 15 * stride + tiles * channels);
        // SAFETY: AVX2 is available as above; the checks satisfy the function's requirements.
        unsafe { transform_input(lines, channels, tiles, stride, patches) }
    }

    fn products(self, rows: &Rows<'_, i16>, weights: &[i16], sums: &mut [i32]) {
        rows.check(weights.len());
        assert!(sums.len() >= rows.pixels * BLOCK);
        // SAFETY: AVX2 is available as above; the checks satisfy the function's requirements.
        unsafe { products(rows, weights, sums) }
    }

    fn transform_output(
        self,
        sums: &[i32],
        tiles: usize,
        requant: &Requant,
        upper: &mut Block<'_>,
        lower: Option<&mut Block<'_>>,
        pixels: usize,
    ) {
        assert!(tiles > 0 && sums.len() >= 16 * tiles * BLOCK && (2 * tiles - 1..=2 * tiles).contains(&pixels));
        // SAFETY: AVX2 is available as above; the check satisfies the function's requirements.
        unsafe { transform_output(sums, tiles, requant, upper, lower, pixels) }
    }
}

#[target_feature(enable = "avx2")]
unsafe fn widen(levels: &[u8], zero_point: u8, lanes: &mut [i16]) {
    let zero = _mm256_set1_epi16(i16::from(zero_point));
    let whole = levels.len().min(lanes.len()) / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: 16 levels and 16 lanes from `at` on are inside their slices, by the bound of the loop.
        unsafe {
            let wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(levels.as_ptr().add(at).cast()));
            _mm256_storeu_si256(lanes.as_mut_ptr().add(at).cast(), _mm256_sub_epi16(wide, zero));
        }
    }
    for (lane, level) in lanes[whole..].iter_mut().zip(&levels[whole..]) {
        *lane = Wide::lane(*level, zero_point);
    }
}

/// Sums of `P` pixels from `pixel` on, 8 channels per vector.
///
/// Requires what [`Rows::check`] checks, `pixel + P <= rows.pixels`, and `run * BLOCK` weights per line.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn accumulate<const P: usize>(
    rows: &Rows<'_, i16>,
    weights: &[i16],
    pixel: usize,
    start: [__m256i; 2],
) -> [[__m256i; 2]; P] {
    let mut sums = [start; P];
    let mut weight = weights.as_ptr();
    for line in rows.lines {
        let lanes = line[pixel * rows.step..].as_ptr();
        for pair in 0..rows.run / 2 {
            // SAFETY: a line holds `(pixels - 1) * step + run` lanes, so lanes `2 * pair` and the next one of each of the
            // `P` pixels are in it; each pair has 32 weights, and a line has `run * BLOCK` of them.
            unsafe {
                let first = _mm256_loadu_si256(weight.cast());
                let second = _mm256_loadu_si256(weight.add(LANES).cast());
                weight = weight.add(2 * LANES);
                for (p, sums) in sums.iter_mut().enumerate() {
                    let lanes = lanes.add(p * rows.step + 2 * pair).cast::<i32>().read_unaligned();
                    let lanes = _mm256_set1_epi32(lanes);
                    sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(lanes, first));
                    sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(lanes, second));
                }
            }
        }
    }
    sums
}

/// [`Requant`] in registers.
#[derive(Clone, Copy)]
struct Levels<'a> {
    requant: &'a Requant,
}

impl Levels<'_> {
    /// Levels of 16 channels from their sums, including biases.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn of(self, sums: [__m256i; 2]) -> [u8; BLOCK] {
        let requant = self.requant;
        // SAFETY: `scale` holds 16 numbers, two vectors of 8.
        let scales = unsafe { [_mm256_loadu_ps(requant.scale.as_ptr()), _mm256_loadu_ps(requant.scale[8..].as_ptr())] };
        let steps = |at: usize| _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums[at]), scales[at]));
        // Packing saturates to 16 bits and works in halves of vectors; the permutation puts the channels in order.
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(steps(0), steps(1)));
        let levels = _mm256_adds_epi16(packed, _mm256_set1_epi16(i16::from(requant.zero_point)));
        let levels = _mm_packus_epi16(_mm256_castsi256_si128(levels), _mm256_extracti128_si256::<1>(levels));
        let levels = _mm_max_epu8(levels, _mm_set1_epi8(requant.lowest.cast_signed()));
        let levels = _mm_min_epu8(levels, _mm_set1_epi8(requant.highest.cast_signed()));
        let mut out = [0; BLOCK];
        // SAFETY: `out` holds the 16 bytes of the vector.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), levels) };
        out
    }
}

#[target_feature(enable = "avx2")]
unsafe fn biases(requant: &Requant) -> [__m256i; 2] {
    let at: *const __m256i = requant.bias.as_ptr().cast();
    // SAFETY: `bias` holds 16 numbers, two vectors of 8.
    unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
}

/// Requires what [`Rows::check`] checks, and that the block fits.
#[target_feature(enable = "avx2")]
unsafe fn convolve(rows: &Rows<'_, i16>, weights: &[i16], requant: &Requant, block: &mut Block<'_>) {
    // SAFETY: AVX2 is enabled for this function; pixels stay below `rows.pixels` by the bounds of the loops.
    unsafe {
        let bias = biases(requant);
        let levels = Levels { requant };
        let mut pixel = 0;
        while pixel + PIXELS <= rows.pixels {
            let sums = accumulate::<PIXELS>(rows, weights, pixel, bias);
            for (p, sums) in sums.into_iter().enumerate() {
                block.store(pixel + p, levels.of(sums));
            }
            pixel += PIXELS;
        }
        for pixel in pixel..rows.pixels {
            let [sums] = accumulate::<1>(rows, weights, pixel, bias);
            block.store(pixel, levels.of(sums));
        }
    }
}

/// Requires what [`Rows::check`] checks, and [`BLOCK`] sums per pixel.
#[target_feature(enable = "avx2")]
unsafe fn products(rows: &Rows<'_, i16>, weights: &[i16], sums: &mut [i32]) {
    let zero = [_mm256_set1_epi32(0); 2];
    let to: *mut __m256i = sums.as_mut_ptr().cast();
    let mut pixel = 0;
    // SAFETY: AVX2 is enabled for this function; pixels stay below `rows.pixels`, and each has room for 16 sums, two
    // vectors.
    unsafe {
        while pixel + PIXELS <= rows.pixels {
            for (p, sums) in accumulate::<PIXELS>(rows, weights, pixel, zero).into_iter().enumerate() {
                _mm256_storeu_si256(to.add(2 * (pixel + p)), sums[0]);
                _mm256_storeu_si256(to.add(2 * (pixel + p) + 1), sums[1]);
            }
            pixel += PIXELS;
        }
        for pixel in pixel..rows.pixels {
            let [sums] = accumulate::<1>(rows, weights, pixel, zero);
            _mm256_storeu_si256(to.add(2 * pixel), sums[0]);
            _mm256_storeu_si256(to.add(2 * pixel + 1), sums[1]);
        }
    }
}

/// `B^T` along one axis.
#[target_feature(enable = "avx2")]
#[inline]
fn through_b(d: [__m256i; 4]) -> [__m256i; 4] {
    [
        _mm256_sub_epi16(d[0], d[2]),
        _mm256_add_epi16(d[1], d[2]),
        _mm256_sub_epi16(d[2], d[1]),
        _mm256_sub_epi16(d[1], d[3]),
    ]
}

/// Requires lines of `(2 tiles + 2) * channels` lanes, at least 16 channels, and room for 16 components.
#[target_feature(enable = "avx2")]
unsafe fn transform_input(lines: [&[i16]; 4], channels: usize, tiles: usize, stride: usize, patches: &mut [i16]) {
    let to = patches.as_mut_ptr();
    let mut channel = 0;
    loop {
        // SAFETY: `channel + 16 <= channels`, columns stay below `2 tiles + 2` and tiles below `tiles`: all within the
        // caller's guarantees.
        unsafe {
            let column = |x: usize| {
                let at = x * channels + channel;
                through_b(lines.map(|line| _mm256_loadu_si256(line.as_ptr().add(at).cast())))
            };
            let (mut first, mut second) = (column(0), column(1));
            for tile in 0..tiles {
                let (third, fourth) = (column(2 * tile + 2), column(2 * tile + 3));
                for i in 0..4 {
                    let row = through_b([first[i], second[i], third[i], fourth[i]]);
                    for (j, patch) in row.into_iter().enumerate() {
                        let at = (4 * i + j) * stride + tile * channels + channel;
                        _mm256_storeu_si256(to.add(at).cast(), patch);
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

/// `A^T` along one axis.
#[target_feature(enable = "avx2")]
#[inline]
fn through_a(m: [__m256i; 4]) -> [__m256i; 2] {
    let (sum, difference) = (_mm256_add_epi32(m[1], m[2]), _mm256_sub_epi32(m[1], m[2]));
    [_mm256_add_epi32(m[0], sum), _mm256_sub_epi32(difference, m[3])]
}

/// Requires 16 sums of each of 16 components of each tile.
#[target_feature(enable = "avx2")]
unsafe fn transform_output(
    sums: &[i32],
    tiles: usize,
    requant: &Requant,
    upper: &mut Block<'_>,
    mut lower: Option<&mut Block<'_>>,
    pixels: usize,
) {
    let from: *const __m256i = sums.as_ptr().cast();
    // SAFETY: AVX2 is enabled for this function. A component of a tile has 16 sums, two vectors: `from + 2 * (component *
    // tiles + tile) + half` is inside `sums` for components below 16 and tiles below `tiles`.
    unsafe {
        let bias = biases(requant);
        let levels = Levels { requant };
        for tile in 0..tiles {
            // [column][row][half]
            let mut outputs = [[[bias[0]; 2]; 2]; 2];
            for (half, bias) in bias.into_iter().enumerate() {
                let row = |i: usize| {
                    let m = |j: usize| _mm256_loadu_si256(from.add(2 * ((4 * i + j) * tiles + tile) + half));
                    through_a([m(0), m(1), m(2), m(3)])
                };
                let rows = [row(0), row(1), row(2), row(3)];
                for (column, outputs) in outputs.iter_mut().enumerate() {
                    let sums = through_a(rows.map(|row| row[column]));
                    for (output, sum) in outputs.iter_mut().zip(sums) {
                        output[half] = _mm256_add_epi32(_mm256_srai_epi32::<2>(sum), bias);
                    }
                }
            }
            for (column, [above, below]) in outputs.into_iter().enumerate() {
                let pixel = 2 * tile + column;
                if pixel < pixels {
                    upper.store(pixel, levels.of(above));
                    if let Some(lower) = lower.as_deref_mut() {
                        lower.store(pixel, levels.of(below));
                    }
                }
            }
        }
    }
}
