//! A display that may be unplugged: it is started again for ever, at bounded cost, and never holds listening up.

use super::{Brightness, Device, Dimming};
use crate::display::{Display, DisplayError};
use crate::flow::{SampleIndex, Scene};
use crate::spec::SAMPLE_RATE_HZ;

const SECOND: SampleIndex = SAMPLE_RATE_HZ as SampleIndex;
/// How soon after its failure a display is tried again at first; each further failure doubles it.
const FIRST_RETRY: SampleIndex = SECOND / 4;
/// The longest time between two attempts.
const LAST_RETRY: SampleIndex = 4 * SECOND;
/// How often everything is written anew. A chip on SPI cannot say that it lost its supply, and one on I2C may have
/// lost it between two writes.
const REFRESH: SampleIndex = 5 * SECOND;

/// What happened to a display, to be told to a person once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It failed, and will be tried again.
    Lost(DisplayError),
    /// It shows again.
    Back,
}

/// What a display went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times that a working display failed, or one failed from the beginning.
    pub lost: u32,
    /// Times that it came back.
    pub back: u32,
    /// Attempts to bring it back that failed.
    pub refused: u32,
}

/// Keeps a [`Device`] going: as a [`Display`], it never fails.
///
/// - A device that answers with an error is started again a quarter of a second later, then after twice as long each
///   time, at most 4 s: first as it is, then opened anew. What it missed is not made up for: it shows the present.
/// - Every 5 s all is written anew, for chips that lost their supply unnoticed.
/// - The brightness follows [`Dimming`] and the time of day.
/// - Dropped, it darkens the device: what it showed doesn't hold any longer.
///
/// | fault | what the person sees | recovery after its mend |
/// | --- | --- | --- |
/// | I2C chip unplugged or without supply | dark; [`Change::Lost`] to tell of | 4 s at most |
/// | bus not there yet, or not permitted | dark; [`Change::Lost`] to tell of | 4 s at most |
/// | SPI chip or strip that lost its supply, or was disturbed | dark or garbled | 5 s at most |
///
/// Time is the scenes' [`at`](Scene::at), which goes on without sound too.
#[derive(Debug)]
pub struct Supervised<F, D: Device, T> {
    open: F,
    device: Option<D>,
    time: T,
    dimming: Dimming,
    brightness: Brightness,
    /// Since when the device has failed, and how long after the last attempt to wait.
    failed: Option<Failed>,
    started_at: Option<SampleIndex>,
    asked_at: Option<SampleIndex>,
    change: Option<Change>,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    at: SampleIndex,
    retry_after: SampleIndex,
}

impl<F, D, T> Supervised<F, D, T>
where
    F: FnMut() -> Result<D, DisplayError>,
    D: Device,
    T: FnMut() -> Option<u16>,
{
    /// A display that `open` opens: at the first scene, and again while it can't be started. `time` gives the minute of
    /// the local day, 0–1439, if it is known; it is asked once a second.
    pub fn new(open: F, dimming: Dimming, time: T) -> Self {
        Self {
            open,
            device: None,
            time,
            dimming,
            brightness: dimming.day,
            failed: None,
            started_at: None,
            asked_at: None,
            change: None,
            counters: Counters::default(),
        }
    }

    /// The device, once it was opened.
    pub fn device(&self) -> Option<&D> {
        self.device.as_ref()
    }

    /// The device, once it was opened.
    pub fn device_mut(&mut self) -> Option<&mut D> {
        self.device.as_mut()
    }

    /// Changes how bright it is, and when, from the next scene on.
    pub fn set_dimming(&mut self, dimming: Dimming) {
        self.dimming = dimming;
        self.asked_at = None;
    }

    /// What changed since this was asked last: the latest change only.
    pub fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// What the display went through.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn try_show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        let brightness = self.brightness_at(scene.at);
        let due = |since: SampleIndex| scene.at.abs_diff(since) >= REFRESH;
        match &mut self.device {
            Some(device) if self.failed.is_none() => {
                if self.started_at.is_none_or(due) {
                    device.start(brightness)?;
                    self.started_at = Some(scene.at);
                } else if brightness != self.brightness {
                    device.dim(brightness)?;
                }
            }
            _ => {
                self.start(brightness)?;
                self.started_at = Some(scene.at);
            }
        }
        self.brightness = brightness;
        self.device.as_mut().map_or(Ok(()), |device| device.show(scene))
    }

    /// Starts the device as it is; where that fails, a newly opened one.
    fn start(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        if let Some(device) = &mut self.device
            && device.start(brightness).is_ok()
        {
            return Ok(());
        }
        // The old one stays until there is a new one: pins are lent once, and so can't be opened while they are held.
        let mut fresh = (self.open)()?;
        let started = fresh.start(brightness);
        self.device = Some(fresh);
        started
    }

    fn brightness_at(&mut self, at: SampleIndex) -> Brightness {
        if self.asked_at.is_some_and(|asked| at.abs_diff(asked) < SECOND) {
            return self.brightness;
        }
        self.asked_at = Some(at);
        self.dimming.at((self.time)())
    }

    fn note(&mut self, result: Result<(), DisplayError>, at: SampleIndex) {
        match (result, self.failed) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                self.failed = None;
                self.counters.back += 1;
                self.change = Some(Change::Back);
            }
            (Err(error), None) => {
                self.failed = Some(Failed { at, retry_after: FIRST_RETRY });
                self.counters.lost += 1;
                self.change = Some(Change::Lost(error));
            }
            (Err(_), Some(Failed { retry_after, .. })) => {
                self.failed = Some(Failed { at, retry_after: (2 * retry_after).min(LAST_RETRY) });
                self.counters.refused += 1;
            }
        }
    }
}

impl<F, D, T> Display for Supervised<F, D, T>
where
    F: FnMut() -> Result<D, DisplayError>,
    D: Device,
    T: FnMut() -> Option<u16>,
{
    /// Never fails: what happens to the device is told by [`Supervised::take_change`].
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        if self.failed.is_none_or(|failed| scene.at.abs_diff(failed.at) >= failed.retry_after) {
            let result = self.try_show(scene);
            self.note(result, scene.at);
        }
        Ok(())
    }
}

impl<F, D: Device, T> Drop for Supervised<F, D, T> {
    fn drop(&mut self) {
        if let Some(device) = self.device.as_mut().filter(|_| self.failed.is_none()) {
            // Nobody is left to be told of an error.
            let _ = device.dim(Brightness::OFF);
        }
    }
}

#[cfg(test)]
mod tests;
