//! A cell as a row of a table: the only place that knows the columns and their decimals.

use std::fmt;

use super::{Cell, fixed};
use crate::placement::Placement;

/// Columns that are always there. Lengths in `_px` are pixels of the super-resolved grid. `consistency_levels` is the mean
/// difference over the cell between the downscaled super-resolved picture and the input; `supported` is false for a cell
/// that the input does not support.
pub const COLUMNS: [&str; 12] = [
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

/// The cell in pixels of the input, as viewers show it.
pub const COLUMNS_INPUT: [&str; 3] = ["input_x_px", "input_y_px", "input_diameter_px"];

/// Columns of pictures whose pitch can be known.
pub const COLUMNS_UM: [&str; 5] = ["x_um", "y_um", "area_um2", "equivalent_diameter_um", "perimeter_um"];

/// Columns at the end: `red`, `white`, `platelet` or `unknown`, and the confidence, 0.5 to 1; empty if unknown. A
/// parasite is not a kind.
pub const COLUMNS_KIND: [&str; 2] = ["kind", "kind_confidence"];

/// All columns, with those in micrometres if `with_um`.
pub fn columns(with_um: bool) -> Vec<&'static str> {
    [COLUMNS.as_slice(), &COLUMNS_INPUT, if with_um { &COLUMNS_UM } else { &[] }, &COLUMNS_KIND].concat()
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// [`Value::Count`].
    Count,
    /// [`Value::Measure`], [`Value::Exact`], or [`Value::Unknown`].
    Measure,
    /// [`Value::Truth`].
    Truth,
    /// [`Value::Word`].
    Word,
}

/// What the values of the column with this name are.
pub fn kind_of_column(name: &str) -> ColumnKind {
    match name {
        "cell" | "area_px" => ColumnKind::Count,
        "touches_border" | "supported" => ColumnKind::Truth,
        "kind" => ColumnKind::Word,
        _ => ColumnKind::Measure,
    }
}

/// A value of a row. Its text is what a table shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A count or a number of a cell.
    Count(u32),
    /// A measure, and its decimals.
    Measure(f64, usize),
    /// A measure with as many decimals as it has.
    Exact(f64),
    /// Yes or no.
    Truth(bool),
    /// A word from a fixed list.
    Word(&'static str),
    /// Not known: empty.
    Unknown,
}

impl Value {
    /// The value as the table shows it, rounded to its decimals; `None` if it is not a measure, or unknown.
    pub fn rounded(&self) -> Option<f64> {
        match self {
            Self::Measure(..) | Self::Exact(_) => self.to_string().parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Measure(value, decimals) => fixed::write(f, *value, *decimals),
            Self::Exact(value) => write!(f, "{value}"),
            Self::Truth(is_so) => write!(f, "{is_so}"),
            Self::Word(word) => f.write_str(word),
            Self::Unknown => Ok(()),
        }
    }
}

/// The row of a cell, whose picture lies on its input by `placement`: one value per column of [`columns`]. `um_per_sr_px`
/// is the size of a super-resolved pixel in micrometres; without it, those columns are unknown.
pub fn values(cell: &Cell, placement: &Placement, um_per_sr_px: Option<f64>, with_um: bool) -> Vec<Value> {
    let mut row = vec![
        Value::Count(u32::from(cell.label)),
        Value::Measure(cell.x_px, 2),
        Value::Measure(cell.y_px, 2),
        Value::Count(cell.area_px),
        Value::Measure(cell.equivalent_diameter_px, 2),
        Value::Measure(cell.perimeter_px, 2),
        Value::Measure(cell.circularity, 4),
        Value::Measure(cell.eccentricity, 4),
        Value::Truth(cell.touches_border),
        Value::Measure(cell.confidence, 4),
        Value::Measure(cell.consistency.levels, 2),
        Value::Truth(cell.consistency.supported()),
    ];
    let [x, y] = placement.on_input_px([cell.x_px, cell.y_px]);
    let diameter = cell.equivalent_diameter_px * placement.input_px_per_sr_px();
    row.extend([x, y, diameter].map(|px| Value::Measure(px, 2)));
    if with_um {
        let lengths = [cell.x_px, cell.y_px, f64::from(cell.area_px), cell.equivalent_diameter_px, cell.perimeter_px];
        row.extend(COLUMNS_UM.iter().zip(lengths).map(|(column, px)| {
            let power = if column.ends_with("um2") { 2 } else { 1 };
            um_per_sr_px.map_or(Value::Unknown, |um| Value::Measure(px * um.powi(power), 3))
        }));
    }
    row.push(Value::Word(cell.kind.name()));
    row.push(cell.kind_confidence().map_or(Value::Unknown, Value::Exact));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cells::Kind, support::CellConsistency};

    fn cell() -> Cell {
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
            kind: Kind::White,
            kind_thousandths: 731,
        }
    }

    #[test]
    fn every_column_has_one_value_of_its_kind() {
        for (with_um, um_per_sr_px) in [(false, None), (true, None), (true, Some(0.5))] {
            let (columns, row) = (columns(with_um), values(&cell(), &Placement::default(), um_per_sr_px, with_um));
            assert_eq!(columns.len(), row.len());
            for (name, value) in columns.into_iter().zip(row) {
                let fits = match kind_of_column(name) {
                    ColumnKind::Count => matches!(value, Value::Count(_)),
                    ColumnKind::Truth => matches!(value, Value::Truth(_)),
                    ColumnKind::Word => matches!(value, Value::Word(_)),
                    ColumnKind::Measure => matches!(value, Value::Measure(..) | Value::Exact(_) | Value::Unknown),
                };
                assert!(fits, "{name}: {value:?}");
            }
        }
    }

    #[test]
    fn values_are_rounded_as_displayed() {
        assert_eq!(Value::Measure(10.126, 2).rounded(), Some(10.13));
        assert_eq!((Value::Exact(0.731).rounded(), Value::Unknown.rounded()), (Some(0.731), None));
        assert_eq!(Value::Unknown.to_string(), "");
    }
}
