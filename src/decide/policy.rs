//! The configuration of deciding: how patient, how sure, how quiet.

use crate::spec::{FrontendSpec, SAMPLE_RATE_HZ, WindowLength};

/// How scores become verdicts. Times are in samples at 22,050 Hz, so nothing depends on how often verdicts come.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Policy {
    /// Time constant of the smoothing: evidence this old weighs 1/e. Samples.
    pub memory_samples: u32,
    /// Probabilities below this count as this, so that one absurd window cannot outweigh the rest.
    pub floor: f32,
    /// Smoothed confidence from which a genre is shown. The model's manifest has the value that fits it.
    pub unsure_below: f32,
    /// A shown genre turns unsure only when its confidence lies this much below `unsure_below`.
    pub unsure_hysteresis: f32,
    /// How many times as likely as the label on show another one must be to replace it.
    pub lead: f32,
    /// How long it must lead. Samples.
    pub settle_samples: u32,
    /// How long a shown genre stays at least. Samples.
    pub hold_samples: u32,
    /// Frames below this level are silent, decibels relative to a full-scale sine. I2S microphones deliver low levels
    /// (94 dB SPL at −26 dBFS is usual): set it near −75 where quiet music at home must count.
    pub silence_dbfs: f32,
    /// Sound begins this many decibels above `silence_dbfs`.
    pub silence_hysteresis_db: f32,
    /// How long silence lasts before it is one. Samples.
    pub silence_after_samples: u32,
    /// How long sound lasts before it ends a silence, so that a click doesn't. Samples.
    pub sound_after_samples: u32,
    /// Samples that the classifier's window spans.
    pub window_samples: u32,
}

/// Samples in `millis` milliseconds.
const fn samples(millis: u32) -> u32 {
    millis * SAMPLE_RATE_HZ / 1000
}

impl Policy {
    /// The policy for the shipped front-end and streaming contract.
    ///
    /// - Memory 2 s: the window itself spans 3.88 s, and consecutive windows share most of their sound; a longer memory
    ///   delays a change without steadying much.
    /// - Floor 0.001: one verdict weighs 24 % (0.557 s of 2 s), so the worst window moves a belief of 10 to 1 just to
    ///   the middle.
    pub const DEFAULT: Self = Self {
        memory_samples: samples(2000),
        floor: 0.001,
        unsure_below: 0.45,
        unsure_hysteresis: 0.05,
        lead: 1.5,
        settle_samples: samples(500),
        hold_samples: samples(2000),
        silence_dbfs: -60.0,
        silence_hysteresis_db: 6.0,
        silence_after_samples: samples(1500),
        sound_after_samples: samples(200),
        window_samples: WindowLength::SHIPPED.samples(FrontendSpec::SHIPPED.hop),
    };

    /// The same policy for a model with this window, whose front-end has this hop.
    #[must_use]
    pub const fn for_window(self, window: WindowLength, hop: u16) -> Self {
        Self { window_samples: window.samples(hop), ..self }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of range (or not a number), its value and what is allowed.
    pub fn validate(&self) -> Result<(), PolicyError> {
        const MINUTE: u32 = 60 * SAMPLE_RATE_HZ;
        let real = |field, value: f32, low: f32, high: f32, allowed| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(PolicyError { field, value, allowed }) }
        };
        let time = |field, value: u32, low: u32, allowed| {
            if (low..=MINUTE).contains(&value) {
                Ok(())
            } else {
                Err(PolicyError { field, value: value as f32, allowed })
            }
        };
        let any = "0 to 1323000 samples (60 s)";
        let some = "1 to 1323000 samples (60 s)";
        time("memory_samples", self.memory_samples, 1, some)?;
        real("floor", self.floor, 1e-9, 0.02, "1e-9 to 0.02")?;
        real("unsure_below", self.unsure_below, 0.0, 1.0, "0 to 1")?;
        real("unsure_hysteresis", self.unsure_hysteresis, 0.0, 0.5, "0 to 0.5")?;
        real("lead", self.lead, 1.0, 100.0, "1 to 100")?;
        time("settle_samples", self.settle_samples, 0, any)?;
        time("hold_samples", self.hold_samples, 0, any)?;
        real("silence_dbfs", self.silence_dbfs, -120.0, -20.0, "-120 to -20")?;
        real("silence_hysteresis_db", self.silence_hysteresis_db, 0.0, 20.0, "0 to 20")?;
        time("silence_after_samples", self.silence_after_samples, 0, any)?;
        time("sound_after_samples", self.sound_after_samples, 0, any)?;
        time("window_samples", self.window_samples, 1, some)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A policy that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: f32,
    /// What is allowed.
    pub allowed: &'static str,
}

impl core::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "decision policy: {} is {}; allowed: {}", self.field, self.value, self.allowed)
    }
}

impl core::error::Error for PolicyError {}
