//! The instruments: struck, bowed, plucked and hit. Each has a fixed number of voices and makes one sample at a time.

use super::dsp::{Filter, Noise, Saw, fall, note_hz, phase_step, sine, soft_clip};

/// Partials of one piano note.
const PARTIALS: usize = 8;
/// Piano notes that sound at once; the oldest gives way.
const PIANO_NOTES: usize = 10;
/// Longest string of the guitar in samples: 38 Hz at 96 kHz.
const STRING: usize = 2_560;

#[derive(Clone, Copy, Default)]
struct PianoNote {
    phase: [u32; PARTIALS],
    step: [u32; PARTIALS],
    level: [f32; PARTIALS],
    fall: [f32; PARTIALS],
}

/// A piano: decaying, slightly stretched partials, as a struck stiff string has them.
pub(super) struct Piano {
    notes: [PianoNote; PIANO_NOTES],
    next: usize,
    rate_hz: f32,
}

impl Piano {
    pub(super) fn new(rate_hz: f32) -> Self {
        Self { notes: [PianoNote::default(); PIANO_NOTES], next: 0, rate_hz }
    }

    pub(super) fn strike(&mut self, note: i32, velocity: f32) {
        let voice = &mut self.notes[self.next];
        self.next = (self.next + 1) % PIANO_NOTES;
        let hz = note_hz(note as f32);
        let ring = 1.6 * libm::exp2f((60 - note) as f32 / 24.0);
        for i in 0..PARTIALS {
            let n = (i + 1) as f32;
            let partial = n * hz * libm::sqrtf(1.0 + 0.0004 * n * n);
            voice.step[i] = phase_step(partial.min(0.45 * self.rate_hz), self.rate_hz);
            voice.phase[i] = 0;
            // The hammer strikes at an eighth of the string: partials with a node there are weak. A soft blow is dull.
            let node = libm::sinf(core::f32::consts::PI * (n - 0.2) / 8.0);
            voice.level[i] = velocity * node / n * libm::expf(-(n - 1.0) * 0.5 * (1.0 - velocity));
            voice.fall[i] = fall(ring / (1.0 + 0.35 * (n - 1.0)), self.rate_hz);
        }
    }

    /// Lifts the pedal: what sounds dies away in a tenth of a second.
    pub(super) fn damp(&mut self) {
        let quick = fall(0.1, self.rate_hz);
        for note in &mut self.notes {
            for rate in &mut note.fall {
                *rate = rate.min(quick);
            }
        }
    }

    pub(super) fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        for note in &mut self.notes {
            // Below −80 dB nobody hears it, and it must not sink into subnormal numbers.
            if note.level[0] < 1e-4 {
                continue;
            }
            for i in 0..PARTIALS {
                note.phase[i] = note.phase[i].wrapping_add(note.step[i]);
                sum += note.level[i] * sine(note.phase[i]);
                note.level[i] *= note.fall[i];
            }
        }
        sum
    }
}

/// A string section: four notes, two bowed strings each.
pub(super) struct Strings {
    saws: [[Saw; 2]; 4],
    steps: [[u32; 2]; 4],
    tremble: u32,
    level: f32,
    target: f32,
    tone: Filter,
    body: Filter,
    rate_hz: f32,
}

impl Strings {
    pub(super) fn new(bright_hz: f32, rate_hz: f32) -> Self {
        Self {
            saws: [[Saw { phase: 0 }, Saw { phase: 1 << 30 }]; 4],
            steps: [[0; 2]; 4],
            tremble: 0,
            level: 0.0,
            target: 0.0,
            tone: Filter::new(bright_hz, 0.7, rate_hz),
            body: Filter::new(180.0, 0.7, rate_hz),
            rate_hz,
        }
    }

    pub(super) fn bow(&mut self, notes: [i32; 4], velocity: f32) {
        for (steps, note) in self.steps.iter_mut().zip(notes) {
            *steps = [-0.06, 0.06].map(|detune| phase_step(note_hz(note as f32 + detune), self.rate_hz));
        }
        self.target = velocity;
        self.level *= 0.5;
    }

    pub(super) fn lift(&mut self) {
        self.target = 0.0;
    }

    pub(super) fn next(&mut self) -> f32 {
        self.level += (self.target - self.level) * (9.0 / self.rate_hz);
        if self.level < 1e-4 {
            return 0.0;
        }
        self.tremble = self.tremble.wrapping_add(phase_step(5.3, self.rate_hz));
        let mut sum = 0.0;
        for (i, (saws, steps)) in self.saws.iter_mut().zip(self.steps).enumerate() {
            // Four players, four moments of the same vibrato.
            let bend = 1.0 + 0.003 * sine(self.tremble.wrapping_add((i as u32) << 30));
            sum += saws[0].next((steps[0] as f32 * bend) as u32);
            sum += saws[1].next((steps[1] as f32 * (2.0 - bend)) as u32);
        }
        let toned = self.tone.next(0.125 * sum * self.level).low;
        self.body.next(toned).high
    }
}

/// One melody voice: a bowed or sung tone with a vibrato that comes late.
pub(super) struct Lead {
    saws: [Saw; 2],
    hz: f32,
    glide_hz: f32,
    tremble: u32,
    held: f32,
    level: f32,
    target: f32,
    tone: Filter,
    rate_hz: f32,
}

impl Lead {
    pub(super) fn new(bright_hz: f32, rate_hz: f32) -> Self {
        Self {
            saws: [Saw::default(); 2],
            hz: 440.0,
            glide_hz: 440.0,
            tremble: 0,
            held: 0.0,
            level: 0.0,
            target: 0.0,
            tone: Filter::new(bright_hz, 1.2, rate_hz),
            rate_hz,
        }
    }

    pub(super) fn play(&mut self, note: i32, velocity: f32) {
        self.hz = note_hz(note as f32);
        self.target = velocity;
        self.held = 0.0;
        self.level *= 0.6;
    }

    pub(super) fn stop(&mut self) {
        self.target = 0.0;
    }

    pub(super) fn next(&mut self) -> f32 {
        self.level += (self.target - self.level) * (25.0 / self.rate_hz);
        if self.level < 1e-4 {
            return 0.0;
        }
        self.glide_hz += (self.hz - self.glide_hz) * (120.0 / self.rate_hz);
        self.held = (self.held + 2.5 / self.rate_hz).min(1.0);
        self.tremble = self.tremble.wrapping_add(phase_step(5.8, self.rate_hz));
        let hz = self.glide_hz * (1.0 + 0.006 * self.held * sine(self.tremble));
        let sum = self.saws[0].next(phase_step(hz, self.rate_hz))
            + self.saws[1].next(phase_step(hz * 1.003, self.rate_hz));
        self.tone.next(0.4 * sum * self.level).low
    }
}

/// A bass: a sawtooth under a filter that closes after the pluck, and its fundamental.
pub(super) struct Bass {
    saw: Saw,
    step: u32,
    level: f32,
    fall: f32,
    pluck: f32,
    pluck_fall: f32,
    tone: Filter,
    tick: u8,
    rate_hz: f32,
}

impl Bass {
    pub(super) fn new(rate_hz: f32) -> Self {
        Self {
            saw: Saw::default(),
            step: 0,
            level: 0.0,
            fall: fall(0.5, rate_hz),
            pluck: 0.0,
            pluck_fall: fall(0.07, rate_hz),
            tone: Filter::new(400.0, 1.0, rate_hz),
            tick: 0,
            rate_hz,
        }
    }

    pub(super) fn pluck(&mut self, note: i32, velocity: f32) {
        self.step = phase_step(note_hz(note as f32), self.rate_hz);
        self.level = velocity;
        self.fall = fall(0.5, self.rate_hz);
        self.pluck = 1.0;
    }

    pub(super) fn damp(&mut self) {
        self.fall = fall(0.02, self.rate_hz);
    }

    pub(super) fn next(&mut self) -> f32 {
        if self.level < 1e-4 {
            return 0.0;
        }
        // The filter moves slowly against the sound: a new corner every 16 samples is enough.
        if self.tick & 15 == 0 {
            self.tone.tune(250.0 + 1_600.0 * self.pluck, self.rate_hz);
        }
        self.tick = self.tick.wrapping_add(1);
        self.level *= self.fall;
        self.pluck = (self.pluck * self.pluck_fall).max(1e-6);
        let saw = self.saw.next(self.step);
        self.level * (0.8 * self.tone.next(saw).low + 0.5 * sine(self.saw.phase))
    }
}

/// A plucked string (Karplus and Strong, 1983) with a fractional delay so that it is in tune.
struct PluckedString {
    line: [f32; STRING],
    length: usize,
    position: usize,
    fraction: f32,
    previous: f32,
    tuned: f32,
    keep: f32,
    dull: f32,
}

impl PluckedString {
    const fn new() -> Self {
        Self {
            line: [0.0; STRING],
            length: 2,
            position: 0,
            fraction: 0.0,
            previous: 0.0,
            tuned: 0.0,
            keep: 0.0,
            dull: 0.5,
        }
    }

    /// Plucks at `hz`; the sound falls by 60 dB in `seconds`. `dull` of 0.5 darkens fastest.
    fn pluck(&mut self, hz: f32, seconds: f32, dull: f32, level: f32, noise: &mut Noise, rate_hz: f32) {
        // The loop's own filter delays by `dull` samples, the interpolation by `fraction`.
        let period = rate_hz / hz - dull;
        self.length = (period as usize).clamp(2, STRING);
        self.fraction = (period - self.length as f32).clamp(0.0, 1.0);
        self.position = 0;
        self.keep = libm::expf(-6.9 / (hz * seconds));
        self.dull = dull;
        let mut soft = 0.0;
        for sample in &mut self.line[..self.length] {
            soft += 0.5 * (noise.next() - soft);
            *sample = level * soft;
        }
    }

    fn mute(&mut self, rate_hz: f32) {
        self.keep = self.keep.min(libm::expf(-6.9 * self.length as f32 / (0.05 * rate_hz)));
    }

    fn next(&mut self) -> f32 {
        let now = self.line[self.position];
        let tuned = now + self.fraction * (self.previous - now);
        self.previous = now;
        let out = self.keep * (tuned + self.dull * (self.tuned - tuned));
        self.tuned = tuned;
        // A string at rest is exactly still, not a subnormal whisper.
        self.line[self.position] = if out.abs() < 1e-7 { 0.0 } else { out };
        self.position = if self.position + 1 >= self.length { 0 } else { self.position + 1 };
        out
    }
}

/// An overdriven amplifier and its cabinet.
pub(super) struct Amplifier {
    drive: f32,
    tight: Filter,
    cabinet: Filter,
    presence: Filter,
}

impl Amplifier {
    /// `drive` of 1 is clean, 40 a wall of sound. `low_hz` is where it cuts the bass before it distorts.
    pub(super) fn new(drive: f32, low_hz: f32, rate_hz: f32) -> Self {
        Self {
            drive,
            tight: Filter::new(low_hz, 0.7, rate_hz),
            cabinet: Filter::new(4_600.0, 0.8, rate_hz),
            presence: Filter::new(2_600.0, 0.8, rate_hz),
        }
    }

    pub(super) fn next(&mut self, x: f32) -> f32 {
        let tight = self.tight.next(x).high;
        let hot = soft_clip(self.drive * tight);
        let boxed = self.cabinet.next(hot).low;
        0.8 * boxed + 0.5 * self.presence.next(boxed).band
    }
}

/// A guitar of four strings.
pub(super) struct Guitar {
    strings: [PluckedString; 4],
    noise: Noise,
    dull: f32,
    rate_hz: f32,
}

impl Guitar {
    /// `dull` of 0.5 is a dark string, 0.2 a bright one.
    pub(super) fn new(dull: f32, rate_hz: f32) -> Self {
        Self { strings: [const { PluckedString::new() }; 4], noise: Noise::new(0x5eed_0001), dull, rate_hz }
    }

    pub(super) fn strum(&mut self, notes: [i32; 4], seconds: f32, velocity: f32) {
        for (string, note) in self.strings.iter_mut().zip(notes) {
            string.pluck(note_hz(note as f32), seconds, self.dull, velocity, &mut self.noise, self.rate_hz);
        }
    }

    pub(super) fn mute(&mut self) {
        for string in &mut self.strings {
            string.mute(self.rate_hz);
        }
    }

    pub(super) fn next(&mut self) -> f32 {
        self.strings.iter_mut().map(PluckedString::next).sum()
    }
}
