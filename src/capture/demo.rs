//! Self-made music: what the product plays to itself where there is no microphone, and what tests and benchmarks hear.
//!
//! Three short pieces, composed and synthesized by this code alone, so that they can be shipped without anybody's
//! licence. The same bits come out on every machine, at any rate; nothing is allocated. Not a synthesizer for other
//! purposes, and not evidence of accuracy: a model is judged by recordings that people made.

mod dsp;
mod kit;
mod score;
mod voices;

#[cfg(test)]
mod tests;

use dsp::{Room, soft_clip};
use kit::Kit;
use score::{Harmony, Line, Part, Score};
use voices::{Amplifier, Bass, Guitar, Lead, Piano, Strings};

use super::{Access, CaptureError, Granted, Microphone, Reading};

/// The pieces that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Piano, strings and a violin.
    Classical,
    /// Four on the floor, octave bass, strings.
    Disco,
    /// Distorted guitars, double kick.
    Metal,
}

impl Piece {
    /// Every piece.
    pub const ALL: [Self; 3] = [Self::Classical, Self::Disco, Self::Metal];

    /// Its name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Disco => "disco",
            Self::Metal => "metal",
        }
    }
}

/// Lowest rate that the pieces can be played at, hertz.
pub const MIN_RATE_HZ: u32 = 16_000;
/// Highest rate that the pieces can be played at, hertz.
pub const MAX_RATE_HZ: u32 = 96_000;

/// Plays one piece: an iterator over its samples, mono, Q0.31 (±2³¹ is full scale), about 31 seconds long.
///
/// About 150 KiB of state: box it where the stack is small.
pub struct DemoPlayer {
    score: &'static Score,
    rate_hz: u32,
    position: u64,
    step: u32,
    next_step_at: u64,
    end: u64,
    kit: Kit,
    bass: Bass,
    strings: Strings,
    piano: Piano,
    lead: Lead,
    lead_amplifier: Amplifier,
    guitar: Guitar,
    guitar_amplifier: Amplifier,
    room: Room,
}

impl DemoPlayer {
    /// A player at the start of `piece`. The rate is held within [`MIN_RATE_HZ`] and [`MAX_RATE_HZ`].
    #[must_use]
    pub fn new(piece: Piece, rate_hz: u32) -> Self {
        let rate_hz = rate_hz.clamp(MIN_RATE_HZ, MAX_RATE_HZ);
        let score = score::of(piece);
        let rate = rate_hz as f32;
        let sound = &score.sound;
        let bars: usize = score.sections.iter().map(|section| section.harmony.len()).sum();
        let mut player = Self {
            score,
            rate_hz,
            position: 0,
            step: 0,
            next_step_at: 0,
            end: 0,
            kit: Kit::new(rate),
            bass: Bass::new(rate),
            strings: Strings::new(sound.bright_hz, rate),
            piano: Piano::new(rate),
            lead: Lead::new(sound.bright_hz, rate),
            lead_amplifier: Amplifier::new(if sound.lead_driven { 6.0 } else { 1.0 }, 110.0, rate),
            guitar: Guitar::new(if sound.drive > 4.0 { 0.5 } else { 0.3 }, rate),
            guitar_amplifier: Amplifier::new(
                sound.drive,
                if sound.drive > 4.0 { 110.0 } else { 300.0 },
                rate,
            ),
            room: Room::new(sound.room_seconds, rate_hz),
        };
        player.end = player.start_of(bars as u32 * score.steps_per_bar);
        player
    }

    /// The next sample, Q0.31; `None` after the last.
    pub fn next_sample(&mut self) -> Option<i32> {
        if self.position == self.end {
            return None;
        }
        if self.position == self.next_step_at {
            self.play_step();
            self.step += 1;
            self.next_step_at = self.start_of(self.step);
        }
        self.position += 1;
        let mixed = soft_clip(self.mix() * self.score.sound.gain);
        // 0.97 of full scale, and a fade over the last 50 ms so that the end does not click.
        let left = (self.end - self.position) as f32 / (0.05 * self.rate_hz as f32);
        Some((mixed * left.min(1.0) * 0.97 * 2_147_483_648.0) as i32)
    }

    /// The sample at which a step begins: exact, so that a piece is equally long at every rate.
    fn start_of(&self, step: u32) -> u64 {
        let per_minute = u64::from(self.score.beats_per_minute * self.score.steps_per_beat);
        u64::from(step) * u64::from(self.rate_hz) * 60 / per_minute
    }

    fn mix(&mut self) -> f32 {
        let sound = &self.score.sound;
        let drums = sound.drums * self.kit.next();
        let bass = sound.bass * self.bass.next();
        let guitar = sound.guitar * self.guitar_amplifier.next(self.guitar.next());
        let mut lead = self.lead.next();
        if sound.lead_driven {
            lead = 0.4 * self.lead_amplifier.next(lead);
        }
        let melodic = 0.5 * self.piano.next() + self.strings.next() + lead;
        let room = self.room.next(sound.wet * (melodic + 0.3 * (drums + guitar)));
        drums + bass + guitar + melodic + room
    }

    fn play_step(&mut self) {
        let score = self.score;
        let in_bar = (self.step % score.steps_per_bar) as usize;
        let mut bar = (self.step / score.steps_per_bar) as usize;
        for section in score.sections {
            let Some(harmony) = section.harmony.get(bar) else {
                bar -= section.harmony.len();
                continue;
            };
            if in_bar == 0 {
                self.piano.damp();
            }
            if bar == 0 && in_bar == 0 {
                self.strings.lift();
                self.lead.stop();
            }
            for line in section.lines {
                let text = line.bars.get(bar % line.bars.len()).map_or("", |text| *text);
                if let Some(&mark) = text.as_bytes().get(in_bar) {
                    self.play(line, harmony, mark);
                }
            }
            return;
        }
    }

    fn play(&mut self, line: &Line, harmony: &Harmony, mark: u8) {
        let velocity = match mark {
            b'.' => return,
            b'_' => return self.end_note(line.part),
            b'X' => 1.15,
            b'o' => 0.5,
            _ => 0.9,
        } * line.level;
        let root = if line.part.follows_chord() { harmony.root } else { 0 };
        let base = self.score.key + 12 * line.octave;
        let note =
            |degree: i32| base + harmony.scale[degree.rem_euclid(7) as usize] + 12 * degree.div_euclid(7);
        let degree = char::from(mark).to_digit(16).map_or(0, u32::cast_signed);
        match line.part {
            Part::Kick => self.kit.kick(velocity),
            Part::Snare => self.kit.snare(velocity),
            Part::Hat => self.kit.hat(false, velocity),
            Part::OpenHat => self.kit.hat(true, velocity),
            Part::Cymbal => self.kit.cymbal(0.35, velocity),
            Part::Clap => self.kit.clap(velocity),
            Part::Bass => self.bass.pluck(note(root + degree), velocity),
            Part::Piano | Part::PianoTune => self.piano.strike(note(root + degree), velocity),
            Part::Lead => self.lead.play(note(root + degree), velocity),
            Part::Strings => self.strings.bow(close_chord(note, root, base), velocity),
            Part::Chop => self.guitar.strum(close_chord(note, root, base), 0.12, velocity),
            Part::Power => self.guitar.strum(power_chord(note(root), base), 3.0, velocity),
            Part::Mute => self.guitar.strum(power_chord(note(root), base), 0.16, velocity),
        }
    }

    fn end_note(&mut self, part: Part) {
        match part {
            Part::Bass => self.bass.damp(),
            Part::Strings => self.strings.lift(),
            Part::Lead => self.lead.stop(),
            Part::Power | Part::Mute | Part::Chop => self.guitar.mute(),
            Part::Piano | Part::PianoTune => self.piano.damp(),
            Part::Kick | Part::Snare | Part::Hat | Part::OpenHat | Part::Cymbal | Part::Clap => {}
        }
    }
}

impl Iterator for DemoPlayer {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        self.next_sample()
    }
}

/// The piece as a microphone: one channel, at the player's rate, until it ends.
impl Microphone for DemoPlayer {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: self.rate_hz,
            channels: 1,
            encoding: "self-made",
            period_frames: self.rate_hz / 100,
            buffer_frames: 0,
            access: Access::Stream,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let mut frames = 0;
        for (to, sample) in into.iter_mut().zip(self) {
            *to = sample;
            frames += 1;
        }
        if frames == 0 { Err(CaptureError::Ended) } else { Ok(Reading { lost: 0, frames }) }
    }
}

/// The samples of `piece` at `rate_hz`, mono, Q0.31.
pub fn render(piece: Piece, rate_hz: u32) -> impl Iterator<Item = i32> {
    DemoPlayer::new(piece, rate_hz)
}

/// Third, fifth and seventh of a chord and its root, each moved into the octave above `base`: voices move little from
/// chord to chord.
fn close_chord(note: impl Fn(i32) -> i32, root: i32, base: i32) -> [i32; 4] {
    [0, 2, 4, 6].map(|degree| base + (note(root + degree) - base).rem_euclid(12))
}

/// Root, fifth, octave and the root again, the root within the octave above `base`.
fn power_chord(root: i32, base: i32) -> [i32; 4] {
    let low = base + (root - base).rem_euclid(12);
    [low, low + 7, low + 12, low]
}
