//! alsa-lib. The only file that names it.

use super::AlsaOptions;
use super::listing::{Device, Offers, Shared};
use super::stream::{Pcm, PcmError};
use crate::capture::{
    Access, CaptureError, Channel, Granted, MAX_CHANNELS, SYSFS_SOUND, SampleFormat, usb_name,
};
use crate::flow::Nanos;
use ::alsa::card::Iter as Cards;
use ::alsa::ctl::{Ctl, DeviceIter};
use ::alsa::device_name::HintIter;
use ::alsa::pcm::{Access as PcmAccess, Format, HwParams, PCM, TstampType};
use ::alsa::{Direction, Error, Output, ValueOr};
use std::path::Path;
use std::time::Duration;

/// Rates to ask for, the preferred first.
const RATES_HZ: [u32; 9] = [48_000, 44_100, 32_000, 22_050, 96_000, 88_200, 24_000, 16_000, 12_000];
const PERIOD_MICROS: u32 = 20_000;
const BUFFER_MICROS: u32 = 500_000;

/// Linux's error numbers (asm-generic/errno.h), the same on x86, ARM and RISC-V.
mod errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const ENOENT: i32 = 2;
    pub(super) const EINTR: i32 = 4;
    pub(super) const ENXIO: i32 = 6;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const EACCES: i32 = 13;
    pub(super) const EBUSY: i32 = 16;
    pub(super) const ENODEV: i32 = 19;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const EPIPE: i32 = 32;
    pub(super) const EBADFD: i32 = 77;
    pub(super) const ESTRPIPE: i32 = 86;
    pub(super) const ECONNREFUSED: i32 = 111;
    pub(super) const EHOSTDOWN: i32 = 112;
}

/// Why a running device didn't do as told.
fn running(error: Error) -> PcmError {
    match error.errno() {
        errno::EAGAIN | errno::EINTR => PcmError::Again,
        errno::EPIPE => PcmError::Overrun,
        errno::ESTRPIPE => PcmError::Suspended,
        // A device that was unplugged is left in no state for anything.
        errno::ENODEV | errno::ENXIO | errno::EBADFD => PcmError::Gone,
        number => PcmError::Os(number),
    }
}

/// Why a device couldn't be configured or asked.
fn configuring(error: Error) -> CaptureError {
    if error.errno() == errno::EINVAL { CaptureError::Format } else { opening(error) }
}

/// Why a device couldn't be opened.
fn opening(error: Error) -> CaptureError {
    match error.errno() {
        // No card has this index or id, or the configuration makes no sense.
        errno::EINVAL => CaptureError::Missing,
        // The last two: the sound server that the PCM leads to isn't running.
        errno::ENOENT | errno::ENODEV | errno::ENXIO | errno::ECONNREFUSED | errno::EHOSTDOWN => {
            CaptureError::Missing
        }
        errno::EBUSY | errno::EAGAIN => CaptureError::Busy,
        errno::EACCES | errno::EPERM => CaptureError::Denied,
        number => CaptureError::Os(number),
    }
}

/// Keeps alsa-lib from writing to standard error in this thread, where it would garble a display or fill a log.
fn hush() {
    // Without it the messages are merely seen.
    let _ = Output::local_error_handler();
}

/// An open device.
pub(super) struct SystemPcm {
    pcm: PCM,
    format: SampleFormat,
    channels: usize,
    /// Where frames are copied to if they are not mapped.
    bytes: Option<Vec<u8>>,
}

impl std::fmt::Debug for SystemPcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemPcm").field("format", &self.format).finish_non_exhaustive()
    }
}

impl SystemPcm {
    /// Opens and configures the device of this PCM string. It doesn't capture yet.
    pub(super) fn open(pcm_string: &str, options: &AlsaOptions) -> Result<(Self, Granted), CaptureError> {
        hush();
        let pcm = PCM::new(pcm_string, Direction::Capture, true).map_err(opening)?;
        let format = configure(&pcm, options)?;
        let granted = granted(&pcm, format).map_err(configuring)?;
        let software = pcm.sw_params_current().map_err(configuring)?;
        // Frames are C's `long`: as wide as it says.
        let period =
            pcm.hw_params_current().and_then(|current| current.get_period_size()).map_err(configuring)?;
        software.set_avail_min(period).map_err(configuring)?;
        // Without stamps, or with stamps of another clock, it records all the same.
        let _ = software.set_tstamp_mode(true).and_then(|()| software.set_tstamp_type(TstampType::Monotonic));
        pcm.sw_params(&software).map_err(configuring)?;
        drop(software);
        let copied = granted.access == Access::ReadWrite;
        let bytes = copied.then(|| vec![0; granted.period_samples() * format.bytes()]);
        Ok((Self { pcm, format, channels: usize::from(granted.channels), bytes }, granted))
    }
}

/// What the device was set to.
fn granted(pcm: &PCM, format: SampleFormat) -> Result<Granted, Error> {
    let current = pcm.hw_params_current()?;
    let mapped = current.get_access()? == PcmAccess::MMapInterleaved;
    Ok(Granted {
        rate_hz: current.get_rate()?,
        // Negotiated to be at most MAX_CHANNELS; frames that exceed 32 bits don't exist.
        channels: current.get_channels()? as u8,
        encoding: format.name(),
        period_frames: current.get_period_size()? as u32,
        buffer_frames: current.get_buffer_size()? as u32,
        access: if mapped { Access::MemoryMapped } else { Access::ReadWrite },
    })
}

const fn alsa_format(format: SampleFormat) -> Format {
    match format {
        SampleFormat::S16Le => Format::S16LE,
        SampleFormat::S24Le => Format::S24LE,
        SampleFormat::S24Packed => Format::S243LE,
        SampleFormat::S32Le => Format::S32LE,
    }
}

/// Sets the device to the best that it offers.
fn configure(pcm: &PCM, options: &AlsaOptions) -> Result<SampleFormat, CaptureError> {
    let mut reason = CaptureError::Format;
    let accesses = [PcmAccess::MMapInterleaved, PcmAccess::RWInterleaved];
    for converting in [false, true] {
        for access in &accesses[usize::from(!options.mmap)..] {
            for format in SampleFormat::ALL {
                if options.format.is_some_and(|only| only != format) {
                    continue;
                }
                let params = HwParams::any(pcm).map_err(configuring)?;
                params.set_rate_resample(converting).map_err(configuring)?;
                if params.set_access(*access).is_err() || params.set_format(alsa_format(format)).is_err() {
                    continue;
                }
                match complete(&params, options) {
                    Ok(()) if pcm.hw_params(&params).is_ok() => return Ok(format),
                    Ok(()) => {}
                    Err(error) => reason = error,
                }
            }
        }
    }
    Err(reason)
}

/// Narrows parameters down to one channel count, rate, period and buffer.
fn complete(params: &HwParams<'_>, options: &AlsaOptions) -> Result<(), CaptureError> {
    let wanted = match (options.channels, options.channel) {
        (Some(count), _) => count,
        (None, Channel::Pick(index)) => index.saturating_add(1),
        (None, Channel::Mix) => 2,
    };
    let channels = params.set_channels_near(wanted.into()).map_err(configuring)?;
    let count = u8::try_from(channels).map_err(|_| CaptureError::Channels)?;
    options.channel.check(count)?;
    if options.channels.is_some_and(|only| only != count) || count > MAX_CHANNELS {
        return Err(CaptureError::Channels);
    }
    let mut rates = RATES_HZ.into_iter().filter(|rate| options.rate_hz.is_none_or(|only| only == *rate));
    let rate = rates.find(|rate| params.test_rate(*rate).is_ok());
    let Some(rate) = rate else {
        return Err(CaptureError::Rate(options.rate_hz.or(params.get_rate_max().ok()).unwrap_or(0)));
    };
    let set = || {
        params.set_rate(rate, ValueOr::Nearest)?;
        params.set_period_time_near(PERIOD_MICROS, ValueOr::Nearest)?;
        params.set_buffer_time_near(BUFFER_MICROS, ValueOr::Nearest)
    };
    set().map(|_| ()).map_err(configuring)
}

impl Pcm for SystemPcm {
    fn available(&mut self) -> Result<usize, PcmError> {
        self.pcm.avail_update().map(|frames| frames as usize).map_err(running)
    }

    fn read(&mut self, into: &mut [i32]) -> Result<usize, PcmError> {
        let (format, channels) = (self.format, self.channels);
        let io = self.pcm.io_bytes();
        match &mut self.bytes {
            None => {
                io.mmap(into.len() / channels, |ring| format.decode(ring, into) / channels).map_err(running)
            }
            Some(bytes) => {
                let room = bytes.len().min(into.len() * format.bytes());
                let frames = io.readi(&mut bytes[..room]).map_err(running)?;
                let count = frames * channels;
                Ok(format.decode(&bytes[..count * format.bytes()], into) / channels)
            }
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool, PcmError> {
        // Rounded up, so that the last wait isn't a series of waits for nothing.
        let millis = timeout.as_micros().div_ceil(1000);
        self.pcm.wait(Some(u32::try_from(millis).unwrap_or(u32::MAX >> 1))).map_err(running)
    }

    fn start(&mut self) -> Result<(), PcmError> {
        self.pcm.start().map_err(running)
    }

    fn prepare(&mut self) -> Result<(), PcmError> {
        self.pcm.prepare().map_err(running)
    }

    fn resume(&mut self) -> Result<(), PcmError> {
        self.pcm.resume().map_err(running)
    }

    fn counted(&mut self) -> Result<(Nanos, u64), PcmError> {
        let status = self.pcm.status().map_err(running)?;
        let at = status.get_htstamp();
        let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(at.tv_nsec).unwrap_or(0);
        let unread = u64::try_from(status.get_avail()).unwrap_or(0);
        Ok((seconds.saturating_mul(1_000_000_000).saturating_add(nanos), unread))
    }
}

/// Every capture device of every sound card, with what its hardware offers. Opens each for a moment.
#[must_use]
pub fn devices() -> Vec<Device> {
    hush();
    Cards::new().flatten().flat_map(|card| devices_of(card.get_index()).unwrap_or_default()).collect()
}

fn devices_of(card: i32) -> Result<Vec<Device>, Error> {
    let control = Ctl::new(&format!("hw:{card}"), true)?;
    let info = control.card_info()?;
    let (id, name) = (info.get_id()?, info.get_name()?);
    let card = card.unsigned_abs();
    let mut found = Vec::new();
    for device in DeviceIter::new(&control).map(i32::unsigned_abs) {
        // A device that only plays has no such information.
        let Ok(stream) = control.pcm_info(device, 0, Direction::Capture) else { continue };
        found.push(Device {
            card,
            card_id: id.to_owned(),
            card_name: name.to_owned(),
            device,
            device_id: stream.get_id().unwrap_or_default().to_owned(),
            device_name: stream.get_name().unwrap_or_default().to_owned(),
            subdevices: (stream.get_subdevices_count(), stream.get_subdevices_avail()),
            usb: usb_name(card, Path::new(SYSFS_SOUND)),
            offers: offers(&format!("hw:{card},{device}")),
        });
    }
    Ok(found)
}

fn offers(pcm_string: &str) -> Result<Offers, CaptureError> {
    let pcm = PCM::new(pcm_string, Direction::Capture, true).map_err(opening)?;
    let any = HwParams::any(&pcm).map_err(configuring)?;
    let offers = || {
        Ok(Offers {
            formats: Format::all()
                .iter()
                .filter(|format| any.test_format(**format).is_ok())
                .map(ToString::to_string)
                .collect(),
            channels: (any.get_channels_min()?, any.get_channels_max()?),
            rates_hz: (any.get_rate_min()?, any.get_rate_max()?),
            usable_rates_hz: RATES_HZ.into_iter().filter(|rate| any.test_rate(*rate).is_ok()).collect(),
        })
    };
    offers().map_err(configuring)
}

/// Beginnings of PCM names that no listener wants: raw and converting forms of the devices, loudspeakers, filters.
const UNSHARED: [&str; 16] = [
    "null",
    "hw:",
    "plughw:",
    "front",
    "surround",
    "iec958",
    "hdmi",
    "usbstream",
    "lavrate",
    "samplerate",
    "speex",
    "upmix",
    "vdownmix",
    "oss",
    "a52",
    "rear",
];

/// The PCMs of the configuration that can capture and be shared: `default`, `pipewire`, `pulse`, `dsnoop:…`.
#[must_use]
pub fn shared_devices() -> Vec<Shared> {
    hush();
    let Ok(hints) = HintIter::new_str(None, "pcm") else { return Vec::new() };
    hints
        .filter(|hint| hint.direction != Some(Direction::Playback))
        .filter_map(|hint| {
            let name = hint.name?;
            let wanted = !UNSHARED.iter().any(|beginning| name.starts_with(beginning));
            let description = hint.desc.unwrap_or_default().replace('\n', ", ");
            wanted.then_some(Shared { name, description })
        })
        .collect()
}
