//! Scripted microphones and a clock that the test moves.

use super::*;
use crate::capture::{Access, FaultInjector, Faults, ManualClock, Reading};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// What a scripted read does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Brings this many periods of 20 ms, one per read.
    Sound(u32),
    /// Brings a period after so many lost frames.
    Overrun(u64),
    /// Brings nothing.
    Zero,
    /// Fails, and takes this many milliseconds for it.
    Fail(CaptureError, u64),
}

/// Plays its steps and moves the clock as a device would; after the last step the sound goes on.
struct Scripted {
    rate_hz: u32,
    steps: VecDeque<Step>,
    clock: ManualClock,
}

impl Microphone for Scripted {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: self.rate_hz,
            channels: 1,
            encoding: "script",
            period_frames: self.rate_hz / 50,
            buffer_frames: 0,
            access: Access::Stream,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let step = self.steps.front_mut();
        let reading = match step {
            None => Reading { lost: 0, frames: into.len() },
            Some(Step::Sound(periods)) => {
                *periods -= 1;
                if *periods == 0 {
                    self.steps.pop_front();
                }
                Reading { lost: 0, frames: into.len() }
            }
            Some(Step::Overrun(lost)) => {
                let lost = *lost;
                self.steps.pop_front();
                Reading { lost, frames: into.len() }
            }
            Some(Step::Zero) => Reading::default(),
            Some(Step::Fail(error, millis)) => {
                self.clock.advance(Duration::from_millis(*millis));
                return Err(*error);
            }
        };
        into[..reading.frames].fill(1 << 20);
        let frames = reading.frames as u64 + reading.lost;
        self.clock.advance(Duration::from_micros(frames * 1_000_000 / u64::from(self.rate_hz)));
        Ok(reading)
    }
}

type Script = Result<(u32, Vec<Step>), CaptureError>;

/// A supervisor whose attempts to open follow `script`; the last entry is repeated.
fn supervisor(
    script: Vec<Script>,
    clock: &ManualClock,
) -> Supervisor<impl FnMut() -> Result<Scripted, CaptureError> + use<>, Scripted, ManualClock> {
    let attempt = Cell::new(0);
    let opening = clock.clone();
    let open = move || {
        let index = attempt.replace(attempt.get() + 1).min(script.len() - 1);
        let (rate_hz, steps) = script[index].clone()?;
        Ok(Scripted { rate_hz, steps: steps.into(), clock: opening.clone() })
    };
    Supervisor::new(open, Channel::Mix, clock.clone())
}

/// What happened, in words, up to a number of blocks; runs of the same are counted.
fn story<F, M>(supervisor: &mut Supervisor<F, M, ManualClock>, blocks: usize) -> Vec<String>
where
    F: FnMut() -> Result<M, CaptureError>,
    M: Microphone,
{
    let mut told: Vec<(String, usize)> = Vec::new();
    let mut heard = 0;
    for _ in 0..100_000 {
        let event = match supervisor.next() {
            Capture::Block(block, _) => {
                heard += 1;
                if block.lost > 0 { format!("block after {} lost", block.lost) } else { "block".into() }
            }
            Capture::Opened(granted) => format!("opened {}", granted.rate_hz),
            Capture::Fault { fault, .. } => format!("fault: {}", fault.short()),
            Capture::Waiting => "waiting".into(),
            Capture::End(reason) => {
                told.push((format!("end {reason:?}"), 1));
                break;
            }
        };
        match told.last_mut() {
            Some((last, count)) if *last == event => *count += 1,
            _ => told.push((event, 1)),
        }
        if heard == blocks {
            break;
        }
    }
    told.into_iter()
        .map(|(event, count)| if count == 1 { event } else { format!("{event} ×{count}") })
        .collect()
}

#[test]
fn a_microphone_that_is_not_there_yet_is_waited_for() {
    let clock = ManualClock::default();
    let missing: Script = Err(CaptureError::Missing);
    let mut supervisor =
        supervisor(vec![missing.clone(), missing.clone(), missing, Ok((48_000, vec![]))], &clock);
    // 0.5 s, 1 s and 2 s in steps of 100 ms; repeated refusals are not told again.
    let expected = ["fault: no mic", "waiting ×37", "opened 48000", "block"];
    assert_eq!(story(&mut supervisor, 1), expected);
    assert_eq!(supervisor.counters(), Counters { opened: 1, refused: 3, ..Counters::default() });
}

#[test]
fn an_unplugged_microphone_comes_back_and_the_time_between_is_lost() {
    let clock = ManualClock::default();
    let script = vec![
        Ok((48_000, vec![Step::Sound(50), Step::Fail(CaptureError::Lost, 0)])),
        Err(CaptureError::Missing),
        Ok((16_000, vec![])),
    ];
    let mut supervisor = supervisor(script, &clock);
    let told = story(&mut supervisor, 45);
    // One second of sound makes 43 blocks and a rest; 1.5 s of waiting are 33,075 samples.
    let expected = [
        "opened 48000",
        "block ×43",
        "fault: mic lost",
        "waiting ×5",
        "fault: no mic",
        "waiting ×10",
        "opened 16000",
        "block",
        "block after 33075 lost",
    ];
    assert_eq!(told, expected);
    assert_eq!(clock.now(), Duration::from_millis(1_000 + 1_500 + 40));
    let counters = supervisor.counters();
    assert_eq!(
        (counters.opened, counters.refused, counters.failed, counters.lost_samples),
        (2, 1, 1, 33_075)
    );
}

#[test]
fn a_stall_is_reported_and_counted_as_lost_time() {
    let clock = ManualClock::default();
    let script = vec![Ok((22_050, vec![Step::Fail(CaptureError::Stalled, 2_000)])), Ok((22_050, vec![]))];
    let told = story(&mut supervisor(script, &clock), 1);
    assert_eq!(told[..2], ["opened 22050", "fault: mic stalled"]);
    assert_eq!(told.last().unwrap(), &format!("block after {} lost", 22_050 * 5 / 2));
}

#[test]
fn reads_of_nothing_are_a_stall_and_never_a_spin() {
    let clock = ManualClock::default();
    let mut supervisor = supervisor(vec![Ok((48_000, vec![Step::Zero]))], &clock);
    for _ in 0..1_000 {
        assert!(!matches!(supervisor.next(), Capture::Block(..)));
    }
    // 1000 calls of at most 100 ms: most of them slept.
    assert!(clock.now() > Duration::from_secs(90), "{:?}", clock.now());
    assert!(supervisor.counters().opened < 15, "{:?}", supervisor.counters());
}

#[test]
fn overruns_are_lost_samples_and_no_fault() {
    let clock = ManualClock::default();
    let script = vec![Ok((44_100, vec![Step::Sound(3), Step::Overrun(4_410), Step::Sound(10)]))];
    let mut supervisor = supervisor(script, &clock);
    assert_eq!(story(&mut supervisor, 4), ["opened 44100", "block ×3", "block after 2205 lost"]);
    assert_eq!(supervisor.counters().overruns, 1);
    assert_eq!(supervisor.counters().lost_samples, 2_205);
}

#[test]
fn a_flapping_microphone_is_opened_ever_less_often() {
    let clock = ManualClock::default();
    let script = vec![Ok((48_000, vec![Step::Sound(2), Step::Fail(CaptureError::Lost, 0)]))];
    let mut supervisor = supervisor(script, &clock);
    while clock.now() < Duration::from_secs(120) {
        supervisor.next();
    }
    let opened = supervisor.counters().opened;
    assert!((12..18).contains(&opened), "opened {opened} times in two minutes");
}

#[test]
fn ten_healthy_seconds_forgive() {
    let clock = ManualClock::default();
    let failing = || Ok((48_000, vec![Step::Fail(CaptureError::Lost, 0)]));
    let healthy = Ok((48_000, vec![Step::Sound(600), Step::Fail(CaptureError::Lost, 0)]));
    let mut supervisor =
        supervisor(vec![failing(), failing(), failing(), failing(), healthy, Ok((48_000, vec![]))], &clock);
    let told = story(&mut supervisor, 600);
    let waits: Vec<_> = told.iter().filter(|event| event.starts_with("waiting")).collect();
    assert_eq!(waits.last().unwrap().as_str(), "waiting ×5", "{told:?}");
}

#[test]
fn a_recording_ends_with_its_last_samples() {
    for (error, told) in [(CaptureError::Ended, "end None"), (CaptureError::Broken, "end Some(Broken)")] {
        let clock = ManualClock::default();
        let script = vec![Ok((22_050, vec![Step::Sound(2), Step::Fail(error, 0)]))];
        let mut supervisor = supervisor(script, &clock);
        assert_eq!(story(&mut supervisor, 10), ["opened 22050", "block ×2", told]);
        assert_eq!(supervisor.conditioner.as_ref().unwrap().position(), 882);
        assert!(matches!(supervisor.next(), Capture::End(_)));
        assert_eq!(supervisor.counters().failed, 0);
    }
}

#[test]
fn a_microphone_that_cannot_be_resampled_is_a_format_fault() {
    let clock = ManualClock::default();
    let told = story(&mut supervisor(vec![Ok((8_000, vec![])), Ok((16_000, vec![]))], &clock), 1);
    assert_eq!(told, ["fault: mic format", "waiting ×5", "opened 16000", "block"]);
}

#[test]
fn under_random_faults_time_goes_on_and_every_gap_is_marked() {
    let faults = Faults { overrun: 30, short: 100, zero: 2, stall: 2, unplug: 2, clip: 20 };
    for seed in 0..20 {
        let clock = ManualClock::default();
        let (opening, seeds) = (clock.clone(), RefCell::new(seed));
        let open = move || {
            *seeds.borrow_mut() += 100;
            let steps = VecDeque::new();
            let inner = Scripted { rate_hz: 48_000, steps, clock: opening.clone() };
            Ok(FaultInjector::new(inner, faults, *seeds.borrow()))
        };
        let mut supervisor = Supervisor::new(open, Channel::Mix, clock.clone());
        let (mut next, mut gaps, mut blocks) = (0, 0, 0);
        let seen = Rc::new(Cell::new(0));
        while clock.now() < Duration::from_secs(60) {
            match supervisor.next() {
                Capture::Block(block, _) => {
                    assert_eq!(block.start, next + block.lost, "seed {seed}");
                    assert!(!block.samples.is_empty());
                    next = block.start + block.samples.len() as u64;
                    gaps += u64::from(block.lost > 0);
                    blocks += 1;
                }
                Capture::Fault { .. } => seen.set(seen.get() + 1),
                Capture::End(_) => panic!("a microphone has no end"),
                Capture::Opened(_) | Capture::Waiting => {}
            }
        }
        let counters = supervisor.counters();
        assert!(seen.get() > 0 && gaps > 0 && blocks > 100, "seed {seed}: {counters:?}");
        // The stream's time is the clock's time, but for what is still under way (waits of up to 10 s, a block).
        let seconds = next as f64 / 22_050.0;
        assert!((45.0..=60.5).contains(&seconds), "seed {seed}: {seconds} s of 60, {counters:?}");
    }
}

#[test]
fn every_period_is_told_with_a_block_and_when_it_was_read() {
    let clock = ManualClock::default();
    let scripted = Scripted { rate_hz: 48_000, steps: VecDeque::new(), clock: clock.clone() };
    let paced = crate::capture::Paced::new(scripted, crate::capture::Pace::RealTime, clock.clone());
    let mut microphone = Some(paced);
    let mut supervisor =
        Supervisor::new(|| microphone.take().ok_or(CaptureError::Ended), Channel::Mix, clock);
    let mut told = Vec::new();
    while told.len() < 50 {
        if let Capture::Block(_, periods) = supervisor.next() {
            told.extend(periods.iter().copied());
        }
    }
    for (number, period) in told.iter().enumerate() {
        let read = 20_000_000 * (number as u64 + 1);
        assert_eq!((period.frames, period.rate_hz, period.lost), (960, 48_000, 0));
        assert_eq!(
            (period.read, period.resampled, period.captured),
            (read, read, crate::flow::Stamp::At(read))
        );
        // 441 samples of 22,050 Hz each, less what the resampler still holds.
        assert!((441 * number as u64).abs_diff(period.start) <= 32, "{period:?}");
    }
}

/// A clock that goes on while it is looked at, as every real one does.
#[derive(Clone, Default)]
struct Restless(ManualClock);

impl Clock for Restless {
    fn now(&self) -> Duration {
        self.0.advance(Duration::from_millis(7));
        self.0.now()
    }

    fn sleep(&self, time: Duration) {
        self.0.sleep(time);
    }
}

#[test]
fn a_moment_that_passes_between_two_looks_at_the_clock_is_no_panic() {
    let open = || Err::<Scripted, _>(CaptureError::Missing);
    let mut supervisor = Supervisor::new(open, Channel::Mix, Restless::default());
    for _ in 0..20_000 {
        assert!(!matches!(supervisor.next(), Capture::Block(..)));
    }
    assert!(supervisor.counters().refused > 20, "{:?}", supervisor.counters());
}
