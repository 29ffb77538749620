//! Normalised cross-correlation of two small pictures at every shift, in the frequency domain (Lewis, "Fast normalized
//! cross-correlation", 1995), normalised over the overlap only.

use std::sync::Arc;

use image::{ImageBuffer, Luma, imageops};
use rustfft::{Fft, FftPlanner, num_complex::Complex32};

use super::thumbnail::{LONGEST_PX, SHRINKS, Thumbnail};

/// Minimum overlap as a share of the larger picture. Slightly below the documented 60 %.
const LEAST_OVERLAP: f64 = 0.5;
/// Minimum share of each picture's content in the overlap: corners of empty glass carry no information.
const LEAST_CONTENT: f64 = 0.25;
/// Edge of the transformed grid. With at least half of the larger picture in the overlap, no shift wraps around.
const GRID_PX: usize = (LONGEST_PX + LONGEST_PX / 2) as usize;
/// Orientations of a rectangle.
const TURNS: u8 = 8;

type Grey = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The transforms, planned once.
pub(super) struct Transform {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

/// The first picture of a comparison.
pub(super) struct Still {
    copies: Vec<(Energy, Vec<Complex32>)>,
}

/// The second picture of a comparison in all orientations. Two orientations share a spectrum, one in the real and one in
/// the imaginary part of its inverse transform.
pub(super) struct Turned {
    copies: Vec<Vec<([Energy; 2], Vec<Complex32>)>>,
}

impl Transform {
    /// Plans the transforms.
    pub(super) fn new() -> Self {
        let mut planner = FftPlanner::new();
        Self { forward: planner.plan_fft_forward(GRID_PX), inverse: planner.plan_fft_inverse(GRID_PX) }
    }

    /// The spectra of the first picture of comparisons.
    pub(super) fn still(&self, thumbnail: &Thumbnail) -> Still {
        let copies = thumbnail.copies.iter().map(|copy| (Energy::new(copy), self.spectrum(copy))).collect();
        Still { copies }
    }

    /// The spectra of the second picture of comparisons.
    pub(super) fn turned(&self, thumbnail: &Thumbnail) -> Turned {
        let two = |copy: &Grey, turn: u8| {
            let (one, other) = (turn_by(copy, turn), turn_by(copy, turn + 1));
            let both = self.spectrum(&one).into_iter().zip(self.spectrum(&other));
            let spectrum = both.map(|(one, other)| one.conj() + Complex32::i() * other.conj()).collect();
            ([Energy::new(&one), Energy::new(&other)], spectrum)
        };
        let turns = |copy: &Grey| (0..TURNS).step_by(2).map(|turn| two(copy, turn)).collect();
        Turned { copies: thumbnail.copies.iter().map(turns).collect() }
    }

    /// Greatest correlation, 0 to 1, over all orientations, the size ratios of [`SHRINKS`] in both directions, and every
    /// shift with an overlap of at least [`LEAST_OVERLAP`].
    pub(super) fn similarity(&self, still: &Still, turned: &Turned) -> f64 {
        let mut scratch = Scratch::default();
        let mut best = 0.0;
        let sizes = (0..SHRINKS.len()).map(|shrunk| (0, shrunk)).chain((1..SHRINKS.len()).map(|shrunk| (shrunk, 0)));
        let larger_px = still.copies[0].0.area().max(turned.copies[0][0].0[0].area());
        let least_px = (larger_px as f64 * LEAST_OVERLAP).ceil() as usize;
        for (one, other) in sizes {
            let (energy, spectrum) = &still.copies[one];
            for (energies, conjugate) in &turned.copies[other] {
                scratch.product.clear();
                scratch.product.extend(spectrum.iter().zip(conjugate).map(|(a, b)| a * b));
                self.back(&mut scratch);
                let [real, imaginary] = energies;
                best = peak(energy, real, least_px, best, |at| scratch.product[at].re);
                best = peak(energy, imaginary, least_px, best, |at| scratch.product[at].im);
            }
        }
        best
    }

    /// The spectrum of a picture in the corner of the grid, columns first.
    fn spectrum(&self, picture: &Grey) -> Vec<Complex32> {
        let mut grid = vec![Complex32::default(); GRID_PX * GRID_PX];
        for (x, y, Luma([value])) in picture.enumerate_pixels() {
            grid[y as usize * GRID_PX + x as usize].re = *value;
        }
        self.forward.process(&mut grid);
        let mut across = vec![Complex32::default(); GRID_PX * GRID_PX];
        transpose(&grid, &mut across);
        self.forward.process(&mut across);
        across
    }

    /// From a spectrum to the correlations, rows first, each times the number of grid points.
    fn back(&self, scratch: &mut Scratch) {
        let Scratch { product, across, work } = scratch;
        across.resize(product.len(), Complex32::default());
        work.resize(self.inverse.get_inplace_scratch_len(), Complex32::default());
        self.inverse.process_with_scratch(product, work);
        transpose(product, across);
        self.inverse.process_with_scratch(across, work);
        std::mem::swap(product, across);
    }
}

/// Buffers of one comparison.
#[derive(Default)]
struct Scratch {
    product: Vec<Complex32>,
    across: Vec<Complex32>,
    work: Vec<Complex32>,
}

fn transpose(from: &[Complex32], to: &mut [Complex32]) {
    for (x, row) in to.chunks_exact_mut(GRID_PX).enumerate() {
        for (value, line) in row.iter_mut().zip(from.chunks_exact(GRID_PX)) {
            *value = line[x];
        }
    }
}

/// One of the eight turns and flips.
fn turn_by(picture: &Grey, turn: u8) -> Grey {
    let flipped = if turn & 4 == 0 { picture.clone() } else { imageops::flip_horizontal(picture) };
    match turn & 3 {
        0 => flipped,
        1 => imageops::rotate90(&flipped),
        2 => imageops::rotate180(&flipped),
        _ => imageops::rotate270(&flipped),
    }
}

/// Sums of squares over any rectangle of a picture.
struct Energy {
    width: usize,
    height: usize,
    /// Sum over everything above and to the left of a corner, `(width + 1) * (height + 1)`.
    sums: Vec<f32>,
}

impl Energy {
    fn new(picture: &Grey) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut sums = vec![0.0; (width + 1) * (height + 1)];
        for (y, row) in picture.chunks_exact(width).enumerate() {
            let mut line = 0.0;
            for (x, value) in row.iter().enumerate() {
                line += value * value;
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + line;
            }
        }
        Self { width, height, sums }
    }

    fn area(&self) -> usize {
        self.width * self.height
    }

    fn all(&self) -> f32 {
        self.sums.last().copied().unwrap_or_default()
    }

    fn of(&self, xs: &std::ops::Range<usize>, ys: &std::ops::Range<usize>) -> f32 {
        let at = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        at(xs.end, ys.end) - at(xs.start, ys.end) - at(xs.end, ys.start) + at(xs.start, ys.start)
    }
}

/// The greater of `best` and the greatest correlation over the shifts with an overlap of at least `least_px`.
fn peak(one: &Energy, other: &Energy, least_px: usize, best: f64, correlation: impl Fn(usize) -> f32) -> f64 {
    let mut best = best as f32;
    let points = (GRID_PX * GRID_PX) as f32;
    let (least_one, least_other) = (one.all() * LEAST_CONTENT as f32, other.all() * LEAST_CONTENT as f32);
    for dy in 1 - other.height as isize..one.height as isize {
        let (own_ys, their_ys) = overlap(one.height, other.height, dy);
        for dx in 1 - other.width as isize..one.width as isize {
            let (own_xs, their_xs) = overlap(one.width, other.width, dx);
            if own_xs.len() * own_ys.len() < least_px {
                continue;
            }
            let wrapped = |d: isize| d.rem_euclid(GRID_PX as isize) as usize;
            let value = correlation(wrapped(dy) * GRID_PX + wrapped(dx)) / points;
            if value <= 0.0 {
                continue;
            }
            let (own, theirs) = (one.of(&own_xs, &own_ys), other.of(&their_xs, &their_ys));
            if own <= least_one || theirs <= least_other {
                continue;
            }
            best = best.max(value / (own * theirs).sqrt());
        }
    }
    f64::from(best.min(1.0))
}

/// Where two lines overlap, in each, if the other starts at `shift`.
fn overlap(one: usize, other: usize, shift: isize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let first = shift.max(0) as usize;
    let last = (shift + other as isize).clamp(0, one as isize) as usize;
    let back = |at: usize| (at as isize - shift) as usize;
    (first..last, back(first)..back(last))
}
