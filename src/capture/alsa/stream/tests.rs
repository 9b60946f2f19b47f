//! A simulated device that captures by the clock, overruns when it isn't read, and can be made to misbehave.

use super::*;
use crate::capture::{Access, ManualClock};

const RATE: u32 = 48_000;
const PERIOD: u32 = 960;
const BUFFER: u64 = 24_000;

fn granted() -> Granted {
    Granted {
        rate_hz: RATE,
        channels: 1,
        encoding: "S32_LE",
        period_frames: PERIOD,
        buffer_frames: BUFFER as u32,
        access: Access::MemoryMapped,
    }
}

/// What the device does instead of working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Delivers nothing and says so.
    Mute,
    /// Says that there is sound and delivers none.
    Liar,
    /// Like a file at its end: frames are available and reads bring none.
    Empty,
    /// Was suspended; wakes after this many attempts to resume, or never can.
    Suspended {
        attempts: u32,
        resumes: bool,
    },
    /// Overruns as soon as it is started.
    Hopeless,
    Gone,
    /// The program is stopped for ten seconds while it waits; afterwards all is well.
    Stopped,
}

/// Sample values are the numbers of the frames since the device was plugged in.
#[derive(Debug)]
struct Simulated {
    clock: ManualClock,
    mood: Mood,
    running: bool,
    /// Frame number of the next sample to be read.
    next: u64,
    starts: u32,
    calls: u32,
}

impl Simulated {
    fn new(clock: &ManualClock, mood: Mood) -> Self {
        Self { clock: clock.clone(), mood, running: false, next: 0, starts: 0, calls: 0 }
    }

    fn captured(&self) -> u64 {
        (self.clock.now().as_micros() * u128::from(RATE) / 1_000_000) as u64
    }
}

impl Pcm for Simulated {
    fn available(&mut self) -> Result<usize, PcmError> {
        self.calls += 1;
        match self.mood {
            Mood::Gone => return Err(PcmError::Gone),
            Mood::Suspended { .. } => return Err(PcmError::Suspended),
            Mood::Mute | Mood::Liar => return Ok(0),
            Mood::Empty => return Ok(BUFFER as usize),
            Mood::Hopeless => return Err(PcmError::Overrun),
            Mood::Well | Mood::Stopped => {}
        }
        let waiting = self.captured() - self.next;
        if !self.running || waiting >= BUFFER {
            self.running = false;
            return Err(PcmError::Overrun);
        }
        Ok(waiting as usize)
    }

    fn read(&mut self, into: &mut [i32]) -> Result<usize, PcmError> {
        if self.mood == Mood::Empty {
            return Ok(0);
        }
        for sample in into.iter_mut() {
            *sample = self.next as i32;
            self.next += 1;
        }
        Ok(into.len())
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool, PcmError> {
        if self.mood == Mood::Liar {
            return Ok(true);
        }
        if self.mood == Mood::Stopped {
            self.mood = Mood::Well;
            self.clock.advance(Duration::from_secs(10));
            return Ok(true);
        }
        let waiting = self.captured() - self.next;
        let missing = u64::from(PERIOD).saturating_sub(waiting);
        let time = Duration::from_micros(missing * 1_000_000 / u64::from(RATE) + 1);
        self.clock.advance(if self.mood == Mood::Mute { timeout } else { time.min(timeout) });
        Ok(self.mood == Mood::Well)
    }

    fn start(&mut self) -> Result<(), PcmError> {
        self.running = true;
        self.next = self.captured();
        self.starts += 1;
        Ok(())
    }

    fn prepare(&mut self) -> Result<(), PcmError> {
        if let Mood::Suspended { .. } = self.mood {
            self.mood = Mood::Well;
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), PcmError> {
        match &mut self.mood {
            Mood::Suspended { attempts, .. } if *attempts > 0 => {
                *attempts -= 1;
                Err(PcmError::Again)
            }
            Mood::Suspended { resumes: true, .. } => {
                self.mood = Mood::Well;
                self.start()
            }
            _ => Err(PcmError::Os(38)),
        }
    }

    /// A driver that counts frames whenever it is asked.
    fn counted(&mut self) -> Result<(Nanos, u64), PcmError> {
        Ok((self.clock.nanos(), self.captured() - self.next))
    }
}

#[test]
fn a_period_is_stamped_with_when_its_last_frame_was_captured() {
    let (mut stream, clock) = stream(Mood::Well);
    clock.advance(Duration::from_millis(50));
    let (reading, first) = read(&mut stream);
    assert_eq!((reading, first), (Ok(Reading { lost: 0, frames: PERIOD as usize }), 0));
    // Read late: at 50 ms, but it ended at 20 ms.
    assert_eq!(stream.captured(), Stamp::At(20_000_000));
}

fn stream(mood: Mood) -> (Stream<Simulated, ManualClock>, ManualClock) {
    let clock = ManualClock::default();
    (Stream::start(Simulated::new(&clock, mood), granted(), clock.clone()).unwrap(), clock)
}

/// Reads a period; what it was, and the number of its first frame.
fn read(stream: &mut Stream<Simulated, ManualClock>) -> (Result<Reading, CaptureError>, i64) {
    let mut into = [-1; PERIOD as usize];
    (stream.read(&mut into), i64::from(into[0]))
}

const WHOLE: Reading = Reading { lost: 0, frames: PERIOD as usize };

#[test]
fn periods_follow_each_other() {
    let (mut stream, clock) = stream(Mood::Well);
    for k in 0..100 {
        assert_eq!(read(&mut stream), (Ok(WHOLE), k * i64::from(PERIOD)));
    }
    assert!(clock.now() < Duration::from_millis(2_001));
    assert!(stream.pcm.calls < 500, "{} looks for 100 periods", stream.pcm.calls);
}

#[test]
fn a_late_reader_catches_up_within_the_buffer() {
    let (mut stream, clock) = stream(Mood::Well);
    clock.advance(Duration::from_millis(300));
    for k in 0..20 {
        assert_eq!(read(&mut stream), (Ok(WHOLE), k * i64::from(PERIOD)));
    }
}

#[test]
fn an_overrun_counts_what_was_captured_and_never_read() {
    let (mut stream, clock) = stream(Mood::Well);
    read(&mut stream).0.unwrap();
    // Half of the second period is in the buffer, then the reader sleeps 1.5 s.
    clock.advance(Duration::from_millis(10));
    let slept = Duration::from_millis(1_490);
    clock.advance(slept);
    let (reading, first) = read(&mut stream);
    let lost = reading.unwrap().lost;
    let exact = u64::try_from(first).unwrap() - u64::from(PERIOD);
    assert!(lost.abs_diff(exact) <= 1, "{lost} counted, {exact} lost");
    assert_eq!(stream.pcm.starts, 2);
    assert_eq!(read(&mut stream).0, Ok(WHOLE));
}

#[test]
fn a_program_that_was_stopped_lost_sound_and_no_microphone() {
    let (mut stream, _) = stream(Mood::Stopped);
    let (reading, _) = read(&mut stream);
    let reading = reading.unwrap();
    assert_eq!(reading.frames, PERIOD as usize);
    assert!(reading.lost >= u64::from(10 * RATE), "{reading:?}");
}

#[test]
fn what_lay_in_the_buffer_is_counted_as_lost() {
    let (mut stream, clock) = stream(Mood::Well);
    clock.advance(Duration::from_millis(100));
    read(&mut stream).0.unwrap();
    assert_eq!(stream.backlog, 4 * u64::from(PERIOD));
    clock.advance(Duration::from_millis(900));
    let (reading, first) = read(&mut stream);
    let exact = u64::try_from(first).unwrap() - u64::from(PERIOD);
    assert!(reading.unwrap().lost.abs_diff(exact) <= 1);
}

#[test]
fn a_suspend_is_got_over_with_and_without_help_from_the_hardware() {
    for resumes in [true, false] {
        let (mut stream, clock) = stream(Mood::Well);
        read(&mut stream).0.unwrap();
        stream.pcm.mood = Mood::Suspended { attempts: 3, resumes };
        clock.advance(Duration::from_millis(250));
        let (reading, first) = read(&mut stream);
        let lost = reading.unwrap().lost;
        let exact = u64::try_from(first).unwrap() - u64::from(PERIOD);
        assert!(lost >= 12_000 && lost.abs_diff(exact) <= 1, "{lost} counted, {exact} lost");
    }
}

#[test]
fn a_device_without_sound_stalls_after_two_seconds() {
    for mood in [Mood::Mute, Mood::Liar, Mood::Empty, Mood::Hopeless] {
        let (mut stream, clock) = stream(mood);
        assert_eq!(read(&mut stream).0, Err(CaptureError::Stalled), "{mood:?}");
        assert!(clock.now() >= STALL_AFTER && clock.now() < STALL_AFTER * 2, "{mood:?}: {:?}", clock.now());
        // Never a spin: a look every quarter of a period at most.
        assert!(stream.pcm.calls < 500, "{mood:?}: {} looks", stream.pcm.calls);
    }
}

#[test]
fn an_unplugged_device_is_lost_at_once() {
    let (mut stream, clock) = stream(Mood::Well);
    read(&mut stream).0.unwrap();
    let before = clock.now();
    stream.pcm.mood = Mood::Gone;
    assert_eq!(read(&mut stream).0, Err(CaptureError::Lost));
    assert_eq!(clock.now(), before);
}
