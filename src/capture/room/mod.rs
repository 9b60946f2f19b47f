//! Rooms that are not there: a recording, as a microphone would hear it from a loudspeaker in a room.
//!
//! ```text
//! any Microphone → mean of its channels → loudspeaker → room → microphone ┬→ samples, one channel, the same rate
//!                                           noise of the room → microphone ┘
//! ```
//!
//! For judging models by what a device hears, and for hearing it without one. Not for training: rooms, devices and
//! noises by which a model is judged must be new to it. Not modelled: directions that a microphone prefers, distortion, people
//! walking about.
//!
//! Sound keeps its length and its time: the end of the reverberation is cut off with the recording. Everything is
//! computed from the numbers in [`Place`]; equal seeds give equal samples.

mod convolve; // long responses, fast
mod filter; // frequency responses
mod images; // the room itself
mod noise; // what else is heard
mod place; // the rooms that there are
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use filter::Bend;
pub use images::{CROSSOVER_HZ, SPEED_OF_SOUND, Shoebox};
pub use noise::Noise;
pub use place::{Device, Place};

use self::convolve::{BLOCK, Convolver, Kernel};
use self::filter::Chain;
use super::{CaptureError, Granted, Microphone, Reading};
use crate::flow::Stamp;

/// Root of the response's energy: sound is 12 dB quieter than the recording, so that what adds up does not clip.
const GAIN: f64 = 0.25;
/// Q0.31 full scale.
const FULL_SCALE: f64 = 2_147_483_648.0;

/// A place at one sample rate, computed once and shared by all that listen there.
#[derive(Clone)]
pub struct Acoustics {
    place: Place,
    rate_hz: u32,
    kernel: Arc<Kernel>,
}

impl Acoustics {
    /// Computes the way from the recording to the microphone's samples; tens of milliseconds for a small room.
    #[must_use]
    pub fn new(place: &Place, rate_hz: u32) -> Self {
        let devices = place.loudspeaker.bends.iter().chain(place.microphone.bends);
        let mut chain = Chain::new(devices, f64::from(rate_hz));
        let mut response: Vec<f64> =
            place.room.response(rate_hz).into_iter().map(|x| chain.next(x)).collect();
        let energy: f64 = response.iter().map(|x| x * x).sum();
        let gain = GAIN / energy.sqrt().max(f64::MIN_POSITIVE);
        response.iter_mut().for_each(|x| *x *= gain);
        Self { place: *place, rate_hz, kernel: Arc::new(Kernel::new(&response)) }
    }

    /// The sample rate, hertz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The sound that `open` opens, heard in this place with the noise `snr_db` decibels below it: the ratio of their
    /// powers at the microphone over the whole recording, unweighted. The recording is read once to measure it, so `open`
    /// is called twice and must give the same sound.
    ///
    /// # Errors
    /// What `open` says, and [`CaptureError::Rate`] where the sound has another rate than these acoustics.
    pub fn hear<M: Microphone, E: From<CaptureError>>(
        &self,
        mut open: impl FnMut() -> Result<M, E>,
        snr_db: f64,
        seed: u64,
    ) -> Result<RoomMicrophone<M>, E> {
        let mut trial = RoomMicrophone::new(open()?, self, seed)?;
        let [mut sound, mut noise] = [0.0; 2];
        while let Some(count) = trial.fill()? {
            sound += trial.block[..count].iter().map(|x| f64::from(x * x)).sum::<f64>();
            noise += (0..count).map(|_| trial.noise.next().powi(2)).sum::<f64>();
        }
        let mut microphone = RoomMicrophone::new(open()?, self, seed)?;
        if noise > 0.0 {
            microphone.noise.gain = (sound / noise).sqrt() * 10_f64.powf(-snr_db / 20.0);
        }
        Ok(microphone)
    }
}

/// Noise as the microphone hears it.
struct Hiss {
    samples: Box<dyn Iterator<Item = f64> + Send>,
    microphone: Chain,
    gain: f64,
}

impl Hiss {
    fn next(&mut self) -> f64 {
        self.gain * self.microphone.next(self.samples.next().unwrap_or(0.0))
    }
}

/// A microphone in a room where another one's sound is played: see [`Acoustics::hear`].
///
/// Lost samples are passed on up to one block (1024 samples) early.
pub struct RoomMicrophone<M> {
    inner: M,
    /// One period of the inner microphone.
    period: Vec<i32>,
    convolver: Convolver,
    noise: Hiss,
    block: Box<[f32; BLOCK]>,
    /// Samples of the block that were gathered, that can be read, and that have been.
    gathered: usize,
    ready: usize,
    taken: usize,
    lost: u64,
    /// Why the inner microphone ended.
    end: Option<CaptureError>,
}

impl<M: Microphone> RoomMicrophone<M> {
    fn new(inner: M, acoustics: &Acoustics, seed: u64) -> Result<Self, CaptureError> {
        let granted = inner.granted();
        if granted.rate_hz != acoustics.rate_hz {
            return Err(CaptureError::Rate(granted.rate_hz));
        }
        Ok(Self {
            period: vec![0; granted.period_samples().clamp(usize::from(granted.channels), BLOCK)],
            inner,
            convolver: Convolver::new(Arc::clone(&acoustics.kernel)),
            noise: Hiss {
                samples: acoustics.place.noise.samples(acoustics.rate_hz, seed),
                microphone: Chain::new(acoustics.place.microphone.bends, f64::from(acoustics.rate_hz)),
                gain: 1.0,
            },
            block: Box::new([0.0; BLOCK]),
            gathered: 0,
            ready: 0,
            taken: 0,
            lost: 0,
            end: None,
        })
    }

    /// Gathers a block and convolves it: how many of its samples are sound. `None` at the end; 0 where the inner microphone
    /// has stalled.
    fn fill(&mut self) -> Result<Option<usize>, CaptureError> {
        let channels = usize::from(self.inner.granted().channels.max(1));
        while self.gathered < BLOCK && self.end.is_none() {
            let room = ((BLOCK - self.gathered) * channels).min(self.period.len());
            match self.inner.read(&mut self.period[..room]) {
                Ok(Reading { lost: 0, frames: 0 }) => return Ok(Some(0)),
                Ok(reading) => {
                    self.lost += reading.lost;
                    for frame in self.period[..reading.frames * channels].chunks_exact(channels) {
                        let sum: f64 = frame.iter().map(|sample| f64::from(*sample)).sum();
                        self.block[self.gathered] = (sum / (FULL_SCALE * channels as f64)) as f32;
                        self.gathered += 1;
                    }
                }
                Err(error) => self.end = Some(error),
            }
        }
        match self.end {
            Some(CaptureError::Ended) if self.gathered == 0 => return Ok(None),
            Some(error) if self.gathered == 0 => return Err(error),
            _ => {}
        }
        self.block[self.gathered..].fill(0.0);
        self.convolver.process(&mut self.block);
        Ok(Some(std::mem::take(&mut self.gathered)))
    }
}

impl<M: Microphone> Microphone for RoomMicrophone<M> {
    fn granted(&self) -> Granted {
        Granted { channels: 1, ..self.inner.granted() }
    }

    fn captured(&self) -> Stamp {
        self.inner.captured()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        if self.taken == self.ready {
            (self.ready, self.taken) = (self.fill()?.ok_or(CaptureError::Ended)?, 0);
        }
        let sound = &self.block[self.taken..self.ready];
        let frames = sound.len().min(into.len());
        for (to, sound) in into.iter_mut().zip(sound) {
            // The cast saturates: a microphone clips.
            *to = ((f64::from(*sound) + self.noise.next()) * FULL_SCALE) as i32;
        }
        self.taken += frames;
        Ok(Reading { lost: std::mem::take(&mut self.lost), frames })
    }
}
