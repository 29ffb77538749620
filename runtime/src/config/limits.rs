//! Defaults and bounds of what the config may say.

/// MiB of pictures in a folder that a camera's runs leave where the config says nothing.
pub const DEFAULT_PICTURES_MIB: f64 = 256.0;

/// Port of the page where nobody says another.
pub const DEFAULT_PAGE_PORT: u16 = 8571;

/// So many ports from [`DEFAULT_PAGE_PORT`] on are tried where nobody says one: other runs have pages too.
pub const MAX_PAGE_PORTS: u16 = 8;

/// Least length of a token.
pub const MIN_PAGE_TOKEN_LEN: usize = 16;

/// Greatest length of a token.
pub const MAX_PAGE_TOKEN_LEN: usize = 128;

/// Longest name of a box, a user, or what topics begin with, in bytes.
pub const MAX_MQTT_NAME_BYTES: usize = 64;

/// Longest password, in bytes.
pub const MAX_MQTT_PASSWORD_BYTES: u64 = 256;

/// Longest silence on the line in seconds, where the config says nothing.
pub const DEFAULT_MQTT_KEEP_ALIVE_S: u16 = 30;

/// The most that the config may say.
pub const MAX_MQTT_KEEP_ALIVE_S: u16 = 3600;

/// Longest name of a source, in bytes: it becomes the name of a folder and of MQTT topics.
pub const MAX_SOURCE_NAME_BYTES: usize = 64;

const _: () = {
    assert!(MIN_PAGE_TOKEN_LEN < MAX_PAGE_TOKEN_LEN);
    assert!(DEFAULT_MQTT_KEEP_ALIVE_S <= MAX_MQTT_KEEP_ALIVE_S);
};
