//! The shipped package's int8 graph beside its float graph, both in tract, on the same windows.

use std::hint::black_box;

use harmonynet::capture::demo::{Piece, render};
use harmonynet::classify::manifest::Precision;
use harmonynet::classify::package::Package;
use harmonynet::classify::tract::{LoadOptions, TractClassifier};
use harmonynet::frontend::Frontend;
use harmonynet::spec::{FrontendSpec, MEL_BANDS, SAMPLE_RATE_HZ, WindowLength};

use super::paired::{Contender, interleave};
use super::{Failure, Figures, root};

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let package = Package::open(root().join("models/harmonynet"))?;
    let load =
        |precision| TractClassifier::load(&package, &LoadOptions { precision, ..LoadOptions::default() });
    let (mut int8, mut float) = (load(Precision::Int8)?, load(Precision::Float)?);
    let windows = windows()?;
    let rounds = interleave(&mut [
        Contender::here("int8", || classify(&mut int8, &windows)),
        Contender::here("float", || classify(&mut float, &windows)),
    ])?;
    let frames = WindowLength::SHIPPED.frames();
    println!("{} windows of {frames} frames, one core", windows.len());
    rounds.print(windows.len() as f64, "window");
    figures.put("tract_int8_vs_tract_f32", rounds.ratio_to("float"));
    Ok(())
}

#[expect(clippy::expect_used, reason = "a window that failed would make the timing meaningless")]
fn classify(engine: &mut TractClassifier, windows: &[Vec<[i16; MEL_BANDS]>]) {
    for window in windows {
        black_box(engine.scores_of_window(black_box(window)).expect("a verified engine runs every window"));
    }
}

/// The first windows of one demo piece.
fn windows() -> Result<Vec<Vec<[i16; MEL_BANDS]>>, Failure> {
    let samples: Vec<i32> = render(Piece::Disco, SAMPLE_RATE_HZ).collect();
    let frames = Frontend::new(FrontendSpec::SHIPPED)?.frames(&samples);
    let bands = |window: &[_]| -> Vec<[i16; MEL_BANDS]> {
        window.iter().map(|frame: &harmonynet::flow::LogMel| frame.bands).collect()
    };
    Ok(frames.chunks_exact(WindowLength::SHIPPED.frames()).take(4).map(bands).collect())
}
