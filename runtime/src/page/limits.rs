//! What readers of the page may take of the machine.

use std::time::Duration;

/// Connections to the page at a time; more are closed at once.
pub const MAX_PAGE_CONNECTIONS: usize = 12;

/// Of these, streams of events at a time: a reader that holds them all still leaves connections for others.
pub const MAX_PAGE_STREAMS: usize = 4;

/// Requests that the page answers in a second from all clients together; more wait. A browser that looks on makes some twenty, and all
/// the streams there may be some eighty.
pub const MAX_PAGE_REQUESTS_PER_S: u32 = 100;

/// Requests that are answered at once after a while without any.
pub const MAX_PAGE_REQUESTS_AT_ONCE: u32 = 50;

/// How much nicer the page's thread is than those of the pipeline: a tenth of their share where all want the same core.
pub const PAGE_NICE: i32 = 10;

/// Bytes of a request's line and headers; also what a connection's read buffer may take.
pub const MAX_PAGE_HEADER_BYTES: usize = 8192;

/// Headers of a request.
pub const MAX_PAGE_HEADERS: usize = 64;

/// Longest time from the first wait for a request to its last header; an idle connection is closed then too.
pub const MAX_PAGE_HEADER_TIME: Duration = Duration::from_secs(5);

/// Longest time that a reader may take nothing of what is written to it.
pub const MAX_PAGE_WRITE_TIME: Duration = Duration::from_secs(10);

/// Longest life of a connection, whatever it does. A browser opens its stream of events again.
pub const MAX_PAGE_CONNECTION_TIME: Duration = Duration::from_secs(300);

/// Time between two looks for a new frame, for those who wait for one.
pub const PAGE_LOOK: Duration = Duration::from_millis(100);

/// Time for which a frame is held for who was told its numbers and asks for its pictures, where others look on too.
pub const PAGE_HOLD: Duration = Duration::from_millis(500);

/// Time after which a stream of events says that it is alive.
pub const PAGE_HEARTBEAT: Duration = Duration::from_secs(2);

/// Longest side of a picture of the page, in pixels; larger ones are thinned out.
pub const MAX_PAGE_PICTURE_SIDE_PX: u32 = 768;

/// Bytes that an encoded picture may take beyond its pixels.
pub const PAGE_PNG_SLACK_BYTES: u64 = 64 * 1024;

/// Frames in the trend of counts.
pub const MAX_PAGE_TREND_LEN: usize = 240;

/// Frames in the histogram of diameters, the latest that were counted.
pub const MAX_PAGE_DIAMETER_FRAMES: usize = 64;

/// Bins of that histogram; what lies above is in the last.
pub const PAGE_DIAMETER_BINS: usize = 40;

/// Earlier runs that `/api/runs` tells of.
pub const MAX_PAGE_RUNS: usize = 16;

/// Frames of an earlier run whose cells are summed up when a run starts; of longer ones they are not told.
pub const MAX_PAGE_RUN_FRAMES: u64 = 10_000;

/// Cells of the latest frames that `/api/cells` can tell.
pub const MAX_PAGE_CELLS_KEPT: usize = 4096;

/// Cells in one answer after which no other frame is begun. The last frame is told whole where the answer holds at most twice as
/// many; else it goes on in the next answer.
pub const MAX_PAGE_CELLS_SENT: usize = 512;

/// Longest answer that is not a picture, in bytes.
pub const MAX_PAGE_TEXT_BYTES: u64 = 320 * 1024;

/// Stack of the page's thread.
pub const PAGE_STACK_BYTES: usize = 512 * 1024;

const _: () = {
    assert!(MAX_PAGE_STREAMS * 2 <= MAX_PAGE_CONNECTIONS);
    // Whoever waits for a turn waits less than a look for a new frame lasts, twice.
    assert!(MAX_PAGE_CONNECTIONS as u128 * 1000 <= MAX_PAGE_REQUESTS_PER_S as u128 * PAGE_LOOK.as_millis() * 2);
    // The least that the connections' reader works with.
    assert!(MAX_PAGE_HEADER_BYTES >= 8192);
    assert!(MAX_PAGE_CELLS_SENT <= MAX_PAGE_CELLS_KEPT);
    assert!(PAGE_LOOK.as_millis() * 10 <= PAGE_HEARTBEAT.as_millis());
    // Who looks on is not held up for longer than it takes to notice.
    assert!(
        PAGE_LOOK.as_millis() * 2 <= PAGE_HOLD.as_millis() && PAGE_HOLD.as_millis() * 4 <= PAGE_HEARTBEAT.as_millis()
    );
    assert!(PAGE_HEARTBEAT.as_millis() < MAX_PAGE_WRITE_TIME.as_millis());
};
