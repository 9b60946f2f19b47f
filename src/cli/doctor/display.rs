//! The display of the settings: its bus, the bus's device, and who may use that.
//!
//! Nothing is opened here: a display that is running must not be disturbed. Whether the chip itself answers is known to
//! whoever builds displays from settings, and belongs behind [`check`].

use harmonynet::settings::board::{Board, Bus};

use super::machine::Reach;
use super::{Finding, Patient, boot, permission};

/// Whether the display can be reached.
pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let (kind, board) = (patient.text("display.kind"), patient.settings.board());
    let Some(part) = patient.parts.display(kind) else {
        return vec![Finding::ok("display", format!("`{kind}` needs no wires"))];
    };
    if board.name == "sim" {
        return vec![Finding::ok("display", format!("{}, simulated", part.title))];
    }
    let found = if part.bus == "gpio" {
        match &board.gpio_chip {
            Some(chip) => reach(patient, &part.title, chip, None),
            // The settings' own judgement has told that this board has no lines.
            None => return Vec::new(),
        }
    } else {
        let name = patient.text("display.bus");
        match board.bus(name) {
            Some(bus) => reach(patient, &format!("{} on {name}", part.title), &bus.device, Some(bus)),
            None => return Vec::new(),
        }
    };
    let mut all = vec![found];
    all.extend(taken(patient, board));
    all
}

fn reach(patient: &Patient<'_>, who: &str, device: &str, bus: Option<&Bus>) -> Finding {
    let files = patient.machine.files();
    match files.reach(device) {
        Reach::Usable => Finding::ok("display", format!("{who}: {device} can be used")),
        Reach::Denied => Finding::error(
            "display",
            format!("{who}: this user may not use {device}"),
            permission::mend(files, device),
        ),
        Reach::Missing => {
            let found = format!("{who}: there is no {device}");
            let lines = bus.map_or(&[][..], |bus| &bus.config);
            let mend = match boot::missing(patient, lines) {
                Some((place, lines)) => format!("add `{}` to {place} and restart", lines.join("`, `")),
                None if device.starts_with("/dev/i2c") && !files.exists("/sys/module/i2c_dev") => {
                    "`sudo modprobe i2c-dev`, and a line `i2c-dev` in /etc/modules for every start".into()
                }
                None if device.starts_with("/dev/spidev") && !files.exists("/sys/module/spidev") => {
                    "`sudo modprobe spidev`; another driver may hold this chip select".into()
                }
                None => format!(
                    "set display.bus to one that is there ({}), or switch this one on",
                    there(patient.settings.board(), patient).unwrap_or_else(|| "none is".into())
                ),
            };
            Finding::error("display", found, mend)
        }
    }
}

/// The buses of the board whose devices are there.
fn there(board: &Board, patient: &Patient<'_>) -> Option<String> {
    let files = patient.machine.files();
    let names: Vec<&str> =
        board.buses.iter().filter(|bus| files.exists(&bus.device)).map(|bus| bus.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A driver of the kernel that holds the display's address.
fn taken(patient: &Patient<'_>, board: &Board) -> Option<Finding> {
    let number = board.bus(patient.text("display.bus"))?.name.strip_prefix("i2c-")?;
    let address = patient.settings.integer("display.address")?;
    let device = format!("/sys/bus/i2c/devices/{number}-{address:04x}");
    let files = patient.machine.files();
    if !files.exists(&format!("{device}/driver")) {
        return None;
    }
    let name = files.read(&format!("{device}/name")).unwrap_or_else(|| "a device".into());
    Some(Finding::error(
        "display",
        format!("a driver of the kernel holds address {address:#04x} for {name}"),
        "remove its dtoverlay from config.txt and restart, or set display.address",
    ))
}
