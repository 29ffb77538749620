//! How many parts an archive may be divided into.

/// Most parts that `segment --shard` cuts a list of pictures into: their marks are read at once.
pub const MAX_SHARDS: u32 = 10_000;
