//! Sound that lies in memory, as a microphone: what a rig that simulates everything lets the real stages hear.

use super::{Access, CaptureError, Granted, Microphone, Reading};

/// A microphone that delivers samples from memory, one channel, 20 ms at a time. Inside a [`Paced`](super::Paced) with a
/// [`ManualClock`](super::ManualClock) time is the number of samples delivered.
#[derive(Clone, Copy, Debug)]
pub struct MemoryMicrophone<'a> {
    samples: &'a [i32],
    rate_hz: u32,
}

impl<'a> MemoryMicrophone<'a> {
    /// Delivers `samples`, Q0.31, once.
    #[must_use]
    pub const fn new(samples: &'a [i32], rate_hz: u32) -> Self {
        Self { samples, rate_hz }
    }
}

impl Microphone for MemoryMicrophone<'_> {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: self.rate_hz,
            channels: 1,
            encoding: "simulated",
            period_frames: self.rate_hz / 50,
            buffer_frames: 0,
            access: Access::Stream,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        if self.samples.is_empty() {
            return Err(CaptureError::Ended);
        }
        let frames = into.len().min(self.samples.len());
        let (now, later) = self.samples.split_at(frames);
        into[..frames].copy_from_slice(now);
        self.samples = later;
        Ok(Reading { lost: 0, frames })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_once_and_then_it_is_over() {
        let samples: Vec<i32> = (0..50).collect();
        let mut microphone = MemoryMicrophone::new(&samples, 1000);
        let mut heard = Vec::new();
        let mut into = [0; 20];
        while let Ok(reading) = microphone.read(&mut into) {
            heard.extend_from_slice(&into[..reading.frames]);
        }
        assert_eq!((heard, microphone.read(&mut into)), (samples, Err(CaptureError::Ended)));
    }
}
