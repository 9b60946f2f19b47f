//! The end of sources that have none: alsa-lib's `file` plugin goes on after its file is over.

use super::{CaptureError, Granted, Microphone, Reading};
use crate::flow::Stamp;

/// A decorator that ends a source after a number of frames, lost ones included.
#[derive(Clone, Debug)]
pub struct Limited<M> {
    inner: M,
    left: u64,
}

impl<M: Microphone> Limited<M> {
    /// Ends `inner` after `frames` frames.
    pub fn new(inner: M, frames: u64) -> Self {
        Self { inner, left: frames }
    }
}

impl<M: Microphone> Microphone for Limited<M> {
    fn granted(&self) -> Granted {
        self.inner.granted()
    }

    fn captured(&self) -> Stamp {
        self.inner.captured()
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        if self.left == 0 {
            return Err(CaptureError::Ended);
        }
        let channels = usize::from(self.granted().channels).max(1);
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_mul(channels).min(into.len());
        let reading = self.inner.read(&mut into[..room])?;
        self.left = self.left.saturating_sub(reading.lost + reading.frames as u64);
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::demo::{DemoPlayer, Piece};

    #[test]
    fn ends_at_the_frame() {
        let mut microphone = Limited::new(DemoPlayer::new(Piece::Disco, 16_000), 1000);
        let mut into = [0; 300];
        let mut frames = Vec::new();
        let end = loop {
            match microphone.read(&mut into) {
                Ok(reading) => frames.push(reading.frames),
                Err(error) => break error,
            }
        };
        assert_eq!((frames, end), (vec![300, 300, 300, 100], CaptureError::Ended));
    }
}
