use super::*;
use crate::capture::Access;
use std::f64::consts::TAU;

/// A microphone that hears these samples, mono or stereo.
#[derive(Clone)]
struct Samples {
    samples: Vec<i32>,
    channels: u8,
    read: usize,
    chunk: usize,
}

impl Samples {
    fn mono(samples: Vec<i32>) -> Self {
        Self { samples, channels: 1, read: 0, chunk: 441 }
    }
}

impl Microphone for Samples {
    fn granted(&self) -> Granted {
        Granted {
            rate_hz: 22_050,
            channels: self.channels,
            encoding: "test",
            period_frames: 700,
            buffer_frames: 0,
            access: Access::Stream,
        }
    }

    fn read(&mut self, into: &mut [i32]) -> Result<Reading, CaptureError> {
        let channels = usize::from(self.channels);
        let count = (into.len() / channels).min(self.chunk) * channels;
        let left = &self.samples[self.read..];
        let count = count.min(left.len());
        into[..count].copy_from_slice(&left[..count]);
        self.read += count;
        if count == 0 { Err(CaptureError::Ended) } else { Ok(Reading { lost: 0, frames: count / channels }) }
    }
}

fn all(mut microphone: impl Microphone, chunk: usize) -> Vec<i32> {
    let (mut heard, mut into) = (Vec::new(), vec![0; chunk]);
    while let Ok(reading) = microphone.read(&mut into) {
        heard.extend(&into[..reading.frames]);
    }
    heard
}

/// What is heard of `sound` in a place.
fn heard(place: &Place, sound: &Samples, snr_db: f64, chunk: usize) -> Vec<i32> {
    let open = || Ok::<_, CaptureError>(sound.clone());
    all(Acoustics::new(place, 22_050).hear(open, snr_db, 5).unwrap(), chunk)
}

/// Noise like music's: 10 s of pink noise at about −20 dBFS.
fn music(seconds: usize) -> Samples {
    let samples = Noise::Pink.samples(22_050, 9).take(22_050 * seconds);
    Samples::mono(samples.map(|x| (x * 0.05 * FULL_SCALE) as i32).collect())
}

fn power(samples: &[i32]) -> f64 {
    samples.iter().map(|x| (f64::from(*x) / FULL_SCALE).powi(2)).sum::<f64>() / samples.len() as f64
}

/// The power of `samples` at a frequency, relative to all of it, per bin of 1 / duration.
fn at_hz(samples: &[f64], hz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, x) in samples.iter().enumerate() {
        let (sin, cos) = (TAU * hz * n as f64 / 22_050.0).sin_cos();
        (re, im, all) = (re + x * cos, im + x * sin, all + x * x);
    }
    (re * re + im * im) / (all * samples.len() as f64)
}

/// The time in which the backward integral of a response (Schroeder 1965) falls by 60 dB, from its −5 to −25 dB.
fn reverberation_seconds(response: &[f64]) -> f64 {
    let mut left: f64 = response.iter().map(|x| x * x).sum();
    let whole = left;
    let mut reached = [None; 2];
    for (n, x) in response.iter().enumerate() {
        for (reached, db) in reached.iter_mut().zip([-5.0, -25.0]) {
            if left <= whole * 10_f64.powf(db / 10.0) {
                reached.get_or_insert(n);
            }
        }
        left -= x * x;
    }
    3.0 * (reached[1].unwrap() - reached[0].unwrap()) as f64 / 22_050.0
}

#[test]
fn the_direct_sound_comes_first_after_its_distance() {
    for place in Place::ALL {
        let response = place.room.response(22_050);
        let arrival = place.room.direct_seconds() * 22_050.0;
        let first =
            response.iter().position(|x| x.abs() > 0.2 / (place.room.direct_seconds() * SPEED_OF_SOUND));
        let first = first.unwrap() as f64;
        assert!((first - arrival).abs() <= 2.0, "{}: {first} instead of {arrival}", place.name);
    }
}

#[test]
fn without_walls_only_the_direct_sound_is_left_at_its_height() {
    let room =
        Shoebox { absorption: [[1.0; 2]; 6], size: [9.0; 3], source: [2.0; 3], listener: [2.0, 2.0, 4.0] };
    // Nothing comes back, so Eyring's time is nought and the response holds the direct pulse alone.
    assert_eq!(room.reverberation_seconds(), [0.0, 0.0]);
    let response = Shoebox { absorption: [[0.999; 2]; 6], ..room }.response(22_050);
    let sum: f64 = response.iter().sum();
    assert!((sum - 0.5).abs() < 0.03, "1 / 2 m, and next to nothing from the walls: {sum}");
}

#[test]
fn reverberation_follows_eyring() {
    for (absorption, size) in [(0.1, [5.0, 4.0, 3.0]), (0.2, [5.0, 4.0, 3.0]), (0.3, [8.0, 7.0, 5.0])] {
        let room = Shoebox {
            size,
            source: [1.1, 1.3, 0.9],
            listener: [3.2, 2.4, 1.6],
            absorption: [[absorption; 2]; 6],
        };
        // Pulses of one sign add up to an offset that dies slowly; no loudspeaker makes it.
        let mut loudspeaker = Chain::new(&[Bend::LowCut { hz: 150.0, q: 0.7 }], 22_050.0);
        let response: Vec<f64> = room.response(22_050).into_iter().map(|x| loudspeaker.next(x)).collect();
        let measured = reverberation_seconds(&response);
        let eyring = room.reverberation_seconds()[0];
        // Eyring supposes sound that runs evenly in all directions; in a box it lasts a little longer.
        assert!(
            (0.95..1.25).contains(&(measured / eyring)),
            "{absorption}: {measured} s, by Eyring {eyring} s"
        );
        // Sabine's 0.161 V / αS, which is longer by −ln(1 − α) / α.
        let [x, y, z] = size;
        let sabine = 0.161 * x * y * z / (absorption * 2.0 * (x * y + x * z + y * z));
        let ratio = eyring / sabine * (-(1.0 - absorption).ln() / absorption);
        assert!((ratio - 1.0).abs() < 0.01, "{eyring} s by Eyring, {sabine} s by Sabine");
    }
}

#[test]
fn treble_dies_before_bass_where_walls_swallow_it() {
    let [low, high] = Place::ALL[0].room.reverberation_seconds();
    assert!(low > 1.3 * high, "{low} s and {high} s");
    let response = Place::ALL[0].room.response(22_050);
    let late = &response[4400..];
    assert!(at_hz(late, 300.0) + at_hz(late, 500.0) > 3.0 * (at_hz(late, 3000.0) + at_hz(late, 5000.0)));
}

#[test]
fn places_are_sound_and_differ() {
    for place in Place::ALL {
        assert_eq!(Place::named(place.name), Some(place));
        for axis in 0..3 {
            let within = 0.05..place.room.size[axis] - 0.05;
            assert!(within.contains(&place.room.source[axis]) && within.contains(&place.room.listener[axis]));
        }
        let seconds = place.room.reverberation_seconds();
        assert!(seconds.iter().all(|s| (0.2..1.8).contains(s)), "{}: {seconds:?}", place.name);
    }
    assert_eq!(Place::named("bathroom"), None);
}

#[test]
fn noise_lies_as_far_below_the_music_as_was_asked() {
    let music = music(4);
    for place in Place::ALL {
        let clean = heard(&place, &music, 200.0, 512);
        for snr_db in [10.0, 20.0] {
            let noisy = heard(&place, &music, snr_db, 512);
            let noise: Vec<i32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
            let reached = 10.0 * (power(&clean) / power(&noise)).log10();
            assert!((reached - snr_db).abs() < 0.05, "{}: {reached} dB instead of {snr_db}", place.name);
        }
    }
}

#[test]
fn sound_keeps_its_length_and_does_not_depend_on_how_it_is_cut() {
    let (place, mut music) = (Place::ALL[3], music(1));
    music.samples.truncate(20_001);
    let once = heard(&place, &music, 20.0, 512);
    assert_eq!(once.len(), 20_001);
    music.chunk = 97;
    assert_eq!(heard(&place, &music, 20.0, 31), once);
}

#[test]
fn a_stereo_recording_is_played_as_the_mean_of_its_channels() {
    let (place, mono) = (Place::ALL[1], music(1));
    let stereo = Samples {
        samples: mono.samples.iter().flat_map(|x| [2 * x, 0]).collect(),
        channels: 2,
        ..mono.clone()
    };
    assert_eq!(heard(&place, &stereo, 20.0, 512), heard(&place, &mono, 20.0, 512));
}

#[test]
fn another_rate_is_refused() {
    let acoustics = Acoustics::new(&Place::ALL[3], 16_000);
    let error = acoustics.hear(|| Ok::<_, CaptureError>(music(1)), 20.0, 1).err();
    assert_eq!(error, Some(CaptureError::Rate(22_050)));
}

#[test]
fn silence_stays_silent() {
    let sound = Samples::mono(vec![0; 5000]);
    assert_eq!(heard(&Place::ALL[0], &sound, 20.0, 512), vec![0; 5000]);
}

#[test]
fn pink_noise_has_equal_power_in_every_octave() {
    let samples: Vec<f64> = Noise::Pink.samples(22_050, 1).take(1 << 16).collect();
    let octave = |low: f64| {
        // The mean power of 60 frequencies, times the octave's width.
        (0..60)
            .map(|i| at_hz(&samples, low * 2_f64.powf(f64::from(i) / 60.0)) * 2_f64.powf(f64::from(i) / 60.0))
            .sum::<f64>()
            * low
    };
    let octaves: Vec<f64> = [125.0, 250.0, 500.0, 1000.0, 2000.0].map(octave).to_vec();
    let mean = octaves.iter().sum::<f64>() / 5.0;
    // 60 bins of random power: the standard error is 13 %.
    assert!(octaves.iter().all(|power| (0.55..1.6).contains(&(power / mean))), "{octaves:?}");
}

#[test]
fn a_fan_hums_at_its_blades_frequency_and_babble_lies_where_speech_does() {
    let fan: Vec<f64> = Noise::Fan.samples(22_050, 1).take(22_050).collect();
    for harmonic in 1..=3 {
        let hz = 118.0 * f64::from(harmonic);
        assert!(at_hz(&fan, hz) > 20.0 * at_hz(&fan, hz + 37.0), "harmonic {harmonic}");
    }
    let babble: Vec<f64> = Noise::Babble.samples(22_050, 1).take(10 * 22_050).collect();
    let around =
        |low: u32, high: u32| (low..high).step_by(7).map(|hz| at_hz(&babble, f64::from(hz))).sum::<f64>();
    let speech = around(250, 3000);
    assert!(speech > 20.0 * around(5000, 9000) && speech > 3.0 * around(20, 200));
}
