//! One window in every engine: the native one, tract, ONNX Runtime and LiteRT on the same weights and the same windows, each
//! on one thread and in its best float and int8 form. That they run the same network is checked first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hint::black_box;

use harmonynet::capture::demo::{Piece, render};
use harmonynet::classify::manifest::Precision;
use harmonynet::classify::native::{Kernel, Model, Parts};
use harmonynet::classify::package::Package;
use harmonynet::classify::tract::{LoadOptions, TractClassifier};
use harmonynet::frontend::Frontend;
use harmonynet::spec::{FrontendSpec, SAMPLE_RATE_HZ, WindowLength};

use super::convolutions::{Bands, SHAPE, peak_share};
use super::paired::{Contender, interleave};
use super::peer::{Peer, hand_over};
use super::{Failure, Figures, root, target};

/// Windows per repetition; the peer times as many.
const TIMED: usize = 4;
/// Largest difference of a probability between two engines' float forms.
const SAME_FLOAT: f64 = 1e-3;
/// Least share of windows on which a peer's int8 form says what the float graph says.
const SAME_VERDICTS: f64 = 0.9;

/// The shipped package's engines in this process.
pub(super) struct Engines {
    package: Package,
    /// The package's native model file; random weights of its shape where it has none.
    pub(super) native_file: Vec<u8>,
    pub(super) native: Model<Vec<u8>>,
    /// Whether it is the package's.
    own: bool,
    pub(super) int8: TractClassifier,
    pub(super) float: TractClassifier,
}

impl Engines {
    /// Loads all and says what runs.
    pub(super) fn load() -> Result<Self, Failure> {
        let package = Package::open(root().join("models/harmonynet"))?;
        let tract =
            |precision| TractClassifier::load(&package, &LoadOptions { precision, ..LoadOptions::default() });
        let (int8, float) = (tract(Precision::Int8)?, tract(Precision::Float)?);
        let own = package.manifest().graphs.native.is_some();
        let native_file =
            if own { package.native()?.into_owned() } else { Parts::random(&SHAPE, 1).to_file()? };
        let native = Model::new(native_file.clone())?;
        let whose = if own {
            "the package's"
        } else {
            "random weights of the package's shape: it has no native file"
        };
        println!("native: kernel {}, {whose}", Kernel::best().name());
        for (name, engine) in [("int8", &int8), ("float", &float)] {
            let products = engine.plan().iter().filter_map(|node| node.product.as_ref());
            let kernels: BTreeSet<_> = products.filter_map(|product| product.kernel.as_deref()).collect();
            println!("tract, {name}: kernels {}", kernels.into_iter().collect::<Vec<_>>().join(", "));
        }
        Ok(Self { package, native_file, native, own, int8, float })
    }

    pub(super) fn temperature(&self) -> f32 {
        self.package.manifest().temperature
    }
}

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let mut engines = Engines::load()?;
    let windows = windows()?;
    let peer = RefCell::new(start(&windows)?);
    check_same_network(&mut engines, &windows, &mut peer.borrow_mut())?;

    let temperature = engines.temperature();
    let Engines { native, int8, float, .. } = &mut engines;
    let timed = &windows[..TIMED];
    let elsewhere = |name, form: &'static str| {
        let peer = &peer;
        Contender::elsewhere(name, Box::new(move |times| peer.borrow_mut().time(&format!("{form} {times}"))))
    };
    let rounds = interleave(&mut [
        Contender::here("harmonynet, native", || {
            timed.iter().for_each(|window| in_native(native, temperature, Kernel::best(), window));
        }),
        Contender::here("tract int8", || timed.iter().for_each(|window| in_tract(int8, window))),
        Contender::here("tract f32", || timed.iter().for_each(|window| in_tract(float, window))),
        elsewhere("ONNX Runtime int8", "ort-int8"),
        elsewhere("ONNX Runtime f32", "ort-f32"),
        elsewhere("LiteRT int8", "litert-int8"),
        elsewhere("LiteRT f32", "litert-f32"),
    ])?;
    println!("windows of {} frames, one core, one thread", WindowLength::SHIPPED.frames());
    rounds.print(TIMED as f64, "window");
    figures.put("native_vs_tract_int8", rounds.ratio_to("tract int8"));
    figures.put("native_vs_ort_int8", rounds.ratio_to("ONNX Runtime int8"));
    figures.put("native_vs_litert_int8", rounds.ratio_to("LiteRT int8"));
    figures.put("tract_int8_vs_tract_f32", rounds.ratio_between("tract int8", "tract f32"));

    println!("\nconvolutions of a window: share of the instruction set's measured peak");
    for kernel in Kernel::available() {
        let share = peak_share(kernel)?;
        if kernel.name() == Kernel::best().name() {
            figures.put("native_peak_share", share.unwrap_or(f64::NAN));
        }
    }
    Ok(())
}

#[expect(clippy::expect_used, reason = "a window that failed would make the timing meaningless")]
pub(super) fn in_native(model: &Model<Vec<u8>>, temperature: f32, kernel: Kernel, window: &[Bands]) {
    let scores = model.scores_of_window(black_box(window), temperature, kernel);
    black_box(scores.expect("a verified model runs every window"));
}

#[expect(clippy::expect_used, reason = "a window that failed would make the timing meaningless")]
pub(super) fn in_tract(engine: &mut TractClassifier, window: &[Bands]) {
    black_box(engine.scores_of_window(black_box(window)).expect("a verified engine runs every window"));
}

/// Every whole window of the demo pieces.
pub(super) fn windows() -> Result<Vec<Vec<Bands>>, Failure> {
    let frontend = Frontend::new(FrontendSpec::SHIPPED)?;
    let mut all = vec![];
    for piece in Piece::ALL {
        let samples: Vec<i32> = render(piece, SAMPLE_RATE_HZ).collect();
        let frames: Vec<Bands> = frontend.frames(&samples).iter().map(|frame| frame.bands).collect();
        all.extend(frames.chunks_exact(WindowLength::SHIPPED.frames()).map(<[Bands]>::to_vec));
    }
    Ok(all)
}

/// The peer, with the network converted for each of its engines.
fn start(windows: &[Vec<Bands>]) -> Result<Peer, Failure> {
    let octaves = windows.iter().flatten().flatten().map(|&value| f32::from(value) / 256.0);
    let data = hand_over("bench-windows.f32", octaves)?;
    let (graph, folder) = (root().join("models/harmonynet/float.onnx"), target().join("bench-models"));
    let count = windows.len().to_string();
    let arguments = [graph.as_ref(), data.as_ref(), count.as_ref(), folder.as_ref()];
    Peer::start("engines_peer.py", &arguments)
}

/// Holds every contender against tract's float graph.
fn check_same_network(engines: &mut Engines, windows: &[Vec<Bands>], peer: &mut Peer) -> Result<(), Failure> {
    let temperature = engines.temperature();
    let doubles = |scores: &[f32]| -> Vec<f64> { scores.iter().map(|&p| p.into()).collect() };
    let (mut wanted, mut found) = (vec![], vec![]);
    for window in windows {
        wanted.push(doubles(&engines.float.scores_of_window(window)?));
        found.push(doubles(&engines.int8.scores_of_window(window)?));
    }
    println!("beside tract f32, {} windows of self-made music:", windows.len());
    compare("tract int8", &wanted, &found);
    if engines.own {
        let scores = |window: &Vec<_>| engines.native.scores_of_window(window, temperature, Kernel::best());
        let scores =
            windows.iter().map(|window| Ok(doubles(&scores(window)?))).collect::<Result<Vec<_>, Failure>>();
        compare("harmonynet, native", &wanted, &scores?);
    }
    for form in ["ort-f32", "ort-int8", "litert-f32", "litert-int8"] {
        let logits = peer.numbers(&format!("logits {form}"))?;
        let rows = logits.chunks_exact(logits.len() / windows.len());
        let found: Vec<_> = rows.map(|row| softmax(row, temperature.into())).collect();
        let (same, most) = compare(form, &wanted, &found);
        if same < SAME_VERDICTS || form.ends_with("f32") && most > SAME_FLOAT {
            return Err(format!("{form} does not run the same network").into());
        }
    }
    Ok(())
}

/// Prints and gives the share of windows with the same verdict, and the largest difference of a probability.
fn compare(name: &str, wanted: &[Vec<f64>], found: &[Vec<f64>]) -> (f64, f64) {
    let best = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let same = wanted.iter().zip(found).filter(|(a, b)| best(a) == best(b)).count();
    let off = wanted.iter().flatten().zip(found.iter().flatten()).map(|(a, b)| (a - b).abs());
    let most = off.fold(0.0, f64::max);
    println!("{name:20} same verdict on {same} of {}, probabilities within {most:.4}", wanted.len());
    (same as f64 / wanted.len() as f64, most)
}

fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    let raised: Vec<f64> = logits.iter().map(|x| ((x - most) / temperature).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|x| x / sum).collect()
}
