//! Whether what the settings ask to be told to the rest of the house can be told: judged without opening anything, so that a file
//! can be checked before it is used, and on another machine.
//!
//! What would keep something from being told is a problem; what works but may not be meant, or can't be known here, a warning.

use std::net::SocketAddr;
use std::path::Path;

use harmonynet::settings::{Problem, Settings};
use harmonynet::tell::socket_path_problem;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What cannot work.
    pub(crate) problems: Vec<Problem>,
    /// What a person should know.
    pub(crate) warnings: Vec<Problem>,
}

/// Judges addresses, paths and names.
pub(crate) fn check(settings: &Settings) -> Found {
    let mut found = Found::default();
    socket(settings, &mut found);
    let metrics = address(settings, "metrics.address", "127.0.0.1:9464", &mut found);
    let page = address(settings, "page.address", "127.0.0.1:8730", &mut found);
    if let (Some(metrics), Some(page)) = (metrics, page)
        && metrics.port() == page.port()
        && metrics.port() != 0
        && (metrics.ip() == page.ip() || metrics.ip().is_unspecified() || page.ip().is_unspecified())
    {
        let wrong = format!("{page} is taken by metrics.address already");
        found.problems.push(settings.problem("page.address", wrong, "choose another port".into()));
    }
    if let Some(metrics) = metrics {
        open_metrics(settings, metrics, &mut found);
    }
    if let Some(page) = page {
        open_page(settings, page, &mut found);
    }
    if settings.text("mqtt.broker").is_some() {
        broker(settings, &mut found);
    }
    found
}

fn socket(settings: &Settings, found: &mut Found) {
    let Some(path) = settings.text("events.socket") else { return };
    if let Some(error) = socket_path_problem(Path::new(path)) {
        let (wrong, mend) = split(&error.to_string());
        found.problems.push(settings.problem("events.socket", wrong, mend));
    } else if !path.starts_with('/') {
        found.warnings.push(settings.problem(
            "events.socket",
            format!("`{path}` begins in whatever folder the program is started in"),
            "write the whole path, such as /run/harmonynet/events.sock".into(),
        ));
    }
}

fn address(settings: &Settings, field: &'static str, such_as: &str, found: &mut Found) -> Option<SocketAddr> {
    let text = settings.text(field)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let wrong = format!("`{text}` is no address with a port");
        let port = text.rsplit_once(':').and_then(|(host, port)| {
            let is_local = host.eq_ignore_ascii_case("localhost") || host.is_empty() || host == "*";
            is_local.then(|| port.parse::<u16>().ok()).flatten().map(|port| (host, port))
        });
        let mend = match port {
            Some(("" | "*", port)) => {
                format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for the whole network")
            }
            Some((_, port)) => format!("names are not looked up; write 127.0.0.1:{port}"),
            None => format!("write it as {such_as}"),
        };
        found.problems.push(settings.problem(field, wrong, mend));
    }
    parsed
}

fn open_metrics(settings: &Settings, address: SocketAddr, found: &mut Found) {
    if address.port() == 0 {
        let mend = "name one, such as 9464".into();
        found.problems.push(settings.problem("metrics.address", "nobody will know the port".into(), mend));
    }
    if !address.ip().is_loopback() {
        let mend = format!("127.0.0.1:{} keeps it on this machine; there is no login", address.port());
        let wrong = format!("whoever reaches {address} can read what is playing");
        found.warnings.push(settings.problem("metrics.address", wrong, mend));
    }
}

#[cfg(feature = "page")]
fn open_page(settings: &Settings, address: SocketAddr, found: &mut Found) {
    use harmonynet::tell::PageToken;

    match settings.text("page.token_file") {
        None if !address.ip().is_loopback() => {
            let wrong = format!("whoever reaches {address} sees what is playing");
            let mend = format!(
                "page.token_file keeps others out, 127.0.0.1:{} keeps it on this machine",
                address.port()
            );
            found.warnings.push(settings.problem("page.address", wrong, mend));
        }
        None => {}
        Some(file) => match super::read("page.token_file", file, PageToken::MAX_FILE_BYTES + 1) {
            Err(_) => found.warnings.push(unreadable(settings, "page.token_file", file)),
            Ok(content) if PageToken::of_file(&content).is_none() => {
                let wrong = format!(
                    "{file} has no token of 16 to 128 letters, digits, - . _ and ~ in its first line"
                );
                let mend = "`openssl rand -hex 16` prints one".into();
                found.problems.push(settings.problem("page.token_file", wrong, mend));
            }
            Ok(_) => {}
        },
    }
    for name in settings.texts("page.names") {
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            let wrong = format!("`{name}` is no host name");
            let mend =
                "write the name alone, such as music.home.arpa, without http:// and without port".into();
            found.problems.push(settings.problem("page.names", wrong, mend));
        }
    }
}

#[cfg(not(feature = "page"))]
fn open_page(settings: &Settings, _: SocketAddr, found: &mut Found) {
    let mend = "install one with it, or remove this key".into();
    found.problems.push(settings.problem("page.address", "this build has no page".into(), mend));
}

#[cfg(feature = "mqtt")]
fn broker(settings: &Settings, found: &mut Found) {
    use harmonynet::tell::{MqttOptions, Tls};

    // The files' content has no say in names.
    let options = MqttOptions { password: None, ..super::mqtt::names(settings, Tls::Off) };
    for error in options.wrong_names() {
        let missing = error.field == "mqtt.id" && settings.text("mqtt.id").is_none();
        let text = settings.text(error.field).unwrap_or_default();
        // This machine has no id of its own; the one that the file is for may well have.
        let place = if missing { &mut found.warnings } else { &mut found.problems };
        let wrong = if missing {
            "this machine has no /etc/machine-id".into()
        } else {
            format!("`{text}` is not allowed")
        };
        place.push(settings.problem(error.field, wrong, format!("allowed: {}", error.allowed)));
    }
    let (tls, user) = (settings.flag("mqtt.tls"), settings.text("mqtt.user"));
    if !tls && settings.text("mqtt.ca_file").is_some() {
        let mend = "set mqtt.tls = true".into();
        found.problems.push(settings.problem("mqtt.ca_file", "there is no TLS that it is for".into(), mend));
    }
    if user.is_none() && settings.text("mqtt.password_file").is_some() {
        let wrong = "there is a password but no user".into();
        found.problems.push(settings.problem("mqtt.password_file", wrong, "set mqtt.user".into()));
    }
    for field in ["mqtt.ca_file", "mqtt.password_file"] {
        if let Some(file) = settings.text(field).filter(|file| super::read(field, file, 1).is_err()) {
            found.warnings.push(unreadable(settings, field, file));
        }
    }
    let is_local =
        |host: &str| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if user.is_some() && !tls && !settings.text("mqtt.broker").is_some_and(is_local) {
        let wrong = "user and password cross the network in clear".into();
        found.warnings.push(settings.problem(
            "mqtt.tls",
            wrong,
            "set mqtt.tls = true if the broker knows TLS".into(),
        ));
    }
}

#[cfg(not(feature = "mqtt"))]
fn broker(settings: &Settings, found: &mut Found) {
    let mend = "install one with it, or remove this key".into();
    found.problems.push(settings.problem("mqtt.broker", "this build has no MQTT".into(), mend));
}

#[cfg(any(feature = "mqtt", feature = "page"))]
fn unreadable(settings: &Settings, field: &str, file: &str) -> Problem {
    let mend = "it must be readable for the program's user".into();
    settings.problem(field, format!("{file} cannot be read by whoever checks this"), mend)
}

/// What is wrong, and the mend after it.
fn split(text: &str) -> (String, String) {
    let (wrong, mend) = text.split_once("; ").unwrap_or((text, "choose another"));
    (wrong.into(), mend.into())
}
