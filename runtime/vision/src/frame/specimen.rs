//! Detects which parts of a picture show specimen, and paints over unlit areas and black marks.
//!
//! The surround of an eyepiece's field and the corners of a rotated or stitched picture are near-black in all channels.
//! So are stacked and deeply stained cells, but these are small, and hardly any of their pixels is black. On the 80
//! training fields of BBBC041, downscaled for the models, the largest near-black area of cells has 75 pixels, 35 if it
//! touches the border, and the most black pixels of one are 11; in the pictures of four other laboratories no pixel of a
//! cell is near-black. Arrows and scale bars drawn in black are covered by the rule for black areas. Marks drawn in white
//! or colour are not, and there is no rule for them. Transparent pixels arrive here as black ([`super::decode`]).

use image::{GrayImage, RgbImage};

use super::refit::{refit, refit_line};

/// A pixel of the specimen.
pub const SPECIMEN: u8 = 0;

/// A pixel at the edge of an excluded area: painted over, but a cell here counts as cut by the edge.
pub const RIM: u8 = 1;

/// An excluded pixel.
pub const OUTSIDE: u8 = 2;

/// A pixel is near-black if its brightest channel is below this share of the bright ground's.
const MAX_DARK_SHARE: f64 = 0.3;

/// Share of the pixels that are brighter than the bright ground, so that a few highlights do not determine it.
const BRIGHT_SHARE: f64 = 0.05;

/// A pixel is black if its brightest channel is below this share.
const MAX_BLACK_SHARE: f64 = 0.1;

/// A near-black area with at least this many black pixels is a mark or a dark surround.
const MIN_BLACK_PX: usize = 16;

/// A near-black area that touches the border and has at least this many pixels, about five cells, is a dark surround.
const MIN_SURROUND_PX: usize = 120;

/// Width of the rim around an area, in pixels: the resize blurs its edge by that much.
const RIM_PX: u32 = 2;

/// A picture with a smaller lit share is used unchanged: it is too dark, not a small field.
const MIN_LIT_SHARE: f64 = 0.02;

/// Detects the specimen in one picture after another, reusing memory.
#[derive(Debug, Default)]
pub struct Specimen {
    mask: GrayImage,
    painted: RgbImage,
    /// Pixels whose neighbours are still to be visited, and the pixels of the current area.
    area: Vec<u32>,
    outside_px: u64,
}

impl Specimen {
    /// Detects excluded areas; returns whether there are any. [`Self::painted`] is then the picture without them.
    pub fn find(&mut self, picture: &RgbImage) -> bool {
        let (width, height) = picture.dimensions();
        self.outside_px = 0;
        let Darkness { dark, black, dark_px } = Darkness::of(picture);
        refit(&mut self.mask, width, height);
        self.mask.fill(SPECIMEN);
        refit_line(&mut self.area, picture.as_raw().len() / 3, 0);
        refit(&mut self.painted, width, height);
        let count = u64::from(width) * u64::from(height);
        if dark_px < MIN_BLACK_PX as u64 || (count - dark_px) as f64 <= MIN_LIT_SHARE * count as f64 {
            return false;
        }
        self.mark_dark_areas(picture, dark, black);
        if self.outside_px == 0 {
            return false;
        }
        self.mark_rim();
        self.paint(picture);
        true
    }

    /// The last picture with excluded areas, painted over with the colour of the bright ground, including their rim.
    pub fn painted(&self) -> &RgbImage {
        &self.painted
    }

    /// The kind of each pixel of the last picture: [`SPECIMEN`], [`RIM`] or [`OUTSIDE`].
    pub fn mask(&self) -> &GrayImage {
        &self.mask
    }

    /// Excluded pixels of the last picture, without the rim.
    pub fn outside_px(&self) -> u64 {
        self.outside_px
    }

    /// Marks connected areas of pixels below the level `dark` as outside if they are marks or a dark surround.
    fn mark_dark_areas(&mut self, picture: &RgbImage, dark: u8, black: u8) {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let pixels = picture.as_raw().as_chunks::<3>().0;
        let mask: &mut [u8] = &mut self.mask;
        // Mark every near-black pixel first; those of other areas are reset below.
        for (kind, pixel) in mask.iter_mut().zip(pixels) {
            *kind = if brightest(pixel) < dark { RIM } else { SPECIMEN };
        }
        for seed in 0..mask.len() {
            if mask[seed] != RIM {
                continue;
            }
            let size = flood(mask, width, seed, &mut self.area);
            let area = &self.area[..size];
            let at_border = |at: &u32| {
                let (x, y) = (*at as usize % width, *at as usize / width);
                x == 0 || y == 0 || x + 1 == width || y + 1 == height
            };
            let is_black = |at: &&u32| brightest(&pixels[**at as usize]) < black;
            let is_outside = area.iter().filter(is_black).count() >= MIN_BLACK_PX
                || (size >= MIN_SURROUND_PX && area.iter().any(at_border));
            if is_outside {
                self.outside_px += size as u64;
                continue;
            }
            area.iter().for_each(|at| mask[*at as usize] = SPECIMEN);
        }
    }

    /// Marks pixels within [`RIM_PX`] of the outside.
    fn mark_rim(&mut self) {
        let (width, height) = self.mask.dimensions();
        let reach = |at: u32, most: u32| at.saturating_sub(RIM_PX)..(at + RIM_PX + 1).min(most);
        for y in 0..height {
            for x in 0..width {
                if self.mask.get_pixel(x, y).0[0] != OUTSIDE {
                    continue;
                }
                for near_y in reach(y, height) {
                    for near_x in reach(x, width) {
                        let kind = &mut self.mask.get_pixel_mut(near_x, near_y).0[0];
                        *kind = (*kind).max(RIM);
                    }
                }
            }
        }
    }

    fn paint(&mut self, picture: &RgbImage) {
        let ground = ground(picture, &self.mask);
        self.painted.copy_from_slice(picture);
        for (pixel, kind) in self.painted.as_chunks_mut::<3>().0.iter_mut().zip(self.mask.iter()) {
            if *kind != SPECIMEN {
                *pixel = ground;
            }
        }
    }
}

fn brightest(pixel: &[u8; 3]) -> u8 {
    pixel[0].max(pixel[1]).max(pixel[2])
}

/// The levels below which a pixel is near-black and black, and the number of near-black pixels.
struct Darkness {
    dark: u8,
    black: u8,
    dark_px: u64,
}

impl Darkness {
    fn of(picture: &RgbImage) -> Self {
        let mut levels = [0_u64; 256];
        for pixel in picture.as_raw().as_chunks::<3>().0 {
            levels[usize::from(brightest(pixel))] += 1;
        }
        let count: u64 = levels.iter().sum();
        let bright = quantile(&levels, ((1.0 - BRIGHT_SHARE) * count as f64) as u64);
        let share = |of: f64| (of * f64::from(bright)) as u8;
        let (dark, black) = (share(MAX_DARK_SHARE), share(MAX_BLACK_SHARE));
        Self { dark, black, dark_px: levels[..usize::from(dark)].iter().sum() }
    }
}

/// The level at `rank` in ascending order.
fn quantile(levels: &[u64; 256], rank: u64) -> u8 {
    let mut below = 0;
    levels
        .iter()
        .position(|count| {
            below += count;
            below > rank
        })
        .map_or(255, |level| level as u8)
}

/// The colour of the bright ground: in each channel, the level that a fifth of the specimen's pixels exceed.
fn ground(picture: &RgbImage, mask: &GrayImage) -> [u8; 3] {
    let mut levels = [[0_u64; 256]; 3];
    for (pixel, kind) in picture.as_raw().as_chunks::<3>().0.iter().zip(mask.iter()) {
        if *kind == SPECIMEN {
            for (levels, level) in levels.iter_mut().zip(pixel) {
                levels[usize::from(*level)] += 1;
            }
        }
    }
    let count: u64 = levels[0].iter().sum();
    levels.map(|levels| quantile(&levels, count * 4 / 5))
}

/// Collects the 4-connected pixels of kind [`RIM`] around `seed` in `area`, marks them [`OUTSIDE`], and returns their
/// number. `area` has room for every pixel.
fn flood(mask: &mut [u8], width: usize, seed: usize, area: &mut [u32]) -> usize {
    mask[seed] = OUTSIDE;
    area[0] = seed as u32;
    let (mut looked, mut size) = (0, 1);
    while looked < size {
        let at = area[looked] as usize;
        looked += 1;
        let x = at % width;
        let left = (x > 0).then(|| at - 1);
        let right = (x + 1 < width).then_some(at + 1);
        for next in [left, right, at.checked_sub(width), Some(at + width)].into_iter().flatten() {
            if mask.get(next) == Some(&RIM) {
                mask[next] = OUTSIDE;
                area[size] = next as u32;
                size += 1;
            }
        }
    }
    size
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::Rgb;

    use super::*;

    const GROUND: Rgb<u8> = Rgb([220, 210, 215]);

    fn painted<'a>(specimen: &'a mut Specimen, picture: &RgbImage) -> Option<&'a RgbImage> {
        specimen.find(picture).then(|| specimen.painted())
    }

    fn disk(radius: f64) -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            let far = (f64::from(x) - 31.5).hypot(f64::from(y) - 31.5);
            if far < radius { GROUND } else { Rgb([12, 10, 11]) }
        })
    }

    #[test]
    fn black_around_round_field_is_not_specimen() {
        let mut specimen = Specimen::default();
        let painted = painted(&mut specimen, &disk(30.0)).unwrap().clone();
        assert!(painted.pixels().all(|pixel| *pixel == GROUND));
        assert_eq!(specimen.mask().get_pixel(0, 0).0, [OUTSIDE]);
        assert_eq!(specimen.mask().get_pixel(31, 2).0, [RIM]);
        assert_eq!(specimen.mask().get_pixel(31, 31).0, [SPECIMEN]);
        let lit = disk(30.0).pixels().filter(|pixel| **pixel == GROUND).count() as u64;
        assert_eq!(specimen.outside_px(), 64 * 64 - lit);
    }

    #[test]
    fn nothing_is_excluded_from_fully_lit_or_dark_pictures() {
        let mut specimen = Specimen::default();
        assert!(!specimen.find(&RgbImage::from_pixel(9, 7, GROUND)));
        assert!(!specimen.find(&RgbImage::new(9, 7)));
        assert!(!specimen.find(&RgbImage::from_pixel(9, 7, Rgb([40, 30, 35]))));
        // A dark nucleus keeps a third of the ground's blue.
        let cells = RgbImage::from_fn(64, 64, |x, _| if x % 16 < 6 { Rgb([60, 30, 100]) } else { GROUND });
        assert!(!specimen.find(&cells) && specimen.mask().iter().all(|kind| *kind == SPECIMEN));
        assert!(!specimen.find(&RgbImage::new(0, 0)));
    }

    #[test]
    fn drawn_bar_is_excluded_but_single_black_pixel_is_not() {
        let mut picture = RgbImage::from_pixel(64, 64, GROUND);
        picture.put_pixel(50, 50, Rgb([0; 3]));
        let mut specimen = Specimen::default();
        assert!(!specimen.find(&picture));
        for x in 10..20 {
            picture.put_pixel(x, 60, Rgb([0; 3]));
            picture.put_pixel(x, 59, Rgb([0; 3]));
        }
        let painted = painted(&mut specimen, &picture).unwrap();
        assert_eq!((painted.get_pixel(12, 60), painted.get_pixel(50, 50)), (&GROUND, &Rgb([0; 3])));
        assert_eq!(specimen.outside_px(), 20);
    }

    #[test]
    fn dark_stacked_cells_are_specimen_but_dim_surround_is_not() {
        // A fifth of the ground, like three deeply stained overlapping cells; a few pixels are black.
        let stack = |x: u32, y: u32, radius: f64| {
            let far = |cx: f64, cy: f64| (f64::from(x) - cx).hypot(f64::from(y) - cy);
            far(30.0, 30.0) < radius || far(63.0, 10.0) < radius
        };
        let cells = RgbImage::from_fn(64, 64, |x, y| match (stack(x, y, 1.8), stack(x, y, 5.0)) {
            (true, _) => Rgb([15, 12, 18]),
            (false, true) => Rgb([44, 30, 40]),
            _ => GROUND,
        });
        assert!(!Specimen::default().find(&cells));
        let dim = RgbImage::from_fn(64, 64, |x, _| if x < 4 { Rgb([44, 40, 42]) } else { GROUND });
        let mut specimen = Specimen::default();
        assert!(specimen.find(&dim));
        assert_eq!(specimen.outside_px(), 4 * 64);
    }

    #[test]
    fn earlier_pictures_do_not_affect_later_ones() {
        let mut specimen = Specimen::default();
        let alone = painted(&mut Specimen::default(), &disk(20.0)).unwrap().clone();
        assert!(specimen.find(&disk(8.0)));
        specimen.find(&RgbImage::from_pixel(64, 64, GROUND));
        assert_eq!(painted(&mut specimen, &disk(20.0)), Some(&alone));
    }
}
