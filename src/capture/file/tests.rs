//! Recordings made here (WAV) and by `fixtures/make.py` (the others).

use super::*;
use std::f64::consts::TAU;

/// A WAV file of format 1 (PCM) with the samples' bytes as given.
fn wav(rate_hz: u32, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(1u16.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * u32::from(frame)).to_le_bytes());
    file.extend(frame.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn saved(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capture/file/fixtures").join(name)
}

/// All samples, the frames lost among them, and how it ended.
fn listen(microphone: &mut FileMicrophone) -> (Vec<i32>, u64, CaptureError) {
    let mut into = vec![0; microphone.granted().period_samples()];
    let (mut samples, mut lost) = (Vec::new(), 0);
    loop {
        match microphone.read(&mut into) {
            Ok(reading) => {
                assert!(reading.frames > 0);
                lost += reading.lost;
                samples.extend(&into[..reading.frames * usize::from(microphone.granted().channels)]);
            }
            Err(error) => return (samples, lost, error),
        }
    }
}

fn cause(bytes: &[u8], name: &str) -> FileCause {
    let (_folder, path) = saved(name, bytes);
    let error = FileMicrophone::open(&path).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    error.cause
}

#[test]
fn wav_comes_through_bit_for_bit() {
    for (bits, shift) in [(16u16, 16), (24, 8), (32, 0)] {
        let expected: Vec<i32> =
            (0..9_000i32).map(|n| (n.wrapping_mul(-1_640_531_527) >> shift) << shift).collect();
        let data: Vec<u8> =
            expected.iter().flat_map(|s| s.to_le_bytes()[4 - usize::from(bits / 8)..].to_vec()).collect();
        let (_folder, path) = saved("x.wav", &wav(44_100, 3, bits, &data));
        let mut microphone = FileMicrophone::open(&path).unwrap();
        let granted = microphone.granted();
        assert_eq!((granted.rate_hz, granted.channels, granted.period_frames), (44_100, 3, 882));
        assert_eq!(microphone.total_frames(), Some(3_000));
        assert_eq!(listen(&mut microphone), (expected.clone(), 0, CaptureError::Ended), "{bits} bits");
        let mut pipe =
            FileMicrophone::from_reader(std::io::Cursor::new(std::fs::read(&path).unwrap())).unwrap();
        assert_eq!(listen(&mut pipe), (expected, 0, CaptureError::Ended), "{bits} bits through a pipe");
    }
}

/// Amplitude of `hz` in one channel of interleaved stereo at 16 kHz, full scale being 1; the middle 0.4 s.
fn amplitude(samples: &[i32], channel: usize, hz: f64) -> f64 {
    let middle: Vec<f64> = samples
        .chunks_exact(2)
        .skip(800)
        .take(6_400)
        .map(|f| f64::from(f[channel]) / 2f64.powi(31))
        .collect();
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in middle.iter().enumerate() {
        let (sin, cos) = (TAU * hz * n as f64 / 16_000.0).sin_cos();
        re += x * cos;
        im += x * sin;
    }
    2.0 * re.hypot(im) / middle.len() as f64
}

#[test]
fn flac_mp3_and_ogg_play_their_two_tones() {
    for (name, encoding, tolerance) in [("flac", "flac", 1e-4), ("mp3", "mp3", 0.02), ("ogg", "vorbis", 0.02)]
    {
        let mut microphone = FileMicrophone::open(fixture(&format!("tones.{name}"))).unwrap();
        let granted = microphone.granted();
        assert_eq!((granted.rate_hz, granted.channels, granted.encoding), (16_000, 2, encoding));
        let (samples, lost, end) = listen(&mut microphone);
        assert_eq!((lost, end), (0, CaptureError::Ended), "{name}");
        assert!(samples.len().abs_diff(2 * 8_000) <= 2 * 1_152, "{name}: {} samples", samples.len());
        for (channel, hz, expected) in
            [(0, 440.0, 0.5), (1, 1_000.0, 0.25), (0, 1_000.0, 0.0), (1, 440.0, 0.0)]
        {
            let heard = amplitude(&samples, channel, hz);
            assert!((heard - expected).abs() < tolerance, "{name}: {heard} at {hz} Hz in channel {channel}");
        }
    }
}

#[test]
fn flac_is_exact() {
    let (samples, ..) = listen(&mut FileMicrophone::open(fixture("tones.flac")).unwrap());
    for (n, frame) in samples.chunks_exact(2).enumerate() {
        let exact = 0.5 * (TAU * 440.0 * n as f64 / 16_000.0).sin();
        let error = (f64::from(frame[0]) / 2f64.powi(31) - exact).abs();
        assert!(error <= 0.51 / 2f64.powi(23), "frame {n} is {error} off");
    }
}

/// What is heard and what is counted as lost with 20 bytes overwritten from `start`, in frames.
fn damaged(name: &str, start: usize) -> (usize, u64) {
    let mut bytes = std::fs::read(fixture(name)).unwrap();
    bytes[start..start + 20].fill(0xff);
    let (_folder, path) = saved(name, &bytes);
    let (samples, lost, end) = listen(&mut FileMicrophone::open(&path).unwrap());
    assert_eq!(end, CaptureError::Ended, "{name} damaged at byte {start}");
    (samples.len() / 2, lost)
}

#[test]
fn a_damaged_flac_frame_is_left_out_and_counted() {
    for start in (300..10_900).step_by(71) {
        // The recording is two frames of 4096 and 3904.
        assert_eq!(damaged("tones.flac", start), (3_904, 4_096), "damaged at byte {start}");
    }
}

#[test]
fn a_damaged_mp3_goes_on() {
    let outcomes: Vec<_> = (900..2_800).step_by(71).map(|start| damaged("tones.mp3", start)).collect();
    assert!(
        outcomes.iter().all(|(heard, lost)| *heard > 3_000 && *heard as u64 + lost <= 8_000),
        "{outcomes:?}"
    );
    assert!(outcomes.iter().any(|(heard, _)| *heard < 8_000), "nothing was damaged");
    assert!(outcomes.iter().any(|(_, lost)| *lost > 0), "no loss was counted");
}

#[test]
fn a_file_that_breaks_off_says_so_and_a_pipe_may() {
    let data = vec![1; 96_000];
    let whole = wav(48_000, 1, 16, &data);
    let cut = &whole[..whole.len() - 50_000];
    let (_folder, path) = saved("cut.wav", cut);
    let (samples, _, end) = listen(&mut FileMicrophone::open(&path).unwrap());
    assert_eq!(end, CaptureError::Broken);
    assert!((22_000..=23_000).contains(&samples.len()), "{}", samples.len());
    let mut pipe = FileMicrophone::from_reader(std::io::Cursor::new(cut.to_vec())).unwrap();
    assert_eq!(listen(&mut pipe).2, CaptureError::Ended);
}

#[test]
fn what_cannot_be_read_is_named() {
    let silence = [0; 4_000];
    assert_eq!(cause(&wav(8_000, 1, 16, &silence), "slow.wav"), FileCause::Rate(RateError(8_000)));
    assert_eq!(cause(&wav(48_000, 10, 16, &silence), "wide.wav"), FileCause::Channels(10));
    assert_eq!(cause(&wav(48_000, 1, 16, &[]), "empty.wav"), FileCause::Empty);
    assert_eq!(cause(b"", "nothing.wav"), FileCause::Foreign);
    assert_eq!(cause(&[b'x'; 3_000], "text.txt"), FileCause::Foreign);
    let missing = FileMicrophone::open("/not/there.wav").unwrap_err();
    assert_eq!(missing.cause, FileCause::Read(ErrorKind::NotFound));
    assert_eq!(CaptureError::from(missing), CaptureError::Missing);
}
