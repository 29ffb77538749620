//! Relations between limits of different parts, checked at compile time.

use bloodseg_bundles::limits::MAX_SLOTS_WAIT;
use bloodseg_records::limits::{MAX_RECORD_NAME_BYTES, MAX_TABLES_TIME};
use bloodseg_vision::frame::limits::FRAME_POOL_LEN;

use crate::{
    camera::limits::{CAMERA_POLL, CAMERA_STALL},
    config::limits::{MAX_MQTT_NAME_BYTES, MAX_PAGE_TOKEN_LEN},
    doctor::limits::MAX_FRAME_WAIT,
    outbox::limits::{MAX_MQTT_END_GRACE, MAX_MQTT_MESSAGE_BYTES},
    page::limits::MAX_PAGE_HEADER_BYTES,
    run::limits::{ANALYSIS_STALL, CAPTURE_STALL, FRAME_QUEUE_LEN, MAX_STOP_TIME},
};

const _: () = {
    // One picture is analysed and one is filled while the queue is full.
    assert!(FRAME_POOL_LEN >= FRAME_QUEUE_LEN + 2);
    // The analysis waits for the slots at most to confirm models and to roll back from others in the same frame.
    assert!(MAX_SLOTS_WAIT.as_millis() * 4 <= ANALYSIS_STALL.as_millis());
    // As long again to sync the tables.
    assert!(MAX_TABLES_TIME.as_millis() * 2 <= MAX_STOP_TIME.as_millis());
    assert!(CAMERA_POLL.as_millis() * 10 <= MAX_FRAME_WAIT.as_millis());
    // A silent camera is handled long before its thread counts as lost.
    assert!(CAMERA_STALL.as_millis() * 2 <= CAPTURE_STALL.as_millis());
    // A token fits into the headers of a request.
    assert!(MAX_PAGE_TOKEN_LEN * 4 < MAX_PAGE_HEADER_BYTES);
    // The service manager waits for the run and for its outbox.
    assert!(MAX_STOP_TIME.as_millis() + MAX_MQTT_END_GRACE.as_millis() <= 20_000);
    // The longest frame name fits into a message, even if each byte is escaped as six.
    assert!(6 * (MAX_RECORD_NAME_BYTES + MAX_MQTT_NAME_BYTES) + 1536 <= MAX_MQTT_MESSAGE_BYTES);
};
