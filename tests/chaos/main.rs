//! Chaos: everything that can go wrong around a device, one after the other, while the real program runs.
//!
//! ```text
//! music, faults ─▶ simulated sound card ─▶ alsa-lib ─▶ harmonynet listen ─▶ simulated I2C bus ◀─ faults
//!                                                        │  ▲
//!                        observer, crowds ◀── sockets ───┘  └── wall clock, disk, signals ◀─ faults
//! ```
//! The sound card, the bus and the wall clock are `hardware.c`, loaded before the program; sockets, broker, disk and signals are
//! real. After each fault the program must hear again, have lost no verdict that it could have had, and be no larger.
//!
//! `make chaos` runs everything and writes the tables of README.md beside this file; `cargo test` runs a few faults. The seed says in
//! which order faults come, how long they last, and what garbage is made of.
#![cfg(all(
    feature = "alsa",
    feature = "cli",
    feature = "linux",
    feature = "mqtt",
    feature = "native",
    feature = "page"
))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "../clean/mod.rs"]
mod clean;
mod crowd;
mod device;
mod faults;
mod flood;
mod hardware;
mod table;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use harmonynet::capture::SplitMix64;

use crowd::Broker;
use device::Device;
use faults::Fault;
use table::{Row, Table};

/// Names the program to run instead of the one that Cargo built for tests.
const PROGRAM: &str = "HARMONYNET_CHAOS_PROGRAM";
/// Names the seed.
const SEED: &str = "HARMONYNET_CHAOS_SEED";
/// Names the document that the tables go into.
const DOCUMENT: &str = "HARMONYNET_CHAOS_DOCUMENT";
/// Whatever it was, a device hears again so soon after it: the longest wait for a microphone, opening it, one window.
const RECOVERED: Duration = Duration::from_secs(20);
/// Of a core: who computes so much, on any machine that builds this, goes in circles.
const SPINNING: f64 = 0.8;
/// Between two faults of the long run.
const REST: Duration = Duration::from_secs(11);
/// How much larger a program may become that has warmed up. Allocators keep what a crowd needed once.
const GROWTH_KIB: u64 = 4096;

/// The program, without this machine's own settings.
fn program() -> Command {
    let mut command = clean::program();
    if let Some(named) = std::env::var_os(PROGRAM) {
        let mut other = Command::new(named);
        command.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
            other.env_remove(name);
        });
        command = other;
    }
    command
}

fn seed() -> u64 {
    std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn document() -> Option<PathBuf> {
    std::env::var_os(DOCUMENT).map(Into::into)
}

/// How a run is made.
#[derive(Clone, Copy)]
struct Rules {
    /// What lies before each fault: a microphone that was ill less than ten seconds ago is waited for longer.
    rest: Duration,
    /// Whether hearing again must not take longer than [`RECOVERED`]: not on a machine that has other things to do.
    is_timed: bool,
}

/// One fault, from healthy to healthy.
fn suffer(
    device: &mut Device,
    fault: &Fault,
    random: &mut SplitMix64,
    is_timed: bool,
) -> Result<Row, String> {
    device.until_it_hears();
    let starved = device.starved();
    let (mark, began, id, computed) = (device.mark(), Instant::now(), device.id(), device.computed());
    let how = (fault.provoke)(device, random).map_err(|reason| format!("{}: {reason}", fault.name))?;
    let mended = Instant::now();
    let mut is_over = false;
    device.until(fault.name, |device| {
        // Mending may begin another life of the program.
        let healthy = if is_over { mended } else { Instant::now() };
        is_over = is_over || (fault.is_over)(device);
        is_over && device.hears_since(healthy)
    });
    let recovery = mended.elapsed();
    let lost = device.lost_since(mark);
    assert!(!is_timed || recovery < RECOVERED, "{}: {recovery:?}", fault.name);
    // What a device loses because this machine is busy it says itself.
    let was_starved = !fault.deafens && lost > 0 && device.starved() > starved;
    assert!(fault.deafens || was_starved || lost == 0, "{}: {lost} verdicts lost", fault.name);
    if device.id() == id {
        let busy = (device.computed() - computed).as_secs_f64() / began.elapsed().as_secs_f64();
        assert!(busy < SPINNING, "{}: {:.0} % of a core", fault.name, 100.0 * busy);
    }
    let mut fault = if how.is_empty() { fault.name.into() } else { format!("{}: {how}", fault.name) };
    if was_starved {
        fault += " (and the device had too little of the processor, as it says)";
    }
    let row =
        Row { fault, shown: device.shown_since(mark), recovery, lost, resident_kib: device.resident_kib() };
    eprintln!(
        "{:.1} s, {lost} lost, {} KiB: {}: {:?}",
        recovery.as_secs_f64(),
        row.resident_kib,
        row.fault,
        row.shown
    );
    Ok(row)
}

/// Fails where the program has grown since it had warmed up.
fn check_memory(device: &mut Device) {
    let now = device.resident_kib();
    let warm = *device.warm_kib.get_or_insert(now);
    assert!(now < warm + GROWTH_KIB, "{now} KiB resident, {warm} after the first fault");
}

/// Suffers all of them, in an order that the seed says.
fn suffer_all(
    device: &mut Device,
    faults: &[&Fault],
    random: &mut SplitMix64,
    rules: Rules,
    table: &mut Table,
) {
    let mut order: Vec<&Fault> = faults.to_vec();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place + 1));
    }
    for fault in order {
        faults::pass(device, rules.rest);
        match suffer(device, fault, random, rules.is_timed) {
            Ok(row) => table.rows.push(row),
            Err(skipped) => {
                eprintln!("skipped: {skipped}");
                table.skipped.push(skipped);
            }
        }
        check_memory(device);
    }
}

fn empty() -> Table {
    Table { rows: Vec::new(), skipped: Vec::new(), remarks: Vec::new() }
}

#[test]
fn a_few_faults_are_survived() {
    let mut random = SplitMix64::new(1);
    let mut device = match Device::start(device::free_port()) {
        Ok(device) => device,
        Err(reason) => return eprintln!("skipped: chaos ({reason})"),
    };
    let few = [
        &faults::UNPLUGGED,
        &faults::OVERRUNS,
        &faults::DISPLAY_UNPLUGGED,
        &faults::WALL_CLOCK,
        &faults::DISK_FULL,
        &crowd::SMALL_CROWD,
        &crowd::GARBAGE,
    ];
    let mut table = empty();
    let rules = Rules { rest: Duration::ZERO, is_timed: false };
    suffer_all(&mut device, &few, &mut random, rules, &mut table);
    suffer_all(&mut device, &[&faults::LOG_FULL], &mut random, rules, &mut table);
    let unplugged = table.rows.iter().find(|row| row.fault.starts_with(faults::UNPLUGGED.name)).unwrap();
    assert!(unplugged.shown[0].contains("plug the microphone in again"), "{:?}", unplugged.shown);
    assert!(unplugged.lost > 0, "a verdict is missing that nobody could have said");
    assert!(device.end("TERM").success());
}

#[test]
#[ignore = "takes minutes: make chaos"]
fn every_fault_is_survived() {
    let seed = seed();
    let mut random = SplitMix64::new(seed);
    let mut table = empty();
    let port = device::free_port();
    let broker = Broker::found(port);
    let mut device = Device::start(port).unwrap();
    let mut all: Vec<&Fault> = faults::ALL.iter().chain(crowd::ALL).collect();
    match &broker {
        Ok(_) => all.extend(crowd::BROKER),
        Err(reason) => table.skipped.push(format!("the MQTT broker's faults: {reason}")),
    }
    let began = Instant::now();
    suffer_all(&mut device, &all, &mut random, Rules { rest: REST, is_timed: true }, &mut table);
    let (memory, files) = (device.resident_kib(), device.open_files());
    let warm = device.warm_kib.unwrap();
    table.remarks.push(format!(
        "All of these but the last four befell one process, {:.0} s long: {:.1} MiB resident after the first, {:.1} MiB after the \
         last, {files} open files.",
        began.elapsed().as_secs_f64(),
        warm as f64 / 1024.0,
        memory as f64 / 1024.0,
    ));
    let restarts: Vec<&Fault> = faults::RESTARTS.iter().collect();
    let at_once = Rules { rest: Duration::ZERO, is_timed: true };
    suffer_all(&mut device, &restarts, &mut random, at_once, &mut table);
    let fed = faults::feed_commands(&device, &mut random, 40);
    table.remarks.push(format!(
        "Garbage to commands that read once ({fed}): `config --check` ends with 0 or 1, `listen -` with 0; none panics."
    ));
    assert!(device.end("TERM").success());
    let heading = format!("`make chaos SEED={seed}`, {}.", table::occasion());
    println!("{heading}\n\n{}", table.text());
    if let Some(document) = document() {
        table::keep(&document, "faults", &heading, &table.text());
    }
}
