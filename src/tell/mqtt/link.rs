//! The connection to a broker, opened again for ever. The only file that names the MQTT client.
//!
//! **The client.** `rumqttc-v4-next` is the maintained continuation of rumqttc, by one of its maintainers: the original's last
//! release pins a certificate library with published advisories. It speaks MQTT 3.1.1, which every broker does; TLS is rustls
//! with ring, which cross-compiles for ARM. It brings tokio, which runs on this thread alone and nowhere else. Considered:
//! mqttrs is a codec without a maintained client, minimq and rust-mqtt are made for bare metal and know no TLS, paho needs C
//! and OpenSSL for each target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use rumqttc::{
    Client, ConnectReturnCode, Connection, ConnectionError, Event, LastWill, MqttOptions as ClientOptions,
    Packet, PublishOptions, QoS, Transport,
};

use super::{MqttError, MqttOptions, Tls};
use crate::tell::vitals::Vitals;

/// Messages on their way to the broker: all of a greeting, and a few dozen states.
const CHANNEL: usize = 64;
/// Messages that the broker has yet to confirm.
const UNCONFIRMED: u16 = 16;
/// After this many seconds without a word the broker takes the connection for dead: the last will comes after half as many
/// again.
const KEEP_ALIVE_S: u16 = 30;
/// Longest wait between attempts to connect.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// How long the end waits for the connection's thread: one that is connecting may take longer, and is left alone.
const END: Duration = Duration::from_secs(1);
/// Longest packet in either direction; nothing is subscribed to, so what comes in is short.
const MAX_PACKET_BYTES: usize = 8 * 1024;

/// A connection, seen from the thread that tells.
pub(super) struct Link {
    client: Option<Client>,
    /// A connection was made that nobody greeted yet.
    new: Arc<AtomicBool>,
    /// Dropping it ends a wait.
    stop: Option<SyncSender<()>>,
    ended: Receiver<()>,
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("new", &self.new).finish_non_exhaustive()
    }
}

impl Link {
    /// Starts connecting. `notes` takes what a person should know.
    pub(super) fn open(
        options: &MqttOptions,
        status: &str,
        vitals: Arc<Vitals>,
        notes: SyncSender<String>,
    ) -> Result<Self, MqttError> {
        let (client, connection) = Client::builder(client_options(options, status)?)
            .capacity(CHANNEL)
            .try_build()
            .map_err(|_| MqttError::System(std::io::ErrorKind::Other))?;
        let new = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = sync_channel(0);
        let (end, ended) = sync_channel(1);
        let line = Line {
            broker: format!("{}:{}", options.host, options.port),
            vitals,
            new: Arc::clone(&new),
            notes,
            retry: options.retry,
            down: false,
        };
        std::thread::Builder::new()
            .name("mqtt".into())
            .spawn(move || {
                line.run(connection, &stopped);
                // Nobody waits any more where this comes late.
                let _ = end.try_send(());
            })
            .map_err(|error| MqttError::System(error.kind()))?;
        Ok(Self { client: Some(client), new, stop: Some(stop), ended })
    }

    /// Whether a connection was made since this was last asked.
    pub(super) fn is_new(&self) -> bool {
        self.new.swap(false, Ordering::AcqRel)
    }

    /// Sends a retained message; `false` where there is no room for it.
    pub(super) fn publish(&self, topic: &str, text: String) -> bool {
        let options = PublishOptions::new(QoS::AtLeastOnce).retained();
        self.client.as_ref().is_some_and(|client| client.try_publish(topic, text, options).is_ok())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Without a farewell: the broker tells the last will, which says that this device is offline.
        drop(self.client.take());
        drop(self.stop.take());
        let _ = self.ended.recv_timeout(END);
    }
}

fn client_options(options: &MqttOptions, status: &str) -> Result<ClientOptions, MqttError> {
    let unusable = |error: &dyn core::fmt::Display| MqttError::Certificates(error.to_string());
    let mut client = ClientOptions::new(
        format!("harmonynet-{}", options.id),
        rumqttc::Broker::tcp(options.host.clone(), options.port),
    );
    client.set_transport(match &options.tls {
        Tls::Off => Transport::tcp(),
        Tls::System => Transport::try_tls_with_default_config().map_err(|error| unusable(&error))?,
        Tls::Certificates(pem) => {
            if !pem.windows(11).any(|window| window == b"CERTIFICATE") {
                return Err(unusable(&"no certificate in it"));
            }
            Transport::tls(pem.clone(), None, None)
        }
    });
    match (&options.user, &options.password) {
        (Some(user), Some(password)) => client.set_credentials(user.clone(), password.0.clone()),
        (Some(user), None) => client.set_username(user.clone()),
        (None, _) => &mut client,
    };
    client
        .set_keep_alive(KEEP_ALIVE_S)
        .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
        .set_inflight(UNCONFIRMED)
        .set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true));
    Ok(client)
}

/// The connection's thread.
struct Line {
    broker: String,
    vitals: Arc<Vitals>,
    new: Arc<AtomicBool>,
    notes: SyncSender<String>,
    retry: Duration,
    /// The person was told that the broker is away.
    down: bool,
}

impl Line {
    fn run(mut self, mut connection: Connection, stopped: &Receiver<()>) {
        let vitals = Arc::clone(&self.vitals);
        let connected = &vitals.broker().connected;
        let mut wait = self.retry;
        // Ends when the client is dropped.
        while let Ok(event) = connection.recv() {
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    wait = self.retry;
                    connected.store(true, Ordering::Relaxed);
                    self.new.store(true, Ordering::Release);
                    if std::mem::take(&mut self.down) {
                        self.note(format!("MQTT broker {}: connected", self.broker));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    connected.store(false, Ordering::Relaxed);
                    if !std::mem::replace(&mut self.down, true) {
                        let text = format!(
                            "MQTT broker {}: {error}; {}; trying again by itself",
                            self.broker,
                            mend(&error)
                        );
                        self.note(text);
                    }
                    if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                    wait = (2 * wait).min(LAST_RETRY);
                }
            }
        }
        connected.store(false, Ordering::Relaxed);
    }

    fn note(&self, text: String) {
        // Nobody reads: what is not told cannot be helped.
        let _ = self.notes.try_send(text);
    }
}

/// What a person can do.
fn mend(error: &ConnectionError) -> &'static str {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "check mqtt.user and mqtt.password_file",
        ConnectionError::ConnectionRefused(ConnectReturnCode::BadClientId) => "choose another mqtt.id",
        ConnectionError::Tls(_) => "check mqtt.ca_file, and that the broker's certificate names mqtt.broker",
        _ => "check mqtt.broker, mqtt.port and mqtt.tls, and whether the broker runs",
    }
}
