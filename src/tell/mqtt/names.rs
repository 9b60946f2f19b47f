//! Names that go out into topics and payloads: who this device is, and which names can be used at all.

use std::net::Ipv6Addr;

use sha2::{Digest as _, Sha256};

use super::MqttOptions;

/// Where systems keep the number that is theirs alone (machine-id(5)).
const MACHINE_ID_FILES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// Which: its key among the settings.
    pub field: &'static str,
    /// What it may be.
    pub allowed: &'static str,
}

impl core::fmt::Display for NameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} is not allowed; allowed: {}", self.field, self.allowed)
    }
}

impl core::error::Error for NameError {}

/// Longest name of a host (RFC 1035, 2.3.4).
const MAX_HOST_BYTES: usize = 253;
const TOPICS: &str =
    "1 to 64 bytes, levels divided by /, none of them empty, without + and #, not beginning with $";

/// Every name that cannot be used.
pub(super) fn wrong(options: &MqttOptions) -> Vec<NameError> {
    let user = options.user.as_deref().is_none_or(|user| is_plain(user, 128));
    let names = [
        (
            "mqtt.broker",
            is_host(&options.host),
            "a host name or an address alone; the rest is mqtt.port and mqtt.tls",
        ),
        ("mqtt.id", is_id(&options.id), "1 to 32 of a-z, A-Z, 0-9, _ and -"),
        (
            "mqtt.name",
            is_plain(&options.name, 64),
            "1 to 64 bytes without control characters, no space at either end",
        ),
        ("mqtt.topic", is_topic(&options.topic), TOPICS),
        ("mqtt.discovery", is_topic(&options.discovery), TOPICS),
        ("mqtt.user", user, "1 to 128 bytes without control characters, no space at either end"),
    ];
    let wrong = names.into_iter().filter(|(_, holds, _)| !holds);
    wrong.map(|(field, _, allowed)| NameError { field, allowed }).collect()
}

fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}

/// A name that messages can be published below (MQTT 3.1.1, 4.7).
fn is_topic(text: &str) -> bool {
    is_plain(text, 64)
        && !text.contains(['+', '#'])
        && !text.starts_with('$')
        && text.split('/').all(|level| !level.is_empty())
}

/// With a colon only IPv6 has, no port.
fn is_host(text: &str) -> bool {
    is_plain(text, MAX_HOST_BYTES)
        && !text.contains([' ', '/', '@'])
        && (!text.contains(':') || text.parse::<Ipv6Addr>().is_ok())
}

fn is_id(text: &str) -> bool {
    is_plain(text, 32) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// An id for this device made from the machine's: always the same, and telling nobody the machine's, as machine-id(5)
/// asks for.
#[must_use]
pub fn id_of_machine(machine_id: &str) -> String {
    let hash = Sha256::new().chain_update("harmonynet device ").chain_update(machine_id.trim()).finalize();
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// This machine's id, where it has one.
#[must_use]
pub fn machine_id() -> Option<String> {
    MACHINE_ID_FILES.iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        (text.trim().len() == 32).then(|| text.trim().to_string())
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::Tls;
    use super::*;

    pub(in super::super) fn options() -> MqttOptions {
        MqttOptions {
            host: "127.0.0.1".into(),
            port: 1883,
            tls: Tls::Off,
            user: None,
            password: None,
            id: "kitchen".into(),
            name: "Kitchen".into(),
            topic: "harmonynet".into(),
            discovery: "homeassistant".into(),
            every: Duration::from_secs(10),
            retry: Duration::from_millis(100),
        }
    }

    /// A change of one name.
    type Set = fn(&mut MqttOptions, &str);

    #[test]
    fn names_that_would_break_topics_are_refused() {
        assert_eq!(wrong(&options()), []);
        assert_eq!(wrong(&MqttOptions { host: "fe80::1".into(), ..options() }), []);
        let cases: &[(&str, Set, &[&str])] = &[
            (
                "mqtt.broker",
                |o, t| o.host = t.into(),
                &["", "a b", "mqtt://x", "u@x", "x:1883", "[::1]", "x\n"],
            ),
            (
                "mqtt.id",
                |o, t| o.id = t.into(),
                &["", "a/b", "ä", "x y", "+", "012345678901234567890123456789012"],
            ),
            ("mqtt.name", |o, t| o.name = t.into(), &["", "a\u{7}", " a"]),
            ("mqtt.topic", |o, t| o.topic = t.into(), &["", "/a", "a/", "a//b", "a/#", "+/a", "$SYS", "a\0"]),
            ("mqtt.discovery", |o, t| o.discovery = t.into(), &["", "#"]),
            ("mqtt.user", |o, t| o.user = Some(t.into()), &["", "a\n"]),
        ];
        for (field, set, texts) in cases {
            for text in *texts {
                let mut options = options();
                set(&mut options, text);
                let fields: Vec<&str> = wrong(&options).iter().map(|error| error.field).collect();
                assert_eq!(fields, [*field], "{text:?}");
            }
        }
    }

    #[test]
    fn an_id_is_stable_and_says_nothing_of_the_machine() {
        let id = id_of_machine("0123456789abcdef0123456789abcdef\n");
        assert_eq!(id, "fb6f210a76fe");
        assert_ne!(id, id_of_machine("0123456789abcdef0123456789abcdee"));
    }
}
