//! The table of frames: one row per picture, with its quality verdict and the measures behind it.

use std::io::Write;

use crate::cell_text::guarded;
use bloodseg_vision::{
    cells::Counts,
    frame::quality::Quality,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
};

/// Name of the table in its folder.
pub const TABLE: &str = "frames.csv";

/// Columns of the quality assessment; see [`Quality`]. `sharpness` is empty if nothing is visible.
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

/// Columns of the scale: the size of an input pixel in the specimen in micrometres with its interval, how it is known,
/// the input pixels per analysed pixel, the specimen area of the picture, and the cells on it. Unknown values are empty.
pub const SCALE_COLUMNS: [&str; 8] = [
    "um_per_px",
    "um_per_px_low",
    "um_per_px_high",
    "pitch_source",
    "scale",
    "analysed_px2",
    "analysed_um2",
    "cells_per_mm2",
];

/// The fields of [`SCALE_COLUMNS`]; `cells` is none if they were not counted, `analysed_px` are pixels of the analysed
/// picture that are specimen.
pub fn scale_fields(scaled: &Scaled, analysed_px: f64, cells: Option<f64>) -> [String; 8] {
    let number =
        |value: Option<f64>, digits: usize| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
    let is_known = scaled.source != PitchSource::None || scaled.um_per_px.is_some();
    let area = Area::of(scaled, analysed_px);
    let density = cells.zip(area.um2.filter(|area| *area > 0.0)).map(|(cells, area)| cells / area * 1e6);
    [
        number(scaled.um_per_px, 5),
        number(scaled.um_per_px_range.map(|range| range[0]), 5),
        number(scaled.um_per_px_range.map(|range| range[1]), 5),
        scaled.source.name().to_owned(),
        if is_known || cells.is_some() { format!("{:.4}", scaled.placement.scale) } else { String::new() },
        format!("{:.0}", area.px2),
        number(area.um2, 0),
        number(density, 0),
    ]
}

/// Columns of the kinds, empty if the cells were not counted or their kinds are unknown: red and white cells, which add
/// up to `cells`, and platelets, which are counted separately.
pub const KIND_COLUMNS: [&str; 3] = ["red", "white", "platelets"];

/// The fields of [`KIND_COLUMNS`].
pub fn kind_fields(counts: &Counts, counted: bool) -> [String; 3] {
    [counts.red, counts.white, counts.platelets]
        .map(|count| count.filter(|_| counted).map_or_else(String::new, |count| count.to_string()))
}

/// How much specimen was analysed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// In pixels of the input.
    pub px2: f64,
    /// In the specimen, if the pitch is known.
    pub um2: Option<f64>,
}

impl Area {
    /// Of `analysed_px` pixels of the analysed picture.
    pub fn of(scaled: &Scaled, analysed_px: f64) -> Self {
        let px2 = analysed_px * scaled.placement.scale.powi(2);
        Self { px2, um2: scaled.um_per_px.map(|um| px2 * um * um) }
    }
}

/// The columns of a table of `segment`.
pub fn columns() -> Vec<&'static str> {
    [["image", "cells"].as_slice(), &QUALITY_COLUMNS, &SCALE_COLUMNS, &KIND_COLUMNS].concat()
}

/// A table of pictures being written: `image`, `cells` (empty if not counted), and the columns of quality, scale and
/// kinds.
#[derive(Debug)]
pub struct FrameTable<W: Write>(csv::Writer<W>);

impl<W: Write> FrameTable<W> {
    /// Continues a table of the same columns, whose rows so far are already in the writer.
    pub fn go_on(writer: W) -> Self {
        Self(csv::Writer::from_writer(writer))
    }

    /// Starts a table with its header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(writer: W) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record(columns())?;
        Ok(Self(writer))
    }

    /// Adds one picture. The number of its cells stays empty if they were not counted.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(&mut self, image: &str, analysis: &Analysis, counted: bool) -> csv::Result<()> {
        let counts = analysis.counts();
        let cells = counted.then_some(counts.cells);
        let of_picture = [guarded(image).into_owned(), cells.map_or_else(String::new, |cells| cells.to_string())];
        let quality = quality_fields(&analysis.quality);
        let area_px = analysis.outside.analysed_px() as f64;
        let scale = scale_fields(&analysis.scaled, area_px, cells.map(f64::from));
        let kinds = kind_fields(&counts, counted);
        self.0.write_record(of_picture.iter().chain(&quality).chain(&scale).chain(&kinds))
    }

    /// Ends the table and returns the writer.
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
    use bloodseg_vision::{
        cells::{Cell, Kind, Labels},
        frame::quality,
        segmentation::CellMaps,
    };

    #[test]
    fn picture_is_one_row_with_unknown_values_empty() {
        let sr = RgbImage::from_pixel(8, 8, image::Rgb([200; 3]));
        let analysis = Analysis {
            quality: quality::judge(&sr),
            sr,
            maps: CellMaps::empty(8, 8),
            labels: Labels::new(8, 8),
            cells: vec![],
            outside: Default::default(),
            scaled: Default::default(),
            times: Default::default(),
            tiles: 1,
        };
        let mut table = FrameTable::begin(Vec::new()).unwrap();
        table.add("a, b.png", &analysis, false).unwrap();
        assert_eq!(
            String::from_utf8(table.end().unwrap()).unwrap(),
            "image,cells,verdict,sharpness,contrast_levels,clipped_share,depth_levels,brightness_levels,um_per_px,um_per_px_low,\
             um_per_px_high,pitch_source,scale,analysed_px2,analysed_um2,cells_per_mm2,red,white,platelets\n\
             \"a, b.png\",,empty,,0.00,0.0000,55.0,200.0,,,,none,,0,,,,,\n"
        );
    }

    #[test]
    fn platelets_are_counted_separately() {
        let kinds = [Kind::Red, Kind::Platelet, Kind::White, Kind::Red];
        let cells: Vec<Cell> = kinds
            .iter()
            .map(|kind| Cell { kind: *kind, kind_thousandths: 900, ..crate::table::tests::cell() })
            .collect();
        let mut analysis = Analysis { cells, ..Analysis::default() };
        let row = |analysis: &Analysis, counted| {
            let mut table = FrameTable::begin(Vec::new()).unwrap();
            table.add("a.png", analysis, counted).unwrap();
            String::from_utf8(table.end().unwrap()).unwrap().lines().nth(1).unwrap().to_owned()
        };
        // Where a model reports no kinds, there are none.
        let row_without = row(&analysis, true);
        assert!(row_without.starts_with("a.png,3,") && row_without.ends_with(",,,"), "{row_without}");
        analysis.maps.kinds = Some(Default::default());
        let with = row(&analysis, true);
        assert!(with.starts_with("a.png,3,") && with.ends_with(",2,1,1"), "{with}");
        assert!(row(&analysis, false).ends_with(",,,"));
    }
}
