//! Drawing on a picture in memory with a fixed-size font: no system fonts, the same pixels everywhere.

use std::convert::Infallible;

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{
        MonoFont, MonoTextStyle,
        ascii::{FONT_6X12, FONT_7X13, FONT_9X15},
    },
    pixelcolor::{Rgb888, RgbColor},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

/// A canvas for plotters and embedded-graphics. Drawing outside is ignored.
#[derive(Debug)]
pub struct Canvas<'a>(&'a mut RgbImage);

impl<'a> Canvas<'a> {
    /// Draws on a picture.
    pub fn on(picture: &'a mut RgbImage) -> Self {
        Self(picture)
    }

    /// Writes ASCII in black with its upper left corner at a position, 15 px high.
    pub fn write(&mut self, text: &str, (x, y): (i32, i32)) {
        self.letters(text, (x, y), &FONT_9X15, Rgb888::BLACK);
    }

    fn letters(&mut self, text: &str, (x, y): (i32, i32), font: &MonoFont<'_>, colour: Rgb888) {
        let style = MonoTextStyle::new(font, colour);
        // Drawing to memory cannot fail.
        let _ = Text::with_baseline(text, Point::new(x, y), style, Baseline::Top).draw(self);
    }

    fn at(&mut self, (x, y): (i32, i32)) -> Option<&mut Rgb<u8>> {
        self.0.get_pixel_mut_checked(u32::try_from(x).ok()?, u32::try_from(y).ok()?)
    }
}

/// The font nearest to a size, in pixels.
fn font(size: f64) -> &'static MonoFont<'static> {
    match size {
        ..12.5 => &FONT_6X12,
        ..14.5 => &FONT_7X13,
        _ => &FONT_9X15,
    }
}

/// Width and height of a text.
fn size_px(text: &str, font: &MonoFont<'_>) -> (u32, u32) {
    let size = font.character_size;
    (size.width * text.chars().count() as u32, size.height)
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Result<(), DrawingErrorKind<Infallible>> {
        let BackendColor { alpha, rgb: (r, g, b) } = colour;
        if let Some(pixel) = self.at(point) {
            for (level, wanted) in pixel.0.iter_mut().zip([r, g, b]) {
                *level = (f64::from(*level) * (1.0 - alpha) + f64::from(wanted) * alpha).round() as u8;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let font = font(style.size());
        let (width, height) = size_px(text, font);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => width as i32 / 2,
            HPos::Right => width as i32,
        };
        let above = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => height as i32 / 2,
            VPos::Bottom => height as i32,
        };
        let (r, g, b) = style.color().rgb;
        self.letters(text, (x - left, y - above), font, Rgb888::new(r, g, b));
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok(size_px(text, font(style.size())))
    }
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if let Some(pixel) = self.at((point.x, point.y)) {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_blended_and_pixels_outside_ignored() {
        let mut picture = RgbImage::new(2, 1);
        let mut canvas = Canvas::on(&mut picture);
        for x in [-1, 0, 2] {
            assert!(canvas.draw_pixel((x, 0), BackendColor { alpha: 0.5, rgb: (100, 200, 255) }).is_ok());
        }
        assert_eq!(picture.into_raw(), [50, 100, 128, 0, 0, 0]);
    }

    #[test]
    fn letters_have_fixed_position_and_size() {
        let mut picture = RgbImage::from_pixel(60, 30, Rgb([255; 3]));
        Canvas::on(&mut picture).write("TT", (20, 10));
        let black = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            picture.enumerate_pixels().filter(|(px, py, p)| x.contains(px) && y.contains(py) && p.0 == [0; 3]).count()
        };
        assert!(black(20..29, 10..25) > 10);
        assert_eq!(black(20..29, 10..25), black(29..38, 10..25));
        assert_eq!(black(0..60, 0..30), 2 * black(20..29, 10..25));
        Canvas::on(&mut picture).write("lost", (-100, 1000));
    }
}
