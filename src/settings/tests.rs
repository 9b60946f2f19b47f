use super::board::{Board, Parts};
use super::keys::{BOARDS, DISPLAYS, MICROPHONES, TABLES, variable};
use super::*;

/// Two values of a key that differ from each other, from its default and from what boards call for.
fn two_texts(key: &Key) -> [String; 2] {
    let of = |a: &str, b: &str| [a.to_string(), b.to_string()];
    match key.kind {
        Kind::Text => of("one", "two"),
        Kind::Choice(words) => of(words[words.len() - 1], words[words.len() - 2]),
        Kind::Integer(least, _) => [(least + 1).to_string(), (least + 2).to_string()],
        Kind::Number(least, _) => [(least + 0.25).to_string(), (least + 0.5).to_string()],
        Kind::Flag => of("true", "false"),
        Kind::Channel => of("7", "8"),
        Kind::Clock => of("21:01", "21:02"),
        Kind::Address => of("0x75", "0x76"),
        Kind::Pins => of("5", "6"),
        Kind::Texts => of("GPIO5", "GPIO6"),
    }
}

fn environment(pairs: &[(&str, &str)]) -> Result<Layer, Problems> {
    Layer::of_environment(pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())))
}

fn resolve(command_line: &Layer, environment: &Layer, file: &Layer) -> Settings {
    Settings::resolve(command_line, environment, file, &[]).unwrap()
}

/// The settings of a file alone.
fn of_file(text: &str) -> Settings {
    let none = Layer::default();
    resolve(&none, &none, &Layer::of_file("settings.toml", text).unwrap())
}

#[test]
fn every_key_obeys_the_order_command_line_environment_file_board_default() {
    let none = Layer::default();
    for key in KEYS {
        let texts = two_texts(key);
        let [a, b] = [0, 1].map(|i| key.kind.of_text(&texts[i]).unwrap_or_else(|| panic!("{}", key.name)));
        let file_of = |value: &Value| Layer::of_file("f.toml", &format!("\n{} = {value}", key.name)).unwrap();
        let env_of = |text: &str| environment(&[(&key.variable(), text)]).unwrap();
        let line_of = |text: &str| Layer::of_command_line([(key.name, text)]).unwrap();
        let holds = |settings: &Settings, value: &Value, origin: &Origin| {
            assert_eq!(settings.get(key.name), Some((Some(value), origin)), "{}", key.name);
        };
        let variable = Origin::Environment(key.variable());
        holds(&resolve(&line_of(&texts[0]), &env_of(&texts[1]), &file_of(&b)), &a, &Origin::CommandLine);
        holds(&resolve(&none, &env_of(&texts[0]), &file_of(&b)), &a, &variable);
        holds(&resolve(&none, &none, &file_of(&a)), &a, &Origin::File("f.toml".into(), 2));
        let (value, origin) =
            resolve(&none, &none, &none).get(key.name).map(|(v, o)| (v.cloned(), o.clone())).unwrap();
        assert_eq!((value, origin), (key.preset_value(), Origin::Default), "{}", key.name);
    }
}

#[test]
fn what_a_board_calls_for_lies_between_file_and_default() {
    let wired = of_file("board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\ndisplay.kind = \"ssd1306\"");
    let from = |settings: &Settings, name: &str| {
        let (value, origin) = settings.get(name).unwrap();
        (value.unwrap().to_string(), origin.to_string())
    };
    for (name, value, who) in [
        ("microphone.device", "\"hw:CARD=sndrpigooglevoi\"", "inmp441"),
        ("microphone.channel", "\"1\"", "inmp441"),
        ("verdict.silence_dbfs", "-75.0", "inmp441"),
        ("display.bus", "\"i2c-1\"", "pi-4"),
        ("display.refresh_hz", "15", "pi-4"),
        ("display.address", "0x3c", "ssd1306"),
    ] {
        assert_eq!(from(&wired, name), (value.into(), format!("board or part {who}")), "{name}");
    }
    let mine = of_file("board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\nmicrophone.device = \"hw:3\"");
    assert_eq!(from(&mine, "microphone.device"), ("\"hw:3\"".into(), "settings.toml, line 3".into()));
    let none = Layer::default();
    let here =
        Settings::resolve(&none, &none, &none, &["raspberrypi,5-model-b".into(), "brcm,bcm2712".into()]);
    assert_eq!(here.unwrap().board().name, "pi-5");
    assert_eq!(of_file("").board().name, "linux");
}

#[test]
fn the_table_of_keys_is_in_order() {
    for (index, key) in KEYS.iter().enumerate() {
        assert!(KEYS[..index].iter().all(|other| other.name != key.name), "{} is there twice", key.name);
        if let Preset::Is(text) = key.preset {
            assert!(
                key.preset_value().is_some() || text.is_empty(),
                "{}: its default is not allowed",
                key.name
            );
        }
        assert!(!key.help.ends_with('.') && !key.help.is_empty(), "{}", key.name);
        assert!(TABLES.iter().any(|(table, _)| key.name.rsplit_once('.').map_or("", |(t, _)| t) == *table));
        for old in key.formerly {
            assert!(Key::position(old).is_none(), "{old} is a key of its own");
            let others =
                KEYS.iter().filter(|other| other.formerly.contains(old) || other.variable() == variable(old));
            assert_eq!(others.count(), 1, "{old} means two keys");
        }
    }
    let parts = Parts::shipped().unwrap();
    assert_eq!(parts.microphones.iter().map(|part| part.kind.as_str()).collect::<Vec<_>>(), MICROPHONES);
    assert!(parts.displays.iter().all(|part| DISPLAYS.contains(&part.kind.as_str())));
    for name in &BOARDS[1..] {
        assert_eq!(Board::named_or_found(name, &[]).unwrap().name, *name);
    }
}

#[test]
fn wrong_keys_and_values_are_named_with_line_and_mend() {
    for (text, expected) in [
        (
            "\n[display]\nbrightnes = 3",
            "f, line 3: display.brightnes: there is no such key; did you mean display.brightness?",
        ),
        ("brightness = 3", "f, line 1: brightness: there is no such key; did you mean display.brightness?"),
        (
            "[displya]\nkind = \"none\"\nmodules = 2",
            "f, line 1: displya: there is no such key; did you mean [display]?",
        ),
        ("device = \"hw:1\"", "f, line 1: device: there is no such key; it is called microphone.device now"),
        (
            "weather = 1",
            "f, line 1: weather: there is no such key; `harmonynet config --example` lists every key",
        ),
        (
            "[display]\nbrightness = 101",
            "f, line 2: display.brightness: its value is not allowed; allowed: a whole number from 0 to 100",
        ),
        (
            "board = true",
            "f, line 1: board: its value is not allowed; allowed: auto, pi-1, pi-zero-2, pi-2, pi-3, pi-4, pi-5, linux, sim",
        ),
        (
            "display.pins = [5, 5]",
            "f, line 1: display.pins: its value is not allowed; allowed: GPIO numbers from 0 to 53, no two alike",
        ),
    ] {
        let found = Layer::of_file("f", text).unwrap_err();
        assert_eq!(found.to_string(), expected, "{text}");
    }
    let several = Layer::of_file("f", "a = 1\nb = 2\n[display]\nc = 3").unwrap_err();
    assert_eq!(several.0.iter().map(|problem| problem.line).collect::<Vec<_>>(), [Some(1), Some(2), Some(4)]);
    let broken = Layer::of_file("f", "[display]\nkind = \n").unwrap_err();
    assert_eq!(broken.0[0].line, Some(2));
}

#[test]
fn the_environment_is_as_strict_and_knows_former_names() {
    let typo = environment(&[("HARMONYNET_DISPLAY_BRIGHTNES", "3")]).unwrap_err().to_string();
    assert!(typo.contains("did you mean HARMONYNET_DISPLAY_BRIGHTNESS?"), "{typo}");
    let wrong = environment(&[("HARMONYNET_BOARD", "pi-9")]).unwrap_err().to_string();
    assert!(wrong.contains("HARMONYNET_BOARD: `pi-9` is not allowed; allowed: auto, pi-1"), "{wrong}");
    let other = environment(&[("HARMONYNET_CONFIG", "x"), ("PATH", "x"), ("HARMONYNET_DEVICE", "")]).unwrap();
    assert_eq!(other, Layer::default());

    let none = Layer::default();
    let old = [("HARMONYNET_DEVICE", "hw:1")];
    let both = [("HARMONYNET_MICROPHONE_DEVICE", "hw:2"), ("HARMONYNET_DEVICE", "hw:1")];
    for (variables, device) in [(&old[..], "hw:1"), (&both[..], "hw:2")] {
        let settings = resolve(&none, &environment(variables).unwrap(), &none);
        assert_eq!(settings.text("microphone.device"), Some(device));
    }
}

#[test]
fn the_example_documents_every_key_and_is_the_committed_one() {
    let example = text::example();
    let committed = include_str!("../../settings.example.toml");
    assert_eq!(example, committed, "run `harmonynet config --example > settings.example.toml`");
    assert_eq!(Layer::of_file("example", &example).unwrap(), Layer::default(), "it changes nothing");
    for key in KEYS {
        assert!(example.contains(&key.variable()), "{}", key.name);
    }
    // With every `#` before a value removed it says the defaults.
    let bare: String = example
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.ends_with(" ="))
        .fold(String::new(), |all, line| all + line + "\n");
    let said = of_file(&bare);
    for (key, value, origin) in said.iter().filter(|(key, ..)| key.preset_value().is_some()) {
        assert_eq!(value, key.preset_value().as_ref(), "{}", key.name);
        assert!(matches!(origin, Origin::File(..)), "{}", key.name);
    }
}

#[test]
fn the_print_can_be_read_back() {
    let settings = of_file("board = \"pi-3\"\ndisplay.kind = \"ht16k33\"\nmicrophone.device = \"a\\\"b\"");
    let printed = text::print(&settings);
    assert!(printed.contains("# settings.toml, line 2"), "{printed}");
    assert!(printed.contains("display.address = 0x70"), "{printed}");
    assert!(printed.contains("# model.folder: the one that is built in"), "{printed}");
    let again = of_file(&printed);
    for ((key, a, _), (_, b, _)) in settings.iter().zip(again.iter()) {
        assert_eq!(a, b, "{}", key.name);
    }
}

/// What is wrong with the wiring in a file: each finding as text.
fn conflicts_of(text: &str, boot: Option<&str>) -> Vec<String> {
    let boot = boot.map(|text| ("config.txt", text));
    let found = conflicts::find(&of_file(text), Parts::shipped().unwrap(), boot);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn each_conflict_is_found_with_line_and_mend() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "WS2812 on the bit clock of I2S",
            "board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\n[display]\nkind = \"ws2812\"\npins = [18]",
            &[
                "settings.toml, line 5: display.pins: WS2812 strip is driven by its bus, not by single lines; wire its data to \
                 GPIO10, SPI's output, and remove this key",
                "board or part pi-4: display.bus: GPIO18 is needed by WS2812 strip and by INMP441 (I2S); wire the strip's data \
                 to GPIO10, SPI's output: display.bus = \"spi0.0\" and no display.pins",
            ],
        ),
        (
            "SPI 1 has the lines of I2S",
            "board = \"pi-4\"\nmicrophone.kind = \"sph0645\"\n[display]\nkind = \"max7219\"\nbus = \"spi1.0\"",
            &[
                "settings.toml, line 5: display.bus: GPIO18 is needed by MAX7219 matrix and by SPH0645 (I2S); take another bus of \
               the board",
            ],
        ),
        (
            "strip and matrix on one SPI",
            "board = \"pi-4\"\ndisplay.kind = \"max7219\"\nwiring.also = [\"ws2812@spi0.1\"]",
            &[
                "settings.toml, line 3: wiring.also: ws2812@spi0.1 has no chip select and would show what is sent to MAX7219 \
               matrix on SPI 0; put one of them on another controller, such as spi1.0",
            ],
        ),
        (
            "the ReSpeaker's LEDs hear the matrix",
            "board = \"pi-3\"\nmicrophone.kind = \"respeaker-2mic\"\ndisplay.kind = \"max7219\"",
            &[
                "board or part pi-3: display.bus: ReSpeaker 2-Mics HAT has no chip select and would show what is sent to MAX7219 \
               matrix on SPI 0; put one of them on another controller, such as spi1.0",
            ],
        ),
        (
            "two on one chip select",
            "board = \"pi-2\"\ndisplay.kind = \"max7219\"\nwiring.also = [\"spi0.0\"]",
            &[
                "settings.toml, line 3: wiring.also: MAX7219 matrix and spi0.0 hang on one chip select; wire one of them to \
               another, such as spi0.1",
            ],
        ),
        (
            "two at one I2C address",
            "board = \"pi-zero-2\"\n[display]\nkind = \"ht16k33\"\naddress = 0x71\n[wiring]\nalso = [\"i2c-1:0x71\"]",
            &[
                "settings.toml, line 6: wiring.also: HT16K33 matrix and i2c-1:0x71 both answer at 0x71 on i2c-1; give one of them \
               another address by its jumpers, and say so in display.address",
            ],
        ),
        (
            "an LED on the switch of the voiceHAT's overlay",
            "board = \"pi-5\"\nmicrophone.kind = \"inmp441\"\n[display]\nkind = \"gpio\"\npins = [16, 17]",
            &[
                "settings.toml, line 5: display.pins: GPIO16 is needed by LEDs on GPIO lines and by INMP441 (I2S); move one of \
               them to another line",
            ],
        ),
        (
            "one LED for two things",
            "board = \"pi-5\"\n[display]\nkind = \"gpio\"\npins = [5, 6]\nlevel_pin = 6",
            &["settings.toml, line 5: display.level_pin: GPIO6 has a genre's LED already; take another line"],
        ),
        (
            "a bus that isn't there",
            "board = \"pi-1\"\ndisplay.kind = \"ssd1306\"\ndisplay.bus = \"i2c1\"",
            &[
                "settings.toml, line 3: display.bus: Raspberry Pi 1 or Zero has no bus `i2c1`; did you mean i2c-1?",
            ],
        ),
        (
            "a bus of the wrong kind",
            "board = \"pi-1\"\ndisplay.kind = \"ssd1306\"\ndisplay.bus = \"spi0.0\"",
            &[
                "settings.toml, line 3: display.bus: SSD1306 OLED hangs on i2c, not on `spi0.0`; take a bus of the kind i2c",
            ],
        ),
        (
            "an address that it cannot have",
            "board = \"pi-1\"\ndisplay.kind = \"ssd1306\"\ndisplay.address = 0x70",
            &[
                "settings.toml, line 3: display.address: SSD1306 OLED cannot have 0x70; it can have 0x3c, 0x3d",
            ],
        ),
        (
            "a panel on its side",
            "board = \"pi-1\"\ndisplay.kind = \"ssd1306\"\ndisplay.rotation = 90",
            &[
                "settings.toml, line 3: display.rotation: SSD1306 OLED cannot be turned by a quarter; mount it upright or upside \
                 down: 0 or 180",
            ],
        ),
        (
            "half a night",
            "display.night_from = \"22:00\"",
            &[
                "settings.toml, line 1: display.night_from: a night has two ends; set display.night_from and display.night_to",
            ],
        ),
        (
            "nonsense",
            "wiring.also = [\"the lamp\"]",
            &[
                "settings.toml, line 1: wiring.also: `the lamp` is not understood; write GPIO17, i2c-1:0x70, spi0.1, or a display \
               such as ws2812@spi0.0",
            ],
        ),
    ];
    for (what, text, expected) in cases {
        assert_eq!(conflicts_of(text, None), *expected, "{what}");
    }
}

#[test]
fn two_drivers_of_one_display_are_found_in_the_boot_configuration() {
    let settings = "board = \"pi-4\"\ndisplay.kind = \"ssd1306\"";
    let boot = "dtparam=i2c_arm=on\n# dtoverlay=ssd1306\ndtoverlay=ssd1306,inverted\n";
    assert_eq!(
        conflicts_of(settings, Some(boot)),
        [
            "config.txt, line 3: display.kind: the kernel's driver and ours would both drive SSD1306 OLED; remove \
          `dtoverlay=ssd1306,inverted` and start again"
        ]
    );
    assert_eq!(conflicts_of("board = \"pi-4\"\ndisplay.kind = \"max7219\"", Some(boot)), [""; 0]);
    let strip = "board = \"pi-5\"\ndisplay.kind = \"ws2812\"";
    let found = conflicts_of(strip, Some("dtoverlay=ws2812-pio,gpio=18,num_leds=30"));
    assert!(
        found[0].starts_with("config.txt, line 1: display.kind: the kernel's driver and ours"),
        "{found:?}"
    );
}

#[test]
fn what_fits_together_passes() {
    let parts = Parts::shipped().unwrap();
    for name in &BOARDS[1..] {
        let board = Board::named_or_found(name, &[]).unwrap();
        for display in board.displays.iter().filter(|display| display.kind != "gpio") {
            for microphone in ["any", "usb"] {
                let text = format!(
                    "board = \"{name}\"\nmicrophone.kind = \"{microphone}\"\ndisplay.kind = \"{}\"",
                    display.kind
                );
                assert_eq!(conflicts::find(&of_file(&text), parts, None), [], "{text}");
            }
        }
    }
    for text in [
        "board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\ndisplay.kind = \"ws2812\"",
        "board = \"pi-4\"\nmicrophone.kind = \"inmp441\"\ndisplay.kind = \"max7219\"\nwiring.also = [\"spi0.1\", \"i2c-1:0x70\"]",
        "board = \"pi-4\"\nmicrophone.kind = \"respeaker-2mic\"\ndisplay.kind = \"ssd1306\"",
        "board = \"pi-4\"\ndisplay.kind = \"gpio\"\ndisplay.pins = [5, 6, 12, 13]",
    ] {
        assert_eq!(conflicts_of(text, None), [""; 0], "{text}");
    }
}
