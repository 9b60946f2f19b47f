//! MQTT against a real mosquitto, which each test starts for itself on a free port of loopback.
#![cfg(feature = "mqtt")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use harmonynet::flow::{Fault, Labels, Level, Scene, State};
use harmonynet::tell::{MqttOptions, Options, Password, Teller, Tls};
use rumqttc::{Client, Event, Packet, QoS};
use serde_json::Value;

/// A test that waits longer for something fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker of our own, ended with its owner.
struct Broker {
    child: Child,
    port: u16,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mosquitto() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("mosquitto"))
        .find(|file| file.exists());
    if found.is_none() {
        eprintln!("skipped: there is no mosquitto here; install it with: apt-get install mosquitto");
    }
    found
}

impl Broker {
    /// On any free port, or on `port`; with these lines of configuration besides.
    fn start(folder: &Path, port: Option<u16>, more: &str) -> Option<Self> {
        let program = mosquitto()?;
        for _ in 0..20 {
            let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let port = port.unwrap_or_else(free);
            let config = folder.join("mosquitto.conf");
            // Started by root it would become a user who may not read our files.
            let text = format!("user root\npersistence false\nlistener {port} 127.0.0.1\n{more}\n");
            std::fs::write(&config, text).unwrap();
            let log = std::fs::File::create(folder.join("mosquitto.log")).unwrap();
            let child = Command::new(&program)
                .args(["-v", "-c", config.to_str().unwrap()])
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut broker = Self { child, port };
            // Another program may have taken the port since; then it ends, and another is tried.
            while broker.child.try_wait().unwrap().is_none() {
                let log = std::fs::read_to_string(folder.join("mosquitto.log")).unwrap();
                if log.contains(" running") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(broker);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("{}", std::fs::read_to_string(folder.join("mosquitto.log")).unwrap());
    }

    fn open(folder: &Path) -> Option<Self> {
        Self::start(folder, None, "allow_anonymous true")
    }
}

/// Somebody who hears everything that a broker is told.
struct Ear {
    heard: Receiver<(String, String)>,
}

impl Ear {
    fn new(port: u16) -> Self {
        static EARS: AtomicU32 = AtomicU32::new(0);
        let name = format!("ear-{}", EARS.fetch_add(1, Ordering::Relaxed));
        let options = rumqttc::MqttOptions::new(name, rumqttc::Broker::tcp("127.0.0.1", port));
        let (client, mut connection) = Client::builder(options).capacity(10).build();
        let (told, heard) = channel();
        std::thread::spawn(move || {
            let mut failures = 0;
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                        if told.send((text(&message.topic), text(&message.payload))).is_err() {
                            return;
                        }
                    }
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.subscribe("#", QoS::AtLeastOnce).unwrap();
                    }
                    Ok(_) => {}
                    // A busy machine may be slow; a broker that ended stays away.
                    Err(_) => {
                        failures += 1;
                        if failures > 100 {
                            return;
                        }
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            }
        });
        Self { heard }
    }

    /// Waits for a message in whose topic and text these occur, while `teller` goes on.
    fn wait(&self, teller: Option<&Teller>, topic: &str, text: &str) -> String {
        let began = Instant::now();
        let mut others = Vec::new();
        while began.elapsed() < PATIENCE {
            if let Some(teller) = teller {
                teller.tick();
            }
            if let Ok((at, said)) = self.heard.recv_timeout(Duration::from_millis(20)) {
                if at.contains(topic) && said.contains(text) {
                    return said;
                }
                others.push((at, said));
            }
        }
        panic!("nobody said {text} at {topic}, only {others:?}");
    }
}

fn options(port: u16) -> MqttOptions {
    MqttOptions {
        host: "127.0.0.1".into(),
        port,
        tls: Tls::Off,
        user: None,
        password: None,
        id: "kitchen".into(),
        name: "Kitchen \"radio\"".into(),
        topic: "harmonynet".into(),
        discovery: "homeassistant".into(),
        every: Duration::from_secs(10),
        retry: Duration::from_millis(50),
    }
}

fn open(mqtt: MqttOptions) -> Teller {
    let labels: Labels = ["jazz", "rock"].into_iter().map(|label| label.try_into().unwrap()).collect();
    let (teller, errors) = Teller::open(&Options { mqtt: Some(mqtt), ..Options::default() }, &labels);
    assert_eq!(errors, []);
    teller
}

fn genre(at: u64, label: &str, confidence: f32) -> Scene {
    Scene {
        at,
        state: State::Genre { label: 0, confidence },
        label: label.try_into().unwrap(),
        level: Level::from_dbfs(-20.0),
        window_fill: 1.0,
    }
}

/// Waits until a person is told something in which `text` occurs.
fn note(teller: &Teller, text: &str) {
    let began = Instant::now();
    let mut others = Vec::new();
    while began.elapsed() < PATIENCE {
        teller.tick();
        for note in teller.notes() {
            if note.contains(text) {
                return;
            }
            others.push(note);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody was told {text}, only {others:?}");
}

#[test]
fn home_assistant_gets_sensors_states_and_the_last_will() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::open(folder.path()) else { return };
    let ear = Ear::new(broker.port);
    let mut teller = open(options(broker.port));
    teller.verdict(&genre(1, "jazz", 0.812));
    for (kind, key) in [
        ("sensor", "genre"),
        ("sensor", "state"),
        ("sensor", "confidence"),
        ("sensor", "level"),
        ("binary_sensor", "problem"),
    ] {
        let topic = format!("homeassistant/{kind}/harmonynet_kitchen/{key}/config");
        let sensor: Value = serde_json::from_str(&ear.wait(Some(&teller), &topic, "")).unwrap();
        assert_eq!(sensor["unique_id"], format!("harmonynet_kitchen_{key}"));
        assert_eq!(sensor["device"]["name"], "Kitchen \"radio\"");
    }
    let state = ear.wait(Some(&teller), "harmonynet/kitchen/state", "jazz");
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!((&state["confidence"], &state["level"]), (&81.2.into(), &(-20.0).into()));
    ear.wait(Some(&teller), "harmonynet/kitchen/status", "online");

    // A change is told at once; numbers alone only after ten seconds of sound.
    teller.verdict(&genre(2, "jazz", 0.5));
    teller.verdict(&genre(3, "rock", 0.6));
    let next: Value = serde_json::from_str(&ear.wait(Some(&teller), "/state", "")).unwrap();
    assert_eq!((&next["genre"], &next["confidence"]), (&"rock".into(), &60.0.into()));
    teller.verdict(&genre(3 + 10 * 22_050, "rock", 0.7));
    ear.wait(Some(&teller), "/state", "70.0");
    let lost = Fault::MicrophoneLost;
    teller.verdict(&Scene { at: 300_000, state: State::Fault { fault: lost }, ..Scene::default() });
    let fault = ear.wait(Some(&teller), "/state", "\"problem\":\"ON\"");
    assert!(fault.contains(lost.mend()), "{fault}");

    drop(teller);
    ear.wait(None, "harmonynet/kitchen/status", "offline");
    // Whoever comes later is told the same: all of it is retained.
    let late = Ear::new(broker.port);
    let mut topics: Vec<String> = (0..7).map(|_| late.heard.recv_timeout(PATIENCE).unwrap().0).collect();
    topics.sort();
    assert_eq!(topics.iter().filter(|topic| topic.ends_with("/config")).count(), 5, "{topics:?}");
}

#[test]
fn a_broker_that_goes_away_is_told_to_a_person_and_gets_the_newest_state_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::open(folder.path()) else { return };
    let port = broker.port;
    let mut teller = open(options(port));
    teller.verdict(&genre(1, "jazz", 0.8));
    Ear::new(port).wait(Some(&teller), "/status", "online");
    drop(broker);
    note(&teller, "trying again by itself");
    // Far more than any queue holds: nothing waits, nothing grows, nothing but the newest is told later.
    for at in 0..10_000 {
        let label = if at % 2 == 0 { "jazz" } else { "rock" };
        teller.verdict(&genre(2 + at, label, 0.8));
    }
    teller.verdict(&genre(20_000, "rock", 0.777));
    let Some(_broker) = Broker::start(folder.path(), Some(port), "allow_anonymous true") else { return };
    let ear = Ear::new(port);
    ear.wait(Some(&teller), "harmonynet/kitchen/state", "77.7");
    ear.wait(Some(&teller), "harmonynet/kitchen/status", "online");
    note(&teller, "connected");
}

#[test]
fn nobody_there_costs_nothing_and_ends_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut teller = open(MqttOptions { retry: Duration::from_secs(3600), ..options(port) });
    note(&teller, "whether the broker runs");
    teller.verdict(&genre(1, "jazz", 0.8));
    // It waits an hour for its next attempt, and yet this returns.
    drop(teller);
}

/// Runs a program of the system.
fn run(folder: &Path, line: &str) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate authority, a server certificate for 127.0.0.1 and a password file.
fn credentials(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(folder, &format!("openssl req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=home -days 2"));
    run(folder, &format!("openssl req -x509 {key} -keyout other.key -out other.pem -subj /CN=other -days 2"));
    run(folder, &format!("openssl req {key} -keyout server.key -out server.csr -subj /CN=broker"));
    std::fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    run(
        folder,
        "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile server.ext",
    );
    run(folder, "mosquitto_passwd -c -b users radio s3cret");
}

#[test]
fn tls_and_passwords_hold_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    if mosquitto().is_none() {
        return;
    }
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl here; install it with: apt-get install openssl");
        return;
    }
    credentials(folder.path());
    let path = folder.path().display();
    let secured = format!(
        "allow_anonymous false\npassword_file {path}/users\ncertfile {path}/server.pem\nkeyfile {path}/server.key"
    );
    let Some(broker) = Broker::start(folder.path(), None, &secured) else { return };
    let pem = |name: &str| Tls::Certificates(std::fs::read(folder.path().join(name)).unwrap());
    let right = MqttOptions {
        tls: pem("ca.pem"),
        user: Some("radio".into()),
        password: Password::of_file(b"s3cret\n"),
        ..options(broker.port)
    };
    let wrong_password = MqttOptions { password: Password::of_file(b"guess"), ..right.clone() };
    note(&open(wrong_password), "check mqtt.user and mqtt.password_file");
    note(&open(MqttOptions { tls: pem("other.pem"), ..right.clone() }), "check mqtt.ca_file");
    note(&open(MqttOptions { tls: Tls::Off, ..right.clone() }), "check mqtt.broker, mqtt.port and mqtt.tls");

    let mut teller = open(right);
    teller.verdict(&genre(1, "jazz", 0.8));
    let log = folder.path().join("mosquitto.log");
    let began = Instant::now();
    loop {
        teller.tick();
        let text = std::fs::read_to_string(&log).unwrap();
        if text.contains("Received PUBLISH from harmonynet-kitchen")
            && text.contains("harmonynet/kitchen/status")
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}: {text}", teller.notes());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_cannot_be_a_broker_is_refused_before_anything_is_sent() {
    let labels = Labels::new();
    let errors = |mqtt| Teller::open(&Options { mqtt: Some(mqtt), ..Options::default() }, &labels).1;
    for (mqtt, expected) in [
        (MqttOptions { topic: "a/#".into(), ..options(1) }, "mqtt.topic is not allowed"),
        (MqttOptions { id: "a/b".into(), ..options(1) }, "mqtt.id is not allowed"),
        (MqttOptions { password: Password::of_file(b"x"), ..options(1) }, "set mqtt.user"),
        (MqttOptions { tls: Tls::Certificates(b"nonsense".into()), ..options(1) }, "mqtt.ca_file wants"),
    ] {
        let errors = errors(mqtt);
        assert!(errors.len() == 1 && errors[0].to_string().contains(expected), "{errors:?}");
    }
}
