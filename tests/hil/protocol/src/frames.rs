//! Records as bytes and back: postcard in COBS frames, each ended by a zero. The only file that names `postcard`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// More bytes than any frame has.
pub const FRAME_BYTES: usize = 32;

/// The bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the bytes are no record of this protocol")
    }
}

impl core::error::Error for Unreadable {}

/// The frame of a record, in `bytes`. Empty where it doesn't fit, which no record of this protocol does; a test tries all.
pub fn encode<'a>(record: &impl Serialize, bytes: &'a mut [u8; FRAME_BYTES]) -> &'a [u8] {
    postcard::to_slice_cobs(record, bytes).map_or(&[], |used| used)
}

/// Makes records of bytes, however they are cut. Whatever came before, the frame after the next zero is read.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: [u8; FRAME_BYTES],
    length: usize,
    is_too_long: bool,
}

impl Frames {
    /// Takes one byte; with the last one of a frame, its record.
    pub fn feed<T: DeserializeOwned>(&mut self, byte: u8) -> Option<Result<T, Unreadable>> {
        match self.bytes.get_mut(self.length) {
            Some(place) => *place = byte,
            None => self.is_too_long = true,
        }
        self.length = (self.length + 1).min(FRAME_BYTES);
        if byte != 0 {
            return None;
        }
        let (length, is_too_long) = (self.length, self.is_too_long);
        (self.length, self.is_too_long) = (0, false);
        // A zero alone only ends what may have come before it.
        if length == 1 {
            return None;
        }
        let frame = self.bytes.get_mut(..length).filter(|_| !is_too_long);
        Some(frame.and_then(|frame| postcard::from_bytes_cobs(frame).ok()).ok_or(Unreadable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, Edge, Hello, Refusal, Reply, Request, Sound};
    use proptest::prelude::*;

    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Vec<Result<T, Unreadable>> {
        let mut frames = Frames::default();
        bytes.iter().filter_map(|byte| frames.feed(*byte)).collect()
    }

    #[test]
    fn the_longest_records_fit_and_come_back() {
        let requests = [
            Request::Hello,
            Request::Time { number: u32::MAX },
            Request::Play { number: u32::MAX, at: u64::MAX, sound: Sound::Burst },
            Request::Play { number: u32::MAX, at: u64::MAX, sound: Sound::Music { millis: u16::MAX } },
            Request::Quiet,
        ];
        let replies = [
            Reply::Hello(Hello { version: u8::MAX, tick_nanos: u32::MAX }),
            Reply::Time { number: u32::MAX, received: u64::MAX, replied: u64::MAX },
            Reply::Scheduled { number: u32::MAX },
            Reply::Refused { number: u32::MAX, why: Refusal::TooFar },
            Reply::Edge(Edge { number: u32::MAX, channel: Channel::Genre, is_high: true, at: u64::MAX }),
            Reply::Unreadable,
        ];
        let mut bytes = [0; FRAME_BYTES];
        for request in requests {
            let frame = encode(&request, &mut bytes).to_vec();
            assert!(!frame.is_empty() && frame.len() < FRAME_BYTES, "{request:?}: {}", frame.len());
            assert_eq!(read(&frame), [Ok(request)]);
        }
        for reply in replies {
            let frame = encode(&reply, &mut bytes).to_vec();
            assert!(!frame.is_empty() && frame.len() < FRAME_BYTES, "{reply:?}: {}", frame.len());
            assert_eq!(read(&frame), [Ok(reply)]);
        }
    }

    #[test]
    fn what_greets_stays_the_same_in_every_version() {
        let mut bytes = [0; FRAME_BYTES];
        assert_eq!(encode(&Request::Hello, &mut bytes), [1, 1, 0]);
        let hello = Reply::Hello(Hello { version: crate::VERSION, tick_nanos: 24 });
        assert_eq!(encode(&hello, &mut bytes), [1, 3, crate::VERSION, 24, 0]);
    }

    proptest! {
        #[test]
        fn a_record_is_found_after_anything(mut noise in prop::collection::vec(any::<u8>(), 0..200), number in any::<u32>()) {
            let mut bytes = [0; FRAME_BYTES];
            noise.push(0);
            noise.extend(encode(&Request::Time { number }, &mut bytes));
            let last = read(&noise).pop();
            prop_assert_eq!(last, Some(Ok(Request::Time { number })));
        }
    }
}
