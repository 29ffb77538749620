//! Queue lengths, and how long a stage may take.

use std::time::Duration;

/// Frames that wait between the camera and the pipeline; if one more arrives, the oldest is dropped.
pub const FRAME_QUEUE_LEN: usize = 4;

/// Records that wait between the analysis and the disk; if one more arrives from a live source, the oldest is not kept.
pub const RECORD_QUEUE_LEN: usize = 8;

/// Events of a run that wait to be recorded.
pub const EVENT_QUEUE_LEN: usize = 16;

/// Records whose memory is reused: those that wait, the one being filled, and the one being written.
pub const RECORD_POOL_LEN: usize = RECORD_QUEUE_LEN + 2;

/// Longest time that a thread waits for its neighbour or its source before it reports that it is alive.
pub const MAX_NAP: Duration = Duration::from_secs(1);

/// Time between two checks of the stages by the supervisor.
pub const SUPERVISOR_TICK: Duration = Duration::from_millis(200);

/// A capture without progress for this long hangs in its driver. A silent device is noticed sooner
/// ([`crate::camera::limits::CAMERA_STALL`]); a picture of a folder can take several seconds on slow hardware.
pub const CAPTURE_STALL: Duration = Duration::from_secs(30);

/// A capture that hangs for this long beside an abandoned one starves the watchdog.
pub const CAPTURE_HOPELESS: Duration = Duration::from_secs(600);

/// An analysis without progress for this long will not recover: the slowest boards take a few seconds per frame.
pub const ANALYSIS_STALL: Duration = Duration::from_secs(45);

/// Records without progress for this long are waiting for their disk; this is reported.
pub const RECORDS_STALL: Duration = Duration::from_secs(10);

/// Maximum number of abandoned capture threads, which hang in a driver: each holds its pool of pictures.
pub const MAX_ABANDONED: usize = 1;

/// Delay before a failed stage is restarted; each further failure doubles it.
pub const MIN_RESTART: Duration = Duration::from_millis(500);

/// Longest delay before a restart.
pub const MAX_RESTART: Duration = Duration::from_secs(30);

/// A stage that ran well for this long has its failures forgotten.
pub const RESTART_FORGIVEN: Duration = Duration::from_secs(60);

/// Restarts in a row after which a failing analysis or recorder is given up.
pub const MAX_RESTARTS_IN_VAIN: u32 = 5;

/// This many consecutive refused frames degrade the run.
pub const REFUSED_IN_A_ROW: u64 = 8;

/// This many unreadable frames in a row are reported one by one; after that, only when their number has doubled.
pub const LOGGED_IN_A_ROW: u64 = 8;

/// Minimum time between two watchdog notifications.
pub const MIN_WATCHDOG: Duration = Duration::from_millis(500);

/// `WatchdogSec` of the service, for the assertions below.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// Longest time that a run waits for its threads after a stop request.
pub const MAX_STOP_TIME: Duration = Duration::from_secs(10);

/// Longest time that records may make no progress, once all frames are analysed, before a run ends without them: the
/// tables are written all at once.
pub const MAX_RECORDS_END: Duration = Duration::from_secs(120);

/// Bytes of a thread's stack that are touched, as assumed by `budget`.
pub const THREAD_STACK_BYTES: u64 = 128 * 1024;

/// Distinct fields after which the history of drift is written.
pub const DRIFT_SAVE_EVERY_FIELDS: u32 = 360;

const _: () = {
    // One record is filled and one is written while the queue is full.
    assert!(RECORD_POOL_LEN >= RECORD_QUEUE_LEN + 2);
    // The run recovers by itself before the service manager intervenes, and a pause between restarts does not look like a
    // hang.
    assert!(ANALYSIS_STALL.as_millis() < WATCHDOG.as_millis());
    assert!(MAX_NAP.as_millis() * 5 <= RECORDS_STALL.as_millis());
    assert!(MAX_RESTART.as_millis() + MAX_NAP.as_millis() < WATCHDOG.as_millis());
    assert!(MIN_WATCHDOG.as_millis() * 10 <= WATCHDOG.as_millis());
    assert!(MIN_RESTART.as_millis() < MAX_RESTART.as_millis());
};
