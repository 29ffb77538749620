//! `[mqtt]`: where frames and the state of the box are published (docs/mqtt.md).

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::limits::{DEFAULT_MQTT_KEEP_ALIVE_S, MAX_MQTT_KEEP_ALIVE_S, MAX_MQTT_NAME_BYTES};

/// Value of `discovery` that disables it.
const OFF: &str = "off";

/// The broker, and the name of the box.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MqttSection {
    /// `HOST:PORT`; nothing is published if `None`.
    pub broker: Option<String>,
    /// Name of the box; the host name by default.
    #[serde(rename = "box")]
    pub box_name: Option<String>,
    /// User name at the broker.
    pub user: Option<String>,
    /// File that contains only the password.
    pub password_file: Option<PathBuf>,
    /// Topic prefix, before the name of the box.
    pub topic: String,
    /// Topic prefix of Home Assistant's discovery, or `off`.
    pub discovery: String,
    /// Keep-alive.
    pub keep_alive_s: u16,
}

impl Default for MqttSection {
    fn default() -> Self {
        Self {
            broker: None,
            box_name: None,
            user: None,
            password_file: None,
            topic: "bloodseg".into(),
            discovery: "homeassistant".into(),
            keep_alive_s: DEFAULT_MQTT_KEEP_ALIVE_S,
        }
    }
}

impl MqttSection {
    /// Host and port of the broker; `None` if it is off or invalid.
    pub fn address(&self) -> Option<(&str, u16)> {
        let (host, port) = self.broker.as_deref()?.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/@?#".contains(&byte));
        // IPv6 addresses are in brackets.
        let bracketed = host.starts_with('[') && host.ends_with(']');
        (plain && host.len() <= 255 && (bracketed || !host.contains(':'))).then_some((host, port))
    }

    /// Topic prefix of discovery, if enabled.
    pub fn discovery(&self) -> Option<&str> {
        (self.discovery != OFF).then_some(self.discovery.as_str())
    }

    /// A fault that the types do not exclude.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(broker) = self.broker.as_ref().filter(|_| self.address().is_none()) {
            return Some(format!("mqtt.broker = \"{broker}\", expected HOST:PORT, like 192.168.1.10:1883"));
        }
        if let Some(name) = self.box_name.as_ref().filter(|name| !is_box_name(name)) {
            return Some(format!(
                "mqtt.box = \"{name}\", expected letters, digits, - and _, {MAX_MQTT_NAME_BYTES} at most"
            ));
        }
        for (key, value) in [("topic", &self.topic), ("discovery", &self.discovery)] {
            if !is_topic(value) {
                return Some(format!(
                    "mqtt.{key} = \"{value}\", expected words between slashes, {MAX_MQTT_NAME_BYTES} bytes at most"
                ));
            }
        }
        if self.password_file.is_some() && self.user.is_none() {
            return Some("mqtt.password_file without mqtt.user".into());
        }
        if self.user.as_ref().is_some_and(|user| user.is_empty() || user.len() > MAX_MQTT_NAME_BYTES) {
            return Some(format!("mqtt.user is empty, or longer than {MAX_MQTT_NAME_BYTES} bytes"));
        }
        (!(1..=MAX_MQTT_KEEP_ALIVE_S).contains(&self.keep_alive_s))
            .then(|| format!("mqtt.keep_alive_s = {}, expected 1 to {MAX_MQTT_KEEP_ALIVE_S}", self.keep_alive_s))
    }
}

/// Whether a box may have this name: what Home Assistant accepts as a device name.
pub fn is_box_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_MQTT_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// Words between slashes, without wildcards and the broker's own (`$SYS`).
fn is_topic(topic: &str) -> bool {
    let word = |word: &str| !word.is_empty() && !word.contains(|c: char| "+#$\"\\".contains(c) || c.is_control());
    topic.len() <= MAX_MQTT_NAME_BYTES && topic.split('/').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(text: &str) -> MqttSection {
        MqttSection { broker: Some(text.into()), ..MqttSection::default() }
    }

    #[test]
    fn broker_address_is_host_and_port() {
        for (text, host, port) in
            [("a:1883", "a", 1883), ("192.168.1.10:1", "192.168.1.10", 1), ("[fe80::1]:1883", "[fe80::1]", 1883)]
        {
            assert_eq!(broker(text).address(), Some((host, port)), "{text}");
            assert_eq!(broker(text).fault(), None);
        }
        for text in ["", "a", "a:", ":1883", "a:0", "a:70000", "a b:1", "mqtt://a:1883", "fe80::1:1883", "a\u{e9}:1"] {
            assert_eq!(broker(text).address(), None, "{text}");
            assert!(broker(text).fault().is_some(), "{text}");
        }
        assert_eq!(MqttSection::default().address(), None);
    }

    #[test]
    fn unsafe_names_and_topics_are_refused() {
        let long = "a".repeat(MAX_MQTT_NAME_BYTES + 1);
        for name in ["", "a/b", "a b", "a+", "#", "\u{e9}", &long] {
            assert!(!is_box_name(name), "{name}");
        }
        for topic in ["", "/a", "a/", "a//b", "a/+", "#", "$SYS", "a\"b", "a\nb", &long] {
            assert!(!is_topic(topic), "{topic}");
        }
        assert!(is_box_name("bench-2_left") && is_topic("lab/blood seg"));
    }
}
