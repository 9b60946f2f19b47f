//! Where the sound comes from: a microphone, a recording, a pipe or self-made music.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use harmonynet::capture::demo::Piece;
#[cfg(all(feature = "files", feature = "rooms"))]
use harmonynet::capture::room::{Acoustics, Place};
use harmonynet::capture::{CaptureError, Channel, Microphone, Pace, PcmStream, SampleFormat};
#[cfg(feature = "files")]
use harmonynet::capture::{FileMicrophone, Paced, SystemClock};

use super::{demo, log};

/// Options that say where the sound comes from.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// Recording to listen to instead of a microphone (WAV, FLAC, MP3, Ogg); `-` for raw samples on standard input
    #[cfg_attr(
        not(feature = "files"),
        arg(help = "`-`: raw samples on standard input instead of a microphone")
    )]
    #[arg(value_name = if cfg!(feature = "files") { "FILE" } else { "-" }, conflicts_with_all = ["device", "demo"])]
    file: Option<PathBuf>,

    // Help and default of this and `channel` come from the table of settings.
    #[arg(long, short = 'D', value_name = "NAME", conflicts_with = "demo")]
    device: String,

    /// Play self-made music through ALSA instead of a microphone
    #[arg(long, value_name = "PIECE", num_args = 0..=1, value_parser = piece(), default_missing_value = "classical", require_equals = true)]
    demo: Option<Piece>,

    /// Listen to the microphone if there is one, else to self-made music
    #[arg(long, conflicts_with_all = ["file", "demo"])]
    or_demo: bool,

    #[arg(long, value_name = "N|mix", value_parser = channel)]
    pub(crate) channel: Channel,

    /// How fast a recording or self-made music is delivered
    #[arg(long, value_enum, default_value_t = PaceArg::Realtime)]
    pace: PaceArg,

    /// Hear the recording as a device in this simulated room would
    #[cfg(all(feature = "files", feature = "rooms"))]
    #[arg(long, value_name = "NAME", value_parser = place(), requires = "file")]
    room: Option<Place>,

    /// How far the noise in the room lies below the music, decibels
    #[cfg(all(feature = "files", feature = "rooms"))]
    #[arg(long, value_name = "DB", default_value_t = 20.0, requires = "room", allow_negative_numbers = true)]
    snr: f64,

    /// Rate of raw samples on standard input, hertz
    #[arg(long, value_name = "HZ", default_value_t = 48_000)]
    rate: u32,

    /// Channels of raw samples on standard input
    #[arg(long, value_name = "N", default_value_t = 1)]
    channels: u8,

    /// Format of raw samples on standard input: S16_LE, S24_LE, S24_3LE or S32_LE
    #[arg(long, value_name = "FORMAT", default_value = "S16_LE", value_parser = sample_format)]
    format: SampleFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaceArg {
    /// As a microphone would
    Realtime,
    /// As fast as it can be read
    Fast,
}

fn channel(text: &str) -> Result<Channel, String> {
    match text.parse::<u8>() {
        _ if text == "mix" => Ok(Channel::Mix),
        Ok(number @ 1..=8) => Ok(Channel::Pick(number - 1)),
        _ => Err("expected a number from 1 to 8, or mix".into()),
    }
}

fn sample_format(text: &str) -> Result<SampleFormat, String> {
    SampleFormat::from_name(text).ok_or_else(|| "expected S16_LE, S24_LE, S24_3LE or S32_LE".into())
}

/// A microphone of any kind.
pub(crate) type AnyMicrophone = Box<dyn Microphone + Send>;

/// Sound that can be opened, and opened again.
pub(crate) struct Source {
    /// What to call it.
    pub(crate) name: String,
    /// Opens it.
    pub(crate) open: Box<dyn FnMut() -> Result<AnyMicrophone, CaptureError> + Send>,
    /// Files that the source reads, deleted with it.
    pub(crate) _files: Option<tempfile::TempDir>,
}

impl SourceArgs {
    /// The microphone's name, where no other source is named.
    pub(crate) fn device(&self) -> Option<&str> {
        (self.file.is_none() && self.demo.is_none()).then_some(self.device.as_str())
    }

    /// The number that was given instead of a file, and for which there is none.
    pub(crate) fn take_seconds(&mut self) -> Option<f64> {
        let file = self.file.as_deref().filter(|file| !file.exists())?;
        let seconds = file.to_str()?.parse().ok()?;
        self.file = None;
        Some(seconds)
    }

    /// The source that the options name.
    ///
    /// Must be called before any thread is started: playing music through ALSA sets an environment variable.
    pub(crate) fn source(&self) -> Result<Source> {
        let pace = if self.pace == PaceArg::Fast { Pace::Fast } else { Pace::RealTime };
        match (&self.file, self.demo) {
            (Some(file), _) if file == Path::new("-") => self.pipe(),
            (Some(file), _) => self.recording(file, pace),
            (None, Some(piece)) => play(piece, pace),
            (None, None) if self.or_demo && !has_microphone() => {
                log::say(
                    "no microphone here: playing self-made music (`harmonynet listen --device NAME` listens to one)",
                );
                play(Piece::Classical, pace)
            }
            (None, None) => microphone(&self.device, self.channel),
        }
    }

    #[cfg(all(feature = "files", feature = "rooms"))]
    fn recording(&self, file: &Path, pace: Pace) -> Result<Source> {
        self.room.map_or_else(|| recording(file, pace), |place| in_room(file, pace, &place, self.snr))
    }

    #[cfg(not(all(feature = "files", feature = "rooms")))]
    #[expect(clippy::unused_self, reason = "with rooms it asks which")]
    fn recording(&self, file: &Path, pace: Pace) -> Result<Source> {
        recording(file, pace)
    }

    fn pipe(&self) -> Result<Source> {
        #[cfg(all(feature = "files", feature = "rooms"))]
        anyhow::ensure!(
            self.room.is_none(),
            "--room needs a recording that can be read twice, not standard input"
        );
        let stdin = std::io::BufReader::new(std::io::stdin());
        let microphone = PcmStream::new(stdin, self.format, self.rate, self.channels)
            .context("raw samples on standard input (--rate, --channels)")?;
        Ok(Source { name: "standard input".into(), open: once(Box::new(microphone)), _files: None })
    }
}

fn play(piece: Piece, pace: Pace) -> Result<Source> {
    demo::source(piece, pace).with_context(|| format!("self-made music `{}`", piece.name()))
}

/// A piece by its name.
fn piece() -> impl TypedValueParser<Value = Piece> {
    PossibleValuesParser::new(Piece::ALL.map(Piece::name))
        .try_map(|name| Piece::ALL.into_iter().find(|piece| piece.name() == name).ok_or("no such piece"))
}

/// A simulated room by its name.
#[cfg(all(feature = "files", feature = "rooms"))]
pub(crate) fn place() -> impl TypedValueParser<Value = Place> {
    PossibleValuesParser::new(Place::ALL.map(|place| place.name))
        .try_map(|name| Place::named(&name).ok_or("no such room"))
}

/// Whether this machine has a microphone.
#[cfg(feature = "alsa")]
fn has_microphone() -> bool {
    !harmonynet::capture::devices().is_empty()
}

#[cfg(not(feature = "alsa"))]
fn has_microphone() -> bool {
    false
}

/// A microphone that may not be there yet.
#[cfg(feature = "alsa")]
fn microphone(device: &str, channel: Channel) -> Result<Source> {
    use harmonynet::capture::{AlsaMicrophone, AlsaOptions};

    let name = device.to_string();
    let options = AlsaOptions { channel, ..AlsaOptions::default() };
    let open = move || -> Result<AnyMicrophone, _> { Ok(Box::new(AlsaMicrophone::open(&name, &options)?)) };
    Ok(Source { name: format!("microphone `{device}`"), open: Box::new(open), _files: None })
}

#[cfg(not(feature = "alsa"))]
fn microphone(_: &str, _: Channel) -> Result<Source> {
    anyhow::bail!(
        "this build has no microphones: build it with --features alsa, or name a FILE, `-` or --demo"
    )
}

/// A recording, opened once: what can't be opened now won't be later.
#[cfg(feature = "files")]
fn recording(file: &Path, pace: Pace) -> Result<Source> {
    let microphone = FileMicrophone::open(file)?;
    Ok(Source {
        name: file.display().to_string(),
        open: once(Box::new(Paced::new(microphone, pace, SystemClock::default()))),
        _files: None,
    })
}

#[cfg(not(feature = "files"))]
fn recording(file: &Path, _: Pace) -> Result<Source> {
    anyhow::bail!(
        "{}: this build reads no recordings: build it with --features files, or pipe raw samples to `-`",
        file.display()
    )
}

/// A recording, played in a room.
#[cfg(all(feature = "files", feature = "rooms"))]
fn in_room(file: &Path, pace: Pace, place: &Place, snr_db: f64) -> Result<Source> {
    let acoustics = Acoustics::new(place, FileMicrophone::open(file)?.granted().rate_hz);
    let open = || -> Result<_> { Ok(FileMicrophone::open(file)?) };
    let microphone = acoustics.hear(open, snr_db, 1)?;
    Ok(Source {
        name: format!("{} in the room `{}`", file.display(), place.name),
        open: once(Box::new(Paced::new(microphone, pace, SystemClock::default()))),
        _files: None,
    })
}

/// Gives `microphone` once; then the recording is over.
pub(crate) fn once(
    microphone: AnyMicrophone,
) -> Box<dyn FnMut() -> Result<AnyMicrophone, CaptureError> + Send> {
    let mut microphone = Some(microphone);
    Box::new(move || microphone.take().ok_or(CaptureError::Ended))
}
