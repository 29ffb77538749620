//! Synthetic Giemsa-stained thin blood smears, rendered from a seed, with exact instance labels.
//!
//! Cells are drawn on a canvas as optical density, which adds where they overlap; lamp, lens and sensor ([optics]) turn
//! it into a picture. Used by the simulated camera, by the tests, and to write sets of fields with known truth.

mod canvas;
pub mod draw;
pub mod error;
mod layout;
pub mod limits;
pub mod optics;
mod outline;
mod parasite;
mod platelet;
mod red_cell;
mod render;
pub mod set;
pub mod spec;
pub mod stain;
mod texture;
mod truth;
mod white_cell;

use image::{GrayImage, RgbImage};

use bloodseg_vision::cells::Labels;

pub use layout::Kind;
pub use render::{render, render_picture};
pub use set::write_set;
pub use spec::SmearSpec;

/// A rendered field. All three have the same size.
#[derive(Debug, Clone)]
pub struct Smear {
    /// What the camera saw, RGB.
    pub picture: RgbImage,
    /// The cell that each pixel belongs to: red and white cells, and platelets if [`SmearSpec::labels_platelets`] is set.
    pub labels: Labels,
    /// The kind of each cell, in order of the labels from 1.
    pub kinds: Vec<Kind>,
    /// 255 inside cells, 0 elsewhere and on the thin cut between touching cells.
    pub mask: GrayImage,
}
