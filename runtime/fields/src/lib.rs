//! A field is counted once: whether a frame shows what an earlier one showed, and which of its cells were counted then.
//!
//! A stage moves over a smear. A frame may show the same field as an earlier one, overlap it, or be new. Nobody says how the stage
//! moves, so the cells say it: their places make a constellation that is found again in another frame, shifted.
//!
//! ```text
//! cells -> constellation -> votes for shifts -> evidence of each -> position among earlier fields -> state of each cell
//! ```
//!
//! - All lengths are in pixels of one grid, whichever that is; the pitch (um a pixel) of all frames has to be the same within
//!   1 %, and so has the rotation of the camera. Tolerances are parts of the median cell diameter.
//! - A field that shares fewer than about eight cells with an earlier one cannot be told from a new one. Of fields of 100 cells
//!   that is an overlap of a tenth; these cells are then counted twice.
//! - Fields that are known to lie beside each other share a map, so a frame that is found beside one of them is known to
//!   overlap the others too, however little.
//! - The lamp does not matter; no pixel is looked at.
//! - A frame of 100 cells takes about 1 ms against a full memory of unrelated fields, one of 250 and more 5 ms; of fields whose
//!   places are known, a small part of it (`cargo bench -p bloodseg-fields`). It allocates nothing, and all takes
//!   [`limits::MAX_BYTES`] at most.
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
    /// What the caller calls it: [`State`] names earlier frames by it.
    pub number: u64,
    /// Width, above zero.
    pub width_px: f64,
    /// Height, above zero.
    pub height_px: f64,
}

/// A cell of a frame. The origin is the outer corner of the picture's first pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Centroid of what is seen of it, from the left.
    pub x_px: f64,
    /// The same from the top.
    pub y_px: f64,
    /// Area of what is seen of it, in square pixels.
    pub area_px: f64,
    /// Whether the picture's border cuts or touches it.
    pub touches_border: bool,
}

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// A field that overlaps none that is remembered, as far as can be told.
    New,
    /// The field of an earlier frame, within half a cell diameter. Nothing of it is counted, and it is not remembered apart.
    Same {
        /// Its number.
        earlier: u64,
    },
    /// A part of an earlier frame's field, and something else.
    Overlaps {
        /// Number of the frame that shares the most.
        earlier: u64,
        /// What lies at `p` in this frame lies at `p + shift` in the earlier one; x, then y.
        shift_px: [f64; 2],
        /// Part of this picture that both show, above 0, below 1.
        shared_part: f64,
    },
    /// Fewer than two cells to compare: nothing is known. Its cells count as new; whether it is a field of its own is the
    /// caller's choice, as a stage that stands still over an empty place looks the same.
    TooFew,
}

/// Whether a cell is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellState {
    /// Not seen before: count it.
    New,
    /// Its centre lies in a field that was counted, whether or not it was found there, or just outside of one whose border cut
    /// it, so that it was counted as a cut cell. Each cell is thereby counted in the first frame that shows it.
    Seen,
    /// It keeps its place in the picture while the specimen moves: no cell but dust. Known after six distinct fields, until which
    /// it counts as a cell; of pictures with more than [`limits::MAX_ANCHORS`] cells, the largest alone are looked at.
    Stuck,
}

/// What was found of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// What the frame shows.
    pub state: State,
    /// Part of the picture that no remembered field shows, 0 to 1 in steps of 1/4096: the area that its new cells were counted
    /// in. 0 of [`State::Same`].
    pub new_part: f64,
    /// Cells in state [`CellState::New`].
    pub new_cells: u32,
    /// Cells in state [`CellState::Seen`].
    pub seen_cells: u32,
    /// Cells in state [`CellState::Stuck`].
    pub stuck_cells: u32,
}
