//! A microphone's name → the PCM string that ALSA opens.
//!
//! Cards come and go, so a name is resolved each time that the microphone is opened. What there is to know about cards
//! stands in `/sys/class/sound`: `cardN/id`, and `cardN/device`, a link to the interface of the USB device, above which
//! lies the device itself with its `serial` (Documentation/ABI/testing/sysfs-bus-usb in the Linux source).

use std::path::{Path, PathBuf};

/// Where Linux lists its sound cards.
pub const SYSFS_SOUND: &str = "/sys/class/sound";

/// A name that means no device, at least for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceNameError {
    /// The name is empty, or holds a zero byte.
    Malformed,
    /// No card is in this USB port, or has this serial number, at the moment.
    NoUsbCard,
}

impl std::fmt::Display for DeviceNameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a microphone's name may not be empty or hold a zero byte",
            Self::NoUsbCard => "no sound card is in this USB port, or none has this serial number",
        })
    }
}

impl std::error::Error for DeviceNameError {}

impl From<DeviceNameError> for super::CaptureError {
    fn from(_: DeviceNameError) -> Self {
        Self::Missing
    }
}

/// The names of a USB sound card that survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsbName {
    /// The port, such as `1-1.3`.
    pub path: String,
    /// The serial number, where the device has one.
    pub serial: Option<String>,
}

/// The PCM string for `name`, by the cards listed under `sysfs` ([`SYSFS_SOUND`]).
///
/// | name | opens |
/// | --- | --- |
/// | `1`, `1,0` | `hw:1`, `hw:1,0`: the card's number, which changes with the order of plugging |
/// | `Device` | `hw:CARD=Device`, where a card has that id |
/// | `usb:1-1.3` | the card in this USB port, whatever it is |
/// | `usb:serial=A1B2` | the card with this serial number, wherever it is plugged in |
/// | anything else | itself, as a PCM string: `default`, `plughw:CARD=Device`, `dsnoop:CARD=Device`, `pulse`, `pipewire` |
///
/// # Errors
/// [`DeviceNameError`] where no device can be meant. That a PCM string opens nothing is found out by opening it.
pub fn resolve(name: &str, sysfs: &Path) -> Result<String, DeviceNameError> {
    if name.is_empty() || name.contains('\0') {
        return Err(DeviceNameError::Malformed);
    }
    if let Some(usb) = name.strip_prefix("usb:") {
        return cards(sysfs)
            .find(|&card| {
                usb_name(card, sysfs).is_some_and(|found| match usb.strip_prefix("serial=") {
                    Some(serial) => found.serial.as_deref() == Some(serial),
                    None => found.path == usb,
                })
            })
            .map(|card| format!("hw:{card}"))
            .ok_or(DeviceNameError::NoUsbCard);
    }
    if name.split(',').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(format!("hw:{name}"));
    }
    let is_card =
        cards(sysfs).any(|card| read_line(&card_folder(card, sysfs).join("id")).as_deref() == Some(name));
    Ok(if is_card { format!("hw:CARD={name}") } else { name.to_owned() })
}

/// The lasting names of card number `card`, where it is a USB device.
#[must_use]
pub fn usb_name(card: u32, sysfs: &Path) -> Option<UsbName> {
    let interface = card_folder(card, sysfs).join("device").canonicalize().ok()?;
    // A USB interface's folder is named `1-1.3:1.0`, and its parent is the device `1-1.3`.
    let (path, _) = interface.file_name()?.to_str()?.split_once(':')?;
    let device = interface.parent()?;
    if device.file_name()?.to_str()? != path {
        return None;
    }
    Some(UsbName { path: path.to_owned(), serial: read_line(&device.join("serial")) })
}

fn card_folder(card: u32, sysfs: &Path) -> PathBuf {
    sysfs.join(format!("card{card}"))
}

/// The numbers of the cards, in order.
fn cards(sysfs: &Path) -> impl Iterator<Item = u32> {
    let mut cards: Vec<u32> = std::fs::read_dir(sysfs)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("card")?.parse().ok())
        .collect();
    cards.sort_unstable();
    cards.into_iter()
}

fn read_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    /// A system with a built-in card 0 and USB microphones in the cards 2 and 10.
    fn system() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let sysfs = root.path().join("class/sound");
        let card = |number: u32, id: &str, device: &str| {
            let folder = sysfs.join(format!("card{number}"));
            let device = root.path().join("devices").join(device);
            create_dir_all(&folder).unwrap();
            create_dir_all(&device).unwrap();
            write(folder.join("id"), format!("{id}\n")).unwrap();
            std::os::unix::fs::symlink(&device, folder.join("device")).unwrap();
            device
        };
        card(0, "PCH", "pci0000:00/0000:00:1f.3");
        let device = card(2, "Device", "usb1/1-1/1-1.3/1-1.3:1.0");
        write(device.parent().unwrap().join("serial"), "A1B2\n").unwrap();
        card(10, "Device_1", "usb1/1-1/1-1.4/1-1.4:1.2");
        create_dir_all(sysfs.join("controlC0")).unwrap();
        (root, sysfs)
    }

    #[test]
    fn every_kind_of_name_resolves() {
        let (_root, sysfs) = system();
        for (name, pcm) in [
            ("1", "hw:1"),
            ("1,0", "hw:1,0"),
            ("Device", "hw:CARD=Device"),
            ("PCH", "hw:CARD=PCH"),
            ("default", "default"),
            ("plughw:CARD=Device", "plughw:CARD=Device"),
            ("dsnoop:0,1", "dsnoop:0,1"),
            ("NotThereYet", "NotThereYet"),
            ("usb:1-1.3", "hw:2"),
            ("usb:1-1.4", "hw:10"),
            ("usb:serial=A1B2", "hw:2"),
        ] {
            assert_eq!(resolve(name, &sysfs).as_deref(), Ok(pcm), "{name}");
        }
    }

    #[test]
    fn an_empty_port_is_not_an_empty_name() {
        let (_root, sysfs) = system();
        for name in ["usb:1-1", "usb:1-1.5", "usb:serial=", "usb:serial=FFFF", "usb:"] {
            assert_eq!(resolve(name, &sysfs), Err(DeviceNameError::NoUsbCard), "{name}");
        }
        assert_eq!(resolve("", &sysfs), Err(DeviceNameError::Malformed));
        assert_eq!(resolve("hw:\0", &sysfs), Err(DeviceNameError::Malformed));
    }

    #[test]
    fn only_usb_cards_have_lasting_names() {
        let (_root, sysfs) = system();
        assert_eq!(usb_name(0, &sysfs), None);
        assert_eq!(usb_name(7, &sysfs), None);
        let serial = Some("A1B2".to_owned());
        assert_eq!(usb_name(2, &sysfs), Some(UsbName { path: "1-1.3".into(), serial }));
        assert_eq!(usb_name(10, &sysfs), Some(UsbName { path: "1-1.4".into(), serial: None }));
    }

    #[test]
    fn a_system_without_sound_resolves_what_needs_no_card() {
        let nowhere = Path::new("/nowhere/at/all");
        assert_eq!(resolve("default", nowhere).as_deref(), Ok("default"));
        assert_eq!(resolve("usb:1-1", nowhere), Err(DeviceNameError::NoUsbCard));
    }
}
