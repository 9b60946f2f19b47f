//! The table of keys as texts: the documented example, the print of effective values, help.

use std::fmt::Write as _;

use super::keys::{ENVIRONMENT_PREFIX, KEYS, Key, Preset, TABLES};
use super::layers::Settings;
use super::value::Kind;

/// The first lines of the example.
const HEAD: &str = "\
# Settings of harmonynet. Every key is shown with its default; remove the `#` before a line to change it.
# The command line is stronger than the environment, that is stronger than this file, this file is stronger than what
# the board calls for. `harmonynet config --print` shows what holds and why; `harmonynet config --check FILE` finds
# mistakes. This text is printed by `harmonynet config --example`. Only
# `harmonynet mic-test --save` writes into this file, when it is asked to.
";

/// The documented example file: every key, commented out.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(HEAD);
    for (table, about) in TABLES {
        if !table.is_empty() {
            let _ = write!(text, "\n# {about}\n[{table}]\n");
        }
        for key in KEYS.iter().filter(|key| split(key.name).0 == *table) {
            let _ = write!(text, "\n# {}.\n# {}\n", key.help, facts(key));
            let name = split(key.name).1;
            match key.preset_value() {
                Some(value) => {
                    let _ = writeln!(text, "#{name} = {value}");
                }
                None => {
                    let _ = writeln!(text, "#{name} =");
                }
            }
        }
    }
    text
}

/// Allowed values, default where it is no value, and the other two ways to say it.
fn facts(key: &Key) -> String {
    let mut facts = format!("Allowed: {}.", key.kind.allowed());
    if let Preset::Automatic(what) = key.preset {
        let _ = write!(facts, " Default: {what}.");
    }
    let _ = write!(facts, " Environment: {}.", key.variable());
    if let Some(option) = key.option {
        let _ = write!(facts, " Command line: --{option}.");
    }
    facts
}

/// What `--help` says of a key that has its own option.
#[must_use]
pub fn option_help(key: &Key) -> String {
    let allowed = match key.kind {
        // What is to be chosen from is listed where the option is parsed.
        Kind::Choice(_) | Kind::Flag | Kind::Text | Kind::Channel | Kind::Integer(..) => String::new(),
        kind => format!(" ({})", kind.allowed()),
    };
    format!("{}{allowed} [default: {}]", key.help, key.preset_text())
}

/// The keys that have no option of their own, one per line, for the help of `--set`.
#[must_use]
pub fn other_keys() -> String {
    let mut text = String::new();
    for key in KEYS.iter().filter(|key| key.option.is_none()) {
        let _ = writeln!(text, "  {:<26} {}", key.name, key.help);
    }
    text
}

/// Every key with its effective value and where that came from: TOML with comments.
#[must_use]
pub fn print(settings: &Settings) -> String {
    let mut text = format!(
        "# board: {}; the environment's names begin with {ENVIRONMENT_PREFIX}\n",
        settings.board().title
    );
    for (key, value, origin) in settings.iter() {
        let line = match value {
            Some(value) => format!("{} = {value}", key.name),
            None => format!("# {}: {}", key.name, key.preset_text()),
        };
        let _ = writeln!(text, "{line:<44} # {origin}");
    }
    text
}

/// Table and name of a key.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}
