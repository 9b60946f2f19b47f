//! A whole recording in, one verdict out: for `classify` and for evaluation.

use crate::capture::{CaptureError, Channel, Conditioner, Microphone};
use crate::classify::{Classifier, ClassifyError};
use crate::decide::{Overall, Policy};
use crate::flow::{Block, Fault, Level, LogMel, Scores, State};
use crate::frontend::{Frontend, FrontendState};
use crate::spec::SAMPLE_RATE_HZ;

/// What a recording holds.
#[derive(Clone, Debug)]
pub struct Recording {
    /// [`State::Genre`] or [`State::Unsure`] with label and confidence; [`State::Silence`] where no window holds sound;
    /// [`State::Listening`] where the recording is shorter than one window.
    pub state: State,
    /// The whole recording's scores; `None` where no window was classified.
    pub scores: Option<Scores>,
    /// The scores of each window that holds sound.
    pub windows: Vec<Scores>,
    /// Its length, seconds.
    pub seconds: f64,
    /// Samples at 22,050 Hz that could not be decoded.
    pub lost: u64,
}

/// Reads `microphone` until it ends and hands each block to `sink`.
///
/// # Errors
/// Why the microphone's sound cannot be read; its regular end is none.
pub fn read_to_end(
    microphone: &mut dyn Microphone,
    channel: Channel,
    mut sink: impl FnMut(&Block),
) -> Result<(), CaptureError> {
    let granted = microphone.granted();
    let mut conditioner = Conditioner::new(granted.rate_hz, granted.channels, channel)?;
    let mut period = vec![0; granted.period_samples().max(usize::from(granted.channels))];
    loop {
        let reading = match microphone.read(&mut period) {
            Ok(reading) => reading,
            Err(CaptureError::Ended) => break,
            Err(error) => return Err(error),
        };
        if reading.frames == 0 && reading.lost == 0 {
            return Err(CaptureError::Stalled);
        }
        conditioner.lose_frames(reading.lost);
        let mut unread = &period[..reading.frames * usize::from(granted.channels)];
        while let Some(block) = conditioner.feed(&mut unread) {
            sink(block);
        }
    }
    conditioner.flush().into_iter().for_each(sink);
    Ok(())
}

/// Classifies a whole recording: windows every 2 s ([`excerpt_frames`](crate::spec::FrontendSpec::excerpt_frames) of the
/// front-end), silent ones passed over.
///
/// # Errors
/// Why the recording cannot be read. A failing classifier is no error but [`Fault::Classifier`] as the state.
pub fn recognize(
    microphone: &mut dyn Microphone,
    channel: Channel,
    frontend: &Frontend,
    classifier: &mut dyn Classifier,
    policy: &Policy,
) -> Result<Recording, CaptureError> {
    let mut listener = Listener::new(classifier, policy, frontend.spec().excerpt_frames());
    let mut state = FrontendState::default();
    let (mut samples, mut lost) = (0, 0);
    read_to_end(microphone, channel, |block| {
        if block.lost > 0 {
            listener.restart();
        }
        lost += block.lost;
        samples = block.start + block.samples.len() as u64;
        frontend.push(&mut state, block, |frame| listener.hear(frame));
    })?;
    let seconds = samples as f64 / f64::from(SAMPLE_RATE_HZ);
    Ok(Recording {
        state: listener.state(),
        scores: listener.overall.scores(),
        windows: listener.windows,
        seconds,
        lost,
    })
}

/// Gathers the scores of a recording's windows.
struct Listener<'a> {
    classifier: &'a mut dyn Classifier,
    policy: &'a Policy,
    quiet: Level,
    /// Frames between windows.
    period: usize,
    frames: usize,
    /// Frames since the last one that was loud enough to be sound.
    since_sound: usize,
    silent_windows: usize,
    failed: bool,
    windows: Vec<Scores>,
    overall: Overall,
}

impl<'a> Listener<'a> {
    fn new(classifier: &'a mut dyn Classifier, policy: &'a Policy, period: usize) -> Self {
        classifier.reset();
        Self {
            classifier,
            policy,
            quiet: Level::from_dbfs(policy.silence_dbfs),
            period,
            frames: 0,
            since_sound: usize::MAX,
            silent_windows: 0,
            failed: false,
            windows: Vec::new(),
            overall: Overall::new(policy.floor),
        }
    }

    fn restart(&mut self) {
        self.classifier.reset();
        (self.frames, self.since_sound) = (0, usize::MAX);
    }

    fn hear(&mut self, frame: &LogMel) {
        self.classifier.push(frame);
        self.frames += 1;
        self.since_sound = if frame.level >= self.quiet { 0 } else { self.since_sound.saturating_add(1) };
        let window = self.classifier.window();
        if !window.ends(self.frames, self.period) {
            return;
        }
        if self.since_sound >= window.frames() {
            self.silent_windows += 1;
            return;
        }
        match self.classifier.scores() {
            Ok(scores) => {
                self.overall.push(&scores);
                self.windows.push(scores);
            }
            Err(ClassifyError::NotReady) => {}
            Err(_) => self.failed = true,
        }
    }

    fn state(&self) -> State {
        if self.failed {
            return State::Fault { fault: Fault::Classifier };
        }
        let Some(scores) = self.overall.scores() else {
            return if self.silent_windows > 0 { State::Silence } else { State::Listening };
        };
        let (label, confidence) = scores.leader();
        if confidence < self.policy.unsure_below {
            State::Unsure { label, confidence }
        } else {
            State::Genre { label, confidence }
        }
    }
}
