//! What a stimulus-and-stopwatch rig and its host say to each other, and how their clocks are compared.
//!
//! ```text
//! host ── Hello, Time, Play, Quiet ──▶ device   postcard records in COBS frames, each in one USB packet
//!      ◀── Hello, Time, Scheduled, Refused, Edge ──
//! ```
//! | module | what it does | runs on |
//! | --- | --- | --- |
//! | [`Frames`], [`encode`] | records as bytes and back | both |
//! | [`device`] | what the device answers, whatever its hardware | the device |
//! | [`edges`] | a counter's readings as moments | the device |
//! | [`sound`] | what it plays, as samples and as bits of a pin | the device |
//! | [`clock`] | the device's moments on the host's clock, with bounds | the host |
//! | `simulated` | a device without hardware | tests |
//!
//! Nothing here needs an operating system or allocates, but the simulation. Not for sound that was heard: none is sent.
#![cfg_attr(not(any(test, feature = "simulated")), no_std)]

pub mod clock;
pub mod device;
pub mod edges;
mod frames;
#[cfg(feature = "simulated")]
pub mod simulated;
pub mod sound;

pub use frames::{FRAME_BYTES, Frames, Unreadable, encode};

use serde::{Deserialize, Serialize};

/// The protocol's version: another one where a record means anything else. [`Request::Hello`] and the first byte of
/// [`Hello`] stay what they are in every version.
pub const VERSION: u8 = 1;

/// A moment of the clock of whoever says it, nanoseconds.
pub type Nanos = u64;

/// What the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Who is there?
    Hello,
    /// What time is it? Answered at once.
    Time {
        /// Comes back with the answer.
        number: u32,
    },
    /// Raise the trigger and play a sound.
    Play {
        /// Comes back with the answer.
        number: u32,
        /// When, on the device's clock.
        at: Nanos,
        /// What.
        sound: Sound,
    },
    /// Be quiet, and forget what was to be played.
    Quiet,
}

/// What a device can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// A chirp of 21 ms and 208 ms of noise.
    Burst,
    /// Chords over a beat.
    Music {
        /// For so long, milliseconds.
        millis: u16,
    },
}

/// What the device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is there.
    Hello(Hello),
    /// The time.
    Time {
        /// The question's number.
        number: u32,
        /// When the question came.
        received: Nanos,
        /// When this was written.
        replied: Nanos,
    },
    /// It will be played.
    Scheduled {
        /// The request's number.
        number: u32,
    },
    /// It won't.
    Refused {
        /// The request's number.
        number: u32,
        /// Why.
        why: Refusal,
    },
    /// A pin changed.
    Edge(Edge),
    /// What came is no request of this version.
    Unreadable,
}

/// What a device says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`VERSION`].
    pub version: u8,
    /// The resolution of its moments, nanoseconds.
    pub tick_nanos: u32,
}

/// Why something isn't played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Something else is to be played, or being played.
    Busy,
    /// The moment is past, or less than a hundredth of a second away.
    TooLate,
    /// The moment is more than ten seconds away.
    TooFar,
}

/// A pin that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// The trigger, which is high while a sound is played.
    Trigger,
    /// The light of the level.
    Level,
    /// The light of a genre.
    Genre,
}

/// A pin that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Counts edges from 0 on: where a number is left out, one was lost.
    pub number: u32,
    /// Which pin.
    pub channel: Channel,
    /// Whether it is high now.
    pub is_high: bool,
    /// When, on the device's clock.
    pub at: Nanos,
}
