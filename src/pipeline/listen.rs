//! The threads of live listening.
//!
//! ```text
//! capture thread ──── lock-free queue ────▶ signal thread ──── bounded channel ────▶ display (the caller's thread)
//! reads, conditions   256 blocks, 5.9 s     recognizes          64 pieces of news    shows
//! ```
//! Sound is never held up by what comes after it: a full queue loses blocks, a full channel loses news, both counted. Before a
//! queue fills up, verdicts are [passed over](super::Effort), which is counted too.
//! Sources that lose nothing while they wait (files, pipes) wait instead.
//!
//! What each of them does when goes into a [`Tracer`], always. [`listen_in_step`] is the same without threads, for clocks that
//! count samples.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{
    Receiver as NewsReceiver, RecvTimeoutError, Sender as NewsSender, TrySendError, bounded,
};

use super::Governor;
use super::Recognizer;
use super::capture_counts::CaptureCounts;
use super::queue::{QUEUE_BLOCKS, Sender, Sound, SoundQueue};
use super::tracer::{Tracer, Watch};
use crate::capture::{Capture, CaptureError, Clock, Counters, Granted, Microphone, Supervisor, SystemClock};
use crate::classify::Classifier;
use crate::decide::Decider;
use crate::flow::{Fault, Glimpse, Health, Labels, SampleIndex, Scene, Scores, State, Verdict};
use crate::spec::MAX_LABELS;

/// Blocks between two scenes while nothing but the level changes: 4 · 23 ms.
const BLOCKS_PER_SCENE: u32 = 4;
/// Blocks between two reports of health: 1.0 s.
const BLOCKS_PER_REPORT: u32 = 43;
/// News that wait for a slow display.
const WAITING_NEWS: usize = 64;
/// How often the display's thread looks whether it is to stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What the display's thread is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// The level moved.
    Level(Scene),
    /// A verdict, and the scores that it came from if it came from any.
    Verdict(Scene, Option<Scores>),
    /// What the sound looks like, where the recognizer [makes glimpses](Recognizer::with_glimpses) of it.
    Glimpse(Glimpse),
    /// The microphone was opened; this is what it really delivers.
    Opened(Granted),
    /// The microphone broke or could not be opened; a [`News::Verdict`] says the same to the display.
    Broken(Fault, CaptureError),
    /// How listening fares, once a second while there is sound.
    Health(Health),
    /// The recording is over; with the error where it broke off.
    Ended(Option<CaptureError>),
    /// No news for a tenth of a second: what moves on a display may move on.
    Nothing,
}

/// How the threads are to run, as far as the system allows; it is no error where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// First-in-first-out priority of the capture thread, 1–99.
    pub capture_priority: u8,
    /// Core of the capture thread, counted from 0; absent where it may wander.
    pub capture_core: Option<u8>,
    /// Core of the signal thread, counted from 0; absent where it may wander.
    pub signal_core: Option<u8>,
}

impl Default for Threads {
    /// The capture thread above everything ordinary and below the kernel's own threads (50), on any core.
    fn default() -> Self {
        Self { capture_priority: 40, capture_core: None, signal_core: None }
    }
}

/// What happened while listening.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Samples heard, lost ones not counted.
    pub heard: u64,
    /// Verdicts, one per verdict period.
    pub verdicts: u64,
    /// For how many verdicts each label was shown as the genre.
    pub shown: [u64; MAX_LABELS],
    /// News that a slow display missed.
    pub missed_news: u64,
    /// Samples lost because the signal thread was too slow.
    pub dropped: u64,
    /// Verdicts passed over because the signal thread was too slow.
    pub passed_over: u64,
    /// What the microphone went through.
    pub microphone: Counters,
    /// Whether the capture thread got a real-time priority.
    pub real_time: bool,
    /// Time that the signal thread worked.
    pub busy: Duration,
    /// Time that passed.
    pub elapsed: Duration,
}

/// Listens until the recording ends, `stop` is set or `show` breaks; then every thread has ended.
///
/// `show` is called on this thread with every piece of [`News`].
///
/// # Panics
/// Where a thread panicked, so that nothing goes on half dead.
pub fn listen<F, M, C, K>(
    supervisor: Supervisor<F, M, C>,
    recognizer: Recognizer<K>,
    labels: &Labels,
    stop: &AtomicBool,
    show: impl FnMut(News) -> ControlFlow<()>,
) -> Summary
where
    F: FnMut() -> Result<M, CaptureError> + Send,
    M: Microphone + Send,
    C: Clock + Send,
    K: Classifier + Send,
{
    let tracer = Tracer::new(SystemClock::default());
    listen_on(Threads::default(), &tracer, supervisor, recognizer, labels, stop, show)
}

/// The same with threads that run as a board wants them, and a trace that the caller can look at. The supervisor's clock and
/// the tracer's must tell the same time.
///
/// # Panics
/// As [`listen`].
pub fn listen_on<F, M, C, K>(
    threads: Threads,
    tracer: &Tracer,
    supervisor: Supervisor<F, M, C>,
    recognizer: Recognizer<K>,
    labels: &Labels,
    stop: &AtomicBool,
    show: impl FnMut(News) -> ControlFlow<()>,
) -> Summary
where
    F: FnMut() -> Result<M, CaptureError> + Send,
    M: Microphone + Send,
    C: Clock + Send,
    K: Classifier + Send,
{
    let began = Instant::now();
    let (news, inbox) = bounded(WAITING_NEWS);
    let mut queue = SoundQueue::default();
    let counts = &CaptureCounts::default();
    let mut summary = std::thread::scope(|scope| {
        let capture_news = Herald { news: news.clone(), missed: 0 };
        // The capture thread needs the signal thread's handle, which is this closure's first product.
        let signal = scope.spawn(move || {
            let (sender, mut receiver) = queue.split(std::thread::current());
            std::thread::scope(|inner| {
                let capture =
                    inner.spawn(move || capture(threads, supervisor, sender, capture_news, counts, stop));
                // Only now: threads begin where the one that starts them is kept.
                if let Some(core) = threads.signal_core {
                    super::priority::pin(core);
                }
                let mut ear = SignalThread::new(recognizer, labels, Herald { news, missed: 0 }, tracer);
                while receiver.next(|sound, waiting| ear.hear(sound, waiting)) {
                    ear.report(counts, receiver.waiting());
                }
                drop(receiver);
                let captured = capture.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                ear.finish(captured)
            })
        });
        display(&inbox, stop, show);
        // Whoever waits for room in the channel finds it closed.
        stop.store(true, Ordering::Relaxed);
        drop(inbox);
        signal.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    summary.elapsed = began.elapsed();
    summary
}

/// The same without threads: each block is recognized and shown before the next one is read. For a clock that moves with the
/// samples that are read, under which computing takes no time; in `show` it says when the block's last period was there.
pub fn listen_in_step<F, M, C, K>(
    tracer: &Tracer,
    mut supervisor: Supervisor<F, M, C>,
    recognizer: Recognizer<K>,
    labels: &Labels,
    mut show: impl FnMut(News) -> ControlFlow<()>,
) -> Summary
where
    F: FnMut() -> Result<M, CaptureError>,
    M: Microphone,
    C: Clock,
    K: Classifier,
{
    let began = Instant::now();
    let (news, inbox) = bounded(WAITING_NEWS);
    let mut ear = SignalThread::new(recognizer, labels, Herald { news, missed: 0 }, tracer);
    let (mut at, mut broken) = (0, false);
    'listening: loop {
        let sound = match supervisor.next() {
            Capture::Block(block, periods) => {
                if std::mem::take(&mut broken) {
                    ear.hear(&Sound::Mended(block.start), 0);
                }
                at = block.start + block.samples.len() as u64;
                let block = block.clone();
                Sound::Block { block, patient: false, periods: periods.clone() }
            }
            Capture::Opened(granted) => {
                ear.herald.tell(News::Opened(granted), false);
                continue;
            }
            Capture::Fault { fault, error } => {
                broken = true;
                ear.herald.tell(News::Broken(fault, error), false);
                Sound::Fault(at, fault)
            }
            Capture::Waiting => continue,
            Capture::End(reason) => Sound::End(reason),
        };
        let is_last = matches!(sound, Sound::End(_));
        ear.hear(&sound, 0);
        while let Ok(news) = inbox.try_recv() {
            if show(news).is_break() {
                break 'listening;
            }
        }
        if is_last {
            break;
        }
    }
    let captured = Captured { counters: supervisor.counters(), ..Captured::default() };
    Summary { elapsed: began.elapsed(), ..ear.finish(captured) }
}

/// Shows news until they end.
fn display(inbox: &NewsReceiver<News>, stop: &AtomicBool, mut show: impl FnMut(News) -> ControlFlow<()>) {
    while !stop.load(Ordering::Relaxed) {
        let flow = match inbox.recv_timeout(STOP_CHECK) {
            Ok(news) => show(news),
            Err(RecvTimeoutError::Timeout) => show(News::Nothing),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if flow.is_break() {
            return;
        }
    }
}

/// Tells the display's thread.
struct Herald {
    news: NewsSender<News>,
    missed: u64,
}

impl Herald {
    /// Tells if there is room, or waits for it where the source is `patient`.
    fn tell(&mut self, news: News, patient: bool) {
        // A display that is gone misses nothing: listening is about to end.
        if patient {
            let _ = self.news.send(news);
        } else if let Err(TrySendError::Full(_)) = self.news.try_send(news) {
            self.missed += 1;
        }
    }

    /// Tells what nobody misses: only where there is room for much else.
    fn tell_glimpse(&self, glimpse: Glimpse) {
        if self.news.len() < WAITING_NEWS / 2 {
            let _ = self.news.try_send(News::Glimpse(glimpse));
        }
    }
}

/// What the capture thread leaves behind.
#[derive(Default)]
struct Captured {
    counters: Counters,
    dropped: u64,
    missed_news: u64,
    real_time: bool,
}

/// The capture thread.
fn capture<F, M, C>(
    threads: Threads,
    mut supervisor: Supervisor<F, M, C>,
    mut sender: Sender<'_>,
    mut herald: Herald,
    counts: &CaptureCounts,
    stop: &AtomicBool,
) -> Captured
where
    F: FnMut() -> Result<M, CaptureError>,
    M: Microphone,
    C: Clock,
{
    if let Some(core) = threads.capture_core {
        super::priority::pin(core);
    }
    let mut real_time = false;
    let mut at: SampleIndex = 0;
    let mut broken = false;
    let mut patient = false;
    while !stop.load(Ordering::Relaxed) && sender.is_heard() {
        match supervisor.next() {
            Capture::Block(block, periods) => {
                if std::mem::take(&mut broken) {
                    // Only sound proves that an opened microphone is mended.
                    sender.change(Sound::Mended(block.start));
                }
                at = block.start + block.samples.len() as u64;
                sender.block(block, patient, periods.clone());
                counts.set(&supervisor.counters(), sender.dropped());
            }
            Capture::Opened(granted) => {
                patient = granted.buffer_frames == 0;
                // Only a device that loses sound while it waits is worth pushing others aside.
                real_time = real_time || (!patient && super::priority::raise(threads.capture_priority));
                herald.tell(News::Opened(granted), patient);
            }
            Capture::Fault { fault, error } => {
                broken = true;
                sender.change(Sound::Fault(at, fault));
                herald.tell(News::Broken(fault, error), false);
            }
            Capture::Waiting => {}
            Capture::End(reason) => {
                // The end is told by the signal thread, after everything that was heard.
                sender.change(Sound::End(reason));
                break;
            }
        }
    }
    Captured {
        counters: supervisor.counters(),
        dropped: sender.dropped(),
        missed_news: herald.missed,
        real_time,
    }
}

/// The signal thread's state.
struct SignalThread<'a, K> {
    recognizer: Recognizer<K>,
    labels: &'a Labels,
    herald: Herald,
    tracer: &'a Tracer,
    governor: Governor,
    blocks: u32,
    unreported: u32,
    summary: Summary,
}

impl<'a, K: Classifier> SignalThread<'a, K> {
    fn new(recognizer: Recognizer<K>, labels: &'a Labels, herald: Herald, tracer: &'a Tracer) -> Self {
        let (governor, summary) = (Governor::default(), Summary::default());
        Self { recognizer, labels, herald, tracer, governor, blocks: 0, unreported: 0, summary }
    }

    /// Takes what was heard, with `waiting` more behind it.
    fn hear(&mut self, sound: &Sound, waiting: usize) {
        let began = Instant::now();
        let Self { recognizer, labels, herald, tracer, governor, summary, .. } = self;
        match sound {
            Sound::Block { block, patient, periods } => {
                summary.heard += block.samples.len() as u64;
                let mut told = false;
                // A source that waits is as slow as its listener.
                if !patient {
                    recognizer.set_effort(governor.effort(waiting));
                }
                let watch = Watch::new(tracer, periods, waiting);
                recognizer.push_probed(block, &watch, |decider, verdict, scores| {
                    told = true;
                    count(summary, verdict, scores);
                    if let State::Fault { fault } = verdict.state {
                        tracer.fault(verdict.at, fault);
                    }
                    herald.tell(News::Verdict(decider.scene(labels), scores.cloned()), *patient);
                    watch.told(verdict);
                });
                if let Some(glimpse) = recognizer.glimpse() {
                    herald.tell_glimpse(glimpse);
                }
                watch.done();
                self.unreported += 1;
                self.blocks += 1;
                if told {
                    self.blocks = 0;
                } else if self.blocks >= BLOCKS_PER_SCENE {
                    self.blocks = 0;
                    herald.tell(News::Level(recognizer.decider().scene(labels)), *patient);
                }
            }
            Sound::Fault(at, fault) => {
                tracer.fault(*at, *fault);
                let verdict = recognizer.fault(*at, *fault);
                tell_change(herald, recognizer.decider(), labels, verdict);
            }
            Sound::Mended(at) => {
                let verdict = recognizer.mended(*at);
                tell_change(herald, recognizer.decider(), labels, verdict);
            }
            Sound::End(reason) => herald.tell(News::Ended(*reason), true),
        }
        self.summary.busy += began.elapsed();
    }

    /// Tells now and then how listening fares.
    fn report(&mut self, counts: &CaptureCounts, waiting: usize) {
        if self.unreported < BLOCKS_PER_REPORT {
            return;
        }
        self.unreported = 0;
        let health = Health {
            heard: self.summary.heard,
            queued: waiting as u32,
            queue: QUEUE_BLOCKS as u32,
            busy: self.summary.busy,
            passed_over: self.recognizer.passed_over(),
            ..counts.health()
        };
        self.herald.tell(News::Health(health), false);
    }

    fn finish(self, captured: Captured) -> Summary {
        Summary {
            missed_news: self.herald.missed + captured.missed_news,
            dropped: captured.dropped,
            passed_over: self.recognizer.passed_over(),
            microphone: captured.counters,
            real_time: captured.real_time,
            ..self.summary
        }
    }
}

fn tell_change(herald: &mut Herald, decider: &Decider, labels: &Labels, verdict: Option<Verdict>) {
    if verdict.is_some() {
        herald.tell(News::Verdict(decider.scene(labels), None), false);
    }
}

fn count(summary: &mut Summary, verdict: Verdict, scores: Option<&Scores>) {
    if scores.is_none() {
        return;
    }
    summary.verdicts += 1;
    if let State::Genre { label, .. } = verdict.state {
        summary.shown[usize::from(label)] += 1;
    }
}
