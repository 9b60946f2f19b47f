//! Live listening end to end with a simulated engine: threads, queues, faults and their recovery, on a clock that the test
//! owns, so that back-off costs no time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{
    CaptureError, Channel, FaultInjector, Faults, ManualClock, Microphone, Pace, Paced, Supervisor,
};
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{Block, Fault, Labels, LogMel, Scores, State};
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, Summary, listen};
use harmonynet::spec::{FrontendSpec, WindowLength};

/// An engine that always says the same, and can be told to fail.
struct Constant {
    frames: usize,
    end: u64,
    fails: bool,
}

impl Constant {
    fn new() -> Self {
        Self { frames: 0, end: 0, fails: false }
    }
}

impl Classifier for Constant {
    fn window(&self) -> WindowLength {
        WindowLength::SHIPPED
    }

    fn push(&mut self, frame: &LogMel) {
        self.frames += 1;
        self.end = frame.end;
    }

    fn reset(&mut self) {
        self.frames = 0;
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        if self.frames < WindowLength::SHIPPED.frames() {
            return Err(ClassifyError::NotReady);
        }
        if self.fails {
            return Err(ClassifyError::Engine);
        }
        Ok(Scores { end: self.end, probabilities: [0.1, 0.9].into_iter().collect() })
    }
}

fn labels() -> Labels {
    ["rain", "music"].into_iter().map(|label| label.try_into().unwrap()).collect()
}

fn recognizer(engine: Constant) -> Recognizer<Constant> {
    let decider = Decider::new(Policy::DEFAULT, 2).unwrap();
    Recognizer::new(Frontend::new(FrontendSpec::SHIPPED).unwrap(), engine, decider)
}

fn player() -> DemoPlayer {
    DemoPlayer::new(Piece::Disco, 48_000)
}

/// Listens to whatever `open` opens until it has ended; everything that was told.
fn tell<M: Microphone + Send>(
    open: impl FnMut() -> Result<M, CaptureError> + Send,
    engine: Constant,
) -> (Vec<News>, Summary) {
    let mut told = Vec::new();
    let supervisor = Supervisor::new(open, Channel::Mix, ManualClock::default());
    let summary = listen(supervisor, recognizer(engine), &labels(), &AtomicBool::new(false), |news| {
        let ended = matches!(news, News::Ended(_));
        told.push(news);
        if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (told, summary)
}

fn states(told: &[News]) -> Vec<State> {
    told.iter()
        .filter_map(|news| if let News::Verdict(scene, _) = news { Some(scene.state) } else { None })
        .collect()
}

#[test]
fn a_recording_is_heard_whole_however_slow_the_listener() {
    let mut player = Some(player());
    let (told, summary) = tell(|| player.take().ok_or(CaptureError::Ended), Constant::new());
    // 31.3 s of music, resampled from 48 to 22.05 kHz: frames, then windows, by arithmetic.
    let frames = (summary.heard as usize - 1024) / 512 + 1;
    let verdicts = (frames - 166) / 24 + 1;
    assert!(summary.heard > 30 * 22_050, "{} samples", summary.heard);
    assert_eq!(summary.verdicts as usize, verdicts);
    assert_eq!(summary.shown[1], summary.verdicts);
    assert_eq!((summary.dropped, summary.microphone.lost_samples, summary.microphone.failed), (0, 0, 0));
    assert!(states(&told).iter().all(|state| matches!(state, State::Genre { label: 1, .. })));
    assert!(matches!(told.last(), Some(News::Ended(None))));
}

#[test]
fn a_microphone_that_comes_late_and_goes_away_is_waited_for() {
    let mut attempts = 0;
    let open = || {
        attempts += 1;
        match attempts {
            1 | 2 => Err(CaptureError::Missing),
            3 => Ok(FaultInjector::new(player(), Faults { unplug: 2, ..Faults::default() }, 3)),
            4 => Err(CaptureError::Busy),
            5 => Ok(FaultInjector::new(player(), Faults::default(), 0)),
            _ => Err(CaptureError::Ended),
        }
    };
    let (told, summary) = tell(open, Constant::new());
    let faults: Vec<Fault> = told
        .iter()
        .filter_map(|news| if let News::Broken(fault, _) = news { Some(*fault) } else { None })
        .collect();
    assert_eq!(faults, [Fault::MicrophoneMissing, Fault::MicrophoneLost, Fault::MicrophoneBusy]);
    assert_eq!((summary.microphone.opened, summary.microphone.failed), (2, 1));
    let states = states(&told);
    let after = states.iter().rposition(|state| matches!(state, State::Fault { .. })).unwrap();
    assert!(matches!(states[after], State::Fault { fault: Fault::MicrophoneBusy }), "{:?}", states[after]);
    assert_eq!(states[after + 1], State::Listening, "a window is filled anew after the gap");
    assert!(matches!(states.last(), Some(State::Genre { label: 1, .. })));
}

#[test]
fn overruns_restart_the_window_and_are_counted() {
    let faults = Faults { overrun: 4, short: 50, ..Faults::default() };
    let mut player = Some(FaultInjector::new(player(), faults, 11));
    let (told, summary) = tell(|| player.take().ok_or(CaptureError::Ended), Constant::new());
    assert!(summary.microphone.overruns >= 2, "{:?}", summary.microphone);
    assert!(summary.microphone.lost_samples > 0);
    let states = states(&told);
    let restarts = states.iter().filter(|state| **state == State::Listening).count() as u64;
    assert!(
        restarts >= 1 && restarts <= summary.microphone.overruns,
        "{restarts} of {:?}",
        summary.microphone
    );
}

#[test]
fn a_failing_engine_is_a_fault_that_is_shown() {
    let mut player = Some(player());
    let engine = Constant { fails: true, ..Constant::new() };
    let (told, summary) = tell(|| player.take().ok_or(CaptureError::Ended), engine);
    assert_eq!(states(&told), [State::Fault { fault: Fault::Classifier }], "told once, not at every verdict");
    assert_eq!(summary.verdicts, 0);
}

#[test]
fn an_engine_that_panics_ends_everything_instead_of_listening_half_dead() {
    struct Panics;
    impl Classifier for Panics {
        fn window(&self) -> WindowLength {
            WindowLength::SHIPPED
        }
        fn push(&mut self, _: &LogMel) {
            panic!("on purpose");
        }
        fn reset(&mut self) {}
        fn scores(&mut self) -> Result<Scores, ClassifyError> {
            Err(ClassifyError::NotReady)
        }
    }
    let decider = Decider::new(Policy::DEFAULT, 2).unwrap();
    let recognizer = Recognizer::new(Frontend::new(FrontendSpec::SHIPPED).unwrap(), Panics, decider);
    let open = || Ok(Paced::new(player(), Pace::RealTime, ManualClock::default()));
    let supervisor = Supervisor::new(open, Channel::Mix, ManualClock::default());
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        listen(supervisor, recognizer, &labels(), &AtomicBool::new(false), |_| ControlFlow::Continue(()))
    }));
    assert!(ended.is_err());
}

#[test]
fn a_display_that_breaks_ends_everything() {
    let open = || Ok(Paced::new(player(), Pace::Fast, ManualClock::default()));
    let supervisor = Supervisor::new(open, Channel::Mix, ManualClock::default());
    let mut shown = 0;
    listen(supervisor, recognizer(Constant::new()), &labels(), &AtomicBool::new(false), |_| {
        shown += 1;
        ControlFlow::Break(())
    });
    assert_eq!(shown, 1);
}

#[test]
fn a_gap_between_blocks_restarts_the_window() {
    let mut recognizer = recognizer(Constant::new());
    let mut verdicts = Vec::new();
    let mut start = 0;
    let mut tone = 0_u32;
    for block in 0..600_u64 {
        let lost = if block == 300 { 700 } else { 0 };
        start += lost;
        let samples = (0..512).map(|_| {
            tone = tone.wrapping_add(300_000_000);
            (tone as i32) >> 3
        });
        recognizer.push(&Block { start, lost, samples: samples.collect() }, |_, verdict, scores| {
            verdicts.push((verdict, scores.is_some()));
        });
        start += 512;
    }
    let gap_at = 300 * 512 + 700;
    let gap = verdicts.iter().position(|(verdict, _)| verdict.at == gap_at).unwrap();
    assert_eq!(verdicts[gap].0.state, State::Listening);
    // 165 hops and one window of 1024 samples after the gap.
    let first = verdicts[gap + 1..].iter().find(|(_, scored)| *scored).unwrap();
    assert_eq!(first.0.at, gap_at + 165 * 512 + 1024);
}
