//! Settings: a file, the environment and the command line, refused with place and field, or laid over each other.
#![no_main]

use harmonynet::settings::{Layer, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Each of these is as costly as a file.
    let pairs = || text.lines().filter_map(|line| line.split_once('=')).take(8);
    let empty = Layer::default();
    let none: [String; 0] = [];
    let said = Layer::of_command_line(pairs().map(|(name, value)| (name.trim(), value.trim())));
    let environment = Layer::of_environment(
        pairs().map(|(name, value)| (format!("HARMONYNET_{}", name.trim()), value.trim().to_string())),
    );
    match Layer::of_file("settings.toml", text) {
        Ok(file) => {
            let (said, environment) = (said.unwrap_or_default(), environment.unwrap_or_default());
            // The board may have no such name; whatever else was accepted must resolve.
            if let Ok(settings) = Settings::resolve(&said, &environment, &file, &none) {
                settings.iter().for_each(|(key, ..)| assert!(settings.get(key.name).is_some()));
            }
            assert!(Settings::resolve(&empty, &empty, &empty, &none).is_ok());
        }
        Err(problems) => {
            assert!(!problems.0.is_empty());
            problems.0.iter().for_each(|problem| assert!(!problem.to_string().is_empty()));
        }
    }
});
