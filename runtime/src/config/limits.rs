//! Defaults and limits of the config.

/// Default limit in MiB for pictures of camera runs in a folder.
pub const DEFAULT_PICTURES_MIB: f64 = 256.0;

/// Default port of the page.
pub const DEFAULT_PAGE_PORT: u16 = 8571;

/// Number of ports tried from [`DEFAULT_PAGE_PORT`] on by default, because other runs have pages too.
pub const MAX_PAGE_PORTS: u16 = 8;

/// Minimum length of a token.
pub const MIN_PAGE_TOKEN_LEN: usize = 16;

/// Maximum length of a token.
pub const MAX_PAGE_TOKEN_LEN: usize = 128;

/// Longest name of a box, a user, or a topic prefix, in bytes.
pub const MAX_MQTT_NAME_BYTES: usize = 64;

/// Longest password, in bytes.
pub const MAX_MQTT_PASSWORD_BYTES: u64 = 256;

/// Default keep-alive in seconds.
pub const DEFAULT_MQTT_KEEP_ALIVE_S: u16 = 30;

/// Greatest keep-alive in seconds.
pub const MAX_MQTT_KEEP_ALIVE_S: u16 = 3600;

/// Longest name of a source, in bytes: it becomes the name of a folder and of MQTT topics.
pub const MAX_SOURCE_NAME_BYTES: usize = 64;

/// Most control slides of a box.
pub const MAX_CONTROL_SLIDES: usize = 32;

const _: () = {
    assert!(MIN_PAGE_TOKEN_LEN < MAX_PAGE_TOKEN_LEN);
    assert!(DEFAULT_MQTT_KEEP_ALIVE_S <= MAX_MQTT_KEEP_ALIVE_S);
};
