//! What a run may leave behind, and how long writing it may take.

use std::time::Duration;

/// Maximum number of frames of camera runs whose pictures are kept in a folder.
pub const MAX_KEPT_PICTURES: usize = 4096;

/// Buffer of the table writers, in bytes.
pub const MAX_RECORD_BUFFER_BYTES: u64 = 64 * 1024;

/// Delay before the first retry of records that cannot be opened; each failed attempt doubles it.
pub const MIN_RECORDS_RETRY: Duration = Duration::from_millis(250);

/// Longest delay between two attempts.
pub const MAX_RECORDS_RETRY: Duration = Duration::from_secs(30);

/// Maximum number of damaged databases moved aside, each up to the size of the records, so that a disk that damages them
/// all is not filled.
pub const MAX_DAMAGED_DATABASES: u32 = 3;

/// Events that wait to be written; the oldest are dropped.
pub const EVENT_RING_LEN: usize = 16;

/// Longest text of an event, in bytes; longer text is cut.
pub const MAX_EVENT_BYTES: usize = 240;

/// Longest name of a frame or a source in the records, in bytes; longer names are cut.
pub const MAX_RECORD_NAME_BYTES: usize = 255;

/// Largest validation file, and largest table of a person's counts.
pub const MAX_VALIDATION_BYTES: u64 = 4 * 1024 * 1024;

/// Longest name of a sample, in bytes.
pub const MAX_SAMPLE_NAME_BYTES: usize = 64;

/// Longest name of an operator or a stain, and longest note, in bytes.
pub const MAX_SAMPLE_TEXT_BYTES: usize = 200;

/// Maximum number of samples in a table of samples or a FHIR bundle.
pub const MAX_EXPORTED_SAMPLES: usize = 65_536;

/// Longest file that names the current sample.
pub const MAX_SAMPLE_FILE_BYTES: u64 = 4096;

/// Maximum number of frames for which a run writes cells.csv and frames.csv at its end; beyond it, `bloodseg export`
/// makes tables.
pub const MAX_TABLE_FRAMES: u64 = 20_000;

/// The same for a run that was stopped, where a person waits for its end.
pub const MAX_TABLE_FRAMES_STOPPED: u64 = 2000;

/// Longest time that tables may take after a run was stopped, including their last rows.
pub const MAX_TABLES_TIME: Duration = Duration::from_secs(4);

const _: () = {
    assert!(MIN_RECORDS_RETRY.as_millis() < MAX_RECORDS_RETRY.as_millis());
    assert!(MAX_DAMAGED_DATABASES >= 1);
    assert!((MAX_SAMPLE_NAME_BYTES + 3 * MAX_SAMPLE_TEXT_BYTES) as u64 * 4 <= MAX_SAMPLE_FILE_BYTES);
    assert!(MAX_TABLE_FRAMES_STOPPED <= MAX_TABLE_FRAMES);
};
