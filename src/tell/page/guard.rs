//! Who may see the page: who knows the token, if there is one, and came by a name that is the device's own.

use std::net::{IpAddr, SocketAddr};

use crate::tell::server::http::Request;

/// Longest token.
const MAX_TOKEN_BYTES: usize = 128;
/// Shortest token: 16 of 66 characters, 96 bits where they are random.
const MIN_TOKEN_BYTES: usize = 16;

/// What one must know to see the page. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// Most bytes of a file that holds one, its line end included.
    pub const MAX_FILE_BYTES: usize = MAX_TOKEN_BYTES + 2;

    /// The first line of a file: 16 to 128 letters, digits, `-`, `.`, `_` and `~`, which stand in an address as they are. `None`
    /// where it is anything else.
    #[must_use]
    pub fn of_file(content: &[u8]) -> Option<Self> {
        let line = content.split(|byte| *byte == b'\n').next()?;
        let text = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        (plain && (MIN_TOKEN_BYTES..=MAX_TOKEN_BYTES).contains(&text.len())).then(|| Self(text.into()))
    }

    /// Whether `said` is the token. How long that takes says nothing about where they differ.
    fn is(&self, said: &str) -> bool {
        let (own, said) = (self.0.as_bytes(), said.as_bytes());
        let differ = own.iter().zip(said).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        own.len() == said.len() && differ == 0
    }
}

impl core::fmt::Debug for PageToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PageToken(…)")
    }
}

/// What is asked of those who come.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<PageToken>,
    /// The device's names besides its addresses and `localhost`, in lower case.
    names: Vec<String>,
    /// Whether only this machine can come.
    loopback: bool,
}

impl Guard {
    /// `host` is the machine's own name.
    pub(super) fn new(
        address: SocketAddr,
        token: Option<PageToken>,
        names: &[String],
        host: Option<&str>,
    ) -> Self {
        let loopback = address.ip().is_loopback();
        let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        if let Some(host) = host.filter(|host| !loopback && !host.is_empty()) {
            let host = host.to_ascii_lowercase();
            names.extend([format!("{host}.local"), host]);
        }
        Self { token, names, loopback }
    }

    /// Whether the request was meant for this device. A foreign site can make its own name mean this device's address, and a
    /// browser then lets its scripts read what is answered; the name that the browser was given tells.
    pub(super) fn knows_host(&self, request: &Request) -> bool {
        let Some(host) = &request.host else { return false };
        let name = without_port(host).to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            // No foreign name: a number is what it is.
            Ok(address) => !self.loopback || address.is_loopback(),
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }

    /// Whether the request knows the token: in its address, since a browser's stream of events can say it nowhere else, or as
    /// `Authorization: Bearer`.
    pub(super) fn admits(&self, request: &Request) -> bool {
        let Some(token) = &self.token else { return true };
        let asked = request.query.split('&').find_map(|part| part.strip_prefix("token="));
        let bearer = request.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer "));
        asked.or(bearer).is_some_and(|said| token.is(said))
    }
}

/// `a` of `a:80`, `[::1]` of `[::1]:80`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::server::http::Method;

    fn request(host: &str, query: &str, authorization: Option<&str>) -> Request {
        Request {
            method: Method::Get,
            path: "/".into(),
            query: query.into(),
            host: Some(host.into()),
            authorization: authorization.map(Into::into),
        }
    }

    #[test]
    fn only_the_devices_own_names_are_known() {
        let guard =
            |address: &str| Guard::new(address.parse().unwrap(), None, &["Music.example".into()], Some("Pi"));
        let (near, far) = (guard("127.0.0.1:8730"), guard("0.0.0.0:8730"));
        for (host, on_loopback, elsewhere) in [
            ("localhost:8730", true, true),
            ("LOCALHOST", true, true),
            ("127.0.0.1:8730", true, true),
            ("[::1]:8730", true, true),
            ("[::1]", true, true),
            ("music.example", true, true),
            ("192.168.1.7:8730", false, true),
            ("[fe80::1]:8730", false, true),
            ("pi:8730", false, true),
            ("pi.local:8730", false, true),
            ("evil.example:8730", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("127.0.0.1:8730:1", false, false),
            ("", false, false),
        ] {
            let request = request(host, "", None);
            assert_eq!(near.knows_host(&request), on_loopback, "{host}");
            assert_eq!(far.knows_host(&request), elsewhere, "{host}");
        }
        assert!(!near.knows_host(&Request { host: None, ..request("", "", None) }));
    }

    #[test]
    fn a_token_must_be_said_exactly() {
        let token = PageToken::of_file(b"0123456789abcdef\n");
        assert_eq!(format!("{token:?}"), "Some(PageToken(…))");
        let guard = Guard::new("127.0.0.1:1".parse().unwrap(), token, &[], None);
        for (query, authorization, admitted) in [
            ("token=0123456789abcdef", None, true),
            ("a=b&token=0123456789abcdef", None, true),
            ("", Some("Bearer 0123456789abcdef"), true),
            ("", None, false),
            ("token=", None, false),
            ("token=0123456789abcde", None, false),
            ("token=0123456789abcdeF", None, false),
            ("token=0123456789abcdef0", None, false),
            ("token=wrong", Some("Bearer 0123456789abcdef"), false),
            ("", Some("Basic 0123456789abcdef"), false),
        ] {
            assert_eq!(
                guard.admits(&request("localhost", query, authorization)),
                admitted,
                "{query} {authorization:?}"
            );
        }
    }

    #[test]
    fn tokens_are_long_and_plain() {
        for (content, good) in [
            (&b"abcdefghijklmnop"[..], true),
            (b"abcdefghijklmnop\r\nrest", true),
            (b"A-._~0123456789z\n", true),
            (b"abcdefghijklmno", false),
            (b"abcdefghijklmno pq", false),
            (b"abcdefghijklmnop&", false),
            (b"abcdefghijklmno\xff", false),
            (b"", false),
        ] {
            assert_eq!(PageToken::of_file(content).is_some(), good, "{}", String::from_utf8_lossy(content));
        }
        assert!(PageToken::of_file(&[b'a'; 128]).is_some() && PageToken::of_file(&[b'a'; 129]).is_none());
    }
}
