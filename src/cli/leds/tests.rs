use harmonynet::settings::Layer;

use super::*;

fn settings(text: &str) -> Settings {
    let none = Layer::default();
    Settings::resolve(&none, &none, &Layer::of_file("s.toml", text).unwrap(), &[]).unwrap()
}

fn led(text: &str) -> LedDisplay {
    LedDisplay::of(&settings(text)).unwrap().unwrap()
}

#[test]
fn settings_become_setups() {
    let address = 0x70;
    let strip = |chips, leds, reversed| Setup::Strip(StripConfig { chips, leds, reversed });
    let (upright, backpack) = (Rotation::Upright, Wiring::Backpack);
    for (text, expected) in [
        ("kind = \"max7219\"", Setup::Max7219(Layout::default())),
        (
            "kind = \"max7219\"\nmodules = 8\nreversed = true\nrotation = 270\nmirrored = true",
            Setup::Max7219(Layout {
                modules: 8,
                lead: Lead::Left,
                rotation: Rotation::ThreeQuarters,
                mirror: true,
            }),
        ),
        ("kind = \"ht16k33\"", Setup::Matrix { address, wiring: backpack, rotation: upright }),
        (
            "kind = \"ht16k33\"\naddress = 0x72\ncolumns = \"straight\"\nrotation = 90",
            Setup::Matrix { address: 0x72, wiring: Wiring::Straight, rotation: Rotation::Quarter },
        ),
        ("kind = \"ht16k33-14\"", Setup::Characters { address }),
        ("kind = \"ssd1306\"", Setup::Ssd1306 { address: 0x3C, panel: Panel::Rows64, upside_down: false }),
        (
            "kind = \"ssd1306\"\nrows = 32\nrotation = 180\naddress = 0x3d",
            Setup::Ssd1306 { address: 0x3D, panel: Panel::Rows32, upside_down: true },
        ),
        ("kind = \"apa102\"", strip(Chips::Apa102, 32, false)),
        ("kind = \"ws2812\"\nleds = 144\nreversed = true", strip(Chips::Ws2812, 144, true)),
        (
            "kind = \"gpio\"\npins = [5, 6]\nlevel_pin = 7\nactive_low = true",
            Setup::Pins { genres: 2, level: true, active: Active::Low },
        ),
    ] {
        for board in ["pi-4", "sim"] {
            let led = led(&format!("board = \"{board}\"\n[display]\n{text}"));
            assert_eq!(led.setup, expected, "{text}");
            assert_eq!((led.is_simulated, led.refresh_hz > 10), (board == "sim", true));
        }
    }
    assert!(LedDisplay::of(&settings("display.kind = \"lines\"")).unwrap().is_none());
}

#[test]
fn a_display_hangs_where_its_board_has_it() {
    let device = |text: &str| match led(text).hangs {
        Hangs::Spi(device) | Hangs::I2c(device) => device,
        Hangs::Lines { chip, genres, level } => format!("{chip} {genres:?} {level:?}"),
    };
    assert_eq!(device("board = \"pi-4\"\ndisplay.kind = \"max7219\""), "/dev/spidev0.0");
    assert_eq!(
        device("board = \"pi-4\"\ndisplay.kind = \"max7219\"\ndisplay.bus = \"spi0.1\""),
        "/dev/spidev0.1"
    );
    assert_eq!(
        device("board = \"linux\"\ndisplay.kind = \"ssd1306\"\ndisplay.bus = \"i2c-0\""),
        "/dev/i2c-0"
    );
    let lines = "board = \"pi-5\"\n[display]\nkind = \"gpio\"\npins = [5, 6]\nlevel_pin = 7";
    assert_eq!(device(lines), "/dev/gpiochip0 [5, 6] Some(7)");
    for (text, expected) in [
        ("board = \"pi-4\"\ndisplay.kind = \"max7219\"\ndisplay.bus = \"spi7.0\"", "has no bus `spi7.0`"),
        ("board = \"pi-4\"\ndisplay.kind = \"gpio\"", "display.pins: LEDs on GPIO lines need lines"),
        ("board = \"linux\"\ndisplay.kind = \"gpio\"\ndisplay.pins = [5]", "has no GPIO lines"),
    ] {
        let error = LedDisplay::of(&settings(text)).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_night_comes_from_the_settings() {
    let of = |text: &str| led(&format!("board = \"sim\"\n[display]\nkind = \"ssd1306\"\n{text}")).dimming;
    assert_eq!(of(""), Dimming::default());
    let night = of("brightness = 80\nnight_brightness = 0\nnight_from = \"22:30\"\nnight_to = \"6:00\"");
    assert_eq!([1349, 1350, 359, 360].map(|minute| night.at(Some(minute)).0), [80, 0, 0, 80]);
}

#[test]
fn the_wiring_is_named_pin_by_pin() {
    let of = |text: &str| describe(&settings(text)).unwrap();
    let matrix = of("board = \"pi-4\"\ndisplay.kind = \"max7219\"");
    for line in [
        "MAX7219 matrix on: Raspberry Pi 4 (board pi-4), spi0.0 (/dev/spidev0.0)",
        "supply       5 V, pin 2 or 4",
        "signals      it wants 3.5 V for high",
        "DIN          MOSI (GPIO10, pin 19)",
        "GND          ground, such as pin 6",
        "config.txt   dtparam=spi=on",
    ] {
        assert!(matrix.contains(line), "{line}: {matrix}");
    }
    let panel = of("board = \"pi-1\"\ndisplay.kind = \"ssd1306\"");
    assert!(panel.contains("address 0x3c (/dev/i2c-1)") && panel.contains("3.3 V, pin 1 or 17"), "{panel}");
    let leds = of("board = \"pi-5\"\n[display]\nkind = \"gpio\"\npins = [5, 6]\nlevel_pin = 7");
    assert!(
        leds.contains("genre 2      GPIO6 (pin 31)") && leds.contains("level        GPIO7 (pin 26)"),
        "{leds}"
    );
    assert_eq!(of("display.kind = \"lines\""), "");
}
