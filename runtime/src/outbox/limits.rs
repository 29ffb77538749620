//! How the broker is treated.

use std::time::Duration;

/// Frames that are on their way to an MQTT broker at a time, and those that are read out of the records at a stretch.
pub const MQTT_WINDOW: usize = 16;

/// Time between two looks of the outbox into the records; with the window, it bounds how fast a backlog is sent.
pub const MQTT_LOOK: Duration = Duration::from_millis(250);

/// Least time between two messages of state.
pub const MIN_MQTT_STATE: Duration = Duration::from_secs(1);

/// Least time between two writes of the outbox's mark: each is an fsync on the disk of the records.
pub const MIN_MQTT_MARK: Duration = Duration::from_secs(1);

/// Time until a broker that is away is first tried again; each try in vain doubles it.
pub const MIN_MQTT_RETRY: Duration = Duration::from_secs(1);

/// Longest time between two tries.
pub const MAX_MQTT_RETRY: Duration = Duration::from_secs(60);

/// A connection that held for so long makes up for the tries before it.
pub const MQTT_FORGIVEN: Duration = Duration::from_secs(30);

/// Longest time that a broker may take to answer a connection, or to take bytes.
pub const MAX_MQTT_CONNECT: Duration = Duration::from_secs(5);

/// A broker that acknowledges nothing for so long is left, and tried again.
pub const MAX_MQTT_ACK_WAIT: Duration = Duration::from_secs(20);

/// Longest time that a run which ends waits for what the broker has not acknowledged.
pub const MAX_MQTT_END: Duration = Duration::from_secs(3);

/// Longest time that it then waits for what is under way, and for the broker to take its leave.
pub const MAX_MQTT_LEAVE: Duration = Duration::from_secs(1);

/// Longest time that a run waits for its outbox, which may hang.
pub const MAX_MQTT_END_GRACE: Duration = Duration::from_secs(5);

/// Largest message that is sent, in bytes.
pub const MAX_MQTT_MESSAGE_BYTES: usize = 4096;

/// Largest packet that a broker may send, in bytes: acknowledgements have four.
pub const MAX_MQTT_INCOMING_BYTES: usize = 128;

/// Packets that are listened to between two looks; a broker that sends more waits.
pub const MAX_MQTT_HEARD: u32 = 256;

/// Messages about the box itself that wait: its presence, its state, and what discovery says.
pub const MQTT_NOTES: usize = 12;

/// Largest file of the outbox's mark that is read, in bytes.
pub const MAX_MQTT_MARK_BYTES: u64 = 1024;

/// Heap that the outbox takes, as `budget` reckons: the messages under way, twice, those that wait, and the connection
/// with its buffers.
pub const MQTT_HEAP_BYTES: u64 = ((2 * MQTT_WINDOW + MQTT_NOTES) * MAX_MQTT_MESSAGE_BYTES) as u64 + 128 * 1024;

const _: () = {
    assert!(MIN_MQTT_RETRY.as_millis() < MAX_MQTT_RETRY.as_millis());
    assert!(MQTT_LOOK.as_millis() <= MIN_MQTT_STATE.as_millis());
    // Numbers of packets are those of the window and one more.
    assert!(MQTT_WINDOW + 1 < u16::MAX as usize);
    // A frame and its acknowledgements are four packets, and all of a window have room between two looks.
    assert!(MQTT_WINDOW * 4 * 2 <= MAX_MQTT_HEARD as usize);
    // A run waits a little longer for the outbox than the outbox for the broker.
    assert!(
        MAX_MQTT_END.as_millis() + MAX_MQTT_LEAVE.as_millis() + MQTT_LOOK.as_millis() < MAX_MQTT_END_GRACE.as_millis()
    );
};
