//! How many tiles are worked on at a time.

pub use crate::engine::limits::MAX_WORKERS;
