//! The native engine behind the front-end: however sound is cut into pieces, and wherever a stream began, the scores are
//! the same bits.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::classify::Classifier as _;
use harmonynet::classify::native::{Kernel, Model, NativeClassifier, Parts, ReadOut, Shape};
use harmonynet::flow::Scores;
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::spec::{FRAMES_PER_STEP, FrontendSpec};
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

/// A verdict at any multiple of eight frames, and asked seldom or often: asking changes nothing.
#[test]
fn rare_verdicts_are_a_part_of_frequent_ones() {
    let samples: Vec<i32> = DemoPlayer::new(Piece::Disco, 22_050).take(120_000).collect();
    let often = scores(&samples, &[], FRAMES_PER_STEP, Kernel::best());
    let seldom = scores(&samples, &[], 5 * FRAMES_PER_STEP, Kernel::best());
    assert!(seldom.len() > 4);
    assert!(often.iter().step_by(5).eq(&seldom));
}
