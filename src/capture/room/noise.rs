//! Noises of rooms, made from random numbers: equal seeds give equal noise.
//!
//! Not for training: what a model is judged by must be new to it.

use std::f64::consts::TAU;

use super::super::SplitMix64;
use super::filter::{Bend, Chain, Section};

/// A kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Noise {
    /// Equal power in every hertz.
    White,
    /// Equal power in every octave: ventilation, distant traffic.
    Pink,
    /// A fan: the hum of its blades, 118 Hz with harmonics, in rushing air.
    Fan,
    /// Six people talking at once, nobody understood.
    Babble,
}

impl Noise {
    /// The noise as a person would call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::White => "white noise",
            Self::Pink => "pink noise",
            Self::Fan => "fan",
            Self::Babble => "babble",
        }
    }

    /// The noise's samples: endless, of moderate but unstated power.
    #[must_use]
    pub fn samples(self, rate_hz: u32, seed: u64) -> Box<dyn Iterator<Item = f64> + Send> {
        let (rate, mut random) = (f64::from(rate_hz), SplitMix64::new(seed));
        match self {
            Self::White => Box::new(std::iter::repeat_with(move || random.signed())),
            Self::Pink => {
                let mut pink = Pink::new(rate);
                Box::new(std::iter::repeat_with(move || pink.next(&mut random)))
            }
            Self::Fan => {
                let mut fan = Fan::new(rate);
                Box::new(std::iter::repeat_with(move || fan.next(&mut random)))
            }
            Self::Babble => {
                let mut talkers: Vec<Talker> = (0..6).map(|_| Talker::new(rate, random.bits())).collect();
                Box::new(std::iter::repeat_with(move || talkers.iter_mut().map(Talker::next).sum()))
            }
        }
    }
}

/// Sum of first-order low-passes of equal power an octave apart, each of its own white noise: within 0.3 dB of
/// 1/f from 20 Hz to a quarter of the rate (the idea: McCartney 1999).
struct Pink {
    /// State, and share of the state that is kept.
    octaves: Vec<[f64; 2]>,
}

impl Pink {
    fn new(rate: f64) -> Self {
        let corners = (0..).map(|octave| 5.0 * f64::from(1 << octave)).take_while(|hz| *hz < rate / 2.0);
        Self { octaves: corners.map(|hz| [0.0, (-TAU * hz / rate).exp()]).collect() }
    }

    fn next(&mut self, random: &mut SplitMix64) -> f64 {
        let mut sum = 0.0;
        for [state, kept] in &mut self.octaves {
            *state = *kept * *state + (1.0 - *kept * *kept).sqrt() * random.signed();
            sum += *state;
        }
        sum
    }
}

/// Frequency of a fan's blades, hertz: four blades at 1770 turns a minute.
const BLADES_HZ: f64 = 118.0;

struct Fan {
    rate: f64,
    phase: f64,
    air: Chain,
}

impl Fan {
    fn new(rate: f64) -> Self {
        let bends = [Bend::LowCut { hz: 40.0, q: 0.7 }, Bend::HighCut { hz: 900.0, q: 0.5 }];
        Self { rate, phase: 0.0, air: Chain::new(&bends, rate) }
    }

    fn next(&mut self, random: &mut SplitMix64) -> f64 {
        self.phase = (self.phase + BLADES_HZ / self.rate).fract();
        let hum: f64 = (1..=6).map(|k| (TAU * f64::from(k) * self.phase).sin() / f64::from(k)).sum();
        0.25 * hum + self.air.next(random.signed())
    }
}

/// A voice: a buzz with breath, through formants that change with every syllable.
struct Talker {
    rate: f64,
    random: SplitMix64,
    /// Usual pitch, and this syllable's, hertz.
    pitch: f64,
    hz: f64,
    phase: f64,
    formants: [Option<Section>; 3],
    loudness: f64,
    /// Samples of the syllable, and how many of them have passed.
    length: f64,
    passed: f64,
}

impl Talker {
    fn new(rate: f64, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let pitch = 90.0 + 140.0 * random.unit();
        let mut talker = Self {
            rate,
            random,
            pitch,
            hz: pitch,
            phase: 0.0,
            formants: [None; 3],
            loudness: 0.0,
            length: 0.0,
            passed: 0.0,
        };
        talker.begin();
        talker
    }

    /// The next syllable, or a pause.
    fn begin(&mut self) {
        let mut between = |low: f64, high: f64| low + (high - low) * self.random.unit();
        let pause = between(0.0, 1.0) < 0.15;
        self.loudness = if pause { 0.0 } else { between(0.3, 1.0) };
        self.length = self.rate * if pause { between(0.2, 0.6) } else { between(0.12, 0.3) };
        self.hz = self.pitch * between(0.85, 1.2);
        let middles = [(between(300.0, 800.0), 6.0), (between(900.0, 2300.0), 9.0), (2700.0, 10.0)];
        self.formants = middles.map(|(hz, q)| Section::new(Bend::Band { hz, q }, self.rate));
        self.passed = 0.0;
    }

    fn next(&mut self) -> f64 {
        if self.passed >= self.length {
            self.begin();
        }
        self.passed += 1.0;
        self.phase = (self.phase + self.hz / self.rate).fract();
        let rise = (TAU / 2.0 * self.passed / self.length).sin();
        let source = self.loudness * rise * rise * (2.0 * self.phase - 1.0 + 0.1 * self.random.signed());
        self.formants.iter_mut().flatten().map(|formant| formant.next(source)).sum()
    }
}
