//! What the settings ask to be told to the rest of the house.

use harmonynet::flow::Labels;
use harmonynet::pipeline::listen::News;
use harmonynet::settings::Settings;
use harmonynet::tell::{Limits, Options, Teller};

/// Opens what the settings ask for. What cannot be opened is told as complaints: a device listens all the same.
pub(crate) fn open(settings: &Settings, labels: &Labels) -> (Teller, Vec<String>) {
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
    if settings.text("mqtt.broker").is_some() {
        set_broker(&mut options, settings, &mut complaints);
    }
    let (teller, errors) = Teller::open(&options, labels);
    complaints.extend(errors.iter().map(ToString::to_string));
    (teller, complaints)
}

/// Passes news on; what a person should know comes back.
pub(crate) fn tell(teller: &mut Teller, news: &News) -> Vec<String> {
    match news {
        News::Verdict(scene, _) => teller.verdict(scene),
        News::Level(scene) => teller.heard(scene.at),
        News::Health(health) => teller.health(*health),
        _ => {}
    }
    teller.tick();
    teller.notes()
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
    use std::io::Read as _;
    use std::time::Duration;

    use harmonynet::settings::Settings;
    use harmonynet::tell::{MAX_PASSWORD_BYTES, MqttOptions, Password, Tls, id_of_machine, machine_id};

    /// Most bytes of a file of certificates.
    const MAX_CA_BYTES: usize = 1 << 20;

    /// The broker that the settings name.
    pub(super) fn options(settings: &Settings) -> Result<MqttOptions, String> {
        let text = |name: &str| settings.text(name).unwrap_or_default().to_string();
        let tls = match (settings.flag("mqtt.tls"), settings.text("mqtt.ca_file")) {
            (false, None) => Tls::Off,
            (false, Some(_)) => return Err("there is mqtt.ca_file but no TLS; set mqtt.tls = true".into()),
            (true, None) => Tls::System,
            (true, Some(file)) => Tls::Certificates(read("mqtt.ca_file", file, MAX_CA_BYTES)?),
        };
        let password = settings.text("mqtt.password_file").map(|file| {
            // The line feed and one byte more, so that what is too long is seen to be.
            let content = read("mqtt.password_file", file, MAX_PASSWORD_BYTES + 3)?;
            Password::of_file(&content)
                .ok_or(format!("mqtt.password_file {file}: wants 1 to {MAX_PASSWORD_BYTES} bytes"))
        });
        let id =
            settings.text("mqtt.id").map(Into::into).or_else(|| machine_id().map(|id| id_of_machine(&id)));
        let usual_port = if tls == Tls::Off { 1883 } else { 8883 };
        Ok(MqttOptions {
            host: text("mqtt.broker"),
            port: settings.integer("mqtt.port").map_or(usual_port, |port| port as u16),
            tls,
            user: settings.text("mqtt.user").map(Into::into),
            password: password.transpose()?,
            id: id.ok_or("this machine has no id (/etc/machine-id); set mqtt.id")?,
            name: text("mqtt.name"),
            topic: text("mqtt.topic"),
            discovery: text("mqtt.discovery"),
            every: Duration::from_secs(settings.integer("mqtt.every_s").unwrap_or(10).unsigned_abs()),
            retry: Duration::from_secs(1),
        })
    }

    /// At most `most` bytes of a file.
    fn read(key: &str, file: &str, most: usize) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(most as u64).read_to_end(&mut content))
            .map_err(|error| format!("{key} {file}: {error}; it must be readable for the program's user"))?;
        Ok(content)
    }
}
