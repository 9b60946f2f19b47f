//! What a service manager is told while it runs this program with `Type=notify`. The only file that names `sd_notify`.
//!
//! ```text
//! first sound, or a fault that is known ──▶ READY=1
//! sound goes on                         ──▶ WATCHDOG=1, four times per watchdog time
//! microphone missing, taken, denied, …  ──▶ WATCHDOG_USEC=1 h, until there is sound again
//! verdicts                              ──▶ STATUS=jazz, 83 %
//! listening ends                        ──▶ STOPPING=1
//! ```
//! **The watchdog is fed by sound alone.** Whatever stops between microphone and this thread, capture, recognition or the
//! output that a verdict is written to, stops the feeding too, and the manager starts the program anew. A microphone that
//! is missing is no such stop: it is known, shown, and looked for again by itself. Nothing is fed then either, but the
//! manager is asked for an hour of patience, so that a device without a microphone isn't restarted all the time.
//!
//! Not for the display and not for other programs: `tell` is. Without a manager (`NOTIFY_SOCKET` is not set) nothing happens.

use std::time::{Duration, Instant};

use harmonynet::display::words;
use harmonynet::flow::{Fault, SampleIndex, Scene, State};
use harmonynet::pipeline::listen::News;
use sd_notify::NotifyState;

/// Shortest time between two status lines.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// The watchdog time while a person has to do something about the microphone.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often within its time the watchdog is fed.
const FEEDS: u32 = 4;

/// Tells the service manager. Dropped, it tells that the service stops.
#[derive(Debug)]
pub(crate) struct Service {
    duty: Duty,
    began: Instant,
    /// Whether a person was told that the manager can't be reached.
    complained: bool,
}

impl Service {
    /// Tells the manager that started this program, if one did and asked to be told. `remark` stands in every status line.
    pub(crate) fn of_environment(remark: &'static str) -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        let duty = Duty::new(sd_notify::watchdog_enabled(), remark);
        Some(Self { duty, began: Instant::now(), complained: false })
    }

    /// Passes on what follows from news; what a person should know comes back, once.
    pub(crate) fn take(&mut self, news: &News) -> Option<String> {
        let messages = self.duty.take(news, self.began.elapsed());
        let error = messages.iter().find_map(|message| message.send().err())?;
        let first = !std::mem::replace(&mut self.complained, true);
        first.then(|| format!("the service manager cannot be told: {error}; it may start this program anew"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The manager sees the end of the process all the same.
        let _ = Message::Stopping.send();
    }
}

/// One message to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Ready,
    Feed,
    /// The watchdog time from now on.
    Patience(Duration),
    Status(String),
    Stopping,
}

impl Message {
    fn send(&self) -> std::io::Result<()> {
        let state = match self {
            Self::Ready => NotifyState::Ready,
            Self::Feed => NotifyState::Watchdog,
            Self::Patience(time) => {
                NotifyState::WatchdogUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
            }
            Self::Status(text) => NotifyState::Status(text),
            Self::Stopping => NotifyState::Stopping,
        };
        sd_notify::notify(&[state])
    }
}

/// What is to be told when, on a clock that the caller owns.
#[derive(Debug)]
struct Duty {
    /// The manager's watchdog time, if it has a watchdog.
    watchdog: Option<Duration>,
    remark: &'static str,
    ready: bool,
    /// Sample index up to which sound was heard.
    heard: SampleIndex,
    fed: Option<Duration>,
    /// Whether the watchdog time is the longer one.
    patient: bool,
    status: String,
    told: Option<(Duration, String)>,
}

impl Duty {
    fn new(watchdog: Option<Duration>, remark: &'static str) -> Self {
        Self {
            watchdog,
            remark,
            ready: false,
            heard: 0,
            fed: None,
            patient: false,
            status: format!("waiting for sound{remark}"),
            told: None,
        }
    }

    fn take(&mut self, news: &News, now: Duration) -> Vec<Message> {
        let mut messages = Vec::new();
        match news {
            News::Level(scene) => self.hear(scene.at, now, &mut messages),
            News::Verdict(scene, _) => {
                self.hear(scene.at, now, &mut messages);
                self.status = status(scene) + self.remark;
            }
            News::Broken(fault, _) => self.wait_for_a_person(*fault, &mut messages),
            _ => {}
        }
        self.tell_status(now, &mut messages);
        messages
    }

    fn hear(&mut self, at: SampleIndex, now: Duration, messages: &mut Vec<Message>) {
        if at <= self.heard {
            return;
        }
        self.heard = at;
        self.be_ready(messages);
        let Some(watchdog) = self.watchdog else { return };
        if self.fed.is_none_or(|fed| now.saturating_sub(fed) >= watchdog / FEEDS) {
            self.fed = Some(now);
            messages.push(Message::Feed);
            // In this order: the time counts from the last feeding.
            if std::mem::take(&mut self.patient) {
                messages.push(Message::Patience(watchdog));
            }
        }
    }

    /// A fault is known: the service is up, and only some faults are for the watchdog to mend.
    fn wait_for_a_person(&mut self, fault: Fault, messages: &mut Vec<Message>) {
        self.be_ready(messages);
        let needs_a_person = matches!(
            fault,
            Fault::MicrophoneMissing
                | Fault::MicrophoneLost
                | Fault::MicrophoneBusy
                | Fault::MicrophoneDenied
                | Fault::MicrophoneFormat
        );
        if needs_a_person && !self.patient && self.watchdog.is_some_and(|watchdog| watchdog < PATIENCE) {
            self.patient = true;
            messages.push(Message::Patience(PATIENCE));
        }
    }

    fn be_ready(&mut self, messages: &mut Vec<Message>) {
        if !std::mem::replace(&mut self.ready, true) {
            messages.push(Message::Ready);
        }
    }

    fn tell_status(&mut self, now: Duration, messages: &mut Vec<Message>) {
        let due = self
            .told
            .as_ref()
            .is_none_or(|(at, text)| *text != self.status && now.saturating_sub(*at) >= STATUS_EVERY);
        if due {
            self.told = Some((now, self.status.clone()));
            messages.push(Message::Status(self.status.clone()));
        }
    }
}

/// What is believed, in one line.
fn status(scene: &Scene) -> String {
    let text = match scene.state {
        State::Genre { confidence, .. } => format!("{}, {:.0} %", scene.label, 100.0 * confidence),
        State::Unsure { confidence, .. } => {
            format!("unsure, {} {:.0} %", scene.label, 100.0 * confidence)
        }
        State::Fault { fault } => format!("{fault}: {}", fault.mend()),
        state => words::state(&state).to_string(),
    };
    // A line feed in a label would begin another message.
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use harmonynet::capture::CaptureError;
    use harmonynet::flow::Label;

    const WATCHDOG: Duration = Duration::from_secs(8);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn duty() -> Duty {
        Duty::new(Some(WATCHDOG), "")
    }

    fn level(at: SampleIndex) -> News {
        News::Level(Scene { at, ..Scene::default() })
    }

    fn genre(at: SampleIndex, label: &str, confidence: f32) -> News {
        let label: Label = label.try_into().unwrap();
        News::Verdict(
            Scene { at, state: State::Genre { label: 0, confidence }, label, ..Scene::default() },
            None,
        )
    }

    /// What is told besides status lines.
    fn duties(duty: &mut Duty, news: &News, now: Duration) -> Vec<Message> {
        let mut messages = duty.take(news, now);
        messages.retain(|message| !matches!(message, Message::Status(_)));
        messages
    }

    #[test]
    fn it_is_ready_with_the_first_sound_and_fed_while_sound_goes_on() {
        let mut duty = duty();
        assert_eq!(duties(&mut duty, &News::Nothing, seconds(0)), []);
        assert_eq!(duties(&mut duty, &level(0), seconds(0)), [], "no sound has come yet");
        assert_eq!(duties(&mut duty, &level(512), seconds(1)), [Message::Ready, Message::Feed]);
        assert_eq!(duties(&mut duty, &level(1024), seconds(2)), [], "a quarter of the time has not passed");
        assert_eq!(duties(&mut duty, &level(1536), seconds(3)), [Message::Feed]);
        for second in 4..100 {
            assert_eq!(duties(&mut duty, &level(1536), seconds(second)), [], "the same sound again");
            assert_eq!(duties(&mut duty, &News::Nothing, seconds(second)), []);
        }
        assert_eq!(duties(&mut duty, &level(1537), seconds(100)), [Message::Feed]);
    }

    #[test]
    fn without_a_watchdog_nothing_is_fed() {
        let mut duty = Duty::new(None, "");
        assert_eq!(duties(&mut duty, &level(512), seconds(1)), [Message::Ready]);
        let missing = News::Broken(Fault::MicrophoneMissing, CaptureError::Missing);
        assert_eq!(duties(&mut duty, &missing, seconds(2)), []);
        assert_eq!(duties(&mut duty, &level(1024), seconds(9)), []);
    }

    #[test]
    fn a_missing_microphone_asks_for_patience_until_there_is_sound() {
        let mut duty = duty();
        let missing = News::Broken(Fault::MicrophoneMissing, CaptureError::Missing);
        let busy = News::Broken(Fault::MicrophoneBusy, CaptureError::Busy);
        assert_eq!(duties(&mut duty, &missing, seconds(0)), [Message::Ready, Message::Patience(PATIENCE)]);
        assert_eq!(duties(&mut duty, &busy, seconds(1)), []);
        let back = [Message::Feed, Message::Patience(WATCHDOG)];
        assert_eq!(duties(&mut duty, &level(512), seconds(60)), back);
        assert_eq!(duties(&mut duty, &level(1024), seconds(63)), [Message::Feed]);
    }

    #[test]
    fn sound_that_comes_soon_after_the_last_feeding_ends_the_patience_with_the_next_one() {
        let mut duty = duty();
        duty.take(&level(512), seconds(0));
        let lost = News::Broken(Fault::MicrophoneLost, CaptureError::Lost);
        assert_eq!(duties(&mut duty, &lost, seconds(1)), [Message::Patience(PATIENCE)]);
        assert_eq!(duties(&mut duty, &level(1024), seconds(1)), []);
        assert_eq!(duties(&mut duty, &level(1536), seconds(2)), [Message::Feed, Message::Patience(WATCHDOG)]);
    }

    #[test]
    fn a_stalled_microphone_is_left_to_the_watchdog() {
        let mut duty = duty();
        let stalled = News::Broken(Fault::MicrophoneStalled, CaptureError::Stalled);
        assert_eq!(duties(&mut duty, &stalled, seconds(0)), [Message::Ready]);
        assert_eq!(duties(&mut duty, &stalled, seconds(60)), []);
    }

    #[test]
    fn the_status_follows_the_verdicts_every_two_seconds_at_most() {
        let mut duty = Duty::new(None, " (remark)");
        let mut statuses = |news: &News, milliseconds: u64| -> Vec<String> {
            let told = duty.take(news, Duration::from_millis(milliseconds));
            told.into_iter()
                .filter_map(|message| if let Message::Status(text) = message { Some(text) } else { None })
                .collect()
        };
        assert_eq!(statuses(&News::Nothing, 0), ["waiting for sound (remark)"]);
        assert_eq!(statuses(&genre(1, "jazz", 0.834), 100), [""; 0]);
        assert_eq!(statuses(&genre(2, "disco\nSTOPPING=1", 0.5), 600), [""; 0]);
        assert_eq!(statuses(&News::Nothing, 2000), ["disco STOPPING=1, 50 % (remark)"]);
        assert_eq!(statuses(&genre(3, "disco\nSTOPPING=1", 0.5), 9000), [""; 0], "nothing new");
        assert_eq!(statuses(&genre(4, "jazz", 0.834), 9001), ["jazz, 83 % (remark)"]);
        let fault = State::Fault { fault: Fault::MicrophoneLost };
        let fault = News::Verdict(Scene { state: fault, ..Scene::default() }, None);
        let told = statuses(&fault, 20_000);
        assert!(told[0].starts_with("the microphone went away: plug the microphone in again"), "{told:?}");
    }
}
