//! A display on a thread of its own, at its own rate, so that whoever feeds it is never held up.
//!
//! ```text
//! feeds scenes ──── the latest scene ────▶ display thread
//! never waits       older ones are lost    shows it, then waits out the rest of a picture's time
//! ```
//! Levels come at that rate; a scene that says something else (another state, genre or fault) is shown at once.
//! A bus that is slow, hangs or fails costs pictures, nothing else. Not for displays that must see every scene.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::tracer::Tracer;
use crate::display::{Display, DisplayError};
use crate::flow::{SampleIndex, Scene, State};
use crate::spec::SAMPLE_RATE_HZ;

/// How long a display may take for its last picture. A bus may hang for as long as its driver likes: the thread is left
/// behind then.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far a picture moves on by itself until the next scene comes.
const LARGEST_LEAD: Duration = Duration::from_millis(500);

/// The near end of a display's thread. As a [`Display`] it takes note of the scene and returns at once; what it returns is
/// the error that the display's thread ended with, if it did. Dropped, it lets the display show the last scene, drops it, and
/// waits for both no longer than two seconds.
pub struct Refresher {
    desk: Arc<Desk>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Desk {
    papers: Mutex<Papers>,
    is_changed: Condvar,
}

/// What lies on the desk between the two.
#[derive(Default)]
struct Papers {
    /// The latest scene and when it came.
    latest: Option<(Scene, Instant)>,
    /// Whether the display's thread has seen it.
    is_seen: bool,
    /// Whether something else has been said since the display's thread saw a scene.
    is_news: bool,
    is_last: bool,
    error: Option<DisplayError>,
}

impl Refresher {
    /// Starts the thread of `display`, which shows at most `rate_hz` pictures a second (0 counts as 1).
    ///
    /// # Errors
    /// The operating system has no thread left.
    pub fn start(display: impl Display + Send + 'static, rate_hz: u32) -> std::io::Result<Self> {
        Self::spawn(display, rate_hz, None)
    }

    /// The same, with every picture written down in `tracer`, as one of the scene that it came from.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_traced(
        display: impl Display + Send + 'static,
        rate_hz: u32,
        tracer: &Tracer,
    ) -> std::io::Result<Self> {
        Self::spawn(display, rate_hz, Some(tracer.clone()))
    }

    fn spawn(
        display: impl Display + Send + 'static,
        rate_hz: u32,
        tracer: Option<Tracer>,
    ) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (ends, ended) = sync_channel(0);
        let theirs = Arc::clone(&desk);
        let period = Duration::from_secs(1) / rate_hz.max(1);
        std::thread::Builder::new().name("display".into()).spawn(move || {
            refresh(&theirs, display, period, tracer.as_ref());
            drop(ends);
        })?;
        Ok(Self { desk, ended })
    }
}

impl Display for Refresher {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let mut papers = self.desk.lock();
        if let Some(error) = papers.error {
            return Err(error);
        }
        papers.is_news |=
            papers.latest.as_ref().is_none_or(|(last, _)| says_another(last.state, scene.state));
        papers.latest = Some((scene.clone(), Instant::now()));
        papers.is_seen = false;
        self.desk.is_changed.notify_one();
        Ok(())
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.desk.lock().is_last = true;
        self.desk.is_changed.notify_one();
        // Either the thread has ended or it hangs in its bus.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

impl Desk {
    /// The papers; what a thread that panicked left is as good as any.
    fn lock(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The display's thread.
fn refresh(desk: &Desk, mut display: impl Display, period: Duration, tracer: Option<&Tracer>) {
    let mut shown_at = None;
    loop {
        let mut papers = desk.lock();
        while papers.latest.is_none() && !papers.is_last {
            papers = desk.is_changed.wait(papers).unwrap_or_else(PoisonError::into_inner);
        }
        let Some((mut scene, came)) = papers.latest.clone() else { return };
        let is_last = papers.is_last;
        if is_last && papers.is_seen {
            return;
        }
        (papers.is_seen, papers.is_news) = (true, false);
        drop(papers);
        let began = Instant::now();
        let from = scene.at;
        scene.at = moved_on(from, began.saturating_duration_since(came), shown_at);
        shown_at = Some(scene.at);
        let shown = match tracer {
            Some(tracer) => tracer.showing(from, false, || display.show(&scene)),
            None => display.show(&scene),
        };
        if let Err(error) = shown {
            desk.lock().error = Some(error);
            return;
        }
        let mut papers = desk.lock();
        // Until the picture's time is over, unless it was the last or says what isn't so any more.
        let waits = |papers: &Papers| !papers.is_last && !papers.is_news;
        while let Some(rest) = period.checked_sub(began.elapsed()).filter(|_| waits(&papers)) {
            papers = desk.is_changed.wait_timeout(papers, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Whether one state says something else than the other, not only with another confidence.
fn says_another(before: State, now: State) -> bool {
    match (before, now) {
        (State::Genre { label: before, .. }, State::Genre { label: now, .. })
        | (State::Unsure { label: before, .. }, State::Unsure { label: now, .. }) => before != now,
        (State::Fault { fault: before }, State::Fault { fault: now }) => before != now,
        _ => std::mem::discriminant(&before) != std::mem::discriminant(&now),
    }
}

/// The time of a picture that is shown this long after its scene of `at` came, and never before the one that was shown last,
/// unless time itself has jumped back.
fn moved_on(at: SampleIndex, waited: Duration, shown_at: Option<SampleIndex>) -> SampleIndex {
    let samples = |time: Duration| (time.as_secs_f64() * f64::from(SAMPLE_RATE_HZ)) as SampleIndex;
    let now = at + samples(waited.min(LARGEST_LEAD));
    shown_at.filter(|last| *last > now && last - now <= samples(LARGEST_LEAD)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::flow::Fault;

    /// A display that says what it shows, and waits for leave each time.
    struct Slow {
        shows: Sender<SampleIndex>,
        leave: Receiver<Result<(), DisplayError>>,
    }

    impl Display for Slow {
        fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
            // Who asked may be gone already.
            let _ = self.shows.send(scene.at / 1_000_000);
            self.leave.recv().unwrap_or(Ok(()))
        }
    }

    /// Scenes 45 s apart, so that moving on can't be mistaken for another one.
    fn scene(number: u64) -> Scene {
        Scene { at: number * 1_000_000, ..Scene::default() }
    }

    fn slow() -> (Refresher, Sender<Result<(), DisplayError>>, Receiver<SampleIndex>) {
        let (shows, shown) = channel();
        let (give, leave) = channel();
        (Refresher::start(Slow { shows, leave }, 1000).unwrap(), give, shown)
    }

    #[test]
    fn a_display_that_hangs_holds_nobody_up_and_then_shows_the_present() {
        let (mut display, give, shown) = slow();
        display.show(&scene(1)).unwrap();
        assert_eq!(shown.recv(), Ok(1));
        // It hangs in its bus; were these waited for, the test would not end.
        for number in 2..1000 {
            assert_eq!(display.show(&scene(number)), Ok(()));
        }
        give.send(Ok(())).unwrap();
        assert_eq!(shown.recv(), Ok(999), "not what was missed");
    }

    /// One picture an hour: what is shown nevertheless was not waited for.
    #[test]
    fn another_genre_is_shown_at_once_and_another_confidence_is_not() {
        let (shows, shown) = channel();
        let (give, leave) = channel();
        give.send(Ok(())).unwrap();
        give.send(Ok(())).unwrap();
        let period = Duration::from_secs(3600);
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        let thread = std::thread::spawn(move || refresh(&theirs, Slow { shows, leave }, period, None));
        let (_, ended) = sync_channel(0);
        let mut display = Refresher { desk, ended };
        let genre =
            |number, label, confidence| Scene { state: State::Genre { label, confidence }, ..scene(number) };
        display.show(&genre(1, 4, 0.5)).unwrap();
        assert_eq!(shown.recv(), Ok(1));
        display.show(&genre(2, 4, 0.9)).unwrap();
        assert!(!display.desk.lock().is_news, "the same genre waits for its picture");
        display.show(&genre(3, 5, 0.4)).unwrap();
        assert_eq!(shown.recv(), Ok(3));
        drop(give);
        display.desk.lock().is_last = true;
        display.desk.is_changed.notify_one();
        thread.join().unwrap();
        assert_eq!(shown.try_iter().count(), 0);
    }

    #[test]
    fn what_a_state_says_is_its_kind_and_its_label() {
        let (genre, unsure) = (
            |label, confidence| State::Genre { label, confidence },
            State::Unsure { label: 1, confidence: 0.2 },
        );
        assert!(!says_another(genre(1, 0.5), genre(1, 0.6)) && !says_another(State::Silence, State::Silence));
        assert!(says_another(genre(1, 0.5), genre(2, 0.5)) && says_another(unsure, genre(1, 0.5)));
        assert!(says_another(State::Listening, State::Silence));
        let fault = |fault| State::Fault { fault };
        assert!(says_another(fault(Fault::Classifier), fault(Fault::MicrophoneLost)));
    }

    #[test]
    fn an_error_ends_the_thread_and_is_told() {
        let (mut display, give, shown) = slow();
        display.show(&scene(1)).unwrap();
        assert_eq!(shown.recv(), Ok(1));
        give.send(Err(DisplayError::Closed)).unwrap();
        assert_eq!(shown.recv(), Err(std::sync::mpsc::RecvError), "the display was dropped");
        while display.show(&scene(2)).is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(display.show(&scene(2)), Err(DisplayError::Closed));
    }

    #[test]
    fn the_last_scene_is_shown_before_the_end() {
        let (mut display, give, shown) = slow();
        display.show(&scene(1)).unwrap();
        assert_eq!(shown.recv(), Ok(1));
        display.show(&scene(2)).unwrap();
        drop(give);
        drop(display);
        assert_eq!(shown.iter().last(), Some(2));
    }

    #[test]
    fn pictures_move_between_scenes_but_never_back() {
        let tenth = u64::from(SAMPLE_RATE_HZ) / 10;
        assert_eq!(moved_on(0, Duration::from_millis(100), None), tenth);
        assert_eq!(moved_on(0, Duration::from_secs(9), None), 5 * tenth, "not without scenes");
        assert_eq!(moved_on(tenth, Duration::ZERO, Some(2 * tenth)), 2 * tenth);
        assert_eq!(moved_on(tenth, Duration::ZERO, Some(20 * tenth)), tenth, "another recording");
    }
}
