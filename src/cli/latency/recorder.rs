//! Records beside the rig what is in the air and what was sent to the loudspeaker, on two channels of one converter.
//!
//! Both channels have one clock, so how long a sound takes from the rig's pin to the microphone is the distance of its onsets on
//! them: no buffer, no driver's time stamp and no second clock comes in. When the recording began on the rig's clock need not be
//! known: which burst is which follows from the times between them, of which no two are alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use harmonynet::capture::{Granted, Microphone};

use super::onset::MatchedFilter;
use super::rig_file::Record;
use super::stimulus::{RATE_HZ, chirp};

/// How far a burst may lie from where the one before it lets expect it, seconds: two crystals part by microseconds, and times
/// between bursts differ by up to 0.2 s.
const ROUGHLY: f64 = 0.01;
/// The first burst is one of so many onsets: the recording begins shortly before the session.
const FIRST_ONES: usize = 16;

/// What was recorded.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) microphone: Vec<f32>,
    pub(super) reference: Vec<f32>,
    pub(super) granted: Granted,
    /// Frames lost while recording, which are silence here.
    pub(super) lost: u64,
}

/// A recording that goes on.
pub(super) struct Recorder {
    thread: JoinHandle<Result<Tape>>,
    is_over: Arc<AtomicBool>,
}

impl Recorder {
    /// Begins to record, so many frames at most; returns once the first ones have come.
    pub(super) fn start(record: &Record, most: usize) -> Result<Self> {
        let device = || format!("recording from `{}`", record.device);
        let microphone = open(record).with_context(device)?;
        let granted = microphone.granted();
        ensure!(
            granted.rate_hz == RATE_HZ && granted.channels >= record.microphone.max(record.reference),
            "{}: it gives {granted}; wanted are {RATE_HZ} Hz and channels {} and {} (record.microphone, record.reference)",
            device(),
            record.microphone,
            record.reference
        );
        let (begun, begins): (_, Receiver<()>) = channel();
        let channels = [record.microphone, record.reference].map(|channel| usize::from(channel) - 1);
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            roll(microphone, channels, most, || {
                let _ = begun.send(());
                !until.load(Ordering::Relaxed)
            })
        });
        let recorder = Self { thread: thread.context("a thread for the recording")?, is_over };
        match begins.recv() {
            Ok(()) => Ok(recorder),
            // It ended before anything came, and says why.
            Err(_) => recorder.finish().and_then(|_| bail!("nothing was recorded")).with_context(device),
        }
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<Tape> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the recording's thread panicked"))?
    }
}

#[cfg(feature = "alsa")]
fn open(record: &Record) -> Result<Box<dyn Microphone + Send>> {
    use harmonynet::capture::{AlsaMicrophone, AlsaOptions, Channel};

    let most = record.microphone.max(record.reference);
    let options =
        AlsaOptions { channel: Channel::Pick(most - 1), rate_hz: Some(RATE_HZ), ..AlsaOptions::default() };
    Ok(Box::new(AlsaMicrophone::open(&record.device, &options)?))
}

#[cfg(not(feature = "alsa"))]
fn open(_: &Record) -> Result<Box<dyn Microphone + Send>> {
    bail!("this build has no microphones: build it with --features alsa")
}

/// Records two channels, counted from 0, as long as `goes_on` says after each period, but not more than `most` frames.
fn roll(
    mut from: impl Microphone,
    channels: [usize; 2],
    most: usize,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Tape> {
    let granted = from.granted();
    let width = usize::from(granted.channels);
    let mut period = vec![0; granted.period_samples()];
    let mut tape =
        Tape { microphone: Vec::with_capacity(most), reference: Vec::with_capacity(most), granted, lost: 0 };
    while tape.microphone.len() < most {
        let reading = from.read(&mut period).context("the recording broke off")?;
        // Where frames were lost time went on.
        tape.lost += reading.lost;
        let gap = usize::try_from(reading.lost).unwrap_or(most).min(most);
        for (track, channel) in [(&mut tape.microphone, channels[0]), (&mut tape.reference, channels[1])] {
            track.resize(track.len() + gap, 0.0);
            let heard = period[..reading.frames * width].chunks_exact(width);
            track.extend(heard.map(|frame| frame[channel] as f32 / 2_147_483_648.0));
        }
        if !goes_on() {
            break;
        }
    }
    Ok(tape)
}

/// When each burst left, seconds of the recording, by its track of what was sent to the loudspeaker. `bursts` are the same
/// moments on the rig's clock.
pub(super) fn departures(reference: &[f32], bursts: &[f64]) -> Result<Vec<f64>> {
    let onsets = MatchedFilter::new(chirp()).onsets(reference);
    let onsets: Vec<f64> = onsets.iter().map(|onset| onset.at / f64::from(RATE_HZ)).collect();
    let from_first = onsets.iter().take(FIRST_ONES).map(|first| follow(&onsets, bursts, *first));
    // Of two that hold as many the earlier: a single burst cannot be told from what follows it.
    let departures = from_first.reduce(|a, b| if b.len() > a.len() { b } else { a }).unwrap_or_default();
    ensure!(
        departures.len() == bursts.len(),
        "the recording's reference channel holds {} of {} bursts: is the rig's sound pin wired to that input, neither too quiet nor \
         clipped? (record.reference)",
        departures.len(),
        bursts.len()
    );
    Ok(departures)
}

/// The onsets that are the bursts where `first` is the first one.
fn follow(onsets: &[f64], bursts: &[f64], first: f64) -> Vec<f64> {
    let mut ahead = bursts.first().map_or(0.0, |burst| burst - first);
    let mut found = Vec::with_capacity(bursts.len());
    for burst in bursts {
        let after = onsets.partition_point(|at| *at < burst - ahead);
        let beside =
            [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|at| onsets.get(at));
        let off = |at: &f64| (at - (burst - ahead)).abs();
        if let Some(at) = beside.min_by(|a, b| off(a).total_cmp(&off(b))).filter(|at| off(at) < ROUGHLY) {
            // The clocks part slowly: the next is expected from here.
            ahead = burst - at;
            found.push(*at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::rig_file::Stimulus;
    use super::super::stimulus::{Session, delayed};
    use super::*;
    use harmonynet::capture::{CaptureError, MemoryMicrophone};

    #[test]
    fn bursts_are_found_on_the_reference_though_the_clocks_differ() {
        let session = Session::new(&Stimulus { bursts: 4, pieces: 0, seed: 3 });
        let truth: Vec<f64> = session.bursts.iter().map(|at| at / f64::from(RATE_HZ)).collect();
        // The rig's clock is 40 s and a bit ahead, and runs 200 ppm faster.
        let of_rig: Vec<f64> = truth.iter().map(|at| 40.0 + at * 1.0002).collect();
        let found = departures(&session.sound, &of_rig).unwrap();
        for (found, truth) in found.iter().zip(&truth) {
            assert!((found - truth).abs() < 1e-6, "{found} {truth}");
        }
        // Something alike was heard before.
        let twice = [delayed(&burst_alone(&session), 777.0), session.sound.clone()].concat();
        let later = (twice.len() - session.sound.len()) as f64 / f64::from(RATE_HZ);
        let found = departures(&twice, &of_rig).unwrap();
        assert!((found[0] - later - truth[0]).abs() < 1e-4 && found.len() == 4, "{found:?}");
        // Another session's, and none.
        let error = departures(&Session::new(&Stimulus { bursts: 4, pieces: 0, seed: 4 }).sound, &of_rig);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("of 4 bursts") && error.contains("record.reference"), "{error}");
        assert!(departures(&session.sound[..1000], &of_rig).unwrap_err().to_string().contains("0 of 4"));
    }

    /// The session's first burst and what is before it.
    fn burst_alone(session: &Session) -> Vec<f32> {
        session.sound[..session.bursts[0] as usize + 12_000].to_vec()
    }

    #[test]
    fn a_recording_that_breaks_off_is_an_error() {
        let samples = [1 << 30; 5000];
        let tape = roll(MemoryMicrophone::new(&samples, RATE_HZ), [0, 0], 4000, || true).unwrap();
        assert!(tape.microphone.len() >= 4000 && tape.microphone[0] == 0.5 && tape.lost == 0);
        let error = roll(MemoryMicrophone::new(&samples, RATE_HZ), [0, 0], 50_000, || true).unwrap_err();
        assert_eq!(error.downcast_ref::<CaptureError>(), Some(&CaptureError::Ended));
        let short = roll(MemoryMicrophone::new(&samples, RATE_HZ), [0, 0], 50_000, || false).unwrap();
        assert!((1..5000).contains(&short.microphone.len()), "it ends when it is told to");
    }
}
