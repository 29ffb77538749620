//! Limits for communication with the broker.

use std::time::Duration;

/// Most frames in flight to an MQTT broker, and most read from the records at a time.
pub const MQTT_WINDOW: usize = 16;

/// Interval at which the outbox reads the records; together with the window, it limits the rate of a backlog.
pub const MQTT_LOOK: Duration = Duration::from_millis(250);

/// Minimum time between two state messages.
pub const MIN_MQTT_STATE: Duration = Duration::from_secs(1);

/// Minimum time between two writes of the outbox's mark: each is an fsync on the disk of the records.
pub const MIN_MQTT_MARK: Duration = Duration::from_secs(1);

/// Time until the first retry of a broker that is unreachable; each failure doubles it.
pub const MIN_MQTT_RETRY: Duration = Duration::from_secs(1);

/// Longest time between retries.
pub const MAX_MQTT_RETRY: Duration = Duration::from_secs(60);

/// A connection that lasts this long resets the back-off.
pub const MQTT_FORGIVEN: Duration = Duration::from_secs(30);

/// Longest time for a broker to answer a connection, or to accept bytes.
pub const MAX_MQTT_CONNECT: Duration = Duration::from_secs(5);

/// A broker that acknowledges nothing for this long is disconnected and retried.
pub const MAX_MQTT_ACK_WAIT: Duration = Duration::from_secs(20);

/// Longest time that the end of a run waits for acknowledgements.
pub const MAX_MQTT_END: Duration = Duration::from_secs(3);

/// Longest time that it then waits for messages in flight, and for the broker to disconnect.
pub const MAX_MQTT_LEAVE: Duration = Duration::from_secs(1);

/// Longest time that a run waits for its outbox, which may hang.
pub const MAX_MQTT_END_GRACE: Duration = Duration::from_secs(5);

/// Largest message that is sent, in bytes.
pub const MAX_MQTT_MESSAGE_BYTES: usize = 4096;

/// Largest packet accepted from a broker, in bytes: acknowledgements have four.
pub const MAX_MQTT_INCOMING_BYTES: usize = 128;

/// Packets received between two reads of the records; a broker that sends more has to wait.
pub const MAX_MQTT_HEARD: u32 = 256;

/// Queued messages about the box itself: its presence, its state, and discovery.
pub const MQTT_NOTES: usize = 12;

/// Largest mark file that is read, in bytes.
pub const MAX_MQTT_MARK_BYTES: u64 = 1024;

/// Heap of the outbox for `budget`: the messages in flight, twice, the queued ones, and the connection with its buffers.
pub const MQTT_HEAP_BYTES: u64 = ((2 * MQTT_WINDOW + MQTT_NOTES) * MAX_MQTT_MESSAGE_BYTES) as u64 + 128 * 1024;

const _: () = {
    assert!(MIN_MQTT_RETRY.as_millis() < MAX_MQTT_RETRY.as_millis());
    assert!(MQTT_LOOK.as_millis() <= MIN_MQTT_STATE.as_millis());
    // Packet ids are those of the window and one more.
    assert!(MQTT_WINDOW + 1 < u16::MAX as usize);
    // A frame and its acknowledgements are four packets, and those of a whole window fit between two reads.
    assert!(MQTT_WINDOW * 4 * 2 <= MAX_MQTT_HEARD as usize);
    // A run waits slightly longer for the outbox than the outbox for the broker.
    assert!(
        MAX_MQTT_END.as_millis() + MAX_MQTT_LEAVE.as_millis() + MQTT_LOOK.as_millis() < MAX_MQTT_END_GRACE.as_millis()
    );
};
