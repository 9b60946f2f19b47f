//! Records beside the rig what is in the air and what was sent to the loudspeaker, on two channels of one converter.
//!
//! Both channels have one clock, so how long a sound takes from the rig's pin to the microphone is the distance of its onsets on
//! them: no buffer, no driver's time stamp and no second clock comes in. What the recording's own moments are on the rig's clock
//! needs to be known only well enough to tell one burst from the next.

use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use harmonynet::capture::{Granted, Microphone};

use super::onset::MatchedFilter;
use super::rig_file::Record;
use super::stimulus::{RATE_HZ, chirp};

/// How far from where it is expected a burst may lie in the recording, seconds: less than half of what lies between two.
const ROUGHLY: f64 = 0.25;

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
    period_seconds: f64,
}

impl Recorder {
    /// Begins to record so many frames; returns once the first ones have come.
    pub(super) fn start(record: &Record, frames: usize) -> Result<Self> {
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
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            roll(microphone, channels, frames, || {
                let _ = begun.send(());
            })
        });
        let recorder = Self {
            thread: thread.context("a thread for the recording")?,
            period_seconds: f64::from(granted.period_frames) / f64::from(RATE_HZ),
        };
        match begins.recv() {
            Ok(()) => Ok(recorder),
            // It ended before anything came, and says why.
            Err(_) => recorder.finish().and_then(|_| bail!("nothing was recorded")).with_context(device),
        }
    }

    /// How long ago it began when [`start`](Self::start) returned, seconds.
    pub(super) fn head_start(&self) -> f64 {
        self.period_seconds
    }

    /// Waits for the last frame.
    pub(super) fn finish(self) -> Result<Tape> {
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

/// Records two channels, counted from 0; tells when the first frames have come.
fn roll(
    mut from: impl Microphone,
    channels: [usize; 2],
    frames: usize,
    mut begun: impl FnMut(),
) -> Result<Tape> {
    let granted = from.granted();
    let width = usize::from(granted.channels);
    let mut period = vec![0; granted.period_samples()];
    let mut tape = Tape {
        microphone: Vec::with_capacity(frames),
        reference: Vec::with_capacity(frames),
        granted,
        lost: 0,
    };
    while tape.microphone.len() < frames {
        let reading = from.read(&mut period).context("the recording broke off")?;
        // Where frames were lost time went on.
        tape.lost += reading.lost;
        let gap = usize::try_from(reading.lost).unwrap_or(frames).min(frames);
        for (track, channel) in [(&mut tape.microphone, channels[0]), (&mut tape.reference, channels[1])] {
            track.resize(track.len() + gap, 0.0);
            let heard = period[..reading.frames * width].chunks_exact(width);
            track.extend(heard.map(|frame| frame[channel] as f32 / 2_147_483_648.0));
        }
        begun();
    }
    Ok(tape)
}

/// When each burst left, seconds of the recording, by its track of what was sent to the loudspeaker. `bursts` are the same
/// moments on the rig's clock, and the recording began at `begins` of that, roughly.
pub(super) fn departures(reference: &[f32], bursts: &[f64], begins: f64) -> Result<Vec<f64>> {
    let onsets = MatchedFilter::new(chirp()).onsets(reference);
    let onsets: Vec<f64> = onsets.iter().map(|onset| onset.at / f64::from(RATE_HZ)).collect();
    let departures: Vec<f64> = bursts
        .iter()
        .filter_map(|burst| {
            let near = onsets.iter().map(|at| (at, (at - (burst - begins)).abs()));
            near.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, off)| *off < ROUGHLY).map(|(at, _)| *at)
        })
        .collect();
    ensure!(
        departures.len() == bursts.len(),
        "the recording's reference channel holds {} of {} bursts: is the rig's sound pin wired to that input, neither too quiet nor \
         clipped? (record.reference)",
        departures.len(),
        bursts.len()
    );
    Ok(departures)
}

#[cfg(test)]
mod tests {
    use super::super::rig_file::Stimulus;
    use super::super::stimulus::Session;
    use super::*;
    use harmonynet::capture::{CaptureError, MemoryMicrophone};

    #[test]
    fn bursts_are_found_on_the_reference_though_the_clocks_differ() {
        let session = Session::new(&Stimulus { bursts: 4, pieces: 0, seed: 3 });
        let truth: Vec<f64> = session.bursts.iter().map(|at| at / f64::from(RATE_HZ)).collect();
        // The rig's clock is 40 s and a bit ahead, and runs 200 ppm faster.
        let of_rig: Vec<f64> = truth.iter().map(|at| 40.0 + at * 1.0002).collect();
        let found = departures(&session.sound, &of_rig, 39.93).unwrap();
        for (found, truth) in found.iter().zip(&truth) {
            assert!((found - truth).abs() < 1e-6, "{found} {truth}");
        }
        let error = departures(&session.sound, &of_rig, 41.0).unwrap_err().to_string();
        assert!(error.contains("of 4 bursts") && error.contains("record.reference"), "{error}");
    }

    #[test]
    fn a_recording_that_breaks_off_is_an_error() {
        let samples = [1 << 30; 5000];
        let tape = roll(MemoryMicrophone::new(&samples, RATE_HZ), [0, 0], 4000, || ()).unwrap();
        assert!(tape.microphone.len() >= 4000 && tape.microphone[0] == 0.5 && tape.lost == 0);
        let error = roll(MemoryMicrophone::new(&samples, RATE_HZ), [0, 0], 50_000, || ()).unwrap_err();
        assert_eq!(error.downcast_ref::<CaptureError>(), Some(&CaptureError::Ended));
    }
}
