//! Discovery messages for Home Assistant, which then shows the box without configuration: one retained message per
//! sensor.

use serde_json::{Map, Value, json};

use super::topics::Topics;

/// A value of the state, as Home Assistant shows it.
struct Sensor {
    /// Its key in the state message.
    key: &'static str,
    name: &'static str,
    icon: &'static str,
    unit: Option<&'static str>,
    /// Whether it concerns the box rather than the specimen.
    diagnostic: bool,
}

const SENSORS: [Sensor; 10] = [
    Sensor { key: "cells", name: "Cells per frame", icon: "mdi:blood-bag", unit: Some("cells"), diagnostic: false },
    // Unknown there if the models report no kinds.
    Sensor { key: "red", name: "Red cells per frame", icon: "mdi:blood-bag", unit: Some("cells"), diagnostic: false },
    Sensor {
        key: "white",
        name: "White cells per frame",
        icon: "mdi:shield-outline",
        unit: Some("cells"),
        diagnostic: false,
    },
    Sensor {
        key: "platelets",
        name: "Platelets per frame",
        icon: "mdi:dots-hexagon",
        unit: Some("platelets"),
        diagnostic: false,
    },
    Sensor {
        key: "mean_diameter_um",
        name: "Mean cell diameter",
        icon: "mdi:diameter-outline",
        unit: Some("\u{b5}m"),
        diagnostic: false,
    },
    Sensor {
        key: "cells_per_field",
        name: "Cells per field of the sample",
        icon: "mdi:counter",
        unit: Some("cells"),
        diagnostic: false,
    },
    Sensor { key: "drifted", name: "Figures that drifted", icon: "mdi:chart-line", unit: None, diagnostic: true },
    Sensor { key: "verdict", name: "Frame quality", icon: "mdi:image-check", unit: None, diagnostic: false },
    Sensor { key: "state", name: "Run state", icon: "mdi:state-machine", unit: None, diagnostic: true },
    Sensor {
        key: "unsent",
        name: "Frames not sent yet",
        icon: "mdi:tray-full",
        unit: Some("frames"),
        diagnostic: true,
    },
];

/// Topics and payloads of the messages; empty if discovery is off.
pub(super) fn messages(topics: &Topics) -> Vec<(String, String)> {
    let Some(prefix) = &topics.discovery else { return Vec::new() };
    SENSORS
        .iter()
        .map(|sensor| {
            let box_name = &topics.box_name;
            (format!("{prefix}/sensor/bloodseg_{box_name}/{}/config", sensor.key), text(topics, sensor))
        })
        .collect()
}

fn text(topics: &Topics, sensor: &Sensor) -> String {
    let id = format!("bloodseg_{}", topics.box_name);
    let mut config = Map::new();
    let mut put = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    put("name", sensor.name.into());
    put("unique_id", format!("{id}_{}", sensor.key).into());
    put("state_topic", topics.state.as_str().into());
    // A null is `None` there: for sensors with a unit, Home Assistant expects a number and shows it as unknown.
    put("value_template", format!("{{{{ value_json.{} }}}}", sensor.key).into());
    put("availability_topic", topics.availability.as_str().into());
    put("icon", sensor.icon.into());
    if let Some(unit) = sensor.unit {
        put("unit_of_measurement", unit.into());
        put("state_class", "measurement".into());
    }
    if sensor.diagnostic {
        put("entity_category", "diagnostic".into());
    }
    let device = json!({
        "identifiers": [id],
        "name": format!("Blood cell counter {}", topics.box_name),
        "manufacturer": "bloodseg",
        "model": "bloodseg run",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    put("device", device);
    put("origin", json!({"name": "bloodseg", "sw_version": env!("CARGO_PKG_VERSION")}));
    Value::Object(config).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{
        config::{limits::MAX_MQTT_NAME_BYTES, mqtt::MqttSection},
        outbox::limits::{MAX_MQTT_MESSAGE_BYTES, MQTT_NOTES},
    };

    #[test]
    fn every_sensor_message_names_device_value_and_availability() {
        let section = MqttSection::default();
        let messages = messages(&Topics::new(&section.topic, "b-1", section.discovery()));
        // Presence and state are notes too.
        assert!(messages.len() + 2 <= MQTT_NOTES);
        let mut ids = std::collections::BTreeSet::new();
        for (topic, text) in &messages {
            let config: Value = serde_json::from_str(text).unwrap();
            assert!(topic.starts_with("homeassistant/sensor/bloodseg_b-1/") && topic.ends_with("/config"), "{topic}");
            assert_eq!(config["state_topic"], "bloodseg/b-1/state");
            assert_eq!(config["availability_topic"], "bloodseg/b-1/availability");
            assert_eq!(config["device"]["identifiers"][0], "bloodseg_b-1");
            let template = config["value_template"].as_str().unwrap();
            let key = template.strip_prefix("{{ value_json.").and_then(|rest| rest.strip_suffix(" }}")).unwrap();
            // Numbers that may be null.
            let numbers = ["cells", "red", "white", "platelets", "mean_diameter_um", "cells_per_field", "unsent"];
            let number = numbers.contains(&key);
            assert_eq!(
                (config["unit_of_measurement"].is_string(), config["state_class"] == "measurement"),
                (number, number)
            );
            assert!(ids.insert(config["unique_id"].to_string()));
        }
    }

    #[test]
    fn no_messages_without_discovery_and_longest_names_fit() {
        assert!(messages(&Topics::new("bloodseg", "b", None)).is_empty());
        let long = "a".repeat(MAX_MQTT_NAME_BYTES);
        for (_, text) in messages(&Topics::new(&long, &long, Some(&long))) {
            assert!(text.len() <= MAX_MQTT_MESSAGE_BYTES);
        }
    }
}
