//! Memory and size of the database.

use std::time::Duration;

use bloodseg_vision::cells::limits::MAX_OUTLINE_STEPS;

/// Most memory that SQLite takes in all; what would need more fails, and is counted as not kept.
pub const MAX_RECORDS_HEAP_BYTES: u64 = 4 * 1024 * 1024;

/// Pages that a connection to the records keeps in memory, in KiB.
pub const RECORDS_CACHE_KIB: u64 = 256;

/// Pages of the log after which it is brought into the database.
pub const RECORDS_LOG_PAGES: u32 = 256;

/// Length to which the log is cut when it has been brought into the database.
pub const RECORDS_LOG_BYTES: u64 = 2 * 1024 * 1024;

/// Frames without their cells that are read of the records at a stretch, so that no reader holds up the log for long.
pub const RECORDS_READ_FRAMES: usize = 16;

/// Longest time that a frame waits for somebody else who writes into the same records.
pub const MAX_RECORDS_BUSY: Duration = Duration::from_millis(1000);

/// Size of the records in MiB where the config says nothing.
pub const DEFAULT_RECORDS_MIB: f64 = 256.0;

/// The most that the config may say.
pub const MAX_RECORDS_MIB: f64 = 1024.0 * 1024.0;

/// The least that the config may say.
pub const MIN_RECORDS_MIB: f64 = 8.0;

/// Oldest frames that are deleted at a stretch, at most.
pub const RETENTION_STEP_FRAMES: u64 = 32;

/// Cells that are deleted at a stretch; the step ends with the frame that reaches it. Twice the cells of the newest frame
/// where that is more, so that room is made faster than it is taken.
pub const RETENTION_STEP_CELLS: u64 = 4096;

/// Free pages that are given back to the disk at a stretch.
pub const RETENTION_STEP_PAGES: u32 = 128;

/// Runs without frames that are deleted at a stretch, with their events.
pub const RETENTION_STEP_RUNS: u32 = 32;

/// Latest runs that stay without frames: what they tell says why none came.
pub const MAX_EMPTY_RUNS: i64 = 16;

/// On a full disk, the oldest frames make room for new ones until only this part of the records is left.
pub const MIN_RETENTION_PART: u64 = 2;

/// Damaged frames that a message names.
pub const MAX_NAMED_DAMAGED: usize = 8;

/// Frames, and about as many cells, that are checked after a frame that was kept.
pub const SCRUB_STEP_FRAMES: u32 = 8;

/// See [`SCRUB_STEP_FRAMES`]; the step ends with the frame that reaches it.
pub const SCRUB_STEP_CELLS: u64 = 512;

/// Time of the box between two passes of checks over all frames; the first begins with the run.
pub const SCRUB_EVERY_MS: i64 = 24 * 60 * 60 * 1000;

/// Events that the records hold; the oldest go first.
pub const MAX_EVENTS: u64 = 10_000;

const _: () = {
    assert!(RECORDS_CACHE_KIB * 1024 * 4 <= MAX_RECORDS_HEAP_BYTES);
    assert!(RECORDS_LOG_BYTES as f64 * 2.0 <= MIN_RECORDS_MIB * 1_048_576.0);
    assert!(MIN_RECORDS_MIB <= DEFAULT_RECORDS_MIB && DEFAULT_RECORDS_MIB <= MAX_RECORDS_MIB);
    // Every start begins one run, and deletes more.
    assert!(RETENTION_STEP_RUNS > 1 && MAX_EMPTY_RUNS >= 1);
    // A frame of the longest outlines has room in SQLite's memory: a row is held there while it is written.
    assert!((MAX_OUTLINE_STEPS as u64) < MAX_RECORDS_HEAP_BYTES);
};
