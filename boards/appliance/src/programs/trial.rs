//! Whether a program that was unpacked runs on this very device: it says its version, and its model gives what it gave when it
//! was made. A program for a newer processor of the same architecture ends here, too.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Loading both forms of a model takes a Pi Zero half a minute.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most bytes of what a program prints.
const LARGEST_OUTPUT: u64 = 64 * 1024;
/// Who the service runs as.
const USER: &str = "harmonynet";

/// Tries a program below `root`, whose package has this version.
pub(crate) fn run(root: &Path, program: &Path, version: &str) -> Result<(), String> {
    let said = output(root, program, &["--version"])?;
    let upstream = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    if said.trim() != format!("harmonynet {upstream}") {
        return Err(format!("it says that it is {:?}, its package says {upstream}", shortened(&said)));
    }
    output(root, program, &["model"]).map(|_| ())
}

fn output(root: &Path, program: &Path, arguments: &[&str]) -> Result<String, String> {
    let what = format!("`harmonynet {}`", arguments.join(" "));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // As the service runs it: not with this process's rights.
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
        && let Some((user, group)) = user(root)
    {
        command.uid(user).gid(group);
    }
    let mut child = command.spawn().map_err(|error| format!("{what} does not start: {error}"))?;
    let stdout = child.stdout.take().map(|pipe| std::thread::spawn(move || text(pipe)));
    let stderr = child.stderr.take().map(|pipe| std::thread::spawn(move || text(pipe)));
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(LOOK_EVERY),
            other => {
                // It may have ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                let why = other
                    .err()
                    .map_or_else(|| format!("not in {} s", PATIENCE.as_secs()), |error| error.to_string());
                return Err(format!("{what} does not end: {why}"));
            }
        }
    };
    let read = |thread: Option<std::thread::JoinHandle<String>>| thread.and_then(|thread| thread.join().ok());
    let (said, complained) = (read(stdout).unwrap_or_default(), read(stderr).unwrap_or_default());
    if status.success() {
        Ok(said)
    } else {
        Err(format!("{what} fails ({status}): {}", shortened(&complained)))
    }
}

fn text(pipe: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    // What was read up to an error is what there is.
    let _ = pipe.take(LARGEST_OUTPUT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shortened(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// The service's user and group.
fn user(root: &Path) -> Option<(u32, u32)> {
    let text = std::fs::read_to_string(root.join("etc/passwd")).ok()?;
    let mut fields =
        text.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'))?.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
