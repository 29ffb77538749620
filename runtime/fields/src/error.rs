//! Why a frame cannot be compared.

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a frame cannot be compared; the stored fields stay as they were.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// The picture has no usable size.
    #[error(
        "picture: {width_px} x {height_px} pixels; expected two finite numbers above zero; pass the size of the analysed picture"
    )]
    Size {
        /// As it was passed.
        width_px: f64,
        /// As it was passed.
        height_px: f64,
    },
    /// A cell without a position or area.
    #[error("cell {index}: centroid or area is not a finite number; expected numbers; leave the cell out")]
    Cell {
        /// Its index among the cells, from 0.
        index: usize,
    },
    /// More cells than a picture can have.
    #[error("picture: more than {most} cells; expected at most {most}; pass the cells of one picture")]
    TooManyCells {
        /// [`crate::limits::MAX_CELLS`].
        most: usize,
    },
}
