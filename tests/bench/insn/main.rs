//! One engine over a number of windows, or the whole path over a number of seconds of sound, and nothing else: what
//! `make insn` runs under an emulator that counts instructions. `insn window ENGINE WINDOWS`, `insn path ENGINE SECONDS`,
//! `insn kernels`; an engine is a native kernel's name, or with the feature `tract` one of `tract-float` and `tract-int8`.

use std::hint::black_box;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{Channel, Conditioner, SampleFormat};
use harmonynet::classify::native::{Kernel, Model, NativeClassifier};
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{Level, LogMel, Scores};
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::{FrontendSpec, MEL_BANDS, WindowLength};

/// Why nothing was run.
type Failure = Box<dyn std::error::Error>;

/// What a microphone of these boards gives: an I2S microphone's rate, format and channels.
const RATE_HZ: u32 = 48_000;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["kernels"] => Kernel::available().for_each(|kernel| println!("{}", kernel.name())),
        ["window", name, count] => windows(engine(name)?.as_mut(), count.parse()?)?,
        ["path", name, count] => path(engine(name)?, count.parse()?)?,
        _ => println!("usage: insn kernels | insn window ENGINE WINDOWS | insn path ENGINE SECONDS"),
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

/// Sound as a microphone gives it, through all stages, with a verdict every 0.56 s. The music is rendered beforehand, a
/// second of it, and heard over and over.
fn path(engine: Box<dyn Classifier>, seconds: usize) -> Result<(), Failure> {
    let spec = FrontendSpec::SHIPPED;
    let policy = Policy::DEFAULT.for_window(engine.window(), spec.hop);
    let decider = Decider::new(policy, 10)?;
    let mut recognizer = Recognizer::new(Frontend::new(spec)?, Chosen(engine), decider);
    let mut conditioner = Conditioner::new(RATE_HZ, 2, Channel::Mix)?;
    let bytes: Vec<u8> = DemoPlayer::new(Piece::Disco, RATE_HZ)
        .take(RATE_HZ as usize)
        .flat_map(|sample| [sample.to_le_bytes(), sample.to_le_bytes()].concat())
        .collect();
    // 20 ms at a time.
    let mut period = [0i32; 2 * RATE_HZ as usize / 50];
    for _ in 0..seconds {
        for bytes in bytes.chunks_exact(size_of_val(&period)) {
            let count = SampleFormat::S32Le.decode(black_box(bytes), &mut period);
            let mut unread = &period[..count];
            while let Some(block) = conditioner.feed(&mut unread) {
                recognizer.push(block, |_, verdict, _| {
                    black_box(verdict);
                });
            }
        }
    }
    Ok(())
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
