//! Hardware in the loop: every rig of this folder as a test, which is what `harmonynet latency` says of it.
//!
//! `make hil RIG=name` runs one and prints its report. Without a name the rigs are skipped, each with the reason; what needs no
//! hardware runs always: that the rig finds the delays that it put in, and fails where it is told wrong ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use harmonynet::capture::SplitMix64;
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use stopwatch::Sound;
use stopwatch::simulated::{Simulation, run};
use stopwatch::sound::Samples;

/// Names the rig.
const RIG: &str = "HARMONYNET_RIG";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let named = std::env::var(RIG).ok().filter(|name| !name.is_empty());
    let mut trials = vec![
        Trial::test("a_virtual_rig_finds_the_delays_that_it_put_in", finds_known_delays),
        Trial::test("a_delay_that_the_rig_does_not_know_of_makes_it_fail", notices_a_wrong_delay),
        Trial::test("every_rig_of_this_folder_is_right", reads_every_rig),
        Trial::test("a_stopwatch_gives_back_the_delay_between_its_trigger_and_its_light", finds_the_level),
        Trial::test("a_genres_light_is_a_decision_once_it_stays", finds_the_decision),
        Trial::test("the_picos_music_is_taken_for_one_genre", tells_what_to_wire),
        Trial::test("a_recording_finds_the_delay_of_the_air", finds_the_air),
        Trial::test("a_wrong_delay_of_the_air_and_a_sound_that_never_came_are_told", notices_the_air),
        Trial::test("the_devices_own_trace_is_in_the_report", asks_the_device),
        Trial::test("what_is_wrong_with_a_port_is_said_with_what_mends_it", names_the_mend),
        Trial::test("firmware_and_program_speak_through_the_same_libraries", compares_lock_files),
    ];
    for name in rigs() {
        let is_named = named.as_deref() == Some(&*name);
        if !is_named {
            eprintln!("skipped: rig `{name}` (not named; `make hil RIG={name}` runs it)");
        }
        let trial = Trial::test(format!("rig_{name}"), move || run_rig(&name));
        trials.push(trial.with_ignored_flag(!is_named));
    }
    if let Some(name) = named.filter(|name| !rigs().contains(name)) {
        eprintln!("there is no rig `{name}`; there are: {}", rigs().join(", "));
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hil")
}

/// The names of the rigs' files.
fn rigs() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let rigs = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut names: Vec<String> =
        rigs.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn latency(rig: &Path, more: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    program.arg("latency").arg("--rig").arg(rig).args(more).output().unwrap()
}

/// Runs a rig as its file says; its report is the test's output.
fn run_rig(name: &str) -> Result<(), Failed> {
    let output = latency(&folder().join(format!("{name}.toml")), &[]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The virtual rig with lines replaced: bursts alone, and nothing in real time, unless `changes` say so.
fn changed(changes: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder_of_test = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(folder().join("virtual.toml")).unwrap();
    let short = [("seconds = 28", "seconds = 0"), ("pieces = 6", "pieces = 0"), ("decision_", "# decision_")];
    for (from, to) in short.iter().chain(changes) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let file = folder_of_test.path().join("rig.toml");
    std::fs::write(&file, text).unwrap();
    (folder_of_test, file)
}

/// The rig's own error: every onset within one sample, the median of at least 200 repetitions within a millisecond.
fn finds_known_delays() -> Result<(), Failed> {
    let (folder, rig) = changed(&[]);
    let json = folder.path().join("report.json");
    let (csv, junit) = (folder.path().join("report.csv"), folder.path().join("report.xml"));
    let files = [&json, &csv, &junit].map(|file| file.to_str().unwrap());
    let output = latency(&rig, &["--json", files[0], "--csv", files[1], "--junit", files[2]]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let outside = &report["outside"];
    for what in ["onset_error_samples", "rig_error_ms", "path_ms", "transport_ms"] {
        assert!(outside[what]["n"].as_u64().unwrap() >= 200, "{what}: {}", outside[what]);
    }
    assert!(outside["onset_error_samples"]["max"].as_f64().unwrap() < 1.0, "{outside:#}");
    assert!(outside["rig_error_ms"]["p50"].as_f64().unwrap().abs() < 1.0, "{outside:#}");
    // 12.3457 ms, less than a sample off.
    assert!((outside["transport_ms"]["p50"].as_f64().unwrap() - 12.3457).abs() < 0.02, "{outside:#}");
    assert_eq!((report["missed"].as_u64(), report["false"].as_u64()), (Some(0), Some(0)));
    let csv = std::fs::read_to_string(&csv).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("path_ms,240,")), "{csv}");
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("name=\"rig_error_ms\""), "{junit}");
    for condition in ["kernel", "board", "clock", "throttling", "temperature"] {
        let told = ["before", "after"].map(|when| report[when][condition].as_str().unwrap().is_empty());
        assert_eq!(told, [false, false], "{condition}: {report:#}");
        assert!(junit.contains(&format!("name=\"after.{condition}\"")), "{condition}: {junit}");
    }
    for hash in ["model", "program"] {
        assert!(report[hash].as_str().unwrap().contains("sha256 "), "{hash}: {report:#}");
    }
    Ok(())
}

fn notices_a_wrong_delay() -> Result<(), Failed> {
    let (folder, rig) =
        changed(&[("undeclared_ms = 0.0", "undeclared_ms = 3.0"), ("bursts = 240", "bursts = 20")]);
    let junit = folder.path().join("report.xml");
    let output = latency(&rig, &["--junit", junit.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(matches!(failed.as_slice(), [line] if line.contains("rig_error_ms")), "{said}");
    let junit = std::fs::read_to_string(&junit).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("<failure message=\"3.0"), "{junit}");
    Ok(())
}

/// A rig whose hardware isn't here cannot be run, but what its file says can be read.
fn reads_every_rig() -> Result<(), Failed> {
    assert!(rigs().contains(&"virtual".to_owned()));
    let (_folder, broken) = changed(&[("bursts = 240", "bursts = 0")]);
    let output = latency(&broken, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("stimulus.bursts 0"), "{said}");
    Ok(())
}

/// A pseudo-terminal: its near end, and the path of its far end.
fn pseudo_terminal() -> (std::fs::File, PathBuf) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let path = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
    (std::fs::File::from(near), path.into())
}

/// What `latency` says of the wired rig with lines replaced and a simulated stopwatch at its port.
fn of_simulation(simulation: Simulation, changes: &[(&str, &str)]) -> (Output, Value) {
    measured("gpio", simulation, changes, |_| ())
}

/// The same of any rig of this folder; without music unless `changes` say so.
fn measured(
    rig: &str,
    simulation: Simulation,
    changes: &[(&str, &str)],
    prepare: impl FnOnce(&mut Command),
) -> (Output, Value) {
    let (output, report) = tried(rig, simulation, changes, prepare);
    let report = report.unwrap_or_else(|| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (output, report)
}

/// The same of a measurement that may end without a report.
fn tried(
    rig: &str,
    simulation: Simulation,
    changes: &[(&str, &str)],
    prepare: impl FnOnce(&mut Command),
) -> (Output, Option<Value>) {
    let folder_of_test = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(folder().join(format!("{rig}.toml"))).unwrap();
    let has_music = changes.iter().any(|(_, to)| to.contains("pieces ="));
    let silent = [("pieces = 6", "pieces = 0"), ("\ndecision_", "\n# decision_")];
    let silent = silent.iter().filter(|(from, _)| !has_music && text.contains(from)).collect::<Vec<_>>();
    for (from, to) in silent.into_iter().chain(changes) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let rig = folder_of_test.path().join("rig.toml");
    std::fs::write(&rig, text).unwrap();
    let (near, port) = pseudo_terminal();
    let from = near.try_clone().unwrap();
    // It ends with an error when the program closes the port.
    let device = std::thread::spawn(move || run(simulation, from, near));
    let json = folder_of_test.path().join("report.json");
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    program.arg("latency").arg("--rig").arg(&rig).arg("--port").arg(port).arg("--json").arg(&json);
    prepare(&mut program);
    let output = program.output().unwrap();
    let report = std::fs::read_to_string(&json).ok().map(|text| serde_json::from_str(&text).unwrap());
    let _ = device.join().unwrap();
    (output, report)
}

/// Through a serial port, with a clock that drifts and answers that dawdle: the delay within two of the clock's microseconds,
/// the drift within its stated bound.
fn finds_the_level() -> Result<(), Failed> {
    let simulation = Simulation {
        start: 77_000_000_000,
        drift_ppm: 80.0,
        dawdles: Duration::from_millis(3),
        level_after: Duration::from_micros(61_700),
        dark: Some(2),
        ..Simulation::default()
    };
    // How well clocks can be compared depends on what else this machine does.
    let changes = [
        ("bursts = 240", "bursts = 8"),
        ("light_ms = 0.0", "light_ms = 1.5"),
        ("clock_error_ms = 1.0", "clock_error_ms = 1000.0"),
    ];
    let (output, report) = of_simulation(simulation, &changes);
    let said = String::from_utf8_lossy(&output.stdout);
    let path = &report["outside"]["path_ms"];
    assert_eq!(
        (path["n"].as_u64(), report["missed"].as_u64(), report["false"].as_u64()),
        (Some(7), Some(1), Some(0))
    );
    for value in ["min", "p50", "max"] {
        assert!((path[value].as_f64().unwrap() - 60.2).abs() < 0.002, "{path:#}");
    }
    let clocks = &report["clocks"];
    let (drift, within) =
        (clocks["drift_ppm"].as_f64().unwrap(), clocks["drift_within_ppm"].as_f64().unwrap());
    assert!((drift + 80.0).abs() <= within && within < 250.0, "{clocks:#}");
    // Slow answers reject themselves: the bound is closer than an answer in the middle.
    let round_trips = &clocks["round_trip_us"];
    let worst = 1000.0 * clocks["offset_within_at_worst_ms"].as_f64().unwrap();
    assert!(worst < round_trips["p50"].as_f64().unwrap(), "{clocks:#}");
    assert!(round_trips["n"].as_u64().unwrap() > 100, "{clocks:#}");
    // The burst whose light stayed dark is more than the rig allows, and nothing else is.
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(matches!(failed.as_slice(), [line] if line.contains("missed")), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("clocks: host ahead of rig by") && said.contains("losses unknown"), "{said}");
    Ok(())
}

fn finds_the_decision() -> Result<(), Failed> {
    let simulation = Simulation {
        level_after: Duration::from_millis(40),
        genre_after: Duration::from_millis(4321),
        ..Simulation::default()
    };
    let changes = [
        ("bursts = 240", "bursts = 1"),
        ("pieces = 6", "pieces = 1"),
        ("clock_error_ms = 1.0", "clock_error_ms = 1000.0"),
    ];
    let (output, report) = of_simulation(simulation, &changes);
    assert!(output.status.success(), "{}{report:#}", String::from_utf8_lossy(&output.stderr));
    let decision = &report["outside"]["decision_ms"];
    assert_eq!(decision["n"], 1);
    assert!((decision["p50"].as_f64().unwrap() - 4321.0).abs() < 0.002, "{decision:#}");
    // Too late is told: the threshold that virtual rigs have, too.
    let holds = |name: &str| {
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()["holds"]
            .clone()
    };
    assert_eq!((holds("decision_p50_ms"), holds("decision_max_ms")), (true.into(), true.into()));
    let late = Simulation { genre_after: Duration::from_millis(6500), ..simulation };
    let (output, _) = of_simulation(late, &changes);
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(
        matches!(failed.as_slice(), [p50, max] if p50.contains("decision_p50") && max.contains("decision_max")),
        "{said}"
    );
    Ok(())
}

/// The Pico's own music, as the shipped model hears it: which LED to wire to GP5.
fn tells_what_to_wire() -> Result<(), Failed> {
    let silence = std::iter::repeat_n(0, 3 * 48_000);
    let sound: Vec<u8> = silence
        .clone()
        .chain(Samples::new(Sound::Music { millis: 9000 }))
        .chain(silence)
        .flat_map(i16::to_le_bytes)
        .collect();
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    program.args(["listen", "-", "--pace", "fast", "--json", "--unsure-below", "0"]);
    let mut listening = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    listening.stdin.take().unwrap().write_all(&sound).unwrap();
    let said = String::from_utf8(listening.wait_with_output().unwrap().stdout).unwrap();
    let rig = std::fs::read_to_string(folder().join("gpio.toml")).unwrap();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let genres: Vec<&str> = lines
        .iter()
        .filter(|line| line["state"] == "genre")
        .map(|line| line["genre"].as_str().unwrap())
        .collect();
    let last = genres.last().unwrap_or_else(|| panic!("{said}"));
    assert!(genres.iter().all(|genre| genre == last), "one LED stays lit: {said}");
    assert!(rig.contains(&format!("GP5 is the LED of `{last}`")), "{last}: {said}");
    Ok(())
}

/// Samples of the recordings' rate in a time.
const RATE_HZ: u64 = 48_000;

/// What a sound card records beside the rig of so many bursts, as raw S32_LE of two channels: the microphone hears each burst
/// `late` samples after the pin sent it, but for one.
fn tape(bursts: usize, late: usize, unheard: Option<usize>) -> Vec<u8> {
    // As the rig plans them: seed, rest and spacings of `latency`.
    let mut random = SplitMix64::new(1);
    let nanos = |samples: u64| samples * 1_000_000_000 / RATE_HZ;
    let mut at = nanos(3 * RATE_HZ);
    let mut noise = SplitMix64::new(9);
    // Longer than a session can become.
    let length = (3 * RATE_HZ as usize + bursts * 36_000) + 24 * RATE_HZ as usize;
    let mut tracks: Vec<[i32; 2]> = (0..length).map(|_| [(noise.signed() * 6e6) as i32, 0]).collect();
    for burst in 0..bursts {
        at += nanos(26_400) + random.bits() % nanos(9600);
        let place = (at * RATE_HZ / 1_000_000_000) as usize;
        for (n, sample) in Samples::new(Sound::Burst).enumerate() {
            tracks[place + n][1] += i32::from(sample) << 15;
            if unheard != Some(burst) {
                tracks[place + late + n][0] += i32::from(sample) << 13;
            }
        }
    }
    tracks.into_iter().flatten().flat_map(i32::to_le_bytes).collect()
}

/// What an acoustic rig says whose sound card recorded `tape`.
///
/// A tape is made beforehand: with a burst that was asked for again, because this machine was busy, it does not fit. Then it is
/// played once more, up to five times.
fn recorded(tape: &[u8], simulation: Simulation, changes: &[(&str, &str)]) -> Option<(Output, Value)> {
    let folder = tempfile::tempdir().unwrap();
    let (raw, config) = (folder.path().join("tape.raw"), folder.path().join("asound.conf"));
    std::fs::write(&raw, tape).unwrap();
    let system = "/usr/share/alsa/alsa.conf";
    let include = if Path::new(system).exists() { format!("<{system}>\n") } else { String::new() };
    // It grants everything, so the format is the one that is preferred.
    let pcm = format!(
        "pcm.tape {{ type file slave.pcm null file /dev/null infile {} format raw }}\n",
        raw.display()
    );
    std::fs::write(&config, include + &pcm).unwrap();
    let device = [("device = \"hw:CARD=USB\"", "device = \"tape\""), ("bursts = 240", "bursts = 6")];
    let changes = [&device[..], changes, &[("clock_error_ms = 1.0", "clock_error_ms = 1000.0")]].concat();
    for _ in 0..5 {
        let (output, report) = tried("acoustic", simulation, &changes, |program| {
            program.env("ALSA_CONFIG_PATH", &config);
        });
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !said.contains("asked for a sound again") {
            return Some((output, report.unwrap_or_else(|| panic!("no report: {said}"))));
        }
    }
    eprintln!("skipped: a recording beside the rig (this machine is too busy, five times)");
    None
}

/// Sound is 177 samples on its way, 3.6875 ms; a light 61.7 ms after each trigger: the path is what is left.
const LATE: usize = 177;

fn of_air() -> Simulation {
    Simulation {
        level_after: Duration::from_micros(61_700),
        dawdles: Duration::from_millis(1),
        ..Simulation::default()
    }
}

/// A known delay, on a sound card's own clock, to a hundredth of a sample.
fn finds_the_air() -> Result<(), Failed> {
    if cfg!(not(feature = "alsa")) {
        return Ok(());
    }
    let measured = recorded(&tape(6, LATE, None), of_air(), &[("sound_ms = 0.58", "sound_ms = 3.7")]);
    let Some((output, report)) = measured else { return Ok(()) };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let outside = &report["outside"];
    let of = |what: &str, which: &str| outside[what][which].as_f64().unwrap();
    for which in ["min", "p50", "max"] {
        assert!((of("transport_ms", which) - 3.6875).abs() < 0.0005, "{outside:#}");
        assert!((of("path_ms", which) - (61.7 - 3.6875 - 0.01)).abs() < 0.003, "{outside:#}");
    }
    assert_eq!(
        (&report["missed"], &report["false"], &outside["path_ms"]["n"]),
        (&0.into(), &0.into(), &6.into())
    );
    assert!(report["granted"].as_str().unwrap().contains("recorded at 48000 Hz"), "{report:#}");
    Ok(())
}

fn notices_the_air() -> Result<(), Failed> {
    if cfg!(not(feature = "alsa")) {
        return Ok(());
    }
    let failed = |output: &Output| -> Vec<String> {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().filter(|line| line.starts_with("FAILED")).map(str::to_owned).collect()
    };
    // The loudspeaker is a metre further off than the file says; and one burst was never heard.
    let Some((output, report)) = recorded(&tape(6, LATE, Some(3)), of_air(), &[]) else { return Ok(()) };
    let wrong = failed(&output);
    assert!(
        matches!(wrong.as_slice(), [air, missed, lit] if air.contains("sound_error_ms") && missed.contains("missed") && lit.contains("false")),
        "{wrong:?} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    // What was found is right all the same; the light of the burst that wasn't heard belongs to no sound.
    let found = report["outside"]["path_ms"]["p50"].as_f64().unwrap();
    assert!((found - (61.7 - 3.6875 - 0.01)).abs() < 0.003, "{report:#}");
    assert_eq!((&report["missed"], &report["outside"]["path_ms"]["n"]), (&1.into(), &5.into()));
    Ok(())
}

/// A `listen` on this machine, asked before and after.
fn asks_the_device() -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    program.args(["listen", "--demo=disco", "--json", "--trace"]).arg(folder.path());
    let mut listening =
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    // Somebody must read what it says on.
    let reader = std::thread::spawn(move || lines.count());
    let simulation = Simulation { level_after: Duration::from_millis(40), ..Simulation::default() };
    let files = ["csv", "xml"].map(|kind| folder.path().join(kind));
    // A machine that is busy enough loses something: what is tested is that it is told, and held against a threshold.
    let counted = [
        ("bursts = 240", "bursts = 8"),
        ("# overruns = 0", "overruns = 0"),
        ("# lost_frames = 0", "lost_frames = 10000000"),
        ("clock_error_ms = 1.0", "clock_error_ms = 1000.0"),
    ];
    let (output, report) = measured("gpio", simulation, &counted, |program| {
        program.arg("--pid").arg(listening.id().to_string()).arg("--trace").arg(folder.path());
        program.arg("--csv").arg(&files[0]).arg("--junit").arg(&files[1]);
    });
    // What it has heard since its start is more.
    let mut newest = Command::new(env!("CARGO_BIN_EXE_harmonynet"));
    let since_start =
        newest.arg("trace").arg(folder.path().join("trace-1.hnt")).arg("--json").output().unwrap();
    listening.kill().unwrap();
    listening.wait().unwrap();
    reader.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let device = &report["device"];
    assert_eq!(device["counted"], "counted while it was measured");
    let heard = |fares: &Value| fares["heard_samples"].as_u64().unwrap();
    let since_start: Value = serde_json::from_slice(&since_start.stdout).unwrap();
    assert!(
        (1..heard(&since_start["fares"])).contains(&heard(&device["fares"])),
        "{since_start:#}{device:#}"
    );
    assert!(device["fares"]["granted"].as_str().unwrap().contains("48000 Hz"), "{device:#}");
    assert!(device["stages_us"]["resample"]["n"].as_u64().unwrap() > 0, "{device:#}");
    assert_eq!((&report["overruns"], &report["passed_over"]), (&0.into(), &device["fares"]["passed_over"]));
    assert_eq!(report["lost_samples"], device["fares"]["dropped_samples"]);
    assert!(said.contains("the device says (harmonynet ") && said.contains("period to verdict"), "{said}");
    let [csv, junit] = files.map(|file| std::fs::read_to_string(file).unwrap());
    assert!(csv.contains("device inference us,"), "{csv}");
    assert!(junit.contains("name=\"device.scheduler\"") && junit.contains("name=\"lost_frames\""), "{junit}");
    // A device that says nothing costs the exit code, not the report.
    let one = [("bursts = 240", "bursts = 1"), ("clock_error_ms = 1.0", "clock_error_ms = 1000.0")];
    let (output, report) = measured("gpio", simulation, &one, |program| {
        program.arg("--trace").arg(folder.path().join("absent.hnt"));
    });
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent.hnt"));
    assert_eq!((&report["outside"]["path_ms"]["n"], &report["device"]), (&1.into(), &Value::Null));
    Ok(())
}

fn names_the_mend() -> Result<(), Failed> {
    let said = |port: &Path| {
        let output = latency(&folder().join("loopback.toml"), &["--port", port.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let absent = said(Path::new("/dev/no-such-port"));
    assert!(absent.contains("/dev/no-such-port: no such port") && absent.contains("make pico"), "{absent}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(said(file.path()).contains("is it a serial port?"));
    // Somebody holds the other end and says nothing.
    let (_near, port) = pseudo_terminal();
    let silent = said(&port);
    assert!(silent.contains("doesn't answer") && silent.contains("firmware"), "{silent}");
    Ok(())
}

/// The firmware has a lock file of its own; what makes bytes of records must be the same on both sides.
fn compares_lock_files() -> Result<(), Failed> {
    let lock = |file: &Path| std::fs::read_to_string(file).unwrap();
    let versions = |lock: &str, library: &str| -> Vec<String> {
        let name = format!("name = \"{library}\"\nversion = ");
        lock.match_indices(&name)
            .map(|(at, _)| lock[at + name.len()..].lines().next().unwrap().into())
            .collect()
    };
    let ours = lock(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    let theirs = lock(&folder().join("pico/Cargo.lock"));
    for library in ["stopwatch", "postcard", "cobs", "serde", "serde_core"] {
        let theirs = versions(&theirs, library);
        assert_eq!(theirs.len(), 1, "{library}: {theirs:?}");
        assert_eq!(versions(&ours, library), theirs, "{library}");
    }
    Ok(())
}
