//! Queues between the stages, and how long a stage may take.

use std::time::Duration;

/// Frames that wait between the camera and the pipeline; one more, and the oldest is dropped.
pub const FRAME_QUEUE_LEN: usize = 4;

/// Records that wait between the analysis and the disk; of a live source one more, and the oldest is not kept.
pub const RECORD_QUEUE_LEN: usize = 8;

/// Events of a run that wait for the records.
pub const EVENT_QUEUE_LEN: usize = 16;

/// Records whose memory goes round: those that wait, the one that is filled, and the one that is written.
pub const RECORD_POOL_LEN: usize = RECORD_QUEUE_LEN + 2;

/// Longest time that a thread waits for its neighbour or its source before it shows that it lives.
pub const MAX_NAP: Duration = Duration::from_secs(1);

/// Time between two looks of the supervisor at the stages.
pub const SUPERVISOR_TICK: Duration = Duration::from_millis(200);

/// A capture that does not move for so long hangs in its driver. The device's own silence is noticed sooner
/// ([`crate::camera::limits::CAMERA_STALL`]); a picture of a folder takes a slow box some seconds.
pub const CAPTURE_STALL: Duration = Duration::from_secs(30);

/// A capture that hangs for so long beside one that was left behind starves the watchdog.
pub const CAPTURE_HOPELESS: Duration = Duration::from_secs(600);

/// An analysis that does not move for so long never will: the slowest boards take some seconds for a frame.
pub const ANALYSIS_STALL: Duration = Duration::from_secs(45);

/// Records that do not move for so long wait for their disk, which is told.
pub const RECORDS_STALL: Duration = Duration::from_secs(10);

/// Capture threads that hang in a driver and are left behind, at a time: each holds its pool of pictures.
pub const MAX_LEFT_BEHIND: usize = 1;

/// Time until a stage that died is started again; each further death doubles it.
pub const MIN_RESTART: Duration = Duration::from_millis(500);

/// Longest time between two starts.
pub const MAX_RESTART: Duration = Duration::from_secs(30);

/// A stage that went well for so long is forgiven its deaths.
pub const RESTART_FORGIVEN: Duration = Duration::from_secs(60);

/// Starts in a row after which an analysis or records that die again are given up.
pub const MAX_RESTARTS_IN_VAIN: u32 = 5;

/// So many frames in a row that the analysis refuses are a state of their own.
pub const REFUSED_IN_A_ROW: u64 = 8;

/// So many unreadable frames in a row are told each; then each time their number has doubled.
pub const LOGGED_IN_A_ROW: u64 = 8;

/// Least time between two signs of life to the service manager.
pub const MIN_WATCHDOG: Duration = Duration::from_millis(500);

/// `WatchdogSec` of the service, for the relations below.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// Longest time that a run waits for its threads when it was told to stop.
pub const MAX_STOP_TIME: Duration = Duration::from_secs(10);

/// Longest time that records whose frames are all analysed may stand before a run ends without them: the tables are written
/// at a stretch.
pub const MAX_RECORDS_END: Duration = Duration::from_secs(120);

/// Bytes of a thread's stack that are touched, as `budget` reckons.
pub const THREAD_STACK_BYTES: u64 = 128 * 1024;

const _: () = {
    // One record is filled and one is written while the queue is full.
    assert!(RECORD_POOL_LEN >= RECORD_QUEUE_LEN + 2);
    // The run helps itself before the service manager helps it, and a pause between starts is no silence.
    assert!(ANALYSIS_STALL.as_millis() < WATCHDOG.as_millis());
    assert!(MAX_NAP.as_millis() * 5 <= RECORDS_STALL.as_millis());
    assert!(MAX_RESTART.as_millis() + MAX_NAP.as_millis() < WATCHDOG.as_millis());
    assert!(MIN_WATCHDOG.as_millis() * 10 <= WATCHDOG.as_millis());
    assert!(MIN_RESTART.as_millis() < MAX_RESTART.as_millis());
};
