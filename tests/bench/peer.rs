//! Peers as processes of their own: a Python environment in `target`, a script, and a pipe over which they are told what to
//! run and how often.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{Failure, root, target};

/// A running peer.
pub(super) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Peer {
    /// Starts `script` of this folder on one thread and prints what it says of itself; installs what it needs first.
    pub(super) fn start(script: &str, arguments: &[&OsStr]) -> Result<Self, Failure> {
        let mut command = Command::new(environment()?);
        command.arg(root().join("tests/bench").join(script)).args(arguments);
        for threads in ["OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB", "BLIS"] {
            command.env(format!("{threads}_NUM_THREADS"), "1");
        }
        // Converters talk a lot; it is of interest only where something goes wrong.
        let log = target().join(script).with_extension("log");
        command.stderr(std::fs::File::create(&log)?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take().ok_or("the peer has no input")?;
        let from = BufReader::new(child.stdout.take().ok_or("the peer has no output")?);
        let mut peer = Self { child, to, from, log };
        let ready = peer.answer()?;
        println!("peer: {}", ready.strip_prefix("ready ").ok_or(format!("the peer answered `{ready}`"))?);
        Ok(peer)
    }

    /// How long what is asked for took.
    pub(super) fn time(&mut self, question: &str) -> Result<Duration, Failure> {
        let seconds = self.numbers(question)?;
        Ok(Duration::from_secs_f64(*seconds.first().ok_or("the peer said nothing")?))
    }

    /// The numbers it answers.
    pub(super) fn numbers(&mut self, question: &str) -> Result<Vec<f64>, Failure> {
        writeln!(self.to, "{question}")?;
        self.to.flush()?;
        Ok(self.answer()?.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(format!("the peer ended; {} says why", self.log.display()).into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It is a measuring instrument: nothing is lost with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes numbers where a peer reads them.
pub(super) fn hand_over(name: &str, numbers: impl Iterator<Item = f32>) -> Result<PathBuf, Failure> {
    let path = target().join(name);
    std::fs::write(&path, numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
    Ok(path)
}

/// The Python of an environment that holds what `requirements.txt` names.
fn environment() -> Result<PathBuf, Failure> {
    let folder = target().join("bench-venv");
    let python = folder.join("bin/python");
    let wanted = root().join("tests/bench/requirements.txt");
    let installed = folder.join("installed.txt");
    if python.exists()
        && std::fs::read(&installed).is_ok_and(|have| std::fs::read(&wanted).is_ok_and(|want| have == want))
    {
        return Ok(python);
    }
    println!("installing the peers into {} (once, some 2 GB)", folder.display());
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    succeed(pip(&python).arg("-r").arg(&wanted))?;
    std::fs::copy(&wanted, &installed)?;
    Ok(python)
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
