//! What happens before the front-end: channel, resampling to 22,050 Hz, removal of the offset. Printed apart, because
//! librosa and the others are given sound at 22,050 Hz.

use std::hint::black_box;

use harmonynet::capture::demo::{Piece, render};
use harmonynet::capture::{Channel, Conditioner};

use super::paired::{Contender, interleave};
use super::{Failure, Figures};

/// Seconds of sound per repetition.
const SECONDS: usize = 4;

pub(super) fn run(_: &mut Figures) -> Result<(), Failure> {
    let sources = [
        ("22,050 Hz, 1 channel", 22_050, 1),
        ("16,000 Hz, 1 channel", 16_000, 1),
        ("44,100 Hz, 2 channels", 44_100, 2),
        ("48,000 Hz, 2 channels", 48_000, 2),
        ("96,000 Hz, 2 channels", 96_000, 2),
    ];
    let mut contenders = Vec::new();
    for (name, rate_hz, channels) in sources {
        let mono = render(Piece::Disco, rate_hz).take(SECONDS * rate_hz as usize);
        let frames: Vec<i32> =
            mono.flat_map(|sample| std::iter::repeat_n(sample, usize::from(channels))).collect();
        let mut conditioner = Conditioner::new(rate_hz, channels, Channel::Mix)?;
        contenders.push(Contender::here(name, move || {
            let mut unread = black_box(&frames[..]);
            while let Some(block) = conditioner.feed(&mut unread) {
                black_box(block);
            }
        }));
    }
    interleave(&mut contenders)?.print_costs(SECONDS as f64, "s of sound");
    Ok(())
}
