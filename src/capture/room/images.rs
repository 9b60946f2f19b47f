//! The impulse response of a box-shaped room by its image sources.
//!
//! Allen and Berkley, *Image method for efficiently simulating small-room acoustics* (JASA 65, 1979): the walls are
//! mirrors; each mirror image of the loudspeaker sends the same pulse, later, weaker by its distance and by what the
//! walls on its way swallowed. Pulses fall between samples: a windowed sinc places them (Peterson 1986). Images beyond
//! the direct one are moved by up to 8 cm (De Sena et al., IEEE TASLP 23, 2015), since a perfect box sounds sweeping
//! echoes that no real room has.
//!
//! A loudspeaker faces the microphone: above [`CROSSOVER_HZ`] it sends less to the sides and to the back
//! ([`SIDEWAYS`]), so less comes back from there.
//!
//! Walls swallow the treble: absorption is given below and above [`CROSSOVER_HZ`], and two responses are joined there by
//! first-order filters that add up to one.

use std::f64::consts::PI;

use super::super::SplitMix64;

/// Speed of sound at 20 °C, metres per second.
pub const SPEED_OF_SOUND: f64 = 343.2;
/// Where the walls' two absorptions meet, hertz.
pub const CROSSOVER_HZ: f64 = 1000.0;
/// Share of a loudspeaker's treble that depends on the direction, `1 − s + s cos θ`: 4 dB less to the sides, 10 dB less to the
/// back; data sheets of small boxes show about that around 2 kHz.
const SIDEWAYS: f64 = 0.35;
/// Farthest that an image is moved along each axis, metres.
const JITTER: f64 = 0.08;
/// Seed of the moves.
const SEED: u64 = 1;
/// Samples of a pulse on each side of its middle, and steps between two samples.
const REACH: usize = 8;
const STEPS: usize = 64;

/// A box with a loudspeaker and a listener in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shoebox {
    /// Length, width and height, metres.
    pub size: [f64; 3],
    /// Where the loudspeaker stands, metres from the corner at 0.
    pub source: [f64; 3],
    /// Where the microphone stands.
    pub listener: [f64; 3],
    /// Share of the energy that a surface swallows, below and above [`CROSSOVER_HZ`]: of the walls at x = 0 and x = length,
    /// at y = 0 and y = width, of floor and ceiling.
    pub absorption: [[f64; 2]; 6],
}

impl Shoebox {
    /// The time in which sound falls by 60 dB, seconds, below and above [`CROSSOVER_HZ`]: Eyring's formula (1930),
    /// `24 ln 10 / c · V / (−S ln(1 − ᾱ))`.
    #[must_use]
    pub fn reverberation_seconds(&self) -> [f64; 2] {
        let [x, y, z] = self.size;
        let areas = [y * z, y * z, x * z, x * z, x * y, x * y];
        let surface: f64 = areas.iter().sum();
        [0, 1].map(|band| {
            let swallowed: f64 = areas.iter().zip(self.absorption).map(|(area, a)| area * a[band]).sum();
            24.0 * 10_f64.ln() / SPEED_OF_SOUND * x * y * z / (-surface * (1.0 - swallowed / surface).ln())
        })
    }

    /// Seconds that sound needs on the direct way.
    #[must_use]
    pub fn direct_seconds(&self) -> f64 {
        let squares = self.source.iter().zip(self.listener).map(|(s, l)| (s - l) * (s - l));
        squares.sum::<f64>().sqrt() / SPEED_OF_SOUND
    }

    /// The response at a sample rate, as long as the slower band's reverberation; a pulse from one metre away has height 1.
    #[must_use]
    pub fn response(&self, rate_hz: u32) -> Vec<f64> {
        let rate = f64::from(rate_hz);
        let seconds = self.reverberation_seconds().into_iter().fold(0.0, f64::max) + self.direct_seconds();
        let length = (seconds * rate) as usize + 2 * REACH;
        let reach = SPEED_OF_SOUND * seconds;
        let [xs, ys, zs] = [0, 1, 2].map(|axis| self.images(axis, reach));
        let way: [f64; 3] = std::array::from_fn(|axis| self.listener[axis] - self.source[axis]);
        let facing = way.map(|part| part / (self.direct_seconds() * SPEED_OF_SOUND).max(0.1));
        let (pulses, mut random) = (pulses(), SplitMix64::new(SEED));
        let mut bands = [vec![0.0; length], vec![0.0; length]];
        for x in &xs {
            for y in ys.iter().filter(|y| x.at * x.at + y.at * y.at < reach * reach) {
                for z in &zs {
                    let direct = x.reflections + y.reflections + z.reflections == 0;
                    let moved = |at: f64, random: &mut SplitMix64| {
                        if direct { at } else { at + JITTER * random.signed() }
                    };
                    let at = [x.at, y.at, z.at].map(|at| moved(at, &mut random));
                    let distance = at.iter().map(|at| at * at).sum::<f64>().sqrt().max(0.1);
                    let delay = distance / SPEED_OF_SOUND * rate;
                    let (sample, step) = (delay as usize, (delay.fract() * STEPS as f64) as usize);
                    if sample + REACH >= length {
                        continue;
                    }
                    // The way out of the loudspeaker is the mirror image of the way into the microphone.
                    let out = [x, y, z].into_iter().zip(at).zip(facing);
                    let cos =
                        out.map(|((image, at), facing)| -image.sign * at * facing).sum::<f64>() / distance;
                    let sent = [1.0, 1.0 - SIDEWAYS + SIDEWAYS * cos.clamp(-1.0, 1.0)];
                    for (band, response) in bands.iter_mut().enumerate() {
                        let kept = x.kept[band] * y.kept[band] * z.kept[band];
                        let height = sent[band] * kept / distance;
                        // The first sample of the pulse may lie before the response begins.
                        let (from, skipped) =
                            ((sample + 1).saturating_sub(REACH), REACH.saturating_sub(sample + 1));
                        let pulse = &pulses[step][skipped..];
                        response[from..].iter_mut().zip(pulse).for_each(|(to, pulse)| *to += height * pulse);
                    }
                }
            }
        }
        joined(&bands, rate)
    }

    /// The images along one axis that are no farther than `reach`.
    fn images(&self, axis: usize, reach: f64) -> Vec<Image> {
        let (length, source, listener) = (self.size[axis], self.source[axis], self.listener[axis]);
        let kept = |wall: usize, band: usize| (1.0 - self.absorption[2 * axis + wall][band]).sqrt();
        let most = (reach / (2.0 * length)) as i32 + 1;
        let places = (-most..=most).flat_map(|n| [(n, 0), (n, 1)]);
        let images = places.map(|(n, mirrored)| {
            let sign = if mirrored == 1 { -1.0 } else { 1.0 };
            let hits = [(n - mirrored).unsigned_abs(), n.unsigned_abs()];
            Image {
                sign,
                at: sign * source + 2.0 * f64::from(n) * length - listener,
                reflections: hits[0] + hits[1],
                kept: [0, 1]
                    .map(|band| kept(0, band).powi(hits[0] as i32) * kept(1, band).powi(hits[1] as i32)),
            }
        });
        images.filter(|image| image.at.abs() <= reach).collect()
    }
}

/// An image source, seen along one axis.
struct Image {
    /// Metres from the listener.
    at: f64,
    /// −1 where this axis is mirrored.
    sign: f64,
    reflections: u32,
    /// Share of the amplitude that the walls left, by band.
    kept: [f64; 2],
}

/// Pulses for every step between two samples: sinc under a Hann window, middle at `REACH − 1 + step`.
fn pulses() -> Vec<[f64; 2 * REACH]> {
    let pulse = |step: usize| {
        let middle = (REACH - 1) as f64 + (step as f64 + 0.5) / STEPS as f64;
        std::array::from_fn(|n| {
            let t = n as f64 - middle;
            (PI * t).sin() / (PI * t) * 0.5 * (1.0 + (PI * t / REACH as f64).cos())
        })
    };
    (0..STEPS).map(pulse).collect()
}

/// The low band below the crossover and the high band above it.
fn joined(bands: &[Vec<f64>; 2], rate: f64) -> Vec<f64> {
    let weight = 1.0 - (-2.0 * PI * CROSSOVER_HZ / rate).exp();
    let mut low = [0.0; 2];
    let pairs = bands[0].iter().zip(&bands[1]);
    pairs
        .map(|(a, b)| {
            low[0] += weight * (a - low[0]);
            low[1] += weight * (b - low[1]);
            low[0] + b - low[1]
        })
        .collect()
}
