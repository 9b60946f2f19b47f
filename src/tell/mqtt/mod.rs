//! MQTT for Home Assistant: one device with its sensors, told to a broker.
//!
//! ```text
//! <topic>/<id>/status     online, or offline by the last will; retained
//! <topic>/<id>/state      one JSON object; retained
//! <discovery>/…/config    what the sensors are, once per connection; retained
//! ```
//! What was last believed is told at every change at once, and else so often as asked. A broker that is away loses
//! messages, counted; when it is back it gets the sensors and the newest state. Nothing is subscribed to: nothing that a
//! broker says has any effect.

mod discovery;
mod link;
mod names;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use self::link::Link;
pub use self::names::{NameError, id_of_machine, machine_id};
use super::schema::{Condition, Verdict};
use super::vitals::Vitals;
use crate::flow::{Fault, Labels, SampleIndex};
use crate::spec::SAMPLE_RATE_HZ;

/// Most bytes of a password, or of a file with one.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// Notes that wait to be told to a person.
const NOTES: usize = 8;

/// Which broker, and as whom.
#[derive(Clone, Debug)]
pub struct MqttOptions {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether, and by which certificates, the connection is secured.
    pub tls: Tls,
    /// Who logs in.
    pub user: Option<String>,
    /// With which password.
    pub password: Option<Password>,
    /// This device among others: 1 to 32 of `a–z A–Z 0–9 _ -`. Must never change, or Home Assistant sees another device.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// First part of its topics.
    pub topic: String,
    /// First part of the topics in which Home Assistant looks for devices.
    pub discovery: String,
    /// Between two messages while nothing changes but numbers.
    pub every: Duration,
    /// Wait before the first attempt to connect again; doubled after each failure up to a minute.
    pub retry: Duration,
}

impl MqttOptions {
    /// Every name that cannot be used, in the order of the settings.
    #[must_use]
    pub fn wrong_names(&self) -> Vec<NameError> {
        names::wrong(self)
    }
}

/// How a connection is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Off,
    /// By the certificates that the system trusts.
    System,
    /// By these certificates alone, in PEM.
    Certificates(Vec<u8>),
}

/// A password, which no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// The password in a file's content: without the line feed at its end. `None` where it is empty or longer than
    /// [`MAX_PASSWORD_BYTES`].
    #[must_use]
    pub fn of_file(content: &[u8]) -> Option<Self> {
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        (1..=MAX_PASSWORD_BYTES).contains(&content.len()).then(|| Self(content.to_vec()))
    }
}

impl core::fmt::Debug for Password {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Password")
    }
}

/// Why no broker is told anything.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MqttError {
    /// A name cannot be used.
    Name(NameError),
    /// There is a password but no user.
    PasswordWithoutUser,
    /// The certificates cannot be used.
    Certificates(String),
    /// The system has no thread or descriptor.
    System(std::io::ErrorKind),
}

impl core::fmt::Display for MqttError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::PasswordWithoutUser => f.write_str("there is a password but no user; set mqtt.user"),
            Self::Certificates(why) => {
                write!(
                    f,
                    "the certificates cannot be used ({why}); mqtt.ca_file wants a CA certificate in PEM"
                )
            }
            Self::System(kind) => write!(f, "{kind}"),
        }
    }
}

impl core::error::Error for MqttError {}

/// Tells a broker. Nothing here waits.
#[derive(Debug)]
pub(super) struct Mqtt {
    link: Link,
    vitals: Arc<Vitals>,
    topics: Topics,
    /// What makes Home Assistant know the sensors: topics and payloads.
    sensors: Vec<(String, String)>,
    /// Samples between two messages while nothing changes but numbers.
    every: u64,
    last: Option<Told>,
    notes: Receiver<String>,
}

#[derive(Debug)]
struct Told {
    verdict: Verdict,
    /// When it was last published, or lost.
    at: SampleIndex,
}

/// The topics of a device.
#[derive(Clone, Debug)]
struct Topics {
    status: String,
    state: String,
}

impl Mqtt {
    pub(super) fn open(
        options: &MqttOptions,
        labels: &Labels,
        vitals: Arc<Vitals>,
    ) -> Result<Self, MqttError> {
        if let Some(error) = options.wrong_names().into_iter().next() {
            return Err(MqttError::Name(error));
        }
        if options.password.is_some() && options.user.is_none() {
            return Err(MqttError::PasswordWithoutUser);
        }
        let base = format!("{}/{}", options.topic, options.id);
        let topics = Topics { status: format!("{base}/status"), state: format!("{base}/state") };
        let (told, notes) = sync_channel(NOTES);
        vitals.broker().wanted.store(true, Ordering::Relaxed);
        let link = Link::open(options, &topics.status, Arc::clone(&vitals), told)?;
        Ok(Self {
            link,
            vitals,
            sensors: discovery::sensors(options, &topics, labels),
            topics,
            every: options.every.as_secs() * u64::from(SAMPLE_RATE_HZ),
            last: None,
            notes,
        })
    }

    /// Tells a verdict, where it is time.
    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        let is_due = self.last.as_ref().is_none_or(|told| {
            let same = (told.verdict.state, told.verdict.fault) == (verdict.state, verdict.fault)
                && (verdict.state != Condition::Genre || told.verdict.genre == verdict.genre);
            !same || verdict.at.saturating_sub(told.at) >= self.every
        });
        let at = if is_due { verdict.at } else { self.last.as_ref().map_or(0, |told| told.at) };
        self.last = Some(Told { verdict: verdict.clone(), at });
        // A new connection gets the newest state anyway.
        if !self.greet() && is_due {
            self.publish(&self.topics.state, payload(verdict));
        }
    }

    /// Tells a broker that is new or back who speaks; whether there was one.
    pub(super) fn greet(&self) -> bool {
        if !self.link.is_new() {
            return false;
        }
        for (topic, text) in &self.sensors {
            self.publish(topic, text.clone());
        }
        if let Some(told) = &self.last {
            self.publish(&self.topics.state, payload(&told.verdict));
        }
        // At last, so that nobody sees a device without a state.
        self.publish(&self.topics.status, "online".into());
        true
    }

    fn publish(&self, topic: &str, text: String) {
        let broker = self.vitals.broker();
        if !broker.connected.load(Ordering::Relaxed) || !self.link.publish(topic, text) {
            broker.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a person should know, since this was last asked.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.try_iter()
    }
}

/// A state's JSON object, every key in every object.
fn payload(verdict: &Verdict) -> String {
    let genre = verdict.genre.as_deref().filter(|_| verdict.state == Condition::Genre);
    let percent = |p: f32| (f64::from(p) * 1000.0).round() / 10.0;
    serde_json::json!({
        "state": verdict.state.name(),
        "genre": genre,
        "confidence": verdict.confidence.map(percent),
        "level": (f64::from(verdict.level_dbfs) * 10.0).round() / 10.0,
        "problem": if verdict.fault.is_some() { "ON" } else { "OFF" },
        "fault": verdict.fault.map(|fault| fault.to_string()),
        "mend": verdict.fault.map(Fault::mend),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line_and_never_shown() {
        for (content, expected) in [
            ("secret\n", Some("secret")),
            ("secret\r\n", Some("secret")),
            (" a b ", Some(" a b ")),
            ("\n", None),
        ] {
            assert_eq!(
                Password::of_file(content.as_bytes()),
                expected.map(|p| Password(p.into())),
                "{content:?}"
            );
        }
        assert_eq!(Password::of_file(&[b'x'; MAX_PASSWORD_BYTES + 2]), None);
        assert_eq!(format!("{:?}", Password(b"secret".to_vec())), "Password");
    }

    #[test]
    fn a_state_has_every_key() {
        let genre = Verdict {
            state: Condition::Genre,
            genre: Some("drum \"n\" bass".try_into().unwrap()),
            confidence: Some(0.812),
            level_dbfs: -18.3,
            ..Verdict::default()
        };
        let unsure = Verdict { state: Condition::Unsure, ..genre.clone() };
        let fault =
            Verdict { state: Condition::Fault, fault: Some(Fault::MicrophoneLost), ..Verdict::default() };
        assert_eq!(
            payload(&genre),
            r#"{"confidence":81.2,"fault":null,"genre":"drum \"n\" bass","level":-18.3,"mend":null,"problem":"OFF","state":"genre"}"#
        );
        assert!(payload(&unsure).contains(r#""genre":null"#) && payload(&unsure).contains("81.2"));
        let fault = payload(&fault);
        assert!(
            fault.contains(r#""problem":"ON""#) && fault.contains(r#""fault":"the microphone went away""#)
        );
    }
}
