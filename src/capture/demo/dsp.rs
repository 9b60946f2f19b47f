//! What the instruments are built from: oscillators, noise, a filter, envelopes and a room.
//!
//! Only `+ − × ÷` of `f32`, integer phases and `libm`: IEEE arithmetic that gives the same bits on every machine.

use core::f32::consts::PI;

/// One turn of a phase: 2³².
const TURN: f32 = 4_294_967_296.0;

/// Phase added per sample at `hz`.
pub(super) fn phase_step(hz: f32, rate_hz: f32) -> u32 {
    (hz / rate_hz * TURN) as u32
}

/// Frequency of a MIDI note: 69 is 440 Hz, 12 notes to the octave.
pub(super) fn note_hz(note: f32) -> f32 {
    440.0 * libm::exp2f((note - 69.0) / 12.0)
}

/// Factor per sample of an exponential that falls to 1/e in `seconds`.
pub(super) fn fall(seconds: f32, rate_hz: f32) -> f32 {
    libm::expf(-1.0 / (seconds * rate_hz))
}

/// A sine by two parabolas (distortion 0.1 %), a fraction of a real sine's cost.
pub(super) fn sine(phase: u32) -> f32 {
    let x = phase.cast_signed() as f32 * (2.0 / TURN);
    let y = 4.0 * x * (1.0 - x.abs());
    y + 0.225 * (y * y.abs() - y)
}

/// A gentle clipper: unity slope at zero, ±1 from ±3 on.
pub(super) fn soft_clip(x: f32) -> f32 {
    let x = x.clamp(-3.0, 3.0);
    x * (27.0 + x * x) / (27.0 + 9.0 * x * x)
}

/// A sawtooth whose jump is rounded over two samples (polyBLEP), so that little of it folds back.
#[derive(Clone, Copy, Default)]
pub(super) struct Saw {
    pub(super) phase: u32,
}

impl Saw {
    pub(super) fn next(&mut self, step: u32) -> f32 {
        self.phase = self.phase.wrapping_add(step);
        let t = self.phase as f32 / TURN;
        let dt = step.max(1) as f32 / TURN;
        let mut y = 2.0 * t - 1.0;
        if t < dt {
            let x = t / dt;
            y -= x + x - x * x - 1.0;
        } else if t > 1.0 - dt {
            let x = (t - 1.0) / dt;
            y -= x * x + x + x + 1.0;
        }
        y
    }
}

/// White noise in ±1 (xorshift32).
pub(super) struct Noise(u32);

impl Noise {
    pub(super) fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    pub(super) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.cast_signed() as f32 * (2.0 / TURN)
    }
}

/// What a [`Filter`] lets through.
pub(super) struct Split {
    pub(super) low: f32,
    pub(super) band: f32,
    pub(super) high: f32,
}

/// A state-variable filter, 12 dB per octave (Zavalishin, The Art of VA Filter Design, §3.10: trapezoidal integrators).
pub(super) struct Filter {
    g: f32,
    damping: f32,
    s1: f32,
    s2: f32,
}

impl Filter {
    /// A filter at `hz` (held below 0.45 of the rate); `q` of 0.7 is flat, more rings.
    pub(super) fn new(hz: f32, q: f32, rate_hz: f32) -> Self {
        let mut filter = Self { g: 0.0, damping: 1.0 / q, s1: 0.0, s2: 0.0 };
        filter.tune(hz, rate_hz);
        filter
    }

    /// Moves the filter to `hz`.
    pub(super) fn tune(&mut self, hz: f32, rate_hz: f32) {
        self.g = libm::tanf(PI * (hz / rate_hz).min(0.45));
    }

    pub(super) fn next(&mut self, x: f32) -> Split {
        let high =
            (x - (self.damping + self.g) * self.s1 - self.s2) / (1.0 + self.g * (self.damping + self.g));
        let band = self.g * high + self.s1;
        let low = self.g * band + self.s2;
        self.s1 = self.g * high + band;
        self.s2 = self.g * band + low;
        Split { low, band, high }
    }
}

/// Longest delay line of a [`Room`]: 53 ms at 96 kHz.
const ROOM_LINE: usize = 5_120;

/// One way around the room.
struct Way {
    line: [f32; ROOM_LINE],
    length: usize,
    position: usize,
    wall: f32,
}

/// A room: four delay lines that feed each other through a Householder mirror, with absorbing walls.
pub(super) struct Room {
    ways: [Way; 4],
    reflection: f32,
}

impl Room {
    /// A room in which sound falls by 60 dB in about `seconds`.
    pub(super) fn new(seconds: f32, rate_hz: u32) -> Self {
        // Lengths at 48 kHz without a common factor, 31–53 ms: no two echoes fall together.
        let ways = [1499, 1877, 2137, 2557].map(|n: usize| Way {
            line: [0.0; ROOM_LINE],
            length: (n * rate_hz as usize / 48_000).clamp(1, ROOM_LINE),
            position: 0,
            wall: 0.0,
        });
        // 60 dB is a factor of 1000 = e^6.9, lost over `seconds` in passes of about 42 ms.
        Self { ways, reflection: libm::expf(-6.9 * 0.042 / seconds) }
    }

    pub(super) fn next(&mut self, x: f32) -> f32 {
        for way in &mut self.ways {
            // Walls swallow treble: a one-pole low-pass in each path.
            way.wall += 0.6 * (way.line[way.position] - way.wall);
        }
        let [a, b, c, d] = self.ways.each_ref().map(|way| way.wall);
        let mirrored = 0.5 * (a + b + c + d);
        for way in &mut self.ways {
            way.line[way.position] = x + self.reflection * (way.wall - mirrored);
            way.position = (way.position + 1) % way.length;
        }
        0.5 * (a - b + c - d)
    }
}
