//! The data that travels between stages. Plain values of bounded size: nothing here allocates.
//!
//! Time is a sample index at [`SAMPLE_RATE_HZ`](crate::spec::SAMPLE_RATE_HZ), counted from the start of the stream;
//! lost samples count as time passed.

use crate::spec::{LOG_MEL_LIMIT, MAX_LABELS, MEL_BANDS};

/// A position in the stream: samples at 22,050 Hz since it began, lost ones included.
pub type SampleIndex = u64;

/// Most samples that one [`Block`] holds: one hop of the shipped front-end, 23 ms.
pub const BLOCK_SAMPLES: usize = 512;

/// A run of mono samples without a gap inside it (capture → frontend).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Index of the first sample.
    pub start: SampleIndex,
    /// Samples lost directly before `start` (overrun, unplugged microphone, full queue). Not an error: lost sound is
    /// data, and whoever keeps state over time resets it here.
    pub lost: u64,
    /// Mono samples at 22,050 Hz, Q0.31: ±2³¹ is full scale, so a 16-bit sample is shifted left by 16.
    pub samples: heapless::Vec<i32, BLOCK_SAMPLES>,
}

/// A moment: nanoseconds of the monotonic clock of the system, or of a clock that counts samples.
pub type Nanos = u64;

/// When a source says that its sound was captured (capture → trace). Drivers are not always to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// The source has no clock.
    #[default]
    Absent,
    /// The last frame was captured at this moment.
    At(Nanos),
    /// The driver gave zero: it has no time stamps, or the stream doesn't run.
    Zero,
    /// The driver's clock went back to this moment since the period before.
    Backwards(Nanos),
    /// This moment lies in the future or longer ago than sound can wait: it is of another clock.
    Foreign(Nanos),
}

/// The times of one period of a microphone's sound (capture → trace).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodTimes {
    /// Index of the period's first sample, right to a sample.
    pub start: SampleIndex,
    /// Frames of the period, at the source's rate.
    pub frames: u32,
    /// The source's rate, hertz.
    pub rate_hz: u32,
    /// Frames lost directly before the period.
    pub lost: u32,
    /// When the period's last frame was captured, by the source.
    pub captured: Stamp,
    /// When the period was read.
    pub read: Nanos,
    /// When the period was resampled, or the first block that it completed.
    pub resampled: Nanos,
}

/// Most periods that are told with one block; of shorter ones (below 5.8 ms) the others are not told.
pub const PERIODS_PER_BLOCK: usize = 4;

/// The periods that were read since the block before.
pub type Periods = heapless::Vec<PeriodTimes, PERIODS_PER_BLOCK>;

/// One log-mel frame (frontend → classify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMel {
    /// Index of the sample after the last one that this frame covers.
    pub end: SampleIndex,
    /// Level of the whole frame.
    pub level: Level,
    /// Log2 of each band's power relative to the tracked level, Q8.8 (256 is a factor of two, 3.01 dB), within
    /// ±[`LOG_MEL_LIMIT`].
    pub bands: [i16; MEL_BANDS],
}

/// What pictures of the sound show of one moment (pipeline → whoever watches): a column of the spectrogram, and levels. Coarse
/// and lossy; nothing is recognized by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Index of the sample after the last one that it covers.
    pub end: SampleIndex,
    /// The log-mel bands, lowest first, each at its largest: 0–254 in steps of an eighth of an octave of power (0.38 dB) above
    /// −[`LOG_MEL_LIMIT`].
    pub bands: [u8; MEL_BANDS],
    /// Level of the loudest frame.
    pub level: Level,
    /// Largest magnitude of a sample, Q0.31.
    pub peak: u32,
}

impl Glimpse {
    /// A band's value of [`LogMel`] in steps of an eighth of an octave.
    #[must_use]
    pub fn band(value: i16) -> u8 {
        ((value.clamp(-LOG_MEL_LIMIT, LOG_MEL_LIMIT) + LOG_MEL_LIMIT) >> 5) as u8
    }

    /// The largest magnitude in decibels relative to a full-scale sine, −144 where every sample is 0.
    #[must_use]
    pub fn peak_dbfs(&self) -> f32 {
        (20.0 * libm::log10f(self.peak as f32 / (1_u32 << 31) as f32)).max(-144.0)
    }

    /// Whether a sample came within 0.1 dB of full scale. Resampling moves what the converter clipped, so that an exact
    /// comparison would miss most of it.
    #[must_use]
    pub fn is_clipped(&self) -> bool {
        // 2³¹ · 10^(−0.1 / 20)
        self.peak >= 2_122_900_000
    }
}

impl Default for Glimpse {
    fn default() -> Self {
        Self { end: 0, bands: [0; MEL_BANDS], level: Level::SILENCE, peak: 0 }
    }
}

/// Sound level of a frame: log2 of the power inside the mel band, Q8.8, where 0 is a full-scale sine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Level(pub i16);

impl Level {
    /// The level of digital silence: the least that the front-end's integers hold, −143 dBFS.
    pub const SILENCE: Self = Self(-12_182);

    /// The level in decibels relative to a full-scale sine.
    #[must_use]
    pub fn dbfs(self) -> f32 {
        f32::from(self.0) * (core::f32::consts::LOG10_2 * 10.0 / 256.0)
    }

    /// The level nearest to `dbfs` decibels relative to a full-scale sine.
    #[must_use]
    pub fn from_dbfs(dbfs: f32) -> Self {
        Self(libm::roundf(dbfs * (256.0 / (core::f32::consts::LOG10_2 * 10.0))) as i16)
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::SILENCE
    }
}

/// What the classifier says of one window (classify → decide).
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scores {
    /// Index of the sample after the last one in the window.
    pub end: SampleIndex,
    /// One calibrated probability per label, in the model's label order; they sum to 1.
    pub probabilities: heapless::Vec<f32, MAX_LABELS>,
}

impl Scores {
    /// The likeliest label, the lowest index of equals, and its probability. (0, 0.0) where there are no labels.
    #[must_use]
    pub fn leader(&self) -> (u8, f32) {
        let mut leader = (0, self.probabilities.first().copied().unwrap_or(0.0));
        for (label, &p) in self.probabilities.iter().enumerate().skip(1) {
            if p > leader.1 {
                leader = (label as u8, p);
            }
        }
        leader
    }
}

/// What the device believes at one moment (decide → display).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Verdict {
    /// When: the sample index up to which sound was heard.
    pub at: SampleIndex,
    /// What.
    pub state: State,
}

/// The states a listener can be in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase", tag = "state")
)]
#[non_exhaustive]
pub enum State {
    /// Sound, but not yet a whole window of it.
    #[default]
    Listening,
    /// Nothing to hear.
    Silence,
    /// Sound that is none of the labels with enough confidence.
    Unsure {
        /// Index of the likeliest label.
        label: u8,
        /// Its smoothed probability, 0–1.
        confidence: f32,
    },
    /// A genre.
    Genre {
        /// Index of the label shown.
        label: u8,
        /// Its smoothed probability, 0–1.
        confidence: f32,
    },
    /// Something is broken; the display says what.
    Fault {
        /// What is broken.
        fault: Fault,
    },
}

/// What can break while listening. Each names its physical cause; [`Fault::mend`] says what a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Fault {
    /// There is no such microphone (yet).
    MicrophoneMissing,
    /// The microphone was there and went away.
    MicrophoneLost,
    /// The microphone is open but delivers no sound.
    MicrophoneStalled,
    /// Another program holds the microphone.
    MicrophoneBusy,
    /// This user may not open the microphone.
    MicrophoneDenied,
    /// The microphone offers no format that can be read.
    MicrophoneFormat,
    /// The classifier failed or gave a score that is not a number.
    Classifier,
    /// The settings file is broken; other settings are used.
    Settings,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::MicrophoneMissing,
        Self::MicrophoneLost,
        Self::MicrophoneStalled,
        Self::MicrophoneBusy,
        Self::MicrophoneDenied,
        Self::MicrophoneFormat,
        Self::Classifier,
        Self::Settings,
    ];

    /// A word or two for a small display.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::MicrophoneMissing => "no mic",
            Self::MicrophoneLost => "mic lost",
            Self::MicrophoneStalled => "mic stalled",
            Self::MicrophoneBusy => "mic busy",
            Self::MicrophoneDenied => "mic denied",
            Self::MicrophoneFormat => "mic format",
            Self::Classifier => "model",
            Self::Settings => "settings",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            Self::MicrophoneMissing => {
                "plug the microphone in, or name another with --device (see `harmonynet devices`)"
            }
            Self::MicrophoneLost => "plug the microphone in again; listening resumes by itself",
            Self::MicrophoneStalled => "check the cable; it is opened again by itself",
            Self::MicrophoneBusy => {
                "stop the program that uses it, or share it with --device dsnoop:CARD=..."
            }
            Self::MicrophoneDenied => "add the user to the group `audio` and log in again",
            Self::MicrophoneFormat => "choose another device, or its `plughw:` form",
            Self::Classifier => "verify the model with `harmonynet model --verify`",
            Self::Settings => "mend the file: `harmonynet config --check FILE` says what is wrong with it",
        }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::MicrophoneMissing => "there is no such microphone",
            Self::MicrophoneLost => "the microphone went away",
            Self::MicrophoneStalled => "the microphone delivers no sound",
            Self::MicrophoneBusy => "another program holds the microphone",
            Self::MicrophoneDenied => "this user may not open the microphone",
            Self::MicrophoneFormat => "the microphone offers no format that can be read",
            Self::Classifier => "the classifier failed",
            Self::Settings => "the settings file is broken",
        })
    }
}

/// How listening fares, counted since it began (pipeline → whoever asks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Samples heard, lost ones not counted.
    pub heard: u64,
    /// Samples that the microphone lost.
    pub lost: u64,
    /// Samples lost because recognizing was too slow.
    pub dropped: u64,
    /// Verdicts passed over because recognizing was too slow.
    pub passed_over: u64,
    /// Times that the microphone delivered sound after a loss, without having failed.
    pub overruns: u64,
    /// Times that the microphone failed while it was open.
    pub failures: u64,
    /// Blocks that wait to be recognized.
    pub queued: u32,
    /// How many may wait.
    pub queue: u32,
    /// Time that recognizing took.
    pub busy: core::time::Duration,
}

/// A label's text: long enough for every genre name that fits a display.
pub type Label = heapless::String<24>;

/// The labels of a model, in the order of its scores.
pub type Labels = heapless::Vec<Label, MAX_LABELS>;

/// What a display shows (decide → display): everything it needs, so that it never looks anything up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// When, as a sample index.
    pub at: SampleIndex,
    /// The state, with label index and confidence.
    pub state: State,
    /// The label's text for [`State::Genre`] and [`State::Unsure`]; else empty.
    pub label: Label,
    /// The current sound level.
    pub level: Level,
    /// How full the first window is, 0–1; 1 once scores flow.
    pub window_fill: f32,
}
