//! What a connection says first: what its other end wants. Whatever comes in, at most
//! [`MAX_REQUEST_BYTES`](super::http::MAX_REQUEST_BYTES) of it are looked at.

use super::doors::Door;
use super::http::{self, Request, Status};
use crate::tell::encode::Encoding;
use crate::tell::schema::{Refused, VERSION};

/// Longest first line, line feed included.
const MAX_LINE_BYTES: usize = 64;

/// What the other end wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// More has to come before that is known.
    More,
    /// Events.
    Events(Encoding),
    /// Something over HTTP.
    Request(Request),
    /// Something over HTTP that is no request.
    Bad(Status),
    /// What it may not have.
    Refused(Refused),
}

/// What `bytes`, all that came so far through `door`, ask for.
pub(super) fn wish(bytes: &[u8], door: Door) -> Wish {
    let local = door == Door::Socket;
    if !local || bytes.starts_with(b"GET ") {
        return match http::request(bytes) {
            Ok(None) => Wish::More,
            Ok(Some(request)) => Wish::Request(request),
            Err(_) if local => Wish::Refused(Refused::Greeting),
            Err(status) => Wish::Bad(status),
        };
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < MAX_LINE_BYTES { Wish::More } else { Wish::Refused(Refused::Greeting) };
    };
    if end + 1 < bytes.len() {
        return Wish::Refused(Refused::Chatter);
    }
    line(&bytes[..end])
}

/// `json` or `postcard`, and perhaps the version that is wanted.
fn line(bytes: &[u8]) -> Wish {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches('\r');
    let (encoding, version) = text.split_once(' ').unwrap_or((text, ""));
    let encoding = match encoding {
        "json" => Encoding::Json,
        "postcard" => Encoding::Postcard,
        _ => return Wish::Refused(Refused::Greeting),
    };
    match version.parse() {
        Ok(VERSION) => Wish::Events(encoding),
        Err(_) if version.is_empty() => Wish::Events(encoding),
        Ok(_) => Wish::Refused(Refused::Schema),
        Err(_) => Wish::Refused(Refused::Greeting),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_lines_say_what_is_wanted() {
        let long = "x".repeat(64);
        for (text, expected) in [
            ("", Wish::More),
            ("jso", Wish::More),
            ("json\n", Wish::Events(Encoding::Json)),
            ("json\r\n", Wish::Events(Encoding::Json)),
            ("json 1\n", Wish::Events(Encoding::Json)),
            ("postcard 1\n", Wish::Events(Encoding::Postcard)),
            ("postcard 2\n", Wish::Refused(Refused::Schema)),
            ("json one\n", Wish::Refused(Refused::Greeting)),
            ("json 1 1\n", Wish::Refused(Refused::Greeting)),
            ("JSON\n", Wish::Refused(Refused::Greeting)),
            ("\n", Wish::Refused(Refused::Greeting)),
            ("json\njson\n", Wish::Refused(Refused::Chatter)),
            (&long, Wish::Refused(Refused::Greeting)),
            ("GET", Wish::More),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", Wish::More),
            ("GET /metrics HTTP/2\r\n\r\n", Wish::Refused(Refused::Greeting)),
            ("POST /metrics HTTP/1.1\r\n", Wish::Refused(Refused::Greeting)),
        ] {
            assert_eq!(wish(text.as_bytes(), Door::Socket), expected, "{text:?}");
        }
        assert_eq!(wish(b"json\xff\n", Door::Socket), Wish::Refused(Refused::Greeting));
        let endless = format!("GET /{}", "x".repeat(http::MAX_REQUEST_BYTES));
        assert_eq!(wish(endless.as_bytes(), Door::Socket), Wish::Refused(Refused::Greeting));
        assert_eq!(wish(endless.as_bytes(), Door::Metrics), Wish::Bad(Status::TooLarge));
        assert_eq!(
            wish(b"json\n", Door::Metrics),
            Wish::Bad(Status::BadRequest),
            "events belong to the socket"
        );
        let asked = wish(b"GET /metrics HTTP/1.1\r\n\r\n", Door::Socket);
        assert!(matches!(asked, Wish::Request(request) if request.path == "/metrics"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let waits = wish(&bytes, Door::Socket) == Wish::More;
            prop_assert!(!waits || (!bytes.contains(&b'\n') && bytes.len() < MAX_LINE_BYTES) || bytes.starts_with(b"GET "));
        }
    }
}
