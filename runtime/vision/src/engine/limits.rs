//! Concurrent model runs.

/// Most tiles processed at a time, each with an arena and a core.
pub const MAX_WORKERS: usize = 2;

/// Most arenas that are kept between runs: one per thread that analyses pictures of its own. More threads work, and
/// allocate an arena for each run.
pub const MAX_ARENAS: usize = 64;

const _: () = assert!(MAX_WORKERS <= MAX_ARENAS);
