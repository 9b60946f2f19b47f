//! The table `[appliance]`: what a person may ask of the system around the program.

use harmonynet::settings::{Problem, nearest};
use toml::Value;

use crate::card::problem;

/// Most keys for ssh.
const MOST_KEYS: usize = 8;
/// Most characters of such a key: RSA with 16384 bits has 2800.
const LONGEST_KEY: usize = 4096;
/// The keys of the table.
const KEYS: &[&str] = &["hostname", "wifi_name", "wifi_password", "wifi_country", "ssh_keys", "time_zone"];
/// Kinds of keys that OpenSSH has.
const KINDS: &[&str] = &[
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The name in the network.
    pub(crate) hostname: Option<String>,
    /// The wireless network.
    pub(crate) wireless: Option<Wireless>,
    /// Who may log in as root over ssh; nobody where there are none.
    pub(crate) ssh_keys: Vec<String>,
    /// The time zone, such as `Europe/Berlin`.
    pub(crate) time_zone: Option<String>,
}

/// A wireless network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wireless {
    /// Its name (SSID): 1 to 32 bytes.
    pub(crate) name: String,
    /// Its password: 8 to 63 printable ASCII characters, or 64 hexadecimal digits. Open without.
    pub(crate) password: Option<String>,
    /// Where the device is: two letters of ISO 3166.
    pub(crate) country: String,
}

impl Wishes {
    /// What a table asks for; `lines` are its lines with their numbers. What is wrong joins `found`.
    pub(crate) fn of(table: Option<&Value>, lines: &[(usize, &str)], found: &mut Vec<Problem>) -> Self {
        let Some(Value::Table(table)) = table else { return Self::default() };
        let mut judge = Judge { table, lines, found };
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let mend = nearest(key, KEYS.iter().copied()).map_or_else(
                || format!("there are {}", KEYS.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            judge.refuse(key, "there is no such key", &mend);
        }
        Self {
            hostname: judge.text(
                "hostname",
                is_hostname,
                "1 to 63 letters a to z, digits and -, not at an end",
            ),
            wireless: judge.wireless(),
            ssh_keys: judge.ssh_keys(),
            time_zone: judge.text("time_zone", is_zone, "write a name such as \"Europe/Berlin\""),
        }
    }
}

struct Judge<'a> {
    table: &'a toml::Table,
    lines: &'a [(usize, &'a str)],
    found: &'a mut Vec<Problem>,
}

impl Judge<'_> {
    fn refuse(&mut self, key: &str, wrong: &str, mend: &str) {
        let starts = |line: &&(usize, &str)| {
            let rest = line.1.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.', '"', '\'']))
        };
        let line = self.lines.iter().find(starts).or(self.lines.first()).map(|line| line.0);
        // Not the value: it may be a password, and this is told on consoles.
        self.found.push(problem(line, &format!("appliance.{key}"), wrong.into(), mend));
    }

    /// A key's text, where it is there and right. Empty says nothing.
    fn text(&mut self, key: &str, is_right: fn(&str) -> bool, mend: &str) -> Option<String> {
        match self.table.get(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if is_right(text) => Some(text.clone()),
            Value::String(_) => {
                self.refuse(key, "its value is not allowed", mend);
                None
            }
            _ => {
                self.refuse(key, "its value is no text", "put it in quotation marks");
                None
            }
        }
    }

    fn wireless(&mut self) -> Option<Wireless> {
        let name = self.text("wifi_name", |name| name.len() <= 32, "a network's name has 32 bytes at most");
        let password = self.text(
            "wifi_password",
            is_password,
            "8 to 63 letters, digits and signs of an English keyboard, or 64 hexadecimal digits",
        );
        let country = self.text("wifi_country", is_country, "two capital letters, such as \"DE\" or \"US\"");
        let asked = |key: &str| match self.table.get(key) {
            Some(Value::String(text)) => !text.is_empty(),
            other => other.is_some(),
        };
        let (named, placed) = (asked("wifi_name"), asked("wifi_country"));
        if !named && (asked("wifi_password") || placed) {
            let key = if placed { "wifi_country" } else { "wifi_password" };
            self.refuse(key, "which network is not said", "set wifi_name, too");
        }
        if named && !placed {
            self.refuse(
                "wifi_name",
                "radio has rules that differ by country",
                "set wifi_country, too, such as \"DE\"",
            );
        }
        Some(Wireless { name: name?, password, country: country? })
    }

    fn ssh_keys(&mut self) -> Vec<String> {
        let Some(value) = self.table.get("ssh_keys") else { return Vec::new() };
        let keys = value.as_array().map(|keys| keys.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let mend = "write what is in the file id_ed25519.pub: ssh_keys = [\"ssh-ed25519 AAAA… you@pc\"]";
        match keys.flatten() {
            None => self.refuse("ssh_keys", "it is no list of texts", mend),
            Some(keys) if keys.len() > MOST_KEYS => {
                self.refuse("ssh_keys", "these are too many", &format!("{MOST_KEYS} keys at most"));
            }
            Some(keys) if !keys.iter().all(|key| is_key(key)) => {
                self.refuse("ssh_keys", "one of these is no public key", mend);
            }
            Some(keys) => return keys.into_iter().map(|key| key.trim().to_string()).collect(),
        }
        Vec::new()
    }
}

/// RFC 1123, section 2.1; lower case, as it is told in the network.
fn is_hostname(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    text.len() <= 63 && text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_password(text: &str) -> bool {
    let is_phrase = (8..=63).contains(&text.len()) && text.bytes().all(|c| (b' '..=b'~').contains(&c));
    is_phrase || is_raw_key(text)
}

/// Whether a password is the network's key itself.
pub(crate) fn is_raw_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase())
}

fn is_zone(text: &str) -> bool {
    let word = |word: &str| {
        let rest = |c: u8| c.is_ascii_alphanumeric() || b"_+-".contains(&c);
        word.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric()) && word.bytes().all(rest)
    };
    text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(word)
}

/// A line of `authorized_keys` without options: they could name commands.
fn is_key(text: &str) -> bool {
    let mut words = text.trim().splitn(3, ' ');
    let is_base64 = |word: &str| {
        let body = word.trim_end_matches('=');
        word.len() - body.len() <= 2
            && body.len() >= 32
            && body.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/')
    };
    text.len() <= LONGEST_KEY
        && !text.contains(char::is_control)
        && words.next().is_some_and(|kind| KINDS.contains(&kind))
        && words.next().is_some_and(is_base64)
}
