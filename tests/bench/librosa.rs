//! librosa as a peer process: a Python environment of its own in `target`, told over a pipe what to run and how often.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{Failure, root, target};

/// How librosa is called.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// `librosa.feature.melspectrogram`, as users write it; it makes its filter bank with each call.
    Call,
    /// `librosa.stft` and a filter bank that was made once.
    Bank,
}

/// The running peer.
pub(super) struct Librosa {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Librosa {
    /// Starts the peer with these excerpts, each of the same length; installs librosa first if need be.
    pub(super) fn start(excerpts: &[Vec<f32>]) -> Result<Self, Failure> {
        let python = environment()?;
        let data = target().join("bench-excerpts.f32");
        let bytes: Vec<u8> = excerpts.iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&data, bytes)?;
        let mut command = Command::new(python);
        command.arg(root().join("tests/bench/librosa_peer.py")).arg(&data).arg(excerpts.len().to_string());
        for threads in ["OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB", "BLIS"] {
            command.env(format!("{threads}_NUM_THREADS"), "1");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take().ok_or("the peer has no input")?;
        let from = BufReader::new(child.stdout.take().ok_or("the peer has no output")?);
        let mut peer = Self { child, to, from };
        let ready = peer.answer()?;
        println!("peer: {}", ready.strip_prefix("ready ").ok_or(format!("the peer answered `{ready}`"))?);
        Ok(peer)
    }

    /// Seconds that all excerpts took, `times` times.
    pub(super) fn time(&mut self, way: Way, times: usize) -> Result<Duration, Failure> {
        let way = match way {
            Way::Call => "call",
            Way::Bank => "bank",
        };
        Ok(Duration::from_secs_f64(self.ask(&format!("{way} {times}"))?))
    }

    /// Mean of all its decibels.
    pub(super) fn mean_db(&mut self) -> Result<f64, Failure> {
        self.ask("mean 1")
    }

    fn ask(&mut self, question: &str) -> Result<f64, Failure> {
        writeln!(self.to, "{question}")?;
        self.to.flush()?;
        Ok(self.answer()?.parse()?)
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err("the peer ended".into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Librosa {
    fn drop(&mut self) {
        // It is a measuring instrument: nothing is lost with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    println!("installing librosa into {} (once)", folder.display());
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
