//! The reading loop: waits for a period, reads it, and gets over what can be got over.
//!
//! **What is lost.** After an overrun or a suspend everything captured since the last read is gone: what then still
//! lay in the buffer, and what arrived until the stream was started again. The latter is taken from the monotonic
//! clock, so the count is right to about one period; time that the system slept is not in it (the monotonic clock
//! stands still then).

use super::stamp_check::StampCheck;
use crate::capture::{CaptureError, Clock, Granted, Reading};
use crate::flow::{Nanos, Stamp};
use std::time::Duration;

/// A device that brings no sound for so long has stalled.
const STALL_AFTER: Duration = Duration::from_secs(2);
/// Who wakes so long after the time that he wanted to be woken at didn't sleep but was stopped.
const OVERSLEPT: Duration = Duration::from_millis(500);

/// What the loop needs of a device.
pub(super) trait Pcm {
    /// Frames that can be read.
    fn available(&mut self) -> Result<usize, PcmError>;
    /// Reads at most `into.len() / channels` frames without waiting, as Q0.31; how many.
    fn read(&mut self, into: &mut [i32]) -> Result<usize, PcmError>;
    /// Waits until a period is there; whether it is.
    fn wait(&mut self, timeout: Duration) -> Result<bool, PcmError>;
    /// Starts capturing.
    fn start(&mut self) -> Result<(), PcmError>;
    /// Makes a stream that has stopped ready to start.
    fn prepare(&mut self) -> Result<(), PcmError>;
    /// Goes on after a suspend, where the hardware can.
    fn resume(&mut self) -> Result<(), PcmError>;
    /// When the driver last counted frames, and how many of those could not be read yet.
    fn counted(&mut self) -> Result<(Nanos, u64), PcmError>;
}

/// What a device answers instead of doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PcmError {
    /// Not now.
    Again,
    /// The buffer ran over and capturing has stopped.
    Overrun,
    /// The system was suspended and capturing has stopped.
    Suspended,
    /// The device went away.
    Gone,
    /// This error number.
    Os(i32),
}

impl From<PcmError> for CaptureError {
    fn from(error: PcmError) -> Self {
        match error {
            PcmError::Again => Self::Stalled,
            PcmError::Overrun | PcmError::Suspended | PcmError::Gone => Self::Lost,
            PcmError::Os(number) => Self::Os(number),
        }
    }
}

/// A running device.
#[derive(Debug)]
pub(super) struct Stream<P, C> {
    pcm: P,
    clock: C,
    granted: Granted,
    /// When frames were last read or capturing was started, and how many were left in the buffer then.
    last: Duration,
    backlog: u64,
    stamps: StampCheck,
    captured: Stamp,
}

impl<P: Pcm, C: Clock> Stream<P, C> {
    pub(super) fn start(mut pcm: P, granted: Granted, clock: C) -> Result<Self, CaptureError> {
        pcm.start()?;
        let last = clock.now();
        Ok(Self {
            pcm,
            clock,
            granted,
            last,
            backlog: 0,
            stamps: StampCheck::default(),
            captured: Stamp::Absent,
        })
    }

    pub(super) fn granted(&self) -> Granted {
        self.granted
    }

    pub(super) fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let channels = usize::from(self.granted.channels);
        let period = self.granted.period_frames as usize;
        let wanted = (into.len() / channels).min(period).max(1);
        let mut deadline = self.clock.now() + STALL_AFTER;
        let (mut lost, mut fruitless, mut was_stopped) = (0, 0, false);
        loop {
            match self.poll(&mut into[..wanted * channels], wanted, deadline) {
                Ok(0) | Err(PcmError::Again) => {}
                Ok(frames) => {
                    self.last = self.clock.now();
                    self.backlog = self.pcm.available().unwrap_or(0) as u64;
                    self.captured = self.stamp();
                    return Ok(Reading { lost, frames });
                }
                Err(PcmError::Overrun) => lost += self.restart()?,
                Err(PcmError::Suspended) => lost += self.wake(deadline)?,
                Err(error) => return Err(error.into()),
            }
            let now = self.clock.now();
            if now >= deadline {
                // No wait ends so late by itself: this program was stopped, and what came meanwhile is still to be found.
                if now < deadline + OVERSLEPT || std::mem::replace(&mut was_stopped, true) {
                    return Err(CaptureError::Stalled);
                }
                deadline = now + STALL_AFTER;
            }
            fruitless += 1;
            if fruitless > 2 {
                // The device says that there is sound and there is none: look again later rather than at once.
                self.clock.sleep(self.length_of(period as u64) / 4);
            }
        }
    }

    /// When the last frame of the last read was captured.
    pub(super) fn captured(&self) -> Stamp {
        self.captured
    }

    fn stamp(&mut self) -> Stamp {
        let Ok((counted, unread)) = self.pcm.counted() else { return Stamp::Absent };
        let age = unread.saturating_mul(1_000_000_000) / u64::from(self.granted.rate_hz.max(1));
        self.stamps.judge(counted, age, self.clock.nanos())
    }

    /// Reads if a period is there, else waits for one and reads nothing.
    fn poll(&mut self, into: &mut [i32], wanted: usize, deadline: Duration) -> Result<usize, PcmError> {
        if self.pcm.available()? < wanted {
            self.pcm.wait(deadline.saturating_sub(self.clock.now()))?;
            return Ok(0);
        }
        self.pcm.read(into)
    }

    /// Starts capturing after it has stopped; how many frames are lost by it.
    fn restart(&mut self) -> Result<u64, CaptureError> {
        self.pcm.prepare()?;
        self.pcm.start()?;
        Ok(self.missed())
    }

    /// Starts capturing after a suspend: by going on where the hardware can, else anew.
    fn wake(&mut self, deadline: Duration) -> Result<u64, CaptureError> {
        loop {
            match self.pcm.resume() {
                Ok(()) => return Ok(self.missed()),
                Err(PcmError::Again) if self.clock.now() < deadline => {
                    self.clock.sleep(Duration::from_millis(50));
                }
                Err(PcmError::Gone) => return Err(CaptureError::Lost),
                Err(_) => return self.restart(),
            }
        }
    }

    /// Frames captured and never read since the last read, at least one.
    fn missed(&mut self) -> u64 {
        let now = self.clock.now();
        let arrived = (now - self.last).as_micros() * u128::from(self.granted.rate_hz) / 1_000_000;
        let missed = u64::try_from(arrived).unwrap_or(u64::MAX).saturating_add(self.backlog).max(1);
        self.last = now;
        self.backlog = 0;
        missed
    }

    fn length_of(&self, frames: u64) -> Duration {
        Duration::from_micros(frames * 1_000_000 / u64::from(self.granted.rate_hz.max(1)))
    }
}

#[cfg(test)]
mod tests;
