use super::*;
use crate::capture::SplitMix64;
use core::f64::consts::TAU;

const RATE: u32 = 48_000;

/// Amplitude of a sine at this level.
fn amplitude(dbfs: f64) -> f64 {
    2f64.powi(31) * 10f64.powf(dbfs / 20.0)
}

fn sine(hz: f64, dbfs: f64) -> impl Fn(u32) -> f64 {
    let amplitude = amplitude(dbfs);
    move |n| amplitude * (TAU * hz * f64::from(n) / f64::from(RATE)).sin()
}

/// Uniform noise of this rms; a uniform distribution from −a to a has the mean square a²/3.
fn noise(dbfs: f64, seed: u64) -> impl FnMut() -> f64 {
    let mut random = SplitMix64::new(seed);
    let span = amplitude(dbfs) * 1.5f64.sqrt();
    move || random.signed() * span
}

fn measured(seconds: u32, mut sample: impl FnMut(u32) -> f64) -> ChannelReport {
    let mut meter = Meter::new(RATE, 1).unwrap();
    let samples: Vec<i32> = (0..seconds * RATE).map(|n| sample(n).round() as i32).collect();
    // In pieces, as a microphone delivers.
    samples.chunks(961).for_each(|piece| meter.feed(piece));
    assert_eq!(meter.frames(), u64::from(seconds * RATE));
    meter.channel(0).unwrap()
}

fn near(measured: Option<f64>, expected: f64, within: f64) {
    assert!(measured.is_some_and(|x| (x - expected).abs() <= within), "{measured:?}, expected {expected}");
}

#[test]
fn a_sine_on_an_offset_is_taken_apart() {
    let tone = sine(1000.0, -20.0);
    let report = measured(2, |n| tone(n) + 0.25 * 2f64.powi(31));
    near(report.rms_dbfs, -20.0, 0.001);
    near(Some(report.offset), 0.25, 1e-9);
    near(report.peak_dbfs, 20.0 * 0.35f64.log10(), 0.001);
    near(report.floor_dbfs, -20.0, 0.3);
    assert_eq!((report.clipping, report.hum, report.constant), (Clipping::default(), None, false));
    // The faintest sound on the largest offset costs no precision.
    let faint = measured(1, |n| 1.9e9 + f64::from(n % 2));
    near(faint.rms_dbfs, 10.0 * (2.0 * 0.25 / 2f64.powi(62)).log10(), 1e-6);
}

#[test]
fn full_scale_is_counted_exactly_in_every_encoding() {
    let loudest = [i32::MAX, i32::MIN, 0x7fff_0000, -0x7fff_0000, 0x7fff_ff00, -0x7fff_ffff];
    let quieter = [0x7ffe_ffff, -0x7ffe_ffff, 0];
    let mut meter = Meter::new(RATE, 1).unwrap();
    meter.feed(&loudest);
    meter.feed(&quieter);
    meter.feed(&[i32::MAX, 0, i32::MIN, i32::MIN]);
    let clipping = meter.channel(0).unwrap().clipping;
    assert_eq!(clipping, Clipping { samples: 9, runs: 3, longest: 6 });
    // What lies between was lost: no run goes on across.
    meter.gap();
    meter.feed(&[i32::MIN]);
    let clipping = meter.channel(0).unwrap().clipping;
    assert_eq!(clipping, Clipping { samples: 10, runs: 4, longest: 6 });
}

#[test]
fn the_floor_is_what_is_left_between_sounds() {
    let mut hiss = noise(-63.0, 1);
    let tone = sine(700.0, -12.0);
    // Music most of the time.
    let report = measured(10, |n| hiss() + if n % RATE < RATE / 5 * 4 { tone(n) } else { 0.0 });
    near(report.floor_dbfs, -63.0, 1.0);
    near(report.rms_dbfs, -12.0 + 10.0 * 0.8f64.log10(), 0.05);
    assert_eq!(report.hum, None);
}

#[test]
fn hum_is_found_with_its_level_and_its_mains() {
    for (mains, fundamental, second) in [(50, -50.0, -60.0), (60, -44.0, -80.0), (50, -90.0, -55.0)] {
        let mut hiss = noise(-60.0, 2);
        let (one, two) = (sine(mains.into(), fundamental), sine(f64::from(2 * mains), second));
        let hum = measured(10, |n| hiss() + one(n) + two(n)).hum.unwrap();
        let power = 10f64.powf(fundamental / 10.0) + 10f64.powf(second / 10.0);
        near(Some(hum.level_dbfs), 10.0 * power.log10(), 1.0);
        assert_eq!(hum.mains_hz, mains);
        assert_eq!(hum.strongest_hz, if fundamental > second { mains } else { 2 * mains });
        assert!(hum.above_db > 15.0, "{hum:?}");
    }
    // At every rate that microphones have, a clock that is off and a large offset.
    for rate in [8_000, 16_000, 22_050, 44_100, 96_000, 192_000] {
        let mut meter = Meter::new(rate, 1).unwrap();
        let sample = |n: u32| 1e9 + amplitude(-70.0) * (TAU * 50.05 * f64::from(n) / f64::from(rate)).sin();
        (0..5 * rate).for_each(|n| meter.feed(&[sample(n).round() as i32]));
        let hum = meter.channel(0).unwrap().hum.unwrap();
        near(Some(hum.level_dbfs), -70.0, 0.3);
        assert_eq!(hum.mains_hz, 50, "at {rate} Hz");
    }
}

#[test]
fn what_is_no_hum_is_not_called_so() {
    for seed in 0..20 {
        let mut hiss = noise(-40.0, seed);
        assert_eq!(measured(3, |_| hiss()).hum, None, "seed {seed}");
    }
    // A bass line: 49, 55 and 98 Hz, half a second each.
    let bass = [49.0, 55.0, 65.4, 98.0].map(|hz| sine(hz, -20.0));
    let mut hiss = noise(-60.0, 1);
    assert_eq!(measured(8, |n| hiss() + bass[(n / (RATE / 2) % 4) as usize](n)).hum, None);
    // Too short to tell.
    let line = sine(50.0, -20.0);
    assert_eq!(measured(1, line).hum, None);
}

#[test]
fn a_dead_channel_is_constant_and_the_other_lives() {
    let mut meter = Meter::new(RATE, 2).unwrap();
    let tone = sine(440.0, -30.0);
    (0..RATE).for_each(|n| meter.feed(&[tone(n) as i32, -77]));
    let (alive, dead) = (meter.channel(0).unwrap(), meter.channel(1).unwrap());
    assert!(!alive.constant && dead.constant);
    near(alive.rms_dbfs, -30.0, 0.01);
    assert_eq!((dead.rms_dbfs, dead.floor_dbfs), (None, Some(-150.0)));
    assert_eq!(meter.pair(1, 0), Some(PairReport { correlation: None, identical: false }));
    assert_eq!((meter.channel(2), meter.pair(0, 2), meter.pair(1, 1)), (None, None, None));
    near(meter.recent(0).unwrap().rms_dbfs, -30.0, 0.01);
    assert_eq!(meter.recent(1).unwrap().rms_dbfs, None);
}

#[test]
fn channels_that_are_one_or_each_others_opposite_are_seen() {
    let mut meter = Meter::new(RATE, 4).unwrap();
    let (mut a, mut b) = (noise(-20.0, 1), noise(-20.0, 2));
    for _ in 0..RATE {
        let (x, y) = (a() as i32, b() as i32);
        // An offset has no part in it.
        meter.feed(&[x, x, (1 << 30) - x, y]);
    }
    assert_eq!(meter.pair(0, 1), Some(PairReport { correlation: Some(1.0), identical: true }));
    near(meter.pair(0, 2).unwrap().correlation, -1.0, 1e-9);
    near(meter.pair(0, 3).unwrap().correlation, 0.0, 0.02);
    assert!(!meter.pair(1, 3).unwrap().identical);
}

#[test]
fn nothing_is_nothing_and_never_not_a_number() {
    let mut meter = Meter::new(RATE, 2).unwrap();
    assert_eq!((meter.channel(0), meter.recent(0), meter.pair(0, 1)), (None, None, None));
    // Not even one frame.
    meter.feed(&[1]);
    meter.feed(&[]);
    assert_eq!((meter.frames(), meter.channel(0)), (0, None));
    meter.feed(&[0; 6]);
    let silent = meter.channel(1).unwrap();
    assert_eq!((silent.peak_dbfs, silent.rms_dbfs, silent.offset), (None, None, 0.0));
    assert_eq!((silent.floor_dbfs, silent.hum, silent.constant), (None, None, true));
    // Full scale for long is finite.
    let square = measured(4, |n| if n / 480 % 2 == 0 { f64::MAX } else { f64::MIN });
    near(square.rms_dbfs, 3.01, 0.01);
    near(square.peak_dbfs, 0.0, 0.01);
    assert!(square.hum.is_none_or(|hum| hum.level_dbfs.is_finite()));
    for (rate, channels) in [(0, 1), (u32::MAX, 1), (RATE, 0), (RATE, 9)] {
        assert!(Meter::new(rate, channels).is_err());
    }
}
