//! Clock, throttling, undervoltage and temperature, by the kernel's files.

use super::machine::Files;
use super::{Finding, Patient};

const CPUFREQ: &str = "/sys/devices/system/cpu/cpu0/cpufreq";
/// Degrees from which a Raspberry Pi may soon run slower (it does at 80, a Pi 3B+ from 60 by default).
const WARM: f64 = 75.0;
/// Degrees at which its clock is brought down however busy it is.
const HOT: f64 = 85.0;

/// The bits of the firmware's `get_throttled`
/// (<https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>); those of the past lie 16 higher. The
/// kernel's voltage sensor clears those every two seconds (drivers/hwmon/raspberrypi-hwmon.c), so that they tell of the
/// start only where it doesn't run.
mod bit {
    pub(super) const UNDERVOLTAGE: u32 = 1;
    pub(super) const CAPPED: u32 = 1 << 1;
    pub(super) const THROTTLED: u32 = 1 << 2;
    pub(super) const SOFT_LIMIT: u32 = 1 << 3;
    pub(super) const PAST: u32 = 16;
}

const SUPPLY: &str = "use a supply for this board (5.1 V; 2.5 A, a Pi 4 3 A, a Pi 5 5 A) with a short, thick cable, and \
                      power LED strips by themselves";
const COOLING: &str = "give it air or a heat sink; the native engine needs less of the processor";

/// The processor's clock.
pub(super) fn clock(patient: &Patient<'_>) -> Vec<Finding> {
    let files = patient.machine.files();
    let mhz = |name: &str| files.number(&format!("{CPUFREQ}/{name}")).map(|khz| khz / 1000);
    let (Some(now), Some(most)) = (mhz("scaling_cur_freq"), mhz("cpuinfo_max_freq")) else {
        return vec![Finding::unknown("clock", "this kernel does not tell the processor's clock")];
    };
    let allowed = mhz("scaling_max_freq").unwrap_or(most);
    let governor = files.read(&format!("{CPUFREQ}/scaling_governor")).unwrap_or_else(|| "unknown".into());
    let found = format!("{now} of {most} MHz, governor {governor}");
    vec![if allowed < most {
        Finding::warning(
            "clock",
            format!("{found}, held below {allowed} MHz"),
            format!("`echo {} | sudo tee {CPUFREQ}/scaling_max_freq`", most * 1000),
        )
    } else if governor == "powersave" && !files.exists("/sys/devices/system/cpu/intel_pstate") {
        Finding::warning(
            "clock",
            format!("{found}: it stays at its slowest"),
            format!("`echo ondemand | sudo tee {CPUFREQ}/scaling_governor`"),
        )
    } else {
        Finding::ok("clock", found)
    }]
}

/// The firmware's word on throttling, hexadecimal.
fn throttled(files: &Files) -> Option<u32> {
    const PLATFORM: &str = "/sys/devices/platform";
    // soc/soc:firmware, and on a Pi 5 soc@107c000000/soc@107c000000:firmware.
    files.list(PLATFORM).iter().filter(|name| name.starts_with("soc")).find_map(|soc| {
        files.list(&format!("{PLATFORM}/{soc}")).iter().filter(|name| name.ends_with(":firmware")).find_map(
            |firmware| {
                let text = files.read(&format!("{PLATFORM}/{soc}/{firmware}/get_throttled"))?;
                u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
            },
        )
    })
}

/// Whether the processor is or was slowed down.
pub(super) fn throttling(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(bits) = throttled(patient.machine.files()) else {
        return vec![Finding::unknown(
            "throttling",
            "this kernel does not tell whether the processor is slowed down",
        )];
    };
    let says = |bit: u32| bits & bit != 0;
    let slowed = bit::CAPPED | bit::THROTTLED | bit::SOFT_LIMIT;
    vec![if says(slowed) {
        let why = if says(bit::UNDERVOLTAGE) { SUPPLY } else { COOLING };
        Finding::warning("throttling", format!("the processor is slowed down now ({bits:#x})"), why)
    } else if says(slowed << bit::PAST) {
        let why = if says(bit::UNDERVOLTAGE << bit::PAST) { SUPPLY } else { COOLING };
        Finding::warning("throttling", format!("the processor was slowed down lately ({bits:#x})"), why)
    } else {
        Finding::ok("throttling", "the processor is not slowed down, nor was it lately")
    }]
}

/// Whether the supply is or was too weak.
pub(super) fn undervoltage(patient: &Patient<'_>) -> Vec<Finding> {
    let files = patient.machine.files();
    let alarm = volt_alarm(files);
    let bits = throttled(files);
    let now = alarm == Some(true) || bits.is_some_and(|bits| bits & bit::UNDERVOLTAGE != 0);
    let past = bits.is_some_and(|bits| bits & (bit::UNDERVOLTAGE << bit::PAST) != 0);
    vec![if now {
        Finding::error(
            "undervoltage",
            "the supply is too weak now: USB devices and the card may fail",
            SUPPLY,
        )
    } else if past {
        Finding::warning(
            "undervoltage",
            "the supply was too weak lately; `journalctl -k -g oltage` tells when",
            SUPPLY,
        )
    } else if alarm.is_some() || bits.is_some() {
        Finding::ok("undervoltage", "none now, nor lately")
    } else {
        Finding::unknown("undervoltage", "this kernel does not tell")
    }]
}

/// The alarm of the Raspberry Pi's voltage sensor.
fn volt_alarm(files: &Files) -> Option<bool> {
    const HWMON: &str = "/sys/class/hwmon";
    let sensors = files.list(HWMON);
    let sensor = sensors
        .iter()
        .find(|name| files.read(&format!("{HWMON}/{name}/name")).as_deref() == Some("rpi_volt"))?;
    let folder = format!("{HWMON}/{sensor}");
    let inputs = files.list(&folder);
    let alarm = inputs.iter().find(|name| name.starts_with("in") && name.ends_with("_lcrit_alarm"))?;
    files.number(&format!("{folder}/{alarm}")).map(|alarm| alarm != 0)
}

/// The processor's temperature.
pub(super) fn temperature(patient: &Patient<'_>) -> Vec<Finding> {
    const ZONES: &str = "/sys/class/thermal";
    let files = patient.machine.files();
    let zones = files.list(ZONES);
    let of_processor = zones.iter().filter(|zone| {
        let kind = files.read(&format!("{ZONES}/{zone}/type")).unwrap_or_default();
        ["cpu", "soc", "x86_pkg"].iter().any(|beginning| kind.starts_with(beginning))
    });
    let degrees = of_processor.filter_map(|zone| files.number(&format!("{ZONES}/{zone}/temp")));
    let Some(degrees) = degrees.max().map(|thousandths| thousandths as f64 / 1000.0) else {
        return vec![Finding::unknown(
            "temperature",
            "this kernel does not tell the processor's temperature",
        )];
    };
    let found = format!("{degrees:.0} °C");
    vec![match degrees {
        hot if hot >= HOT => {
            Finding::error("temperature", format!("{found}: it is too hot to keep its clock"), COOLING)
        }
        warm if warm >= WARM => Finding::warning("temperature", format!("{found}: near its limit"), COOLING),
        _ => Finding::ok("temperature", found),
    }]
}
