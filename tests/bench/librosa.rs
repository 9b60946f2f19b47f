//! librosa as a [peer](super::peer).

use std::time::Duration;

use super::Failure;
use super::peer::{Peer, hand_over};

/// How librosa is called.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// `librosa.feature.melspectrogram`, as users write it; it makes its filter bank with each call.
    Call,
    /// `librosa.stft` and a filter bank that was made once.
    Bank,
}

/// The running peer.
pub(super) struct Librosa(Peer);

impl Librosa {
    /// Starts the peer with these excerpts, each of the same length.
    pub(super) fn start(excerpts: &[Vec<f32>]) -> Result<Self, Failure> {
        let data = hand_over("bench-excerpts.f32", excerpts.iter().flatten().copied())?;
        let count = excerpts.len().to_string();
        Ok(Self(Peer::start("librosa_peer.py", &[data.as_ref(), count.as_ref()])?))
    }

    /// How long all excerpts took, `times` times.
    pub(super) fn time(&mut self, way: Way, times: usize) -> Result<Duration, Failure> {
        let way = match way {
            Way::Call => "call",
            Way::Bank => "bank",
        };
        self.0.time(&format!("{way} {times}"))
    }

    /// Mean of all its decibels.
    pub(super) fn mean_db(&mut self) -> Result<f64, Failure> {
        Ok(*self.0.numbers("mean 1")?.first().ok_or("the peer said nothing")?)
    }
}
