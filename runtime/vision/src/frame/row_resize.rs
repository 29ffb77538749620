//! Row-by-row resizing of 8-bit pictures, in preallocated memory.
//!
//! This is the only resize, for whole pictures ([`crate::frame::resize`]) and for cameras: it never holds a full-size RGB
//! picture of a camera, only as many narrowed rows as one row of the result needs. The method is Pillow's (`Resample.c`):
//! the filter is widened by the downscaling factor, rows are processed before columns, with 8 bit in between. Weights are
//! fixed-point integers that are computed once. A frame uses integer arithmetic only, so the bytes are the same on every
//! processor.

use crate::error::{Error, Result};

/// Maximum fractional bits of a weight. Sums of weights (at most 1.3 in magnitude) times 255 stay below 2^31.
const WEIGHT_BITS: u32 = 22;

/// The filter kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Cubic convolution with a = -0.5 (Catmull-Rom; Keys, "Cubic convolution interpolation for digital image processing",
    /// 1981).
    Bicubic,
    /// Area averaging.
    Box,
}

impl Filter {
    /// Half of the filter's width at factor 1, in pixels of the result or of the source, whichever are larger.
    fn reach_px(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Box => 0.5,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => catmull_rom(x),
            Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
        }
    }
}

/// Fractional bits of the weights. Results can differ by one or two levels between the two, so each use keeps the one it
/// was recorded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 22, as in Pillow: for camera frames.
    Long,
    /// As many as keep the greatest weight of an axis below 2^15, as in Pillow-SIMD: for pictures of data sets, on which
    /// the models were trained and measured.
    Short,
}

impl Precision {
    fn bits(self, greatest_weight: f64) -> u32 {
        let is_full = |bits: &u32| (greatest_weight * f64::from(2 << bits)).round() >= f64::from(1 << 15);
        match self {
            Self::Long => WEIGHT_BITS,
            Self::Short => (0..WEIGHT_BITS).find(is_full).unwrap_or(WEIGHT_BITS - 1),
        }
    }
}

/// Where one axis of the result lies on that of the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// Pixels of the source.
    pub from_px: u32,
    /// Pixels of the result.
    pub to_px: u32,
    /// Source pixels per result pixel, above 0.
    pub factor: f64,
    /// Where the result begins on the source, in source pixels.
    pub start_px: f64,
}

impl Side {
    /// The whole source.
    pub fn whole(from_px: u32, to_px: u32) -> Self {
        Self { from_px, to_px, factor: f64::from(from_px) / f64::from(to_px), start_px: 0.0 }
    }

    /// As many whole result pixels of `factor` source pixels each as fit, centred.
    pub fn middle(from_px: u32, factor: f64) -> Self {
        // Slightly more than a whole number is a rounding error of the factor.
        let to_px = (f64::from(from_px) / factor + 1e-6).floor() as u32;
        Self { from_px, to_px, factor, start_px: (f64::from(from_px) - f64::from(to_px) * factor) / 2.0 }
    }
}

/// For each result pixel: the first source pixel that counts, and the weights from there on.
#[derive(Debug)]
struct Taps {
    spans: Vec<(usize, usize)>,
    weights: Vec<i32>,
    /// Weights stored per pixel.
    stride: usize,
    /// Fractional bits of a weight.
    bits: u32,
}

impl Taps {
    fn new(side: Side, filter: Filter, precision: Precision) -> Self {
        let stride = 2 * (filter.reach_px() * side.factor.max(1.0)).ceil() as usize + 1;
        let mut exact = vec![0.0; stride * side.to_px as usize];
        let firsts: Vec<usize> =
            exact.chunks_exact_mut(stride).enumerate().map(|(to, weights)| weigh(side, filter, to, weights)).collect();
        let bits = precision.bits(exact.iter().copied().fold(0.0, f64::max));
        let one = f64::from(1 << bits);
        let mut weights: Vec<i32> = exact.into_iter().map(|exact| (exact * one).round() as i32).collect();
        let spans = firsts.into_iter().zip(weights.chunks_exact_mut(stride)).map(|(first, weights)| {
            // Skip zero weights at the start: a factor of 1 is a plain copy.
            let idle = weights.iter().position(|weight| *weight != 0).unwrap_or(0);
            weights.rotate_left(idle);
            let busy = weights.iter().rposition(|weight| *weight != 0).map_or(0, |last| last + 1);
            (first + idle, busy)
        });
        Self { spans: spans.collect(), weights, stride, bits }
    }

    /// First source pixel and weights of a result pixel.
    fn of(&self, to: usize) -> Option<(usize, &[i32])> {
        let &(first, count) = self.spans.get(to)?;
        Some((first, self.weights.get(to * self.stride..)?.get(..count)?))
    }

    /// The level of a sum of weighted levels that started at one half.
    fn level(&self, sum: i32) -> u8 {
        (sum >> self.bits).clamp(0, 255) as u8
    }

    fn most(&self) -> usize {
        self.spans.iter().map(|span| span.1).max().unwrap_or(0)
    }
}

/// Computes the weights of result pixel `to`, which sum to 1, and returns their first source pixel.
fn weigh(side: Side, filter: Filter, to: usize, weights: &mut [f64]) -> usize {
    let Side { from_px, factor, start_px, .. } = side;
    let width = factor.max(1.0);
    let reach = filter.reach_px() * width;
    let centre = start_px + (to as f64 + 0.5) * factor;
    let first = (centre - reach).floor().max(0.0) as usize;
    let last = (centre + reach).ceil().min(f64::from(from_px)) as usize;
    let narrowing = 1.0 / width;
    let middle = centre - 0.5;
    let mut sum = 0.0;
    for (at, weight) in (first..last).zip(weights.iter_mut()) {
        *weight = filter.weight((at as f64 - middle) * narrowing);
        sum += *weight;
    }
    if sum != 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    first
}

/// The cubic convolution kernel with a = -0.5. Its terms are in the order of Pillow-SIMD's, because weights rounded to
/// few bits depend on the last bit of a float.
fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

/// A resize from one fixed size to another.
#[derive(Debug)]
pub struct RowResize {
    across: Taps,
    down: Taps,
    /// Resizes one source row.
    narrow: fn(&Taps, &[u8], &mut [u8]),
    /// Bytes of a row of the source and of the result.
    row_bytes: (usize, usize),
    /// The latest narrowed rows: source row `y` at `y % ring_rows`.
    ring: Vec<u8>,
    ring_rows: usize,
    sums: Vec<i32>,
    rows_in: usize,
    rows_out: usize,
}

impl RowResize {
    /// Prepares a bicubic resize of camera pictures; allocates all memory.
    ///
    /// # Errors
    /// [`Error::Picture`] if either picture has no pixels.
    pub fn new(across: Side, down: Side) -> Result<Self> {
        Self::with::<3>(across, down, Filter::Bicubic, Precision::Long)
    }

    /// Prepares a resize of pictures with `CHANNELS` levels per pixel.
    ///
    /// # Errors
    /// [`Error::Picture`] if either picture has no pixels.
    pub fn with<const CHANNELS: usize>(across: Side, down: Side, filter: Filter, precision: Precision) -> Result<Self> {
        let sides = [across.from_px, across.to_px, down.from_px, down.to_px];
        if sides.contains(&0) {
            let found = format!("{}x{} to {}x{} pixels", sides[0], sides[2], sides[1], sides[3]);
            return Err(Error::picture(found, "at least one pixel", "Choose a larger frame or region"));
        }
        let row_bytes = (CHANNELS * across.from_px as usize, CHANNELS * across.to_px as usize);
        let (across, down) = (Taps::new(across, filter, precision), Taps::new(down, filter, precision));
        let ring_rows = down.most().max(1);
        let (ring, sums) = (vec![0; ring_rows * row_bytes.1], vec![0; row_bytes.1]);
        let narrow = narrow::<CHANNELS>;
        Ok(Self { across, down, narrow, row_bytes, ring, ring_rows, sums, rows_in: 0, rows_out: 0 })
    }

    /// Starts a picture.
    pub fn begin(&mut self) {
        self.rows_in = 0;
        self.rows_out = 0;
    }

    /// Takes the next source row and writes the rows that it completes to `picture`, the bytes of the whole result.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row of another length, and for rows after the last.
    pub fn row(&mut self, row: &[u8], picture: &mut [u8]) -> Result<()> {
        if row.len() != self.row_bytes.0 {
            return Err(Error::internal("row_resize", format!("a row of {} bytes", row.len())));
        }
        let slot = self.rows_in % self.ring_rows * self.row_bytes.1;
        let narrowed = self
            .ring
            .get_mut(slot..slot + self.row_bytes.1)
            .ok_or_else(|| Error::internal("row_resize", "no room for a row"))?;
        (self.narrow)(&self.across, row, narrowed);
        self.rows_in += 1;
        while let Some((first, weights)) = self.down.of(self.rows_out) {
            if first + weights.len() > self.rows_in {
                break;
            }
            self.sums.fill(1 << (self.down.bits - 1));
            for (at, weight) in (first..).zip(weights) {
                let from = self.ring.chunks_exact(self.row_bytes.1).nth(at % self.ring_rows).unwrap_or_default();
                for (sum, from) in self.sums.iter_mut().zip(from) {
                    *sum += weight * i32::from(*from);
                }
            }
            let to = picture
                .chunks_exact_mut(self.row_bytes.1)
                .nth(self.rows_out)
                .ok_or_else(|| Error::internal("row_resize", "the picture is too small"))?;
            for (to, sum) in to.iter_mut().zip(&self.sums) {
                *to = self.down.level(*sum);
            }
            self.rows_out += 1;
        }
        Ok(())
    }
}

fn narrow<const CHANNELS: usize>(taps: &Taps, row: &[u8], to: &mut [u8]) {
    for (at, pixel) in to.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
        let Some((first, weights)) = taps.of(at) else { return };
        let mut sums = [1 << (taps.bits - 1); CHANNELS];
        let from = row.get(CHANNELS * first..).unwrap_or_default();
        for (weight, from) in weights.iter().zip(from.as_chunks::<CHANNELS>().0) {
            for (sum, from) in sums.iter_mut().zip(from) {
                *sum += weight * i32::from(*from);
            }
        }
        *pixel = sums.map(|sum| taps.level(sum));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{Rgb, RgbImage};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::resize::resize_rgb;

    fn run(resize: &mut RowResize, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut to = RgbImage::new(width, height);
        resize.begin();
        for row in picture.as_raw().chunks_exact(picture.width() as usize * 3) {
            resize.row(row, &mut to).unwrap();
        }
        to
    }

    fn resized(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let across = Side::whole(picture.width(), width);
        let down = Side::whole(picture.height(), height);
        run(&mut RowResize::new(across, down).unwrap(), picture, width, height)
    }

    fn textured(width: u32, height: u32, seed: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let hash = (x * 31 + y * 17 + seed).wrapping_mul(0x9e37_79b9) >> 13;
            Rgb([(hash & 255) as u8, if (x / 5 + y / 7) % 2 == 0 { 255 } else { 0 }, (x * 255 / width) as u8])
        })
    }

    proptest! {
        #[test]
        fn precisions_differ_by_at_most_two_levels(
            from in (1_u32..150, 1_u32..150), to in (1_u32..90, 1_u32..90), seed in 0_u32..1000
        ) {
            let picture = textured(from.0, from.1, seed);
            let (mine, reference) = (resized(&picture, to.0, to.1), resize_rgb(&picture, to.0, to.1).unwrap());
            // Rounded twice.
            for (a, b) in mine.as_raw().iter().zip(reference.as_raw()) {
                prop_assert!(a.abs_diff(*b) <= 2, "{} and {}", a, b);
            }
        }
    }

    #[test]
    fn same_size_is_identity_and_flat_stays_flat() {
        let picture = textured(33, 21, 5);
        assert_eq!(resized(&picture, 33, 21), picture);
        let flat = RgbImage::from_pixel(640, 480, Rgb([255, 1, 90]));
        assert_eq!(resized(&flat, 64, 64), RgbImage::from_pixel(64, 64, Rgb([255, 1, 90])));
    }

    #[test]
    fn known_factor_keeps_the_centre() {
        let side = Side::middle(101, 2.0);
        assert_eq!((side.to_px, side.start_px), (50, 0.5));
        assert_eq!(Side::middle(100, 1.0), Side::whole(100, 100));
        assert_eq!(Side::middle(3, 4.0).to_px, 0);
        let ramp = RgbImage::from_fn(101, 4, |x, _| Rgb([2 * x as u8; 3]));
        let mut resize = RowResize::new(side, Side::whole(4, 4)).unwrap();
        // Pixel 10 of the result is centred on 0.5 + 10.5 * 2 = 21.5, the centre of source pixel 21.
        assert_eq!(run(&mut resize, &ramp, 50, 4).get_pixel(10, 1).0[0], 42);
    }

    #[test]
    fn resize_is_reusable() {
        let mut resize = RowResize::new(Side::whole(50, 20), Side::whole(40, 10)).unwrap();
        let (one, two) = (textured(50, 40, 1), textured(50, 40, 2));
        let first = run(&mut resize, &one, 20, 10);
        assert_ne!(run(&mut resize, &two, 20, 10), first);
        assert_eq!(run(&mut resize, &one, 20, 10), first);
    }

    #[test]
    fn empty_side_and_wrong_rows_are_errors() {
        assert_eq!(
            RowResize::new(Side::whole(0, 1), Side::whole(1, 1)).unwrap_err().kind(),
            crate::error::ErrorKind::Input
        );
        let mut resize = RowResize::new(Side::whole(4, 2), Side::whole(4, 2)).unwrap();
        assert!(resize.row(&[0; 11], &mut [0; 12]).is_err());
        assert!((0..4).map(|_| resize.row(&[0; 12], &mut [0; 6])).any(|row| row.is_err()));
    }
}
