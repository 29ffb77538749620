//! How many parts an archive may be divided into.

/// Maximum number of parts that `segment --shard` divides a list of pictures into: their marks are read together.
pub const MAX_SHARDS: u32 = 10_000;
