//! Every limit of the software, in one file, with their relations checked at compile time.

use std::time::Duration;

/// Edge of a low-resolution tile, in sensor pixels: what the super-resolution net reads.
pub const TILE_PX: u32 = 64;

/// Linear factor of the super-resolution.
pub const SCALE: u32 = 4;

/// Edge of a super-resolved tile, in pixels: what the segmentation net reads.
pub const TILE_SR_PX: u32 = TILE_PX * SCALE;

/// Pixels by which neighbouring tiles overlap, on the low-resolution grid.
pub const TILE_OVERLAP_PX: u32 = 24;

/// Outermost pixels of a tile that are never used where a neighbour covers them,
/// because the nets saw padding instead of picture there.
pub const TILE_RIM_PX: u32 = 4;

/// Tile offsets are multiples of this, so that the strides of both nets meet the same pixels in every tile.
pub const TILE_ALIGN_PX: u32 = 4;

/// Largest width or height of a picture that is read for tiling, in pixels.
pub const MAX_PICTURE_SIDE_PX: u32 = 16_384;

/// Most pixels of a picture that is cut into tiles. The outputs have 16 times as many.
pub const MAX_TILED_PX: u64 = 2 * 1024 * 1024;

/// Most pixels of a full-resolution picture that is shrunk before it is read (`--whole-field`, `eval`).
pub const MAX_WHOLE_FIELD_PX: u64 = 64 * 1024 * 1024;

/// Most bytes that decoding one picture may take.
pub const MAX_DECODE_BYTES: u64 = 512 * 1024 * 1024;

/// Bytes a pixel that a decoder keeps beside the samples it gives, at most: the coefficients of a progressive JPEG with four
/// components.
pub const DECODER_BYTES_PER_PX: u64 = 8;

/// Bytes that a decoder keeps whatever the size of the picture.
pub const DECODER_BYTES: u64 = 512 * 1024;

/// Largest picture file that is opened, in bytes.
pub const MAX_PICTURE_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Most parts that `segment --shard` cuts a list of pictures into: their marks are read at once.
pub const MAX_SHARDS: u32 = 10_000;

/// Most cells in one picture: labels are 16 bit and 0 is the background.
pub const MAX_CELLS: usize = u16::MAX as usize;

/// Frames that wait between the camera and the pipeline; one more, and the oldest is dropped.
pub const FRAME_QUEUE_LEN: usize = 4;

/// Pictures that frames of a live camera are made in, allocated once: those that wait, the one that is analysed, and the one
/// that is being made.
pub const FRAME_POOL_LEN: usize = FRAME_QUEUE_LEN + 2;

/// Largest frame that is read from a camera, in pixels. It is shrunk row by row on its way.
pub const MAX_CAMERA_PX: u64 = 16 * 1024 * 1024;

/// Largest width or height of a camera's frame, in pixels.
pub const MAX_CAMERA_SIDE_PX: u32 = 8192;

/// Most formats, and most sizes of one, that a camera is asked for.
pub const MAX_CAMERA_OFFERS: usize = 64;

/// Most controls that a camera is asked for.
pub const MAX_CAMERA_CONTROLS: usize = 256;

/// Longest time that a camera is waited for at a stretch.
pub const CAMERA_POLL: Duration = Duration::from_millis(100);

/// A camera that gives no frame for so long is opened anew.
pub const CAMERA_STALL: Duration = Duration::from_secs(5);

/// Time until a lost camera is first tried again; each try in vain doubles it.
pub const CAMERA_RETRY_LEAST: Duration = Duration::from_millis(250);

/// Longest time between two tries.
pub const CAMERA_RETRY_MOST: Duration = Duration::from_secs(5);

/// So many frames of another size in a row are a change of format.
pub const CAMERA_FORMAT_PATIENCE: u32 = 3;

/// Records that wait between the analysis and the disk; of a live source one more, and the oldest is not kept.
pub const RECORD_QUEUE_LEN: usize = 8;

/// Events of a run that wait for the records.
pub const EVENT_QUEUE_LEN: usize = 16;

/// Records whose memory goes round: those that wait, the one that is filled, and the one that is written.
pub const RECORD_POOL_LEN: usize = RECORD_QUEUE_LEN + 2;

/// Longest time that a thread waits for its neighbour or its source before it shows that it lives.
pub const LONGEST_NAP: Duration = Duration::from_secs(1);

/// Time between two looks of the supervisor at the stages.
pub const SUPERVISOR_TICK: Duration = Duration::from_millis(200);

/// A capture that does not move for so long hangs in its driver. The device's own silence is noticed sooner
/// ([`CAMERA_STALL`]); a picture of a folder takes a slow box some seconds.
pub const CAPTURE_STALL: Duration = Duration::from_secs(30);

/// A capture that hangs for so long beside one that was left behind starves the watchdog.
pub const CAPTURE_HOPELESS: Duration = Duration::from_secs(600);

/// An analysis that does not move for so long never will: the slowest boards take some seconds for a frame.
pub const ANALYSIS_STALL: Duration = Duration::from_secs(45);

/// Records that do not move for so long wait for their disk, which is told.
pub const RECORDS_STALL: Duration = Duration::from_secs(10);

/// Capture threads that hang in a driver and are left behind, at a time: each holds its pool of pictures.
pub const MAX_LEFT_BEHIND: usize = 1;

/// Time until a stage that died is started anew; each further death doubles it.
pub const RESTART_LEAST: Duration = Duration::from_millis(500);

/// Longest time between two starts.
pub const RESTART_MOST: Duration = Duration::from_secs(30);

/// A stage that went well for so long is forgiven its deaths.
pub const RESTART_FORGIVEN: Duration = Duration::from_secs(60);

/// Starts in a row after which an analysis or records that die again are given up.
pub const RESTARTS_IN_VAIN: u32 = 5;

/// So many frames in a row that the analysis refuses are a state of their own.
pub const REFUSED_IN_A_ROW: u64 = 8;

/// So many unreadable frames in a row are told each; then each time their number has doubled.
pub const LOGGED_IN_A_ROW: u64 = 8;

/// Least time between two signs of life to the service manager.
pub const WATCHDOG_LEAST: Duration = Duration::from_millis(500);

/// `WatchdogSec` of the service, for the relations below.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// Longest time that a run waits for its threads when it was told to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// Lines of a run that wait to be read.
pub const VOICE_LINES: usize = 64;

/// Bytes of a line of a run; longer ones are cut.
pub const VOICE_LINE_BYTES: usize = 512;

/// Longest time that the end of a run waits for somebody to read its next line.
pub const VOICE_END: Duration = Duration::from_secs(5);

/// Longest time that records whose frames are all analysed may stand before a run ends without them: the tables are written
/// at a stretch.
pub const RECORDS_END: Duration = Duration::from_secs(120);

/// Longest time that `doctor` waits for a camera's first whole frame.
pub const DOCTOR_FRAME_WAIT: Duration = Duration::from_secs(3);

/// Bytes of records a frame, as `doctor` reckons the room of a day: 35 cells of about 110 bytes, and the frame's own row.
pub const FRAME_RECORD_BYTES: u64 = 4096;

/// MiB of pictures in a folder that a camera's runs leave where the config says nothing.
pub const PICTURES_MIB: f64 = 256.0;

/// Most frames of a camera's runs whose pictures are kept in a folder.
pub const MAX_KEPT_PICTURES: usize = 4096;

/// Bytes that `doctor` leaves for the pictures of the last frame.
pub const PICTURES_BYTES: u64 = 64 * 1024 * 1024;
/// Port of the page where nobody says another.
pub const PAGE_PORT: u16 = 8571;

/// So many ports from [`PAGE_PORT`] on are tried where nobody says one: other runs have pages too.
pub const PAGE_PORTS: u16 = 8;

/// Connections to the page at a time; more are closed at once.
pub const PAGE_CONNECTIONS: usize = 12;

/// Of these, streams of events at a time: a reader that holds them all still leaves connections for others.
pub const PAGE_STREAMS: usize = 4;

/// Requests that the page answers in a second, whoever asks; more wait. A browser that looks on makes some twenty, and all
/// the streams there may be some eighty.
pub const PAGE_REQUESTS_PER_S: u32 = 100;

/// Requests that are answered at once after a while without any.
pub const PAGE_REQUESTS_AT_ONCE: u32 = 50;

/// How much nicer the page's thread is than those of the pipeline: a tenth of their share where all want the same core.
pub const PAGE_NICE: i32 = 10;

/// Bytes of a request's line and headers; also what a connection's read buffer may take.
pub const PAGE_HEADER_BYTES: usize = 8192;

/// Headers of a request.
pub const PAGE_HEADERS: usize = 64;

/// Longest time from the first wait for a request to its last header; an idle connection is closed then too.
pub const PAGE_HEADER_TIME: Duration = Duration::from_secs(5);

/// Longest time that a reader may take nothing of what is written to it.
pub const PAGE_WRITE_TIME: Duration = Duration::from_secs(10);

/// Longest life of a connection, whatever it does. A browser opens its stream of events anew.
pub const PAGE_CONNECTION_TIME: Duration = Duration::from_secs(300);

/// Time between two looks for a new frame, for those who wait for one.
pub const PAGE_LOOK: Duration = Duration::from_millis(100);

/// Time for which a frame is held for who was told its numbers and asks for its pictures, where others look on too.
pub const PAGE_HOLD: Duration = Duration::from_millis(500);

/// Time after which a stream of events says that it is alive.
pub const PAGE_HEARTBEAT: Duration = Duration::from_secs(2);

/// Longest side of a picture of the page, in pixels; larger ones are thinned out.
pub const PAGE_PICTURE_SIDE_PX: u32 = 768;

/// Bytes that an encoded picture may take beyond its pixels.
pub const PAGE_PNG_SLACK_BYTES: u64 = 64 * 1024;

/// Frames in the trend of counts.
pub const PAGE_TREND_LEN: usize = 240;

/// Frames in the histogram of diameters, the latest that were counted.
pub const PAGE_DIAMETER_FRAMES: usize = 64;

/// Bins of that histogram; what lies above is in the last.
pub const PAGE_DIAMETER_BINS: usize = 40;

/// Earlier runs that `/api/runs` tells of.
pub const PAGE_RUNS_TOLD: usize = 16;

/// Frames of an earlier run whose cells are summed up when a run starts; of longer ones they are not told.
pub const PAGE_RUN_FRAMES: u64 = 10_000;

/// Cells of the latest frames that `/api/cells` can tell.
pub const PAGE_CELLS_KEPT: usize = 4096;

/// Most cells in one answer.
pub const PAGE_CELLS_TOLD: usize = 512;

/// Longest answer that is not a picture, in bytes.
pub const PAGE_TEXT_BYTES: u64 = 256 * 1024;

/// Least length of a token.
pub const PAGE_TOKEN_LEAST: usize = 16;

/// Greatest length of a token.
pub const PAGE_TOKEN_MOST: usize = 128;

/// Stack of the page's thread.
pub const PAGE_STACK_BYTES: usize = 512 * 1024;

/// Largest frame that a source may deliver to `run`, in pixels.
pub const MAX_FRAME_PX: u64 = 1024 * 1024;

/// Most inputs, and most outputs, of a part of a graph that runs in integers.
pub const MAX_NET_EDGES: usize = 8;

/// Most tiles that are worked on at a time, an arena and a core each.
pub const MAX_WORKERS: usize = 2;

/// Bytes that the writers of the tables hold back.
pub const RECORD_BUFFER_BYTES: u64 = 64 * 1024;

/// Most memory that SQLite takes in all; what would need more fails, and is counted as not kept.
pub const RECORDS_HEAP_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes a pixel of the super-resolved grid that writing an analysis as pictures takes: labels as bytes, the overlay, and
/// a whole picture compressed.
pub const SAVED_PICTURE_BYTES_PER_PX: u64 = 12;

/// Pages that a connection to the records keeps in memory, in KiB.
pub const RECORDS_CACHE_KIB: u64 = 256;

/// Pages of the log after which it is brought into the database.
pub const RECORDS_LOG_PAGES: u32 = 256;

/// Length to which the log is cut when it has been brought into the database.
pub const RECORDS_LOG_BYTES: u64 = 2 * 1024 * 1024;

/// Frames without their cells that are read of the records at a stretch, so that no reader holds up the log for long.
pub const RECORDS_READ_FRAMES: usize = 16;

/// Longest time that a frame waits for somebody else who writes into the same records.
pub const RECORDS_BUSY: Duration = Duration::from_millis(1000);

/// Records that cannot be opened are first tried again after this time; each try in vain doubles it.
pub const RECORDS_RETRY_LEAST: Duration = Duration::from_millis(250);

/// Longest time between two tries.
pub const RECORDS_RETRY_MOST: Duration = Duration::from_secs(30);

/// Damaged databases that are put aside at most, each up to the size of the records: a disk that damages them all is not filled.
pub const RECORDS_DAMAGED_KEPT: u32 = 3;

/// Size of the records in MiB where the config says nothing.
pub const RECORDS_MIB: f64 = 256.0;

/// The most that the config may say.
pub const MAX_RECORDS_MIB: f64 = 1024.0 * 1024.0;

/// The least that the config may say.
pub const RECORDS_LEAST_MIB: f64 = 8.0;

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
pub const EMPTY_RUNS_KEPT: i64 = 16;

/// On a full disk, the oldest frames make room for new ones until only this part of the records is left.
pub const RETENTION_LEAST_PART: u64 = 2;

/// Events that the records hold; the oldest go first.
pub const MAX_EVENTS: u64 = 10_000;

/// Events that wait until they can be written; the oldest are dropped.
pub const EVENT_RING_LEN: usize = 16;

/// Longest text of an event, in bytes; what is longer is cut.
pub const MAX_EVENT_BYTES: usize = 240;

/// Longest name of a frame or a source in the records, in bytes; what is longer is cut.
pub const MAX_RECORD_NAME_BYTES: usize = 255;

/// Most frames for which a run writes cells.csv and frames.csv at its end; of more, `bloodseg export` makes tables.
pub const MAX_TABLE_FRAMES: u64 = 20_000;

/// The same where a run is stopped, and somebody waits for its end.
pub const MAX_TABLE_FRAMES_STOPPED: u64 = 2000;

/// Longest time that tables may take after a run was stopped, up to their last rows.
pub const TABLES_GRACE: Duration = Duration::from_secs(4);

/// Most runs that a message names.
pub const MAX_NAMED_RUNS: usize = 16;

/// Points that a line over time in a report has at most, however many frames there are.
pub const REPORT_POINTS: usize = 240;

/// Bars that a histogram in a report has at most.
pub const REPORT_BARS: usize = 40;

/// Sizes of cells up to this one, in pixels of the super-resolved picture, are counted each by itself in a report, so that
/// medians are exact; larger ones are counted as this large. A whole tile.
pub const MAX_REPORT_AREA_PX: u32 = TILE_SR_PX * TILE_SR_PX;

/// Events that a report lists; of more, the latest.
pub const MAX_REPORT_EVENTS: usize = 200;

/// Typical cells, and odd ones, that a report shows.
pub const REPORT_CELLS: usize = 12;

/// Kept pictures whose cells a report chooses from; some forty bytes are held for each.
pub const MAX_REPORT_PICTURED: usize = 16_384;

/// Longest side of a cell's picture in a report, in pixels; what is larger is shrunk.
pub const MAX_REPORT_CROP_PX: u32 = 256;

/// Largest kept picture that a report cuts cells from, in pixels.
pub const MAX_KEPT_PICTURE_PX: u64 = MAX_FRAME_PX * (SCALE * SCALE) as u64;

/// Longest outline of a cell that is kept, in steps along the edges of pixels; of a longer one its box is kept.
pub const MAX_OUTLINE_STEPS: u32 = 65_536;

/// Most bytes of all outlines of a frame; cells beyond have their box alone.
pub const MAX_OUTLINES_BYTES: usize = 1024 * 1024;

/// Frames that are on their way to an MQTT broker at a time, and those that are read out of the records at a stretch.
pub const MQTT_WINDOW: usize = 16;

/// Time between two looks of the outbox into the records; with the window, it bounds how fast a backlog is sent.
pub const MQTT_LOOK: Duration = Duration::from_millis(250);

/// Least time between two messages of state.
pub const MQTT_STATE_LEAST: Duration = Duration::from_secs(1);

/// Least time between two writes of the outbox's mark: each is an fsync on the disk of the records.
pub const MQTT_MARK_LEAST: Duration = Duration::from_secs(1);

/// Time until a broker that is away is first tried again; each try in vain doubles it.
pub const MQTT_RETRY_LEAST: Duration = Duration::from_secs(1);

/// Longest time between two tries.
pub const MQTT_RETRY_MOST: Duration = Duration::from_secs(60);

/// A connection that held for so long makes up for the tries before it.
pub const MQTT_FORGIVEN: Duration = Duration::from_secs(30);

/// Longest time that a broker may take to answer a connection, or to take bytes.
pub const MQTT_CONNECT: Duration = Duration::from_secs(5);

/// A broker that acknowledges nothing for so long is left, and tried again.
pub const MQTT_ACK_PATIENCE: Duration = Duration::from_secs(20);

/// Longest time that a run which ends waits for what the broker has not acknowledged.
pub const MQTT_END: Duration = Duration::from_secs(3);

/// Longest time that it then waits for what is under way, and for the broker to take its leave.
pub const MQTT_LEAVE: Duration = Duration::from_secs(1);

/// Longest time that a run waits for its outbox, which may hang.
pub const MQTT_END_GRACE: Duration = Duration::from_secs(5);

/// Largest message that is sent, in bytes.
pub const MAX_MQTT_MESSAGE_BYTES: usize = 4096;

/// Largest packet that a broker may send, in bytes: acknowledgements have four.
pub const MAX_MQTT_INCOMING_BYTES: usize = 128;

/// Packets that are listened to between two looks; a broker that sends more waits.
pub const MAX_MQTT_HEARD: u32 = 256;

/// Messages about the box itself that wait: its presence, its state, and what discovery says.
pub const MQTT_NOTES: usize = 12;

/// Longest name of a box, a user, or what topics begin with, in bytes.
pub const MAX_MQTT_NAME_BYTES: usize = 64;

/// Longest password, in bytes.
pub const MAX_MQTT_PASSWORD_BYTES: u64 = 256;

/// Longest silence on the line in seconds, where the config says nothing.
pub const MQTT_KEEP_ALIVE_S: u16 = 30;

/// The most that the config may say.
pub const MQTT_KEEP_ALIVE_MOST_S: u16 = 3600;

/// Largest file of the outbox's mark that is read, in bytes.
pub const MAX_MQTT_MARK_BYTES: u64 = 1024;

/// Heap that the outbox takes, as `budget` reckons: the messages under way, twice, those that wait, and the connection
/// with its buffers.
pub const MQTT_HEAP_BYTES: u64 = ((2 * MQTT_WINDOW + MQTT_NOTES) * MAX_MQTT_MESSAGE_BYTES) as u64 + 128 * 1024;

/// Bytes of a thread's stack that are touched, as `budget` reckons.
pub const THREAD_STACK_BYTES: u64 = 128 * 1024;

/// Longest shorter side of a rendered smear, in pixels.
pub const MAX_SMEAR_SIDE_PX: u32 = 4096;

/// Largest flat-field file that is opened, in bytes: enough for any frame of [`MAX_CAMERA_PX`].
pub const MAX_FLAT_FIELD_BYTES: u64 = 1024 * 1024;

/// Longest side of the part of a frame that a calibration analyses, on the grid of the nets, in pixels.
pub const CALIBRATION_SIDE_PX: u32 = 144;

/// Largest model file that is opened, in bytes.
pub const MAX_MODEL_BYTES: u64 = 8 * 1024 * 1024;

/// Most nodes of a model's graph.
pub const MAX_GRAPH_NODES: usize = 4096;

/// Greatest number that may stand in a model's graph as a dimension, a stride or the like.
pub const MAX_GRAPH_DIM: i64 = 4096;

/// Most weights of a model's graph: a convolution has six, with scales and zero points.
pub const MAX_GRAPH_WEIGHTS: usize = 4 * MAX_GRAPH_NODES;

/// Most entries of a list in a model's graph: inputs of a node, its attributes, numbers of one.
pub const MAX_GRAPH_LIST: usize = 64;

/// Longest name in a model's graph, in bytes.
pub const MAX_GRAPH_NAME_BYTES: usize = 256;

/// Most multiplications of a net for a tile.
pub const MAX_NET_MACS: u64 = 16 << 30;

/// Most bytes that the tensors between a model's layers may take while it runs.
pub const MAX_ACTIVATION_BYTES: u64 = 512 * 1024 * 1024;

/// Largest manifest or config file that is opened, in bytes.
pub const MAX_TEXT_BYTES: u64 = 256 * 1024;

/// Largest bundle that is opened, in bytes: both models, their manifests, and what frames them.
pub const MAX_BUNDLE_BYTES: u64 = 2 * (MAX_MODEL_BYTES + MAX_TEXT_BYTES) + 1024;

/// Largest file of a key or a signature that is opened, in bytes.
pub const MAX_KEY_BYTES: u64 = 4096;

/// Starts of models on trial that may end without their being confirmed; at the next one they are left.
pub const MODEL_TRIAL_STARTS: u32 = 3;

/// Frames in which new models have to count cells before they are confirmed.
pub const MODEL_TRIAL_FRAMES: u32 = 20;

/// Longest time that a process waits for another one that holds the slots: an installation writes and syncs two bundles.
pub const SLOTS_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two looks whether it still does.
pub const SLOTS_LOOK: Duration = Duration::from_millis(100);

/// Edge of the square that the reference preparation resizes the high-resolution target to.
pub const REFERENCE_HR_PX: u32 = 256;

/// Edge of the square that the reference preparation resizes the low-resolution input to.
pub const REFERENCE_LR_PX: u32 = 64;

const _: () = {
    assert!(REFERENCE_HR_PX == REFERENCE_LR_PX * SCALE);
    assert!(TILE_PX.is_multiple_of(TILE_ALIGN_PX));
    assert!((TILE_PX - TILE_OVERLAP_PX).is_multiple_of(TILE_ALIGN_PX));
    assert!(TILE_RIM_PX * 2 < TILE_OVERLAP_PX);
    assert!(TILE_OVERLAP_PX * 2 <= TILE_PX);
    assert!(MAX_TILED_PX <= MAX_WHOLE_FIELD_PX);
    assert!(MAX_WHOLE_FIELD_PX * 3 <= MAX_DECODE_BYTES);
    assert!(MAX_FRAME_PX <= MAX_TILED_PX);
    assert!(MAX_KEPT_PICTURE_PX <= MAX_WHOLE_FIELD_PX);
    // One picture is analysed and one is made while the queue is full.
    assert!(FRAME_POOL_LEN >= FRAME_QUEUE_LEN + 2);
    assert!(MAX_CAMERA_PX <= MAX_WHOLE_FIELD_PX);
    // Sizes in bytes are counted in 32 bits.
    assert!(MAX_CAMERA_PX * 4 <= u32::MAX as u64);
    assert!(crate::model::bundle::FRAME_BYTES <= 1024);
    // The analysis waits for the slots, at most to confirm models and to go back from others in the same frame.
    assert!(SLOTS_PATIENCE.as_millis() * 4 <= ANALYSIS_STALL.as_millis());
    assert!(SLOTS_LOOK.as_millis() * 10 <= SLOTS_PATIENCE.as_millis());
    assert!(CAMERA_POLL.as_millis() * 10 <= CAMERA_STALL.as_millis());
    assert!(RECORDS_CACHE_KIB * 1024 * 4 <= RECORDS_HEAP_BYTES);
    assert!(RECORDS_LOG_BYTES as f64 * 2.0 <= RECORDS_LEAST_MIB * 1_048_576.0);
    assert!(RECORDS_LEAST_MIB <= RECORDS_MIB && RECORDS_MIB <= MAX_RECORDS_MIB);
    assert!(RECORDS_RETRY_LEAST.as_millis() < RECORDS_RETRY_MOST.as_millis());
    assert!(RECORDS_DAMAGED_KEPT >= 1);
    // Every start begins one run, and deletes more.
    assert!(RETENTION_STEP_RUNS > 1 && EMPTY_RUNS_KEPT >= 1);
    assert!(MAX_TABLE_FRAMES_STOPPED <= MAX_TABLE_FRAMES);
    // As long again to bring them to the disk.
    assert!(TABLES_GRACE.as_millis() * 2 <= STOP_GRACE.as_millis());
    // A frame of the longest outlines has room in SQLite's memory: a row is held there while it is written.
    assert!((MAX_OUTLINE_STEPS as u64) < RECORDS_HEAP_BYTES);
    assert!(CAMERA_POLL.as_millis() * 10 <= DOCTOR_FRAME_WAIT.as_millis());
    assert!(CAMERA_RETRY_LEAST.as_millis() < CAMERA_RETRY_MOST.as_millis());
    // One record is filled and one is written while the queue is full.
    assert!(RECORD_POOL_LEN >= RECORD_QUEUE_LEN + 2);
    // A silent camera is its own affair long before its thread is taken for lost.
    assert!(CAMERA_STALL.as_millis() * 2 <= CAPTURE_STALL.as_millis());
    assert!(LONGEST_NAP.as_millis() * 5 <= RECORDS_STALL.as_millis());
    // The run helps itself before the service manager helps it, and a pause between starts is no silence.
    assert!(ANALYSIS_STALL.as_millis() < WATCHDOG.as_millis());
    assert!(RESTART_MOST.as_millis() + LONGEST_NAP.as_millis() < WATCHDOG.as_millis());
    assert!(WATCHDOG_LEAST.as_millis() * 10 <= WATCHDOG.as_millis());
    assert!(RESTART_LEAST.as_millis() < RESTART_MOST.as_millis());
    assert!(PAGE_STREAMS * 2 <= PAGE_CONNECTIONS);
    // Whoever waits for a turn waits less than a look for a new frame lasts, twice.
    assert!(PAGE_CONNECTIONS as u128 * 1000 <= PAGE_REQUESTS_PER_S as u128 * PAGE_LOOK.as_millis() * 2);
    // The least that the connections' reader works with.
    assert!(PAGE_HEADER_BYTES >= 8192);
    assert!(PAGE_CELLS_TOLD <= PAGE_CELLS_KEPT);
    assert!(PAGE_TOKEN_LEAST < PAGE_TOKEN_MOST && PAGE_TOKEN_MOST * 4 < PAGE_HEADER_BYTES);
    assert!(PAGE_LOOK.as_millis() * 10 <= PAGE_HEARTBEAT.as_millis());
    // Who looks on is not held up for longer than it takes to notice.
    assert!(
        PAGE_LOOK.as_millis() * 2 <= PAGE_HOLD.as_millis() && PAGE_HOLD.as_millis() * 4 <= PAGE_HEARTBEAT.as_millis()
    );
    assert!(PAGE_HEARTBEAT.as_millis() < PAGE_WRITE_TIME.as_millis());
    assert!(MQTT_RETRY_LEAST.as_millis() < MQTT_RETRY_MOST.as_millis());
    assert!(MQTT_LOOK.as_millis() <= MQTT_STATE_LEAST.as_millis());
    // Numbers of packets are those of the window and one more.
    assert!(MQTT_WINDOW + 1 < u16::MAX as usize);
    // A frame and its acknowledgements are four packets, and all of a window have room between two looks.
    assert!(MQTT_WINDOW * 4 * 2 <= MAX_MQTT_HEARD as usize);
    // A run waits a little longer for the outbox than the outbox for the broker, and the service manager for both.
    assert!(MQTT_END.as_millis() + MQTT_LEAVE.as_millis() + MQTT_LOOK.as_millis() < MQTT_END_GRACE.as_millis());
    assert!(STOP_GRACE.as_millis() + MQTT_END_GRACE.as_millis() <= 20_000);
    assert!(MQTT_KEEP_ALIVE_S <= MQTT_KEEP_ALIVE_MOST_S);
    // The longest name of a frame has room in a message, even where each byte is written as six.
    assert!(6 * (MAX_RECORD_NAME_BYTES + MAX_MQTT_NAME_BYTES) + 1536 <= MAX_MQTT_MESSAGE_BYTES);
};
