//! Tells the rest of the house: a local event socket, metrics for Prometheus, MQTT for Home Assistant.
//!
//! ```text
//!                     ┌─ server ── event socket ──▶ listeners (JSON lines, or postcard in COBS)
//! scenes ──▶ Teller ──┤           └ port ─────────▶ Prometheus
//!                     └─ mqtt ────────────────────▶ broker ──▶ Home Assistant
//! ```
//! All of it is off until settings ask for it. [`schema`] says what is told, README.md beside it the same for people.
//!
//! **Bounded.** Every queue has a fixed size and nothing waits: a listener or broker that is slow or gone loses events,
//! counted and told, and the sound never notices. What comes in is a first line of at most 64 bytes, or a request for
//! metrics of at most 4 KiB.
//!
//! Not for settings (whoever opens this says what) nor for showing anything on the device itself. No sound leaves through
//! here, only what was recognized.

mod encode;
mod metrics;
mod narrator;
pub mod schema;
mod server;
mod socket;
mod vitals;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

pub use self::encode::{Encoding, NoEvent, decode_json, decode_postcard};
use self::narrator::{Narrator, cut};
use self::schema::Hello;
pub use self::server::Limits;
use self::server::{Doors, Server};
use self::socket::Place;
pub use self::socket::SocketError;
use self::vitals::Vitals;
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
    /// What the server allows.
    pub limits: Limits,
}

/// Why something is not told to somebody. Listening goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError {
    /// There is no event socket at this path.
    Socket(PathBuf, SocketError),
    /// There is no port for metrics.
    Port(SocketAddr, std::io::ErrorKind),
    /// The system has no thread or descriptor for the server.
    Server(std::io::ErrorKind),
}

impl core::fmt::Display for TellError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Socket(path, error) => write!(f, "no event socket {}: {error}", path.display()),
            Self::Port(address, std::io::ErrorKind::AddrInUse) => {
                write!(f, "no metrics on {address}: another program has that port; choose another")
            }
            Self::Port(address, kind) => write!(f, "no metrics on {address}: {kind}"),
            Self::Server(kind) => write!(f, "no events and metrics: {kind}"),
        }
    }
}

impl core::error::Error for TellError {}

/// Tells whoever listens. Nothing here waits.
#[derive(Debug)]
pub struct Teller {
    narrator: Narrator,
    vitals: Arc<Vitals>,
    server: Option<Server>,
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
        let port = options.metrics.and_then(|address| {
            let opened = TcpListener::bind(address);
            opened.map_err(|error| errors.push(TellError::Port(address, error.kind()))).ok()
        });
        let server = (socket.is_some() || port.is_some())
            .then(|| Server::start(Doors { socket, port }, options.limits, hello(labels), Arc::clone(&vitals)))
            .and_then(|started| started.map_err(|error| errors.push(TellError::Server(error.kind()))).ok());
        (Self { narrator: Narrator::default(), vitals, server }, errors)
    }

    /// Tells a verdict.
    pub fn verdict(&mut self, scene: &Scene) {
        self.vitals.heard(scene.at);
        let Self { narrator, server, .. } = self;
        narrator.verdict(scene, |event| {
            if let Some(server) = server {
                server.tell(event);
            }
        });
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
