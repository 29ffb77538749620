//! Resource limits for readers of the page.

use std::time::Duration;

/// Most connections to the page at a time; further ones are closed at once.
pub const MAX_PAGE_CONNECTIONS: usize = 12;

/// Of these, most event streams, so that a client that holds them all leaves connections for others.
pub const MAX_PAGE_STREAMS: usize = 4;

/// Requests per second over all clients; more have to wait. A browser makes about twenty, and all allowed streams about
/// eighty.
pub const MAX_PAGE_REQUESTS_PER_S: u32 = 100;

/// Size of a burst after a period without requests.
pub const MAX_PAGE_REQUESTS_AT_ONCE: u32 = 50;

/// Nice value of the page's thread relative to the pipeline: a tenth of its share if all want the same core.
pub const PAGE_NICE: i32 = 10;

/// Bytes of a request's line and headers; also the size of a connection's read buffer.
pub const MAX_PAGE_HEADER_BYTES: usize = 8192;

/// Most headers of a request.
pub const MAX_PAGE_HEADERS: usize = 64;

/// Longest time from waiting for a request to its last header; also closes idle connections.
pub const MAX_PAGE_HEADER_TIME: Duration = Duration::from_secs(5);

/// Longest time that a client may accept none of the written bytes.
pub const MAX_PAGE_WRITE_TIME: Duration = Duration::from_secs(10);

/// Longest lifetime of a connection. A browser reopens its event stream.
pub const MAX_PAGE_CONNECTION_TIME: Duration = Duration::from_secs(300);

/// Interval for checking whether there is a new frame.
pub const PAGE_LOOK: Duration = Duration::from_millis(100);

/// Time for which a frame is held for a client that received its numbers and requests its pictures, if there are other
/// clients.
pub const PAGE_HOLD: Duration = Duration::from_millis(500);

/// Interval of keep-alive events.
pub const PAGE_HEARTBEAT: Duration = Duration::from_secs(2);

/// Longest side of a picture of the page, in pixels; larger ones are subsampled.
pub const MAX_PAGE_PICTURE_SIDE_PX: u32 = 768;

/// Bytes that an encoded picture may take beyond its pixels.
pub const PAGE_PNG_SLACK_BYTES: u64 = 64 * 1024;

/// Frames in the trend of counts.
pub const MAX_PAGE_TREND_LEN: usize = 240;

/// Latest counted frames in the histogram of diameters.
pub const MAX_PAGE_DIAMETER_FRAMES: usize = 64;

/// Bins of that histogram; the last is open.
pub const PAGE_DIAMETER_BINS: usize = 40;

/// Most earlier runs in `/api/runs`.
pub const MAX_PAGE_RUNS: usize = 16;

/// Greatest length in frames of an earlier run whose cells are summed at the start of a run; longer ones have no sum.
pub const MAX_PAGE_RUN_FRAMES: u64 = 10_000;

/// Cells of the latest frames available in `/api/cells`.
pub const MAX_PAGE_CELLS_KEPT: usize = 4096;

/// Cells in a response after which no further frame is started. The last frame is complete if the response has at most
/// twice as many; otherwise it continues in the next response.
pub const MAX_PAGE_CELLS_SENT: usize = 512;

/// Longest response that is not a picture, in bytes.
pub const MAX_PAGE_TEXT_BYTES: u64 = 320 * 1024;

/// Stack of the page's thread.
pub const PAGE_STACK_BYTES: usize = 512 * 1024;

const _: () = {
    assert!(MAX_PAGE_STREAMS * 2 <= MAX_PAGE_CONNECTIONS);
    // Waiting for a turn takes less than two intervals of checking for a new frame.
    assert!(MAX_PAGE_CONNECTIONS as u128 * 1000 <= MAX_PAGE_REQUESTS_PER_S as u128 * PAGE_LOOK.as_millis() * 2);
    // The minimum for the connection's reader.
    assert!(MAX_PAGE_HEADER_BYTES >= 8192);
    assert!(MAX_PAGE_CELLS_SENT <= MAX_PAGE_CELLS_KEPT);
    assert!(PAGE_LOOK.as_millis() * 10 <= PAGE_HEARTBEAT.as_millis());
    // Other clients are not held up for longer than they notice.
    assert!(
        PAGE_LOOK.as_millis() * 2 <= PAGE_HOLD.as_millis() && PAGE_HOLD.as_millis() * 4 <= PAGE_HEARTBEAT.as_millis()
    );
    assert!(PAGE_HEARTBEAT.as_millis() < MAX_PAGE_WRITE_TIME.as_millis());
};
