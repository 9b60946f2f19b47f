//! Every setting there is: the one table from which `--help`, the documented example file and `config --print` come.

use super::value::{Kind, Value};

/// What the environment's names begin with.
pub const ENVIRONMENT_PREFIX: &str = "HARMONYNET_";

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file: table and key.
    pub name: &'static str,
    /// What values it may have.
    pub kind: Kind,
    /// What holds where nobody says anything.
    pub preset: Preset,
    /// Its own option on the command line, without the dashes. Every key can be set with `--set` besides.
    pub option: Option<&'static str>,
    /// What it was called before, or may well be called by habit. In the file such a name is refused with the new one; in
    /// the environment it goes on working.
    pub formerly: &'static [&'static str],
    /// What it means. One sentence.
    pub help: &'static str,
}

/// What holds where nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// This value, as on the command line.
    Is(&'static str),
    /// What is found out while running.
    Automatic(&'static str),
}

impl Key {
    /// Its variable in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// The preset's value, if it is one.
    #[must_use]
    pub fn preset_value(&self) -> Option<Value> {
        match self.preset {
            Preset::Is(text) => self.kind.of_text(text),
            Preset::Automatic(_) => None,
        }
    }

    /// The preset, for people.
    #[must_use]
    pub fn preset_text(&self) -> &'static str {
        match self.preset {
            Preset::Is(text) | Preset::Automatic(text) => text,
        }
    }

    /// Its place in [`KEYS`] by its name.
    #[must_use]
    pub fn position(name: &str) -> Option<usize> {
        KEYS.iter().position(|key| key.name == name)
    }
}

/// The variable in the environment that means `name`.
#[must_use]
pub fn variable(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

/// The displays that there are drivers or views for.
pub const DISPLAYS: &[&str] = &[
    "auto",
    "terminal",
    "lines",
    "json",
    "none",
    "max7219",
    "ht16k33",
    "ht16k33-14",
    "ssd1306",
    "apa102",
    "ws2812",
    "gpio",
];

/// The boards that are described, and finding out which one this is.
pub const BOARDS: &[&str] = &["auto", "pi-1", "pi-zero-2", "pi-2", "pi-3", "pi-4", "pi-5", "linux", "sim"];

/// The microphones whose wiring and sound card are described.
pub const MICROPHONES: &[&str] = &["any", "usb", "inmp441", "sph0645", "respeaker-2mic"];

/// The engines, and taking the one that fits the package.
pub const ENGINES: &[&str] = &["auto", "native", "tract"];

/// The tables of the file, in its order, and what each is about.
pub const TABLES: &[(&str, &str)] = &[
    ("", ""),
    ("microphone", "What is listened to."),
    ("model", "What recognizes."),
    ("verdict", "How sure and how loud it must be."),
    ("display", "What shows the genre. Pins, buses and voltages: boards/README.md."),
    ("wiring", "What else hangs on the board."),
    ("events", "A local socket that tells other programs. What it says: src/tell/README.md."),
    ("metrics", "Numbers for Prometheus."),
    ("page", "A live page for browsers. What it shows, and to whom: src/tell/page/README.md."),
    ("mqtt", "An MQTT broker that is told, and Home Assistant by it."),
];

/// Every setting, grouped by table, in the order of [`TABLES`].
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    Key {
        name: "board", kind: Kind::Choice(BOARDS), preset: Preset::Is("auto"),
        option: Some("board"), formerly: &[],
        help: "Which board this is: where its buses are and what suits it",
    },
    Key {
        name: "microphone.kind", kind: Kind::Choice(MICROPHONES), preset: Preset::Is("any"),
        option: None, formerly: &["microphone.type", "microphone.input"],
        help: "Which microphone is wired: its card, channel and level become the defaults",
    },
    Key {
        name: "microphone.device", kind: Kind::Text, preset: Preset::Is("default"),
        option: Some("device"), formerly: &["device"],
        help: "Microphone: index, card id, ALSA PCM string, usb:PORT or usb:serial=NUMBER (see `harmonynet devices`)",
    },
    Key {
        name: "microphone.channel", kind: Kind::Channel, preset: Preset::Is("mix"),
        option: Some("channel"), formerly: &["channel"],
        help: "Channel to listen to, counted from 1, or the mean of all",
    },
    Key {
        name: "model.folder", kind: Kind::Text, preset: Preset::Automatic("the one that is built in"),
        option: Some("model"), formerly: &["model"],
        help: "Folder of a model package",
    },
    Key {
        name: "model.engine", kind: Kind::Choice(ENGINES), preset: Preset::Is("auto"),
        option: Some("engine"), formerly: &["engine"],
        help: "Engine that runs the model; auto is native where the package has a native model, else tract",
    },
    Key {
        name: "model.graph", kind: Kind::Choice(&["int8", "float"]), preset: Preset::Is("int8"),
        option: Some("graph"), formerly: &["graph"],
        help: "Graph of the package to run; float needs tract",
    },
    Key {
        name: "model.allow_float", kind: Kind::Flag, preset: Preset::Is("false"),
        option: Some("allow-float"), formerly: &[],
        help: "Accept an int8 graph that tract does not run on integers",
    },
    Key {
        name: "verdict.unsure_below", kind: Kind::Number(0.0, 1.0), preset: Preset::Automatic("the model's"),
        option: Some("unsure-below"), formerly: &["unsure_below"],
        help: "Confidence below which the genre is called unsure",
    },
    Key {
        name: "verdict.silence_dbfs", kind: Kind::Number(-120.0, -20.0), preset: Preset::Is("-60"),
        option: Some("silence-dbfs"), formerly: &["silence_dbfs"],
        help: "Level below which it is silent, decibels relative to a full-scale sine",
    },
    Key {
        name: "verdict.frames", kind: Kind::Integer(1, 10_000), preset: Preset::Automatic("0.56 s"),
        option: Some("verdict-frames"), formerly: &["verdict_frames"],
        help: "Frames between verdicts, 43 a second for the built-in model; rounded up to a multiple of 8",
    },
    Key {
        name: "display.kind", kind: Kind::Choice(DISPLAYS), preset: Preset::Is("auto"),
        option: Some("display"), formerly: &["display.type", "display"],
        help: "What shows the genre; auto is the terminal, or lines where standard output is none",
    },
    Key {
        name: "display.bus", kind: Kind::Text, preset: Preset::Automatic("the board's"),
        option: None, formerly: &[],
        help: "Bus that the display hangs on, by the board's name for it, such as spi0.0 or i2c-1",
    },
    Key {
        name: "display.address", kind: Kind::Address, preset: Preset::Automatic("the display's usual one"),
        option: None, formerly: &[],
        help: "I2C address of the display",
    },
    Key {
        name: "display.pins", kind: Kind::Pins, preset: Preset::Automatic("the bus's"),
        option: None, formerly: &[],
        help: "GPIO lines of the display kind gpio: one LED per genre, in the order of the model's labels",
    },
    Key {
        name: "display.level_pin", kind: Kind::Integer(0, 53), preset: Preset::Automatic("none"),
        option: None, formerly: &[],
        help: "GPIO line of one more LED, for the level, of the display kind gpio",
    },
    Key {
        name: "display.active_low", kind: Kind::Flag, preset: Preset::Is("false"),
        option: None, formerly: &[],
        help: "A low line lights its LED of the display kind gpio, because the LED goes to the supply",
    },
    Key {
        name: "display.modules", kind: Kind::Integer(1, 8), preset: Preset::Is("1"),
        option: None, formerly: &[],
        help: "8x8 modules in a chain of MAX7219",
    },
    Key {
        name: "display.rotation", kind: Kind::Choice(&["0", "90", "180", "270"]), preset: Preset::Is("0"),
        option: None, formerly: &[],
        help: "Degrees by which an 8x8 module is turned clockwise; an SSD1306 can be upright or turned by 180",
    },
    Key {
        name: "display.reversed", kind: Kind::Flag, preset: Preset::Is("false"),
        option: None, formerly: &[],
        help: "The wires arrive at the other end: at the left of a MAX7219 chain, at the last LED of a strip",
    },
    Key {
        name: "display.mirrored", kind: Kind::Flag, preset: Preset::Is("false"),
        option: None, formerly: &[],
        help: "Each module of a MAX7219 chain shows left and right exchanged",
    },
    Key {
        name: "display.columns", kind: Kind::Choice(&["backpack", "straight"]), preset: Preset::Is("backpack"),
        option: None, formerly: &[],
        help: "How the columns of an 8x8 matrix are wired to the HT16K33: as on Adafruit's backpacks, or one by one",
    },
    Key {
        name: "display.rows", kind: Kind::Choice(&["64", "32"]), preset: Preset::Is("64"),
        option: None, formerly: &[],
        help: "Rows of an SSD1306",
    },
    Key {
        name: "display.leds", kind: Kind::Integer(1, 144), preset: Preset::Is("32"),
        option: None, formerly: &[],
        help: "LEDs of a strip",
    },
    Key {
        name: "display.refresh_hz", kind: Kind::Integer(1, 100), preset: Preset::Is("10"),
        option: None, formerly: &[],
        help: "Pictures a second at most",
    },
    Key {
        name: "display.brightness", kind: Kind::Integer(0, 100), preset: Preset::Is("30"),
        option: None, formerly: &[],
        help: "Brightness, percent; 0 is dark",
    },
    Key {
        name: "display.night_from", kind: Kind::Clock, preset: Preset::Automatic("no night"),
        option: None, formerly: &[],
        help: "When the night brightness begins, local time",
    },
    Key {
        name: "display.night_to", kind: Kind::Clock, preset: Preset::Automatic("no night"),
        option: None, formerly: &[],
        help: "When the night brightness ends",
    },
    Key {
        name: "display.night_brightness", kind: Kind::Integer(0, 100), preset: Preset::Is("1"),
        option: None, formerly: &[],
        help: "Brightness at night, percent; 0 is dark",
    },
    Key {
        name: "wiring.also", kind: Kind::Texts, preset: Preset::Is(""),
        option: None, formerly: &[],
        help: "What else is wired, so that conflicts are found: GPIO17, i2c-1:0x70, spi0.1, or a display such as ws2812@spi0.0",
    },
    Key {
        name: "events.socket", kind: Kind::Text, preset: Preset::Automatic("no socket"),
        option: None, formerly: &[],
        help: "Path of the event socket, such as /run/harmonynet/events.sock; metrics are served there too",
    },
    Key {
        name: "events.group", kind: Kind::Text, preset: Preset::Automatic("the user's own"),
        option: None, formerly: &[],
        help: "Group whose members may listen at the event socket",
    },
    Key {
        name: "events.listeners", kind: Kind::Integer(1, 64), preset: Preset::Is("16"),
        option: None, formerly: &[],
        help: "Connections on the event socket at most; further ones are refused",
    },
    Key {
        name: "metrics.address", kind: Kind::Text, preset: Preset::Automatic("no port"),
        option: None, formerly: &[],
        help: "Address and port on which Prometheus finds /metrics, such as 127.0.0.1:9464; whoever reaches it may read it",
    },
    Key {
        name: "page.address", kind: Kind::Text, preset: Preset::Automatic("no page"),
        option: None, formerly: &["page.listen"],
        help: "Address and port of the live page, such as 127.0.0.1:8730; 0.0.0.0:8730 shows it to the whole network",
    },
    Key {
        name: "page.token_file", kind: Kind::Text, preset: Preset::Automatic("no token"),
        option: None, formerly: &[],
        help: "File whose first line one must know to see the page: 16 to 128 letters, digits, - . _ and ~",
    },
    Key {
        name: "page.names", kind: Kind::Texts, preset: Preset::Is(""),
        option: None, formerly: &[],
        help: "Names by which browsers may ask for the page, besides addresses, localhost and the machine's own",
    },
    Key {
        name: "page.viewers", kind: Kind::Integer(1, 32), preset: Preset::Is("8"),
        option: None, formerly: &[],
        help: "Browsers that may watch at a time",
    },
    Key {
        name: "mqtt.broker", kind: Kind::Text, preset: Preset::Automatic("no broker"),
        option: None, formerly: &["mqtt.host"],
        help: "Host name or address of the MQTT broker",
    },
    Key {
        name: "mqtt.port", kind: Kind::Integer(1, 65_535), preset: Preset::Automatic("1883, with TLS 8883"),
        option: None, formerly: &[],
        help: "Port of the broker",
    },
    Key {
        name: "mqtt.tls", kind: Kind::Flag, preset: Preset::Is("false"),
        option: None, formerly: &[],
        help: "Secure the connection; without, user and password cross the network in clear",
    },
    Key {
        name: "mqtt.ca_file", kind: Kind::Text, preset: Preset::Automatic("what the system trusts"),
        option: None, formerly: &[],
        help: "File with the certificates (PEM) of the authority that the broker's certificate comes from",
    },
    Key {
        name: "mqtt.user", kind: Kind::Text, preset: Preset::Automatic("none"),
        option: None, formerly: &["mqtt.username"],
        help: "User at the broker",
    },
    Key {
        name: "mqtt.password_file", kind: Kind::Text, preset: Preset::Automatic("none"),
        option: None, formerly: &[],
        help: "File whose first line is the password; make it readable for the program's user alone",
    },
    Key {
        name: "mqtt.id", kind: Kind::Text, preset: Preset::Automatic("made from the machine's id"),
        option: None, formerly: &[],
        help: "This device in topics and ids: 1 to 32 letters, digits, _ and -; another id is another device",
    },
    Key {
        name: "mqtt.name", kind: Kind::Text, preset: Preset::Is("harmonynet"),
        option: None, formerly: &[],
        help: "This device's name in Home Assistant",
    },
    Key {
        name: "mqtt.topic", kind: Kind::Text, preset: Preset::Is("harmonynet"),
        option: None, formerly: &[],
        help: "First part of the topics of all devices",
    },
    Key {
        name: "mqtt.discovery", kind: Kind::Text, preset: Preset::Is("homeassistant"),
        option: None, formerly: &[],
        help: "First part of the topics in which Home Assistant looks for devices",
    },
    Key {
        name: "mqtt.every_s", kind: Kind::Integer(1, 3600), preset: Preset::Is("10"),
        option: None, formerly: &[],
        help: "Seconds between messages while nothing but confidence and level changes; a change is told at once",
    },
];
