//! `harmonynet-appliance`: what harmonynet's SD-card images need around the program. Settings from a file on the card's FAT
//! partition; updates in a pair of folders, of which one that never listens is given up; all of it whole whenever power is cut.
//!
//! Not for listening, and not needed where harmonynet is installed on a system that a person administers.

mod card;
mod disk;
mod package;
mod programs;
mod seal;
mod settings;
mod status;
mod wireless;
mod wishes;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use disk::{Disk as _, System};
use programs::{boot, confirm, trial, update};

const EXAMPLES: &str = "\
Examples:
  harmonynet-appliance status                          which program runs, and which settings are used
  harmonynet-appliance update harmonynet_0.2.0-1_arm64.deb
  systemctl restart harmonynet                         starts what was installed

Exit codes: 0 done, 1 failed, 2 wrong command line. Errors go to standard error.";

/// Takes care of settings, updates and the choice of program on harmonynet's SD-card images.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// Folder that is taken for the system's root
    #[arg(long, value_name = "DIR", default_value = "/", global = true)]
    root: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Obey harmonynet.toml on the card; of a broken one the last good one (started by the system)
    Settings,
    /// Choose the program that the service starts (started by the system)
    Boot,
    /// Keep a new program once it is heard listening (started by the system)
    Confirm {
        /// Believe the person who says so
        #[arg(long)]
        unheard: bool,
    },
    /// Install a release: a Debian package of harmonynet for this processor
    Update {
        /// The package
        file: PathBuf,

        /// The package's SHA-256, as SHA256SUMS has it
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// Say which program runs, and which settings are used
    Status,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("harmonynet-appliance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let system = System::below(&cli.root);
    match &cli.command {
        Command::Settings => {
            tell(&system, &settings::run(&system, &settings::compatible(&system)));
            Ok(())
        }
        Command::Boot => {
            let (told, linked) = boot::run(&system);
            tell(&system, &told);
            linked.map_err(|error| format!("{}: {error}", programs::LINK))
        }
        Command::Confirm { unheard } => {
            let mut listens = || *unheard || confirm::service_listens();
            match confirm::run(&system, &mut listens) {
                confirm::Outcome::Nothing => Ok(()),
                confirm::Outcome::Confirmed(version) => {
                    tell(&system, &[format!("harmonynet {version} listens and stays")]);
                    Ok(())
                }
                confirm::Outcome::Unheard => Err("the new program was not heard listening yet".into()),
                confirm::Outcome::Failed(why) => Err(why),
            }
        }
        Command::Update { file, sha256 } => install(&system, &cli.root, file, sha256.as_deref()),
        Command::Status => {
            print!("{}", status::describe(&system, &settings::compatible(&system)));
            Ok(())
        }
    }
}

fn install(system: &System, root: &Path, file: &Path, sum: Option<&str>) -> Result<(), String> {
    let name = file.display();
    let open = || File::open(file).map_err(|error| format!("{name}: {error}"));
    if let Some(sum) = sum {
        let found = seal::checksum_of(open()?).map_err(|error| format!("{name}: {error}"))?;
        if !found.eq_ignore_ascii_case(sum.trim()) {
            return Err(format!("{name}: its SHA-256 is {found}, not what was said; download it again"));
        }
    }
    let trial = |path: &str, version: &str| trial::run(root, &system.path(path), version);
    let mut package = std::io::BufReader::new(open()?);
    let (place, version) =
        update::run(system, &mut package, &trial).map_err(|failed| format!("{name}: {failed}"))?;
    println!("harmonynet {version} is installed in {place}; `systemctl restart harmonynet` starts it");
    Ok(())
}

/// Tells a person: the journal by standard error, and whoever watches the console.
fn tell(system: &System, lines: &[String]) {
    for line in lines {
        eprintln!("harmonynet-appliance: {line}");
        system.poke("/dev/console", &format!("harmonynet: {line}\r\n"));
    }
}
