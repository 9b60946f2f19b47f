//! The program, undisturbed by what this machine's environment sets.

use std::process::Command;

/// The program that Cargo built, without any `HARMONYNET_…` variable.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HARMONYNET_")) {
        command.env_remove(name);
    }
    command
}
