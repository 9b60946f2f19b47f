//! Tracks through engines and listening conditions: what was said of every excerpt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use harmonynet::capture::{CaptureError, Channel, FileMicrophone, Granted, Microphone, Reading};
use harmonynet::classify::engine::{Engine, Form};
use harmonynet::classify::package::Package;
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Overall, Policy};
use harmonynet::flow::{Level, LogMel, Scores, State};
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::recording::recognize;
use harmonynet::spec::WindowLength;

use super::super::engine::{self, ModelArgs};
use super::super::files;
#[cfg(feature = "rooms")]
use super::rooms::Venue;
use super::split::Track;

/// A form of the model, and how it hears.
pub(super) struct Condition {
    pub(super) form: Form,
    pub(super) hearing: Hearing,
}

/// How a track reaches the engine.
pub(super) enum Hearing {
    /// As recorded.
    Plain,
    /// 20 dB quieter, rounded to 24 bits.
    Quieter,
    /// From other recordings of the same tracks, by their names.
    Against(BTreeMap<String, PathBuf>),
    /// Played in a room.
    #[cfg(feature = "rooms")]
    Room(Box<Venue>),
}

/// What was said of one window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excerpt {
    /// Its place on the grid of windows.
    pub(super) index: usize,
    pub(super) verdict: u8,
    pub(super) confidence: f32,
    /// Whether a device that hears nothing but this window shows a genre.
    pub(super) shown: bool,
}

/// What was said of one track in one condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) excerpts: Vec<Excerpt>,
    pub(super) verdict: u8,
}

/// One track, and what was said of it in every condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) label: u8,
    pub(super) heard: Vec<Heard>,
}

/// A model, ready to hear.
pub(super) struct Ears<'a> {
    args: &'a ModelArgs,
    package: &'a Package,
    frontend: Frontend,
    /// What the device shows by.
    policy: Policy,
}

/// Every window of a sound.
pub(super) struct Windows {
    /// Those in which anything can be heard at all: place, scores, the loudest frame.
    pub(super) heard: Vec<(usize, Scores, Level)>,
    /// All of them, the silent ones too.
    pub(super) count: usize,
    lost: u64,
}

impl<'a> Ears<'a> {
    pub(super) fn new(args: &'a ModelArgs, package: &'a Package) -> Result<Self> {
        let (frontend, policy) = (engine::frontend(package)?, engine::policy(package.manifest())?);
        Ok(Self { args, package, frontend, policy })
    }

    pub(super) fn engine(&self, form: Form) -> Result<Engine> {
        self.args.engine_for(self.package, form)
    }

    /// Hears `microphone` to its end.
    pub(super) fn hear(&self, microphone: &mut dyn Microphone, engine: &mut Engine) -> Result<Windows> {
        // The arg-max of every window counts, quiet ones too; what the device would show is asked afterwards.
        let policy = Policy { silence_dbfs: -120.0, ..self.policy };
        let mut meter = Meter::new(engine, self.frontend.spec().excerpt_frames());
        let recording = recognize(microphone, Channel::Mix, &self.frontend, &mut meter, &policy)?;
        ensure!(!matches!(recording.state, State::Fault { .. }), "the classifier failed");
        let heard = meter.heard.into_iter().zip(recording.windows);
        let heard = heard.map(|((index, loudest), scores)| (index, scores, loudest)).collect();
        Ok(Windows { heard, count: meter.windows, lost: recording.lost })
    }

    /// Whether the device shows a genre for a window by itself: it isn't silent, and the confidence suffices.
    pub(super) fn shows(&self, scores: &Scores, loudest: Level) -> bool {
        loudest >= Level::from_dbfs(self.policy.silence_dbfs) && scores.leader().1 >= self.policy.unsure_below
    }

    /// What is said of `track` in a condition.
    fn judge(&self, track: &Track, hearing: &Hearing, engine: &mut Engine) -> Result<Heard> {
        let mut microphone = hearing.open(track)?;
        let windows = self.hear(microphone.as_mut(), engine)?;
        ensure!(windows.count > 0, "shorter than one window");
        ensure!(
            windows.lost == 0 || track.excerpts.is_none(),
            "it is damaged, so that its excerpts can't be counted"
        );
        if let Some(last) = track.excerpts.as_ref().and_then(BTreeSet::last) {
            ensure!(
                *last < windows.count,
                "it has {} excerpts, but the table counts its excerpt {last}",
                windows.count
            );
        }
        let wanted =
            |index| track.excerpts.as_ref().is_none_or(|kept: &BTreeSet<usize>| kept.contains(&index));
        let mut overall = Overall::new(self.policy.floor);
        let mut excerpts = Vec::new();
        for (index, scores, loudest) in windows.heard.iter().filter(|window| wanted(window.0)) {
            overall.push(scores);
            let (verdict, confidence) = scores.leader();
            let shown = self.shows(scores, *loudest);
            excerpts.push(Excerpt { index: *index, verdict, confidence, shown });
        }
        let overall = overall.scores().context("none of its excerpts that count holds any sound")?;
        Ok(Heard { excerpts, verdict: overall.leader().0 })
    }
}

impl Hearing {
    fn open(&self, track: &Track) -> Result<Box<dyn Microphone>> {
        let path = match self {
            Self::Against(others) => others.get(&track.name).context("it has no other recording")?,
            _ => &track.path,
        };
        let open = || -> Result<_> { Ok(FileMicrophone::open(path)?) };
        Ok(match self {
            Self::Plain | Self::Against(_) => Box::new(open()?),
            Self::Quieter => Box::new(Quieter { inner: open()?, divisor: 10 }),
            #[cfg(feature = "rooms")]
            Self::Room(venue) => venue.open(&track.name, open)?,
        })
    }
}

/// Every track in every condition, in the order of the tracks, however many threads there are.
pub(super) fn judge(
    ears: &Ears<'_>,
    tracks: &[Track],
    conditions: &[Condition],
    jobs: Option<usize>,
) -> Result<Vec<Judged>> {
    let needed = |form: &Form| conditions.iter().any(|condition| condition.form == *form);
    let engines = || -> Result<Vec<(Form, Engine)>> {
        Form::ALL.into_iter().filter(needed).map(|form| Ok((form, ears.engine(form)?))).collect()
    };
    let judged = Mutex::new(Vec::new());
    let failed = files::in_parallel_with(tracks, jobs, engines, |engines, track| {
        let heard = conditions.iter().map(|condition| {
            let engine = engines.iter_mut().find(|engine| engine.0 == condition.form);
            let (_, engine) = engine.context("no engine for the model")?;
            ears.judge(track, &condition.hearing, engine).with_context(|| track.path.display().to_string())
        });
        let heard = heard.collect::<Result<_>>()?;
        if let Ok(mut judged) = judged.lock() {
            judged.push(Judged { name: track.name.clone(), label: track.label, heard });
        }
        Ok(())
    });
    ensure!(failed == 0, "{failed} tracks could not be judged");
    let mut judged = judged.into_inner().unwrap_or_default();
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(judged)
}

/// An engine that notes which windows it was asked about, and how loud they were.
struct Meter<'a> {
    engine: &'a mut Engine,
    /// Frames from window to window.
    period: usize,
    /// Of every frame since the last gap.
    levels: Vec<Level>,
    /// Windows on the grid so far.
    windows: usize,
    /// Place and loudest frame of every window with scores.
    heard: Vec<(usize, Level)>,
}

impl<'a> Meter<'a> {
    fn new(engine: &'a mut Engine, period: usize) -> Self {
        Self { engine, period, levels: Vec::new(), windows: 0, heard: Vec::new() }
    }
}

impl Classifier for Meter<'_> {
    fn window(&self) -> WindowLength {
        self.engine.window()
    }

    fn push(&mut self, frame: &LogMel) {
        self.engine.push(frame);
        self.levels.push(frame.level);
        self.windows += usize::from(self.window().ends(self.levels.len(), self.period));
    }

    fn reset(&mut self) {
        self.engine.reset();
        self.levels.clear();
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        let scores = self.engine.scores()?;
        let window = self.levels.iter().rev().take(self.window().frames());
        let loudest = window.copied().max().unwrap_or(Level::SILENCE);
        self.heard.push((self.windows.saturating_sub(1), loudest));
        Ok(scores)
    }
}

/// A microphone farther away: samples divided, then rounded to 24 bits as a good converter would.
pub(super) struct Quieter<M> {
    pub(super) inner: M,
    pub(super) divisor: i64,
}

impl<M: Microphone> Microphone for Quieter<M> {
    fn granted(&self) -> Granted {
        self.inner.granted()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let reading = self.inner.read(into)?;
        let samples = reading.frames * usize::from(self.granted().channels);
        for sample in &mut into[..samples] {
            let steps = (i64::from(*sample) + 128 * self.divisor).div_euclid(256 * self.divisor);
            *sample = (steps << 8) as i32;
        }
        Ok(reading)
    }
}
