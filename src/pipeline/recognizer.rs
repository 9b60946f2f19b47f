//! Blocks of sound in, verdicts out.

use super::effort::Effort;
use super::glimpses::Glimpses;
use crate::classify::{Classifier, ClassifyError};
use crate::decide::Decider;
use crate::flow::{Block, Fault, Glimpse, LogMel, SampleIndex, Scores, State, Verdict};
use crate::frontend::{Frontend, FrontendState};
use crate::spec::{FRAMES_PER_STEP, WINDOW_SAMPLES};
use crate::trace::{Mark, Probe};

/// Front-end, classifier and decision of one stream. Allocates nothing itself; what the engine does is the engine's
/// business.
pub struct Recognizer<C> {
    frontend: Frontend,
    state: FrontendState,
    ear: Ear<C>,
    /// Where somebody watches.
    glimpses: Option<Glimpses>,
}

/// What happens to frames.
struct Ear<C> {
    classifier: C,
    decider: Decider,
    /// Frames since the stream began.
    frames: usize,
    /// Frames between verdicts.
    period: usize,
    effort: Effort,
    /// Frames since the last scores.
    unjudged: usize,
    /// Verdicts that fell due and were not computed.
    passed_over: u64,
}

/// Frames after which a verdict is computed although there is hardly time for it: 7.8 s at the shipped hop.
const SELDOM: usize = 336;
/// Frames after which what was believed is not shown any longer, where there is no time to judge: 30 s at the shipped hop.
const STALE: usize = 1292;

impl<C: Classifier> Recognizer<C> {
    /// A recognizer at the beginning of a stream, with a verdict every 0.56 s:
    /// [`verdict_frames`](crate::spec::FrontendSpec::verdict_frames) of the front-end. The decider's policy must be of the
    /// classifier's window at the front-end's hop: [`Policy::for_window`](crate::decide::Policy::for_window).
    pub fn new(frontend: Frontend, classifier: C, decider: Decider) -> Self {
        let period = frontend.spec().verdict_frames();
        let effort = Effort::Full;
        let ear = Ear { classifier, decider, frames: 0, period, effort, unjudged: SELDOM, passed_over: 0 };
        Self { frontend, state: FrontendState::default(), ear, glimpses: None }
    }

    /// Asks for a verdict every `frames` frames, rounded up to a multiple of [`FRAMES_PER_STEP`].
    #[must_use]
    pub fn with_period(mut self, frames: usize) -> Self {
        self.ear.period = frames.max(1).next_multiple_of(FRAMES_PER_STEP);
        self
    }

    /// Makes glimpses of the sound besides, for [`glimpse`](Self::glimpse).
    #[must_use]
    pub fn with_glimpses(mut self) -> Self {
        self.glimpses = Some(Glimpses::new(usize::from(self.frontend.spec().hop)));
        self
    }

    /// How much is to be done with the blocks that follow.
    pub fn set_effort(&mut self, effort: Effort) {
        if effort == Effort::Rest && self.ear.effort != Effort::Rest {
            self.ear.restart();
        }
        self.ear.effort = effort;
    }

    /// Verdicts that fell due and were not computed, because the [`Effort`] was less than full.
    pub fn passed_over(&self) -> u64 {
        self.ear.passed_over
    }

    /// The glimpse that the last block completed.
    pub fn glimpse(&mut self) -> Option<Glimpse> {
        self.glimpses.as_mut()?.take()
    }

    /// Takes the next block of sound. `sink` gets a verdict, with the scores that it came from, at every verdict
    /// period, and one without scores whenever the state changes for another reason; and the decision stage, for
    /// [`Decider::scene`].
    pub fn push(&mut self, block: &Block, sink: impl FnMut(&Decider, Verdict, Option<&Scores>)) {
        self.push_probed(block, &(), sink);
    }

    /// The same, with `probe` told of every point that it passes.
    pub fn push_probed(
        &mut self,
        block: &Block,
        probe: &impl Probe,
        mut sink: impl FnMut(&Decider, Verdict, Option<&Scores>),
    ) {
        let ear = &mut self.ear;
        if block.lost > 0 {
            ear.restart();
            let verdict = ear.decider.gap(block.start);
            ear.tell(verdict, &mut sink);
        }
        let mut glimpses = self.glimpses.as_mut();
        if let Some(glimpses) = &mut glimpses {
            glimpses.block(block);
        }
        self.frontend.push(&mut self.state, block, |frame| {
            if let Some(glimpses) = &mut glimpses {
                glimpses.frame(frame);
            }
            ear.hear(frame, probe, &mut sink);
        });
    }

    /// The microphone broke at sample index `at`.
    pub fn fault(&mut self, at: SampleIndex, fault: Fault) -> Option<Verdict> {
        self.ear.decider.fault(at, fault)
    }

    /// The microphone delivers again, from sample index `at` on.
    pub fn mended(&mut self, at: SampleIndex) -> Option<Verdict> {
        self.ear.decider.mended(at)
    }

    /// The decision stage, for what a display needs to know.
    pub fn decider(&self) -> &Decider {
        &self.ear.decider
    }
}

impl<C: Classifier> Ear<C> {
    fn restart(&mut self) {
        self.classifier.reset();
        self.frames = 0;
    }

    /// Follows the level alone.
    fn rest(&mut self, frame: &LogMel, sink: &mut impl FnMut(&Decider, Verdict, Option<&Scores>)) {
        self.passed_over += u64::from(self.unjudged.is_multiple_of(self.period));
        let verdict = self.decider.level(frame.end, frame.level);
        self.tell(verdict, sink);
        if self.unjudged >= STALE {
            // The frame that ends the rest shares samples with this one.
            let verdict = self.decider.gap(frame.end.saturating_sub(WINDOW_SAMPLES as SampleIndex));
            self.tell(verdict, sink);
        }
    }

    fn tell(&self, verdict: Option<Verdict>, sink: &mut impl FnMut(&Decider, Verdict, Option<&Scores>)) {
        if let Some(verdict) = verdict {
            sink(&self.decider, verdict, None);
        }
    }

    fn hear(
        &mut self,
        frame: &LogMel,
        probe: &impl Probe,
        sink: &mut impl FnMut(&Decider, Verdict, Option<&Scores>),
    ) {
        probe.mark(Mark::Frame);
        self.unjudged = self.unjudged.saturating_add(1);
        if self.effort == Effort::Rest {
            return self.rest(frame, sink);
        }
        self.classifier.push(frame);
        probe.mark(Mark::Pushed);
        self.frames += 1;
        let verdict = self.decider.level(frame.end, frame.level);
        self.tell(verdict, sink);
        if !self.classifier.window().ends(self.frames, self.period) {
            return;
        }
        if self.effort == Effort::FewVerdicts && self.unjudged < SELDOM {
            self.passed_over += 1;
            return;
        }
        // Silence has no genre: nothing is computed for it.
        let verdict = self.decider.verdict();
        if verdict.state == State::Silence {
            return sink(&self.decider, verdict, None);
        }
        match self.classifier.scores() {
            Ok(scores) => {
                self.unjudged = 0;
                probe.mark(Mark::Scored);
                let verdict = self.decider.scores(&scores);
                probe.mark(Mark::Decided);
                sink(&self.decider, verdict, Some(&scores));
            }
            Err(ClassifyError::NotReady) => {}
            Err(_) => {
                let verdict = self.decider.fault(frame.end, Fault::Classifier);
                self.tell(verdict, sink);
            }
        }
    }
}
