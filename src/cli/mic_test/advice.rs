//! What the measurement means: findings with their mends, and what to set.

use harmonynet::capture::Channel;
use harmonynet::settings::Settings;

use super::measure::{ChannelHeard, Heard};

/// A run of so many full-scale samples is no accident.
const CLIPPED_RUN: u64 = 3;
/// Nor are so many single ones.
const CLIPPED_RUNS: u64 = 10;
/// A channel that much below the loudest one has no microphone of its own, decibels.
const FAR_BELOW_DB: f64 = 30.0;
/// An offset of this much of full scale costs headroom that is worth a word.
const OFFSET: f64 = 0.02;
/// Hum that is at most so far below the noise floor makes up a good part of it, decibels.
const HUM_BELOW_FLOOR_DB: f64 = 10.0;
/// What is louder than this in its quietest moments is no quiet room.
const QUIET_DBFS: f64 = -40.0;
/// Sound that stands out less than this from the noise floor is none, decibels.
const HEARD_DB: f64 = 6.0;
/// Peak that loud music should have: a quarter of full scale.
const TARGET_PEAK_DBFS: f64 = -12.0;
/// Peak below which more gain is worth the effort.
const FAINT_PEAK_DBFS: f64 = -36.0;
/// How far above the quiet level silence ends. A room's noise varies by less than this.
const ABOVE_QUIET_DB: f32 = 6.0;
/// What a silence threshold may be.
const SILENCE_DBFS: core::ops::RangeInclusive<f32> = -120.0..=-20.0;
/// Channels are each other's opposite from here on.
const OPPOSITE: f64 = -0.8;

/// What the settings say about the source.
#[derive(Clone, Debug, Default)]
pub(super) struct Wiring {
    /// The card, as alsamixer takes it; nothing where the source is no sound card.
    card: Option<String>,
    /// Whether it is a sound card.
    is_device: bool,
    /// Whether the settings say that it is an I2S microphone, which has no gain.
    is_i2s: bool,
    /// What is listened to.
    listened: Channel,
}

impl Wiring {
    /// Of the device by its name, if it is one.
    pub(super) fn of(device: Option<&str>, listened: Channel, settings: &Settings) -> Self {
        let kind = settings.text("microphone.kind").unwrap_or_default();
        Self {
            card: device.and_then(card),
            is_device: device.is_some(),
            is_i2s: device.is_some() && ["inmp441", "sph0645"].contains(&kind),
            listened,
        }
    }
}

/// The card of a microphone's name.
fn card(device: &str) -> Option<String> {
    use harmonynet::capture::{SYSFS_SOUND, resolve};
    let pcm = resolve(device, std::path::Path::new(SYSFS_SOUND)).ok()?;
    let (_, rest) = pcm.split_once(':')?;
    let card = rest.split(',').next()?;
    let card = card.strip_prefix("CARD=").unwrap_or(card);
    (!card.is_empty()).then(|| card.to_string())
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Its name for programs.
    pub(super) kind: &'static str,
    /// The channel, counted from 0, where it is about one.
    pub(super) channel: Option<u8>,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) mend: String,
}

/// Findings and suggestions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Advice {
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
    /// The channel to listen to.
    pub(super) channel: Option<Channel>,
    /// Level below which it is silent, dBFS.
    pub(super) silence_dbfs: Option<f32>,
    /// By how much the gain should be changed, decibels.
    pub(super) gain_db: Option<f64>,
}

impl Advice {
    /// What the measurement means.
    pub(super) fn of(heard: &Heard, wiring: &Wiring) -> Self {
        let mut advice = Self::default();
        let alive = advice.judge_channels(heard, wiring);
        for (index, channel) in (0..).zip(&heard.channels) {
            advice.judge_signal(index, channel);
        }
        advice.judge_gain(heard, &alive, wiring);
        advice.judge_silence(heard);
        if heard.lost > 0 {
            advice.note(
                "lost-samples",
                None,
                format!("{} frames were lost", heard.lost),
                "something else keeps the processor or the USB bus busy; `harmonynet doctor` looks for it",
            );
        }
        if let Some(error) = heard.broke {
            let mend = error.fault().map_or("measure again", harmonynet::flow::Fault::mend);
            advice.note("broke-off", None, error.to_string(), mend);
        }
        advice
    }

    fn note(&mut self, kind: &'static str, channel: Option<u8>, found: String, mend: impl Into<String>) {
        self.findings.push(Finding { kind, channel, found, mend: mend.into() });
    }

    /// Finds the channels that a microphone speaks on, and which one to listen to.
    fn judge_channels(&mut self, heard: &Heard, wiring: &Wiring) -> Vec<u8> {
        let rms = |index: u8| heard.channels[usize::from(index)].signal.rms_dbfs;
        let all = 0..heard.channels.len() as u8;
        let loudest = all.clone().filter(|i| rms(*i).is_some()).max_by(|a, b| {
            let level = |i: u8| rms(i).unwrap_or(f64::NEG_INFINITY);
            level(*a).total_cmp(&level(*b))
        });
        let Some(loudest) = loudest else {
            self.note(
                "dead",
                None,
                "nothing arrives: every sample of every channel is the same".into(),
                "check the wiring of the data line, the supply, and whether capture is switched off (alsamixer, F4)",
            );
            return Vec::new();
        };
        let mut alive = Vec::new();
        for index in all {
            let listened = wiring.listened == Channel::Pick(index);
            match rms(index).zip(rms(loudest)) {
                Some((level, most)) if most - level < FAR_BELOW_DB => alive.push(index),
                known => {
                    let kind = if known.is_none() { "dead-channel" } else { "silent-channel" };
                    let found = known.map_or_else(
                        || "every sample is the same".to_string(),
                        |(level, most)| format!("it is {:.0} dB below channel {}", most - level, loudest + 1),
                    );
                    let mend = if listened {
                        format!(
                            "listen to channel {} instead, or move the wire that selects the side",
                            loudest + 1
                        )
                    } else {
                        format!("normal where one microphone is wired: listen to channel {}", loudest + 1)
                    };
                    self.note(kind, Some(index), found, mend);
                }
            }
        }
        self.channel = Some(self.choose(heard, &alive, loudest, wiring.listened));
        alive
    }

    /// The channel to listen to: the one that is listened to, unless another is better.
    fn choose(&mut self, heard: &Heard, alive: &[u8], loudest: u8, listened: Channel) -> Channel {
        let kept = match listened {
            Channel::Pick(index) => alive.contains(&index).then_some(listened),
            Channel::Mix => None,
        };
        let both = |a: &u8, b: &u8| alive.contains(a) && alive.contains(b);
        let pairs = || heard.pairs.iter().filter(|(a, b, _)| both(a, b));
        if let Some((a, b, _)) = pairs().find(|pair| pair.2.correlation.is_some_and(|r| r < OPPOSITE)) {
            self.note(
                "inverted-channels",
                Some(*b),
                format!("it is the opposite of channel {}: their mean is nearly nothing", a + 1),
                "listen to one of them, not to mix; one capsule or wire pair is reversed",
            );
            return kept.unwrap_or(Channel::Pick(loudest));
        }
        if alive.len() < heard.channels.len() {
            return kept.unwrap_or(Channel::Pick(loudest));
        }
        let identical = pairs().count() > 0 && pairs().all(|(_, _, pair)| pair.identical);
        if identical {
            self.note(
                "identical-channels",
                None,
                "all channels are the same, sample by sample".into(),
                "nothing to do: one microphone, delivered more than once",
            );
            return kept.unwrap_or(Channel::Pick(0));
        }
        kept.unwrap_or(Channel::Mix)
    }

    fn judge_signal(&mut self, index: u8, channel: &ChannelHeard) {
        let signal = &channel.signal;
        if signal.constant {
            return;
        }
        if signal.offset.abs() > OFFSET {
            self.note(
                "offset",
                Some(index),
                format!("an offset of {:+.1} % of full scale", 100.0 * signal.offset),
                "nothing to do: it is removed before recognition, and costs only headroom",
            );
        }
        let Some(hum) = signal.hum else { return };
        let floor = signal.floor_dbfs.unwrap_or(f64::NEG_INFINITY);
        if hum.level_dbfs > floor - HUM_BELOW_FLOOR_DB {
            self.note(
                "hum",
                Some(index),
                format!(
                    "hum of the {} Hz mains at {:.0} dBFS, strongest at {} Hz",
                    hum.mains_hz, hum.level_dbfs, hum.strongest_hz
                ),
                "use another power supply, keep signal wires short and away from it, connect grounds at one point",
            );
        }
    }

    /// Too much, too little, or right; by the loudest of the channels that a microphone speaks on.
    fn judge_gain(&mut self, heard: &Heard, alive: &[u8], wiring: &Wiring) {
        let signals = || alive.iter().map(|i| (*i, &heard.channels[usize::from(*i)].signal));
        let clipped = signals().find(|(_, signal)| {
            signal.clipping.longest >= CLIPPED_RUN || signal.clipping.runs >= CLIPPED_RUNS
        });
        if let Some((index, signal)) = clipped {
            self.gain_db = Some(TARGET_PEAK_DBFS);
            let clipping = signal.clipping;
            self.note(
                "clipping",
                Some(index),
                format!(
                    "{} samples at full scale in {} runs, the longest of {}",
                    clipping.samples, clipping.runs, clipping.longest
                ),
                wiring.gain(TARGET_PEAK_DBFS),
            );
            return;
        }
        let levels = |(_, signal): (u8, &harmonynet::capture::meter::ChannelReport)| {
            Some((signal.peak_dbfs?, signal.rms_dbfs?, signal.floor_dbfs?))
        };
        let Some((peak, rms, floor)) = signals().filter_map(levels).max_by(|a, b| a.0.total_cmp(&b.0)) else {
            return;
        };
        if rms - floor < HEARD_DB && floor <= QUIET_DBFS {
            self.note(
                "nothing-heard",
                None,
                "only a steady sound was heard, such as noise: level and gain are not judged".into(),
                "measure again, with some seconds of quiet and then music",
            );
        } else if peak < FAINT_PEAK_DBFS {
            let gain = TARGET_PEAK_DBFS - peak;
            // Where there is nothing to turn, nothing is suggested.
            self.gain_db = (!wiring.is_i2s).then_some(gain);
            let found = format!("the loudest moment is {peak:.0} dBFS");
            self.note("faint", None, found, wiring.gain(gain));
        }
    }

    fn judge_silence(&mut self, heard: &Heard) {
        let quiet = match self.channel {
            None => return,
            Some(Channel::Mix) if heard.channels.len() > 1 => heard.mix_quiet_dbfs,
            Some(Channel::Mix) => heard.channels.first().and_then(|channel| channel.quiet_dbfs),
            Some(Channel::Pick(index)) => {
                heard.channels.get(usize::from(index)).and_then(|channel| channel.quiet_dbfs)
            }
        };
        match quiet {
            Some(quiet) if f64::from(quiet) <= QUIET_DBFS => {
                let threshold = (quiet + ABOVE_QUIET_DB).ceil();
                self.silence_dbfs = Some(threshold.clamp(*SILENCE_DBFS.start(), *SILENCE_DBFS.end()));
            }
            Some(quiet) => self.note(
                "no-quiet",
                None,
                format!("it was never quieter than {quiet:.0} dBFS: no silence threshold is suggested"),
                "measure again, with some seconds of quiet",
            ),
            None => self.note(
                "short",
                None,
                "too short for a noise floor".into(),
                "measure for ten seconds, some of them quiet",
            ),
        }
    }
}

impl Wiring {
    /// How to change the gain by so many decibels.
    fn gain(&self, db: f64) -> String {
        if self.is_i2s {
            return "an I2S microphone has no gain to turn, and recognition does not depend on the level; only \
                    verdict.silence_dbfs must lie below the music"
                .into();
        }
        let (way, much) = if db < 0.0 { ("lower", -db) } else { ("raise", db) };
        let card = self.card.as_ref().map_or_else(String::new, |card| format!(" -c {card}"));
        if self.is_device {
            let sign = if db < 0.0 { '-' } else { '+' };
            format!(
                "{way} the capture gain by about {much:.0} dB and measure again: `alsamixer{card}` (F4), or `amixer{card} \
                 sset Mic {much:.0}dB{sign}` (`amixer{card} scontrols` names the control)"
            )
        } else {
            format!("{way} the gain by about {much:.0} dB where it was recorded")
        }
    }
}

#[cfg(test)]
mod tests;
