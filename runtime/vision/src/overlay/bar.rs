//! The scale bar: a round length of about a fifth of the width, white with a black edge, visible on any background.

use std::convert::Infallible;

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{
        MonoFont, MonoTextStyle,
        ascii::{FONT_6X10, FONT_10X20},
    },
    pixelcolor::BinaryColor,
    text::{Baseline, Text},
};
use image::{GrayImage, Luma, Rgb, RgbImage};

use super::Ruler;

/// Approximate share of the picture's width.
const SHARE: f64 = 0.2;

/// Pixels of the width per pixel of a letter's dot.
const SIDE_A_DOT_PX: u32 = 1000;

/// Pictures narrower than this use the small font.
const SMALL_PX: u32 = 400;

/// Draws the bar into the lower right corner; a picture without room for it is unchanged.
pub(super) fn draw(picture: &mut RgbImage, ruler: Ruler) {
    let (width, height) = picture.dimensions();
    let Some(length) = Length::near(f64::from(width) * ruler.um_per_px * SHARE) else { return };
    let font = if width < SMALL_PX { &FONT_6X10 } else { &FONT_10X20 };
    let dot_px = (width / SIDE_A_DOT_PX).max(1);
    let words = format!("{}{}", if ruler.is_estimate { "~" } else { "" }, length.words());
    let ink = ink(&words, font, dot_px, (length.um() / ruler.um_per_px).round() as u32);
    let margin_px = 8 * dot_px;
    let corner = [width, height].into_iter().zip([ink.width(), ink.height()]);
    let corner: Option<Vec<u32>> = corner.map(|(side, ink)| side.checked_sub(ink + margin_px)).collect();
    if let Some([left, top]) = corner.as_deref() {
        stamp(picture, &ink, [*left, *top], dot_px);
    }
}

/// A length of 1, 2 or 5 times a power of ten, in micrometres.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Length {
    digit: u8,
    power: i32,
}

impl Length {
    /// The nearest one in proportion; `None` for lengths that no microscope shows.
    fn near(um: f64) -> Option<Self> {
        if !(1e-4..1e7).contains(&um) {
            return None;
        }
        let power = um.log10().floor() as i32;
        let all = [(1, power), (2, power), (5, power), (1, power + 1)].map(|(digit, power)| Self { digit, power });
        all.into_iter().min_by(|a, b| a.off(um).total_cmp(&b.off(um)))
    }

    fn off(self, um: f64) -> f64 {
        (self.um() / um).ln().abs()
    }

    fn um(self) -> f64 {
        f64::from(self.digit) * 10_f64.powi(self.power)
    }

    fn words(self) -> String {
        format!("{:.*} um", usize::try_from(-self.power).unwrap_or(0), self.um())
    }
}

/// Letters and bar, 255 for ink, with room for the edge around them.
fn ink(words: &str, font: &MonoFont<'_>, dot_px: u32, bar_px: u32) -> GrayImage {
    let Size { width: letter, height: letters } = font.character_size;
    let text_px = letter * words.len() as u32 * dot_px;
    let (width, bar_height) = (text_px.max(bar_px), 4 * dot_px);
    let size = [width + 2 * dot_px, letters * dot_px + bar_height + 2 * dot_px];
    let mut ink = GrayImage::new(size[0], size[1]);
    let left = dot_px + (width - bar_px) / 2;
    for y in 0..bar_height {
        for x in 0..bar_px {
            ink.put_pixel(left + x, size[1] - 1 - dot_px - y, Luma([255]));
        }
    }
    let mut letters = Letters { ink: &mut ink, at: [dot_px + (width - text_px) / 2, dot_px], dot_px };
    let style = MonoTextStyle::new(font, BinaryColor::On);
    // Drawing to memory cannot fail.
    let _ = Text::with_baseline(words, Point::zero(), style, Baseline::Top).draw(&mut letters);
    ink
}

/// A canvas for letters whose dots are several pixels wide.
struct Letters<'a> {
    ink: &'a mut GrayImage,
    at: [u32; 2],
    dot_px: u32,
}

impl OriginDimensions for Letters<'_> {
    fn size(&self) -> Size {
        Size::new(self.ink.width() / self.dot_px, self.ink.height() / self.dot_px)
    }
}

impl DrawTarget for Letters<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            let place = u32::try_from(point.x).ok().zip(u32::try_from(point.y).ok());
            let Some((x, y)) = place.filter(|_| colour.is_on()) else { continue };
            for down in 0..self.dot_px {
                for across in 0..self.dot_px {
                    let at = (self.at[0] + x * self.dot_px + across, self.at[1] + y * self.dot_px + down);
                    if let Some(dot) = self.ink.get_pixel_mut_checked(at.0, at.1) {
                        *dot = Luma([255]);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Draws ink in white with a black edge of `edge_px`.
fn stamp(picture: &mut RgbImage, ink: &GrayImage, [left, top]: [u32; 2], edge_px: u32) {
    for (reach, colour) in [(edge_px, Rgb([0; 3])), (0, Rgb([255; 3]))] {
        for (x, y, _) in ink.enumerate_pixels().filter(|(_, _, ink)| ink.0[0] > 0) {
            for down in 0..=2 * reach {
                for across in 0..=2 * reach {
                    // There is room for the edge around the ink.
                    let at = (left + x + across - reach, top + y + down - reach);
                    if let Some(pixel) = picture.get_pixel_mut_checked(at.0, at.1) {
                        *pixel = colour;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nearest_length_is_round() {
        let words = |um| Length::near(um).map(Length::words);
        for (um, wanted) in [
            (9.0, "10 um"),
            (25.6, "20 um"),
            (3.0, "2 um"),
            (3.3, "5 um"),
            (0.07, "0.05 um"),
            (0.8, "1 um"),
            (1400.0, "1000 um"),
            (1.0, "1 um"),
        ] {
            assert_eq!(words(um).as_deref(), Some(wanted), "{um}");
        }
        assert!([0.0, -3.0, f64::NAN, f64::INFINITY, 1e-9].into_iter().all(|um| words(um).is_none()));
    }

    /// Columns of the longest white run in a row.
    fn bar_px(picture: &RgbImage) -> u32 {
        let longest = |row: &[u8]| {
            let mut run = 0;
            let runs = row.as_chunks::<3>().0.iter().map(|pixel| {
                run = if *pixel == [255; 3] { run + 1 } else { 0 };
                run
            });
            runs.max().unwrap_or(0)
        };
        picture.as_raw().chunks_exact(3 * picture.width() as usize).map(longest).max().unwrap()
    }

    #[test]
    fn bar_has_correct_length_on_light_and_dark_ground() {
        for (ground, width, um_per_px, wanted) in
            [([30, 20, 40], 640, 0.1, 100), ([250; 3], 2000, 0.0643, 311), ([0; 3], 4000, 0.25, 800)]
        {
            let mut picture = RgbImage::from_pixel(width, 480, Rgb(ground));
            draw(&mut picture, Ruler { um_per_px, is_estimate: false });
            assert_eq!(bar_px(&picture), wanted, "{width}");
            let count = |level| picture.pixels().filter(|pixel| pixel.0 == [level; 3]).count();
            assert!(count(255) > 400 && count(0) > 200, "{} {}", count(255), count(0));
            // Only the lower right quarter is drawn on.
            assert!(picture.enumerate_pixels().all(|(x, y, pixel)| (x > width / 2 && y > 240) || pixel.0 == ground));
        }
    }

    #[test]
    fn estimate_is_marked_and_tiny_picture_has_no_bar() {
        let drawn = |width, height, is_estimate| {
            let mut picture = RgbImage::from_pixel(width, height, Rgb([128; 3]));
            draw(&mut picture, Ruler { um_per_px: 0.1, is_estimate });
            picture
        };
        assert_ne!(drawn(640, 480, true), drawn(640, 480, false));
        for (width, height) in [(1, 1), (20, 400), (400, 10), (0, 0)] {
            assert!(drawn(width, height, true).iter().all(|level| *level == 128), "{width}x{height}");
        }
        assert!(drawn(100, 100, true).iter().any(|level| *level != 128));
    }
}
