//! What there is to hear, and what goes wrong, both made from a seed: a playlist of self-made music, and a schedule of faults.

use std::sync::LazyLock;

use harmonynet::capture::SplitMix64;
use harmonynet::capture::demo::{Piece, render};

/// Rates of the microphones that take turns.
pub(super) const RATES: [u32; 3] = [48_000, 44_100, 16_000];
/// Seconds of quiet after each piece: long enough to be told as silence.
const PAUSE: u64 = 4;

/// The pieces at every rate.
static PIECES: LazyLock<Vec<[Vec<i32>; RATES.len()]>> =
    LazyLock::new(|| Piece::ALL.map(|piece| RATES.map(|rate| render(piece, rate).collect())).into());

/// One piece of the playlist.
#[derive(Clone, Copy, Debug)]
struct Item {
    starts: u64,
    piece: usize,
    /// Factors of two that it is played more quietly.
    quieter: u32,
}

/// What there is to hear at every moment, in seconds since the beginning; the same at every rate.
#[derive(Clone, Debug)]
pub(super) struct World {
    items: Vec<Item>,
    /// Stretches that the microphone clips or is deaf for: first second, second after the last, whether it clips.
    stretches: Vec<(u64, u64, bool)>,
}

impl World {
    /// A playlist that lasts at least `seconds`, without faults.
    pub(super) fn new(seconds: u64, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let (mut items, mut starts, mut before) = (Vec::new(), 0, 0);
        while starts < seconds + 60 {
            // Never the same piece twice in a row.
            let piece = (before + 1 + random.below(Piece::ALL.len() - 1)) % Piece::ALL.len();
            items.push(Item { starts, piece, quieter: random.below(4) as u32 });
            starts += (PIECES[piece][0].len() as u64).div_ceil(u64::from(RATES[0])) + PAUSE;
            before = piece;
        }
        Self { items, stretches: Vec::new() }
    }

    /// The same with the clipped and the silent stretches of a schedule.
    pub(super) fn with(mut self, schedule: &[Event]) -> Self {
        self.stretches = schedule
            .iter()
            .filter_map(|event| match event.fault {
                Fault::Clipped(seconds) => Some((event.at, event.at + seconds, true)),
                Fault::Deaf(seconds) => Some((event.at, event.at + seconds, false)),
                _ => None,
            })
            .collect();
        self
    }

    /// Fills `into` with what a microphone of this rate hears from its sample `from` on.
    pub(super) fn hear(&self, rate: usize, from: u64, into: &mut [i32]) {
        let hertz = u64::from(RATES[rate]);
        let mut done = 0;
        while done < into.len() {
            let at = from + done as u64;
            let next = self.items.partition_point(|item| item.starts * hertz <= at).max(1);
            let (item, until) =
                (self.items[next - 1], self.items.get(next).map_or(u64::MAX, |item| item.starts * hertz));
            let count = usize::try_from(until - at).unwrap_or(usize::MAX).min(into.len() - done);
            let offset = (at - item.starts * hertz) as usize;
            let sound = PIECES[item.piece][rate].get(offset..).unwrap_or_default();
            let sound = sound.iter().map(|sample| sample >> item.quieter).chain(std::iter::repeat(0));
            for (sample, sound) in into[done..done + count].iter_mut().zip(sound) {
                *sample = sound;
            }
            done += count;
        }
        let (first, last) = (from / hertz, (from + into.len() as u64) / hertz);
        let next = self.stretches.partition_point(|stretch| stretch.1 < first);
        if let Some(&(begins, ends, clips)) = self.stretches.get(next)
            && begins <= last
        {
            for (n, sample) in into.iter_mut().enumerate() {
                if (begins..ends).contains(&((from + n as u64) / hertz)) {
                    *sample = if clips { sample.saturating_mul(64) } else { 0 };
                }
            }
        }
    }
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many frames are lost, and the microphone says so.
    Overrun(u64),
    /// The microphone delivers nothing, which takes two seconds to notice, until it is opened again.
    Stall,
    /// A read brings nothing at all.
    Nothing,
    /// The microphone is away for so many seconds.
    Unplugged(u64),
    /// Another program holds the microphone for so many seconds.
    Busy(u64),
    /// Another microphone, with another rate, is there a second later.
    Rate(usize),
    /// For so many seconds everything is far too loud.
    Clipped(u64),
    /// For so many seconds there is nothing but zeros.
    Deaf(u64),
    /// The clock leaps ahead by so many seconds, and no sound is missing.
    Clock(u64),
    /// The driver's time stamps go back, or are zero, for some periods.
    Stamps,
    /// The display's bus fails for so many seconds.
    Display(u64),
    /// A listener on the event socket hangs up, says nonsense or takes nothing.
    Socket(u8),
}

impl Fault {
    /// The row of the table that it belongs to.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Overrun(_) => "overrun",
            Self::Stall => "stall",
            Self::Nothing => "empty read",
            Self::Unplugged(_) => "unplugged",
            Self::Busy(_) => "held by another program",
            Self::Rate(_) => "other rate",
            Self::Clipped(_) => "clipped stretch",
            Self::Deaf(_) => "silent stretch",
            Self::Clock(_) => "clock leaps ahead",
            Self::Stamps => "time stamps go back or are zero",
            Self::Display(_) => "display bus fails",
            Self::Socket(_) => "listener misbehaves",
        }
    }

    /// What it does to the sound, and so how long its shadow is.
    pub(super) fn harm(self) -> Harm {
        match self {
            Self::Clock(_) | Self::Stamps | Self::Display(_) | Self::Socket(_) => Harm::None,
            Self::Clipped(_) | Self::Deaf(_) => Harm::Spoils,
            Self::Overrun(_) => Harm::Gap,
            Self::Stall | Self::Nothing | Self::Unplugged(_) | Self::Busy(_) | Self::Rate(_) => Harm::Reopens,
        }
    }
}

/// What a fault does to the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// Nothing.
    None,
    /// Some of it is missing.
    Gap,
    /// The microphone has to be opened again.
    Reopens,
    /// It is all there, but some of it is not what was played.
    Spoils,
}

/// A fault, and the second at which it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) fault: Fault,
}

/// A schedule: a fault every 40 to 240 s.
pub(super) fn schedule(seconds: u64, seed: u64) -> Vec<Event> {
    let mut random = SplitMix64::new(seed ^ 0xFA17);
    let mut events = Vec::new();
    let mut at = 40;
    while at + 90 < seconds {
        let long = |random: &mut SplitMix64, most: usize| 1 + random.below(most) as u64;
        // Every kind in turn, so that a short run has most of them, with random extents.
        let fault = match events.len() % 12 {
            0 => Fault::Overrun(long(&mut random, 48_000)),
            1 => Fault::Unplugged(long(&mut random, 20)),
            2 => Fault::Clock(long(&mut random, 4000)),
            3 => Fault::Display(long(&mut random, 20)),
            4 => Fault::Rate(random.below(RATES.len())),
            5 => Fault::Stall,
            6 => Fault::Socket(random.below(3) as u8),
            7 => Fault::Clipped(long(&mut random, 10)),
            8 => Fault::Stamps,
            9 => Fault::Deaf(long(&mut random, 10)),
            10 => Fault::Nothing,
            _ => Fault::Busy(long(&mut random, 20)),
        };
        events.push(Event { at, fault });
        at += 40 + random.below(200) as u64;
    }
    events
}
