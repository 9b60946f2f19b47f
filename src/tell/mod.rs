//! Tells the rest of the house: a local event socket, metrics for Prometheus, MQTT for Home Assistant.
//!
//! ```text
//!                     ┌─ server ── event socket ──▶ listeners (JSON lines, or postcard in COBS)
//! scenes ──▶ Teller ──┤          ├ port ──────────▶ Prometheus
//!                     │          └ port ──────────▶ browsers (the live page)
//!                     └─ mqtt ────────────────────▶ broker ──▶ Home Assistant
//! ```
//! All of it is off until settings ask for it. [`schema`] says what is told, README.md beside it the same for people.
//!
//! **Bounded.** Every queue has a fixed size and nothing waits: a listener or broker that is slow or gone loses events,
//! counted and told, and the sound never notices. What comes in is a first line of at most 64 bytes, or a request for
//! at most 8 KiB over HTTP.
//!
//! Not for settings (whoever opens this says what) nor for showing anything on the device itself. No sound leaves through
//! here, only what was recognized.

mod encode;
mod metrics;
#[cfg(feature = "mqtt")]
mod mqtt;
mod narrator;
#[cfg(feature = "page")]
mod page;
pub mod schema;
mod server;
mod socket;
mod vitals;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

pub use self::encode::{Encoding, NoEvent, decode_json, decode_postcard};
#[cfg(feature = "mqtt")]
pub use self::mqtt::{
    MAX_PASSWORD_BYTES, MqttError, MqttOptions, NameError, Password, Tls, id_of_machine, machine_id,
};
use self::narrator::{Narrator, cut};
#[cfg(feature = "page")]
pub use self::page::{PageOptions, PageToken, View};
use self::schema::Hello;
pub use self::server::Limits;
use self::server::{Doors, Server, Told};
use self::socket::Place;
pub use self::socket::{SocketError, path_problem as socket_path_problem};
use self::vitals::Vitals;
#[cfg(feature = "page")]
use crate::flow::{Glimpse, Scores};
use crate::flow::{Health, Labels, Scene};
use crate::spec::SAMPLE_RATE_HZ;

/// What is to be opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Path of the event socket.
    pub socket: Option<PathBuf>,
    /// Group that may use it besides the user.
    pub group: Option<String>,
    /// Address and port for metrics.
    pub metrics: Option<SocketAddr>,
    /// The live page.
    #[cfg(feature = "page")]
    pub page: Option<PageOptions>,
    /// What the server allows.
    pub limits: Limits,
    /// The MQTT broker.
    #[cfg(feature = "mqtt")]
    pub mqtt: Option<MqttOptions>,
}

/// Why something is not told to somebody. Listening goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError {
    /// There is no event socket at this path.
    Socket(PathBuf, SocketError),
    /// There is no port for metrics.
    Port(SocketAddr, std::io::ErrorKind),
    /// There is no port for the page.
    #[cfg(feature = "page")]
    Page(SocketAddr, std::io::ErrorKind),
    /// The system has no thread or descriptor for the server.
    Server(std::io::ErrorKind),
    /// No MQTT broker is told anything.
    #[cfg(feature = "mqtt")]
    Mqtt(MqttError),
}

impl core::fmt::Display for TellError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Socket(path, error) => write!(f, "no event socket {}: {error}", path.display()),
            Self::Port(address, kind) => no_port(f, "metrics", *address, *kind),
            #[cfg(feature = "page")]
            Self::Page(address, kind) => no_port(f, "page", *address, *kind),
            Self::Server(kind) => write!(f, "no events, metrics and page: {kind}"),
            #[cfg(feature = "mqtt")]
            Self::Mqtt(error) => write!(f, "no MQTT: {error}"),
        }
    }
}

fn no_port(
    f: &mut core::fmt::Formatter<'_>,
    what: &str,
    address: SocketAddr,
    kind: std::io::ErrorKind,
) -> core::fmt::Result {
    match kind {
        std::io::ErrorKind::AddrInUse => {
            write!(f, "no {what} on {address}: another program has that port; choose another")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            write!(f, "no {what} on {address}: this machine has no such address")
        }
        kind => write!(f, "no {what} on {address}: {kind}"),
    }
}

impl core::error::Error for TellError {}

/// Tells whoever listens. Nothing here waits.
#[derive(Debug)]
pub struct Teller {
    narrator: Narrator,
    vitals: Arc<Vitals>,
    server: Option<Server>,
    #[cfg(feature = "page")]
    page: Option<SocketAddr>,
    #[cfg(feature = "mqtt")]
    mqtt: Option<mqtt::Mqtt>,
}

impl Teller {
    /// Opens what `options` ask for. What cannot be opened comes back as errors; the rest is open all the same.
    #[must_use]
    pub fn open(options: &Options, labels: &Labels) -> (Self, Vec<TellError>) {
        let vitals = Arc::new(Vitals::new());
        let mut errors = Vec::new();
        let socket = options.socket.as_ref().and_then(|path| {
            let opened = Place::open(path, options.group.as_deref());
            opened.map_err(|error| errors.push(TellError::Socket(path.clone(), error))).ok()
        });
        let metrics = options.metrics.and_then(|address| {
            let opened = TcpListener::bind(address);
            opened.map_err(|error| errors.push(TellError::Port(address, error.kind()))).ok()
        });
        #[cfg(feature = "page")]
        let page = options.page.as_ref().and_then(|options| {
            let opened = TcpListener::bind(options.address);
            let opened = opened.map_err(|error| errors.push(TellError::Page(options.address, error.kind())));
            opened.ok().map(|listener| (listener, page::Page::new(options, labels)))
        });
        #[cfg(feature = "page")]
        let address = page.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        let doors = Doors {
            socket,
            metrics,
            #[cfg(feature = "page")]
            page,
        };
        let server = (!doors.is_empty())
            .then(|| Server::start(doors, options.limits, hello(labels), Arc::clone(&vitals)))
            .and_then(|started| started.map_err(|error| errors.push(TellError::Server(error.kind()))).ok());
        #[cfg(feature = "mqtt")]
        let mqtt = options.mqtt.as_ref().and_then(|options| {
            let opened = mqtt::Mqtt::open(options, labels, Arc::clone(&vitals));
            opened.map_err(|error| errors.push(TellError::Mqtt(error))).ok()
        });
        let teller = Self {
            narrator: Narrator::default(),
            vitals,
            #[cfg(feature = "page")]
            page: address.filter(|_| server.is_some()),
            server,
            #[cfg(feature = "mqtt")]
            mqtt,
        };
        (teller, errors)
    }

    /// Tells a verdict.
    pub fn verdict(&mut self, scene: &Scene) {
        self.vitals.heard(scene.at);
        self.narrator.verdict(scene, |event| {
            #[cfg(feature = "mqtt")]
            if let (Some(mqtt), schema::Event::Verdict(verdict)) = (&mut self.mqtt, &event) {
                mqtt.verdict(verdict);
            }
            if let Some(server) = &self.server {
                server.tell(Told::Event(event));
            }
        });
    }

    /// Where the page is, if there is one: with the port that the system chose where it was 0.
    #[cfg(feature = "page")]
    #[must_use]
    pub fn page(&self) -> Option<SocketAddr> {
        self.page
    }

    /// Tells the page what the next verdict comes from.
    #[cfg(feature = "page")]
    pub fn scores(&self, scores: &Scores) {
        if let (Some(_), Some(server)) = (self.page, &self.server) {
            server.tell(Told::Scores(scores.clone()));
        }
    }

    /// Shows the page a moment of sound, if anybody watches.
    #[cfg(feature = "page")]
    pub fn glimpse(&self, glimpse: Glimpse) {
        if self.vitals.viewers().load(std::sync::atomic::Ordering::Relaxed) > 0
            && let Some(server) = &self.server
        {
            server.tell(Told::Glimpse(glimpse));
        }
    }

    /// Time passes: what waits for its moment is told. Wants to be called ten times a second or so.
    pub fn tick(&self) {
        #[cfg(feature = "mqtt")]
        if let Some(mqtt) = &self.mqtt {
            mqtt.greet();
        }
    }

    /// What a person should know, since this was last asked: that a broker went away or came back.
    pub fn notes(&self) -> Vec<String> {
        #[cfg(feature = "mqtt")]
        if let Some(mqtt) = &self.mqtt {
            return mqtt.notes().collect();
        }
        Vec::new()
    }

    /// Sound was heard up to this sample, without a verdict.
    pub fn heard(&self, at: crate::flow::SampleIndex) {
        self.vitals.heard(at);
    }

    /// How listening fares.
    pub fn health(&self, health: Health) {
        self.vitals.set_health(health);
    }
}

fn hello(labels: &Labels) -> Hello {
    Hello {
        schema: schema::VERSION,
        program: cut(concat!("harmonynet ", env!("CARGO_PKG_VERSION"))),
        rate_hz: SAMPLE_RATE_HZ,
        labels: labels.clone(),
    }
}
