//! The same fields after some epochs, side by side with their targets.

use anyhow::{Result, ensure};
use image::{ExtendedColorType, GrayImage, ImageEncoder, Rgb, RgbImage, codecs::png::PngEncoder, imageops};

use super::canvas::Canvas;

/// Number of fields shown: always the first reported ones.
pub const SHOWN: i64 = 4;

/// Pixels between pictures.
const GAP_PX: u32 = 6;
/// Height of the title row, in pixels.
const TITLE_PX: u32 = 22;

/// Rows of pictures of one size, one field per row.
#[derive(Debug, Default)]
pub struct Sheet {
    /// What each column shows.
    pub titles: Vec<&'static str>,
    /// The fields.
    pub rows: Vec<Vec<RgbImage>>,
}

impl Sheet {
    /// Everything as one picture on white; `None` without fields.
    ///
    /// # Errors
    /// A row without a picture for each title, or with another size.
    pub fn picture(&self) -> Result<Option<RgbImage>> {
        let Some((width, height)) = self.rows.first().and_then(|row| row.first()).map(RgbImage::dimensions) else {
            return Ok(None);
        };
        let (columns, rows) = (self.titles.len() as u32, self.rows.len() as u32);
        let size = (columns * (width + GAP_PX) + GAP_PX, TITLE_PX + rows * (height + GAP_PX));
        let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
        for (row, y) in self.rows.iter().zip((0..).map(|row| TITLE_PX + row * (height + GAP_PX))) {
            ensure!(row.len() == self.titles.len(), "a field of {} pictures, expected {columns}", row.len());
            for (picture, x) in row.iter().zip((0..).map(|column| GAP_PX + column * (width + GAP_PX))) {
                ensure!(picture.dimensions() == (width, height), "pictures of several sizes in one sheet");
                imageops::replace(&mut sheet, picture, x.into(), y.into());
            }
        }
        let mut canvas = Canvas::on(&mut sheet);
        for (title, x) in self.titles.iter().zip((0..).map(|column| GAP_PX + column * (width + GAP_PX))) {
            canvas.write(title, (x as i32, 4));
        }
        Ok(Some(sheet))
    }
}

/// A grey picture as a coloured one.
pub fn grey(picture: &GrayImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| Rgb([picture.get_pixel(x, y).0[0]; 3]))
}

/// A picture as the bytes of a PNG.
///
/// # Errors
/// Those of the encoder.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn plain(level: u8) -> RgbImage {
        RgbImage::from_pixel(64, 32, Rgb([level; 3]))
    }

    #[test]
    fn pictures_are_placed_under_their_titles() {
        let rows = vec![vec![plain(10), plain(20)], vec![plain(30), plain(40)]];
        let sheet = Sheet { titles: vec!["input", "truth"], rows }.picture().unwrap().unwrap();
        assert_eq!(sheet.dimensions(), (2 * 70 + 6, 22 + 2 * 38));
        let at = |x, y| sheet.get_pixel(x, y).0[0];
        assert_eq!([at(6, 22), at(69, 53), at(76, 22), at(6, 60), at(76, 60)], [10, 10, 20, 30, 40]);
        assert_eq!([at(5, 30), at(72, 30), at(30, 56)], [255; 3], "gaps");
        let ink = |from: u32| (from..from + 60).any(|x| (0..20).any(|y| at(x, y) == 0));
        assert!(ink(6) && ink(76));
    }

    #[test]
    fn empty_sheet_is_none_and_incomplete_rows_are_rejected() {
        assert!(Sheet::default().picture().unwrap().is_none());
        let titles = vec!["input", "truth"];
        for row in [vec![plain(1)], vec![plain(1), RgbImage::new(1, 1)]] {
            assert!(Sheet { titles: titles.clone(), rows: vec![row] }.picture().is_err());
        }
    }

    #[test]
    fn png_round_trips() {
        let read = image::load_from_memory(&png(&plain(7)).unwrap()).unwrap();
        assert_eq!(read.into_rgb8(), plain(7));
    }
}
