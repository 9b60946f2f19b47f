//! The real program under hardship: killed at any moment, and given far too little of the processor.
#![cfg(all(feature = "alsa", feature = "native", feature = "tract", feature = "recordings"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod clean;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clean::program;
use harmonynet::capture::SplitMix64;

/// Kills of the ordinary test run; `HARDSHIP_KILLS` asks for more.
const KILLS: u64 = 24;

fn kills() -> u64 {
    std::env::var("HARDSHIP_KILLS").map_or(KILLS, |count| count.parse().unwrap())
}

fn signal(name: &str, child: &Child) {
    // The shell's own `kill`: a minimal system has no other.
    Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
}

/// A right settings file that no other number gives, long enough to be written in pieces.
fn settings(number: u64) -> String {
    let brightness = number % 16;
    let remark =
        "# as long as the files that people have, with everything that the example says\n".repeat(200);
    format!("{remark}# number {number}\n[display]\nbrightness = {brightness}\n")
}

/// What the state folder holds after a kill: whole files, and at most one unfinished file of each kind.
fn look(state: &Path, written: u64) -> (bool, usize) {
    let copy = state.join("last-good.toml");
    let kept = std::fs::read_to_string(&copy).ok();
    if let Some(kept) = &kept {
        assert!((0..=written).any(|number| settings(number) == *kept), "a torn copy: {} bytes", kept.len());
    }
    let mut traces = 0;
    for entry in std::fs::read_dir(state).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match name.as_str() {
            "last-good.toml" | "last-good.toml.new" | "trace.part" => {}
            _ => {
                assert!(name.starts_with("trace-") && name.ends_with(".hnt"), "what is {name}?");
                let told = program().arg("trace").arg(&path).output().unwrap();
                assert!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stderr));
                traces += 1;
            }
        }
    }
    assert!(traces <= 4);
    (kept.is_some(), traces)
}

#[test]
fn killed_at_any_moment_it_leaves_whole_files_and_listens_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, state) = (folder.path().join("settings.toml"), folder.path().join("state"));
    let listen = |pace: &str| {
        let mut command = program();
        command.args(["listen", "--demo=disco", "--display", "lines", "--pace", pace]);
        command.arg("--config").arg(&config).arg("--state").arg(&state).stdin(Stdio::null());
        command
    };
    let mut random = SplitMix64::new(8);
    let (mut copies, mut most_traces) = (0, 0);
    for number in 0..kills() {
        std::fs::write(&config, settings(number)).unwrap();
        let mut child = listen("realtime").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        // Some are killed while they start and keep the settings, others while a trace is written.
        let wait = |random: &mut SplitMix64, most: usize| {
            std::thread::sleep(Duration::from_micros(random.below(most) as u64));
        };
        let is_last = number + 1 == kills();
        if number % 2 == 0 && !is_last {
            wait(&mut random, 400_000);
        } else {
            // Once it says what it hears, it listens to signals.
            while !said.next().unwrap().unwrap().contains("48000 Hz") {}
            signal("USR1", &child);
            // It looks for the request ten times a second.
            wait(&mut random, 250_000);
            // On a machine that is busy every other kill may have come before anything was written.
            while is_last && !state.join("trace-0.hnt").exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (copy, traces) = look(&state, number);
        copies += u64::from(copy);
        most_traces = most_traces.max(traces);
    }
    println!("{} kills: a copy of the settings after {copies}, {most_traces} traces at most", kills());
    assert!(copies > 0 && most_traces > 0, "nothing was ever written: it was always killed too early");

    // Started once more: it listens, with the settings as they are, and writes a trace when it is asked to.
    std::fs::write(&config, settings(1000)).unwrap();
    let heard = listen("fast").output().unwrap();
    let (shown, said) = (String::from_utf8_lossy(&heard.stdout), String::from_utf8_lossy(&heard.stderr));
    assert!(heard.status.success(), "{said}");
    assert!(shown.contains("genre") || shown.contains("unsure"), "{shown}");
    assert_eq!(std::fs::read_to_string(state.join("last-good.toml")).unwrap(), settings(1000));
    // And with a file that was torn, not by us: the copy is used, and it says so.
    std::fs::write(&config, "[display\nbright").unwrap();
    let heard = listen("fast").output().unwrap();
    let said = String::from_utf8_lossy(&heard.stderr);
    assert!(heard.status.success() && said.contains("last-good.toml"), "{said}");
    assert_eq!(std::fs::read_to_string(state.join("last-good.toml")).unwrap(), settings(1000));
}

/// The processor's time that a process has used until now, or until it ended; to 10 ms, the kernel's unit in /proc.
fn processor_time(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // Behind the name, which may hold anything: state, and from the twelfth field on user's and system's time.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// Whether a process has ended; it is not waited for.
fn has_ended(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}

/// What the program is told to hear: a whole window computed for each of as many verdicts as `frames` between them make.
fn costly(frames: &str) -> Command {
    let mut program = program();
    program
        .args(["listen", "--demo=disco", "--display", "json", "--engine", "tract", "--graph", "float"])
        .args(["--verdict-frames", frames])
        .stdin(Stdio::null());
    program
}

/// The share of this machine's processor that sound takes, without what loading takes.
fn share(frames: &str) -> f64 {
    let used = |seconds: &str| {
        let mut child = costly(frames)
            .args(["--pace", "fast", "--seconds", seconds])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !has_ended(&child) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let used = processor_time(&child);
        child.wait().unwrap();
        used.as_secs_f64()
    };
    ((used("45") - used("5")) / 40.0).max(0.0005)
}

/// The processor's time that the threads of a process have used which are still there, exactly.
fn threads_time(child: &Child) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
    let used = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    Duration::from_nanos(used.filter_map(|used| used.split(' ').next()?.parse::<u64>().ok()).sum())
}

/// Stops the program whenever it has used more than this share of the processor, until it ends: for 0.2 s at most, as a
/// microphone's buffer wants it.
fn throttle(child: &Child, share: f64) {
    let (mut granted, mut before) = (0.0, threads_time(child));
    while !has_ended(child) {
        let now = threads_time(child);
        granted -= now.saturating_sub(before).as_secs_f64();
        before = now;
        let pause = Duration::from_millis(if granted < 0.0 { 200 } else { 1 });
        if granted < 0.0 {
            signal("STOP", child);
        }
        let start = Instant::now();
        std::thread::sleep(pause);
        if granted < 0.0 {
            signal("CONT", child);
        }
        // What was not used in time is gone.
        granted = (granted + share * start.elapsed().as_secs_f64()).min(0.002);
    }
}

/// The number before these words.
fn number_before(text: &str, words: &str) -> f64 {
    let before = text.split(words).next().unwrap();
    let number = before.rsplit([' ', '\n']).find(|word| !word.is_empty()).unwrap();
    number.parse().unwrap_or_else(|_| panic!("{number:?} before {words:?} in {text}"))
}

/// With a share of the processor halfway (as a ratio) between what verdicts every 0.19 s take and what those that are never passed
/// over take: verdicts come more seldom, no sound is lost, and the program says so. Only numbers are compared, no times.
#[test]
fn with_too_little_of_the_processor_verdicts_are_passed_over_and_no_sound_is_lost() {
    let (all, few) = (share("8"), share("336"));
    assert!(all > 4.0 * few, "verdicts hardly cost anything: {all} {few}");
    let granted = (all * few).sqrt();
    let mut child =
        costly("8").args(["--seconds", "20"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Loading takes what it takes: the throttle begins with the first verdict.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let sample = |line: &str| {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        verdict["sample"].as_u64().unwrap()
    };
    let mut samples = vec![sample(&lines.next().unwrap().unwrap())];
    let rest = std::thread::spawn(move || lines.map(|line| sample(&line.unwrap())).collect::<Vec<_>>());
    throttle(&child, granted);
    samples.extend(rest.join().unwrap());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");

    // Said while it happened, and counted in the end.
    assert!(said.contains("recognizing is too slow here"), "{said}");
    let passed = number_before(said.split("recognizing was too slow for").nth(1).unwrap(), " verdicts");
    let (heard, verdicts) = (number_before(&said, " s;"), number_before(&said, " verdicts ("));
    println!(
        "{:.1} of a hundred of the processor, verdicts take {:.1} to {:.1}: {heard} s heard, {verdicts} verdicts, {passed} passed over",
        100.0 * granted,
        100.0 * few,
        100.0 * all
    );
    assert!(passed > 10.0 && verdicts > 2.0, "{said}");
    // No sound is lost: what was heard has no gap, and every verdict that fell due was given or counted.
    assert!(!said.contains("to slow inference") && heard >= 20.0, "{said}");
    let due = ((heard * 22_050.0 - 1024.0) / 512.0 - 165.0) / 8.0;
    assert!((verdicts + passed - due).abs() <= 3.0, "{due} fell due: {said}");
    // One in 7.8 s at least, and the grid is that of a stream without a gap.
    assert!(samples.windows(2).all(|pair| pair[1] - pair[0] <= 344 * 512), "{samples:?}");
    assert!(samples.iter().all(|sample| (sample - samples[0]).is_multiple_of(8 * 512)), "{samples:?}");
}
