//! What a rig plays: bursts for the path, then music for the decision.

use std::f64::consts::PI;

use harmonynet::capture::SplitMix64;
use harmonynet::capture::demo::{Piece, render};

use super::rig_file::Stimulus;

/// Rate of stimulus and recording, hertz: what most microphones run at.
pub(super) const RATE_HZ: u32 = 48_000;
/// Samples of a burst's head: 21 ms.
const CHIRP_SAMPLES: usize = 1024;
/// Where the chirp begins and ends, hertz: what small loudspeakers play and 16 kHz microphones hear.
const CHIRP_HZ: (f64, f64) = (500.0, 7500.0);
/// Samples of the noise behind it: 230 ms in all, longer than the display takes from one level to the next.
const TAIL_SAMPLES: usize = 10_000;
/// Heights, 1 is full scale.
const CHIRP_HEIGHT: f64 = 0.5;
const TAIL_HEIGHT: f32 = 0.25;
/// From a burst's begin to the next, samples: 0.55 s and up to 0.2 s more, so that bursts fall anywhere in a period.
pub(super) const SPACING: (usize, usize) = (26_400, 9_600);
/// Silence before everything and before a piece: long enough to be told as silence.
pub(super) const REST: usize = 3 * RATE_HZ as usize;
/// How long a piece is played: a window, some verdicts.
pub(super) const PIECE: usize = 9 * RATE_HZ as usize;

/// A session's sound, and where in it what begins, in samples: bursts also between two of them.
pub(super) struct Session {
    pub(super) sound: Vec<f32>,
    pub(super) bursts: Vec<f64>,
    pub(super) pieces: Vec<f64>,
    /// Where the music's part begins.
    pub(super) music_from: f64,
}

impl Session {
    pub(super) fn new(stimulus: &Stimulus) -> Self {
        let mut random = SplitMix64::new(stimulus.seed);
        let mut at = REST;
        let mut sound = vec![0.0; at];
        let mut bursts = Vec::new();
        let burst = burst();
        for _ in 0..stimulus.bursts {
            let part = random.bits() as f64 / (u64::MAX as f64 + 1.0);
            bursts.push((at + TAPS.unsigned_abs()) as f64 + part);
            sound.extend(delayed(&burst, part));
            at += SPACING.0 + random.bits() as usize % SPACING.1;
            sound.resize(at, 0.0);
        }
        let music_from = at as f64;
        let mut pieces = Vec::new();
        for piece in Piece::ALL.into_iter().cycle().take(stimulus.pieces) {
            // The music, too, falls anywhere in a period and between two verdicts.
            at += REST + random.bits() as usize % RATE_HZ as usize;
            sound.resize(at, 0.0);
            pieces.push(at as f64);
            sound.extend(render(piece, RATE_HZ).take(PIECE).map(|x| x as f32 / 2_147_483_648.0));
            at += PIECE;
        }
        sound.resize(at + REST, 0.0);
        Self { sound, bursts, pieces, music_from }
    }
}

/// The head of a burst: a linear chirp with soft edges. Its correlation with itself is some six samples wide.
pub(super) fn chirp() -> Vec<f32> {
    let length = CHIRP_SAMPLES as f64;
    let edge = length / 8.0;
    let (low, high) = (CHIRP_HZ.0 / f64::from(RATE_HZ), CHIRP_HZ.1 / f64::from(RATE_HZ));
    let sample = |n: usize| {
        let n = n as f64 + 0.5;
        let near = n.min(length - n);
        let height = if near < edge { 0.5 - 0.5 * (PI * near / edge).cos() } else { 1.0 };
        let phase = 2.0 * PI * (low * n + (high - low) * n * n / (2.0 * length));
        (CHIRP_HEIGHT * height * phase.sin()) as f32
    };
    (0..CHIRP_SAMPLES).map(sample).collect()
}

/// A chirp, and behind it a maximum-length sequence that keeps the level up until a display has shown it.
fn burst() -> Vec<f32> {
    let mut register = 1_u32;
    let mut next = || {
        // x^15 + x + 1: a period of 32,767.
        let bit = (register ^ (register >> 1)) & 1;
        register = (register >> 1) | (bit << 14);
        if bit == 1 { TAIL_HEIGHT } else { -TAIL_HEIGHT }
    };
    // Room for what a delay makes of its edges.
    let room = [0.0; TAPS.unsigned_abs()];
    let tail: Vec<f32> = (0..TAIL_SAMPLES).map(|_| next()).collect();
    [&room[..], &chirp(), &tail, &room].concat()
}

/// Taps of the delay on each side of a sample.
const TAPS: isize = 32;

/// The sound, later by any number of samples (0 or more): a windowed-sinc interpolator, flat to 0.9 of half the rate. Its
/// result is as long as the sound.
pub(super) fn delayed(sound: &[f32], samples: f64) -> Vec<f32> {
    let whole = samples.floor() as isize;
    let part = samples - samples.floor();
    let taps: Vec<f32> = (-TAPS..TAPS)
        .map(|k| {
            let t = k as f64 - part;
            let sinc = if t.abs() < 1e-12 { 1.0 } else { (PI * t).sin() / (PI * t) };
            let w = PI * t / TAPS as f64;
            let blackman = 0.42 + 0.5 * w.cos() + 0.08 * (2.0 * w).cos();
            if t.abs() > TAPS as f64 { 0.0 } else { (sinc * blackman) as f32 }
        })
        .collect();
    let at = |n: isize| usize::try_from(n).ok().and_then(|n| sound.get(n)).copied().unwrap_or(0.0);
    let sample = |n: isize| {
        let sum = |sum: f32, (k, tap): (isize, &f32)| sum + tap * at(n - whole - k);
        (-TAPS..TAPS).zip(&taps).fold(0.0, sum)
    };
    (0..sound.len() as isize).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_moves_a_sine_by_exactly_that_much() {
        let sine = |shift: f64| -> Vec<f32> {
            (0..2000).map(|n| (0.3 * (f64::from(n) - shift)).sin() as f32).collect()
        };
        for shift in [0.0, 5.0, 7.25, 592.5936] {
            let (moved, exact) = (delayed(&sine(0.0), shift), sine(shift));
            for n in 700..1900 {
                assert!((moved[n] - exact[n]).abs() < 1e-4, "{shift} at {n}: {} and {}", moved[n], exact[n]);
            }
        }
    }

    #[test]
    fn bursts_fall_anywhere_in_a_period_and_leave_silence_between() {
        let session = Session::new(&Stimulus { bursts: 200, pieces: 1, seed: 1 });
        let phases: std::collections::BTreeSet<usize> =
            session.bursts.iter().map(|at| *at as usize % 960 / 96).collect();
        assert_eq!(phases.len(), 10, "every tenth of a period is met");
        let gap = session.bursts.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::MAX, f64::min);
        assert!(gap >= (CHIRP_SAMPLES + TAIL_SAMPLES + 14_000) as f64, "{gap}");
        assert_eq!((session.bursts.len(), session.pieces.len()), (200, 1));
        assert!(session.pieces[0] > session.music_from);
    }
}
