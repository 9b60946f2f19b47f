//! Self-made music, played through the real ALSA library: its `file` plugin is a microphone where there is no card.

use anyhow::Result;
use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{Pace, Paced, SystemClock};

#[cfg(not(feature = "alsa"))]
use super::source::once;
use super::source::{AnyMicrophone, Source};

/// Rate at which the music is played: what I2S and USB microphones deliver, so that the resampler has its part.
pub(crate) const RATE_HZ: u32 = 48_000;

/// A source that plays `piece` once.
#[cfg(feature = "alsa")]
pub(crate) fn source(piece: Piece, pace: Pace) -> Result<Source> {
    use std::fs;
    use std::io::{BufWriter, Write as _};

    use anyhow::Context as _;
    use harmonynet::capture::{AlsaMicrophone, AlsaOptions, Channel, Limited, SampleFormat};

    const PCM: &str = "harmonynet_demo";

    let folder = tempfile::tempdir().context("a temporary folder for the music")?;
    let music = folder.path().join("music.s32");
    let mut file = BufWriter::new(fs::File::create(&music)?);
    let mut frames = 0;
    for sample in DemoPlayer::new(piece, RATE_HZ) {
        file.write_all(&sample.to_le_bytes()).context("writing the music to a temporary file")?;
        frames += 1;
    }
    file.flush().context("writing the music to a temporary file")?;
    let configuration = folder.path().join("asound.conf");
    fs::write(
        &configuration,
        format!(
            "pcm.{PCM} {{ type file slave.pcm {{ type null }} file /dev/null infile \"{}\" format raw }}\n",
            music.display()
        ),
    )?;
    set_alsa_configuration(&configuration);
    // The plugin takes whatever is asked for and reads the file accordingly, so exactly what is in it is asked for.
    let options = AlsaOptions {
        channel: Channel::Pick(0),
        rate_hz: Some(RATE_HZ),
        channels: Some(1),
        format: Some(SampleFormat::S32Le),
        mmap: true,
    };
    let open = move || -> Result<AnyMicrophone, _> {
        // It delivers as fast as it is asked, and goes on after the file's end.
        let music = Limited::new(AlsaMicrophone::open(PCM, &options)?, frames);
        Ok(Box::new(Paced::new(music, pace, SystemClock::default())))
    };
    let name = format!("self-made music `{}` through ALSA's file plugin", piece.name());
    Ok(Source { name, open: Box::new(open), _files: Some(folder) })
}

/// Makes alsa-lib read `path` instead of the system's configuration.
#[cfg(feature = "alsa")]
#[expect(
    unsafe_code,
    reason = "alsa-lib takes its configuration from the environment, which is only safe to set early"
)]
fn set_alsa_configuration(path: &std::path::Path) {
    // SAFETY: called while the program has one thread (see `SourceArgs::source`), so that nobody reads the environment
    // at the same time.
    unsafe { std::env::set_var("ALSA_CONFIG_PATH", path) };
}

/// A source that plays `piece` once, without ALSA.
#[cfg(not(feature = "alsa"))]
pub(crate) fn source(piece: Piece, pace: Pace) -> Result<Source> {
    let player: AnyMicrophone =
        Box::new(Paced::new(DemoPlayer::new(piece, RATE_HZ), pace, SystemClock::default()));
    Ok(Source { name: format!("self-made music `{}`", piece.name()), open: once(player), _files: None })
}
