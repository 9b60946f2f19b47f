//! What makes Home Assistant know the device and its sensors: one retained message per sensor ("MQTT discovery" in its
//! documentation). Ids never change; every text is JSON, so that no name can break out of it.

use serde_json::{Value, json};

use super::{MqttOptions, Topics};
use crate::flow::Labels;
use crate::tell::schema::Condition;

/// Topics and payloads of all sensors.
pub(super) fn sensors(options: &MqttOptions, topics: &Topics, labels: &Labels) -> Vec<(String, String)> {
    let genres: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
    let states: Vec<&str> =
        [Condition::Listening, Condition::Silence, Condition::Unsure, Condition::Genre, Condition::Fault]
            .map(Condition::name)
            .to_vec();
    [
        (
            "sensor",
            "genre",
            json!({ "name": "Genre", "icon": "mdi:music", "device_class": "enum", "options": genres }),
        ),
        (
            "sensor",
            "state",
            json!({ "name": "State", "icon": "mdi:ear-hearing", "device_class": "enum", "options": states }),
        ),
        (
            "sensor",
            "confidence",
            json!({ "name": "Confidence", "icon": "mdi:percent", "unit_of_measurement": "%",
                "state_class": "measurement" }),
        ),
        (
            "sensor",
            "level",
            json!({ "name": "Level", "icon": "mdi:volume-high", "unit_of_measurement": "dBFS",
                "state_class": "measurement", "entity_category": "diagnostic" }),
        ),
        (
            "binary_sensor",
            "problem",
            json!({ "name": "Problem", "device_class": "problem", "entity_category": "diagnostic",
                "json_attributes_topic": topics.state,
                "json_attributes_template":
                    "{{ {'fault': value_json.fault, 'mend': value_json.mend} | tojson }}" }),
        ),
    ]
    .into_iter()
    .map(|(kind, key, about)| {
        let topic = format!("{}/{kind}/harmonynet_{}/{key}/config", options.discovery, options.id);
        (topic, sensor(options, topics, key, about).to_string())
    })
    .collect()
}

/// A sensor with what all of them have.
fn sensor(options: &MqttOptions, topics: &Topics, key: &str, about: Value) -> Value {
    let mut sensor = json!({
        "unique_id": format!("harmonynet_{}_{key}", options.id),
        "state_topic": topics.state,
        // What is null becomes None, which is "unknown" there.
        "value_template": format!("{{{{ value_json.{key} }}}}"),
        "availability_topic": topics.status,
        "device": {
            "identifiers": [format!("harmonynet_{}", options.id)],
            "name": options.name,
            "manufacturer": "harmonynet",
            "model": "Listens to music and tells the genre",
            "sw_version": env!("CARGO_PKG_VERSION"),
        },
        "origin": { "name": "harmonynet", "sw_version": env!("CARGO_PKG_VERSION") },
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut sensor, about) {
        all.extend(own);
    }
    sensor
}

#[cfg(test)]
mod tests {
    use super::super::names::tests::options;
    use super::*;

    #[test]
    fn every_sensor_has_an_id_of_its_own_and_no_name_breaks_out() {
        let mut options = options();
        options.name = "Tom's \"den\" {{ 1 }}".into();
        let topics = Topics { status: "h/kitchen/status".into(), state: "h/kitchen/state".into() };
        let labels = ["jazz", "r\"b"].into_iter().map(|label| label.try_into().unwrap()).collect();
        let sensors = sensors(&options, &topics, &labels);
        let mut ids = Vec::new();
        for (topic, payload) in &sensors {
            let value: Value = serde_json::from_str(payload).unwrap();
            assert_eq!(value["device"]["name"], options.name.as_str());
            assert_eq!(value["device"]["identifiers"][0], "harmonynet_kitchen");
            assert_eq!(
                (&value["state_topic"], &value["availability_topic"]),
                (&json!("h/kitchen/state"), &json!("h/kitchen/status"))
            );
            let id = value["unique_id"].as_str().unwrap().to_string();
            let key = id.strip_prefix("harmonynet_kitchen_").unwrap();
            assert_eq!(value["value_template"], format!("{{{{ value_json.{key} }}}}"));
            assert!(topic.ends_with(&format!("/harmonynet_kitchen/{key}/config")), "{topic}");
            assert!(!ids.contains(&id));
            ids.push(id);
        }
        assert_eq!(ids.len(), 5);
        let genre: Value = serde_json::from_str(&sensors[0].1).unwrap();
        assert_eq!(genre["options"], json!(["jazz", "r\"b"]));
    }
}
