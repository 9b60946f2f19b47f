//! A rig of a stimulus-and-stopwatch: it plays sounds, and stamps its trigger and the display's lights on one clock. Whoever
//! listens runs beside this program or on another machine; what it says of itself is read elsewhere.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use harmonynet::capture::SplitMix64;
use harmonynet::trace::distribution::Distribution;
use stopwatch::clock::{Bounded, Comparison, Exchange};
use stopwatch::{Channel, Edge, Nanos, Sound};

use super::super::log;
use super::link::Link;
use super::observation::{Declared, Light, Observation, Recording};
use super::recorder::{Recorder, departures};
use super::rig_file::{Record, Stimulus, Wired};
use super::schedule::{MOST_BEHIND, Rig as _, Schedule};
use super::stimulus::{PIECE, RATE_HZ, REST, SPACING};

/// How far the trigger may lie from the moment that was asked for.
const TRIGGER_WITHIN: Nanos = 1_000_000;

/// How the clocks of rig and host compare.
#[derive(Debug)]
pub(super) struct Clocks {
    /// What the host's is ahead, nanoseconds, when the first sound was played.
    pub(super) offset: Bounded,
    /// How much faster the host's ran, millionths.
    pub(super) drift: Bounded,
    /// The largest bound of the offset at any sound, nanoseconds.
    pub(super) worst: f64,
    /// Of the exchanges, microseconds.
    pub(super) round_trips: Distribution,
}

/// When what is played, nanoseconds after the session's begin.
struct Plan {
    bursts: Vec<Nanos>,
    pieces: Vec<Nanos>,
    music_from: Nanos,
    end: Nanos,
}

impl Plan {
    fn new(stimulus: &Stimulus) -> Self {
        let mut random = SplitMix64::new(stimulus.seed);
        let mut at = samples(REST);
        let mut bursts = Vec::new();
        for _ in 0..stimulus.bursts {
            // Anywhere in a period: a nanosecond is a part of a sample.
            at += samples(SPACING.0) + random.bits() % samples(SPACING.1);
            bursts.push(at);
        }
        let music_from = at + samples(REST);
        let mut pieces = Vec::new();
        for piece in 0..stimulus.pieces {
            at += samples(REST)
                + if piece > 0 { samples(PIECE) } else { samples(SPACING.0) }
                + random.bits() % samples(RATE_HZ as usize);
            pieces.push(at);
        }
        let end = at + samples(REST) + if pieces.is_empty() { 0 } else { samples(PIECE) };
        Self { bursts, pieces, music_from, end }
    }
}

/// Plays the session on the rig, watches the lights, and records where there is something to record with.
pub(super) fn observe(
    wired: &Wired,
    port: &Path,
    stimulus: &Stimulus,
    record: Option<&Record>,
) -> Result<Observation> {
    let mut link = Link::open(port)?;
    let plan = Plan::new(stimulus);
    let most = ((plan.music_from + MOST_BEHIND) / 1_000_000 * Nanos::from(RATE_HZ) / 1000) as usize;
    let recorder = record.map(|record| Recorder::start(record, most)).transpose()?;
    // Whatever opening a sound card took: what time is it?
    link.wait_until(0)?;
    let begin = link.now();
    let mut schedule = Schedule::new(begin);
    let mut play = |schedule: &mut Schedule, plan: &[Nanos], sound| -> Result<Vec<Nanos>> {
        plan.iter().map(|after| schedule.play(&mut link, *after, sound)).collect()
    };
    let bursts = play(&mut schedule, &plan.bursts, Sound::Burst)?;
    let music_from = schedule.at(plan.music_from);
    let music = Sound::Music { millis: (samples(PIECE) / 1_000_000) as u16 };
    let pieces = play(&mut schedule, &plan.pieces, music)?;
    if let again @ 1.. = schedule.asked_again {
        log::say(format_args!(
            "this machine was too busy: {again} times it asked for a sound again, for a later moment"
        ));
    }
    link.wait_until(schedule.at(plan.end))?;
    link.compare_at_length()?;
    let lost = link.lost_edges();
    ensure!(
        lost == 0,
        "{lost} edges were lost: do the lights blink? (full brightness, or a comparator with hysteresis)"
    );
    let edges: Vec<Edge> = link.edges.iter().copied().filter(|edge| edge.at >= begin).collect();
    let clocks = clocks(&link.exchanges, link.tick_nanos(), &[&bursts[..], &pieces[..]].concat())?;
    let seconds = |at: Nanos| at.saturating_sub(begin) as f64 / 1e9;
    let dark = millis(wired.dark_ms);
    let levels = lights(&edges, Channel::Level, dark, 0);
    let genres = lights(&edges, Channel::Genre, dark, millis(wired.hold_ms));
    let bursts: Vec<f64> = triggers(&edges, &bursts)?.into_iter().map(seconds).collect();
    let mut through = format!("stopwatch on {}, resolution {} ns", port.display(), link.tick_nanos());
    let recording = recorder.map(|recorder| {
        let tape = recorder.finish()?;
        let _ = write!(through, "; recorded at {}", tape.granted);
        let departures = departures(&tape.reference, &bursts)?;
        let first = bursts.first().zip(departures.first());
        anyhow::Ok(Recording {
            sound: tape.microphone,
            begins: first.map_or(0.0, |(of_rig, of_tape)| of_rig - of_tape),
            departures: Some(departures),
            lost: tape.lost,
        })
    });
    Ok(Observation {
        recording: recording.transpose()?,
        through,
        bursts,
        pieces: triggers(&edges, &pieces)?.into_iter().map(seconds).collect(),
        music_from: seconds(music_from),
        levels: levels.into_iter().map(|at| Light { at: seconds(at), written: None }).collect(),
        decisions: genres.into_iter().map(seconds).collect(),
        declared: Declared { sound: wired.sound_ms / 1000.0, light: wired.light_ms / 1000.0 },
        clocks: Some(clocks),
        asked_again: schedule.asked_again,
        ..Observation::default()
    })
}

/// So many samples in nanoseconds.
fn samples(count: usize) -> Nanos {
    count as Nanos * 1_000_000_000 / Nanos::from(RATE_HZ)
}

fn millis(time: f64) -> Nanos {
    (time * 1e6) as Nanos
}

/// When the trigger went up for each sound that was asked for.
fn triggers(edges: &[Edge], asked: &[Nanos]) -> Result<Vec<Nanos>> {
    let rises = || edges.iter().filter(|edge| edge.channel == Channel::Trigger && edge.is_high);
    let found: Vec<Nanos> = asked
        .iter()
        .filter_map(|at| rises().map(|edge| edge.at).find(|rise| rise.abs_diff(*at) < TRIGGER_WITHIN))
        .collect();
    let missing = asked.len() - found.len();
    ensure!(missing == 0, "the rig did not play {missing} of {} sounds: is its firmware right?", asked.len());
    Ok(found)
}

/// When a light went on: from its first edge up, whatever flickers, until it was dark for `dark`. Those that stayed on for
/// less than `hold` are no light.
fn lights(edges: &[Edge], channel: Channel, dark: Nanos, hold: Nanos) -> Vec<Nanos> {
    let mut lights: Vec<(Nanos, Nanos)> = Vec::new();
    let mut since = None;
    for edge in edges.iter().filter(|edge| edge.channel == channel) {
        if edge.is_high {
            since.get_or_insert(edge.at);
        } else if let Some(on) = since.take() {
            match lights.last_mut() {
                Some(light) if on.saturating_sub(light.1) < dark => light.1 = edge.at,
                _ => lights.push((on, edge.at)),
            }
        }
    }
    // One that is still on.
    if let Some(on) = since {
        match lights.last_mut() {
            Some(light) if on.saturating_sub(light.1) < dark => light.1 = Nanos::MAX,
            _ => lights.push((on, Nanos::MAX)),
        }
    }
    lights.into_iter().filter(|(on, off)| off - on >= hold).map(|(on, _)| on).collect()
}

fn clocks(exchanges: &[Exchange], tick_nanos: u32, sounds: &[Nanos]) -> Result<Clocks> {
    let comparison = Comparison::new(exchanges, tick_nanos);
    let mut bounds = sounds.iter().map(|at| comparison.offset(*at));
    let offset = bounds.next().unwrap_or_else(|| comparison.offset(0))?;
    let mut worst = offset.within;
    for bound in bounds {
        worst = worst.max(bound?.within);
    }
    Ok(Clocks {
        offset,
        drift: comparison.drift()?,
        worst,
        round_trips: exchanges.iter().map(|exchange| exchange.round_trip() as f64 / 1e3).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::onset::MatchedFilter;
    use super::super::stimulus::chirp;
    use super::*;

    fn edges(changes: &[(Nanos, bool)]) -> Vec<Edge> {
        let edge = |(number, (at, is_high)): (usize, &(Nanos, bool))| Edge {
            number: number as u32,
            channel: Channel::Level,
            is_high: *is_high,
            at: *at,
        };
        changes.iter().enumerate().map(edge).collect()
    }

    #[test]
    fn a_light_that_flickers_is_one_light_and_a_flash_is_none() {
        let seen =
            edges(&[(10, true), (12, false), (13, true), (40, false), (90, true), (95, false), (200, true)]);
        assert_eq!(lights(&seen, Channel::Level, 5, 0), [10, 90, 200]);
        assert_eq!(lights(&seen, Channel::Level, 0, 0), [10, 13, 90, 200]);
        assert_eq!(lights(&seen, Channel::Level, 5, 20), [10, 200]);
        assert!(lights(&seen, Channel::Genre, 5, 0).is_empty());
    }

    #[test]
    fn a_sound_that_was_not_played_is_an_error() {
        let mut seen = edges(&[(5_000_100, true), (6_000_000, false)]);
        seen[0].channel = Channel::Trigger;
        assert_eq!(triggers(&seen, &[5_000_000]).unwrap(), [5_000_100]);
        let error = triggers(&seen, &[5_000_000, 9_000_000]).unwrap_err().to_string();
        assert!(error.contains("1 of 2 sounds"), "{error}");
    }

    /// What the rig plays has its onset where the matched filter of recordings finds it.
    #[test]
    fn the_rigs_burst_holds_the_chirp_that_recordings_are_searched_for() {
        let burst = stopwatch::sound::Samples::new(Sound::Burst).map(|x| f32::from(x) / 32_768.0);
        let recording: Vec<f32> = std::iter::repeat_n(0.0, 2000).chain(burst).collect();
        let onsets = MatchedFilter::new(chirp()).onsets(&recording);
        assert_eq!(onsets.len(), 1, "{onsets:?}");
        assert!((onsets[0].at - 2000.0).abs() < 0.5 && onsets[0].likeness > 0.95, "{onsets:?}");
    }
}
