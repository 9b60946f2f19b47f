//! What the device plays: whole numbers only, as its processor knows no others, the same on every machine.

use crate::Sound;

/// Samples a second.
pub const RATE_HZ: u32 = 48_000;
/// Bits of the pin for each sample.
pub const BITS: u32 = 32;
/// What the pin's own clock must be.
pub const BIT_HZ: u32 = RATE_HZ * BITS;

/// A full turn is 2³²: this much per sample is one hertz.
const HERTZ: u32 = (1 << 31) / (RATE_HZ / 2);

/// Samples of the chirp: from 500 to 7500 Hz, the one that hosts look for in recordings.
const CHIRP: u32 = 1024;
/// Samples over which it swells and fades.
const EDGE: u32 = CHIRP / 8;
/// Samples of the noise behind it.
const TAIL: u32 = 10_000;

/// Samples of a beat: 120 a minute.
const BEAT: u32 = RATE_HZ / 2;
/// Bass and three voices of each chord, hertz: A minor, F, C and G major.
const CHORDS: [[u32; 4]; 4] =
    [[110, 220, 262, 330], [87, 175, 220, 262], [131, 262, 330, 392], [98, 196, 247, 294]];

/// The samples of a sound, to its end.
#[derive(Clone, Debug)]
pub struct Samples {
    sound: Sound,
    length: u32,
    next: u32,
    /// Of the four voices and the drum, in turns.
    phases: [u32; 5],
    /// Within a beat, and which one.
    in_beat: u32,
    beat: usize,
    /// Of noise.
    register: u32,
}

impl Samples {
    /// From the first one on.
    #[must_use]
    pub fn new(sound: Sound) -> Self {
        let length = match sound {
            Sound::Burst => CHIRP + TAIL,
            Sound::Music { millis } => u32::from(millis) * (RATE_HZ / 1000),
        };
        Self { sound, length, next: 0, phases: [0; 5], in_beat: 0, beat: 0, register: 1 }
    }

    fn burst(&mut self) -> i32 {
        if self.next >= CHIRP {
            return if self.noise() { 8192 } else { -8192 };
        }
        // In half samples, as the chirp is taken in the middle of each. The phase is 2π (f₀ t + (f₁ − f₀) t² / 2T).
        let twice = u64::from(2 * self.next + 1);
        let turn = twice * (500 * u64::from(HERTZ) / 2)
            + twice * twice * (7000 * u64::from(HERTZ) / (8 * u64::from(CHIRP)));
        let height = (self.next + 1).min(CHIRP - self.next).min(EDGE) as i32;
        sine(turn as u32) / 2 * height / EDGE as i32
    }

    fn music(&mut self) -> i32 {
        let chord = CHORDS[self.beat / 2 % CHORDS.len()];
        // Chords that fade within a beat, a drum that falls from 190 to 40 Hz on every beat, a rattle between two.
        let rest = (BEAT / 4).saturating_sub(self.in_beat);
        let hertz = [chord[0], chord[1], chord[2], chord[3], 40 + rest / 40];
        let mut sum = 0;
        for (phase, hertz) in self.phases.iter_mut().zip(hertz) {
            *phase = phase.wrapping_add(hertz * HERTZ);
        }
        for phase in &self.phases[..4] {
            sum += sine(*phase) / 8 * (BEAT - self.in_beat) as i32 / BEAT as i32;
        }
        sum += sine(self.phases[4]) / 4 * (rest / 16) as i32 / (BEAT / 64) as i32;
        let since_half = self.in_beat.wrapping_sub(BEAT / 2);
        let rattle = if self.noise() { 4096 } else { -4096 };
        if since_half < BEAT / 16 {
            sum += rattle;
        }
        self.in_beat += 1;
        if self.in_beat == BEAT {
            (self.in_beat, self.beat) = (0, self.beat + 1);
        }
        sum
    }

    /// The next bit of a maximum-length sequence, x¹⁵ + x + 1.
    fn noise(&mut self) -> bool {
        let bit = (self.register ^ (self.register >> 1)) & 1;
        self.register = (self.register >> 1) | (bit << 14);
        bit == 1
    }
}

impl Iterator for Samples {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        if self.next >= self.length {
            return None;
        }
        let sample = match self.sound {
            Sound::Burst => self.burst(),
            Sound::Music { .. } => self.music(),
        };
        self.next += 1;
        Some(sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }
}

/// A sine of full scale, as two parabolas: 3.8 % of it is the third harmonic.
fn sine(turn: u32) -> i32 {
    let half = (turn as i32) >> 16;
    (half * (32_768 - half.abs())) >> 13
}

/// Samples as bits of a pin: pulse density, the first bit first. A low-pass of 20 kHz behind the pin makes sound of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct PulseDensity {
    owed: i32,
}

impl PulseDensity {
    /// The bits of the next sample, the highest first.
    pub fn bits(&mut self, sample: i16) -> u32 {
        (0..BITS).fold(0, |bits, _| {
            self.owed += i32::from(sample);
            let bit = self.owed >= 0;
            self.owed -= if bit { 32_768 } else { -32_768 };
            bits << 1 | u32::from(bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_a_chirp_and_noise_behind_it() {
        let burst: Vec<i16> = Samples::new(Sound::Burst).collect();
        assert_eq!(burst.len(), 11_024);
        // The formula in f64, without the parabolas' third harmonic and with edges as steep.
        let exact = |n: f64| {
            let seconds = n / 48_000.0;
            (std::f64::consts::TAU
                * (500.0 * seconds + 7000.0 * seconds * seconds / (2.0 * 1024.0 / 48_000.0)))
                .sin()
        };
        let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
        for (n, sample) in burst[..1024].iter().enumerate() {
            let (a, b) = (f64::from(*sample), exact(n as f64 + 0.5));
            both += a * b;
            ours += a * a;
            theirs += b * b;
        }
        let likeness = both / (ours * theirs).sqrt();
        assert!(likeness > 0.95, "{likeness}");
        assert!(burst[1024..].iter().all(|sample| sample.abs() == 8192));
        let balance: i32 = burst[1024..].iter().map(|sample| i32::from(*sample) / 8192).sum();
        assert!(balance.abs() < 300, "{balance}");
    }

    #[test]
    fn music_lasts_as_long_as_it_should_and_is_neither_silent_nor_clipped() {
        let music: Vec<i16> = Samples::new(Sound::Music { millis: 9000 }).collect();
        assert_eq!(music.len(), 432_000);
        let power = music.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / music.len() as f64;
        assert!((2000.0..12_000.0).contains(&power.sqrt()), "{}", power.sqrt());
        assert!(music.iter().all(|x| x.unsigned_abs() < 32_767));
    }

    #[test]
    fn the_pins_bits_have_the_samples_mean() {
        for sample in [-30_000, -12_345, 0, 1, 8192, 32_000] {
            let mut pin = PulseDensity::default();
            let ones: u32 = (0..1000).map(|_| pin.bits(sample).count_ones()).sum();
            let mean = f64::from(ones) / 16_000.0 - 1.0;
            assert!((mean - f64::from(sample) / 32_768.0).abs() < 1e-4, "{sample}: {mean}");
        }
    }
}
