//! The live page: what a browser shows of the sound, the genre and the device. Files that are built in, and a stream of
//! server-sent events; README.md beside this file says the rest.
//!
//! Not for anything that changes the device: there is nothing to ask for but these files and this stream, and requests
//! other than GET and HEAD are refused.

mod guard;
mod stream;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::guard::Guard;
pub use self::guard::PageToken;
pub use self::stream::View;
use self::stream::{Chances, History, House, Moment, Sight};
use super::encode::{Encoding, Frame, frame};
use super::schema::{Condition, Event, Refused};
use super::server::http::{Answer, Method, Request, Status};
use super::vitals::Vitals;
use crate::flow::{Glimpse, Labels, Scores};

/// The built-in files: path, media type, content.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];
/// Where the events are.
const EVENTS: &str = "/events";
/// The stream's media type.
pub(super) const STREAM: &str = "text/event-stream";

/// A page, as it is asked for.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// Address and port.
    pub address: SocketAddr,
    /// What one must know to see it.
    pub token: Option<PageToken>,
    /// Names by which browsers may ask for it, besides addresses, `localhost` and, away from loopback, the machine's own.
    pub names: Vec<String>,
    /// Browsers that may watch at a time.
    pub viewers: usize,
    /// Between reports of health. A page that misses some of them believes the connection lost.
    pub pulse: Duration,
    /// What a column of the spectrogram is.
    pub view: View,
}

/// What happens to a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// It is answered.
    Answer(Answer),
    /// Who asked watches from now on.
    Watch,
}

/// The page's state: what those who come later have to know.
#[derive(Debug)]
pub(super) struct Page {
    guard: Guard,
    view: View,
    pub(super) viewers_most: usize,
    pulse: Duration,
    beat: Instant,
    history: History,
    verdict: Option<Event>,
    fault: Option<Event>,
    /// Events that slow pages lost.
    pub(super) lost: u64,
}

impl Page {
    pub(super) fn new(options: &PageOptions, labels: &Labels) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        Self {
            guard: Guard::new(
                options.address,
                options.token.clone(),
                &options.names,
                host.as_deref().map(str::trim),
            ),
            view: options.view,
            viewers_most: options.viewers,
            pulse: options.pulse,
            beat: Instant::now(),
            history: History::new(labels.clone()),
            verdict: None,
            fault: None,
            lost: 0,
        }
    }

    /// What to do with a request while so many watch.
    pub(super) fn reply(&self, request: &Request, viewers: usize) -> Reply {
        Reply::Answer(if request.method == Method::Other {
            Status::MethodNotAllowed.because("this page can only be looked at\n")
        } else if request.host.is_none() {
            Status::BadRequest.because("a request has to say for whom it is: one field `Host`\n")
        } else if !self.guard.knows_host(request) {
            Status::Misdirected.because("this device has no such name; page.names can give it one\n")
        } else if let Some((_, kind, content)) = FILES.iter().find(|(path, ..)| *path == request.path) {
            // Nothing in the other files is of this device alone.
            if request.path == "/" && !self.guard.admits(request) {
                return Reply::Answer(unknown());
            }
            Answer { status: Status::Ok, kind, body: (*content).into() }
        } else if request.path != EVENTS {
            Status::NotFound.because("there is only the page here\n")
        } else if !self.guard.admits(request) {
            unknown()
        } else if request.method == Method::Head {
            Answer { status: Status::Ok, kind: STREAM, body: "".into() }
        } else if viewers >= self.viewers_most {
            full()
        } else {
            return Reply::Watch;
        })
    }

    /// What someone has to know who begins to watch, after `hello`.
    pub(super) fn welcome(&self) -> Vec<Frame> {
        let told = [self.fault.as_ref(), self.verdict.as_ref()].into_iter().flatten();
        let mut frames = vec![Sight::View(self.view).frame(), self.history.sight().frame()];
        frames.extend(told.map(|event| frame(event, Encoding::EventStream)));
        frames
    }

    /// Remembers what is told to everybody.
    pub(super) fn remember(&mut self, event: &Event) {
        match event {
            Event::Verdict(verdict) => {
                self.history.verdict(verdict);
                if verdict.state != Condition::Fault {
                    self.fault = None;
                }
                self.verdict = Some(event.clone());
            }
            Event::Fault(_) => self.fault = Some(event.clone()),
            _ => {}
        }
    }

    /// The scores that the next verdict comes from, for those who watch.
    pub(super) fn scores(&mut self, scores: &Scores) -> Frame {
        self.history.scores(scores);
        Sight::Scores(Chances::of(scores)).frame()
    }

    /// Whether it is time to say how the device fares; asked so, that time begins anew.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.beat) >= self.pulse;
        if due {
            self.beat = now;
        }
        due
    }

    /// How telling fares while so many watch.
    pub(super) fn house(&self, vitals: &Vitals, viewers: usize) -> Frame {
        use std::sync::atomic::Ordering::Relaxed;

        let broker = vitals.broker();
        Sight::House(House {
            uptime_ms: vitals.uptime().as_millis() as u64,
            viewers,
            viewers_most: self.viewers_most,
            page_lost: self.lost,
            mqtt: broker.wanted.load(Relaxed).then(|| broker.connected.load(Relaxed)),
            mqtt_lost: broker.lost.load(Relaxed),
        })
        .frame()
    }
}

/// A moment of sound, for those who watch.
pub(super) fn sound(glimpse: &Glimpse) -> Frame {
    Sight::Sound(Moment::of(glimpse)).frame()
}

/// What makes a browser come back after two seconds where the stream ends.
pub(super) fn retry() -> Frame {
    (&b"retry: 2000\n\n"[..]).into()
}

fn unknown() -> Answer {
    Status::Unauthorized.because("this page wants its token: add ?token=… to the address\n")
}

/// A stream that says so: a browser tries again by itself only after a stream.
fn full() -> Answer {
    let refused = frame(&Event::Refused(Refused::Full), Encoding::EventStream);
    let body = format!("retry: 10000\n\n{}", String::from_utf8_lossy(&refused));
    Answer { status: Status::Ok, kind: STREAM, body: body.into() }
}
