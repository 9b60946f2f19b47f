//! Microphone → blocks of samples: whatever a microphone delivers becomes [`Block`](crate::flow::Block)s of mono
//! Q0.31 samples at 22,050 Hz, with lost samples marked.
//!
//! ```text
//! Microphone            interleaved Q0.31 frames at the microphone's own rate, and how many were lost before them
//!   Conditioner         pick or mix a channel → integer polyphase resampler → DC removal → Block
//! Supervisor            opens, reads, conditions; survives overruns, unplugging and a microphone that isn't there yet
//! ```
//!
//! A [`Microphone`] is anything that delivers frames: an ALSA device ([`AlsaMicrophone`]), a recording
//! ([`FileMicrophone`]), raw samples from a pipe ([`PcmStream`]), or one of these inside a decorator ([`Paced`],
//! [`Limited`], [`FaultInjector`], a room that is not there). The conditioning and the trait are `no_std` and never allocate; [`Conditioner::feed`] can be
//! fed straight from a DMA buffer.
//!
//! [`meter`] measures frames as they come, for whoever sets a microphone up. Not here: queues, threads and log lines (the
//! pipeline has them), and anything that looks at what the sound is.

mod channel;
mod conditioner;
mod dc;
pub mod demo; // self-made music
mod fault_injector;
mod limit;
mod memory;
pub mod meter; // how good a signal is
mod random;
mod resample;
mod sample_format;

#[cfg(feature = "alsa")]
mod alsa;
#[cfg(feature = "std")]
mod clock;
#[cfg(feature = "std")]
mod device_name;
#[cfg(feature = "files")]
mod file;
#[cfg(feature = "std")]
mod pace;
#[cfg(feature = "rooms")]
pub mod room; // rooms that are not there
#[cfg(feature = "std")]
mod stdin;
#[cfg(feature = "std")]
mod supervisor;

pub use channel::{Channel, MAX_CHANNELS};
pub use conditioner::Conditioner;
pub use dc::DcBlocker;
pub use fault_injector::{FaultInjector, Faults};
pub use limit::Limited;
pub use memory::MemoryMicrophone;
pub use random::SplitMix64;
pub use resample::{MAX_COEFFICIENTS, MAX_TAPS, RateError, Resampler, pass_edge_hz};
pub use sample_format::SampleFormat;

#[cfg(feature = "alsa")]
pub use alsa::{AlsaMicrophone, AlsaOptions, Device, Offers, Shared, devices, shared_devices};
#[cfg(feature = "std")]
pub use clock::{Clock, ManualClock, SystemClock};
#[cfg(feature = "std")]
pub use device_name::{DeviceNameError, SYSFS_SOUND, UsbName, resolve, usb_name};
#[cfg(feature = "files")]
pub use file::{FileCause, FileError, FileMicrophone};
#[cfg(feature = "std")]
pub use pace::{Pace, Paced};
#[cfg(feature = "std")]
pub use stdin::PcmStream;
#[cfg(feature = "std")]
pub use supervisor::{Capture, Counters, Supervisor};

use crate::flow::{Fault, Stamp};
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// A source of sound at its own rate and channel count.
pub trait Microphone {
    /// What the source really delivers; constant while it is open.
    fn granted(&self) -> Granted;

    /// Waits for sound and writes it to `into` as interleaved Q0.31 frames (±2³¹ is full scale).
    ///
    /// `into` holds at least one frame of [`Granted::channels`] samples; at most `into.len() / channels` frames are
    /// written. A good size is [`Granted::period_samples`].
    ///
    /// # Errors
    /// Why there is no sound. After [`CaptureError::Ended`] and every error that has a [`CaptureError::fault`] the
    /// source is done with: drop it, and open it anew. An overrun is not an error: see [`Reading::lost`].
    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError>;

    /// When the last frame of the last [`read`](Self::read) was captured, by the source's own clock.
    fn captured(&self) -> Stamp {
        Stamp::Absent
    }
}

#[cfg(feature = "alloc")]
impl<M: Microphone + ?Sized> Microphone for Box<M> {
    fn granted(&self) -> Granted {
        (**self).granted()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        (**self).read(into)
    }

    fn captured(&self) -> Stamp {
        (**self).captured()
    }
}

/// What one [`Microphone::read`] brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Frames lost directly before the ones written, at the source's rate. Never silently zero: where the number
    /// cannot be known it is estimated and at least 1.
    pub lost: u64,
    /// Frames written. Zero means that the source has stalled.
    pub frames: usize,
}

/// What a source really delivers, which may not be what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Frames per second.
    pub rate_hz: u32,
    /// Samples per frame, 1 to [`MAX_CHANNELS`].
    pub channels: u8,
    /// Encoding at the source: an ALSA format such as `S24_3LE`, or a codec such as `mp3`.
    pub encoding: &'static str,
    /// Frames that arrive at a time.
    pub period_frames: u32,
    /// Frames that the source holds for a late reader before it loses some; 0 where it never does.
    pub buffer_frames: u32,
    /// How frames come out of the source.
    pub access: Access,
}

impl Granted {
    /// Samples in one period: the size of a buffer for [`Microphone::read`].
    #[must_use]
    pub fn period_samples(&self) -> usize {
        self.period_frames as usize * usize::from(self.channels)
    }
}

impl core::fmt::Display for Granted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let millis = |frames: u32| u64::from(frames) * 1000 / u64::from(self.rate_hz.max(1));
        write!(f, "{} Hz, {} ch, {}", self.rate_hz, self.channels, self.encoding)?;
        match self.access {
            Access::Stream => Ok(()),
            Access::MemoryMapped | Access::ReadWrite => write!(
                f,
                ", period {} ({} ms), buffer {} ({} ms), {}",
                self.period_frames,
                millis(self.period_frames),
                self.buffer_frames,
                millis(self.buffer_frames),
                if self.access == Access::MemoryMapped { "mmap" } else { "read/write" }
            ),
        }
    }
}

/// How frames come out of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read in place from the driver's ring buffer.
    MemoryMapped,
    /// Copied by the driver.
    ReadWrite,
    /// Not a device: decoded or piped.
    Stream,
}

/// Why there is no sound. Small and `Copy`: it crosses queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// The recording or pipe is over: not a fault.
    Ended,
    /// The recording or pipe broke off: reading it again would not help.
    Broken,
    /// No device has this name (yet).
    Missing,
    /// The device may not be opened by this user.
    Denied,
    /// Another program holds the device.
    Busy,
    /// The device went away while it was open.
    Lost,
    /// The device is open but no sound arrives.
    Stalled,
    /// The device offers none of the sample formats S32_LE, S24_3LE, S24_LE, S16_LE.
    Format,
    /// Sound of this many frames per second cannot be resampled.
    Rate(u32),
    /// The device has more channels than [`MAX_CHANNELS`], or not the one that was picked.
    Channels,
    /// The operating system answered with this error number.
    Os(i32),
}

impl CaptureError {
    /// What to show to the person; `None` where nothing is broken.
    #[must_use]
    pub fn fault(self) -> Option<Fault> {
        match self {
            Self::Ended => None,
            Self::Missing => Some(Fault::MicrophoneMissing),
            Self::Denied => Some(Fault::MicrophoneDenied),
            Self::Busy => Some(Fault::MicrophoneBusy),
            Self::Lost | Self::Broken | Self::Os(_) => Some(Fault::MicrophoneLost),
            Self::Stalled => Some(Fault::MicrophoneStalled),
            Self::Format | Self::Rate(_) | Self::Channels => Some(Fault::MicrophoneFormat),
        }
    }

    /// Whether opening the source again is pointless.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Broken)
    }
}

impl core::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Ended => f.write_str("the recording is over"),
            Self::Broken => f.write_str("the recording broke off"),
            Self::Missing => f.write_str("there is no such microphone"),
            Self::Denied => {
                f.write_str("this user may not open the microphone (is it in the group `audio`?)")
            }
            Self::Busy => f.write_str("another program holds the microphone"),
            Self::Lost => f.write_str("the microphone went away"),
            Self::Stalled => f.write_str("the microphone delivers no sound"),
            Self::Format => f.write_str(
                "the microphone offers none of S32_LE, S24_3LE, S24_LE and S16_LE at a usable rate",
            ),
            Self::Rate(rate_hz) => RateError(*rate_hz).fmt(f),
            Self::Channels => {
                write!(
                    f,
                    "the microphone has more than {MAX_CHANNELS} channels, or not the one that was picked"
                )
            }
            Self::Os(number) => write!(f, "the operating system answered with error {number}"),
        }
    }
}

impl core::error::Error for CaptureError {}

impl From<RateError> for CaptureError {
    fn from(error: RateError) -> Self {
        Self::Rate(error.0)
    }
}
