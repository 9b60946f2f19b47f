//! Events as bytes: JSON lines, or postcard in COBS. The only file of this module that names postcard.

use std::sync::Arc;

use super::schema::{Event, MAX_FRAME_BYTES};

/// How a listener wants its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object and a line feed.
    Json,
    /// postcard, wrapped in COBS: no zero byte but the one at its end.
    Postcard,
    /// JSON in server-sent events, for the page.
    #[cfg(feature = "page")]
    EventStream,
}

/// An event as bytes, shared by all that wait to get it.
pub(super) type Frame = Arc<[u8]>;

/// An event, encoded once for each encoding that anybody wants.
pub(super) struct Encoded<'a> {
    event: &'a Event,
    frames: [Option<Frame>; 3],
}

impl<'a> Encoded<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        Self { event, frames: [None, None, None] }
    }

    /// The bytes.
    pub(super) fn frame(&mut self, encoding: Encoding) -> Frame {
        let event = self.event;
        self.frames[encoding as usize].get_or_insert_with(|| frame(event, encoding)).clone()
    }
}

/// An event as bytes, at most [`MAX_FRAME_BYTES`] of them.
pub(super) fn frame(event: &Event, encoding: Encoding) -> Frame {
    let mut bytes = [0; MAX_FRAME_BYTES];
    let length = match encoding {
        Encoding::Json => json(event, &mut bytes),
        Encoding::Postcard => postcard::to_slice_cobs(event, &mut bytes).ok().map(|used| used.len()),
        #[cfg(feature = "page")]
        Encoding::EventStream => return event_stream(frame(event, Encoding::Json).trim_ascii_end()),
    };
    // Every field is bounded and a test encodes the longest of each: nothing is ever cut.
    debug_assert!(length.is_some(), "{event:?} is too long");
    bytes[..length.unwrap_or(0)].into()
}

/// JSON of one line as a server-sent event.
#[cfg(feature = "page")]
pub(super) fn event_stream(json: &[u8]) -> Frame {
    [b"data: ", json, b"\n\n"].concat().into()
}

fn json(event: &Event, bytes: &mut [u8]) -> Option<usize> {
    let whole = bytes.len();
    let mut left = &mut *bytes;
    serde_json::to_writer(&mut left, event).ok()?;
    std::io::Write::write_all(&mut left, b"\n").ok()?;
    Some(whole - left.len())
}

/// The event of a frame in postcard and COBS, with its zero byte or without. Works in place and garbles `bytes`.
///
/// # Errors
/// What is no event of this [version](super::schema::VERSION).
pub fn decode_postcard(bytes: &mut [u8]) -> Result<Event, NoEvent> {
    postcard::from_bytes_cobs(bytes).map_err(|_| NoEvent)
}

/// The event of a JSON line.
///
/// # Errors
/// What is no event of this [version](super::schema::VERSION).
pub fn decode_json(line: &[u8]) -> Result<Event, NoEvent> {
    serde_json::from_slice(line).map_err(|_| NoEvent)
}

/// These bytes are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEvent;

impl core::fmt::Display for NoEvent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("these bytes are no event")
    }
}

impl core::error::Error for NoEvent {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::{Fault, Label};
    use crate::tell::schema::{
        Change, Condition, FaultReport, Health, Heartbeat, Hello, Lost, Refused, Text, Verdict,
    };

    /// The longest of every event.
    fn longest() -> Vec<Event> {
        let quotes: Label = "\"".repeat(24).as_str().try_into().unwrap();
        let verdict = Verdict {
            at: u64::MAX,
            state: Condition::Listening,
            genre: Some(quotes.clone()),
            confidence: Some(0.999),
            level_dbfs: -143.9,
            window_fill: 0.99,
            fault: Some(Fault::MicrophoneStalled),
        };
        let mut program = Text::new();
        (0..32).for_each(|_| program.push('\\').unwrap());
        let labels = (0..32).map(|_| quotes.clone()).collect();
        let health = Health {
            at: u64::MAX,
            uptime_s: u64::MAX,
            verdicts: u64::MAX,
            heard: u64::MAX,
            lost: u64::MAX,
            dropped: u64::MAX,
            overruns: u64::MAX,
            failures: u64::MAX,
            queued: u32::MAX,
            queue: u32::MAX,
            busy_ms: u64::MAX,
            listeners: u32::MAX,
            refused: u64::MAX,
            lost_events: u64::MAX,
            passed_over: u64::MAX,
        };
        let mut text = Text::new();
        (0..64).for_each(|_| text.push('"').unwrap());
        let mut mend = Text::new();
        (0..128).for_each(|_| mend.push('"').unwrap());
        vec![
            Event::Hello(Box::new(Hello { schema: u16::MAX, program, rate_hz: u32::MAX, labels })),
            Event::Verdict(verdict),
            Event::Change(Change {
                at: u64::MAX,
                before: Condition::Listening,
                state: Condition::Listening,
                genre: Some(quotes),
                held: u64::MAX,
            }),
            Event::Fault(FaultReport { at: u64::MAX, fault: Fault::MicrophoneStalled, text, mend }),
            Event::Health(health),
            Event::Heartbeat(Heartbeat { at: u64::MAX, uptime_s: u64::MAX }),
            Event::Lost(Lost { events: u64::MAX }),
            Event::Refused(Refused::Greeting),
        ]
    }

    #[test]
    fn the_longest_of_every_event_fits_and_comes_back() {
        for event in longest() {
            let mut both = Encoded::new(&event);
            let json = both.frame(Encoding::Json);
            let mut cobs = both.frame(Encoding::Postcard).to_vec();
            for (frame, end) in [(&json[..], b'\n'), (&cobs[..], 0)] {
                assert!(frame.len() <= MAX_FRAME_BYTES, "{event:?}");
                assert_eq!(frame.iter().position(|byte| *byte == end), Some(frame.len() - 1), "{event:?}");
            }
            assert_eq!(decode_json(&json), Ok(event.clone()));
            assert_eq!(decode_postcard(&mut cobs), Ok(event));
        }
    }

    #[cfg(feature = "page")]
    #[test]
    fn the_page_gets_the_same_json() {
        for event in longest() {
            let told = frame(&event, Encoding::EventStream);
            let json = told.strip_prefix(b"data: ").and_then(|told| told.strip_suffix(b"\n\n")).unwrap();
            assert_eq!(decode_json(json), Ok(event));
        }
    }

    #[test]
    fn the_schema_of_version_1_is_these_bytes() {
        let verdict = Event::Verdict(Verdict {
            at: 88_200,
            state: Condition::Genre,
            genre: Some("jazz".try_into().unwrap()),
            confidence: Some(0.812),
            level_dbfs: -18.3,
            window_fill: 1.0,
            fault: None,
        });
        let fault = Event::Verdict(Verdict {
            state: Condition::Fault,
            fault: Some(Fault::MicrophoneLost),
            ..Verdict::default()
        });
        let json = |event| String::from_utf8(frame(event, Encoding::Json).to_vec()).unwrap();
        assert_eq!(
            json(&verdict),
            "{\"verdict\":{\"at\":88200,\"state\":\"genre\",\"genre\":\"jazz\",\"confidence\":0.812,\
             \"level_dbfs\":-18.3,\"window_fill\":1.0,\"fault\":null}}\n"
        );
        assert_eq!(
            json(&fault),
            "{\"verdict\":{\"at\":0,\"state\":\"fault\",\"genre\":null,\"confidence\":null,\
             \"level_dbfs\":0.0,\"window_fill\":0.0,\"fault\":\"microphone-lost\"}}\n"
        );
        assert_eq!(json(&Event::Refused(Refused::Full)), "{\"refused\":\"full\"}\n");
        let cobs: Vec<u8> = frame(&verdict, Encoding::Postcard).to_vec();
        assert_eq!(
            cobs,
            [
                21, 1, 136, 177, 5, 3, 1, 4, b'j', b'a', b'z', b'z', 1, 59, 223, 79, 63, 102, 102, 146, 193,
                1, 3, 128, 63, 1, 0
            ]
        );
        assert_eq!(
            frame(&fault, Encoding::Postcard).to_vec(),
            [2, 1, 2, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 0]
        );
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_event_are_told_and_nothing_else(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_json(&bytes);
            let _ = decode_postcard(&mut bytes);
        }
    }
}
