//! The native engine behind the front-end: however sound is cut into pieces, and wherever a stream began, the scores are
//! the same bits.
#![cfg(all(feature = "std", feature = "native"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

mod classify_support;

use std::borrow::Cow;

use classify_support::packages;
use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::classify::Classifier as _;
use harmonynet::classify::manifest::{self, Graphs, Manifest};
use harmonynet::classify::native::{
    Kernel, Model, ModelError, NativeClassifier, NativeLoadError, Parts, ReadOut, Shape,
};
use harmonynet::classify::package::{Package, PackageError, sha256_hex};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{BLOCK_SAMPLES, Block, Scores, Verdict};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::{FRAMES_PER_STEP, FrontendSpec, MEL_BANDS, WindowLength};
use proptest::prelude::*;

const SHAPE: Shape =
    Shape { steps: 5, channels: [16, 16, 16], hidden: 16, labels: 4, read_out: ReadOut::Mean };

fn engine(kernel: Kernel) -> NativeClassifier<Vec<u8>> {
    let file = Parts::random(&SHAPE, 5).to_file().unwrap();
    NativeClassifier::with_kernel(Model::new(file).unwrap(), 1.0, kernel)
}

/// The scores at the end of every window that ends `period` frames after another, from samples cut at `cuts`.
fn scores(samples: &[i32], cuts: &[usize], period: usize, kernel: Kernel) -> Vec<Scores> {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let (mut state, mut engine) = (FrontendState::default(), engine(kernel));
    let window = engine.window();
    let (mut frames, mut all, mut begin) = (0, vec![], 0);
    for &cut in cuts.iter().chain([&samples.len()]) {
        frontend.push_samples(&mut state, &samples[begin..cut], |frame| {
            engine.push(frame);
            frames += 1;
            if window.ends(frames, period) {
                all.push(engine.scores().unwrap());
            }
        });
        begin = cut;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn scores_do_not_depend_on_how_sound_is_cut(mut cuts in prop::collection::vec(0usize..60_000, 0..40)) {
        let samples: Vec<i32> = DemoPlayer::new(Piece::Metal, 22_050).take(60_000).collect();
        cuts.sort_unstable();
        let whole = scores(&samples, &[], FRAMES_PER_STEP, Kernel::PORTABLE);
        prop_assert!(whole.len() > 5 && whole[0] != whole[5]);
        prop_assert_eq!(scores(&samples, &cuts, FRAMES_PER_STEP, Kernel::best()), whole);
    }
}

/// What a recognizer says, from blocks of the given lengths (over and over), with a gap before the block at `gap`.
fn verdicts(samples: &[i32], lengths: &[usize], gap: usize) -> Vec<(Verdict, Option<Scores>)> {
    let policy = Policy::DEFAULT.for_window(SHAPE.window().unwrap(), FrontendSpec::SHIPPED.hop);
    let decider = Decider::new(policy, SHAPE.labels).unwrap();
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let mut recognizer =
        Recognizer::new(frontend, engine(Kernel::best()), decider).with_period(FRAMES_PER_STEP);
    let mut said = vec![];
    let (mut begin, mut lost, mut lengths) = (0, 0, lengths.iter().cycle());
    while begin < samples.len() {
        // The gap falls between two blocks, wherever the others are cut.
        let limit = if begin < gap { gap } else { samples.len() };
        let end = limit.min(begin + lengths.next().unwrap());
        let lost_here = if begin == gap { 1000 } else { 0 };
        lost += lost_here;
        let block = Block {
            start: begin as u64 + lost,
            lost: lost_here,
            samples: samples[begin..end].iter().copied().collect(),
        };
        recognizer.push(&block, |_, verdict, scores| said.push((verdict, scores.cloned())));
        begin = end;
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Bit for bit the same verdicts and scores, in whatever blocks the sound comes.
    #[test]
    fn a_recognizers_verdicts_do_not_depend_on_blocks(
        lengths in prop::collection::vec(1usize..=BLOCK_SAMPLES, 1..20),
        gap in 40_000usize..60_000,
    ) {
        let samples: Vec<i32> = DemoPlayer::new(Piece::Disco, 22_050).take(100_000).collect();
        let whole = verdicts(&samples, &[BLOCK_SAMPLES], gap);
        let scored = whole.iter().filter(|(_, scores)| scores.is_some()).count();
        prop_assert!(scored > 8, "{scored} scores: nothing much was tried");
        prop_assert_eq!(verdicts(&samples, &lengths, gap), whole);
    }
}

/// A verdict at any multiple of eight frames, and asked seldom or often: asking changes nothing.
#[test]
fn rare_verdicts_are_a_part_of_frequent_ones() {
    let samples: Vec<i32> = DemoPlayer::new(Piece::Disco, 22_050).take(120_000).collect();
    let often = scores(&samples, &[], FRAMES_PER_STEP, Kernel::best());
    let seldom = scores(&samples, &[], 5 * FRAMES_PER_STEP, Kernel::best());
    assert!(seldom.len() > 4);
    assert!(often.iter().step_by(5).eq(&seldom));
}

/// Where there is too little time, verdicts are passed over and counted; those that are given are those of full effort, and after
/// a rest those of a stream that begins there.
#[test]
fn less_effort_gives_fewer_verdicts_and_no_other_ones() {
    use harmonynet::pipeline::Effort;

    let samples: Vec<i32> = DemoPlayer::new(Piece::Disco, 22_050).take(22_050 * 25).collect();
    let policy = Policy::DEFAULT.for_window(SHAPE.window().unwrap(), FrontendSpec::SHIPPED.hop);
    let listen = |effort: &dyn Fn(usize) -> Effort| {
        let decider = Decider::new(policy, SHAPE.labels).unwrap();
        let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
        let mut recognizer =
            Recognizer::new(frontend, engine(Kernel::best()), decider).with_period(FRAMES_PER_STEP);
        let mut said = vec![];
        for (number, samples) in samples.chunks(BLOCK_SAMPLES).enumerate() {
            recognizer.set_effort(effort(number));
            let start = (number * BLOCK_SAMPLES) as u64;
            let block = Block { start, lost: 0, samples: samples.iter().copied().collect() };
            recognizer.push(&block, |_, _, scores| said.extend(scores.cloned()));
        }
        (said, recognizer.passed_over())
    };
    let (full, none) = listen(&|_| Effort::Full);
    assert!(full.len() > 100 && none == 0);
    let (few, passed) = listen(&|_| Effort::FewVerdicts);
    assert!((3..=5).contains(&few.len()), "{} verdicts in 25 s", few.len());
    assert_eq!(few.len() as u64 + passed, full.len() as u64);
    assert!(few.iter().all(|scores| full.contains(scores)));
    // A rest from block 400 to 450: nothing is said in it, nor until a window is heard whole.
    let (rested, passed) =
        listen(&|number| if (400..450).contains(&number) { Effort::Rest } else { Effort::Full });
    let window = u64::from(policy.window_samples);
    let resumed = 450 * BLOCK_SAMPLES as u64;
    let quiet = 400 * BLOCK_SAMPLES as u64..resumed - BLOCK_SAMPLES as u64 + window;
    assert!(rested.iter().all(|scores| !quiet.contains(&scores.end)), "{quiet:?}");
    assert!(
        rested.len() > 60 && (1..12).contains(&passed),
        "{} verdicts, {passed} passed over",
        rested.len()
    );
    assert!(rested.iter().take(40).eq(full.iter().take(40)), "before the rest nothing is different");
}

const THREE: Shape = Shape { labels: 3, ..SHAPE };

/// A package whose native model is `file`, after `change`.
fn load(
    file: &[u8],
    change: impl FnOnce(&mut Manifest),
) -> Result<NativeClassifier<Cow<'static, [u8]>>, NativeLoadError> {
    let window = WindowLength::of_steps(THREE.steps).unwrap();
    let mut manifest = packages::manifest_of(window, FrontendSpec::SHIPPED);
    let golden: Vec<i16> =
        packages::golden(window).as_chunks().0.iter().map(|&value| i16::from_le_bytes(value)).collect();
    let model = Model::new(Parts::random(&THREE, 5).to_file().unwrap()).unwrap();
    let frames = golden.as_chunks::<MEL_BANDS>().0;
    let stated = model.scores_of_window(frames, manifest.temperature, Kernel::PORTABLE).unwrap();
    manifest.graphs =
        Graphs { native: Some(packages::entry("native.bin", file, &stated)), ..Graphs::default() };
    change(&mut manifest);
    let folder = packages::write(&manifest, &[("native.bin", file)]);
    let package = Package::open(folder.path()).unwrap();
    NativeClassifier::load(&package, &FrontendSpec::SHIPPED)
}

#[test]
fn a_package_with_a_native_model_is_loaded() {
    let engine = load(&Parts::random(&THREE, 5).to_file().unwrap(), |_| ()).unwrap();
    assert_eq!(engine.window().steps(), THREE.steps);
    assert_eq!(engine.kernel().name(), Kernel::best().name());
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let file = Parts::random(&THREE, 5).to_file().unwrap();
    let error = |file: &[u8], change: fn(&mut Manifest)| load(file, change).unwrap_err();
    let differs = |error: NativeLoadError| match error {
        NativeLoadError::Differs { field, .. } => field,
        other => panic!("{other}"),
    };
    let other = |shape: Shape| Parts::random(&shape, 5).to_file().unwrap();
    assert_eq!(differs(error(&other(SHAPE), |_| ())), "labels");
    assert_eq!(differs(error(&other(Shape { steps: 6, ..THREE }), |_| ())), "contract.steps");
    let mut foreign = Parts::random(&THREE, 5);
    foreign.frontend ^= 1;
    assert_eq!(differs(error(&foreign.to_file().unwrap(), |_| ())), "frontend.fingerprint");
    let golden = error(&Parts::random(&THREE, 6).to_file().unwrap(), |_| ());
    assert!(matches!(golden, NativeLoadError::Golden { .. }), "{golden}");
    let hash = error(&file, |m| m.graphs.native.as_mut().unwrap().sha256 = sha256_hex(b""));
    assert!(matches!(hash, NativeLoadError::Package(PackageError::Hash { .. })), "{hash}");
    let onnx = error(b"no native model", |_| ());
    assert!(matches!(onnx, NativeLoadError::Model { error: ModelError::Foreign, .. }), "{onnx}");
    let front_end =
        error(&file, |m| m.frontend = manifest::Frontend::of(FrontendSpec::SHIPPED.with_hop(1536)));
    assert!(front_end.to_string().contains("frontend.spec.hop"), "{front_end}");
    let none = error(&file, |m| m.graphs = Graphs { int8: m.graphs.native.take(), ..Graphs::default() });
    assert!(matches!(none, NativeLoadError::Package(PackageError::NoNative { .. })), "{none}");
}
