//! What breaks in and around a device: microphone, display, clocks, disk, settings, the program itself.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harmonynet::capture::SplitMix64;

use super::crowd::{crowd, doors_answer};
use super::device::Device;
use super::hardware::{Bus, Microphone};

/// Something that can go wrong.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// Whether it keeps the device from hearing; else no verdict may be lost.
    pub(crate) deafens: bool,
    /// Brings it about and takes it away again; what of it depends on chance, or why it can't be had here.
    pub(crate) provoke: fn(&mut Device, &mut SplitMix64) -> Result<String, String>,
    /// Whether what it broke works again, besides hearing.
    pub(crate) is_over: fn(&mut Device) -> bool,
}

fn nothing_else(_: &mut Device) -> bool {
    true
}

/// A number from `least` to `most`.
pub(crate) fn between(random: &mut SplitMix64, least: u64, most: u64) -> u64 {
    least + random.bits() % (most - least + 1)
}

/// Lets time pass, while the program must live.
pub(crate) fn pass(device: &mut Device, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        device.check_alive();
        std::thread::sleep(Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())));
    }
}

/// So many seconds of an ill microphone.
fn ill(device: &mut Device, random: &mut SplitMix64, how: Microphone, most_s: u64) -> Result<String, String> {
    let seconds = between(random, 2, most_s);
    device.hardware.microphone(how);
    pass(device, Duration::from_secs(seconds));
    device.hardware.microphone(Microphone::Healthy);
    Ok(format!("{seconds} s"))
}

/// A mishap that comes back so many times.
fn mishaps(
    device: &mut Device,
    random: &mut SplitMix64,
    how: Microphone,
    most: u64,
) -> Result<String, String> {
    let times = between(random, 2, most);
    for _ in 0..times {
        device.hardware.microphone(how);
        pass(device, Duration::from_millis(between(random, 50, 250)));
    }
    Ok(format!("{times} times"))
}

/// Seconds without the display.
fn dark(device: &mut Device, random: &mut SplitMix64, how: Bus) -> Result<String, String> {
    let seconds = between(random, 2, 5);
    device.hardware.bus(how);
    pass(device, Duration::from_secs(seconds));
    let shown = device.hardware.transactions();
    device.hardware.bus(Bus::Healthy);
    // Whoever waits for the display waits for more than the last picture before.
    device.until("pictures", |device| device.hardware.transactions() > shown);
    Ok(format!("{seconds} s"))
}

pub(crate) const UNPLUGGED: Fault = Fault {
    name: "microphone unplugged and plugged in again",
    deafens: true,
    provoke: |device, random| ill(device, random, Microphone::Unplugged, 9),
    is_over: nothing_else,
};

pub(crate) const OVERRUNS: Fault = Fault {
    name: "overruns (EPIPE)",
    deafens: true,
    provoke: |device, random| mishaps(device, random, Microphone::Overrun, 20),
    is_over: nothing_else,
};

pub(crate) const DISPLAY_UNPLUGGED: Fault = Fault {
    name: "display unplugged (EREMOTEIO)",
    deafens: false,
    provoke: |device, random| dark(device, random, Bus::NoAnswer),
    is_over: nothing_else,
};

pub(crate) const WALL_CLOCK: Fault = Fault {
    name: "wall clock jumps",
    deafens: false,
    provoke: |device, random| {
        const DAY: i64 = 86_400;
        let leaps = [DAY, -DAY, 3600 * 12, -365 * 60 * DAY, 365 * 80 * DAY, -3600];
        for _ in 0..4 {
            let leap = leaps[random.below(leaps.len())];
            device.hardware.wall_clock(leap);
            assert!((device.hardware.wall_clock_is_off() - leap).abs() < 60, "the clock's simulation");
            // A trace has a date, a display its night.
            device.signal("USR1");
            pass(device, Duration::from_millis(700));
        }
        device.hardware.wall_clock(0);
        Ok("to 60 years ago, and 80 ahead".into())
    },
    is_over: nothing_else,
};

pub(crate) const DISK_FULL: Fault = Fault {
    name: "disk of the traces full",
    deafens: false,
    provoke: |device, _| {
        let disk = device.disk().ok_or("this user may not mount a disk of his own (unshare)")?;
        let filler = disk.join("filler");
        let mut file = std::fs::File::create(&filler).map_err(|error| format!("{error}"))?;
        while file.write_all(&[0; 4096]).is_ok() {}
        drop(file);
        let mark = device.mark();
        device.signal("USR1");
        device.until("a complaint", |device| device.said_since(mark, "no trace written"));
        std::fs::remove_file(&filler).unwrap();
        let mark = device.mark();
        device.signal("USR1");
        device.until("a trace", |device| device.said_since(mark, "trace written: "));
        Ok("until it has room".into())
    },
    is_over: nothing_else,
};

pub(crate) const LOG_FULL: Fault = Fault {
    name: "standard output and log on a full disk",
    deafens: true,
    provoke: |device, random| {
        device.end("TERM");
        device.run(true);
        device.until_it_hears();
        // Every fault is something to write.
        ill(device, random, Microphone::Unplugged, 3)?;
        dark(device, random, Bus::NoAnswer)?;
        device.until_it_hears();
        let ended = device.end("TERM");
        assert!(ended.success(), "{ended}");
        device.run(false);
        Ok("the whole time".into())
    },
    is_over: nothing_else,
};

/// Everything of this file, for a run that takes its time.
pub(crate) const ALL: &[Fault] = &[
    UNPLUGGED,
    OVERRUNS,
    DISPLAY_UNPLUGGED,
    WALL_CLOCK,
    DISK_FULL,
    Fault {
        name: "microphone taken by another program",
        deafens: true,
        provoke: |device, random| ill(device, random, Microphone::Busy, 5),
        is_over: nothing_else,
    },
    Fault {
        name: "microphone delivers nothing",
        deafens: true,
        provoke: |device, random| ill(device, random, Microphone::Stalled, 9),
        is_over: nothing_else,
    },
    Fault {
        name: "microphone answers EIO",
        deafens: true,
        provoke: |device, random| ill(device, random, Microphone::Broken, 5),
        is_over: nothing_else,
    },
    Fault {
        name: "loose plug: in and out every half second",
        deafens: true,
        provoke: |device, random| {
            let times = between(random, 4, 8);
            for _ in 0..times {
                device.hardware.microphone(Microphone::Unplugged);
                pass(device, Duration::from_millis(between(random, 100, 500)));
                device.hardware.microphone(Microphone::Healthy);
                pass(device, Duration::from_millis(between(random, 100, 500)));
            }
            Ok(format!("{times} times"))
        },
        is_over: nothing_else,
    },
    Fault {
        name: "system suspended as the sound card sees it (ESTRPIPE)",
        deafens: true,
        provoke: |device, random| mishaps(device, random, Microphone::Suspended, 4),
        is_over: nothing_else,
    },
    Fault {
        name: "driver wakes the program for nothing",
        deafens: false,
        provoke: |device, random| ill(device, random, Microphone::Spinning, 4),
        is_over: nothing_else,
    },
    Fault {
        name: "garbage as sound: noise at full scale",
        deafens: false,
        provoke: |device, random| {
            device.hardware.seed(random.bits());
            ill(device, random, Microphone::Noise, 5)
        },
        is_over: nothing_else,
    },
    Fault {
        name: "bus of the display gone (ENODEV, ENOENT)",
        deafens: false,
        provoke: |device, random| dark(device, random, Bus::Gone),
        is_over: nothing_else,
    },
    Fault {
        name: "no file descriptors left, and strangers at each door",
        deafens: false,
        provoke: |device, random| {
            let limit = |files: usize, program: u32| {
                let mut prlimit = Command::new("prlimit");
                prlimit.args(["--pid", &program.to_string(), &format!("--nofile={files}:")]);
                prlimit.status().map_err(|error| format!("prlimit: {error}"))
            };
            limit(device.open_files() + 1, device.id())?;
            crowd(device, 1, 50);
            pass(device, Duration::from_secs(between(random, 2, 5)));
            limit(1024, device.id())?;
            Ok("one more than it has".into())
        },
        is_over: doors_answer,
    },
    Fault {
        name: "program stopped: every clock leaps",
        deafens: true,
        provoke: |device, random| {
            let seconds = between(random, 5, 12);
            device.signal("STOP");
            std::thread::sleep(Duration::from_secs(seconds));
            device.signal("CONT");
            Ok(format!("{seconds} s"))
        },
        is_over: nothing_else,
    },
];

/// What ends the program and begins a new one.
pub(crate) const RESTARTS: &[Fault] = &[
    Fault {
        name: "power cut (SIGKILL), started again",
        deafens: true,
        provoke: |device, _| {
            device.end("KILL");
            device.run(false);
            Ok(String::new())
        },
        is_over: nothing_else,
    },
    Fault {
        name: "settings broken while it runs, then a power cut",
        deafens: true,
        provoke: |device, random| {
            device.write_settings("[display\nkind =");
            // Settings are read at the start: nothing may happen.
            pass(device, Duration::from_secs(between(random, 1, 3)));
            device.until_it_hears();
            device.end("KILL");
            device.run(false);
            device.until_it_hears();
            Ok("until they are mended".into())
        },
        is_over: mended_settings,
    },
    Fault {
        name: "settings are garbage",
        deafens: true,
        provoke: |device, random| {
            let garbage: Vec<u8> = (0..4000).map(|_| random.bits() as u8).collect();
            std::fs::write(device.path("settings.toml"), garbage).unwrap();
            device.end("KILL");
            device.run(false);
            device.until_it_hears();
            Ok("until they are mended".into())
        },
        is_over: mended_settings,
    },
    LOG_FULL,
];

/// Mends the settings, and starts the program with them if that isn't done yet.
fn mended_settings(device: &mut Device) -> bool {
    let path = device.path("settings.toml");
    let before = std::fs::read(&path).unwrap();
    device.write_settings("");
    if std::fs::read(&path).unwrap() != before {
        assert!(device.end("TERM").success());
        device.run(false);
    }
    true
}

/// Garbage to the commands that read settings or sound once: each must end, and none by a panic.
pub(crate) fn feed_commands(device: &Device, random: &mut SplitMix64, times: u64) -> String {
    let example = super::program().args(["config", "--example"]).output().unwrap().stdout;
    for _ in 0..times {
        let mut text = example.clone();
        for _ in 0..between(random, 1, 40) {
            let place = random.below(text.len());
            text[place] = random.bits() as u8;
        }
        text.truncate(between(random, 0, text.len() as u64) as usize);
        let file = device.path("garbage.toml");
        std::fs::write(&file, &text).unwrap();
        let output = super::program().args(["config", "--check"]).arg(&file).output().unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}: {}", String::from_utf8_lossy(&output.stderr));

        let mut listen = super::program();
        listen.args(["listen", "-", "--channels", "2", "--display", "json", "--seconds", "5"]);
        listen.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = listen.spawn().unwrap();
        let sound: Vec<u8> = (0..between(random, 0, 2_000_000)).map(|_| random.bits() as u8).collect();
        // It may have heard enough before.
        let _ = child.stdin.take().unwrap().write_all(&sound);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("heard "), "{}: {said}", output.status);
    }
    format!("{times} files, {times} streams")
}
