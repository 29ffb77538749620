//! How many nets run at a time.

/// Most tiles that are worked on at a time, an arena and a core each.
pub const MAX_WORKERS: usize = 2;
