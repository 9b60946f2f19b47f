//! The whole front-end against an independent f64 log-mel, and its behaviour on extreme sound.

use super::*;
use crate::spec::{MEL_BANDS, SAMPLE_RATE_HZ};
use proptest::prelude::*;
use std::f64::consts::TAU;

/// Music-like sound: decaying harmonics over a noise floor 70 dB below, at `gain` of full scale.
fn sound(len: usize, gain: f64) -> Vec<i32> {
    let mut seed = 7_u32;
    (0..len)
        .map(|n| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed as i32) / 2_f64.powi(31) * 3e-4;
            let t = n as f64 / f64::from(SAMPLE_RATE_HZ);
            let note = (t * 4.0) as u32;
            let hz = 110.0 * 2_f64.powf(f64::from((note * 7) % 24) / 12.0);
            let decay = (-6.0 * (t * 4.0).fract()).exp();
            let tone: f64 = (1..20).map(|k| (TAU * hz * f64::from(k) * t).sin() / f64::from(k)).sum();
            ((noise + 0.4 * decay * tone) * gain * 2_f64.powi(31)) as i32
        })
        .collect()
}

/// Log2 mel power per frame in f64, written from the paper's formulas without looking at the integer code.
fn textbook(samples: &[i32], spec: &FrontendSpec) -> Vec<Vec<f64>> {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let (low, high) = (mel(f64::from(spec.low_hz)), mel(f64::from(spec.high_hz)));
    let corners: Vec<f64> = (0..130)
        .map(|i| 700.0 * (10_f64.powf((low + (high - low) * f64::from(i) / 129.0) / 2595.0) - 1.0))
        .collect();
    let mut planner = realfft::RealFftPlanner::<f64>::new();
    let fft = planner.plan_fft_forward(1024);
    samples
        .windows(1024)
        .step_by(usize::from(spec.hop))
        .map(|window| {
            let mut input: Vec<f64> = window
                .iter()
                .enumerate()
                .map(|(n, &x)| f64::from(x) / 2_f64.powi(31) * (0.5 - 0.5 * (TAU * n as f64 / 1024.0).cos()))
                .collect();
            let mut bins = fft.make_output_vec();
            fft.process(&mut input, &mut bins).unwrap();
            (0..128)
                .map(|band| {
                    let sum: f64 = bins
                        .iter()
                        .enumerate()
                        .map(|(k, bin)| {
                            let hz = k as f64 * 22_050.0 / 1024.0;
                            let rising = (hz - corners[band]) / (corners[band + 1] - corners[band]);
                            let falling = (corners[band + 2] - hz) / (corners[band + 2] - corners[band + 1]);
                            rising.min(falling).max(0.0) * bin.norm_sqr()
                        })
                        .sum();
                    // A full-scale sine has peak |X| = N/4 and 1.5 times its power in the main lobe.
                    (sum / (1.5 * 256.0 * 256.0)).log2()
                })
                .collect()
        })
        .collect()
}

#[test]
fn equals_an_independent_f64_log_mel() {
    let spec = FrontendSpec {
        level: crate::spec::LevelHandling::Absolute { center: -20 * 256 },
        ..FrontendSpec::SHIPPED
    };
    let samples = sound(22_050 * 4, 0.5);
    let frames = Frontend::new(spec).unwrap().frames(&samples);
    let exact = textbook(&samples, &spec);
    assert_eq!(frames.len(), exact.len());
    let db = 10.0 * 2_f64.log10();
    let (mut sum, mut worst, mut count) = (0.0, 0.0_f64, 0);
    for (frame, exact) in frames.iter().zip(&exact) {
        for (&value, &exact) in frame.bands.iter().zip(exact) {
            let centered = exact + 20.0;
            // Above the noise floor: 100 dB below full scale, and not clamped.
            if exact * db < -100.0 || centered.abs() > 15.8 {
                continue;
            }
            let error = ((f64::from(value) / 256.0 - centered) * db).abs();
            sum += error;
            worst = worst.max(error);
            count += 1;
        }
    }
    assert!(count > 10_000, "only {count} values above the noise floor");
    // log2 rounds to 0.0066 dB, Q15 weights and the power quantum add the rest.
    let mean = sum / f64::from(count);
    assert!(mean <= 0.05 && worst <= 0.5, "mean {mean} dB, worst {worst} dB");
}

#[test]
fn twenty_decibels_quieter_changes_frames_by_a_few_steps_at_most() {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let loud: Vec<i32> = sound(22_050 * 3, 0.5).iter().map(|&x| x & !0xff).collect();
    let quiet: Vec<i32> = loud.iter().map(|&x| (x / 10) & !0xff).collect();
    let (loud, quiet) = (frontend.frames(&loud), frontend.frames(&quiet));
    let (mut differences, mut far) = (0_u32, 0_u32);
    for (a, b) in loud.iter().zip(&quiet) {
        for (&a, &b) in a.bands.iter().zip(&b.bands) {
            differences += u32::from(a.abs_diff(b));
            far += u32::from(a.abs_diff(b) > 32);
        }
    }
    let values = (loud.len() * MEL_BANDS) as u32;
    assert!(differences < 2 * values, "mean difference {} LSB", f64::from(differences) / f64::from(values));
    assert!(far < values / 1000, "{far} of {values} values moved by more than one input step of the model");
}

#[test]
fn a_full_scale_sine_reads_zero_dbfs_and_one_thousandth_minus_sixty() {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    for (gain, dbfs) in [(1.0, 0.0), (1e-3, -60.0)] {
        let sine: Vec<i32> = (0..4096)
            .map(|n| (gain * 2_147_483_647.0 * (TAU * 1000.0 * f64::from(n) / 22_050.0).sin()) as i32)
            .collect();
        let level = frontend.frames(&sine)[1].level.dbfs();
        assert!((level - dbfs).abs() < 0.05, "{level} against {dbfs}");
    }
}

#[test]
fn silence_is_the_lowest_value_everywhere() {
    let frames = Frontend::new(FrontendSpec::SHIPPED).unwrap().frames(&[0; 4096]);
    assert_eq!(frames.len(), 7);
    for frame in frames {
        assert_eq!(frame.bands, [-LOG_MEL_LIMIT; MEL_BANDS]);
        assert_eq!(frame.level, Level::SILENCE);
    }
}

#[test]
fn an_offset_is_silence() {
    // The Hann window confines an offset to bins 0 and 1, which have no weight; f32 rounding leaves the rest below -120 dBFS.
    for offset in [i32::MAX, i32::MIN, 1 << 20] {
        for frame in Frontend::new(FrontendSpec::SHIPPED).unwrap().frames(&[offset; 2048]) {
            assert!(frame.level.dbfs() < -120.0, "{offset}: {}", frame.level.dbfs());
        }
    }
}

#[test]
fn full_scale_squares_and_single_spikes_stay_in_range() {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    for half_period in [1, 2, 5, 11, 100, 344] {
        let square: Vec<i32> =
            (0..4096).map(|n| if (n / half_period) % 2 == 0 { i32::MAX } else { i32::MIN }).collect();
        for frame in frontend.frames(&square) {
            assert!(frame.level.dbfs() < 3.1, "half period {half_period}: {}", frame.level.dbfs());
            assert!(frame.bands.iter().all(|v| v.abs() <= LOG_MEL_LIMIT));
        }
    }
    for spike in [i32::MAX, i32::MIN, 1] {
        let mut samples = [0; 2048];
        samples[700] = spike;
        let frames = frontend.frames(&samples);
        // A spike is white: |X| = w · |spike| in every bin.
        let window = 0.5 - 0.5 * (TAU * 700.0 / 1024.0).cos();
        let exact = 20.0 * (f64::from(spike).abs() / 2_f64.powi(31) * window / 256.0).log10()
            + 10.0 * (332.0_f64 / 1.5).log10();
        let level = f64::from(frames[0].level.dbfs());
        assert!(
            (level - exact).abs() < 0.1 || exact < -120.0 && level < -120.0,
            "{spike}: {level} against {exact}"
        );
    }
}

#[test]
fn a_gap_begins_a_new_stream() {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let samples = sound(4096, 0.3);
    let block =
        |start, lost, samples: &[i32]| Block { start, lost, samples: samples.iter().copied().collect() };
    let mut state = FrontendState::default();
    let mut after_gap = Vec::new();
    frontend.push(&mut state, &block(0, 0, &samples[..500]), |_| {});
    for (i, chunk) in samples[1000..].chunks(500).enumerate() {
        let lost = if i == 0 { 500 } else { 0 };
        frontend.push(&mut state, &block(1000 + 500 * i as u64, lost, chunk), |f| after_gap.push(f.clone()));
    }
    let mut fresh = frontend.frames(&samples[1000..]);
    fresh.iter_mut().for_each(|frame| frame.end += 1000);
    assert_eq!(after_gap, fresh);
}

#[test]
fn longer_hops_pass_samples_over() {
    let samples = sound(20_000, 0.3);
    let every = Frontend::new(FrontendSpec { hop: 512, ..FrontendSpec::ABSOLUTE }).unwrap().frames(&samples);
    let third = Frontend::new(FrontendSpec { hop: 1536, ..FrontendSpec::ABSOLUTE }).unwrap().frames(&samples);
    assert_eq!(third, every.into_iter().step_by(3).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        cuts in proptest::collection::vec(1_usize..3000, 0..12), hop in prop_oneof![Just(512_u16), 1_u16..4096],
    ) {
        let frontend = Frontend::new(FrontendSpec { hop, ..FrontendSpec::SHIPPED }).unwrap();
        let samples = sound(12_000, 0.3);
        let mut frames = Vec::new();
        let (mut state, mut rest) = (FrontendState::default(), &samples[..]);
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (chunk, later) = rest.split_at(cut.min(rest.len()));
            frontend.push_samples(&mut state, chunk, |f| frames.push(f.clone()));
            rest = later;
        }
        prop_assert_eq!(frames, frontend.frames(&samples));
    }
}
