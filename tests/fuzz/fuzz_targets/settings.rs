//! Settings: a file, the environment and the command line, refused with place and field, or laid over each other.
//!
//! Input: a settings file, and after a line of three dashes `name = value` lines for the command line and the environment.
#![no_main]

use std::sync::LazyLock;

use harmonynet::settings::{Layer, Settings};
use libfuzzer_sys::fuzz_target;

/// What holds where nobody says anything, which no input changes.
static NOTHING_SAID: LazyLock<Settings> = LazyLock::new(|| {
    let empty = Layer::default();
    Settings::resolve(&empty, &empty, &empty, &[]).unwrap()
});

fuzz_target!(|text: &str| {
    let (file, others) = text.split_once("\n---\n").unwrap_or((text, ""));
    // Each of these is as costly as a file.
    let pairs = || others.lines().filter_map(|line| line.split_once('=')).take(4);
    let said = Layer::of_command_line(pairs().map(|(name, value)| (name.trim(), value.trim())));
    let environment = Layer::of_environment(
        pairs().map(|(name, value)| (format!("HARMONYNET_{}", name.trim()), value.trim().to_string())),
    );
    match Layer::of_file("settings.toml", file) {
        Ok(file) => {
            let (said, environment) = (said.unwrap_or_default(), environment.unwrap_or_default());
            // The board may have no such name; whatever else was accepted must resolve, to the same keys as ever.
            if let Ok(settings) = Settings::resolve(&said, &environment, &file, &[]) {
                assert!(
                    settings
                        .iter()
                        .map(|(key, ..)| key.name)
                        .eq(NOTHING_SAID.iter().map(|(key, ..)| key.name))
                );
                settings.iter().for_each(|(key, ..)| assert!(settings.get(key.name).is_some()));
            }
        }
        Err(problems) => {
            assert!(!problems.0.is_empty());
            problems.0.iter().for_each(|problem| assert!(!problem.to_string().is_empty()));
        }
    }
});
