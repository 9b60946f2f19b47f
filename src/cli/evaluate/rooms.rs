//! The tracks as a device in a room would hear them.

use std::fmt::Write as _;
use std::sync::Mutex;

use anyhow::Result;
use clap::Args;
use harmonynet::capture::room::{Acoustics, Place};
use harmonynet::capture::{FileMicrophone, Microphone, SplitMix64};
use serde_json::{Value, json};

use super::super::source;
use super::judge::{Condition, Hearing, Judged};
use super::summary::{Beside, Summary};

/// Options that name rooms.
#[derive(Args)]
pub(super) struct RoomArgs {
    /// Play the tracks in this simulated room too
    #[arg(long, value_name = "NAME", value_parser = source::place(), conflicts_with = "rooms", requires = "audio")]
    room: Vec<Place>,

    /// Play the tracks in every simulated room
    #[arg(long, requires = "audio")]
    rooms: bool,

    /// How far the noise in a room lies below the music, decibels [default: 20 and 10]
    #[arg(long, value_name = "DB", value_delimiter = ',', allow_negative_numbers = true)]
    snr: Vec<f64>,
}

impl RoomArgs {
    /// The rooms that were asked for, the quietest noise first.
    pub(super) fn hearings(&self) -> impl Iterator<Item = Hearing> + '_ {
        let places: &[Place] = if self.rooms { &Place::ALL } else { &self.room };
        let snrs: &[f64] = if self.snr.is_empty() { &[20.0, 10.0] } else { &self.snr };
        let venues = snrs.iter().flat_map(|snr_db| places.iter().map(|place| Venue::new(*place, *snr_db)));
        venues.map(|venue| Hearing::Room(Box::new(venue)))
    }
}

/// A room, and how loud its noise is.
pub(super) struct Venue {
    place: Place,
    snr_db: f64,
    /// Computed once for each sample rate.
    acoustics: Mutex<Vec<Acoustics>>,
}

impl Venue {
    fn new(place: Place, snr_db: f64) -> Self {
        Self { place, snr_db, acoustics: Mutex::default() }
    }

    /// The sound of a track in this room; every track meets noise of its own, the same every time.
    pub(super) fn open(
        &self,
        track: &str,
        open: impl Fn() -> Result<FileMicrophone>,
    ) -> Result<Box<dyn Microphone>> {
        let acoustics = self.acoustics(open()?.granted().rate_hz);
        let seed = track.bytes().fold(1, |seed, byte| SplitMix64::new(seed ^ u64::from(byte)).bits());
        Ok(Box::new(acoustics.hear(open, self.snr_db, seed)?))
    }

    fn acoustics(&self, rate_hz: u32) -> Acoustics {
        let known = |all: &[Acoustics]| all.iter().find(|acoustics| acoustics.rate_hz() == rate_hz).cloned();
        let Ok(mut all) = self.acoustics.lock() else { return Acoustics::new(&self.place, rate_hz) };
        known(&all).unwrap_or_else(|| {
            all.push(Acoustics::new(&self.place, rate_hz));
            all[all.len() - 1].clone()
        })
    }
}

/// The table and the record of the rooms among `conditions`, beside the first condition, which is clean.
pub(super) fn report(conditions: &[Condition], judged: &[Judged], summary: &Summary) -> (String, Value) {
    let clean = [&summary.excerpt, &summary.track].map(|figures| figures.confusion.accuracy());
    let (mut text, mut entries) = (String::new(), Vec::new());
    for (index, condition) in conditions.iter().enumerate() {
        let Hearing::Room(venue) = &condition.hearing else { continue };
        let Venue { place, snr_db, .. } = venue.as_ref();
        if text.is_empty() {
            head(&mut text, clean);
        }
        let beside = Beside::of(judged, index);
        let gap = [clean[0] - beside.excerpt, clean[1] - beside.track];
        row(&mut text, place, *snr_db, &beside, gap);
        entries.push(json!({
            "room": place.name,
            "loudspeaker": place.loudspeaker.name,
            "microphone": place.microphone.name,
            "noise": place.noise.name(),
            "snr_db": snr_db,
            "excerpt": beside.excerpt,
            "track": beside.track,
            "agreement": beside.agreement,
            "excerpt_gap": gap[0],
            "track_gap": gap[1],
        }));
    }
    (text, entries.into())
}

// Writing to a string cannot fail.

fn head(text: &mut String, clean: [f64; 2]) {
    let _ = writeln!(
        text,
        "\n{:<12} {:>6}  {:>8} {:>8} {:>13}  {:>18}  what it is",
        "room", "SNR", "excerpt", "track", "same verdict", "points lost"
    );
    let _ = writeln!(text, "{:<12} {:>6}  {:>8.4} {:>8.4}", "clean", "", clean[0], clean[1]);
}

fn row(text: &mut String, place: &Place, snr_db: f64, beside: &Beside, gap: [f64; 2]) {
    let [low, high] = place.room.reverberation_seconds();
    let _ = writeln!(
        text,
        "{:<12} {snr_db:>3} dB  {:>8.4} {:>8.4} {:>13.4}  {:>8.1} {:>9.1}  {:.1}/{:.1} s, {}, {}, {}",
        place.name,
        beside.excerpt,
        beside.track,
        beside.agreement,
        100.0 * gap[0],
        100.0 * gap[1],
        low,
        high,
        place.loudspeaker.name,
        place.microphone.name,
        place.noise.name()
    );
}
