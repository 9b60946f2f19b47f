//! One engine over a number of windows, or the signal path over so much sound, and nothing else: what `make insn` runs under an
//! emulator that counts instructions.
//!
//! `insn window ENGINE WINDOWS`, `insn path ENGINE SECONDS`, `insn periods UNTIL PERIODS`, `insn kernels`. An engine is a native
//! kernel's name, or with the feature `tract` one of `tract-float` and `tract-int8`. The path until `capture` (conversion,
//! resampling), until `frontend`, until `decision` with an engine that computes nothing, or whole, with an engine's name.

use std::hint::black_box;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{Channel, Conditioner, SampleFormat};
use harmonynet::classify::native::{Kernel, Model, NativeClassifier};
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{Block, Level, LogMel, Scores};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::{FrontendSpec, MEL_BANDS, WindowLength};

/// Why nothing was run.
type Failure = Box<dyn std::error::Error>;

/// What a microphone of these boards gives: an I2S microphone's rate, format and channels.
const RATE_HZ: u32 = 48_000;
/// Periods of a second: 20 ms each.
const PERIODS: usize = 50;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["kernels"] => Kernel::available().for_each(|kernel| println!("{}", kernel.name())),
        ["window", name, count] => windows(engine(name)?.as_mut(), count.parse()?)?,
        ["path", name, count] => path(name, PERIODS * count.parse::<usize>()?)?,
        ["periods", until, count] => path(until, count.parse()?)?,
        _ => println!(
            "usage: insn kernels | insn window ENGINE WINDOWS | insn path ENGINE SECONDS | insn periods UNTIL PERIODS"
        ),
    }
    Ok(())
}

/// Windows, each of them heard from its first frame on, and their verdicts.
fn windows(engine: &mut dyn Classifier, count: usize) -> Result<(), Failure> {
    let frame = |n: usize| LogMel {
        end: n as u64,
        level: Level::SILENCE,
        bands: core::array::from_fn(|band| ((n * 977 + band * 131) % 4001) as i16 - 2000),
    };
    const { assert!(MEL_BANDS == 128) };
    let frames: Vec<LogMel> = (0..engine.window().frames()).map(frame).collect();
    for _ in 0..count {
        engine.reset();
        frames.iter().for_each(|frame| engine.push(black_box(frame)));
        black_box(engine.scores()?);
    }
    Ok(())
}

fn engine(name: &str) -> Result<Box<dyn Classifier>, Failure> {
    #[cfg(feature = "tract")]
    if let Some(precision) = name.strip_prefix("tract-") {
        return tract(precision);
    }
    let model = Model::new(std::fs::read("models/harmonynet/native.hnn")?)?;
    let kernel = Kernel::available().find(|kernel| kernel.name() == name).ok_or("no such kernel here")?;
    Ok(Box::new(NativeClassifier::with_kernel(model, 1.0, kernel)))
}

#[cfg(feature = "tract")]
fn tract(precision: &str) -> Result<Box<dyn Classifier>, Failure> {
    use harmonynet::classify::manifest::Precision;
    use harmonynet::classify::package::Package;
    use harmonynet::classify::tract::{LoadOptions, TractClassifier};

    let precision = match precision {
        "float" => Precision::Float,
        "int8" => Precision::Int8,
        _ => return Err("tract-float or tract-int8".into()),
    };
    let package = Package::open(std::path::Path::new("models/harmonynet"))?;
    let options = LoadOptions { precision, ..LoadOptions::default() };
    Ok(Box::new(TractClassifier::load(&package, &options)?))
}

/// So many periods of sound through the path until one of its stages, or through all of it.
fn path(until: &str, periods: usize) -> Result<(), Failure> {
    let spec = FrontendSpec::SHIPPED;
    let frontend = Frontend::new(spec)?;
    let engine: Box<dyn Classifier> = match until {
        "capture" => {
            return hear(periods, |block| {
                black_box(block);
            });
        }
        "frontend" => {
            let mut state = FrontendState::default();
            return hear(periods, |block| {
                frontend.push(&mut state, block, |frame| {
                    black_box(frame);
                });
            });
        }
        "decision" => Box::new(Idle::default()),
        name => engine(name)?,
    };
    let policy = Policy::DEFAULT.for_window(engine.window(), spec.hop);
    let mut recognizer = Recognizer::new(frontend, Chosen(engine), Decider::new(policy, LABELS)?);
    hear(periods, |block| {
        recognizer.push(block, |_, verdict, _| {
            black_box(verdict);
        });
    })
}

/// Periods of sound as a microphone gives it, with a verdict every 0.56 s. The music is rendered beforehand, a second of it, and
/// heard over and over.
fn hear(periods: usize, mut take: impl FnMut(&Block)) -> Result<(), Failure> {
    let mut conditioner = Conditioner::new(RATE_HZ, 2, Channel::Mix)?;
    let bytes: Vec<u8> = DemoPlayer::new(Piece::Disco, RATE_HZ)
        .take(RATE_HZ as usize)
        .flat_map(|sample| [sample.to_le_bytes(), sample.to_le_bytes()].concat())
        .collect();
    let mut period = [0i32; 2 * RATE_HZ as usize / PERIODS];
    for bytes in bytes.chunks_exact(size_of_val(&period)).cycle().take(periods) {
        let count = SampleFormat::S32Le.decode(black_box(bytes), &mut period);
        let mut unread = &period[..count];
        while let Some(block) = conditioner.feed(&mut unread) {
            take(block);
        }
    }
    Ok(())
}

/// As many labels as the shipped model has.
const LABELS: usize = 10;

/// An engine that computes nothing and is always sure.
#[derive(Default)]
struct Idle {
    frames: usize,
    end: u64,
}

impl Classifier for Idle {
    fn window(&self) -> WindowLength {
        WindowLength::SHIPPED
    }

    fn push(&mut self, frame: &LogMel) {
        (self.frames, self.end) = (self.frames + 1, frame.end);
    }

    fn reset(&mut self) {
        self.frames = 0;
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        let probabilities = (0..LABELS).map(|label| if label == 0 { 1.0 } else { 0.0 }).collect();
        let is_full = self.frames >= WindowLength::SHIPPED.frames();
        if is_full { Ok(Scores { end: self.end, probabilities }) } else { Err(ClassifyError::NotReady) }
    }
}

/// An engine of either kind, for a recognizer of one kind.
struct Chosen(Box<dyn Classifier>);

impl Classifier for Chosen {
    fn window(&self) -> WindowLength {
        self.0.window()
    }

    fn push(&mut self, frame: &LogMel) {
        self.0.push(frame);
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn scores(&mut self) -> Result<Scores, ClassifyError> {
        self.0.scores()
    }
}
