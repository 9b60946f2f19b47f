//! The music, as text: one character is one step.
//!
//! - `.` lets sound what sounds, `_` ends it, a letter or digit starts something.
//! - Drums and strummed chords: `x` plain, `X` accented, `o` soft.
//! - Notes: `0`–`9`, `a`–`e` count degrees of the scale, upwards from the root of the chord ([`Part::follows_chord`])
//!   or from the key note; 7 degrees make an octave.

use super::Piece;

/// Who plays a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Kick,
    Snare,
    Hat,
    OpenHat,
    Cymbal,
    Clap,
    /// One note at a time, from the chord's root.
    Bass,
    /// The whole chord, held.
    Strings,
    /// Single piano notes from the chord's root.
    Piano,
    /// Single piano notes from the key note.
    PianoTune,
    /// One voice from the key note.
    Lead,
    /// Root, fifth and octave, ringing.
    Power,
    /// The same, with the hand on the strings.
    Mute,
    /// The whole chord, short.
    Chop,
}

impl Part {
    /// Whether degrees count from the chord's root (else from the key note).
    pub(super) fn follows_chord(self) -> bool {
        !matches!(self, Self::PianoTune | Self::Lead)
    }
}

/// Semitones of the seven degrees above the key note.
pub(super) type Scale = [i32; 7];
const MAJOR: Scale = [0, 2, 4, 5, 7, 9, 11];
const MINOR: Scale = [0, 2, 3, 5, 7, 8, 10];
const HARMONIC_MINOR: Scale = [0, 2, 3, 5, 7, 8, 11];
const PHRYGIAN: Scale = [0, 1, 3, 5, 7, 8, 10];

/// The harmony of one bar: a scale, and the degree on which the chord stands.
#[derive(Clone, Copy)]
pub(super) struct Harmony {
    pub(super) scale: &'static Scale,
    pub(super) root: i32,
}

/// One player's bars; they repeat until the section ends.
pub(super) struct Line {
    pub(super) part: Part,
    /// Octaves above the key note's own.
    pub(super) octave: i32,
    /// Loudness, about 0–1.
    pub(super) level: f32,
    pub(super) bars: &'static [&'static str],
}

/// Bars that belong together: one harmony each.
pub(super) struct Section {
    pub(super) harmony: &'static [Harmony],
    pub(super) lines: &'static [Line],
}

/// The sound of the band in one piece.
pub(super) struct Sound {
    pub(super) room_seconds: f32,
    /// How much of strings, piano and lead goes into the room; drums and guitars get a third of it.
    pub(super) wet: f32,
    /// Gains of drums, bass and rhythm guitar beside strings, piano and lead.
    pub(super) drums: f32,
    pub(super) bass: f32,
    pub(super) guitar: f32,
    /// The rhythm guitar's amplifier; 1 is clean.
    pub(super) drive: f32,
    /// Upper edge of the strings' and the lead's tone, hertz.
    pub(super) bright_hz: f32,
    /// Whether the lead plays through an overdriven amplifier.
    pub(super) lead_driven: bool,
    /// Gain of the whole.
    pub(super) gain: f32,
}

/// A piece of music.
pub(super) struct Score {
    pub(super) beats_per_minute: u32,
    pub(super) steps_per_beat: u32,
    pub(super) steps_per_bar: u32,
    /// MIDI note of the key note.
    pub(super) key: i32,
    pub(super) sound: Sound,
    pub(super) sections: &'static [Section],
}

/// The score of `piece`.
pub(super) fn of(piece: Piece) -> &'static Score {
    match piece {
        Piece::Classical => &CLASSICAL,
        Piece::Disco => &DISCO,
        Piece::Metal => &METAL,
    }
}

const fn line(part: Part, octave: i32, level: f32, bars: &'static [&'static str]) -> Line {
    Line { part, octave, level, bars }
}

const fn major(degree: i32) -> Harmony {
    Harmony { scale: &MAJOR, root: degree - 1 }
}

const fn minor(degree: i32) -> Harmony {
    Harmony { scale: &MINOR, root: degree - 1 }
}

const fn dominant(degree: i32) -> Harmony {
    Harmony { scale: &HARMONIC_MINOR, root: degree - 1 }
}

const fn phrygian(degree: i32) -> Harmony {
    Harmony { scale: &PHRYGIAN, root: degree - 1 }
}

/// Broken chords on a piano, then strings and a violin above them: 12 bars at 92.
static CLASSICAL: Score = Score {
    beats_per_minute: 92,
    steps_per_beat: 4,
    steps_per_bar: 16,
    key: 62,
    sound: Sound {
        room_seconds: 2.4,
        wet: 0.45,
        drums: 1.00,
        bass: 1.00,
        guitar: 1.00,
        drive: 1.0,
        bright_hz: 2_400.0,
        lead_driven: false,
        gain: 0.62,
    },
    sections: &[
        Section {
            harmony: &[major(1), major(6), major(4), major(5)],
            lines: &[
                line(Part::Piano, -1, 0.55, &["0.4.7.4.9.7.4.7."]),
                line(Part::Piano, -2, 0.6, &["0.......4......."]),
                line(
                    Part::PianoTune,
                    1,
                    0.75,
                    &["4...2...4.5.4...", "7.......5...4.2.", "3...5...7.8.9...", "8.......6......."],
                ),
            ],
        },
        Section {
            harmony: &[major(1), major(3), major(6), major(4), major(2), major(5)],
            lines: &[
                line(Part::Piano, -1, 0.5, &["0.2.4.7.9.7.4.2."]),
                line(Part::Piano, -2, 0.55, &["0.......0......."]),
                line(Part::Strings, 0, 0.75, &["x..............."]),
                line(
                    Part::Lead,
                    1,
                    0.6,
                    &[
                        "7.......9...8.7.",
                        "6.......4.......",
                        "5.......7...6.5.",
                        "3...5...7.......",
                        "8...7...5...3...",
                        "6.......5...4...",
                    ],
                ),
            ],
        },
        Section {
            harmony: &[major(4), major(1)],
            lines: &[
                line(Part::Piano, -1, 0.55, &["0.2.4.7.9.7.4.2.", "0.4.7.9.b......."]),
                line(Part::Piano, -2, 0.6, &["0.......0.......", "0..............."]),
                line(Part::Strings, 0, 0.8, &["x..............."]),
                line(Part::Lead, 1, 0.6, &["5.......7.8.9...", "7..............."]),
            ],
        },
    ],
};

/// Four on the floor, octave bass, off-beat hats, strings: 16 bars at 122.
static DISCO: Score = Score {
    beats_per_minute: 122,
    steps_per_beat: 4,
    steps_per_bar: 16,
    key: 57,
    sound: Sound {
        room_seconds: 0.9,
        wet: 0.25,
        drums: 0.80,
        bass: 0.95,
        guitar: 4.50,
        drive: 1.0,
        bright_hz: 5_200.0,
        lead_driven: false,
        gain: 0.58,
    },
    sections: &[
        Section {
            harmony: &[minor(1), minor(4), minor(7), minor(3)],
            lines: &[
                line(Part::Kick, 0, 1.0, &["X...X...X...X..."]),
                line(Part::OpenHat, 0, 0.8, &["..x...x...x...x."]),
                line(Part::Hat, 0, 0.5, &["x..xx..xx..xx..x"]),
                line(Part::Snare, 0, 0.9, &["....x.......x..."]),
                line(Part::Clap, 0, 0.5, &["....x.......x..."]),
                line(Part::Bass, -2, 0.9, &["0.7.0.7.0.7.0.74"]),
                line(Part::Chop, 1, 0.5, &["..x..x..x..x.xx."]),
                line(Part::Cymbal, 0, 0.6, &["x...............", "", "", ""]),
            ],
        },
        Section {
            harmony: &[
                minor(1),
                minor(4),
                minor(7),
                minor(3),
                minor(6),
                minor(2),
                dominant(5),
                dominant(5), //
            ],
            lines: &[
                line(Part::Kick, 0, 1.0, &["X...X...X...X..."]),
                line(Part::OpenHat, 0, 0.8, &["..x...x...x...x."]),
                line(Part::Hat, 0, 0.5, &["x..xx..xx..xx..x"]),
                line(Part::Snare, 0, 0.9, &["....x.......x..."]),
                line(Part::Clap, 0, 0.5, &["....x.......x..."]),
                line(Part::Bass, -2, 0.9, &["0.7.0.7.0.7.0.74"]),
                line(Part::Chop, 1, 0.5, &["..x..x..x..x.xx."]),
                line(Part::Strings, 1, 0.5, &["x............._.", "x.......x.....o."]),
                line(
                    Part::Lead,
                    1,
                    0.36,
                    &[
                        "4...7..6..4.....",
                        "3...5..4..3...2.",
                        "6...8..7..6.....",
                        "4...6..5..4...2.",
                        "5...7..6..5.....",
                        "3...5..4..3.....",
                        "4...6...8...7...",
                        "6...........4.6.",
                    ],
                ),
                line(Part::Cymbal, 0, 0.6, &["x...............", "", "", "", "", "", "", ""]),
            ],
        },
        Section {
            harmony: &[minor(1), minor(6), minor(4), dominant(5)],
            lines: &[
                line(Part::Kick, 0, 1.0, &["X...X...X...X..."]),
                line(Part::OpenHat, 0, 0.8, &["..x...x...x...x."]),
                line(Part::Hat, 0, 0.5, &["x.xxx.xxx.xxx.xx"]),
                line(
                    Part::Snare,
                    0,
                    0.9,
                    &["....x.......x...", "....x.......x...", "....x.......x...", "....x..x.x..xxxx"],
                ),
                line(Part::Clap, 0, 0.6, &["....x.......x..."]),
                line(Part::Bass, -2, 0.9, &["0.7.0.7.0.7.4.76"]),
                line(Part::Chop, 1, 0.5, &["..x..x..x..x.xx."]),
                line(Part::Strings, 1, 0.55, &["x.....x.....x..."]),
                line(
                    Part::Lead,
                    2,
                    0.36,
                    &["7..6..4...2.4...", "5..4..2...0.2...", "3..4..5...7.5...", "6...4...6...8..."],
                ),
                line(Part::Cymbal, 0, 0.6, &["x...............", "", "", ""]),
            ],
        },
    ],
};

/// Palm-muted riffs, double kick, a lead over power chords: 20 bars at 160.
static METAL: Score = Score {
    beats_per_minute: 160,
    steps_per_beat: 4,
    steps_per_bar: 16,
    key: 52,
    sound: Sound {
        room_seconds: 0.7,
        wet: 0.18,
        drums: 0.55,
        bass: 0.60,
        guitar: 0.50,
        drive: 45.0,
        bright_hz: 4_500.0,
        lead_driven: true,
        gain: 0.6,
    },
    sections: &[
        Section {
            harmony: &[
                minor(1),
                minor(1),
                minor(6),
                minor(7),
                minor(1),
                minor(1),
                minor(4),
                phrygian(2), //
            ],
            lines: &[
                line(Part::Mute, -1, 0.9, &["x.xxx.xxx.xx...."]),
                line(
                    Part::Power,
                    -1,
                    0.9,
                    &["............x.x.", "............x...", "x.......x...x.x.", "x.......x.x.x..."],
                ),
                line(Part::Bass, -2, 0.9, &["0.000.000.000.0."]),
                line(Part::Kick, 0, 1.0, &["X.xxX.xxX.xxX.xx"]),
                line(Part::Snare, 0, 1.0, &["....X.......X..."]),
                line(Part::Cymbal, 0, 0.8, &["x...x...x...x..."]),
            ],
        },
        Section {
            harmony: &[
                minor(1),
                minor(6),
                minor(3),
                minor(7),
                minor(1),
                minor(6),
                minor(4),
                dominant(5), //
            ],
            lines: &[
                line(Part::Mute, -1, 0.9, &["..xx..xx..xx.xxx"]),
                line(Part::Power, -1, 0.9, &["x...x...x...x..."]),
                line(Part::Bass, -2, 0.9, &["0.0.0.0.0.0.0.0."]),
                line(Part::Kick, 0, 1.0, &["X.xxX.xxX.xxX.xx"]),
                line(Part::Snare, 0, 1.0, &["....X.......X..."]),
                line(Part::Cymbal, 0, 0.9, &["x...x...x...x..."]),
                line(
                    Part::Lead,
                    1,
                    0.32,
                    &[
                        "4.......7...6.4.",
                        "5...4...2.......",
                        "4...6...9...8.6.",
                        "8.......6.......",
                        "7.9.b.9.7.6.4.2.",
                        "5.7.9.7.5.4.2.0.",
                        "3.5.7.8.a.8.7.5.",
                        "8...6...4...6...",
                    ],
                ),
            ],
        },
        Section {
            harmony: &[minor(1), minor(1), minor(6), minor(1)],
            lines: &[
                line(
                    Part::Mute,
                    -1,
                    0.9,
                    &["xxx.xxx.xxx.xxx.", "xxx.xxx.xxx.....", "xxx.xxx.x.x.....", "................"],
                ),
                line(
                    Part::Power,
                    -1,
                    0.9,
                    &["...x...x...x...x", "...x...x...xx.x.", "...x...x....x.x.", "x..............."],
                ),
                line(
                    Part::Bass,
                    -2,
                    0.9,
                    &["000.000.000.000.", "000.000.000.0.0.", "000.000.000.0.0.", "0..............."],
                ),
                line(
                    Part::Kick,
                    0,
                    1.0,
                    &["XxxxXxxxXxxxXxxx", "XxxxXxxxXxxxXxxx", "XxxxXxxxXxxxXxxx", "X..............."],
                ),
                line(
                    Part::Snare,
                    0,
                    1.0,
                    &["....X.......X...", "....X.......X...", "....X...X.X.XXXX", "X..............."],
                ),
                line(
                    Part::Cymbal,
                    0,
                    0.9,
                    &["x...x...x...x...", "x...x...x...x...", "x...x...x...x...", "X..............."],
                ),
            ],
        },
    ],
};
