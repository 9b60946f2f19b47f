use super::*;

/// Every TOML file of the folder `boards`: its name and text.
fn files() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../boards");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = format!("boards/{}", path.file_name().unwrap().to_str().unwrap());
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_board_of_the_folder_is_built_in_and_validates() {
    let parts = Parts::shipped().unwrap();
    let built_in: Vec<(&str, &str)> = shipped::BOARDS.iter().copied().chain([shipped::PARTS]).collect();
    let files = files();
    assert_eq!(files.len(), built_in.len());
    for (place, text) in &files {
        assert!(built_in.contains(&(place.as_str(), text.as_str())), "{place} is not built in");
    }
    for (place, text) in shipped::BOARDS {
        let board = Board::from_toml(place, text, parts).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(*place, format!("boards/{}.toml", board.name));
        // Whatever can be wired has its line of documentation.
        let readme = include_str!("../../../boards/README.md");
        assert!(readme.contains(&format!("`{}`", board.name)), "{place} is not in boards/README.md");
    }
    let readme = include_str!("../../../boards/README.md");
    let kinds =
        parts.microphones.iter().map(|part| &part.kind).chain(parts.displays.iter().map(|part| &part.kind));
    for kind in kinds {
        assert!(readme.contains(&format!("`{kind}`")), "`{kind}` is not in boards/README.md");
    }
}

#[test]
fn the_wiring_table_says_what_the_parts_do() {
    let (parts, pi) = (Parts::shipped().unwrap(), Board::named_or_found("pi-4", &[]).unwrap());
    let readme = include_str!("../../../boards/README.md");
    let row = |kind: &str| {
        let cell = format!(" | `{kind}` | ");
        readme.lines().find(|line| line.contains(&cell)).unwrap_or_else(|| panic!("no row of {kind}"))
    };
    let check = |kind: &str, wires: Vec<Wire>, supply: Option<f64>, high: Option<f64>| {
        for wire in wires.iter().filter(|wire| wire.part != "GND") {
            let to = match wire.pin() {
                Some(pin) if wire.signal != "ground" => pin.to_string(),
                _ => wire.signal.clone(),
            };
            assert!(row(kind).contains(&format!("{} → {to}", wire.part)), "{}: {}", wire.part, row(kind));
        }
        if let Some(volts) = supply {
            assert!(row(kind).contains(&format!("| {volts} V")), "{}", row(kind));
        }
        assert_eq!(row(kind).contains("level shifter"), high.is_some(), "{}", row(kind));
    };
    for part in &parts.displays {
        let bus = pi.display(&part.kind).and_then(|here| here.bus.as_deref()).and_then(|name| pi.bus(name));
        check(&part.kind, pi.wires(&part.wires, bus), part.supply_volts, part.high_volts);
    }
    for part in &parts.microphones {
        check(&part.kind, pi.wires(&part.wires, None), part.supply_volts, part.high_volts);
    }
}

#[test]
fn no_two_boards_are_meant_by_one_name_of_the_device_tree() {
    let parts = Parts::shipped().unwrap();
    let boards: Vec<Board> =
        shipped::BOARDS.iter().map(|(place, text)| Board::from_toml(place, text, parts).unwrap()).collect();
    for (index, board) in boards.iter().enumerate() {
        for name in &board.compatible {
            assert!(boards[..index].iter().all(|other| !other.compatible.contains(name)), "{name}");
        }
    }
    let zero = ["raspberrypi,model-zero-2-w".to_string(), "brcm,bcm2837".to_string()];
    assert_eq!(Board::named_or_found("auto", &zero).unwrap().name, "pi-zero-2");
    let other = ["xunlong,orangepi-zero".to_string()];
    assert_eq!(Board::named_or_found("auto", &other).unwrap().name, "linux");
}

/// No shipped board asks for one, since `auto` takes what the package has.
#[test]
fn a_boards_engine_is_the_default_of_the_setting() {
    let parts = Parts::shipped().unwrap();
    let good = shipped::BOARDS.iter().find(|(place, _)| *place == "boards/pi-3.toml").unwrap().1;
    let wishes = |text: &str| Board::from_toml("f", text, parts).unwrap().wishes(parts, "any", "none");
    assert_eq!(wishes(good), []);
    let tract = wishes(&good.replace("cores = 4", "cores = 4\nengine = \"tract\""));
    assert_eq!(tract, [("model.engine", Value::Text("tract".into()), "pi-3".to_string())]);
}

#[test]
fn a_wrong_board_is_told_with_file_line_field_and_mend() {
    let parts = Parts::shipped().unwrap();
    let good = shipped::BOARDS.iter().find(|(place, _)| *place == "boards/pi-3.toml").unwrap().1;
    let line = |needle: &str| 1 + good.lines().position(|line| line.contains(needle)).unwrap();
    for (from, to, at, expected) in [
        ("format = 1", "format = 2", "format = 1", "format: 2 is not read; allowed: 1"),
        ("title =", "titel =", "title =", "did you mean title?"),
        ("cores = 4", "cores = 2", "capture_core", "threads.capture_core: there are 2 cores; count from 0"),
        (
            "cores = 4",
            "engine = \"warp\"\ncores = 4",
            "cores = 4",
            "processor.engine: `warp` is not known; allowed: auto, native, tract",
        ),
        (
            "capture_priority = 40",
            "capture_priority = 60",
            "capture_priority",
            "threads.capture_priority: 60 is out of range",
        ),
        (
            "pins = [8, 9, 10, 11]",
            "pins = [8, 9, 10, 41]",
            "pins = [8, 9",
            "bus.0.pins: GPIO41 is not on the header",
        ),
        (
            "pins = [2, 3]\nconfig",
            "pins = [2]\nconfig",
            "pins = [2, 3]",
            "bus.3.pins: their number is wrong; give SDA and SCL in this order, or none",
        ),
        (
            "name = \"spi0.1\"",
            "name = \"spi0.0\"",
            "name = \"spi0.1\"",
            "bus.1.name: `spi0.0` is there twice",
        ),
        (
            "name = \"spi0.1\"",
            "name = \"uart\"",
            "name = \"spi0.1\"",
            "bus.1.name: `uart` is no bus; such as spi0.0",
        ),
        (
            "cmdline = [\"spidev.bufsiz=32768\"]",
            "cmdline = []",
            "spidev.bufsiz",
            "display.5.cmdline: spidev sends at most 4096 bytes",
        ),
        (
            "config = [\"dtparam=i2c_arm_baudrate=400000\"]",
            "config = [\"dtoverlay=ssd1306\"]",
            "i2c_arm_baudrate",
            "display.3.config: the kernel's driver `ssd1306` would take the display away from ours; remove `dtoverlay=ssd1306`",
        ),
        (
            "microphones = [\"any\", ",
            "microphones = [\"ear\", ",
            "microphones =",
            "microphones.0: `ear` is not in the list of parts",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let problems = Board::from_toml("b.toml", &good.replacen(from, to, 1), parts).unwrap_err();
        let told = problems.to_string();
        assert!(told.contains(expected), "{to}: {told}");
        assert!(told.starts_with(&format!("b.toml, line {}: ", line(at))), "{to}: {told}");
    }
    let missing = Board::from_toml("b.toml", "format = 1\n", parts).unwrap_err().to_string();
    assert!(missing.contains("missing field `name`; add it"), "{missing}");
}

#[test]
fn wrong_parts_are_told() {
    let (_, good) = shipped::PARTS;
    for (from, to, expected) in [
        ("kind = \"usb\"", "kind = \"usb2\"", "microphone.1.kind: `usb2` is not known"),
        ("addresses = [0x3c, 0x3d]", "addresses = []", "display.3.addresses: I2C displays have addresses"),
        (
            "bus = \"gpio\"",
            "bus = \"air\"",
            "display.6.bus: `air` is no kind of bus; allowed: spi, i2c, gpio",
        ),
        (
            "[\"CS\", \"cs\"]",
            "[\"CS\", \"sda\"]",
            "display.0.wires: there is no signal `sda`; a line of its bus",
        ),
        ("\"i2c-1:0x1a\"", "\"i2c-1:0x7f\"", "microphone.4.buses: `i2c-1:0x7f` is no bus"),
    ] {
        let told = Parts::from_toml("p.toml", &good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(told.contains(expected) && told.starts_with("p.toml, line "), "{told}");
    }
}

#[test]
fn boot_lines_are_the_boards_and_what_is_wired_needs() {
    let parts = Parts::shipped().unwrap();
    let pi = Board::named_or_found("pi-4", &[]).unwrap();
    let lines = pi.boot(System::RaspberryPiOs, parts, "inmp441", "ws2812", "spi0.0");
    assert_eq!(
        lines.config,
        [
            "dtparam=audio=off",
            "dtparam=spi=on",
            "dtoverlay=googlevoicehat-soundcard",
            "core_freq=500",
            "core_freq_min=500"
        ]
    );
    assert_eq!(lines.cmdline, ["spidev.bufsiz=32768"]);
    let image = pi.boot(System::Image, parts, "usb", "none", "");
    assert_eq!(image, pi.boot.image);
    assert_ne!(pi.boot.image, pi.boot.raspberry_pi_os);
    // One line, though two ask for it.
    let hat = pi.boot(System::RaspberryPiOs, parts, "respeaker-2mic", "ht16k33", "i2c-1");
    assert_eq!(hat.config.iter().filter(|line| *line == "dtparam=i2c_arm=on").count(), 1);
}
