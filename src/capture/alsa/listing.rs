//! What there is to know about the microphones of a system, and how it is written down.

use crate::capture::{CaptureError, UsbName};

/// A capture device of a sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The card's number, which changes with the order of plugging.
    pub card: u32,
    /// The card's id, such as `Device`.
    pub card_id: String,
    /// The card's name, such as `USB PnP Sound Device`.
    pub card_name: String,
    /// The device's number on the card.
    pub device: u32,
    /// The device's id, such as `USB Audio`.
    pub device_id: String,
    /// The device's name.
    pub device_name: String,
    /// How many streams it can capture, and how many of them are free.
    pub subdevices: (u32, u32),
    /// The names that last, where the card is a USB device.
    pub usb: Option<UsbName>,
    /// What the hardware offers, or why that could not be found out ([`CaptureError::Busy`]).
    pub offers: Result<Offers, CaptureError>,
}

/// What the hardware of a device offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// ALSA's names of all sample formats, also of those that can't be read here.
    pub formats: Vec<String>,
    /// Fewest and most channels.
    pub channels: (u32, u32),
    /// Lowest and highest rate, hertz.
    pub rates_hz: (u32, u32),
    /// The rates among them that can be read here, hertz.
    pub usable_rates_hz: Vec<u32>,
}

/// A PCM of the configuration that several programs may use at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Its PCM string.
    pub name: String,
    /// What the configuration says about it, in one line.
    pub description: String,
}

impl Device {
    /// The PCM string that opens it, by the card's id.
    #[must_use]
    pub fn pcm(&self) -> String {
        format!("hw:CARD={},DEV={}", self.card_id, self.device)
    }
}

/// As `arecord -l` writes it, and below it what the device offers and its names.
impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (total, free) = self.subdevices;
        writeln!(
            f,
            "card {}: {} [{}], device {}: {} [{}]",
            self.card, self.card_id, self.card_name, self.device, self.device_id, self.device_name
        )?;
        writeln!(f, "  subdevices  {free} of {total} free")?;
        match &self.offers {
            Ok(offers) => offers.fmt(f)?,
            Err(error) => writeln!(f, "  offers      unknown: {error}")?,
        }
        write!(f, "  names       {}  {}", self.pcm(), self.card_id)?;
        if let Some(usb) = &self.usb {
            write!(f, "  usb:{}", usb.path)?;
            if let Some(serial) = &usb.serial {
                write!(f, "  usb:serial={serial}")?;
            }
        }
        writeln!(f)
    }
}

impl std::fmt::Display for Offers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range =
            |(low, high): (u32, u32)| if low == high { format!("{low}") } else { format!("{low}–{high}") };
        writeln!(f, "  formats     {}", self.formats.join(" "))?;
        writeln!(f, "  channels    {}", range(self.channels))?;
        let usable: Vec<String> = self.usable_rates_hz.iter().map(u32::to_string).collect();
        let usable = if usable.is_empty() { "none".to_owned() } else { usable.join(" ") };
        writeln!(f, "  rates       {} Hz; usable: {usable}", range(self.rates_hz))
    }
}

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n  {}", self.name, self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microphone(offers: Result<Offers, CaptureError>) -> Device {
        Device {
            card: 1,
            card_id: "Device".into(),
            card_name: "USB PnP Sound Device".into(),
            device: 0,
            device_id: "USB Audio".into(),
            device_name: "USB Audio".into(),
            subdevices: (1, 1),
            usb: Some(UsbName { path: "1-1.3".into(), serial: Some("A1B2".into()) }),
            offers,
        }
    }

    #[test]
    fn a_device_shows_what_it_is_and_what_it_is_called() {
        let offers = Offers {
            formats: vec!["S16_LE".into(), "S24_3LE".into()],
            channels: (1, 1),
            rates_hz: (44_100, 48_000),
            usable_rates_hz: vec![48_000, 44_100],
        };
        let expected = "\
card 1: Device [USB PnP Sound Device], device 0: USB Audio [USB Audio]
  subdevices  1 of 1 free
  formats     S16_LE S24_3LE
  channels    1
  rates       44100–48000 Hz; usable: 48000 44100
  names       hw:CARD=Device,DEV=0  Device  usb:1-1.3  usb:serial=A1B2
";
        assert_eq!(microphone(Ok(offers)).to_string(), expected);
    }

    #[test]
    fn a_busy_device_says_so() {
        let text = microphone(Err(CaptureError::Busy)).to_string();
        assert!(text.contains("unknown: another program holds the microphone"), "{text}");
    }
}
