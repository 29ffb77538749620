//! What a run may leave behind, and how long writing it may take.

use std::time::Duration;

/// Most frames of a camera's runs whose pictures are kept in a folder.
pub const MAX_KEPT_PICTURES: usize = 4096;

/// Bytes that the writers of the tables hold back.
pub const MAX_RECORD_BUFFER_BYTES: u64 = 64 * 1024;

/// Records that cannot be opened are first tried again after this time; each try in vain doubles it.
pub const MIN_RECORDS_RETRY: Duration = Duration::from_millis(250);

/// Longest time between two tries.
pub const MAX_RECORDS_RETRY: Duration = Duration::from_secs(30);

/// Damaged databases that are put aside at most, each up to the size of the records: a disk that damages them all is not filled.
pub const MAX_DAMAGED_DATABASES: u32 = 3;

/// Events that wait until they can be written; the oldest are dropped.
pub const EVENT_RING_LEN: usize = 16;

/// Longest text of an event, in bytes; what is longer is cut.
pub const MAX_EVENT_BYTES: usize = 240;

/// Longest name of a frame or a source in the records, in bytes; what is longer is cut.
pub const MAX_RECORD_NAME_BYTES: usize = 255;

/// Longest name of a sample, in bytes.
pub const MAX_SAMPLE_NAME_BYTES: usize = 64;

/// Longest name of an operator or a stain, and longest note, in bytes.
pub const MAX_SAMPLE_TEXT_BYTES: usize = 200;

/// Longest file that names the sample under the lens.
pub const MAX_SAMPLE_FILE_BYTES: u64 = 4096;

/// Most frames for which a run writes cells.csv and frames.csv at its end; of more, `bloodseg export` makes tables.
pub const MAX_TABLE_FRAMES: u64 = 20_000;

/// The same where a run is stopped, and somebody waits for its end.
pub const MAX_TABLE_FRAMES_STOPPED: u64 = 2000;

/// Longest time that tables may take after a run was stopped, up to their last rows.
pub const MAX_TABLES_TIME: Duration = Duration::from_secs(4);

const _: () = {
    assert!(MIN_RECORDS_RETRY.as_millis() < MAX_RECORDS_RETRY.as_millis());
    assert!(MAX_DAMAGED_DATABASES >= 1);
    assert!((MAX_SAMPLE_NAME_BYTES + 3 * MAX_SAMPLE_TEXT_BYTES) as u64 * 4 <= MAX_SAMPLE_FILE_BYTES);
    assert!(MAX_TABLE_FRAMES_STOPPED <= MAX_TABLE_FRAMES);
};
