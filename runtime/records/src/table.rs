//! The table of cells: one row per cell, CSV with a header, decimal points in every locale.

use std::io::Write;

use crate::cell_text::guarded;
use bloodseg_vision::{cells::Cell, placement::Placement};

/// Name of the table in its folder.
pub const TABLE: &str = "cells.csv";

/// Columns that are always there. `consistency_levels` is the mean difference over the cell between the downscaled
/// super-resolved picture and the input; `supported` is false for a cell that the input does not support.
pub const COLUMNS: [&str; 13] = [
    "image",
    "cell",
    "x_px",
    "y_px",
    "area_px",
    "equivalent_diameter_px",
    "perimeter_px",
    "circularity",
    "eccentricity",
    "touches_border",
    "confidence",
    "consistency_levels",
    "supported",
];

/// Columns added in the tables of `segment`: the cell in pixels of the input, as viewers show it.
pub const COLUMNS_INPUT: [&str; 3] = ["input_x_px", "input_y_px", "input_diameter_px"];

/// Columns added if the pitch is known.
pub const COLUMNS_UM: [&str; 5] = ["x_um", "y_um", "area_um2", "equivalent_diameter_um", "perimeter_um"];

/// Columns at the end: `red`, `white`, `platelet` or `unknown`, and the confidence, 0.5 to 1; empty if unknown. A
/// parasite is not a kind.
pub const COLUMNS_KIND: [&str; 2] = ["kind", "kind_confidence"];

/// The columns of a table of `segment`.
pub fn columns(with_um: bool) -> Vec<&'static str> {
    [COLUMNS.as_slice(), &COLUMNS_INPUT, if with_um { &COLUMNS_UM } else { &[] }, &COLUMNS_KIND].concat()
}

/// A table being written. Lengths in `_px` are pixels of the super-resolved grid.
#[derive(Debug)]
pub struct CellTable<W: Write> {
    writer: csv::Writer<W>,
    with_um: bool,
}

impl<W: Write> CellTable<W> {
    /// Continues a table of the same columns, whose rows so far are already in the writer.
    pub fn go_on(writer: W, with_um: bool) -> Self {
        Self { writer: csv::Writer::from_writer(writer), with_um }
    }

    /// Starts a table with its header; `with_um` adds the columns in micrometres.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(writer: W, with_um: bool) -> csv::Result<Self> {
        let mut this = Self { writer: csv::Writer::from_writer(writer), with_um };
        this.writer.write_record(columns(with_um))?;
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
    ) -> csv::Result<()> {
        for cell in cells {
            let mut row = vec![
                guarded(image).into_owned(),
                cell.label.to_string(),
                format!("{:.2}", cell.x_px),
                format!("{:.2}", cell.y_px),
                cell.area_px.to_string(),
                format!("{:.2}", cell.equivalent_diameter_px),
                format!("{:.2}", cell.perimeter_px),
                format!("{:.4}", cell.circularity),
                format!("{:.4}", cell.eccentricity),
                cell.touches_border.to_string(),
                format!("{:.4}", cell.confidence),
                format!("{:.2}", cell.consistency.levels),
                cell.consistency.supported().to_string(),
            ];
            let at = placement.on_input_px([cell.x_px, cell.y_px]);
            let diameter = cell.equivalent_diameter_px * placement.input_px_per_sr_px();
            row.extend([at[0], at[1], diameter].map(|px| format!("{px:.2}")));
            if self.with_um {
                let lengths =
                    [cell.x_px, cell.y_px, f64::from(cell.area_px), cell.equivalent_diameter_px, cell.perimeter_px];
                row.extend(COLUMNS_UM.iter().zip(lengths).map(|(column, px)| {
                    let power = if column.ends_with("um2") { 2 } else { 1 };
                    um_per_sr_px.map_or_else(String::new, |um| format!("{:.3}", px * um.powi(power)))
                }));
            }
            row.push(cell.kind.name().to_owned());
            row.push(cell.kind_confidence().map_or_else(String::new, |sure| sure.to_string()));
            self.writer.write_record(row)?;
        }
        Ok(())
    }

    /// Ends the table and returns the writer.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(self) -> std::io::Result<W> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
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
    fn a_table_without_a_pitch_has_pixels_alone() {
        assert_eq!(
            table(None, false),
            "image,cell,x_px,y_px,area_px,equivalent_diameter_px,perimeter_px,circularity,eccentricity,touches_border,confidence,\
             consistency_levels,supported,input_x_px,input_y_px,input_diameter_px,kind,kind_confidence\n\
             \"a, b.png\",7,10.13,20.50,100,11.28,36.00,0.9696,0.5000,false,0.8750,1.67,true,2.53,5.12,2.82,unknown,\n"
        );
    }

    #[test]
    fn a_pitch_adds_micrometres_and_areas_are_squared() {
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
    fn a_cell_without_support_is_told() {
        let mut cell = cell();
        cell.consistency = CellConsistency { levels: 61.0, offset_levels: 80.0, input_px: 6.25 };
        let mut table = CellTable::begin(Vec::new(), false).unwrap();
        table.add("a.png", &[cell], &Placement::default(), None).unwrap();
        let text = String::from_utf8(table.end().unwrap()).unwrap();
        assert!(text.contains(",0.8750,61.00,false,"), "{text}");
    }

    #[test]
    fn a_cell_has_its_kind_and_how_sure_it_is() {
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
