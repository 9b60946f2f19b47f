//! What cannot be wired together: two users of one line, of one chip select or of one address, and two drivers of one
//! display.

use super::board::{Board, BusName, Parts, overlay};
use super::layers::Settings;
use super::nearest::nearest;
use super::problem::Problem;

/// Displays that need no wires.
const VIEWS: &[&str] = &["auto", "terminal", "lines", "json", "none"];

/// Somebody who needs lines and buses.
struct Claim {
    /// Who.
    who: String,
    /// The key that says so.
    field: &'static str,
    /// Lines that nobody else may touch.
    pins: Vec<u8>,
    /// Buses, each with the lines that it occupies and whether the device obeys its chip select.
    buses: Vec<BusClaim>,
}

struct BusClaim {
    name: BusName,
    pins: Vec<u8>,
    selected: bool,
}

/// Everything in these settings that cannot work on their board. `boot` is the place and text of the machine's
/// `config.txt`, where it is known.
#[must_use]
pub fn find(settings: &Settings, parts: &Parts, boot: Option<(&str, &str)>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut claims = Vec::new();
    claims.extend(microphone(settings, parts, &mut found));
    claims.extend(display(settings, parts, &mut found));
    for wired in settings.texts("wiring.also") {
        match other(wired, settings.board(), parts) {
            Some(claim) => claims.push(claim),
            None => found.push(settings.problem(
                "wiring.also",
                format!("`{wired}` is not understood"),
                "write GPIO17, i2c-1:0x70, spi0.1, or a display such as ws2812@spi0.0".into(),
            )),
        }
    }
    for (index, claim) in claims.iter().enumerate() {
        for earlier in &claims[..index] {
            found.extend(clash(earlier, claim, settings));
        }
    }
    if let Some((place, text)) = boot {
        found.extend(kernel_drivers(settings, parts, place, text));
    }
    night(settings, &mut found);
    found
}

fn microphone(settings: &Settings, parts: &Parts, found: &mut Vec<Problem>) -> Option<Claim> {
    let kind = settings.text("microphone.kind")?;
    let part = parts.microphone(kind)?;
    let board = settings.board();
    if !board.microphones.iter().any(|known| known == kind) {
        let wrong = format!("{} has no place for {}", board.title, part.title);
        found.push(settings.problem(
            "microphone.kind",
            wrong,
            format!("allowed: {}", board.microphones.join(", ")),
        ));
    }
    let buses = part.buses.iter().filter_map(|name| {
        let bus = BusName::parse(name)?;
        // A part's own LEDs have no chip select of ours: they hear everything on their controller.
        Some(BusClaim {
            name: bus,
            pins: pins_of(board, bus),
            selected: matches!(bus, BusName::Spi(_, Some(_))),
        })
    });
    Some(Claim {
        who: part.title.clone(),
        field: "microphone.kind",
        pins: part.pins.clone(),
        buses: buses.collect(),
    })
}

fn display(settings: &Settings, parts: &Parts, found: &mut Vec<Problem>) -> Option<Claim> {
    let kind = settings.text("display.kind").filter(|kind| !VIEWS.contains(kind))?;
    let part = parts.display(kind)?;
    let board = settings.board();
    let mut pins = settings.pins("display.pins").to_vec();
    let level = settings.integer("display.level_pin").and_then(|pin| u8::try_from(pin).ok());
    if let Some(level) = level.filter(|_| part.bus == "gpio") {
        if pins.contains(&level) {
            let wrong = format!("GPIO{level} has a genre's LED already");
            found.push(settings.problem("display.level_pin", wrong, "take another line".into()));
        }
        pins.push(level);
    }
    let mut note = |field, wrong, mend| found.push(settings.problem(field, wrong, mend));
    for pin in pins.iter().filter(|pin| !board.pins.contains(pin)) {
        let lines: Vec<String> = board.pins.iter().map(ToString::to_string).collect();
        note(
            "display.pins",
            format!("{} has no GPIO{pin}", board.title),
            format!("its header has {}", lines.join(", ")),
        );
    }
    if part.bus == "gpio" {
        if pins.is_empty() {
            note("display.pins", format!("{} needs lines", part.title), "name one GPIO per genre".into());
        }
        return Some(Claim { who: part.title.clone(), field: "display.pins", pins, buses: Vec::new() });
    }
    if !pins.is_empty() {
        note(
            "display.pins",
            format!("{} is driven by its bus, not by single lines", part.title),
            match kind {
                "ws2812" => "wire its data to GPIO10, SPI's output, and remove this key".into(),
                _ => "remove this key".into(),
            },
        );
    }
    let name = settings.text("display.bus").unwrap_or_default();
    let Some(bus) = board.bus(name).and_then(|bus| BusName::parse(&bus.name)) else {
        let names: Vec<&str> = board.buses.iter().map(|bus| bus.name.as_str()).collect();
        let mend = nearest(name, names.iter().copied())
            .map_or_else(|| format!("it has {}", names.join(", ")), |near| format!("did you mean {near}?"));
        let wrong = format!("{} has no bus `{name}`", board.title);
        note(
            "display.bus",
            wrong,
            if names.is_empty() { "take a display that needs none".into() } else { mend },
        );
        return Some(Claim { who: part.title.clone(), field: "display.pins", pins, buses: Vec::new() });
    };
    if bus.kind() != part.bus {
        note(
            "display.bus",
            format!("{} hangs on {}, not on `{name}`", part.title, part.bus),
            format!("take a bus of the kind {}", part.bus),
        );
    }
    let address = settings.integer("display.address").and_then(|address| u8::try_from(address).ok());
    if let Some(wrong) = address.filter(|address| part.bus == "i2c" && !part.addresses.contains(address)) {
        let known: Vec<String> = part.addresses.iter().map(|address| format!("{address:#04x}")).collect();
        note(
            "display.address",
            format!("{} cannot have {wrong:#04x}", part.title),
            format!("it can have {}", known.join(", ")),
        );
    }
    if kind == "ssd1306" && matches!(settings.text("display.rotation"), Some("90" | "270")) {
        let wrong = format!("{} cannot be turned by a quarter", part.title);
        note("display.rotation", wrong, "mount it upright or upside down: 0 or 180".into());
    }
    let lines = pins_of(board, bus);
    let name = match bus {
        BusName::I2c(bus, _) => BusName::I2c(bus, address),
        spi @ BusName::Spi(..) => spi,
    };
    let buses = vec![BusClaim { name, pins: lines, selected: part.selected }];
    Some(Claim { who: part.title.clone(), field: "display.bus", pins, buses })
}

/// What else is wired, by its text.
fn other(text: &str, board: &Board, parts: &Parts) -> Option<Claim> {
    let mut claim = Claim { who: text.into(), field: "wiring.also", pins: Vec::new(), buses: Vec::new() };
    if let Some(pin) = text.strip_prefix("GPIO") {
        claim.pins.push(pin.parse().ok()?);
        return Some(claim);
    }
    let (selected, name) = match text.split_once('@') {
        Some((kind, name)) => (parts.display(kind)?.selected, name),
        None => (true, text),
    };
    let bus = BusName::parse(name)?;
    claim.buses.push(BusClaim { name: bus, pins: pins_of(board, bus), selected });
    Some(claim)
}

/// The lines of a bus on this board.
fn pins_of(board: &Board, bus: BusName) -> Vec<u8> {
    let same = |name: &str| BusName::parse(name).is_some_and(|other| other.shares_wires_with(bus));
    let exact = board.buses.iter().find(|other| BusName::parse(&other.name) == Some(bus));
    exact
        .or_else(|| board.buses.iter().find(|other| same(&other.name)))
        .map_or_else(Vec::new, |bus| bus.pins.clone())
}

/// Why two cannot both be there.
fn clash(a: &Claim, b: &Claim, settings: &Settings) -> Option<Problem> {
    for (x, y) in a.buses.iter().flat_map(|x| b.buses.iter().map(move |y| (x, y))) {
        if let Some((wrong, mend)) = on_one_bus(a, x, b, y, settings.board()) {
            return Some(settings.problem(b.field, wrong, mend));
        }
    }
    let both = lines_of_both(a, b)?;
    let mend = if b.who.contains("WS2812") {
        "wire the strip's data to GPIO10, SPI's output: display.bus = \"spi0.0\" and no display.pins"
            .to_string()
    } else if b.field == "display.bus" {
        "take another bus of the board".to_string()
    } else {
        "move one of them to another line".to_string()
    };
    Some(settings.problem(b.field, format!("GPIO{both} is needed by {} and by {}", b.who, a.who), mend))
}

fn on_one_bus(a: &Claim, x: &BusClaim, b: &Claim, y: &BusClaim, board: &Board) -> Option<(String, String)> {
    if !x.name.shares_wires_with(y.name) {
        return None;
    }
    match (x.name, y.name) {
        (BusName::Spi(controller, one), BusName::Spi(_, two)) => {
            let elsewhere = board.buses.iter().find(|bus| match BusName::parse(&bus.name) {
                Some(BusName::Spi(other, _)) => other != controller,
                _ => false,
            });
            let (strip, victim) = match (x.selected, y.selected) {
                (true, true) if one != two => return None,
                (true, true) => {
                    let wrong = format!("{} and {} hang on one chip select", a.who, b.who);
                    return Some((wrong, format!("wire one of them to another, such as spi{controller}.1")));
                }
                (false, _) => (a, b),
                (true, false) => (b, a),
            };
            let mend = elsewhere.map_or_else(
                || "leave one of them away: this board has one controller".to_string(),
                |bus| format!("put one of them on another controller, such as {}", bus.name),
            );
            let (strip, victim) = (&strip.who, &victim.who);
            let wrong = format!(
                "{strip} has no chip select and would show what is sent to {victim} on SPI {controller}"
            );
            Some((wrong, mend))
        }
        (BusName::I2c(bus, Some(one)), BusName::I2c(_, Some(two))) if one == two => Some((
            format!("{} and {} both answer at {one:#04x} on i2c-{bus}", a.who, b.who),
            "give one of them another address by its jumpers, and say so in display.address".into(),
        )),
        _ => None,
    }
}

/// A line that both need, leaving out the wires of a bus that they share by right.
fn lines_of_both(a: &Claim, b: &Claim) -> Option<u8> {
    let shared = |pin: u8| {
        a.buses.iter().any(|x| {
            x.pins.contains(&pin)
                && b.buses.iter().any(|y| y.pins.contains(&pin) && x.name.shares_wires_with(y.name))
        })
    };
    let lines = |claim: &Claim| -> Vec<u8> {
        claim.pins.iter().chain(claim.buses.iter().flat_map(|bus| &bus.pins)).copied().collect()
    };
    let of_a = lines(a);
    lines(b).into_iter().find(|pin| of_a.contains(pin) && !shared(*pin))
}

/// Lines of `config.txt` whose kernel driver takes the display away.
fn kernel_drivers(settings: &Settings, parts: &Parts, place: &str, text: &str) -> Vec<Problem> {
    let Some(part) = settings.text("display.kind").and_then(|kind| parts.display(kind)) else {
        return Vec::new();
    };
    let taken = |name: &str| part.kernel_overlays.iter().any(|overlay| overlay == name);
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| overlay(line).is_some_and(taken))
        .map(|(index, line)| Problem {
            place: place.into(),
            line: Some(index + 1),
            field: "display.kind".into(),
            wrong: format!("the kernel's driver and ours would both drive {}", part.title),
            mend: format!("remove `{}` and start again", line.trim()),
        })
        .collect()
}

fn night(settings: &Settings, found: &mut Vec<Problem>) {
    let (from, to) = (settings.text("display.night_from"), settings.text("display.night_to"));
    for (there, missing) in [(from, to), (to, from)] {
        if there.is_some() && missing.is_none() {
            let field = if from.is_some() { "display.night_from" } else { "display.night_to" };
            found.push(settings.problem(
                field,
                "a night has two ends".into(),
                "set display.night_from and display.night_to".into(),
            ));
            return;
        }
    }
}
