//! What other programs do to a device: clients that never read, crowds of them, garbage, and a broker that goes away.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmonynet::capture::SplitMix64;

use super::device::{Device, get, signal};
use super::faults::{Fault, between, pass};

/// A connection of any kind.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A new connection, if there is one to be had.
type Door = Box<dyn Fn() -> Option<Box<dyn Stream>>>;

/// The three doors of a device.
fn doors(device: &Device) -> [Door; 3] {
    let (socket, metrics, page) = (device.socket(), device.metrics, device.page);
    let tcp = |port: u16| -> Door {
        Box::new(move || {
            let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
            stream.set_write_timeout(Some(Duration::from_secs(10))).ok()?;
            Some(Box::new(stream))
        })
    };
    let unix = Box::new(move || -> Option<Box<dyn Stream>> {
        let stream = UnixStream::connect(&socket).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(10))).ok()?;
        Some(Box::new(stream))
    });
    [unix, tcp(metrics), tcp(page)]
}

/// Whether every door answers a newcomer.
pub(crate) fn doors_answer(device: &mut Device) -> bool {
    let greeted = || {
        let mut stream = UnixStream::connect(device.socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(b"json\n").ok()?;
        let mut first = [0; 8];
        stream.read_exact(&mut first).ok()?;
        (first == *b"{\"hello\"").then_some(())
    };
    greeted().is_some() && get(device.metrics, "/metrics").is_some() && get(device.page, "/").is_some()
}

pub(crate) const CROWD: Fault = Fault {
    name: "thousands of connections, to each door",
    deafens: false,
    provoke: |device, random| {
        let (waves, held) = (between(random, 4, 8), 250);
        crowd(device, waves, held);
        Ok(format!("{} in all, {} at a time", waves * held * 3, held * 3))
    },
    is_over: doors_answer,
};

pub(crate) const SMALL_CROWD: Fault = Fault {
    name: "hundreds of connections, to each door",
    provoke: |device, _| {
        crowd(device, 2, 100);
        Ok("600 in all".into())
    },
    ..CROWD
};

/// Comes in waves, each at all doors at once, and goes.
pub(crate) fn crowd(device: &mut Device, waves: u64, held: u64) {
    for _ in 0..waves {
        let mut here = Vec::new();
        for door in doors(device) {
            for _ in 0..held {
                here.extend(door());
            }
        }
        pass(device, Duration::from_millis(300));
    }
}

pub(crate) const GARBAGE: Fault = Fault {
    name: "garbage to each door",
    deafens: false,
    provoke: |device, random| {
        let times = 60;
        for _ in 0..times {
            for door in doors(device) {
                let beginning = [&b""[..], b"json\n", b"postcard 1\n", b"GET /events HTTP/1.1\r\nHost: "]
                    [random.below(4)];
                let count = between(random, 0, 20_000);
                let mut bytes = beginning.to_vec();
                bytes.extend((0..count).map(|_| random.bits() as u8));
                // It may have heard enough before.
                let _ = door().map(|mut stream| stream.write_all(&bytes));
            }
        }
        Ok(format!("{} connections", 3 * times))
    },
    is_over: doors_answer,
};

/// Everything of this file that needs no broker.
pub(crate) const ALL: &[Fault] = &[
    CROWD,
    GARBAGE,
    Fault {
        name: "listeners, viewers and scrapers that never read",
        deafens: false,
        provoke: |device, random| {
            let seconds = between(random, 10, 20);
            let mut here = Vec::new();
            for (door, count, says) in [
                (0, 14, "json\n"),
                (1, 4, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                (2, 8, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ] {
                for _ in 0..count {
                    let mut stream = doors(device)[door]().ok_or("no place")?;
                    stream.write_all(says.as_bytes()).map_err(|error| error.to_string())?;
                    here.push(stream);
                }
            }
            pass(device, Duration::from_secs(seconds));
            Ok(format!("26 for {seconds} s"))
        },
        is_over: doors_answer,
    },
    Fault {
        name: "requests that never end",
        deafens: false,
        provoke: |device, random| {
            let mut here: Vec<_> =
                doors(device).iter().flat_map(|door| (0..40).filter_map(|_| door())).collect();
            for _ in 0..between(random, 4, 8) {
                for stream in &mut here {
                    // Refused ones are gone.
                    let _ = stream.write_all(b"x");
                }
                pass(device, Duration::from_secs(1));
            }
            Ok("a byte a second".into())
        },
        is_over: doors_answer,
    },
];

/// What becomes of the broker, which must be there.
pub(crate) const BROKER: &[Fault] = &[
    Fault {
        name: "MQTT broker killed and started again",
        deafens: false,
        provoke: |device, random| {
            let seconds = between(random, 2, 6);
            let broker = Broker::of_all();
            broker.stop();
            device.until("MQTT away", |device| device.metric("harmonynet_mqtt_connected") == Some(0.0));
            pass(device, Duration::from_secs(seconds));
            broker.start()?;
            Ok(format!("{seconds} s"))
        },
        is_over: is_connected,
    },
    Fault {
        name: "MQTT broker frozen (SIGSTOP)",
        deafens: false,
        provoke: |device, random| {
            let seconds = between(random, 4, 10);
            Broker::of_all().signal("STOP");
            pass(device, Duration::from_secs(seconds));
            Broker::of_all().signal("CONT");
            Ok(format!("{seconds} s"))
        },
        is_over: is_connected,
    },
    Fault {
        name: "something that is no MQTT broker answers garbage",
        deafens: false,
        provoke: |device, random| {
            let seconds = between(random, 2, 5);
            let broker = Broker::of_all();
            broker.stop();
            let babbler = Babbler::start(broker.port, random.bits());
            pass(device, Duration::from_secs(seconds));
            drop(babbler);
            broker.start()?;
            Ok(format!("{seconds} s"))
        },
        is_over: is_connected,
    },
];

fn is_connected(device: &mut Device) -> bool {
    device.metric("harmonynet_mqtt_connected") == Some(1.0)
}

/// A mosquitto of our own, on a port of loopback.
pub(crate) struct Broker {
    pub(crate) port: u16,
    program: PathBuf,
    folder: tempfile::TempDir,
    child: Mutex<Option<Child>>,
}

/// The broker of this run: faults are functions and have no other way to it.
static BROKER_OF_ALL: std::sync::OnceLock<Broker> = std::sync::OnceLock::new();

impl Broker {
    fn of_all() -> &'static Self {
        BROKER_OF_ALL.get().unwrap()
    }

    /// Starts the broker of this run; the reason where there is none here.
    pub(crate) fn found(port: u16) -> Result<Stopped, String> {
        let broker = Self::begin(port)?;
        Ok(Stopped(BROKER_OF_ALL.get_or_init(|| broker)))
    }

    /// Starts a broker; the reason where there is none here.
    pub(crate) fn begin(port: u16) -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
            .map(|folder| folder.join("mosquitto"))
            .find(|file| file.exists())
            .ok_or("no mosquitto here; apt-get install mosquitto")?;
        let folder = tempfile::tempdir().unwrap();
        let broker = Self { port, program, folder, child: Mutex::new(None) };
        broker.start()?;
        Ok(broker)
    }

    fn start(&self) -> Result<(), String> {
        let config = self.folder.path().join("mosquitto.conf");
        let text =
            format!("user root\npersistence false\nlistener {} 127.0.0.1\nallow_anonymous true\n", self.port);
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.child.lock().unwrap();
        for _ in 0..200 {
            let started = child.insert(command.spawn().map_err(|error| error.to_string())?);
            // Where the port is not free yet, it ends at once.
            while started.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("mosquitto doesn't start".into())
    }

    fn signal(&self, name: &str) {
        signal(self.child.lock().unwrap().as_ref().unwrap().id(), name);
    }

    fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Stops the broker of this run when it is dropped.
pub(crate) struct Stopped(&'static Broker);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Answers everybody with garbage.
struct Babbler(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Babbler {
    fn start(port: u16, seed: u64) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut random = SplitMix64::new(seed);
            let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            while !asked.load(Ordering::Relaxed) {
                if let Ok((mut stream, _)) = listener.accept() {
                    let bytes: Vec<u8> = (0..4000).map(|_| random.bits() as u8).collect();
                    let _ = stream.write_all(&bytes);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self(ends, Some(thread))
    }
}

impl Drop for Babbler {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.take().map(std::thread::JoinHandle::join);
    }
}
