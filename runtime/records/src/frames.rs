//! The table of frames: one row a picture, with what it was judged to be and what that rests on.

use std::io::Write;

use bloodseg_vision::{frame::quality::Quality, pipeline::Analysis};

/// Name of the table in its folder.
pub const TABLE: &str = "frames.csv";

/// Columns of the judgement; see [`Quality`]. `sharpness` is empty where nothing is to be seen.
pub const QUALITY_COLUMNS: [&str; 6] =
    ["verdict", "sharpness", "contrast_levels", "clipped_share", "depth_levels", "brightness_levels"];

/// The fields of [`QUALITY_COLUMNS`].
pub fn quality_fields(quality: &Quality) -> [String; 6] {
    [
        quality.verdict.name().to_owned(),
        quality.sharpness.map_or_else(String::new, |sharpness| format!("{sharpness:.4}")),
        format!("{:.2}", quality.contrast_levels),
        format!("{:.4}", quality.clipped_share),
        format!("{:.1}", quality.depth_levels),
        format!("{:.1}", quality.brightness_levels),
    ]
}

/// The columns of a table of `segment`.
pub fn columns() -> Vec<&'static str> {
    [["image", "cells"].as_slice(), &QUALITY_COLUMNS].concat()
}

/// A table of pictures in the making: `image`, `cells`, and the columns of the judgement.
#[derive(Debug)]
pub struct FrameTable<W: Write>(csv::Writer<W>);

impl<W: Write> FrameTable<W> {
    /// Goes on with a table of the same columns, whose rows so far the writer has.
    pub fn go_on(writer: W) -> Self {
        Self(csv::Writer::from_writer(writer))
    }

    /// Begins a table with its header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(writer: W) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record(columns())?;
        Ok(Self(writer))
    }

    /// Adds one picture. The number of its cells stays empty where they were not counted.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(&mut self, image: &str, analysis: &Analysis, counted: bool) -> csv::Result<()> {
        let cells = if counted { analysis.cells.len().to_string() } else { String::new() };
        let of_picture = [image.to_owned(), cells];
        self.0.write_record(of_picture.iter().chain(&quality_fields(&analysis.quality)))
    }

    /// Ends the table and gives the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(self) -> std::io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::RgbImage;

    use super::*;
    use bloodseg_vision::{cells::Labels, frame::quality, segmentation::CellMaps};

    #[test]
    fn a_picture_is_a_row_and_what_cannot_be_told_is_empty() {
        let sr = RgbImage::from_pixel(8, 8, image::Rgb([200; 3]));
        let analysis = Analysis {
            quality: quality::judge(&sr),
            sr,
            maps: CellMaps::empty(8, 8),
            labels: Labels::new(8, 8),
            cells: vec![],
            outside: Default::default(),
            times: Default::default(),
            tiles: 1,
        };
        let mut table = FrameTable::begin(Vec::new()).unwrap();
        table.add("a, b.png", &analysis, false).unwrap();
        table.add("b.png", &analysis, true).unwrap();
        assert_eq!(
            String::from_utf8(table.end().unwrap()).unwrap(),
            "image,cells,verdict,sharpness,contrast_levels,clipped_share,depth_levels,brightness_levels\n\
             \"a, b.png\",,empty,,0.00,0.0000,55.0,200.0\nb.png,0,empty,,0.00,0.0000,55.0,200.0\n"
        );
    }
}
