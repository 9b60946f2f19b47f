//! The response is taken from the integer coefficients themselves; the integer code is then checked with sines.

use super::*;
use core::f64::consts::TAU;

/// The rates that microphones and recordings have.
const RATES: [u32; 10] = [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000];

/// In-place radix-2 Fourier transform of (real, imaginary) pairs, a power of two of them.
fn transform(x: &mut [(f64, f64)]) {
    let n = x.len();
    if n == 1 {
        return;
    }
    let mut even: Vec<_> = x.iter().copied().step_by(2).collect();
    let mut odd: Vec<_> = x.iter().copied().skip(1).step_by(2).collect();
    transform(&mut even);
    transform(&mut odd);
    for k in 0..n / 2 {
        let (sin, cos) = (-TAU * k as f64 / n as f64).sin_cos();
        let (re, im) = (odd[k].0 * cos - odd[k].1 * sin, odd[k].0 * sin + odd[k].1 * cos);
        x[k] = (even[k].0 + re, even[k].1 + im);
        x[k + n / 2] = (even[k].0 - re, even[k].1 - im);
    }
}

/// Gain of the prototype (1 is flat) on a grid from 0 to half of `up · rate`, and the grid's step in hertz.
fn response(rate_hz: u32) -> (Vec<f64>, f64) {
    let bank = Bank::new(rate_hz).unwrap();
    let prototype = bank.prototype();
    let points = (prototype.len() * 16).next_power_of_two();
    let mut x = vec![(0.0, 0.0); points];
    for (slot, h) in x.iter_mut().zip(&prototype) {
        slot.0 = h / f64::from(bank.up());
    }
    transform(&mut x);
    let step = f64::from(rate_hz) * f64::from(bank.up()) / points as f64;
    (x[..points / 2].iter().map(|(re, im)| re.hypot(*im)).collect(), step)
}

fn db(gain: f64) -> f64 {
    20.0 * gain.log10()
}

#[test]
fn the_pass_band_is_flat_within_a_tenth_of_a_decibel() {
    for rate in RATES {
        let (gains, step) = response(rate);
        for (k, gain) in gains.iter().enumerate().take_while(|(k, _)| *k as f64 * step <= pass_edge_hz(rate))
        {
            assert!(db(*gain).abs() < 0.1, "{rate} Hz: {} dB at {} Hz", db(*gain), k as f64 * step);
        }
    }
}

#[test]
fn images_and_aliases_that_fall_into_the_band_lie_80_db_down() {
    for rate in RATES {
        let (gains, step) = response(rate);
        let mut seen = 0;
        for (k, gain) in gains.iter().enumerate() {
            let hz = k as f64 * step;
            let lands = (hz + 11_025.0).rem_euclid(22_050.0) - 11_025.0;
            // What lands where it began is the sound itself, or an image of sound between the pass edge and half the rate.
            let is_sound = hz <= f64::from(rate) - pass_edge_hz(rate) && hz < 11_025.0;
            if lands.abs() <= BAND_HZ && !is_sound {
                assert!(db(*gain) < -80.0, "{rate} Hz: {} dB at {hz} Hz, heard at {lands} Hz", db(*gain));
                seen += 1;
            }
        }
        assert!(seen > 10 || rate == SAMPLE_RATE_HZ, "{rate} Hz: nothing was looked at");
    }
}

#[test]
fn a_phase_sums_to_one_and_cannot_overflow() {
    for rate in RATES {
        let bank = Bank::new(rate).unwrap();
        for row in bank.rows() {
            assert_eq!(row.iter().map(|&c| i64::from(c)).sum::<i64>(), 1 << 30, "{rate} Hz");
            assert!(row.iter().map(|&c| i64::from(c).abs()).sum::<i64>() < (1 << 32) - 1, "{rate} Hz");
        }
    }
}

fn run(rate: u32, input: impl IntoIterator<Item = i32>) -> Vec<i32> {
    let mut resampler = Resampler::new(rate).unwrap();
    let mut out = Vec::new();
    for sample in input {
        resampler.push(sample);
        while let Some(y) = resampler.pull() {
            out.push(y);
        }
    }
    out
}

/// One second of a sine at `hz` with amplitude `peak`.
fn sine(rate: u32, hz: f64, peak: f64) -> impl Iterator<Item = i32> {
    (0..rate).map(move |n| ((TAU * hz * f64::from(n) / f64::from(rate)).sin() * peak).round() as i32)
}

/// Amplitude at `hz` in the second half of `out`, through a Hann window (leakage falls below −80 dB within 30 Hz).
fn amplitude(out: &[i32], hz: f64) -> f64 {
    let tail = &out[out.len() - 11_025..];
    let n = tail.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (k, &y) in tail.iter().enumerate() {
        let window = 1.0 - (TAU * (k as f64 + 0.5) / n).cos();
        let (sin, cos) = (TAU * hz * k as f64 / 22_050.0).sin_cos();
        re += f64::from(y) * window * cos;
        im += f64::from(y) * window * sin;
    }
    2.0 * re.hypot(im) / n
}

#[test]
fn sines_pass_flat_and_bring_no_companions() {
    let peak = 1e9;
    for rate in RATES {
        for part in [0.013, 0.25, 0.6, 0.9, 0.999] {
            let hz = (pass_edge_hz(rate) * part).round();
            let out = run(rate, sine(rate, hz, peak));
            let gain = db(amplitude(&out, hz) / peak);
            assert!(gain.abs() < 0.1, "{rate} Hz: a sine at {hz} Hz gains {gain} dB");
            for other in (0..80).map(|k| f64::from(k) * 100.0 + 50.0).filter(|f| (f - hz).abs() > 40.0) {
                let heard = db(amplitude(&out, other) / peak);
                assert!(heard < -80.0, "{rate} Hz: a sine at {hz} Hz is heard at {other} Hz with {heard} dB");
            }
        }
    }
}

#[test]
fn a_sine_beyond_the_band_does_not_fold_into_it() {
    for (rate, hz) in
        [(32_000, 14_100.0), (44_100, 15_000.0), (48_000, 22_050.0), (88_200, 36_200.0), (96_000, 43_000.0)]
    {
        let out = run(rate, sine(rate, hz, 2e9));
        let lands = ((hz + 11_025.0_f64).rem_euclid(22_050.0) - 11_025.0).abs();
        let heard = db(amplitude(&out, lands) / 2e9);
        assert!(heard < -80.0, "{rate} Hz: {hz} Hz is heard at {lands} Hz with {heard} dB");
    }
}

#[test]
fn output_follows_the_textbook_sum() {
    // Output n lies at n·M/L input samples: the sum over the prototype in f64, on noise.
    for rate in [16_000, 48_000] {
        let bank = Bank::new(rate).unwrap();
        let prototype = bank.prototype();
        let mut seed = 1u32;
        let input: Vec<i32> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.cast_signed()
        })
        .take(2_000)
        .collect();
        let out = run(rate, input.iter().copied());
        let (up, down) = (bank.up() as usize, bank.down() as usize);
        for (n, &y) in out.iter().enumerate() {
            let expected: f64 = (0..bank.taps())
                .filter_map(|tap| Some((tap, input.get((n * down / up).checked_sub(tap)?)?)))
                .map(|(tap, &x)| prototype[tap * up + n * down % up] * f64::from(x))
                .sum();
            let expected = expected.clamp(f64::from(i32::MIN), f64::from(i32::MAX));
            // One rounding to half a unit; the rest is the f64 sum's own.
            assert!((f64::from(y) - expected).abs() < 0.501, "{rate} Hz, sample {n}: {y} is not {expected}");
        }
        assert_eq!(out.len(), (input.len() * up).div_ceil(down));
    }
}

#[test]
fn constants_and_22050_hz_pass_exactly() {
    let noise: Vec<i32> = (0..500i32).map(|n| n.wrapping_mul(0x9E37_79B9_u32.cast_signed())).collect();
    assert_eq!(run(22_050, noise.iter().copied()), noise);
    for rate in RATES {
        for level in [i32::MIN, -1, 1, i32::MAX] {
            let out = run(rate, std::iter::repeat_n(level, 2_000));
            assert!(
                out[2 * MAX_TAPS..].iter().all(|&y| y == level),
                "{rate} Hz changes the constant {level}"
            );
        }
    }
}

#[test]
fn the_worst_square_wave_saturates() {
    for rate in RATES {
        let out = run(rate, (0..4_000).map(|n| if n / 7 % 2 == 0 { i32::MAX } else { i32::MIN }));
        let top = f64::from(*out.iter().max().unwrap());
        assert!(top > 1e9 && out.iter().any(|&y| y < -1_000_000_000), "{rate} Hz");
    }
}

#[test]
fn a_loss_keeps_the_output_in_step() {
    for rate in RATES {
        let mut resampler = Resampler::new(rate).unwrap();
        let (mut inputs, mut outputs) = (0u64, 0u64);
        for lost in [1_000, 1_000_000_007, 37, 12_345] {
            for _ in 0..777 {
                resampler.push(1 << 20);
                inputs += 1;
                while resampler.pull().is_some() {
                    outputs += 1;
                }
            }
            outputs += resampler.skip(lost);
            inputs += lost;
            let expected = (u128::from(inputs) * 22_050).div_ceil(u128::from(rate)) as u64;
            assert_eq!(outputs, expected, "{rate} Hz");
        }
    }
}

#[test]
fn the_smallest_loss_is_not_rounded_away() {
    for rate in RATES {
        let mut resampler = Resampler::new(rate).unwrap();
        for _ in 0..50 {
            resampler.push(1);
            while resampler.pull().is_some() {}
            assert!(resampler.skip(1) >= 1, "{rate} Hz");
            assert!(resampler.pull().is_none(), "{rate} Hz: what was skipped is still due");
        }
    }
}

#[test]
fn other_rates_are_refused_with_the_list() {
    for rate in [0, 1, 8_000, 22_049, 44_101, 64_000, 192_000, u32::MAX] {
        let error = Resampler::new(rate).unwrap_err();
        assert_eq!(error, RateError(rate));
        let text = error.to_string();
        assert!(text.contains(&rate.to_string()) && text.contains("48000"), "{text}");
    }
    for rate in RATES {
        assert!(RateError(0).to_string().contains(&rate.to_string()), "{rate} is missing from the list");
    }
}

#[test]
fn the_pass_edge_is_what_is_promised() {
    assert!((pass_edge_hz(16_000) - 7_200.0).abs() < 1e-9);
    assert!(RATES.iter().filter(|r| **r > 17_777).all(|r| (pass_edge_hz(*r) - 8_000.0).abs() < 1e-9));
    // The design's corner stays between the edges: a filter that is flat to the wrong frequency would pass silently.
    let (gains, step) = response(48_000);
    let half = gains.iter().position(|g| *g < 0.5).unwrap() as f64 * step;
    assert!((half - 11_025.0).abs() < 60.0, "half gain at {half} Hz");
}
