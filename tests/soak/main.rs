//! Hours of listening at accelerated time, with everything going wrong on schedule: the verdicts are those of a clean run outside
//! the faults' shadows, memory stays flat, nothing panics. `make soak` runs a day of it in release form and prints the table of
//! tests/RELIABILITY.md; an ordinary test run has some minutes.
//!
//! Everything is what runs on a device (supervisor, conditioner, front-end, native engine with the shipped model, decision,
//! supervised display, event socket), in step with a clock that counts samples. Real: the event socket and its clients. Simulated:
//! microphone, display bus, clock.
#![cfg(all(feature = "native", feature = "tell", feature = "leds"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod compare;
#[path = "../bench/counting.rs"]
mod counting;
mod house;
mod microphone;
mod world;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

use harmonynet::capture::{Capture, Channel, ManualClock, Supervisor};
use harmonynet::classify::native::{Model, NativeClassifier};
use harmonynet::classify::package::Package;
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::Labels;
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, Summary, listen_in_step};
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::spec::{FrontendSpec, SAMPLE_RATE_HZ, WindowLength};

use compare::{Said, compare, recoveries, seconds, shadow, spoiled};
use house::House;
use microphone::{Site, Trouble};
use world::{Event, Fault, Harm, World, schedule};

/// Seconds of the world between two looks at the resident set.
const MEMORY_LOOKS: f64 = 600.0;
/// Verdicts per second at most, changes of state included.
const VERDICTS_PER_SECOND: u64 = 4;

/// Blocks of a verdict period: as many as frames.
const BLOCKS: usize = FrontendSpec::SHIPPED.verdict_frames();

/// What a run left behind.
struct Run {
    said: Vec<Said>,
    /// The resident set, KiB, and when in seconds of the world.
    memory: Vec<(f64, u64)>,
    allocations: u64,
    took: f64,
    /// The least time, seconds, that recognizing a block took at each place of the verdict period.
    costs: [f64; BLOCKS],
}

/// What the run with faults left behind besides.
struct Aftermath {
    summary: Summary,
    troubles: Vec<Trouble>,
    house: House,
    /// Seconds by which the stream's time was off at the end.
    drift: f64,
}

/// Takes note of what is said and how much memory there is.
struct Diary {
    name: &'static str,
    run: Run,
    ends: u64,
    began: Instant,
    looked: f64,
}

impl Diary {
    fn new(name: &'static str, ends: u64) -> Self {
        let said = room((ends * VERDICTS_PER_SECOND) as usize, Said::default());
        let memory = room((ends as f64 / MEMORY_LOOKS) as usize + 2, (0.0, 0));
        let run = Run { said, memory, allocations: 0, took: 0.0, costs: [f64::INFINITY; BLOCKS] };
        Self { name, run, ends, began: Instant::now(), looked: f64::NEG_INFINITY }
    }

    fn look(&mut self, now: f64) {
        if now - self.looked < MEMORY_LOOKS {
            return;
        }
        self.looked = now;
        self.run.memory.push((now, resident()));
        if self.run.memory.len() % 6 == 1 {
            eprintln!(
                "{}: {:.1} h of {:.1} h heard in {:.0} s, {} verdicts, resident {} KiB",
                self.name,
                now / 3600.0,
                self.ends as f64 / 3600.0,
                self.began.elapsed().as_secs_f64(),
                self.run.said.len(),
                self.run.memory.last().map_or(0, |look| look.1)
            );
        }
    }

    fn close(self, allocations: u64) -> Run {
        Run { allocations, took: self.began.elapsed().as_secs_f64(), ..self.run }
    }
}

/// KiB of the resident set.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| 4 * pages)
}

/// A vector whose memory is there from the beginning, so that filling it doesn't look like a leak.
fn room<T: Clone>(count: usize, value: T) -> Vec<T> {
    let mut room = vec![value; count];
    room.clear();
    room
}

/// Makes devices that nothing ever happened to.
struct Factory {
    model: Model<Cow<'static, [u8]>>,
    temperature: f32,
    policy: Policy,
    labels: Labels,
}

impl Factory {
    fn new() -> Self {
        let package = Package::open(concat!(env!("CARGO_MANIFEST_DIR"), "/models/harmonynet")).unwrap();
        let manifest = package.manifest();
        let policy = Policy { unsure_below: manifest.unsure_below, ..Policy::DEFAULT }
            .for_window(manifest.window().unwrap(), FrontendSpec::SHIPPED.hop);
        let model = Model::new(package.native().unwrap()).unwrap();
        Self { model, temperature: manifest.temperature, policy, labels: manifest.labels() }
    }

    fn device(&self) -> Recognizer<NativeClassifier<Cow<'static, [u8]>>> {
        let engine = NativeClassifier::new(self.model.clone(), self.temperature);
        let decider = Decider::new(self.policy, self.labels.len()).unwrap();
        Recognizer::new(Frontend::new(FrontendSpec::SHIPPED).unwrap(), engine, decider)
    }
}

/// The clean run: the same sound in the same blocks, for a device that is switched on anew wherever sound comes back.
fn run_clean(factory: &Factory, world: World, events: Vec<Event>, ends: u64) -> Run {
    let clock = ManualClock::default();
    let site = Site::new(world, clock.clone(), events, ends);
    let opening = Rc::clone(&site);
    let mut supervisor = Supervisor::new(move || Site::open(&opening), Channel::Mix, clock);
    let mut diary = Diary::new("clean", ends);
    let (mut device, mut blocks) = (Some(factory.device()), 0);
    let allocations = counting::allocations(|| {
        loop {
            match supervisor.next() {
                Capture::Block(block, _) => {
                    if block.lost > 0 {
                        (device, blocks) = (Some(factory.device()), 0);
                    }
                    let now = site.borrow().now().as_secs_f64();
                    diary.look(now);
                    if let Some(device) = &mut device {
                        let began = Instant::now();
                        device.push(block, |_, verdict, scores| {
                            diary.run.said.push(Said::new(verdict.at, now, verdict.state, scores));
                        });
                        // While the window fills, and in silence, nothing is computed for verdicts; before a gap blocks are short.
                        let judges = diary.run.said.last().is_some_and(Said::is_scored);
                        if judges && blocks > WindowLength::SHIPPED.frames() && block.samples.is_full() {
                            let cost = &mut diary.run.costs[blocks % BLOCKS];
                            *cost = cost.min(began.elapsed().as_secs_f64());
                        }
                        blocks += 1;
                    }
                }
                Capture::Fault { .. } => device = None,
                Capture::End(_) => break,
                Capture::Opened(_) | Capture::Waiting => {}
            }
        }
    });
    diary.close(allocations)
}

/// The run with faults, through what the program runs.
fn run_faulty(factory: &Factory, world: World, events: Vec<Event>, ends: u64) -> (Run, Aftermath) {
    let clock = ManualClock::default();
    let site = Site::new(world, clock.clone(), events, ends);
    let opening = Rc::clone(&site);
    let supervisor = Supervisor::new(move || Site::open(&opening), Channel::Mix, clock.clone());
    let mut house = House::new(&factory.labels);
    let mut diary = Diary::new("with faults", ends);
    let (mut last, mut summary) = ((0.0, 0), Summary::default());
    let allocations = counting::allocations(|| {
        summary =
            listen_in_step(&Tracer::new(clock), supervisor, factory.device(), &factory.labels, |news| {
                let now = site.borrow().now().as_secs_f64();
                let scene = match news {
                    News::Verdict(scene, scores) => {
                        diary.run.said.push(Said::new(scene.at, now, scene.state, scores.as_ref()));
                        house.teller.verdict(&scene);
                        scene
                    }
                    News::Level(scene) => scene,
                    _ => return ControlFlow::Continue(()),
                };
                for event in std::mem::take(&mut site.borrow_mut().of_the_house) {
                    match event.fault {
                        Fault::Display(seconds) => house.break_bus(scene.at, seconds),
                        Fault::Socket(how) => house.misbehave(how),
                        _ => {}
                    }
                }
                house.show(&scene);
                last = (now, scene.at);
                diary.look(now);
                ControlFlow::Continue(())
            });
    });
    let drift = last.1 as f64 / f64::from(SAMPLE_RATE_HZ) - last.0;
    let troubles = std::mem::take(&mut site.borrow_mut().troubles);
    (diary.close(allocations), Aftermath { summary, troubles, house, drift })
}

fn parameter(name: &str, preset: f64) -> f64 {
    std::env::var(name).map_or(preset, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

#[test]
fn verdicts_outside_the_faults_shadows_are_those_of_a_clean_run() {
    // Half an hour has nearly every kind of fault once.
    let hours = parameter("HARMONYNET_SOAK_HOURS", 0.5);
    let seed = parameter("HARMONYNET_SOAK_SEED", 1.0) as u64;
    let ends = (hours * 3600.0) as u64;
    let events = schedule(ends, seed);
    let (factory, world) = (Factory::new(), World::new(ends, seed));
    let gaps = events.iter().filter(|event| matches!(event.fault.harm(), Harm::Gap | Harm::Reopens));
    let clean = run_clean(&factory, world.clone(), gaps.copied().collect(), ends);
    let (faulty, after) = run_faulty(&factory, world.with(&events), events.clone(), ends);
    let found = compare(&clean.said, &faulty.said, &after.troubles);
    let recovered = recoveries(&clean.said, &faulty.said, &after.troubles);

    let report = report(&clean, (&faulty, &after), &found, &recovered, (hours, seed));
    println!("{report}");
    if let Ok(path) = std::env::var("HARMONYNET_SOAK_REPORT") {
        std::fs::write(path, &report).unwrap();
    }

    assert_eq!(after.troubles.len(), events.len(), "every fault happened");
    assert!(clean.said.len() > ends as usize, "{} verdicts of the clean run", clean.said.len());
    assert!(
        found.different.is_empty(),
        "outside every shadow the clean run says otherwise: {:?}",
        found.different
    );
    assert!(found.other_scores.is_empty(), "scores outside every shadow: {:?}", found.other_scores);
    let (spoiled, differ) = found.after_spoiled;
    assert!(100 * differ <= spoiled, "after spoiled sound {differ} of {spoiled} verdicts differ");
    assert!(found.outside > found.shadowed, "{found:?}: nothing much was compared");
    let harmful = after.troubles.iter().filter(|trouble| trouble.event.fault.harm() != Harm::None).count();
    assert_eq!(recovered.len(), harmful, "after every fault the right verdict came again");
    let count = |kind: fn(&Fault) -> bool| events.iter().filter(|event| kind(&event.fault)).count();
    assert_eq!(after.summary.microphone.overruns as usize, count(|fault| matches!(fault, Fault::Overrun(_))));
    assert_eq!(after.house.display_back.len(), count(|fault| matches!(fault, Fault::Display(_))));
    assert!(after.house.display_back.iter().all(|&waited| waited <= 4.2), "{:?}", after.house.display_back);
    assert_eq!(after.summary.missed_news + after.summary.dropped, 0);
    // A supervisor that counts lost time in whole microseconds is off by less than a sample for each fault, and a period.
    assert!(after.drift.abs() < 0.1 + 0.001 * events.len() as f64, "off by {} s", after.drift);
    // From the first hour (of a short run: from its middle) on, nothing grows. Pages that the allocator holds come and go.
    let looks = &faulty.memory;
    let settled = looks.iter().position(|look| look.0 >= 3600.0).unwrap_or(looks.len() / 2);
    let (first, most) = (looks[settled].1, looks[settled..].iter().map(|look| look.1).max().unwrap());
    assert!(most <= first + 2048, "the resident set grew from {first} to {most} KiB");
}

fn report(
    clean: &Run,
    (faulty, after): (&Run, &Aftermath),
    found: &compare::Comparison,
    recovered: &[(Trouble, f64)],
    (hours, seed): (f64, u64),
) -> String {
    let memory = |run: &Run| {
        let settled = run.memory.iter().filter(|look| look.0 >= 3600.0).map(|look| look.1);
        let all = run.memory.iter().map(|look| look.1);
        let looks: Vec<u64> = if run.memory.len() > 6 { settled.collect() } else { all.collect() };
        format!("{}–{} KiB", looks.iter().min().unwrap(), looks.iter().max().unwrap())
    };
    let per_verdict = |run: &Run| run.allocations as f64 / run.said.len() as f64;
    let counters = after.summary.microphone;
    let mean = clean.costs.iter().sum::<f64>() / BLOCKS as f64;
    let worst = clean.costs.iter().copied().fold(0.0, f64::max);
    let speed = |run: &Run| hours * 3600.0 / run.took;
    let mut text = format!(
        "| {hours} h of sound, seed {seed} | clean | with faults |\n| --- | --- | --- |\n\
         | computed in | {:.0} s, {:.0} × real time | {:.0} s, {:.0} × |\n\
         | verdicts, changes of state included | {} | {} |\n\
         | resident set, after the first hour where there is more than one | {} | {} |\n\
         | allocations of the listening thread per verdict | {:.3} | {:.3} |\n\
         | recognizing a block of 23.2 ms, least times: mean of a verdict period, its worst block | {:.0} µs, {:.2} × that | |\n\n",
        clean.took,
        speed(clean),
        faulty.took,
        speed(faulty),
        clean.said.len(),
        faulty.said.len(),
        memory(clean),
        memory(faulty),
        per_verdict(clean),
        per_verdict(faulty),
        1e6 * mean,
        worst / mean,
    );
    let _ = writeln!(
        text,
        "{} faults. Outside every shadow: {} verdicts, of which {} differ; {} scores, of which {} are not the same bits. In a \
         shadow: {} verdicts. From {} frames after spoiled sound to the next gap: {} verdicts, of which {} differ. Microphone: \
         opened {} times, refused {}, failed {}, {} overruns, {:.1} s lost. Display: lost and back {} times, {} pictures. The \
         stream's time was off by {:.1} ms at the end.\n",
        after.troubles.len(),
        found.outside,
        found.different.len(),
        found.scored,
        found.other_scores.len(),
        found.shadowed,
        spoiled(),
        found.after_spoiled.0,
        found.after_spoiled.1,
        counters.opened,
        counters.refused,
        counters.failed,
        counters.overruns,
        counters.lost_samples as f64 / f64::from(SAMPLE_RATE_HZ),
        after.house.display_back.len(),
        after.house.pictures(),
        1000.0 * after.drift
    );
    text += "| fault | times | shadow: scores | verdicts, frames | recovery: least | median | most, s |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- |\n";
    let mut kinds: Vec<Fault> = after.troubles.iter().map(|trouble| trouble.event.fault).collect();
    kinds.sort_unstable_by_key(|fault| fault.kind());
    kinds.dedup_by_key(|fault| fault.kind());
    for fault in kinds {
        let kind = fault.kind();
        let times = after.troubles.iter().filter(|trouble| trouble.event.fault.kind() == kind).count();
        let mut waits: Vec<f64> = if matches!(fault, Fault::Display(_)) {
            after.house.display_back.clone()
        } else {
            recovered
                .iter()
                .filter(|(trouble, _)| trouble.event.fault.kind() == kind)
                .map(|wait| wait.1)
                .collect()
        };
        waits.sort_unstable_by(f64::total_cmp);
        let row = match &waits[..] {
            [] => "nothing disturbed | | ".to_string(),
            [least, ..] => {
                format!("{least:.2} | {:.2} | {:.2}", waits[waits.len() / 2], waits[waits.len() - 1])
            }
        };
        let shadow = match shadow(fault.harm()) {
            Some((scores, verdicts)) => format!("{scores} | {verdicts}"),
            None => "to the next gap | to the next gap".to_string(),
        };
        let _ = writeln!(text, "| {kind} | {times} | {shadow} | {row} |");
    }
    let _ = writeln!(text, "\nA frame is {:.1} ms.", 1000.0 * seconds(1));
    text
}
