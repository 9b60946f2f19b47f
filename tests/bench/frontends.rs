//! The front-end beside librosa, beside the same thing written plainly with realfft, and beside its transforms alone.
//!
//! All get the same 4 s windows of self-made music at 22,050 Hz and make 171 frames of 128 mel bands from each. That they
//! do the same job is checked: their mean decibels must agree.

use std::f64::consts::TAU;
use std::hint::black_box;

use harmonynet::capture::demo::{Piece, render};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::spec::{FrontendSpec, MEL_BANDS, SAMPLE_RATE_HZ, WINDOW_SAMPLES};
use realfft::RealFftPlanner;

use super::librosa::{Librosa, Way};
use super::paired::{Contender, interleave};
use super::{Failure, Figures};

/// The paper's excerpt: 4 s.
const EXCERPT: usize = 4 * SAMPLE_RATE_HZ as usize;
/// Samples between frames.
const HOP: usize = 512;
/// Power added before the logarithm, as librosa's `amin`; 1 is a sample of full scale.
const FLOOR: f32 = 1e-10;
/// Largest difference of mean levels at which two contenders count as doing the same job, decibels: the front-end's own
/// bound on its mean error.
const SAME_JOB_DB: f64 = 0.05;

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let excerpts = excerpts();
    let floats: Vec<Vec<f32>> = excerpts.iter().map(|excerpt| to_float(excerpt)).collect();
    let mut librosa = Librosa::start(&floats)?;

    let frontend = Frontend::new(FrontendSpec::SHIPPED)?;
    let plain = PlainMel::new();
    let spectra: Vec<Vec<[f32; WINDOW_SAMPLES]>> =
        floats.iter().map(|excerpt| plain.windowed(excerpt)).collect();
    check_same_job(&excerpts, &floats, &plain, &mut librosa)?;

    let librosa = std::cell::RefCell::new(librosa);
    let rounds = interleave(&mut [
        Contender::here("harmonynet", || {
            for excerpt in &excerpts {
                frontend.push_samples(&mut FrontendState::default(), black_box(excerpt), |frame| {
                    black_box(frame);
                });
            }
        }),
        Contender::elsewhere(
            "librosa melspectrogram",
            Box::new(|times| librosa.borrow_mut().time(Way::Call, times)),
        ),
        Contender::elsewhere(
            "librosa, bank made once",
            Box::new(|times| librosa.borrow_mut().time(Way::Bank, times)),
        ),
        Contender::here("realfft, plain f32", || {
            for excerpt in &floats {
                plain.frames(black_box(excerpt), |frame| {
                    black_box(frame);
                });
            }
        }),
        Contender::here("microfft, transforms alone", || {
            for frame in spectra.iter().flatten() {
                let mut scratch = *black_box(frame);
                black_box(microfft::real::rfft_1024(&mut scratch));
            }
        }),
    ])?;
    println!("{} windows of 4 s at {SAMPLE_RATE_HZ} Hz, one core", excerpts.len());
    rounds.print((excerpts.len() * 4) as f64, "s of sound");
    // librosa at its best: with its filter bank made once, which its one-line call makes every time.
    figures.put("frontend_vs_librosa", rounds.ratio_to("librosa, bank made once"));
    figures.put("frontend_vs_realfft", rounds.ratio_to("realfft, plain f32"));
    figures.put("frontend_vs_microfft_only", rounds.ratio_to("microfft, transforms alone"));
    Ok(())
}

/// Every whole 4 s of the demo pieces.
fn excerpts() -> Vec<Vec<i32>> {
    let pieces = Piece::ALL.map(|piece| render(piece, SAMPLE_RATE_HZ).collect::<Vec<_>>());
    pieces.iter().flat_map(|samples| samples.chunks_exact(EXCERPT)).map(<[i32]>::to_vec).collect()
}

fn to_float(samples: &[i32]) -> Vec<f32> {
    samples.iter().map(|&sample| sample as f32 / 2_147_483_648.0).collect()
}

fn check_same_job(
    excerpts: &[Vec<i32>],
    floats: &[Vec<f32>],
    plain: &PlainMel,
    librosa: &mut Librosa,
) -> Result<(), Failure> {
    let frontend = Frontend::new(FrontendSpec::ABSOLUTE)?;
    // A full-scale sine through the Hann window has amplitude N/4 in its bin and half of that in both neighbours.
    let full_scale_db = 10.0 * (1.5 * (WINDOW_SAMPLES as f64 / 4.0).powi(2)).log10();
    let mut ours = Mean::default();
    for excerpt in excerpts {
        for frame in frontend.frames(excerpt) {
            // Octaves relative to a full-scale sine, shifted by 20.
            let octaves = |band: i16| f64::from(band - 20 * 256) / 256.0;
            ours.add(frame.bands.iter().map(|&band| octaves(band) * 10.0 * 2f64.log10() + full_scale_db));
        }
    }
    let mut theirs = Mean::default();
    for excerpt in floats {
        plain.frames(excerpt, |frame| theirs.add(frame.iter().map(|&db| f64::from(db))));
    }
    let peer = librosa.mean_db()?;
    let (ours, theirs) = (ours.value(), theirs.value());
    println!("mean level: harmonynet {ours:.2} dB, realfft {theirs:.2} dB, librosa {peer:.2} dB");
    for other in [theirs, peer] {
        if (ours - other).abs() > SAME_JOB_DB {
            return Err("the contenders do not do the same job".into());
        }
    }
    Ok(())
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, values: impl Iterator<Item = f64>) {
        for value in values {
            self.sum += value;
            self.count += 1;
        }
    }

    fn value(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// The textbook log-mel spectrogram in `f32`, as one would write it with realfft.
struct PlainMel {
    fft: std::sync::Arc<dyn realfft::RealToComplex<f32>>,
    hann: Vec<f32>,
    /// For each band its first bin and its weights from there.
    bank: Vec<(usize, Vec<f32>)>,
}

impl PlainMel {
    fn new() -> Self {
        let n = WINDOW_SAMPLES;
        let hann = (0..n).map(|i| (0.5 - 0.5 * (TAU * i as f64 / n as f64).cos()) as f32).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(n), hann, bank: mel_bank() }
    }

    fn windowed(&self, samples: &[f32]) -> Vec<[f32; WINDOW_SAMPLES]> {
        let windows = samples.windows(WINDOW_SAMPLES).step_by(HOP);
        windows.map(|window| std::array::from_fn(|i| window[i] * self.hann[i])).collect()
    }

    #[expect(clippy::expect_used, reason = "the buffers were made by the plan that uses them")]
    fn frames(&self, samples: &[f32], mut sink: impl FnMut(&[f32; MEL_BANDS])) {
        let (mut input, mut output) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0f32; output.len()];
        for window in samples.windows(WINDOW_SAMPLES).step_by(HOP) {
            for ((x, sample), hann) in input.iter_mut().zip(window).zip(&self.hann) {
                *x = sample * hann;
            }
            self.fft
                .process_with_scratch(&mut input, &mut output, &mut scratch)
                .expect("the lengths are the plan's own");
            for (power, bin) in power.iter_mut().zip(&output) {
                *power = bin.norm_sqr();
            }
            let band = |(first, weights): &(usize, Vec<f32>)| {
                let sum: f32 =
                    weights.iter().zip(&power[*first..]).map(|(weight, power)| weight * power).sum();
                10.0 * sum.max(FLOOR).log10()
            };
            sink(&std::array::from_fn(|i| band(&self.bank[i])));
        }
    }
}

/// Triangles of peak 1, equidistant in mel = 2595·log10(1 + f/700), between the shipped front-end's edges.
fn mel_bank() -> Vec<(usize, Vec<f32>)> {
    let spec = FrontendSpec::SHIPPED;
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let (low, high) = (mel(f64::from(spec.low_hz)), mel(f64::from(spec.high_hz)));
    let corner = |i: usize| {
        let mel = low + (high - low) * i as f64 / (MEL_BANDS + 1) as f64;
        700.0 * (10f64.powf(mel / 2595.0) - 1.0)
    };
    let hz = |bin: usize| bin as f64 * f64::from(SAMPLE_RATE_HZ) / WINDOW_SAMPLES as f64;
    let weight = |band: usize, bin: usize| {
        let rise = (hz(bin) - corner(band)) / (corner(band + 1) - corner(band));
        let fall = (corner(band + 2) - hz(bin)) / (corner(band + 2) - corner(band + 1));
        rise.min(fall).max(0.0) as f32
    };
    let bins = WINDOW_SAMPLES / 2 + 1;
    let inside = |band: usize| (0..bins).filter(move |&bin| weight(band, bin) > 0.0).collect::<Vec<_>>();
    (0..MEL_BANDS)
        .map(|band| (band, inside(band)))
        .map(|(band, bins)| {
            (bins.first().copied().unwrap_or(0), bins.iter().map(|&bin| weight(band, bin)).collect())
        })
        .collect()
}
