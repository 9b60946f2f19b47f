//! Sounds that are computed: silence, noise, hum and tones, each at several levels.

use std::f64::consts::{SQRT_2, TAU};
use std::sync::Arc;

use harmonynet::capture::room::Noise;
use harmonynet::capture::{Access, CaptureError, Granted, Microphone, Reading};
use harmonynet::spec::SAMPLE_RATE_HZ;

use super::Sound;

/// Length of each sound: eight windows.
const SECONDS: usize = 20;
/// Seed of the first noise; each has its own.
const SEED: u64 = 0x5EED;
/// Levels, decibels relative to a full-scale sine: loud, moderate, soft, and just above the default threshold of silence.
const LEVELS: [f64; 4] = [-10.0, -25.0, -40.0, -55.0];
/// Levels of an open microphone in a silent room: its own noise.
const SILENT: [f64; 2] = [-70.0, -85.0];
/// Mains, hertz.
const MAINS: [f64; 2] = [50.0, 60.0];
/// Tones, hertz: from a transformer's to a smoke detector's.
const TONES: [f64; 7] = [110.0, 262.0, 440.0, 1000.0, 1700.0, 3000.0, 6000.0];

/// All of them.
pub(super) fn all() -> Vec<Sound> {
    let mut seeds = SEED..;
    let mut noise = |noise: Noise| {
        let seed = seeds.next().unwrap_or(SEED);
        noise.samples(SAMPLE_RATE_HZ, seed).take(SECONDS * SAMPLE_RATE_HZ as usize).collect::<Vec<f64>>()
    };
    // On the heap: as a constant, silence would make the program 3.5 MB larger.
    let mut sounds = vec![sound("silence", &vec![0.0; SECONDS * SAMPLE_RATE_HZ as usize], 0.0)];
    sounds.extend(SILENT.map(|dbfs| sound("silence", &noise(Noise::White), dbfs)));
    for dbfs in LEVELS {
        sounds.push(sound("white noise", &noise(Noise::White), dbfs));
        sounds.push(sound("pink noise", &noise(Noise::Pink), dbfs));
        sounds.extend(MAINS.map(|hz| sound("hum", &hum(hz), dbfs)));
        sounds.extend(TONES.map(|hz| sound("tone", &tone(hz), dbfs)));
    }
    sounds
}

/// A sound at a level.
fn sound(kind: &'static str, samples: &[f64], dbfs: f64) -> Sound {
    let samples: Arc<[i32]> = levelled(samples, dbfs).into();
    Sound { kind, open: Box::new(move || Ok(Box::new(Played { samples: Arc::clone(&samples), next: 0 }))) }
}

/// Samples with the mean power of a sine of this level, clipped as a converter would, rounded to 24 bits.
fn levelled(samples: &[f64], dbfs: f64) -> Vec<i32> {
    let power = samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64;
    let gain = if power > 0.0 { 10_f64.powf(dbfs / 20.0) / (SQRT_2 * power.sqrt()) } else { 0.0 };
    let full_scale = f64::from(1 << 23);
    samples
        .iter()
        .map(|x| (gain * x * full_scale).round().clamp(-full_scale, full_scale - 1.0) as i32 * 256)
        .collect()
}

/// Mains hum: twenty harmonics, the even ones (a rectifier's) twice as strong.
fn hum(mains_hz: f64) -> Vec<f64> {
    sampled(|seconds| {
        let harmonics = (1..=20).map(|k| {
            let strength = if k % 2 == 0 { 2.0 } else { 1.0 } / f64::from(k);
            strength * (TAU * f64::from(k) * (mains_hz * seconds + 0.1 * f64::from(k))).sin()
        });
        harmonics.sum()
    })
}

fn tone(hz: f64) -> Vec<f64> {
    sampled(|seconds| (TAU * hz * seconds).sin())
}

fn sampled(at: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..SECONDS * SAMPLE_RATE_HZ as usize).map(|n| at(n as f64 / f64::from(SAMPLE_RATE_HZ))).collect()
}

/// Samples as a microphone, once.
struct Played {
    samples: Arc<[i32]>,
    next: usize,
}

impl Microphone for Played {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: SAMPLE_RATE_HZ,
            channels: 1,
            encoding: "self-made",
            period_frames: SAMPLE_RATE_HZ / 100,
            buffer_frames: 0,
            access: Access::Stream,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let left = &self.samples[self.next..];
        let frames = left.len().min(into.len());
        into[..frames].copy_from_slice(&left[..frames]);
        self.next += frames;
        if frames == 0 { Err(CaptureError::Ended) } else { Ok(Reading { lost: 0, frames }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The amplitude of a second of samples at a frequency.
    fn amplitude(samples: &[f64], hz: f64) -> f64 {
        let second = &samples[..SAMPLE_RATE_HZ as usize];
        let sums = second.iter().enumerate().fold([0.0; 2], |[re, im], (n, x)| {
            let (sin, cos) = (TAU * hz * n as f64 / f64::from(SAMPLE_RATE_HZ)).sin_cos();
            [re + x * cos, im + x * sin]
        });
        2.0 / second.len() as f64 * sums[0].hypot(sums[1])
    }

    #[test]
    fn hum_has_its_harmonics_where_they_belong() {
        for mains in MAINS {
            let hum = hum(mains);
            for (k, expected) in [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0 / 3.0), (20.0, 0.1)] {
                assert!((amplitude(&hum, k * mains) - expected).abs() < 1e-6, "{k} times {mains} Hz");
            }
            assert!(amplitude(&hum, 1.5 * mains) < 1e-6 && amplitude(&hum, 21.0 * mains) < 1e-6);
        }
        assert!((amplitude(&tone(440.0), 440.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn levels_are_those_of_a_sine() {
        let sine = levelled(&tone(1000.0), -20.0);
        let peak = f64::from(sine.iter().copied().max().unwrap()) / 2_147_483_648.0;
        assert!((peak - 0.1).abs() < 1e-4, "{peak}");
        let noise: Vec<f64> = Noise::Pink.samples(SAMPLE_RATE_HZ, 1).take(1 << 16).collect();
        let power = |samples: Vec<i32>| {
            samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64
        };
        let ratio = power(levelled(&noise, -20.0)) / power(sine);
        assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
        assert_eq!(levelled(&[0.0; 4], -20.0), [0; 4]);
    }

    #[test]
    fn every_computed_kind_is_there_at_every_level() {
        let sounds = all();
        let count = |kind| sounds.iter().filter(|sound| sound.kind == kind).count();
        assert_eq!(["silence", "white noise", "pink noise", "hum", "tone"].map(count), [3, 4, 4, 8, 28]);
        let mut microphone = (sounds[1].open)().unwrap();
        let (mut frames, mut into) = (0, [0; 1000]);
        while let Ok(reading) = microphone.read(&mut into) {
            frames += reading.frames;
        }
        assert_eq!(frames, SECONDS * SAMPLE_RATE_HZ as usize);
    }
}
