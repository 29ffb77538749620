//! Checks what a run needs to connect to its broker: the name of the box, the password. Does not contact the broker.

use super::Finding;
use crate::{config::mqtt::MqttSection, outbox::access::Access};

/// Runs the check.
pub fn check(section: &MqttSection) -> Finding {
    match Access::of(section) {
        Ok(None) => Finding::skipped("mqtt", "off: no broker in the config", ""),
        Ok(Some(Access { topics, host, port, login, .. })) => {
            let user = login.map_or_else(|| "without a user".to_owned(), |(user, _)| format!("as user {user}"));
            let found = format!("{} at {host}:{port}, {user}; the connection is not tested", topics.box_name);
            Finding::ok("mqtt", found)
        }
        Err(error) => Finding::fault("mqtt", &error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn missing_password_is_a_fault_and_passwords_are_not_shown() {
        assert_eq!(check(&MqttSection::default()).outcome, Outcome::Skipped);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mqtt.password");
        let section = MqttSection {
            broker: Some("lab:1883".into()),
            box_name: Some("bench-2".into()),
            user: Some("u".into()),
            password_file: Some(file.clone()),
            ..MqttSection::default()
        };
        let finding = check(&section);
        assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 6));
        assert!(finding.found.contains("mqtt.password") && finding.todo.contains("one line"), "{finding:?}");
        std::fs::write(&file, "s3cret\n").unwrap();
        let finding = check(&section);
        assert_eq!(finding.outcome, Outcome::Ok);
        assert!(finding.found.contains("bench-2 at lab:1883") && !finding.found.contains("s3cret"), "{finding:?}");
    }
}
