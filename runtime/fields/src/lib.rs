//! Counts a field once: finds out whether a frame shows the field of an earlier frame, and which cells were counted there.
//!
//! A stage moves over a smear. A frame may show the same field as an earlier one, overlap it, or be new. The position
//! of the stage is unknown, so it is estimated from the cells: their positions form a constellation that reappears in
//! another frame, shifted.
//!
//! ```text
//! cells -> constellation -> votes for shifts -> evidence of each -> position among earlier fields -> state of each cell
//! ```
//!
//! - All lengths are in pixels of one grid, of any pitch. The pitch of all frames must be the same within 1 %, and the
//!   camera must not rotate. Tolerances are fractions of the median cell diameter.
//! - A field that shares fewer than about eight cells with an earlier one cannot be distinguished from a new one. For
//!   fields of 100 cells that is an overlap of a tenth; these cells are then counted twice.
//! - Fields with known relative positions share a map, so a frame matched with one of them is known to overlap the others too,
//!   however little.
//! - The lamp does not matter: pixels are not compared.
//! - A frame of 100 cells takes about 1 ms against a full memory of unrelated fields, one of 250 or more 5 ms; fields
//!   in known positions cost a small part of that (`cargo bench -p bloodseg-fields`). It allocates nothing; total
//!   memory is at most [`limits::MAX_BYTES`].
//!
//! ```
//! use bloodseg_fields::{Cell, CellState, Fields, Frame, State};
//!
//! let cells = |x_px: f64| {
//!     let places = [(30.0, 40.0), (80.0, 75.0), (120.0, 20.0), (150.0, 110.0), (190.0, 60.0), (215.0, 170.0), (100.0, 200.0)];
//!     places.into_iter().map(move |(x, y_px)| Cell { x_px: x - x_px, y_px, area_px: 380.0, touches_border: false })
//! };
//! let mut fields = Fields::new();
//! let frame = |number| Frame { number, width_px: 256.0, height_px: 256.0 };
//! let first = fields.see(&frame(1), cells(0.0))?;
//! assert_eq!((first.state, first.new_cells), (State::New, 7));
//! let moved = fields.see(&frame(2), cells(20.0))?;
//! assert!(matches!(moved.state, State::Overlaps { earlier: 1, .. }));
//! assert!(fields.cells().iter().all(|cell| *cell == CellState::Seen));
//! # Ok::<(), bloodseg_fields::error::Error>(())
//! ```

mod census;
mod constellation;
pub mod error;
mod evidence;
mod fields;
mod grid;
pub mod limits;
#[cfg(test)]
mod patterns;
mod regions;
mod stuck;
#[cfg(test)]
mod tests;
mod votes;

pub use fields::Fields;

/// A picture that was analysed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// The caller's number of the frame; [`State`] refers to earlier frames by it.
    pub number: u64,
    /// Width, above zero.
    pub width_px: f64,
    /// Height, above zero.
    pub height_px: f64,
}

/// A cell of a frame. The origin is the outer corner of the picture's first pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Centroid of its visible part, from the left.
    pub x_px: f64,
    /// The same from the top.
    pub y_px: f64,
    /// Area of its visible part, in square pixels.
    pub area_px: f64,
    /// Whether the picture's border cuts or touches it.
    pub touches_border: bool,
}

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// A field that overlaps none of the stored fields, as far as the cells show.
    New,
    /// The field of an earlier frame, within half a cell diameter. No cell of it is counted again, and it is not stored again.
    Same {
        /// Its number.
        earlier: u64,
    },
    /// Part of an earlier frame's field, and an area outside of it.
    Overlaps {
        /// Number of the frame that shares the most.
        earlier: u64,
        /// What lies at `p` in this frame lies at `p + shift` in the earlier one; x, then y.
        shift_px: [f64; 2],
        /// Part of this picture that both show, above 0, below 1.
        shared_part: f64,
    },
    /// Fewer than two cells to compare, so a new field cannot be distinguished from a stage that stands still over an
    /// empty place. Its cells are new; the caller decides whether it is another field.
    TooFew,
}

/// Whether a cell is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellState {
    /// Not seen before: count it.
    New,
    /// Already counted: its centre lies in an earlier field, whether or not the cell was found there, or just outside of one that
    /// counted the part of the cell inside its border. So each cell is counted in the first frame that shows it.
    Seen,
    /// Dust on the sensor or a lens: it keeps its position in the picture while the specimen moves. It is recognised after six
    /// distinct fields and counts as a cell until then. In pictures with more than [`limits::MAX_ANCHORS`] cells, only the largest
    /// are examined.
    Stuck,
}

/// The result for one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// What the frame shows.
    pub state: State,
    /// Part of the picture outside of all stored fields, 0 to 1 in steps of 1/4096: the area in which its new cells were counted.
    /// 0 for [`State::Same`].
    pub new_part: f64,
    /// Cells in state [`CellState::New`].
    pub new_cells: u32,
    /// Cells in state [`CellState::Seen`].
    pub seen_cells: u32,
    /// Cells in state [`CellState::Stuck`].
    pub stuck_cells: u32,
}
