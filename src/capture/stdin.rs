//! Raw samples from a pipe: `arecord -t raw -f S16_LE -r 48000 -c 1 | harmonynet listen --device -`.
//!
//! Not here: pipes that carry a container such as WAV; [`FileMicrophone`](super::FileMicrophone) reads those.

use super::{Access, CaptureError, Channel, Granted, Microphone, Reading, Resampler, SampleFormat};
use std::io::{ErrorKind, Read};

/// Raw interleaved samples from any reader. It waits as long as the reader does: a silent pipe can't be told from a
/// slow one, so there is no stall.
#[derive(Debug)]
pub struct PcmStream<R> {
    reader: R,
    format: SampleFormat,
    granted: Granted,
    /// One period of bytes.
    bytes: Vec<u8>,
    /// Bytes of an incomplete frame at the beginning of `bytes`.
    held: usize,
}

impl<R: Read> PcmStream<R> {
    /// Frames of `channels` samples in `format`, `rate_hz` of them per second, from `reader`.
    ///
    /// # Errors
    /// [`CaptureError::Rate`] or [`CaptureError::Channels`] where such frames cannot be read.
    pub fn new(reader: R, format: SampleFormat, rate_hz: u32, channels: u8) -> Result<Self, CaptureError> {
        Channel::Mix.check(channels)?;
        Resampler::new(rate_hz)?;
        let period_frames = rate_hz / 50;
        let granted = Granted {
            rate_hz,
            channels,
            encoding: format.name(),
            period_frames,
            buffer_frames: 0,
            access: Access::Stream,
        };
        let bytes = vec![0; granted.period_samples() * format.bytes()];
        Ok(Self { reader, format, granted, bytes, held: 0 })
    }
}

impl<R: Read> Microphone for PcmStream<R> {
    fn granted(&self) -> Granted {
        self.granted
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let channels = usize::from(self.granted.channels);
        let frame = channels * self.format.bytes();
        let room = (into.len() / channels * frame).min(self.bytes.len());
        while self.held < frame {
            match self.reader.read(&mut self.bytes[self.held..room.max(frame)]) {
                Ok(0) => return Err(CaptureError::Ended),
                Ok(count) => self.held += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(CaptureError::Broken),
            }
        }
        let whole = self.held / frame * frame;
        let samples = self.format.decode(&self.bytes[..whole], into);
        self.bytes.copy_within(whole..self.held, 0);
        self.held -= whole;
        Ok(Reading { lost: 0, frames: samples / channels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out its bytes a few at a time, with an interruption first.
    struct Trickle<'a> {
        bytes: &'a [u8],
        interrupted: bool,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if !std::mem::replace(&mut self.interrupted, true) {
                return Err(ErrorKind::Interrupted.into());
            }
            let count = self.bytes.len().min(into.len()).min(5);
            into[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Ok(count)
        }
    }

    #[test]
    fn frames_survive_any_cutting_of_the_pipe() {
        for format in SampleFormat::ALL {
            let frames = 100;
            let bytes: Vec<u8> = (0..frames * 3 * format.bytes() + 2).map(|n| (n * 37) as u8).collect();
            let mut expected = vec![0; frames * 3];
            format.decode(&bytes, &mut expected);
            let trickle = Trickle { bytes: &bytes, interrupted: false };
            let mut stream = PcmStream::new(trickle, format, 16_000, 3).unwrap();
            let (mut heard, mut into) = (Vec::new(), [0; 30]);
            let end = loop {
                match stream.read(&mut into) {
                    Ok(reading) => {
                        assert!(reading.frames > 0);
                        heard.extend_from_slice(&into[..reading.frames * 3]);
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!((end, heard), (CaptureError::Ended, expected), "{}", format.name());
        }
    }

    #[test]
    fn impossible_streams_are_refused() {
        let open =
            |rate, channels| PcmStream::new(std::io::empty(), SampleFormat::S16Le, rate, channels).err();
        assert_eq!(open(8_000, 1), Some(CaptureError::Rate(8_000)));
        assert_eq!(open(48_000, 0), Some(CaptureError::Channels));
        assert_eq!(open(48_000, 9), Some(CaptureError::Channels));
        assert_eq!(open(48_000, 8), None);
    }
}
