//! A microphone in that world: it delivers as fast as it is read, moves a clock as a device would, and fails on schedule.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use harmonynet::capture::{Access, CaptureError, Clock as _, Granted, ManualClock, Microphone, Reading};
use harmonynet::flow::Stamp;

use super::world::{Event, Fault, Harm, RATES, World};

/// How long alsa-lib's wait takes to say that nothing comes.
const STALL: Duration = Duration::from_secs(2);
/// Periods whose time stamps are wrong.
const WRONG_STAMPS: u32 = 50;

/// A fault that happened: when it began and when sound was back, in seconds of the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) event: Event,
    pub(super) began: f64,
    pub(super) ended: f64,
}

/// What outlives an opened microphone.
pub(super) struct Site {
    world: World,
    clock: ManualClock,
    /// What is still to come.
    events: std::vec::IntoIter<Event>,
    next: Option<Event>,
    /// What happened.
    pub(super) troubles: Vec<Trouble>,
    /// The last of it isn't over: no sound came since.
    is_silent: bool,
    /// What happened that doesn't concern the microphone, and wasn't looked at.
    pub(super) of_the_house: Vec<Event>,
    rate: usize,
    /// Why it cannot be opened before this moment of the world.
    away: Option<(CaptureError, Duration)>,
    /// How far the clock leapt ahead of the world, all together.
    leapt: Duration,
    wrong_stamps: u32,
    /// The world's second at which it ends.
    ends: u64,
}

impl Site {
    pub(super) fn new(world: World, clock: ManualClock, events: Vec<Event>, ends: u64) -> Rc<RefCell<Self>> {
        let troubles = Vec::with_capacity(events.len());
        let mut events = events.into_iter();
        Rc::new(RefCell::new(Self {
            world,
            clock,
            next: events.next(),
            events,
            troubles,
            is_silent: false,
            of_the_house: Vec::new(),
            rate: 0,
            away: None,
            leapt: Duration::ZERO,
            wrong_stamps: 0,
            ends,
        }))
    }

    /// The world's time.
    pub(super) fn now(&self) -> Duration {
        self.clock.now() - self.leapt
    }

    /// Opens the microphone, where it is there.
    pub(super) fn open(site: &Rc<RefCell<Self>>) -> Result<Mic, CaptureError> {
        let mut this = site.borrow_mut();
        let now = this.now();
        if let Some((error, _)) = this.away.filter(|(_, until)| now < *until) {
            return Err(error);
        }
        this.away = None;
        let position = frames(now, RATES[this.rate]);
        Ok(Mic { site: Rc::clone(site), rate: this.rate, position })
    }
}

fn frames(time: Duration, rate_hz: u32) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(rate_hz) / 1_000_000_000).unwrap_or(u64::MAX)
}

/// An opened microphone.
pub(super) struct Mic {
    site: Rc<RefCell<Site>>,
    rate: usize,
    /// The next frame, counted from the beginning of the world.
    position: u64,
}

impl Mic {
    fn seconds(&self) -> f64 {
        self.position as f64 / f64::from(RATES[self.rate])
    }

    /// What is due before the next period.
    fn fail(&mut self, site: &mut Site) -> Option<Result<Reading, CaptureError>> {
        let second = self.position / u64::from(RATES[self.rate]);
        let event = site.next.filter(|event| event.at <= second)?;
        site.next = site.events.next();
        let began = self.seconds();
        let lasts = match event.fault {
            Fault::Clipped(seconds) | Fault::Deaf(seconds) => seconds as f64,
            _ => 0.0,
        };
        site.troubles.push(Trouble { event, began, ended: event.at as f64 + lasts });
        site.is_silent = matches!(event.fault.harm(), Harm::Gap | Harm::Reopens);
        let gone = |site: &mut Site, error, seconds| {
            site.away = Some((error, site.now() + Duration::from_secs(seconds)));
            Some(Err(CaptureError::Lost))
        };
        match event.fault {
            Fault::Overrun(frames) => {
                self.position += frames;
                return Some(Ok(Reading { lost: frames, frames: 0 }));
            }
            Fault::Stall => {
                site.clock.advance(STALL);
                return Some(Err(CaptureError::Stalled));
            }
            Fault::Nothing => return Some(Ok(Reading::default())),
            Fault::Unplugged(seconds) => return gone(site, CaptureError::Missing, seconds),
            Fault::Busy(seconds) => return gone(site, CaptureError::Busy, seconds),
            Fault::Rate(rate) => {
                site.rate = rate;
                return gone(site, CaptureError::Missing, 1);
            }
            Fault::Clock(seconds) => {
                site.leapt += Duration::from_secs(seconds);
                site.clock.advance(Duration::from_secs(seconds));
            }
            Fault::Stamps => site.wrong_stamps = WRONG_STAMPS,
            Fault::Display(_) | Fault::Socket(_) => site.of_the_house.push(event),
            // The world has them.
            Fault::Clipped(_) | Fault::Deaf(_) => {}
        }
        None
    }
}

impl Microphone for Mic {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: RATES[self.rate],
            channels: 1,
            encoding: "S32_LE",
            period_frames: RATES[self.rate] / 50,
            buffer_frames: RATES[self.rate] / 5,
            access: Access::MemoryMapped,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let site = Rc::clone(&self.site);
        let site = &mut *site.borrow_mut();
        if site.now() >= Duration::from_secs(site.ends) {
            return Err(CaptureError::Ended);
        }
        let mut lost = 0;
        match self.fail(site) {
            Some(Ok(Reading { lost: overrun, .. })) if overrun > 0 => lost = overrun,
            Some(answer) => return answer,
            None => {}
        }
        if std::mem::take(&mut site.is_silent)
            && let Some(trouble) = site.troubles.last_mut()
        {
            trouble.ended = self.seconds();
        }
        site.world.hear(self.rate, self.position, into);
        self.position += into.len() as u64;
        // From the beginning, so that nothing adds up.
        let due = u128::from(self.position) * 1_000_000_000 / u128::from(RATES[self.rate]);
        let due = Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX));
        let now = site.now();
        site.clock.advance(due.saturating_sub(now));
        Ok(Reading { lost, frames: into.len() })
    }

    fn captured(&self) -> Stamp {
        let site = &mut *self.site.borrow_mut();
        site.wrong_stamps = site.wrong_stamps.saturating_sub(1);
        match site.wrong_stamps {
            0 => Stamp::At(site.clock.nanos()),
            odd if odd % 2 == 1 => Stamp::Zero,
            _ => Stamp::Backwards(site.clock.nanos() / 2),
        }
    }
}
