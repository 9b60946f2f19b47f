//! The board and its boot configuration: which lines of `config.txt` and words of `cmdline.txt` hold, and which are missing
//! for what is wired.

use harmonynet::settings::board::{Lines, System};

use super::machine::Files;
use super::{Finding, Patient};

/// Where the boot configuration lies: Raspberry Pi OS since 2023, and before.
const FOLDERS: [&str; 2] = ["/boot/firmware", "/boot"];

/// Sections of `config.txt` that hold on a board, besides `[all]`.
const SECTIONS: &[(&str, &[&str])] = &[
    ("pi-1", &["pi1", "pi0", "pi0w"]),
    ("pi-zero-2", &["pi0", "pi02"]),
    ("pi-2", &["pi2"]),
    ("pi-3", &["pi3", "pi3+"]),
    ("pi-4", &["pi4", "pi400", "cm4"]),
    ("pi-5", &["pi5", "pi500", "cm5"]),
];

/// Which board this is.
pub(super) fn board(patient: &Patient<'_>) -> Vec<Finding> {
    let board = patient.settings.board();
    let model = patient.machine.files().read("/proc/device-tree/model");
    let found = match &model {
        Some(model) => format!("{} ({model})", board.title),
        None => board.title.clone(),
    };
    let is_unknown_pi = board.name == "linux" && model.is_some_and(|model| model.contains("Raspberry Pi"));
    vec![if is_unknown_pi {
        Finding::warning(
            "board",
            found,
            "say which board this is most like: board = \"pi-4\" in the settings file",
        )
    } else {
        Finding::ok("board", found)
    }]
}

/// Place and text of the machine's `config.txt`.
pub(super) fn config(files: &Files) -> Option<(String, String)> {
    FOLDERS.iter().find_map(|folder| {
        let path = format!("{folder}/config.txt");
        let text = files.read(&path)?;
        // Older systems keep a note there that says where it went.
        (!text.contains("has moved to /boot/firmware")).then_some((path, text))
    })
}

/// What board, microphone and display call for.
pub(super) fn wanted(patient: &Patient<'_>) -> Lines {
    let [microphone, display, bus] =
        ["microphone.kind", "display.kind", "display.bus"].map(|name| patient.text(name));
    patient.settings.board().boot(System::RaspberryPiOs, patient.parts, microphone, display, bus)
}

/// What of the boot configuration is missing.
pub(super) fn lines(patient: &Patient<'_>) -> Vec<Finding> {
    let files = patient.machine.files();
    let wanted = wanted(patient);
    if wanted.config.is_empty() && wanted.cmdline.is_empty() {
        return vec![Finding::ok("boot", "board, microphone and display call for no boot lines")];
    }
    let mut found = Vec::new();
    match config(files) {
        None if wanted.config.is_empty() => {}
        None => found.push(Finding::unknown(
            "boot",
            format!("no config.txt in {}: what is in force there cannot be read", FOLDERS.join(" or ")),
        )),
        Some((place, text)) => {
            let held = held(&text, &patient.settings.board().name);
            let missing: Vec<&String> = wanted.config.iter().filter(|line| !holds(&held, line)).collect();
            found.extend(missing.iter().map(|line| {
                let mend = format!("add the line `{line}` to {place}, below [all], and restart");
                Finding::warning("boot", format!("{place} lacks `{line}`"), mend)
            }));
            if missing.is_empty() {
                found.push(Finding::ok("boot", format!("{place} has every line that is called for")));
            }
        }
    }
    let running = files.read("/proc/cmdline").unwrap_or_default();
    for word in wanted.cmdline.iter().filter(|word| !running.split_whitespace().any(|has| has == **word)) {
        let mend = format!("add `{word}` to the one line of cmdline.txt, and restart");
        found.push(Finding::warning("boot", format!("the kernel was started without `{word}`"), mend));
    }
    found
}

/// The settings of `config.txt` that hold on a board: key and value, dtparams and overlays one by one.
fn held(text: &str, board: &str) -> Vec<(String, String)> {
    let ours = SECTIONS.iter().find(|(name, _)| *name == board).map_or(&[][..], |(_, sections)| sections);
    let mut applies = true;
    let mut held = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            applies = section == "all" || ours.contains(&section);
        } else if applies && let Some((key, value)) = line.split_once('=') {
            held.extend(settings(key.trim(), value.trim()));
        }
    }
    held
}

/// One line's settings: `dtparam=spi=on,audio=off` are two, an overlay's own parameters are its matter.
fn settings(key: &str, value: &str) -> Vec<(String, String)> {
    match key {
        "dtparam" => {
            let one = |text: &str| {
                // A parameter without a value is switched on.
                let (name, value) = text.split_once('=').unwrap_or((text, "on"));
                let name = match name.trim() {
                    // Its other names in the firmware's own overlays.
                    "i2c" | "i2c1" => "i2c_arm",
                    "i2c_baudrate" | "i2c1_baudrate" => "i2c_arm_baudrate",
                    name => name,
                };
                let value = match value.trim() {
                    "true" | "yes" | "1" => "on",
                    "false" | "no" | "0" => "off",
                    value => value,
                };
                (format!("dtparam {name}"), value.to_string())
            };
            value.split(',').map(one).collect()
        }
        "dtoverlay" => {
            let name = value.split([',', ':']).next().unwrap_or(value).trim();
            vec![(format!("dtoverlay {name}"), String::new())]
        }
        key => vec![(key.to_string(), value.to_string())],
    }
}

/// Whether a wanted line holds: the last word on its key counts.
pub(super) fn holds(held: &[(String, String)], wanted: &str) -> bool {
    let Some((key, value)) = wanted.split_once('=') else { return false };
    settings(key, value).iter().all(|(key, value)| {
        held.iter().rev().find(|(other, _)| other == key).is_some_and(|(_, other)| other == value)
    })
}

/// Of the lines of a part or bus those that `config.txt` lacks, as a mend; nothing where all are there or nobody knows.
pub(super) fn missing<'a>(patient: &Patient<'_>, lines: &'a [String]) -> Option<(String, Vec<&'a str>)> {
    let (place, text) = config(patient.machine.files())?;
    let held = held(&text, &patient.settings.board().name);
    let missing: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !holds(&held, line)).collect();
    (!missing.is_empty()).then_some((place, missing))
}
