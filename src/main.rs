//! The `harmonynet` program: listens to music and shows the genre.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
