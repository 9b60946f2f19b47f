//! As much of HTTP as a page and metrics need: requests without a body, one per connection, and their answers. The only
//! file that names httparse.

use std::borrow::Cow;

/// Longest request. A browser's has some 700 bytes; cookies of other programs on the same host may come with it.
pub(super) const MAX_REQUEST_BYTES: usize = 8192;
/// Most header fields of a request.
const MAX_FIELDS: usize = 64;
/// What goes with every answer: it is looked at as what it is called, kept by nobody, shown inside no other site, and may load
/// nothing from anywhere else.
const POLICY: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tell) enum Method {
    Get,
    /// The same without its body.
    Head,
    Other,
}

/// A request, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tell) struct Request {
    pub(in crate::tell) method: Method,
    pub(in crate::tell) path: String,
    /// What follows the question mark.
    pub(in crate::tell) query: String,
    /// Whom it was meant for; `None` without, or with more than one.
    pub(in crate::tell) host: Option<String>,
    pub(in crate::tell) authorization: Option<String>,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tell) enum Status {
    Ok,
    BadRequest,
    #[cfg(feature = "page")]
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Timeout,
    #[cfg(feature = "page")]
    Misdirected,
    TooLarge,
    Unavailable,
}

impl Status {
    /// The status line's end, and the header fields that belong to it.
    fn line(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("200 OK", ""),
            Self::BadRequest => ("400 Bad Request", ""),
            #[cfg(feature = "page")]
            Self::Unauthorized => ("401 Unauthorized", "WWW-Authenticate: Bearer\r\n"),
            Self::NotFound => ("404 Not Found", ""),
            Self::MethodNotAllowed => ("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
            Self::Timeout => ("408 Request Timeout", ""),
            #[cfg(feature = "page")]
            Self::Misdirected => ("421 Misdirected Request", ""),
            Self::TooLarge => ("431 Request Header Fields Too Large", ""),
            Self::Unavailable => ("503 Service Unavailable", "Retry-After: 5\r\n"),
        }
    }

    /// An answer that says only this.
    pub(super) fn plain(self) -> Answer {
        self.because(self.line().0)
    }

    /// An answer that says why.
    pub(in crate::tell) fn because(self, why: impl Into<Cow<'static, str>>) -> Answer {
        Answer { status: self, kind: "text/plain; charset=utf-8", body: why.into() }
    }
}

/// An answer, which ends with the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tell) struct Answer {
    pub(in crate::tell) status: Status,
    /// The media type.
    pub(in crate::tell) kind: &'static str,
    pub(in crate::tell) body: Cow<'static, str>,
}

impl Answer {
    /// Its bytes; for [`Method::Head`] without the body.
    pub(super) fn bytes(&self, method: Method) -> Vec<u8> {
        let length = format!("Content-Length: {}\r\n", self.body.len());
        let mut bytes = head(self.status, self.kind, &length).into_bytes();
        if method != Method::Head {
            bytes.extend_from_slice(self.body.as_bytes());
        }
        bytes
    }
}

/// An answer's beginning, up to the empty line.
pub(super) fn head(status: Status, kind: &str, length: &str) -> String {
    let (line, fields) = status.line();
    format!("HTTP/1.1 {line}\r\nContent-Type: {kind}\r\n{length}{fields}Connection: close\r\n{POLICY}\r\n")
}

/// The request that `bytes`, all that came so far, hold; `None` where more has to come.
///
/// # Errors
/// How to answer what is none.
pub(super) fn request(bytes: &[u8]) -> Result<Option<Request>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    // What came beyond the limit is not looked at.
    match parsed.parse(&bytes[..bytes.len().min(MAX_REQUEST_BYTES)]) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() < MAX_REQUEST_BYTES => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(Status::TooLarge),
        Err(_) => return Err(Status::BadRequest),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Err(Status::BadRequest) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        },
        path: path.into(),
        query: query.into(),
        host: only(parsed.headers, "host"),
        authorization: only(parsed.headers, "authorization"),
    }))
}

/// The value of a field that is there once, if it is text.
fn only(fields: &[httparse::Header<'_>], name: &str) -> Option<String> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let value = values.next().filter(|_| values.next().is_none())?.value;
    std::str::from_utf8(value).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Option<(Method, String, String)> {
        request(text.as_bytes()).unwrap().map(|request| (request.method, request.path, request.query))
    }

    #[test]
    fn requests_are_understood_once_they_are_whole() {
        let get = |path: &str, query: &str| Some((Method::Get, path.to_string(), query.to_string()));
        assert_eq!(asked(""), None);
        assert_eq!(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n"), None);
        assert_eq!(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), get("/metrics", ""));
        assert_eq!(asked("GET /a?b=c HTTP/1.0\n\n"), get("/a", "b=c"));
        assert_eq!(asked("HEAD / HTTP/1.1\r\n\r\n").unwrap().0, Method::Head);
        assert_eq!(asked("BREW /pot HTTP/1.1\r\n\r\n").unwrap().0, Method::Other);
        for strange in
            ["GET / HTTP/2\r\n\r\n", "GET /\r\n\r\n", "\x01\x02\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"]
        {
            assert_eq!(request(strange.as_bytes()), Err(Status::BadRequest), "{strange:?}");
        }
    }

    #[test]
    fn hosts_are_unique_and_requests_bounded() {
        let host = |fields: &str| {
            request(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()).unwrap().unwrap().host
        };
        assert_eq!(host("hOST: a:1\r\n"), Some("a:1".into()));
        assert_eq!(host(""), None);
        assert_eq!(host("Host: a\r\nHost: b\r\n"), None, "which of them?");
        assert_eq!(host("Host: \u{e9}\r\n").as_deref(), Some("\u{e9}"));
        let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(MAX_REQUEST_BYTES));
        assert_eq!(request(long.as_bytes()), Err(Status::TooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert_eq!(request(many.as_bytes()), Err(Status::TooLarge));
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_forbids_what_it_can() {
        let answer = Status::Ok.because("größe 1\n");
        let text = String::from_utf8(answer.bytes(Method::Get)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 10\r\n"), "{head}");
        assert!(head.contains("default-src 'none'; script-src 'self'; style-src 'self'"), "{head}");
        assert_eq!(body, "größe 1\n");
        let text = String::from_utf8(answer.bytes(Method::Head)).unwrap();
        assert!(text.contains("Content-Length: 10\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = request(&bytes);
            let _ = request(&[b"GET /", &bytes[..]].concat());
        }
    }
}
