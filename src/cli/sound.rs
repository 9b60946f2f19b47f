//! What whole recordings come from: files, and the self-made music as if it were files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{FileMicrophone, Microphone};

use super::demo::RATE_HZ;
use super::files;

/// Sound with an end.
pub(crate) enum Sound {
    Recording(PathBuf),
    Demo(Piece),
}

impl Sound {
    /// The recordings that `paths` name, and after them each piece of the self-made music if there shall be `demo`.
    pub(crate) fn all(paths: &[PathBuf], demo: bool) -> Result<Vec<Self>> {
        let recordings = files::recordings(paths)?.into_iter().map(Self::Recording);
        let pieces = Piece::ALL.into_iter().filter(|_| demo).map(Self::Demo);
        Ok(recordings.chain(pieces).collect())
    }

    /// The file, or what stands for it: `demo/<piece>`.
    pub(crate) fn path(&self) -> Cow<'_, Path> {
        match self {
            Self::Recording(path) => Cow::Borrowed(path),
            Self::Demo(piece) => Cow::Owned(Path::new("demo").join(piece.name())),
        }
    }

    /// It from its start.
    pub(crate) fn open(&self) -> Result<Box<dyn Microphone>> {
        Ok(match self {
            Self::Recording(path) => Box::new(FileMicrophone::open(path)?),
            Self::Demo(piece) => Box::new(DemoPlayer::new(*piece, RATE_HZ)),
        })
    }
}
