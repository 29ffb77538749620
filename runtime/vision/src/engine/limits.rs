//! Concurrent model runs.

/// Most tiles processed at a time, each with an arena and a core.
pub const MAX_WORKERS: usize = 2;
