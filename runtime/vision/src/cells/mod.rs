//! Cells: the maps of the segmentation model become one label per cell, and the labels become measures.
//!
//! [`split()`] finds the peaks of the core map and grows them within the foreground; [`measure()`] measures the result.
//! Everything up to the measures is integer, so the labels are the same on every machine. With models that report kinds,
//! each cell has a [`Kind`]; [`Counts`] defines what counts as a cell.

mod components;
mod counts;
mod fixed;
mod flood;
mod kind;
pub mod limits;
mod measure;
pub mod outline;
mod peaks;
#[cfg(test)]
mod properties;
pub mod row;
pub(crate) mod runs;
mod seed;
#[cfg(test)]
mod simple;
mod split;

pub use crate::frame::Labels;
pub use components::components;
pub use counts::Counts;
pub use kind::{Kind, leave_out_platelets};
pub use measure::{Measurer, measure};
pub use split::{Splitter, mask, split};

use crate::support::CellConsistency;

/// The measures of a cell, in pixels of the super-resolved grid.
///
/// The origin is the outer corner of the picture's first pixel, whose centre is therefore (0.5, 0.5). This way,
/// coordinates can be divided by four or multiplied by a pitch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// The cell's number in the labels.
    pub label: u16,
    /// Centroid, from the left.
    pub x_px: f64,
    /// Centroid, from the top.
    pub y_px: f64,
    /// Pixels of the cell.
    pub area_px: u32,
    /// Diameter of the disk of the same area, `sqrt(4 A / pi)`.
    pub equivalent_diameter_px: f64,
    /// Length of the outline, holes included: Crofton's formula over four directions.
    pub perimeter_px: f64,
    /// `4 pi A / P^2`, at most 1; 1 is a disk.
    pub circularity: f64,
    /// Eccentricity of the ellipse with the same second moments: 0 is a disk, towards 1 a line.
    pub eccentricity: f64,
    /// Whether the cell touches the border of the picture: its area and shape are then a lower bound.
    pub touches_border: bool,
    /// Mean foreground probability of the cell's pixels, 0.5..=1 with the usual foreground level.
    pub confidence: f64,
    /// How far the super-resolved picture differs from the input over the cell, and whether the input supports the cell;
    /// see [`crate::support`].
    pub consistency: CellConsistency,
    /// Its kind.
    pub kind: Kind,
    /// Confidence in the kind, in thousandths, 500 to 1000; 0 if unknown.
    pub kind_thousandths: u16,
}

impl Cell {
    /// Confidence in the kind, 0.5..=1 in thousandths; `None` if unknown.
    pub fn kind_confidence(&self) -> Option<f64> {
        (self.kind != Kind::Unknown).then(|| f64::from(self.kind_thousandths) / 1000.0)
    }
}
