//! What a rig is and what it must reach: a TOML file. The only file of the program that names `toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The rig that is built in.
const VIRTUAL: &str = include_str!("../../../tests/hil/virtual.toml");

/// A rig.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rig {
    /// What it is called in reports.
    pub(super) name: String,
    /// How sound gets in and light out: a table with the mode's name.
    #[serde(flatten)]
    pub(super) mode: Mode,
    /// What records the air beside the rig; an acoustic one has it.
    pub(super) record: Option<Record>,
    pub(super) stimulus: Stimulus,
    #[serde(default)]
    pub(super) live: Live,
    #[serde(default)]
    pub(super) thresholds: Thresholds,
}

/// The modes that there are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// No hardware; time is counted in samples.
    Virtual(Simulated),
    /// Wires: the rig's output into the microphone's input, the display's line into the rig.
    Gpio(Wired),
    /// Loudspeaker and photodiode.
    Acoustic(Wired),
}

impl Mode {
    /// Its name in the file.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Virtual(_) => "virtual",
            Self::Gpio(_) => "gpio",
            Self::Acoustic(_) => "acoustic",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Simulated {
    pub(super) sound_ms: f64,
    pub(super) light_ms: f64,
    #[serde(default)]
    pub(super) undeclared_ms: f64,
    pub(super) noise_dbfs: f64,
}

/// A stimulus-and-stopwatch and what hangs on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wired {
    /// The serial port.
    pub(super) port: PathBuf,
    /// From the trigger to the sound at the microphone, and from the display's wires to the edge, milliseconds.
    pub(super) sound_ms: f64,
    pub(super) light_ms: f64,
    /// A light that is dark for less has not gone out.
    pub(super) dark_ms: f64,
    /// The genre's light is a decision from this on.
    pub(super) hold_ms: f64,
}

/// A recording beside the rig.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// ALSA's name of it, as for `--device`.
    pub(super) device: String,
    /// Its channel with the microphone, and the one with what is sent to the loudspeaker; counted from 1.
    pub(super) microphone: u8,
    pub(super) reference: u8,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stimulus {
    pub(super) bursts: usize,
    pub(super) pieces: usize,
    pub(super) seed: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Live {
    pub(super) seconds: f64,
}

/// The most of each; absent where it isn't checked.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thresholds {
    pub(super) onset_error_samples: Option<f64>,
    pub(super) rig_error_ms: Option<f64>,
    pub(super) sound_error_ms: Option<f64>,
    pub(super) clock_error_ms: Option<f64>,
    pub(super) path_p50_ms: Option<f64>,
    pub(super) path_max_ms: Option<f64>,
    pub(super) decision_p50_ms: Option<f64>,
    pub(super) decision_max_ms: Option<f64>,
    pub(super) missed: Option<f64>,
    pub(super) r#false: Option<f64>,
    pub(super) overruns: Option<f64>,
    pub(super) lost_frames: Option<f64>,
    pub(super) passed_over: Option<f64>,
}

impl Rig {
    /// The rig of a file; the virtual one that is built in where none is named.
    pub(super) fn read(file: Option<&Path>) -> Result<Self> {
        match file {
            None => Self::of(VIRTUAL).context("the built-in rig"),
            Some(file) => std::fs::read_to_string(file)
                .map_err(anyhow::Error::from)
                .and_then(|text| Self::of(&text))
                .with_context(|| file.display().to_string()),
        }
    }

    fn of(text: &str) -> Result<Self> {
        let rig: Self = toml::from_str(text)?;
        rig.validate()?;
        Ok(rig)
    }

    /// Says which field is wrong.
    fn validate(&self) -> Result<()> {
        let Stimulus { bursts, pieces, .. } = self.stimulus;
        ensure!((1..=10_000).contains(&bursts), "stimulus.bursts {bursts}: wants 1 to 10000");
        ensure!(pieces <= 100, "stimulus.pieces {pieces}: wants 0 to 100");
        let live = self.live.seconds;
        ensure!((0.0..=30.0).contains(&live), "live.seconds {live}: wants 0 to 30");
        let within = |name: &str, value: f64, least: f64, most: f64| {
            let mode = self.mode.name();
            ensure!((least..=most).contains(&value), "{mode}.{name} {value}: wants {least} to {most}");
            Ok(())
        };
        if let Some(record) = &self.record {
            for (name, channel) in [("microphone", record.microphone), ("reference", record.reference)] {
                ensure!((1..=8).contains(&channel), "record.{name} {channel}: wants 1 to 8");
            }
            ensure!(record.microphone != record.reference, "record.reference: wants a channel of its own");
        }
        match &self.mode {
            Mode::Virtual(_) => ensure!(self.record.is_none(), "record: a virtual rig records itself"),
            Mode::Acoustic(_) => ensure!(
                self.record.is_some(),
                "[record] is missing: device, microphone and reference, which say where sound arrives"
            ),
            Mode::Gpio(_) => {}
        }
        match &self.mode {
            Mode::Virtual(simulated) => {
                within("sound_ms", simulated.sound_ms, 0.0, 100.0)?;
                within("light_ms", simulated.light_ms, 0.0, 100.0)?;
                within("undeclared_ms", simulated.undeclared_ms, 0.0, 100.0)?;
                within("noise_dbfs", simulated.noise_dbfs, -140.0, -65.0)
            }
            Mode::Gpio(wired) | Mode::Acoustic(wired) => {
                within("sound_ms", wired.sound_ms, 0.0, 100.0)?;
                within("light_ms", wired.light_ms, 0.0, 100.0)?;
                within("dark_ms", wired.dark_ms, 0.0, 100.0)?;
                within("hold_ms", wired.hold_ms, 0.0, 4000.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rig_is_right_and_a_wrong_field_is_named() {
        let rig = Rig::of(VIRTUAL).unwrap();
        assert_eq!((rig.name.as_str(), rig.mode.name()), ("virtual", "virtual"));
        assert!(rig.stimulus.bursts >= 200, "a median of at least 200");
        let wrong = |from: &str, to: &str| format!("{:#}", Rig::of(&VIRTUAL.replace(from, to)).unwrap_err());
        assert!(wrong("bursts = 240", "bursts = 0").contains("stimulus.bursts 0"));
        assert!(wrong("light_ms = 7.5", "light_ms = -1.0").contains("virtual.light_ms -1"));
        assert!(wrong("missed = 0", "mist = 0").contains("mist"));
    }

    #[test]
    fn the_rigs_of_hardware_are_right() {
        let (gpio, acoustic, loopback) = (
            include_str!("../../../tests/hil/gpio.toml"),
            include_str!("../../../tests/hil/acoustic.toml"),
            include_str!("../../../tests/hil/loopback.toml"),
        );
        for (text, name, mode) in
            [(gpio, "gpio", "gpio"), (acoustic, "acoustic", "acoustic"), (loopback, "loopback", "gpio")]
        {
            let rig = Rig::of(text).unwrap();
            assert_eq!((rig.name.as_str(), rig.mode.name()), (name, mode));
            assert!(rig.stimulus.bursts >= 200, "a median of at least 200");
        }
        let error =
            format!("{:#}", Rig::of(&acoustic.replace("hold_ms = 1000", "hold_ms = -1")).unwrap_err());
        assert!(error.contains("acoustic.hold_ms -1"), "{error}");
        let wrong = |from: &str, to: &str| format!("{:#}", Rig::of(&acoustic.replace(from, to)).unwrap_err());
        assert!(wrong("reference = 2", "reference = 9").contains("record.reference 9"));
        assert!(wrong("reference = 2", "reference = 1").contains("a channel of its own"));
        let (before, after) = (acoustic.find("[record]").unwrap(), acoustic.find("[stimulus]").unwrap());
        let deaf = Rig::of(&[&acoustic[..before], &acoustic[after..]].concat()).unwrap_err();
        assert!(format!("{deaf:#}").contains("[record] is missing"), "{deaf:#}");
    }
}
