//! The first line of a connection: what its other end wants. Whatever comes in, at most [`MAX_REQUEST_BYTES`] of it are
//! looked at.

use crate::tell::encode::Encoding;
use crate::tell::schema::{Refused, VERSION};

/// Longest first line, line feed included.
const MAX_LINE_BYTES: usize = 64;
/// Longest HTTP request.
const MAX_REQUEST_BYTES: usize = 4096;

/// What the other end wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// More has to come before that is known.
    More,
    /// Events.
    Events(Encoding),
    /// The metrics, once, over HTTP.
    Metrics,
    /// Something over HTTP that there isn't.
    Unknown,
    /// What it may not have.
    Refused(Refused),
}

/// What `bytes`, all that came so far, ask for.
pub(super) fn wish(bytes: &[u8]) -> Wish {
    let http = b"GET ";
    if bytes.starts_with(http) {
        return request(bytes);
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

/// An HTTP request without a body: only its first line counts, but all of it has to be read before it is answered.
fn request(bytes: &[u8]) -> Wish {
    let ends = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    if !ends(b"\r\n\r\n") && !ends(b"\n\n") {
        return if bytes.len() < MAX_REQUEST_BYTES { Wish::More } else { Wish::Refused(Refused::Greeting) };
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(path), Some("HTTP/1.0" | "HTTP/1.1")) => {
            if path.split('?').next() == Some("/metrics") { Wish::Metrics } else { Wish::Unknown }
        }
        _ => Wish::Refused(Refused::Greeting),
    }
}

/// An answer over HTTP that ends with the connection.
pub(super) fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
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
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Wish::Metrics),
            ("GET /metrics?a=b HTTP/1.0\n\n", Wish::Metrics),
            ("GET / HTTP/1.1\r\n\r\n", Wish::Unknown),
            ("GET /metrics HTTP/2\r\n\r\n", Wish::Refused(Refused::Greeting)),
            ("POST /metrics HTTP/1.1\r\n", Wish::Refused(Refused::Greeting)),
        ] {
            assert_eq!(wish(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(wish(b"json\xff\n"), Wish::Refused(Refused::Greeting));
        let endless = format!("GET /{}", "x".repeat(MAX_REQUEST_BYTES));
        assert_eq!(wish(endless.as_bytes()), Wish::Refused(Refused::Greeting));
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        let text = String::from_utf8(answer("200 OK", "größe 1\n")).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 10\r\n"), "{head}");
        assert_eq!(body, "größe 1\n");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let waits = wish(&bytes) == Wish::More;
            prop_assert!(!waits || (!bytes.contains(&b'\n') && bytes.len() < MAX_LINE_BYTES) || bytes.starts_with(b"GET "));
        }
    }
}
