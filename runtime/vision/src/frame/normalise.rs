//! Normalises lamp and stain of a frame to those that the segmenter was trained on.
//!
//! Otsu's threshold (1979) separates bright ground from dark cells. The median of the ground is mapped to one white for
//! all channels, as in white balancing, and the median contrast of the cells is scaled to one contrast. All arithmetic is
//! integer with exactly rounded divisions, so the bytes are the same on every processor.

use image::{Rgb, RgbImage};

/// Level of the ground after normalisation, in every channel.
const GROUND_LEVEL: i64 = 228;

/// Contrast between ground and cells after normalisation, mean of the channels, in levels.
const CONTRAST_LEVELS: i64 = 56;

/// Minimum distance of the classes, in levels; below it there are no cells to measure contrast on.
const LEAST_CONTRAST_LEVELS: i64 = 8;

/// A ground darker than this is unlit, in levels.
const LEAST_GROUND_LEVEL: i64 = 32;

/// One in fixed-point numbers.
const ONE: i64 = 1 << 16;

/// Minimum and maximum contrast factor.
const CONTRAST_FACTOR: (i64, i64) = (ONE / 2, 3 * ONE);

/// One lookup table per channel, from levels of the frame to normalised ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalisation {
    tables: [[u8; 256]; 3],
}

impl Normalisation {
    /// The identity.
    pub fn none() -> Self {
        Self { tables: [std::array::from_fn(|level| level as u8); 3] }
    }

    /// Measures a whole frame of any size.
    pub fn of(frame: &RgbImage) -> Self {
        let mut counts = [0; 256];
        for pixel in frame.pixels() {
            counts[usize::from(brightness(pixel))] += 1;
        }
        let Some(threshold) = otsu(&counts) else { return Self::none() };
        let mut channels = [[0; 256]; 3];
        for pixel in frame.pixels().filter(|pixel| brightness(pixel) > threshold) {
            for (counts, level) in channels.iter_mut().zip(pixel.0) {
                counts[usize::from(level)] += 1;
            }
        }
        let ground = channels.map(|counts| median(&counts));
        if ground.iter().any(|level| *level < LEAST_GROUND_LEVEL) {
            return Self::none();
        }
        let balanced = ground
            .map(|ground| -> [u32; 256] { std::array::from_fn(|level| (level as i64 * GROUND_LEVEL / ground) as u32) });
        let mut counts = [0; 256];
        for pixel in frame.pixels().filter(|pixel| brightness(pixel) <= threshold) {
            let sum: u32 = pixel.0.iter().zip(&balanced).map(|(level, table)| table[usize::from(*level)]).sum();
            counts[(sum / 3).min(255) as usize] += 1;
        }
        let contrast = GROUND_LEVEL - median(&counts);
        let factor = if contrast < LEAST_CONTRAST_LEVELS {
            ONE
        } else {
            (CONTRAST_LEVELS * ONE / contrast).clamp(CONTRAST_FACTOR.0, CONTRAST_FACTOR.1)
        };
        let table = |ground: i64| {
            std::array::from_fn(|level| {
                // Distance below the ground in fixed-point levels; negative if brighter.
                let below = GROUND_LEVEL * ONE - level as i64 * GROUND_LEVEL * ONE / ground;
                let out = GROUND_LEVEL * ONE - (below * factor).div_euclid(ONE);
                ((out + ONE / 2).div_euclid(ONE)).clamp(0, 255) as u8
            })
        };
        Self { tables: ground.map(table) }
    }

    /// Normalises a picture of the frame, super-resolved or not.
    pub fn apply(&self, picture: &mut RgbImage) {
        for pixel in picture.chunks_exact_mut(3) {
            for (level, table) in pixel.iter_mut().zip(&self.tables) {
                *level = table[usize::from(*level)];
            }
        }
    }

    /// The same for a row of pixels, from one buffer to another.
    pub fn apply_to(&self, pixels: &[u8], to: &mut [u8]) {
        let [red, green, blue] = &self.tables;
        for (to, pixel) in to.chunks_exact_mut(3).zip(pixels.chunks_exact(3)) {
            to[0] = red[usize::from(pixel[0])];
            to[1] = green[usize::from(pixel[1])];
            to[2] = blue[usize::from(pixel[2])];
        }
    }
}

fn brightness(pixel: &Rgb<u8>) -> u8 {
    (pixel.0.iter().map(|level| u16::from(*level)).sum::<u16>() / 3) as u8
}

/// The median level; 0 if there are no pixels.
fn median(counts: &[u64; 256]) -> i64 {
    let half = counts.iter().sum::<u64>().div_ceil(2);
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= half
    });
    found.unwrap_or(0) as i64
}

/// The greatest level of the darker class that maximises the between-class variance; `None` for a flat picture. Nobuyuki
/// Otsu, "A threshold selection method from gray-level histograms", 1979.
fn otsu(counts: &[u64; 256]) -> Option<u8> {
    let all: u64 = counts.iter().sum();
    let sum: u64 = counts.iter().zip(0..).map(|(count, level)| count * level).sum();
    let (mut below, mut sum_below) = (0u64, 0u64);
    let mut best: Option<(f64, u8)> = None;
    for (level, count) in (0..=255u8).zip(counts) {
        below += count;
        sum_below += count * u64::from(level);
        if below == 0 || below == all {
            continue;
        }
        let (dark, bright) = (below as f64, (all - below) as f64);
        let apart = (sum - sum_below) as f64 / bright - sum_below as f64 / dark;
        let variance = dark * bright * apart * apart;
        if best.is_none_or(|(greatest, _)| variance > greatest) {
            best = Some((variance, level));
        }
    }
    best.map(|(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Disks on a ground.
    fn smear(ground: [u8; 3], cell: [u8; 3]) -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            let far = (f64::from(x % 12) - 6.0).hypot(f64::from(y % 14) - 7.0);
            Rgb(if far < 3.5 { cell } else { ground })
        })
    }

    fn normalised(mut picture: RgbImage) -> RgbImage {
        Normalisation::of(&picture).apply(&mut picture);
        picture
    }

    #[test]
    fn normalisation_cancels_lamp_and_stain() {
        let wanted = normalised(smear([230, 220, 210], [190, 150, 160]));
        assert_eq!(wanted.get_pixel(0, 0).0, [GROUND_LEVEL as u8; 3]);
        let of_cell = brightness(wanted.get_pixel(6, 7));
        assert!((i64::from(of_cell) - (GROUND_LEVEL - CONTRAST_LEVELS)).abs() <= 2, "{of_cell}");
        // half the light, a third of the stain, another lamp
        for (ground, cell) in
            [([115, 110, 105], [95, 75, 80]), ([230, 220, 210], [217, 197, 193]), ([250, 200, 150], [207, 136, 114])]
        {
            let other = normalised(smear(ground, cell));
            for (a, b) in wanted.pixels().zip(other.pixels()) {
                for (a, b) in a.0.iter().zip(b.0) {
                    assert!(a.abs_diff(b) <= 6, "{ground:?} {cell:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn flat_dark_and_empty_frames_are_unchanged() {
        for frame in [
            RgbImage::from_pixel(8, 8, Rgb([200; 3])),
            RgbImage::from_fn(8, 8, |x, _| Rgb([(x % 2) as u8; 3])),
            RgbImage::new(0, 0),
        ] {
            assert_eq!(Normalisation::of(&frame), Normalisation::none());
        }
    }

    #[test]
    fn noise_is_not_mistaken_for_cells() {
        let frame = RgbImage::from_fn(32, 32, |x, y| Rgb([200 + ((x * 7 + y * 13) % 5) as u8; 3]));
        let levels: Vec<u8> = normalised(frame).pixels().map(|p| p.0[0]).collect();
        assert!(levels.iter().all(|level| (222..=234).contains(level)), "{levels:?}");
    }
}
