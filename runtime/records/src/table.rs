//! The table of cells: one row per cell, CSV with a header, decimal points in every locale.

use std::{
    fmt::Write as _,
    io::{self, BufWriter, Write},
};

use crate::cell_text::guarded;
use bloodseg_vision::{
    cells::{
        Cell,
        row::{self, Value},
    },
    placement::Placement,
};

/// Name of the table in its folder.
pub const TABLE: &str = "cells.csv";

/// The first column, the name of the picture. Those of [`row`] follow.
pub const IMAGE: [&str; 1] = ["image"];

/// The columns of a table of `segment`.
pub fn columns(with_um: bool) -> Vec<&'static str> {
    [IMAGE.as_slice(), &row::columns(with_um)].concat()
}

/// A table being written. Lengths in `_px` are pixels of the super-resolved grid.
#[derive(Debug)]
pub struct CellTable<W: Write> {
    writer: BufWriter<W>,
    with_um: bool,
    line: String,
}

impl<W: Write> CellTable<W> {
    /// Continues a table of the same columns, whose rows so far are already in the writer.
    pub fn go_on(writer: W, with_um: bool) -> Self {
        Self { writer: BufWriter::new(writer), with_um, line: String::new() }
    }

    /// Starts a table with its header; `with_um` adds the columns in micrometres.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(writer: W, with_um: bool) -> io::Result<Self> {
        let mut this = Self::go_on(writer, with_um);
        writeln!(this.writer, "{}", columns(with_um).join(","))?;
        Ok(this)
    }

    /// Adds the cells and platelets of one picture, which lies on its input by `placement`. `um_per_sr_px` is the size of
    /// a super-resolved pixel, a quarter of the input's; it is used if the table has columns in micrometres, which stay
    /// empty without it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(
        &mut self,
        image: &str,
        cells: &[Cell],
        placement: &Placement,
        um_per_sr_px: Option<f64>,
    ) -> io::Result<()> {
        let image = field(&guarded(image))?;
        for cell in cells {
            self.line.clear();
            self.line.push_str(&image);
            for value in row::values(cell, placement, um_per_sr_px, self.with_um) {
                self.line.push(',');
                put(&mut self.line, value);
            }
            self.line.push('\n');
            self.writer.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    /// Ends the table and returns the writer.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(self) -> io::Result<W> {
        self.writer.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// The text as a field, quoted where it has to be. The other columns are numbers and fixed words, which never are.
fn field(text: &str) -> io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // The second field is empty and ends in the line break, so the comma marks the end of the first.
    writer.write_record([text, ""])?;
    let mut line = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    line.truncate(line.len().saturating_sub(",\n".len()));
    String::from_utf8(line).map_err(io::Error::other)
}

fn put(line: &mut String, value: Value) {
    // A string takes everything.
    let _ = write!(line, "{value}");
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use bloodseg_vision::{cells::Kind, support::CellConsistency};

    pub(crate) fn cell() -> Cell {
        Cell {
            label: 7,
            x_px: 10.126,
            y_px: 20.5,
            area_px: 100,
            equivalent_diameter_px: 11.2838,
            perimeter_px: 36.0,
            circularity: 0.96963,
            eccentricity: 0.5,
            touches_border: false,
            confidence: 0.875,
            consistency: CellConsistency { levels: 1.666, offset_levels: 0.5, input_px: 6.25 },
            kind: Kind::Unknown,
            kind_thousandths: 0,
        }
    }

    fn table(um_per_sr_px: Option<f64>, with_um: bool) -> String {
        let mut table = CellTable::begin(Vec::new(), with_um).unwrap();
        table.add("a, b.png", &[cell()], &Placement::default(), um_per_sr_px).unwrap();
        String::from_utf8(table.end().unwrap()).unwrap()
    }

    #[test]
    fn table_without_pitch_has_only_pixels() {
        assert_eq!(
            table(None, false),
            "image,cell,x_px,y_px,area_px,equivalent_diameter_px,perimeter_px,circularity,eccentricity,touches_border,confidence,\
             consistency_levels,supported,input_x_px,input_y_px,input_diameter_px,kind,kind_confidence\n\
             \"a, b.png\",7,10.13,20.50,100,11.28,36.00,0.9696,0.5000,false,0.8750,1.67,true,2.53,5.12,2.82,unknown,\n"
        );
    }

    #[test]
    fn pitch_adds_micrometres_and_scales_areas_squared() {
        let text = table(Some(0.5), true);
        let (header, row) = text.trim_end().split_once('\n').unwrap();
        assert!(
            header.ends_with(
                "input_diameter_px,x_um,y_um,area_um2,equivalent_diameter_um,perimeter_um,kind,kind_confidence"
            ),
            "{header}"
        );
        assert!(row.ends_with(",2.82,5.063,10.250,25.000,5.642,18.000,unknown,"), "{row}");
        assert!(table(None, true).trim_end().ends_with(",2.82,,,,,,unknown,"));
    }

    #[test]
    fn unsupported_cell_is_reported() {
        let mut cell = cell();
        cell.consistency = CellConsistency { levels: 61.0, offset_levels: 80.0, input_px: 6.25 };
        let mut table = CellTable::begin(Vec::new(), false).unwrap();
        table.add("a.png", &[cell], &Placement::default(), None).unwrap();
        let text = String::from_utf8(table.end().unwrap()).unwrap();
        assert!(text.contains(",0.8750,61.00,false,"), "{text}");
    }

    #[test]
    fn cell_has_kind_and_confidence() {
        let mut table = CellTable::begin(Vec::new(), false).unwrap();
        let kinds = [(Kind::Red, 1000), (Kind::White, 731), (Kind::Platelet, 500)];
        let cells: Vec<Cell> = kinds
            .iter()
            .map(|(kind, kind_thousandths)| Cell { kind: *kind, kind_thousandths: *kind_thousandths, ..cell() })
            .collect();
        table.add("a.png", &cells, &Placement::default(), None).unwrap();
        let text = String::from_utf8(table.end().unwrap()).unwrap();
        let ends: Vec<&str> =
            text.lines().skip(1).filter_map(|row| row.split_once(",2.82,")).map(|(_, end)| end).collect();
        assert_eq!(ends, ["red,1", "white,0.731", "platelet,0.5"]);
    }
}
