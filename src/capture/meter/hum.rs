//! Mains hum: lines at 50 or 60 Hz and their multiples that stand out from what is beside them, all the time.
//!
//! The signal is brought down to about 2 kHz by a two-stage cascaded integrator-comb filter (E. Hogenauer, "An economical
//! class of digital filters for decimation and interpolation", 1981), and each half second of it is weighted by a Hann
//! window and measured with Goertzel's algorithm. With blocks of half a second the window is zero every 2 Hz from ±4 Hz on:
//! a line doesn't reach its neighbours at ±6 Hz, and 50 Hz nothing of what is measured for 60 Hz.

use super::dbfs;

/// Rate at which hum is looked for, hertz, roughly.
const RATE_HZ: u32 = 2_000;
/// Blocks a second.
const BLOCKS_PER_SECOND: f64 = 2.0;
/// The mains of the world, hertz.
const MAINS_HZ: [u16; 2] = [50, 60];
/// Multiples that are measured; rectifiers hum at the second. At 300 Hz both mains would have one.
const HARMONICS: usize = 4;
/// How far from a line its neighbours are, hertz.
const BESIDE_HZ: f64 = 6.0;
/// A line stands out where it has so many times the power of its neighbours' mean.
const STANDS_OUT: f64 = 10.0;
/// Part of all blocks in which a line must stand out: notes of music come and go.
const STEADY: f64 = 0.75;
/// Fewest blocks that are judged.
const FEWEST_BLOCKS: u32 = 3;
/// Lines of both mains.
const LINES: usize = MAINS_HZ.len() * HARMONICS;

/// Mains hum that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hum {
    /// The mains, 50 or 60 Hz.
    pub mains_hz: u16,
    /// All its lines that stand out, together, dBFS.
    pub level_dbfs: f64,
    /// The strongest of them, hertz.
    pub strongest_hz: u16,
    /// By how much that stands out from what is beside it, decibels.
    pub above_db: f64,
}

/// Looks for hum in one channel.
#[derive(Clone, Debug)]
pub(super) struct HumMeter {
    decimator: Decimator,
    /// Samples of a block, at the low rate.
    block: u32,
    position: u32,
    /// Cosine and sine of the window's step, and the window's phase as both.
    step: (f64, f64),
    phase: (f64, f64),
    blocks: u32,
    lines: [Line; LINES],
}

/// A line and its neighbours.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// The lower neighbour, the line, the upper one.
    bins: [Goertzel; 3],
    /// What turns Goertzel's power into the sine's mean square.
    scale: f64,
    /// Blocks in which it stood out.
    standing: u32,
    power: f64,
    beside: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Goertzel {
    coefficient: f64,
    one: f64,
    two: f64,
}

impl Goertzel {
    fn push(&mut self, sample: f64) {
        let zero = sample + self.coefficient * self.one - self.two;
        self.two = self.one;
        self.one = zero;
    }

    /// |X|² of what was pushed; begins anew.
    fn take(&mut self) -> f64 {
        let power = self.one * self.one + self.two * self.two - self.coefficient * self.one * self.two;
        (self.one, self.two) = (0.0, 0.0);
        power.max(0.0)
    }
}

impl HumMeter {
    pub(super) fn new(rate_hz: u32) -> Self {
        let decimator = Decimator::new(rate_hz);
        let rate = f64::from(rate_hz) / f64::from(decimator.factor);
        let block = libm::round(rate / BLOCKS_PER_SECOND);
        let turn = core::f64::consts::TAU;
        let lines = core::array::from_fn(|index| {
            let hz = f64::from(line_hz(index));
            let bins = [-BESIDE_HZ, 0.0, BESIDE_HZ].map(|beside| Goertzel {
                coefficient: 2.0 * libm::cos(turn * (hz + beside) / rate),
                ..Goertzel::default()
            });
            // A sine of amplitude A gives |X| = A·n/4 under a Hann window of n samples, and has the mean square A²/2.
            let gain = decimator.gain(hz, rate_hz);
            Line { bins, scale: 8.0 / (block * block * gain * gain), ..Line::default() }
        });
        let step = (libm::cos(turn / block), libm::sin(turn / block));
        Self { decimator, block: block as u32, position: 0, step, phase: (1.0, 0.0), blocks: 0, lines }
    }

    pub(super) fn push(&mut self, sample: i32) {
        let Some(sample) = self.decimator.push(sample) else { return };
        let (cos, sin) = self.phase;
        let weighted = sample * (0.5 - 0.5 * cos);
        self.phase = (cos * self.step.0 - sin * self.step.1, sin * self.step.0 + cos * self.step.1);
        for line in &mut self.lines {
            line.bins.iter_mut().for_each(|bin| bin.push(weighted));
        }
        self.position += 1;
        if self.position == self.block {
            self.blocks += 1;
            for line in &mut self.lines {
                let [below, power, above] = line.bins.each_mut().map(Goertzel::take);
                let beside = f64::midpoint(below, above);
                line.power += power;
                line.beside += beside;
                line.standing += u32::from(power > STANDS_OUT * beside);
            }
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.position = 0;
        self.phase = (1.0, 0.0);
    }

    /// Leaves the block out that has begun.
    pub(super) fn gap(&mut self) {
        self.lines.iter_mut().flat_map(|line| &mut line.bins).for_each(|bin| {
            bin.take();
        });
        self.decimator.reset();
        self.begin();
    }

    /// The mains that is louder, if one is to be heard.
    pub(super) fn report(&self) -> Option<Hum> {
        if self.blocks < FEWEST_BLOCKS {
            return None;
        }
        let families = MAINS_HZ.iter().enumerate().filter_map(|(index, mains_hz)| {
            let lines = (index * HARMONICS..(index + 1) * HARMONICS).filter(|i| self.is_hum(&self.lines[*i]));
            let mut power = 0.0;
            let mut strongest: Option<usize> = None;
            for i in lines {
                power += self.mean_square(&self.lines[i]);
                let louder =
                    |old: usize| self.mean_square(&self.lines[i]) > self.mean_square(&self.lines[old]);
                strongest = strongest.filter(|old| !louder(*old)).or(Some(i));
            }
            let line = &self.lines[strongest?];
            Some(Hum {
                mains_hz: *mains_hz,
                level_dbfs: dbfs(power)?,
                strongest_hz: line_hz(strongest?),
                // Where nothing at all is beside it, rounding is.
                above_db: 10.0 * libm::log10(line.power / line.beside.max(line.power * 1e-15)),
            })
        });
        families.max_by(|a, b| a.level_dbfs.total_cmp(&b.level_dbfs))
    }

    fn is_hum(&self, line: &Line) -> bool {
        f64::from(line.standing) >= STEADY * f64::from(self.blocks)
    }

    fn mean_square(&self, line: &Line) -> f64 {
        line.power * line.scale / f64::from(self.blocks.max(1))
    }
}

/// The frequency of a line.
fn line_hz(index: usize) -> u16 {
    MAINS_HZ[index / HARMONICS] * (index % HARMONICS + 1) as u16
}

/// Two integrators and two combs: a triangle over two output periods.
#[derive(Clone, Copy, Debug, Default)]
struct Decimator {
    factor: u32,
    phase: u32,
    /// Output periods since the beginning, up to those that the triangle needs.
    filled: u8,
    integrators: [i64; 2],
    combs: [i64; 2],
}

impl Decimator {
    fn new(rate_hz: u32) -> Self {
        let factor = ((rate_hz + RATE_HZ / 2) / RATE_HZ).max(1);
        Self { factor, ..Self::default() }
    }

    fn reset(&mut self) {
        *self = Self { factor: self.factor, ..Self::default() };
    }

    /// A sample at the low rate, now and then. The integrators wrap, and the combs undo that (factors below 2¹⁶ keep the
    /// difference within 64 bits).
    fn push(&mut self, sample: i32) -> Option<f64> {
        let [first, second] = &mut self.integrators;
        *first = first.wrapping_add(sample.into());
        *second = second.wrapping_add(*first);
        self.phase += 1;
        if self.phase < self.factor {
            return None;
        }
        self.phase = 0;
        let mut value = *second;
        for comb in &mut self.combs {
            (value, *comb) = (value.wrapping_sub(*comb), value);
        }
        self.filled = (self.filled + 1).min(3);
        let factor = f64::from(self.factor);
        (self.filled > 2).then_some(value as f64 / (factor * factor))
    }

    /// How much of a sine of `hz` comes through.
    fn gain(&self, hz: f64, rate_hz: u32) -> f64 {
        let angle = core::f64::consts::PI * hz / f64::from(rate_hz);
        let factor = f64::from(self.factor);
        let once = libm::sin(angle * factor) / (factor * libm::sin(angle));
        once * once
    }
}
