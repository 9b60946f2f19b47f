use super::*;

const RATE: u32 = 48_000;

/// FNV-1a over the samples' bytes.
fn checksum(samples: &[i32]) -> u64 {
    samples.iter().flat_map(|s| s.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn rms_dbfs(samples: &[i32]) -> f64 {
    let power: f64 = samples.iter().map(|&s| (f64::from(s) / 2_147_483_648.0).powi(2)).sum();
    10.0 * (power / samples.len() as f64).log10()
}

#[test]
fn every_piece_is_audible_music_of_half_a_minute_without_clipping() {
    for piece in Piece::ALL {
        let samples: Vec<i32> = render(piece, RATE).collect();
        let seconds = samples.len() as f64 / f64::from(RATE);
        assert!((28.0..34.0).contains(&seconds), "{piece:?} lasts {seconds} s");
        let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        assert!((1 << 30..(1 << 31) - (1 << 25)).contains(&peak), "{piece:?} peaks at {peak}");
        let rms = rms_dbfs(&samples);
        assert!((-24.0..-10.0).contains(&rms), "{piece:?} is at {rms} dBFS");
        for (i, half_second) in samples.chunks_exact(RATE as usize / 2).enumerate() {
            let rms = rms_dbfs(half_second);
            assert!(rms > -40.0, "{piece:?} is silent ({rms} dBFS) in half-second {i}");
        }
        let mean: f64 = samples.iter().map(|&s| f64::from(s)).sum::<f64>() / samples.len() as f64;
        assert!(mean.abs() < 0.01 * 2_147_483_648.0, "{piece:?} has an offset of {mean}");
    }
}

#[test]
fn the_same_bits_come_out_on_every_machine() {
    let sums = Piece::ALL.map(|piece| checksum(&render(piece, RATE).collect::<Vec<_>>()));
    assert_eq!(sums, [0x1cab_0416_5b11_35c1, 0xdbc8_c0a5_2ed4_aae2, 0xc80e_6894_346f_0cab], "{sums:#x?}");
}

#[test]
fn a_piece_lasts_equally_long_at_every_rate() {
    for rate in [16_000, 22_050, 44_100, 96_000] {
        let here = render(Piece::Disco, rate).count() as f64 / f64::from(rate);
        let there = render(Piece::Disco, RATE).count() as f64 / f64::from(RATE);
        assert!((here - there).abs() < 1e-3, "{here} s at {rate} Hz, {there} s at {RATE} Hz");
    }
}

#[test]
fn the_score_has_no_bar_of_a_wrong_length() {
    for piece in Piece::ALL {
        let score = score::of(piece);
        for line in score.sections.iter().flat_map(|section| section.lines) {
            for bar in line.bars.iter().filter(|bar| !bar.is_empty()) {
                assert_eq!(bar.len(), score.steps_per_bar as usize, "{piece:?}: {bar}");
            }
        }
    }
}

#[test]
fn as_a_microphone_it_delivers_every_sample_and_then_ends() {
    let mut player = DemoPlayer::new(Piece::Metal, 16_000);
    let mut period = vec![0; player.granted().period_samples()];
    let mut heard = Vec::new();
    while let Ok(reading) = player.read(&mut period) {
        assert_eq!(reading.lost, 0);
        heard.extend_from_slice(&period[..reading.frames]);
    }
    assert_eq!(player.read(&mut period), Err(CaptureError::Ended));
    assert_eq!(checksum(&heard), checksum(&render(Piece::Metal, 16_000).collect::<Vec<_>>()));
}
