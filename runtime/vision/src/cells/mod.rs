//! Cells: the maps of the segmentation net become one label a cell, and the labels become measures.
//!
//! [`split()`] finds the peaks of the core map and grows them inside the foreground; [`measure()`] looks at
//! what has grown. All is integer up to the measures, so the labels are the same on every machine. Models that tell kinds
//! ([`Kind`]) say of each cell what it is, and [`Counts`] what is counted as a cell.

mod components;
mod counts;
mod flood;
mod kind;
pub mod limits;
mod measure;
pub mod outline;
mod peaks;
#[cfg(test)]
mod properties;
pub(crate) mod runs;
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

/// What is measured of one cell, in pixels of the super-resolved grid.
///
/// The origin is the outer corner of the picture's first pixel, whose centre is therefore (0.5, 0.5): a place
/// keeps its meaning when it is divided by four, or multiplied by a pitch.
#[derive(Debug, Clone, PartialEq)]
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
    /// Eccentricity of the ellipse of the same second moments: 0 is a disk, towards 1 a line.
    pub eccentricity: f64,
    /// Whether the picture's border cuts or touches the cell: its area and shape are then a lower bound.
    pub touches_border: bool,
    /// Mean foreground probability of the cell's pixels, 0.5..=1 with the usual foreground level.
    pub confidence: f64,
    /// How far the super-resolved picture differs from what was read over the cell, and whether what was read bears
    /// the cell out; see [`crate::support`].
    pub consistency: CellConsistency,
    /// What it is.
    pub kind: Kind,
    /// How sure the kind is, in thousandths, 500 to 1000; 0 where it is unknown.
    pub kind_thousandths: u16,
}

impl Cell {
    /// How sure the kind is, 0.5..=1 in thousandths; none where it is unknown.
    pub fn kind_confidence(&self) -> Option<f64> {
        (self.kind != Kind::Unknown).then(|| f64::from(self.kind_thousandths) / 1000.0)
    }
}
