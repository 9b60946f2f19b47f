//! Arbitrary samples at arbitrary rates, with losses and changes of the source, through resampler, front-end and decision: no
//! panic, time adds up, and cutting the sound differently changes nothing.
//!
//! Input: format, rate, channels, channel, then pieces: a byte of what happens, a length, samples.
#![no_main]

use harmonynet::capture::{Channel, Conditioner, Microphone, PcmStream, SampleFormat};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{LogMel, Scores};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::spec::{FrontendSpec, LOG_MEL_LIMIT};
use libfuzzer_sys::fuzz_target;

const RATES: [u32; 10] = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 11_025, 0];

fuzz_target!(|data: &[u8]| {
    let [format, rate, channels, picked, low, high, rest @ ..] = data else { return };
    let format = SampleFormat::ALL[usize::from(format % 4)];
    // Usual rates, and any other.
    let rate_hz = match RATES.get(usize::from(*rate)) {
        Some(rate) => *rate,
        None => u32::from(*rate) << 9 | u32::from(*low) << 1 | u32::from(*high & 1),
    };
    let channel = if picked & 1 == 0 { Channel::Mix } else { Channel::Pick(picked >> 1) };
    let Ok(mut conditioner) = Conditioner::new(rate_hz, *channels, channel) else { return };
    let Ok(mut stream) = PcmStream::new(rest, format, rate_hz, *channels) else { return };
    let mut period = vec![0; stream.granted().period_samples().max(usize::from(*channels))];

    let (Ok(frontend), Ok(mut decider)) =
        (Frontend::new(FrontendSpec::SHIPPED), Decider::new(Policy::DEFAULT, 2))
    else {
        panic!("the shipped front-end")
    };
    let (mut whole, mut cut) = (FrontendState::default(), FrontendState::default());
    let (mut next, mut turn) = (0_u64, *high);
    while let Ok(reading) = stream.read(&mut period) {
        let frames = &period[..reading.frames * usize::from(*channels)];
        turn = turn.rotate_left(3) ^ frames.first().map_or(0, |sample| (sample >> 16) as u8);
        match turn {
            0..8 => conditioner.lose_frames(u64::from(turn) * 1000 + 1),
            8..12 => conditioner.lose_samples(u64::from(turn)),
            12 => {
                let _ = conditioner.change_source(RATES[usize::from(*low) % RATES.len()], *channels);
            }
            _ => {}
        }
        let mut unread = frames;
        while let Some(block) = conditioner.feed(&mut unread) {
            assert_eq!(block.start, next + block.lost);
            next = block.start + block.samples.len() as u64;
            let (mut heard, mut pieces) = (Vec::<LogMel>::new(), Vec::<LogMel>::new());
            frontend.push(&mut whole, block, |frame| heard.push(frame.clone()));
            if block.lost > 0 {
                cut.reset(block.start);
                decider.gap(block.start);
            }
            for piece in block.samples.chunks(1 + usize::from(turn)) {
                frontend.push_samples(&mut cut, piece, |frame| pieces.push(frame.clone()));
            }
            assert_eq!(heard, pieces);
            for frame in &heard {
                assert!(frame.bands.iter().all(|band| (-LOG_MEL_LIMIT..=LOG_MEL_LIMIT).contains(band)));
                assert!(frame.end <= next);
                decider.level(frame.end, frame.level);
                let p = f32::from(turn) / 255.0;
                decider.scores(&Scores { end: frame.end, probabilities: [p, 1.0 - p].into_iter().collect() });
            }
        }
        assert!(unread.is_empty());
    }
    conditioner.flush();
});
