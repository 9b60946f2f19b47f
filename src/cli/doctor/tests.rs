use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use harmonynet::capture::{Access, CaptureError, Channel, Granted};
use harmonynet::settings::board::compatible_below;
use harmonynet::settings::{Layer, Problem};

use super::machine::{Card, Sound};
use super::*;

/// A machine of files in a folder, and of answers.
struct Simulated {
    folder: tempfile::TempDir,
    files: Files,
    cards: Vec<Card>,
    sound: Result<Sound, CaptureError>,
    real_time: bool,
    space: Option<u64>,
}

impl Machine for Simulated {
    fn files(&self) -> &Files {
        &self.files
    }
    fn cards(&self) -> Vec<Card> {
        self.cards.clone()
    }
    fn listen(&self, _: &str, _: Channel) -> Result<Sound, CaptureError> {
        self.sound
    }
    fn real_time(&self, _: u8) -> bool {
        self.real_time
    }
    fn space(&self, _: &Path) -> Option<u64> {
        self.space
    }
}

const GRANTED: Granted = Granted {
    rate_hz: 48_000,
    channels: 2,
    encoding: "S32_LE",
    period_frames: 960,
    buffer_frames: 24_000,
    access: Access::MemoryMapped,
};

impl Simulated {
    /// A machine on which nothing is wrong but what its files say.
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let card = Card {
            pcm: "hw:CARD=Device,DEV=0".into(),
            title: "USB microphone".into(),
            offers: Ok("formats S16_LE".into()),
            usable: true,
        };
        let machine = Self {
            files: Files::below(folder.path()),
            folder,
            cards: vec![card],
            sound: Ok(Sound { granted: GRANTED, zeros: false }),
            real_time: true,
            space: Some(1 << 30),
        };
        machine.write("/proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 500000 kB\n");
        // Somebody who owns none of the files here, in the group that does.
        let gid = machine.folder.path().metadata().unwrap().gid();
        machine.write(
            "/proc/self/status",
            &format!("Uid:\t5 54321 5 5\nGid:\t5 54321 5 5\nGroups:\t4 {gid} \n"),
        );
        machine.write("/etc/group", &format!("other:x:1:\nwires:x:{gid}:anna\n"));
        machine.write("/etc/passwd", "root:x:0:0::/:\nbert:x:54321:5::/:\n");
        files.iter().for_each(|(path, text)| machine.write(path, text));
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
    }

    /// What is found with these settings.
    fn examined(&self, file: &str) -> Vec<Finding> {
        let none = Layer::default();
        let layer = Layer::of_file("s.toml", file).unwrap();
        let settings =
            Settings::resolve(&none, &none, &layer, &compatible_below(self.folder.path())).unwrap();
        let loaded = Loaded { settings, problems: Vec::new(), instead: None, notice: Vec::new() };
        self.examined_as(&loaded)
    }

    fn examined_as(&self, loaded: &Loaded) -> Vec<Finding> {
        let patient = Patient {
            machine: self,
            settings: &loaded.settings,
            parts: Parts::shipped().unwrap(),
            loaded,
            file: None,
            state: Some(self.folder.path()),
        };
        CHECKS.iter().flat_map(|check| check(&patient)).collect()
    }
}

/// Everything of one check, as it is told.
fn told(findings: &[Finding], check: &str) -> String {
    findings.iter().filter(|finding| finding.check == check).map(ToString::to_string).collect()
}

/// The checks with this status.
fn with(findings: &[Finding], status: Status) -> Vec<&'static str> {
    findings.iter().filter(|finding| finding.status == status).map(|finding| finding.check).collect()
}

const PI_ZERO: &[(&str, &str)] = &[
    ("/proc/device-tree/compatible", "raspberrypi,model-zero-w\0brcm,bcm2835\0"),
    ("/proc/device-tree/model", "Raspberry Pi Zero W Rev 1.1\0"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "700000\n"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1000000\n"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1000000\n"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n"),
    ("/sys/devices/platform/soc/soc:firmware/get_throttled", "0\n"),
    ("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
    ("/sys/class/thermal/thermal_zone0/temp", "48312\n"),
    ("/dev/spidev0.0", ""),
    (
        "/boot/firmware/config.txt",
        "# mine\n[pi4]\ndtparam=spi=off\n[pi0]\ndtparam=i2c_arm=on,spi=on # for the matrix\n[all]\ndtparam=audio=off\n\
         dtoverlay=googlevoicehat-soundcard\n",
    ),
];
const WIRED: &str = "microphone.kind = \"inmp441\"\ndisplay.kind = \"max7219\"\n";

#[test]
fn a_pi_zero_that_is_wired_well_has_nothing_to_mend() {
    let found = Simulated::of(PI_ZERO).examined(WIRED);
    let all_ok = vec![
        "settings",
        "board",
        "boot",
        "sound-card",
        "microphone",
        "display",
        "clock",
        "throttling",
        "undervoltage",
        "temperature",
        "memory",
        "state",
        "scheduling",
    ];
    assert_eq!(with(&found, Status::Ok), all_ok, "{found:#?}");
    assert_eq!(found.len(), all_ok.len());
    assert!(told(&found, "board").contains("(Raspberry Pi Zero W Rev 1.1)"), "{found:#?}");
    assert!(told(&found, "clock").contains("700 of 1000 MHz, governor ondemand"), "{found:#?}");
}

#[test]
fn missing_lines_bus_and_card_are_told_with_the_line_that_mends_them() {
    let mut zero = Simulated::of(PI_ZERO);
    zero.write(
        "/boot/firmware/config.txt",
        "dtparam=audio=off\ndtparam=spi=on\n[pi4]\ndtparam=spi=on\n[all]\ndtparam=spi=off\n",
    );
    std::fs::remove_file(zero.folder.path().join("dev/spidev0.0")).unwrap();
    zero.sound = Err(CaptureError::Missing);
    zero.cards.clear();
    let found = zero.examined(WIRED);
    assert_eq!(with(&found, Status::Error), ["microphone", "display"], "{found:#?}");
    assert_eq!(with(&found, Status::Warning), ["boot", "boot", "sound-card"]);
    let config = "/boot/firmware/config.txt";
    assert!(
        told(&found, "boot").contains(&format!("{config} lacks `dtparam=spi=on`")),
        "the last word counts"
    );
    let overlay = format!("mend: add `dtoverlay=googlevoicehat-soundcard` to {config} and restart");
    assert!(told(&found, "microphone").contains(&overlay), "{found:#?}");
    let bus = format!("there is no /dev/spidev0.0\n{:24}mend: add `dtparam=spi=on` to {config}", "");
    assert!(told(&found, "display").contains(&bus), "{}", told(&found, "display"));
}

#[test]
fn a_pi_4_with_a_weak_supply_is_told_so_by_either_source() {
    let pi = |files: &[(&str, &str)]| {
        let machine = Simulated::of(&[("/proc/device-tree/compatible", "raspberrypi,4-model-b\0")]);
        files.iter().for_each(|(path, text)| machine.write(path, text));
        machine.examined("")
    };
    let throttled = "/sys/devices/platform/soc/soc:firmware/get_throttled";
    let alarm = "/sys/class/hwmon/hwmon1/in0_lcrit_alarm";
    let sensor = ("/sys/class/hwmon/hwmon1/name", "rpi_volt\n");

    let now = pi(&[(throttled, "50005\n"), ("/sys/class/hwmon/hwmon0/name", "cpu_thermal\n")]);
    assert_eq!(with(&now, Status::Error), ["undervoltage"], "{now:#?}");
    assert!(
        told(&now, "throttling")
            .starts_with("warning  throttling     the processor is slowed down now (0x50005)")
    );
    assert!(told(&now, "undervoltage").contains("use a supply"), "{now:#?}");
    let past = pi(&[(throttled, "50000\n")]);
    assert!(told(&past, "undervoltage").starts_with("warning"), "{past:#?}");
    let hot = pi(&[(throttled, "8\n"), sensor, (alarm, "0\n")]);
    assert!(told(&hot, "throttling").contains("heat sink") && told(&hot, "undervoltage").starts_with("ok"));
    let sensed = pi(&[sensor, (alarm, "1\n")]);
    assert!(told(&sensed, "undervoltage").starts_with("error"), "{sensed:#?}");
    assert!(told(&sensed, "throttling").starts_with("unknown"), "{sensed:#?}");
    let mute = pi(&[]);
    assert!(told(&mute, "undervoltage").starts_with("unknown"), "{mute:#?}");
    // A Pi 5's firmware hangs below another name.
    let five = pi(&[("/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "0\n")]);
    assert!(told(&five, "undervoltage").starts_with("ok"), "{five:#?}");
}

#[test]
fn a_pc_says_what_it_does_not_know_and_what_is_slow() {
    let mut pc = Simulated::of(&[
        ("/sys/class/thermal/thermal_zone0/type", "acpitz"),
        ("/sys/class/thermal/thermal_zone0/temp", "127000"),
        ("/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp"),
        ("/sys/class/thermal/thermal_zone1/temp", "79000"),
        ("/proc/self/limits", "Limit Soft Hard Units\nMax realtime priority     0                    0\n"),
        ("/proc/meminfo", "MemTotal: 400000 kB\nMemAvailable: 30000 kB\n"),
    ]);
    pc.real_time = false;
    pc.space = None;
    let found = pc.examined("");
    assert_eq!(with(&found, Status::Unknown), ["clock", "throttling", "undervoltage"], "{found:#?}");
    assert_eq!(with(&found, Status::Warning), ["temperature", "scheduling"]);
    assert_eq!(with(&found, Status::Error), ["memory", "state"]);
    assert!(told(&found, "boot").contains("call for no boot lines"));
    assert!(
        told(&found, "scheduling").contains("(limit 0)")
            && told(&found, "scheduling").contains("LimitRTPRIO=40")
    );
    assert!(told(&found, "memory").contains("29 MiB free of 390 MiB"), "{found:#?}");
    assert!(told(&found, "temperature").contains("79 °C"), "{found:#?}");
    pc.write("/proc/device-tree/model", "Raspberry Pi 9 Model Z");
    assert!(told(&pc.examined(""), "board").starts_with("warning"));
}

#[test]
fn who_may_not_use_a_device_is_told_which_group_may() {
    let mut zero = Simulated::of(PI_ZERO);
    zero.write("/dev/snd/pcmC0D0c", "");
    zero.write("/dev/snd/pcmC0D0p", "");
    assert_eq!(with(&zero.examined(WIRED), Status::Error), [""; 0]);
    zero.write("/proc/self/status", "Uid:\t54321\t54321\t54321\t54321\nGid:\t5\t5\t5\t5\nGroups:\t4\n");
    zero.cards.clear();
    let found = zero.examined(WIRED);
    assert_eq!(with(&found, Status::Error), ["sound-access", "display"], "{found:#?}");
    for check in ["sound-access", "display"] {
        assert!(told(&found, check).contains("`sudo usermod -aG wires bert`"), "{found:#?}");
    }
    assert!(!told(&found, "sound-access").contains("pcmC0D0p"), "loudspeakers don't matter");
    zero.write("/etc/passwd", "anna:x:54321:5::/:\n");
    assert!(told(&zero.examined(WIRED), "display").contains("log in again"));
    // Nobody's group: only a rule helps.
    let device = zero.folder.path().join("dev/spidev0.0");
    std::fs::set_permissions(device, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(told(&zero.examined(WIRED), "display").contains("udev rule, such as KERNEL==\"spidev0.0\""));
}

#[test]
fn a_busy_silent_or_broken_microphone_is_told_with_its_holder() {
    let mut pc = Simulated::of(&[
        ("/proc/asound/card1/pcm0p/sub0/status", "state: RUNNING\nowner_pid   : 7\n"),
        ("/proc/asound/card1/pcm0c/sub0/status", "state: RUNNING\nowner_pid   : 4711\n"),
        ("/proc/4711/comm", "arecord\n"),
    ]);
    pc.sound = Err(CaptureError::Busy);
    let busy = told(&pc.examined(""), "microphone");
    assert!(
        busy.starts_with("error") && busy.contains("holds the microphone by arecord (process 4711)"),
        "{busy}"
    );
    pc.sound = Ok(Sound { granted: GRANTED, zeros: true });
    let silent = told(&pc.examined(""), "microphone");
    assert!(silent.starts_with("warning") && silent.contains("every sample is 0"), "{silent}");
    pc.sound = Err(CaptureError::Rate(8_000));
    assert!(told(&pc.examined(""), "microphone").contains("plughw"));
    // Its overlay is there, and yet no card.
    let mut zero = Simulated::of(PI_ZERO);
    zero.sound = Err(CaptureError::Missing);
    assert!(told(&zero.examined(WIRED), "microphone").contains("`dmesg`"));
}

#[test]
fn settings_that_are_broken_or_cannot_be_wired_are_told_once_each() {
    let zero = Simulated::of(PI_ZERO);
    zero.write("/boot/firmware/config.txt", "dtparam=i2c_arm=on\ndtoverlay=ssd1306\n");
    zero.write("/dev/i2c-1", "");
    zero.write("/sys/bus/i2c/devices/1-003c/name", "ssd1306\n");
    std::fs::create_dir(zero.folder.path().join("sys/bus/i2c/devices/1-003c/driver")).unwrap();
    let found = zero.examined("display.kind = \"ssd1306\"\n");
    let kernel = "config.txt, line 2: display.kind: the kernel's driver and ours";
    assert!(told(&found, "settings").contains(kernel), "{found:#?}");
    assert!(told(&found, "display").contains("holds address 0x3c for ssd1306"), "{found:#?}");

    let none = Layer::default();
    let settings = Settings::resolve(&none, &none, &none, &[]).unwrap();
    let problem = Problem {
        place: "s.toml".into(),
        line: Some(3),
        field: "display.kind".into(),
        wrong: "its value is not allowed".into(),
        mend: "allowed: much".into(),
    };
    let instead = Some(harmonynet::settings::last_good::Instead::Nothing);
    let told = told(
        &zero.examined_as(&Loaded { settings, problems: vec![problem], instead, notice: Vec::new() }),
        "settings",
    );
    assert!(told.contains("s.toml, line 3: display.kind: its value is not allowed\n"), "{told}");
    assert!(told.contains("mend: allowed: much\n") && told.contains("using the defaults"), "{told}");
}
