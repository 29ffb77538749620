//! Tiles processed at a time.

pub use crate::engine::limits::MAX_WORKERS;
