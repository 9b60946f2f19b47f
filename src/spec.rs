//! The front-end specification and the streaming contract: the numbers that training, quantizer, runtime and model
//! manifest share. A model is only right for the numbers it was trained with, so they carry a [fingerprint] and a
//! manifest that differs is refused by [field].
//!
//! [fingerprint]: FrontendSpec::fingerprint
//! [field]: FrontendSpec::difference

mod window; // how much a model hears at once

pub use window::{FRAMES_PER_STEP, MAX_STEPS, MAX_WINDOW_FRAMES, RECEPTIVE_MARGIN, WindowLength};

/// The rate of all sound after capture, in hertz (the paper, section III).
pub const SAMPLE_RATE_HZ: u32 = 22_050;
/// Samples in one analysis window (the paper: 1024).
pub const WINDOW_SAMPLES: usize = 1024;
/// Mel bands in one frame (the paper: 128).
pub const MEL_BANDS: usize = 128;
/// Most labels that a model may have.
pub const MAX_LABELS: usize = 32;
/// Log-mel values lie within ± this, Q8.8: 15.875 octaves of power, so that 127 steps of 1/8 octave hold them.
pub const LOG_MEL_LIMIT: i16 = 4064;

/// How frames are made independent of the microphone's gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)
)]
pub enum LevelHandling {
    /// Frames keep their absolute level: log2 of the band's power, Q8.8, minus `center`. For experiments; never shipped.
    Absolute {
        /// Subtracted from every value, Q8.8 octaves of power.
        center: i16,
    },
    /// A causal tracker's level is subtracted. The tracker is a cumulative mean over the first `frames` frames and an
    /// exponential one (weight 1 / `frames`) from then on, of the frame's log2 total power; frames below `gate` leave it alone.
    Tracked {
        /// Frames of the tracker's memory.
        frames: u16,
        /// Frames whose level lies below this don't move the tracker: [`Level`](crate::flow::Level), Q8.8 octaves.
        gate: i16,
        /// Added after the subtraction so that music lies around zero, Q8.8 octaves of power.
        center: i16,
    },
}

/// Everything that decides a log-mel frame's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct FrontendSpec {
    /// Revision of the arithmetic (rounding, scaling); raised when the same fields would give other numbers.
    pub revision: u16,
    /// Sample rate, hertz.
    pub rate_hz: u32,
    /// Samples in the periodic Hann window.
    pub window: u16,
    /// Samples between frames.
    pub hop: u16,
    /// Number of mel bands.
    pub mel_bands: u16,
    /// Lower edge of the lowest band, hertz.
    pub low_hz: u32,
    /// Upper edge of the highest band, hertz.
    pub high_hz: u32,
    /// Steps of the log scale per octave of power: 256 is Q8.8 log2.
    pub log_steps: u16,
    /// Level handling.
    pub level: LevelHandling,
}

impl FrontendSpec {
    /// The front-end of the shipped models.
    ///
    /// - 22,050 Hz, window 1024, hop 512, 128 bands on mel = 2595·log10(1 + f/700): the paper, section III.
    /// - Upper edge 7200 Hz: the training recordings' bandwidth ends near 8.2 kHz (5th percentile 7.6 kHz) and a 16 kHz
    ///   microphone's resampler is flat to 0.45 · 16 kHz = 7.2 kHz. Above it, training and microphone would disagree.
    /// - Lower edge 32 Hz: the transform's bins 0 and 1, into which a constant offset leaks through the Hann window,
    ///   get no weight.
    /// - Level: subtracting a mean level validated as well as standardizing each excerpt, and a causal tracker keeps a
    ///   frame final once computed.
    pub const SHIPPED: Self = Self {
        revision: 1,
        rate_hz: SAMPLE_RATE_HZ,
        window: WINDOW_SAMPLES as u16,
        hop: 512,
        mel_bands: MEL_BANDS as u16,
        low_hz: 32,
        high_hz: 7200,
        log_steps: 256,
        level: LevelHandling::Tracked { frames: 256, gate: -33 * 256, center: 11 * 256 },
    };

    /// The shipped front-end with absolute levels, for experiments with other normalizations.
    pub const ABSOLUTE: Self = Self { level: LevelHandling::Absolute { center: -20 * 256 }, ..Self::SHIPPED };

    /// The same front-end at another hop: a level tracker remembers the same time in other frames.
    #[must_use]
    pub const fn with_hop(self, hop: u16) -> Self {
        let level = match self.level {
            LevelHandling::Tracked { frames, gate, center } if hop > 0 => {
                let samples = frames as u32 * self.hop as u32;
                let frames = (samples + hop as u32 / 2) / hop as u32;
                let frames = if frames == 0 { 1 } else { frames };
                let frames = if frames > u16::MAX as u32 { u16::MAX } else { frames as u16 };
                LevelHandling::Tracked { frames, gate, center }
            }
            level => level,
        };
        Self { hop, level, ..self }
    }

    /// A 64-bit FNV-1a hash of the [`Display`](core::fmt::Display) form, which names every field. Equal fingerprints mean equal numbers on every machine.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        use core::fmt::Write as _;

        struct Fnv(u64);
        impl core::fmt::Write for Fnv {
            fn write_str(&mut self, s: &str) -> core::fmt::Result {
                for byte in s.bytes() {
                    self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
                Ok(())
            }
        }
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing to the hasher cannot fail.
        let _ = write!(hash, "{self}");
        hash.0
    }

    /// The first field in which `other` differs: its name. `None` where both give the same numbers.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let fields = [
            ("revision", self.revision == other.revision),
            ("rate_hz", self.rate_hz == other.rate_hz),
            ("window", self.window == other.window),
            ("hop", self.hop == other.hop),
            ("mel_bands", self.mel_bands == other.mel_bands),
            ("low_hz", self.low_hz == other.low_hz),
            ("high_hz", self.high_hz == other.high_hz),
            ("log_steps", self.log_steps == other.log_steps),
            ("level", self.level == other.level),
        ];
        fields.into_iter().find_map(|(name, same)| (!same).then_some(name))
    }

    /// Checks that this build can compute the specification.
    ///
    /// # Errors
    /// The field that is out of range, with what is allowed.
    pub fn validate(&self) -> Result<(), SpecError> {
        let wrong = |field, allowed| Err(SpecError { field, allowed });
        if self.revision != Self::SHIPPED.revision {
            return wrong("revision", "1");
        }
        if self.rate_hz != SAMPLE_RATE_HZ {
            return wrong("rate_hz", "22050");
        }
        if usize::from(self.window) != WINDOW_SAMPLES {
            return wrong("window", "1024");
        }
        if self.hop == 0 || self.hop > 4 * self.window {
            return wrong("hop", "1 to 4096");
        }
        if usize::from(self.mel_bands) != MEL_BANDS {
            return wrong("mel_bands", "128");
        }
        if !(32..=4000).contains(&self.low_hz) {
            return wrong("low_hz", "32 to 4000");
        }
        if self.high_hz < 7000 || self.high_hz > SAMPLE_RATE_HZ / 2 {
            return wrong("high_hz", "7000 to 11025");
        }
        if self.log_steps != 256 {
            return wrong("log_steps", "256");
        }
        if let LevelHandling::Tracked { frames: 0, .. } = self.level {
            return wrong("level.frames", "1 to 65535");
        }
        Ok(())
    }
}

impl core::fmt::Display for FrontendSpec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The fingerprint hashes this text: changing it changes every model's manifest.
        write!(
            f,
            "revision {}, {} Hz, Hann {}, hop {}, {} mel bands {}-{} Hz, log2 in steps of 1/{}, level ",
            self.revision,
            self.rate_hz,
            self.window,
            self.hop,
            self.mel_bands,
            self.low_hz,
            self.high_hz,
            self.log_steps
        )?;
        match self.level {
            LevelHandling::Absolute { center } => write!(f, "absolute, center {center}"),
            LevelHandling::Tracked { frames, gate, center } => {
                write!(f, "tracked over {frames} frames, gate {gate}, center {center}")
            }
        }
    }
}

/// A specification that this build cannot compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The field.
    pub field: &'static str,
    /// What is allowed.
    pub allowed: &'static str,
}

impl core::fmt::Display for SpecError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "front-end specification: {} is out of range; allowed: {}", self.field, self.allowed)
    }
}

impl core::error::Error for SpecError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_specification_is_valid_and_its_fingerprint_is_pinned() {
        assert_eq!(FrontendSpec::SHIPPED.validate(), Ok(()));
        assert_eq!(FrontendSpec::ABSOLUTE.validate(), Ok(()));
        // A changed fingerprint means that every trained model is void.
        assert_eq!(FrontendSpec::SHIPPED.fingerprint(), 0x0928_14f2_3737_c348, "{}", FrontendSpec::SHIPPED);
    }

    #[test]
    fn every_field_changes_the_fingerprint_and_is_named() {
        let shipped = FrontendSpec::SHIPPED;
        let changed = [
            ("revision", FrontendSpec { revision: 2, ..shipped }),
            ("rate_hz", FrontendSpec { rate_hz: 16_000, ..shipped }),
            ("window", FrontendSpec { window: 2048, ..shipped }),
            ("hop", FrontendSpec { hop: 1536, ..shipped }),
            ("mel_bands", FrontendSpec { mel_bands: 64, ..shipped }),
            ("low_hz", FrontendSpec { low_hz: 40, ..shipped }),
            ("high_hz", FrontendSpec { high_hz: 8000, ..shipped }),
            ("log_steps", FrontendSpec { log_steps: 128, ..shipped }),
            ("level", FrontendSpec::ABSOLUTE),
            (
                "level",
                FrontendSpec {
                    level: LevelHandling::Tracked { frames: 255, gate: -33 * 256, center: 11 * 256 },
                    ..shipped
                },
            ),
        ];
        for (field, other) in changed {
            assert_ne!(shipped.fingerprint(), other.fingerprint(), "{field}");
            assert_eq!(shipped.difference(&other), Some(field));
        }
        assert_eq!(shipped.difference(&shipped), None);
    }

    #[test]
    fn another_hop_keeps_the_time_of_the_trackers_memory() {
        let frames = |hop| match FrontendSpec::SHIPPED.with_hop(hop).level {
            LevelHandling::Tracked { frames, .. } => frames,
            LevelHandling::Absolute { .. } => 0,
        };
        // 256 · 512 samples, 5.9 s.
        assert_eq!([512, 1536, 4096, 1].map(frames), [256, 85, 32, u16::MAX]);
        assert_eq!(FrontendSpec::SHIPPED.with_hop(512), FrontendSpec::SHIPPED);
        assert_eq!(
            FrontendSpec::ABSOLUTE.with_hop(1536),
            FrontendSpec { hop: 1536, ..FrontendSpec::ABSOLUTE }
        );
        assert_eq!(FrontendSpec::SHIPPED.with_hop(0).validate().map_err(|e| e.field), Err("hop"));
    }

    #[test]
    fn what_this_build_cannot_compute_is_refused_by_field() {
        let shipped = FrontendSpec::SHIPPED;
        for (field, spec) in [
            ("rate_hz", FrontendSpec { rate_hz: 44_100, ..shipped }),
            ("hop", FrontendSpec { hop: 0, ..shipped }),
            ("low_hz", FrontendSpec { low_hz: 0, ..shipped }),
            ("high_hz", FrontendSpec { high_hz: 12_000, ..shipped }),
            (
                "level.frames",
                FrontendSpec { level: LevelHandling::Tracked { frames: 0, gate: 0, center: 0 }, ..shipped },
            ),
        ] {
            assert_eq!(spec.validate().map_err(|e| e.field), Err(field));
        }
    }
}
