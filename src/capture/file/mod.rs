//! Recordings as microphones: WAV, FLAC, MP3 and Ogg Vorbis, decoded by symphonia. The only file that names it.
//!
//! Damaged stretches are left out. Where the packets carry times (FLAC, Ogg) these tell how much is missing, and it
//! travels as [`Reading::lost`]; an MP3 stream carries none, so that only what its decoder refused is counted.
//!
//! The decoder allocates for each packet of the recording; everything after it doesn't.

use super::{
    Access, CaptureError, Channel, Granted, MAX_CHANNELS, Microphone, RateError, Reading, Resampler,
};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

/// A recording, from its first sample to its last.
pub struct FileMicrophone {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Seconds per unit of a packet's times, as a fraction.
    time_base: (u32, u32),
    /// When the next packet should begin, in those units.
    expected: i64,
    granted: Granted,
    total_frames: Option<u64>,
    /// A pipe may end anywhere; a file may not.
    is_pipe: bool,
    /// The samples of the last packet, and how many of them were read.
    samples: Vec<i32>,
    taken: usize,
    /// Frames missing before `samples`.
    lost: u64,
}

/// Why a recording cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The recording.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: FileCause,
}

/// What is wrong with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileCause {
    /// The operating system cannot read it.
    Read(ErrorKind),
    /// It is not WAV, FLAC, MP3 or Ogg.
    Foreign,
    /// It holds sound in a codec that is not built in, or none at all.
    Codec,
    /// It holds no sample that can be decoded.
    Empty,
    /// Its rate cannot be resampled.
    Rate(RateError),
    /// It has no channels, or more than [`MAX_CHANNELS`].
    Channels(usize),
    /// It contradicts its own format.
    Malformed(&'static str),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match self.cause {
            FileCause::Read(kind) => write!(f, "cannot be read: {kind}"),
            FileCause::Foreign => f.write_str("is not a WAV, FLAC, MP3 or Ogg recording"),
            FileCause::Codec => {
                f.write_str("holds no sound, or in a codec other than PCM, FLAC, MP3 and Vorbis")
            }
            FileCause::Empty => f.write_str("holds no sample that can be decoded"),
            FileCause::Rate(error) => error.fmt(f),
            FileCause::Channels(count) => write!(f, "has {count} channels; 1 to {MAX_CHANNELS} can be read"),
            FileCause::Malformed(what) => write!(f, "is malformed: {what}"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<FileError> for CaptureError {
    fn from(error: FileError) -> Self {
        match error.cause {
            FileCause::Read(ErrorKind::NotFound) => Self::Missing,
            FileCause::Read(ErrorKind::PermissionDenied) => Self::Denied,
            FileCause::Rate(RateError(rate_hz)) => Self::Rate(rate_hz),
            FileCause::Channels(_) => Self::Channels,
            _ => Self::Broken,
        }
    }
}

impl From<Error> for FileCause {
    fn from(error: Error) -> Self {
        match error {
            Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Malformed("it ends early")
            }
            Error::IoError(error) => Self::Read(error.kind()),
            Error::DecodeError(what) | Error::LimitError(what) => Self::Malformed(what),
            Error::Unsupported(_) => Self::Codec,
            _ => Self::Foreign,
        }
    }
}

impl FileMicrophone {
    /// Opens the recording at `path` and decodes its beginning.
    ///
    /// # Errors
    /// [`FileError`] with the path and what is wrong.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
            hint.with_extension(extension);
        }
        std::fs::File::open(path)
            .map_err(|error| FileCause::Read(error.kind()))
            .and_then(|file| Self::decode(Box::new(file), &hint))
            .map_err(|cause| FileError { path: path.to_owned(), cause })
    }

    /// Reads a recording from a pipe that cannot be sought in, such as standard input.
    ///
    /// # Errors
    /// As [`FileMicrophone::open`], with `-` for the path.
    pub fn from_reader(reader: impl Read + Send + Sync + 'static) -> Result<Self, FileError> {
        Self::decode(Box::new(ReadOnlySource::new(reader)), &Hint::new())
            .map_err(|cause| FileError { path: "-".into(), cause })
    }

    /// How long the recording is, in frames, where it says so. Lossy codecs may be off by a packet.
    #[must_use]
    pub fn total_frames(&self) -> Option<u64> {
        self.total_frames
    }

    fn decode(source: Box<dyn MediaSource>, hint: &Hint) -> Result<Self, FileCause> {
        let is_pipe = !source.is_seekable();
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| match error {
                Error::Unsupported(_) => FileCause::Foreign,
                // The probe reads to the end in search of a format that it knows.
                Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => FileCause::Foreign,
                other => other.into(),
            })?;
        let track = format.default_track(TrackType::Audio).ok_or(FileCause::Codec)?;
        let (id, time_base, total_frames) = (track.id, time_base(track), track.num_frames);
        let expected = track.start_ts.get();
        let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters.ok_or(FileCause::Codec)?, &AudioDecoderOptions::default())?;
        let encoding = decoder.codec_info().short_name;
        let granted = Granted {
            rate_hz: 0,
            channels: 0,
            encoding,
            period_frames: 0,
            buffer_frames: 0,
            access: Access::Stream,
        };
        let samples = Vec::new();
        let mut file = Self {
            format,
            decoder,
            track: id,
            time_base,
            expected,
            granted,
            total_frames,
            is_pipe,
            samples,
            taken: 0,
            lost: 0,
        };
        file.begin()?;
        Ok(file)
    }

    /// Decodes the first packet: only then are rate and channels certain.
    fn begin(&mut self) -> Result<(), FileCause> {
        let (rate_hz, channels) = self.refill().map_err(|_| FileCause::Empty)?;
        Resampler::new(rate_hz).map_err(FileCause::Rate)?;
        let count = u8::try_from(channels).map_err(|_| FileCause::Channels(channels))?;
        Channel::Mix.check(count).map_err(|_| FileCause::Channels(channels))?;
        self.granted = Granted { rate_hz, channels: count, period_frames: rate_hz / 50, ..self.granted };
        Ok(())
    }

    /// Decodes the next packet that holds samples; its rate and number of channels.
    fn refill(&mut self) -> Result<(u32, usize), CaptureError> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Err(CaptureError::Ended),
                Err(_) if self.is_pipe => return Err(CaptureError::Ended),
                Err(_) => return Err(CaptureError::Broken),
            };
            match self.decoder.decode(&packet) {
                Ok(decoded) if decoded.frames() == 0 => self.expected = end(&packet),
                Ok(decoded) => {
                    let missing = packet.pts.get().saturating_sub(self.expected);
                    self.lost = frames(missing, self.time_base, decoded.spec().rate());
                    self.expected = end(&packet);
                    decoded.copy_to_vec_interleaved(&mut self.samples);
                    self.taken = 0;
                    return Ok((decoded.spec().rate(), decoded.spec().channels().count()));
                }
                // Damaged: the next packet's time tells how much is missing.
                Err(Error::DecodeError(_) | Error::IoError(_)) => {}
                Err(_) => return Err(CaptureError::Broken),
            }
        }
    }
}

/// When the packet after this one should begin.
fn end(packet: &Packet) -> i64 {
    packet.pts.get().saturating_add_unsigned(packet.block_dur().get())
}

/// How many frames `units` of `time_base` are; none where they are negative.
fn frames(units: i64, (numerator, denominator): (u32, u32), rate_hz: u32) -> u64 {
    let units = u128::from(u64::try_from(units).unwrap_or(0));
    let frames = units * u128::from(numerator) * u128::from(rate_hz) / u128::from(denominator);
    u64::try_from(frames).unwrap_or(u64::MAX)
}

fn time_base(track: &Track) -> (u32, u32) {
    track.time_base.map_or((0, 1), |base| (base.numer.get(), base.denom.get()))
}

impl Microphone for FileMicrophone {
    fn granted(&self) -> Granted {
        self.granted
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let channels = usize::from(self.granted.channels);
        if self.taken == self.samples.len() && self.refill()? != (self.granted.rate_hz, channels) {
            // A recording that changes its rate midway is two recordings.
            return Err(CaptureError::Broken);
        }
        let frames = (into.len() / channels).min((self.samples.len() - self.taken) / channels);
        let count = frames * channels;
        into[..count].copy_from_slice(&self.samples[self.taken..self.taken + count]);
        self.taken += count;
        Ok(Reading { lost: std::mem::take(&mut self.lost), frames })
    }
}

impl std::fmt::Debug for FileMicrophone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileMicrophone").field("granted", &self.granted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
