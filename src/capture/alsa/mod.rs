//! Microphones of the operating system, through alsa-lib.
//!
//! ```text
//! name ─ device_name ─▶ PCM string ─ sys ─▶ open, negotiate ─▶ SystemPcm ─ stream ─▶ frames
//! ```
//! [`stream`] is the reading loop: waiting, overruns, suspend, unplugging. It knows the device only by a trait, so that
//! its tests bring their own. [`sys`] is that trait over alsa-lib, and the only file that names the library;
//! [`listing`] is what it finds out about the devices that there are.

mod listing;
mod stamp_check;
mod stream;
mod sys;

use super::{
    CaptureError, Channel, Granted, Microphone, Reading, SYSFS_SOUND, SampleFormat, SystemClock, resolve,
};
use crate::flow::Stamp;
use std::path::Path;
use stream::Stream;
use sys::SystemPcm;

pub use listing::{Device, Offers, Shared};
pub use sys::{devices, shared_devices};

/// What to ask a device for. The default takes the first that is granted of:
///
/// - memory mapping, then copying;
/// - the formats S32_LE, S24_3LE, S24_LE, S16_LE: the most precise first;
/// - two channels when mixing, else as many as the picked one needs, or the nearest number to it;
/// - a native rate that the resampler knows, 48 kHz first because most converters run at it. Only where a converting
///   PCM (`plughw:`) has no such rate may alsa-lib convert one;
/// - periods of 20 ms in a buffer of 500 ms, or the nearest to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlsaOptions {
    /// The channel that will be used: the device is asked for at least as many.
    pub channel: Channel,
    /// Only this rate, in hertz.
    pub rate_hz: Option<u32>,
    /// Only this many channels.
    pub channels: Option<u8>,
    /// Only this format.
    pub format: Option<SampleFormat>,
    /// Whether memory mapping is tried.
    pub mmap: bool,
}

impl Default for AlsaOptions {
    fn default() -> Self {
        Self { channel: Channel::Mix, rate_hz: None, channels: None, format: None, mmap: true }
    }
}

/// An open ALSA device.
///
/// Overruns and suspends are recovered from inside and come out as [`Reading::lost`]; after an error it is of no more
/// use and to be opened again, which a [`Supervisor`](super::Supervisor) does. Reading allocates nothing.
#[derive(Debug)]
pub struct AlsaMicrophone {
    stream: Stream<SystemPcm, SystemClock>,
}

impl AlsaMicrophone {
    /// Opens and starts the microphone called `name`: an index, a card's id, a PCM string or a USB name
    /// (see [`resolve`]).
    ///
    /// From then on alsa-lib prints nothing to the standard error of the calling thread.
    ///
    /// # Errors
    /// Why it cannot be opened: it is missing, busy, denied, or offers nothing that can be read.
    pub fn open(name: &str, options: &AlsaOptions) -> Result<Self, CaptureError> {
        let pcm_string = resolve(name, Path::new(SYSFS_SOUND))?;
        let (pcm, granted) = SystemPcm::open(&pcm_string, options)?;
        Ok(Self { stream: Stream::start(pcm, granted, SystemClock::default())? })
    }
}

impl Microphone for AlsaMicrophone {
    fn granted(&self) -> Granted {
        self.stream.granted()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        self.stream.read(into)
    }

    fn captured(&self) -> Stamp {
        self.stream.captured()
    }
}
