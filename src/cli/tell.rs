//! What the settings ask to be told to the rest of the house.

pub(crate) mod check;

use harmonynet::flow::Labels;

use harmonynet::pipeline::listen::News;
use harmonynet::settings::Settings;
use harmonynet::spec::FrontendSpec;
use harmonynet::tell::{Limits, Options, Teller};

/// Opens what the settings ask for. What a person should know comes back, such as that something could not be opened: a device
/// listens all the same.
pub(crate) fn open(settings: &Settings, labels: &Labels, spec: &FrontendSpec) -> (Teller, Vec<String>) {
    let mut complaints = Vec::new();
    let mut options = Options {
        socket: settings.text("events.socket").map(Into::into),
        group: settings.text("events.group").map(Into::into),
        limits: Limits {
            listeners: settings.integer("events.listeners").map_or(16, |most| most as usize),
            ..Limits::default()
        },
        ..Options::default()
    };
    if let Some(address) = settings.text("metrics.address") {
        match address.parse() {
            Ok(address) => options.metrics = Some(address),
            Err(_) => complaints.push(format!(
                "no metrics: metrics.address `{address}` is no address with a port; write it as 127.0.0.1:9464"
            )),
        }
    }
    if let Some(address) = settings.text("page.address") {
        set_page(&mut options, settings, address, spec, &mut complaints);
    }
    if settings.text("mqtt.broker").is_some() {
        set_broker(&mut options, settings, &mut complaints);
    }
    let (teller, errors) = Teller::open(&options, labels);
    complaints.extend(errors.iter().map(ToString::to_string));
    #[cfg(feature = "page")]
    complaints.extend(page::says(&teller, &options));
    (teller, complaints)
}

/// Passes news on; what a person should know comes back.
pub(crate) fn tell(teller: &mut Teller, news: &News) -> Vec<String> {
    #[cfg(feature = "page")]
    page::show(teller, news);
    match news {
        News::Verdict(scene, _) => teller.verdict(scene),
        News::Level(scene) => teller.heard(scene.at),
        News::Health(health) => teller.health(*health),
        _ => {}
    }
    teller.tick();
    teller.notes()
}

/// Whether anybody may want to see the sound.
pub(crate) fn shows_sound(teller: &Teller) -> bool {
    #[cfg(feature = "page")]
    return teller.page().is_some();
    #[cfg(not(feature = "page"))]
    {
        let _ = teller;
        false
    }
}

#[cfg(not(feature = "page"))]
fn set_page(_: &mut Options, _: &Settings, _: &str, _: &FrontendSpec, complaints: &mut Vec<String>) {
    complaints.push("no page: this build has none; install one with it, or remove page.address".into());
}

#[cfg(feature = "page")]
fn set_page(
    options: &mut Options,
    settings: &Settings,
    address: &str,
    spec: &FrontendSpec,
    complaints: &mut Vec<String>,
) {
    match page::options(settings, address, spec) {
        Ok(page) => options.page = Some(page),
        Err(error) => complaints.push(format!("no page: {error}")),
    }
}

#[cfg(feature = "page")]
mod page {
    use std::time::Duration;

    use harmonynet::pipeline::GLIMPSE_SAMPLES;
    use harmonynet::pipeline::listen::News;
    use harmonynet::settings::Settings;
    use harmonynet::spec::FrontendSpec;
    use harmonynet::tell::{Options, PageOptions, PageToken, Teller, View};

    /// The page that the settings ask for.
    pub(super) fn options(
        settings: &Settings,
        address: &str,
        spec: &FrontendSpec,
    ) -> Result<PageOptions, String> {
        let token = settings.text("page.token_file").map(|file| {
            // One byte more, so that what is too long is seen to be.
            let content = super::read("page.token_file", file, PageToken::MAX_FILE_BYTES + 1)?;
            PageToken::of_file(&content).ok_or(format!(
                "page.token_file {file}: wants a line of 16 to 128 letters, digits, - . _ and ~, such as `openssl rand -hex 16` \
                 prints"
            ))
        });
        let hop = usize::from(spec.hop);
        Ok(PageOptions {
            address: address.parse().map_err(|_| {
                format!("page.address `{address}` is no address with a port; write it as 127.0.0.1:8730")
            })?,
            token: token.transpose()?,
            names: settings.texts("page.names").to_vec(),
            viewers: settings.integer("page.viewers").map_or(8, |most| most as usize),
            pulse: Duration::from_secs(2),
            view: View {
                samples: (GLIMPSE_SAMPLES.div_ceil(hop) * hop) as u32,
                low_hz: spec.low_hz,
                high_hz: spec.high_hz,
            },
        })
    }

    /// Where the page is, and who can see it.
    pub(super) fn says(teller: &Teller, options: &Options) -> Vec<String> {
        let (Some(address), Some(page)) = (teller.page(), &options.page) else { return Vec::new() };
        let token = if page.token.is_some() { "?token=… (the line of page.token_file)" } else { "" };
        let mut says = vec![format!("page: http://{address}/{token}")];
        if page.token.is_none() && !address.ip().is_loopback() {
            says.push(format!(
                "page: whoever reaches {address} sees what is playing; page.token_file keeps others out, \
                 page.address = \"127.0.0.1:{}\" keeps it on this machine",
                address.port()
            ));
        }
        says
    }

    /// Shows news to whoever watches.
    pub(super) fn show(teller: &Teller, news: &News) {
        match news {
            News::Glimpse(glimpse) => teller.glimpse(*glimpse),
            // Before the verdict that comes from them.
            News::Verdict(_, Some(scores)) => teller.scores(scores),
            _ => {}
        }
    }
}

/// At most `most` bytes of a file.
#[cfg(any(feature = "mqtt", feature = "page"))]
fn read(key: &str, file: &str, most: usize) -> Result<Vec<u8>, String> {
    use std::io::Read as _;

    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(most as u64).read_to_end(&mut content))
        .map_err(|error| format!("{key} {file}: {error}; it must be readable for the program's user"))?;
    Ok(content)
}

#[cfg(not(feature = "mqtt"))]
fn set_broker(_: &mut Options, _: &Settings, complaints: &mut Vec<String>) {
    complaints.push("no MQTT: this build has none; install one with it, or remove mqtt.broker".into());
}

#[cfg(feature = "mqtt")]
fn set_broker(options: &mut Options, settings: &Settings, complaints: &mut Vec<String>) {
    match mqtt::options(settings) {
        Ok(mqtt) => options.mqtt = Some(mqtt),
        Err(error) => complaints.push(format!("no MQTT: {error}")),
    }
}

#[cfg(feature = "mqtt")]
mod mqtt {
    use std::time::Duration;

    use harmonynet::settings::Settings;
    use harmonynet::tell::{MAX_PASSWORD_BYTES, MqttOptions, Password, Tls, id_of_machine, machine_id};

    /// Most bytes of a file of certificates.
    const MAX_CA_BYTES: usize = 1 << 20;

    /// The broker that the settings name.
    pub(super) fn options(settings: &Settings) -> Result<MqttOptions, String> {
        let tls = match (settings.flag("mqtt.tls"), settings.text("mqtt.ca_file")) {
            (false, None) => Tls::Off,
            (false, Some(_)) => return Err("there is mqtt.ca_file but no TLS; set mqtt.tls = true".into()),
            (true, None) => Tls::System,
            (true, Some(file)) => Tls::Certificates(super::read("mqtt.ca_file", file, MAX_CA_BYTES)?),
        };
        let password = settings.text("mqtt.password_file").map(|file| {
            // The line feed and one byte more, so that what is too long is seen to be.
            let content = super::read("mqtt.password_file", file, MAX_PASSWORD_BYTES + 3)?;
            Password::of_file(&content)
                .ok_or(format!("mqtt.password_file {file}: wants 1 to {MAX_PASSWORD_BYTES} bytes"))
        });
        let mut options = names(settings, tls);
        options.password = password.transpose()?;
        if options.id.is_empty() {
            return Err("this machine has no id (/etc/machine-id); set mqtt.id".into());
        }
        Ok(options)
    }

    /// What the settings say of the broker themselves: everything but the files that they name. The id is empty where neither they
    /// nor this machine have one.
    pub(super) fn names(settings: &Settings, tls: Tls) -> MqttOptions {
        let text = |name: &str| settings.text(name).unwrap_or_default().to_string();
        let id = settings.text("mqtt.id").map(Into::into);
        let usual_port = if tls == Tls::Off { 1883 } else { 8883 };
        MqttOptions {
            host: text("mqtt.broker"),
            port: settings.integer("mqtt.port").map_or(usual_port, |port| port as u16),
            tls,
            user: settings.text("mqtt.user").map(Into::into),
            password: None,
            id: id.or_else(|| machine_id().map(|id| id_of_machine(&id))).unwrap_or_default(),
            name: text("mqtt.name"),
            topic: text("mqtt.topic"),
            discovery: text("mqtt.discovery"),
            every: Duration::from_secs(settings.integer("mqtt.every_s").unwrap_or(10).unsigned_abs()),
            retry: Duration::from_secs(1),
        }
    }
}
