//! Access to the broker, from the config: the name of the box, the password, the topics.

use std::{fmt, time::Duration};

use super::topics::Topics;
use crate::{
    config::{
        limits::{MAX_MQTT_NAME_BYTES, MAX_MQTT_PASSWORD_BYTES},
        mqtt::{MqttSection, is_box_name},
        secret_file,
    },
    error::{Error, Result},
    host,
};

/// How to connect to the broker.
#[derive(Debug, Clone)]
pub struct Access {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Client id: the same for every run of the box, so that the session is resumed.
    pub client_id: String,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// Keep-alive.
    pub keep_alive: Duration,
    /// The topics of messages.
    pub topics: Topics,
}

/// A text that is never printed or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Access {
    /// The access from `section`; `None` if MQTT is off.
    ///
    /// # Errors
    /// [`Error::Config`] if the password cannot be read, or the box has no valid name.
    pub fn of(section: &MqttSection) -> Result<Option<Self>> {
        let Some((host, port)) = section.address() else { return Ok(None) };
        let name = match &section.box_name {
            Some(name) => name.clone(),
            None => host_name().ok_or_else(|| fault("box", "the machine has no host name", "Set mqtt.box"))?,
        };
        let login = match (&section.user, &section.password_file) {
            (Some(user), Some(file)) => {
                let password = secret_file::read(file, "mqtt.password_file", "password", MAX_MQTT_PASSWORD_BYTES)?;
                Some((user.clone(), Secret(password)))
            }
            (Some(user), None) => Some((user.clone(), Secret(String::new()))),
            (None, _) => None,
        };
        Ok(Some(Self {
            host: host.to_owned(),
            port,
            client_id: format!("bloodseg-{name}"),
            login,
            keep_alive: Duration::from_secs(section.keep_alive_s.into()),
            topics: Topics::new(&section.topic, &name, section.discovery()),
        }))
    }
}

fn fault(key: &str, found: &str, todo: &str) -> Error {
    Error::config(format!("mqtt.{key}"), found, todo)
}

/// The host name, with a dash for characters that a box name may not have.
fn host_name() -> Option<String> {
    as_box_name(&host::name()?)
}

fn as_box_name(name: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    Some(name.chars().take(MAX_MQTT_NAME_BYTES).map(plain).collect()).filter(|name: &String| is_box_name(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn section() -> MqttSection {
        MqttSection { broker: Some("a:1883".into()), user: Some("u".into()), ..MqttSection::default() }
    }

    #[test]
    fn no_access_without_broker() {
        assert!(Access::of(&MqttSection::default()).unwrap().is_none());
    }

    #[test]
    fn host_name_is_converted_to_valid_box_name() {
        let access = Access::of(&section()).unwrap().unwrap();
        assert!(is_box_name(access.client_id.strip_prefix("bloodseg-").unwrap()), "{access:?}");
        assert_eq!(as_box_name("lab.2 b\u{e9}nch").as_deref(), Some("lab-2-b-nch"));
        assert_eq!(as_box_name(""), None);
        assert_eq!(as_box_name(&"a".repeat(300)).map(|name| name.len()), Some(MAX_MQTT_NAME_BYTES));
    }

    #[test]
    fn password_is_one_line_of_a_file_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        let section = MqttSection { password_file: Some(file.clone()), ..section() };
        for (bytes, wanted) in
            [(&b"s3cret \n"[..], Some("s3cret ")), (b"s3cret", Some("s3cret")), (b"a\r\n", Some("a"))]
        {
            std::fs::write(&file, bytes).unwrap();
            let access = Access::of(&section).unwrap().unwrap();
            assert_eq!(access.login.as_ref().map(|(_, secret)| secret.reveal()), wanted);
            assert!(!format!("{access:?}").contains("s3cret"));
        }
        for bytes in [&b""[..], b"\n", b"a\nb\n", b"\xff", &[b'a'; 300]] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(Access::of(&section).unwrap_err().exit_code(), 6);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(Access::of(&section).unwrap_err().exit_code(), 6);
        std::fs::create_dir(&file).unwrap();
        assert_eq!(Access::of(&section).unwrap_err().exit_code(), 6);
    }
}
