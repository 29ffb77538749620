//! Memory and size of the database.

use std::time::Duration;

use bloodseg_vision::cells::limits::MAX_OUTLINE_STEPS;

/// Maximum memory of SQLite in total; what would need more fails, and is counted as not kept.
pub const MAX_RECORDS_HEAP_BYTES: u64 = 4 * 1024 * 1024;

/// Page cache of a connection to the records, in KiB.
pub const RECORDS_CACHE_KIB: u64 = 256;

/// Pages of the log after which it is merged into the database.
pub const RECORDS_LOG_PAGES: u32 = 256;

/// Length to which the log is truncated after it was merged into the database.
pub const RECORDS_LOG_BYTES: u64 = 2 * 1024 * 1024;

/// Frames without cells that are read in one go, so that no reader blocks the log for long.
pub const RECORDS_READ_FRAMES: usize = 16;

/// Longest time that a frame waits for another writer to the same records.
pub const MAX_RECORDS_BUSY: Duration = Duration::from_millis(1000);

/// Default size of the records in MiB.
pub const DEFAULT_RECORDS_MIB: f64 = 256.0;

/// Maximum in the config.
pub const MAX_RECORDS_MIB: f64 = 1024.0 * 1024.0;

/// Minimum in the config.
pub const MIN_RECORDS_MIB: f64 = 8.0;

/// Maximum number of oldest frames deleted in one step.
pub const RETENTION_STEP_FRAMES: u64 = 32;

/// Cells deleted in one step; the step ends with the frame that reaches it. Twice the cells of the newest frame if that
/// is more, so that space is freed faster than it is used.
pub const RETENTION_STEP_CELLS: u64 = 4096;

/// Free pages returned to the disk in one step.
pub const RETENTION_STEP_PAGES: u32 = 128;

/// Runs without frames deleted in one step, with their events.
pub const RETENTION_STEP_RUNS: u32 = 32;

/// Number of latest runs without frames that are kept: their events say why no frames came.
pub const MAX_EMPTY_RUNS: i64 = 16;

/// On a full disk, the oldest frames are deleted for new ones until only this part of the records is left.
pub const MIN_RETENTION_PART: u64 = 2;

/// Number of damaged frames that a message names.
pub const MAX_NAMED_DAMAGED: usize = 8;

/// Frames, and about as many cells, that are checked after each frame that was kept.
pub const SCRUB_STEP_FRAMES: u32 = 8;

/// See [`SCRUB_STEP_FRAMES`]; the step ends with the frame that reaches it.
pub const SCRUB_STEP_CELLS: u64 = 512;

/// Running time of the box between two passes of checks over all frames; the first starts with the run.
pub const SCRUB_EVERY_MS: i64 = 24 * 60 * 60 * 1000;

/// Maximum number of events in the records; the oldest are deleted first.
pub const MAX_EVENTS: u64 = 10_000;

const _: () = {
    assert!(RECORDS_CACHE_KIB * 1024 * 4 <= MAX_RECORDS_HEAP_BYTES);
    assert!(RECORDS_LOG_BYTES as f64 * 2.0 <= MIN_RECORDS_MIB * 1_048_576.0);
    assert!(MIN_RECORDS_MIB <= DEFAULT_RECORDS_MIB && DEFAULT_RECORDS_MIB <= MAX_RECORDS_MIB);
    // Every start adds one run, and deletes more.
    assert!(RETENTION_STEP_RUNS > 1 && MAX_EMPTY_RUNS >= 1);
    // A frame with the longest outlines fits into SQLite's memory: a row is held there while it is written.
    assert!((MAX_OUTLINE_STEPS as u64) < MAX_RECORDS_HEAP_BYTES);
};
