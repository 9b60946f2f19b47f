//! The drums: swept sines and coloured noise.

use super::dsp::{Filter, Noise, fall, phase_step, sine, soft_clip};

/// A drum of noise: snare wires, hats, cymbals and claps differ in colour and length.
struct Wash {
    noise: Noise,
    colour: Filter,
    level: f32,
    fall: f32,
}

impl Wash {
    fn new(seed: u32, hz: f32, q: f32, rate_hz: f32) -> Self {
        Self { noise: Noise::new(seed), colour: Filter::new(hz, q, rate_hz), level: 0.0, fall: 0.0 }
    }

    fn hit(&mut self, seconds: f32, level: f32, rate_hz: f32) {
        self.level = level;
        self.fall = fall(seconds, rate_hz);
    }

    fn next(&mut self) -> (f32, f32) {
        if self.level < 1e-4 {
            return (0.0, 0.0);
        }
        self.level *= self.fall;
        let split = self.colour.next(self.level * self.noise.next());
        (split.band, split.high)
    }
}

/// A drum kit.
pub(super) struct Kit {
    kick_phase: u32,
    kick_level: f32,
    kick_drop: f32,
    kick_fall: f32,
    drop_fall: f32,
    shell: [u32; 2],
    shell_level: f32,
    shell_fall: f32,
    wires: Wash,
    hat: Wash,
    cymbal: Wash,
    clap: Wash,
    rate_hz: f32,
}

impl Kit {
    pub(super) fn new(rate_hz: f32) -> Self {
        Self {
            kick_phase: 0,
            kick_level: 0.0,
            kick_drop: 0.0,
            kick_fall: fall(0.13, rate_hz),
            drop_fall: fall(0.022, rate_hz),
            shell: [0; 2],
            shell_level: 0.0,
            shell_fall: fall(0.06, rate_hz),
            wires: Wash::new(11, 2_200.0, 0.6, rate_hz),
            hat: Wash::new(23, 6_000.0, 1.1, rate_hz),
            cymbal: Wash::new(37, 3_800.0, 0.9, rate_hz),
            clap: Wash::new(51, 1_300.0, 1.6, rate_hz),
            rate_hz,
        }
    }

    pub(super) fn kick(&mut self, velocity: f32) {
        self.kick_phase = 0;
        self.kick_level = velocity;
        self.kick_drop = 1.0;
    }

    pub(super) fn snare(&mut self, velocity: f32) {
        self.shell = [0; 2];
        self.shell_level = velocity;
        self.wires.hit(0.11, velocity, self.rate_hz);
    }

    pub(super) fn hat(&mut self, open: bool, velocity: f32) {
        self.hat.hit(if open { 0.16 } else { 0.03 }, velocity, self.rate_hz);
    }

    pub(super) fn cymbal(&mut self, seconds: f32, velocity: f32) {
        self.cymbal.hit(seconds, velocity, self.rate_hz);
    }

    pub(super) fn clap(&mut self, velocity: f32) {
        self.clap.hit(0.09, velocity, self.rate_hz);
    }

    pub(super) fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        if self.kick_level > 1e-4 {
            self.kick_drop *= self.drop_fall;
            self.kick_level *= self.kick_fall;
            let hz = 48.0 + 190.0 * self.kick_drop;
            self.kick_phase = self.kick_phase.wrapping_add(phase_step(hz, self.rate_hz));
            sum += 1.2 * self.kick_level * soft_clip(1.6 * sine(self.kick_phase));
        }
        if self.shell_level > 1e-4 {
            self.shell_level *= self.shell_fall;
            // A struck skin's first two modes.
            for (phase, hz) in self.shell.iter_mut().zip([195.0, 310.0]) {
                *phase = phase.wrapping_add(phase_step(hz, self.rate_hz));
                sum += 0.35 * self.shell_level * sine(*phase);
            }
        }
        let (wires, sizzle) = self.wires.next();
        let (ring, bright) = self.hat.next();
        let (wash, _) = self.cymbal.next();
        let (clap, _) = self.clap.next();
        sum + 0.7 * wires + 0.12 * sizzle + 0.25 * ring + 0.2 * bright + 0.5 * wash + 0.8 * clap
    }
}
