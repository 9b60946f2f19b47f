//! What listening in real time takes of the machine: the program itself hears the demo, and is watched from outside.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Failure, Figures, root};

/// How long it is watched, from its first verdict on: loading the model is no part of listening.
const WATCHED: Duration = Duration::from_secs(20);
/// Ticks per second in `/proc/<pid>/stat`: the same on every Linux that Rust's standard library runs on.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"))
        .args(["listen", "--demo", "--json"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()?;
    let seen = watch(&mut program);
    // It goes on listening until it is stopped.
    program.kill()?;
    program.wait()?;
    let seen = seen?;
    println!("listen --demo --json, in real time, {} s from the first verdict on", WATCHED.as_secs());
    println!("until the first verdict   {:8.2} s of CPU time in {:.1} s", seen.start_cpu, seen.start);
    println!("CPU share of one core     {:8.2} %", 100.0 * seen.share);
    println!("peak resident memory      {:8.1} MiB", seen.peak_kib / 1024.0);
    println!("verdicts                  {:8}", seen.verdicts);
    figures.put("listen_cpu_share", seen.share);
    figures.put("listen_peak_rss_kib", seen.peak_kib);
    Ok(())
}

struct Seen {
    start: f64,
    start_cpu: f64,
    share: f64,
    peak_kib: f64,
    verdicts: usize,
}

fn watch(program: &mut Child) -> Result<Seen, Failure> {
    let launched = Instant::now();
    let pid = program.id();
    let mut lines = BufReader::new(program.stdout.take().ok_or("the program has no output")?).lines();
    let mut next =
        || lines.next().ok_or("the program ended before it was watched long enough")?.map_err(Failure::from);
    next()?;
    let (start, start_cpu) = (launched.elapsed().as_secs_f64(), cpu_seconds(pid)?);
    let first = Instant::now();
    let mut verdicts = 1;
    while first.elapsed() < WATCHED {
        next()?;
        verdicts += 1;
    }
    let share = (cpu_seconds(pid)? - start_cpu) / first.elapsed().as_secs_f64();
    Ok(Seen { start, start_cpu, share, peak_kib: peak_kib(pid)?, verdicts })
}

fn proc(pid: u32, file: &str) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/{file}")))?)
}

/// User and system time of all threads.
fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = proc(pid, "stat")?;
    // The program's name, in parentheses, may hold anything; field 3 follows it. proc(5): utime is 14, stime 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| {
        fields.get(field - 3).ok_or("/proc/<pid>/stat is short")?.parse::<f64>().map_err(Failure::from)
    };
    Ok((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
}

fn peak_kib(pid: u32) -> Result<f64, Failure> {
    let status = proc(pid, "status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM in /proc/<pid>/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
