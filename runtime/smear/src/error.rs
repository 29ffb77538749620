//! Errors of sets of rendered fields.

use crate::limits::MAX_SMEAR_SIDE_PX;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The size is out of range, in pixels per side.
    #[error("size of the rendered fields: {0} px; expected 256 to {MAX_SMEAR_SIDE_PX} px")]
    Size(u32),
    /// A file cannot be written.
    #[error(transparent)]
    Vision(#[from] bloodseg_vision::error::Error),
}
