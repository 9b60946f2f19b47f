//! Whatever is wrong with a file is an error by name, and no bytes at all bring the reader or an accepted model to a
//! panic.
#![allow(clippy::unwrap_used, reason = "tests report by panicking, their helpers too")]

use proptest::prelude::*;

use super::*;
use crate::classify::native::random::Random;
use crate::classify::native::{Kernel, Model, Parts, ReadOut, Stream};
use crate::spec::MEL_BANDS;

const SMALL: Shape =
    Shape { steps: 1, channels: [16, 16, 16], hidden: 16, labels: 3, read_out: ReadOut::Mean };

fn file() -> Vec<u8> {
    Parts::random(&SMALL, 1).to_file().unwrap()
}

/// The file with its length and hash made right again.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = (bytes.len() as u32).to_le_bytes();
    bytes[12..16].copy_from_slice(&len);
    let hash = sha256(&bytes[PREFIX..]);
    bytes[16..PREFIX_USED].copy_from_slice(&hash);
    bytes
}

fn error(bytes: &[u8]) -> ModelError {
    Model::new(bytes).unwrap_err()
}

#[test]
fn a_file_reads_back() {
    let model = Model::new(file()).unwrap();
    assert_eq!(model.shape(), &SMALL);
    assert_eq!(model.frontend(), crate::spec::FrontendSpec::SHIPPED.fingerprint());
}

#[test]
fn every_cut_is_an_error() {
    let file = file();
    for len in (0..file.len()).step_by(97).chain(0..200).chain([file.len() - 1]) {
        let found = error(&file[..len]);
        let wanted = match len {
            0..8 => ModelError::Foreign,
            8..128 => ModelError::Truncated { stated: PREFIX + HEADER, found: len },
            _ => ModelError::Truncated { stated: file.len(), found: len },
        };
        assert_eq!(found, wanted, "cut at {len}");
    }
}

#[test]
fn every_changed_byte_is_an_error() {
    let mut file = file();
    for at in (0..file.len()).step_by(61).chain(0..256) {
        file[at] ^= 0x10;
        assert!(Model::new(file.as_slice()).is_err(), "byte {at}");
        file[at] ^= 0x10;
    }
}

#[test]
fn foreign_longer_and_newer_files_are_named() {
    assert_eq!(error(b"RIFF\x24\0\0\0WAVEfmt "), ModelError::Foreign);
    assert_eq!(error(&[]), ModelError::Foreign);
    let file = file();
    let stated = file.len();
    assert_eq!(error(&[file.as_slice(), &[0]].concat()), ModelError::Oversized { stated, found: stated + 1 });
    let mut newer = file.clone();
    newer[8] = 2;
    assert_eq!(error(&newer), ModelError::Version { found: 2 });
    let mut huge = file.clone();
    huge[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(error(&huge), ModelError::Oversized { stated: MAX_FILE_BYTES, found: u32::MAX as usize });
    let longer = sealed([file.as_slice(), &[0; 64]].concat());
    assert_eq!(error(&longer), ModelError::Length { wanted: stated, found: stated + 64 });
    let mut damaged = file;
    damaged[stated / 2] ^= 1;
    assert_eq!(error(&damaged), ModelError::Damaged);
}

/// The file of `SMALL` with one number changed, its hash right.
fn with(change: impl Fn(&mut [u8], &[LayerSpans; LAYERS])) -> ModelError {
    let mut bytes = file();
    change(&mut bytes, &spans(&SMALL).0);
    error(&sealed(bytes))
}

#[test]
fn numbers_that_would_overflow_are_named() {
    let value = |layer, what| ModelError::Value { layer, what };
    let least = i8::MIN as u8;
    for (layer, name) in NAMES.into_iter().enumerate().take(RECURRENCE) {
        assert_eq!(with(|b, at| b[at[layer].weights.start] = least), value(name, "weights"));
        assert_eq!(with(|b, at| b[at[layer].bias.start + 3] = 0x7f), value(name, "bias"));
    }
    for (layer, name) in NAMES.into_iter().enumerate() {
        // A mantissa of 25 bits, and a shift that no u64 has.
        assert_eq!(with(|b, at| b[at[layer].scales.start + 3] = 1), value(name, "scale"));
        assert_eq!(
            with(|b, at| b[at[layer].scales.start + at[layer].scales.len - 4] = 64),
            value(name, "scale")
        );
    }
    for (layer, name) in [(RECURRENCE, "recurrence"), (DENSE, "dense")] {
        let row = |b: &mut [u8], at: &[LayerSpans; LAYERS]| {
            let Span { start, len } = at[layer].weights;
            b[start..start + len].as_chunks_mut().0.iter_mut().for_each(|w| *w = i16::MAX.to_le_bytes());
        };
        assert_eq!(with(row), value(name, "weights"));
    }
    assert_eq!(with(|b, at| b[at[0].weights.start + 3] = 1), value("conv1", "weights"));
    assert_eq!(with(|b, at| b[at[DENSE].bias.start + at[DENSE].bias.len] = 1), value("dense", "padding"));
    assert_eq!(with(|b, _| b[PREFIX + HEADER - 1] = 1), value("conv1", "padding"));
}

#[test]
fn shapes_out_of_range_are_named() {
    let shape = |change: fn(&mut Shape)| {
        let mut header = Header { frontend: 1, shape: SMALL, input_gain: 0.5 };
        change(&mut header.shape);
        let mut bytes = file();
        bytes[PREFIX..PREFIX + HEADER].fill(0);
        postcard::to_slice(&header, &mut bytes[PREFIX..PREFIX + HEADER]).unwrap();
        error(&sealed(bytes))
    };
    assert_eq!(shape(|s| s.steps = 0), ModelError::Shape { field: "steps" });
    assert_eq!(shape(|s| s.steps = 33), ModelError::Shape { field: "steps" });
    assert_eq!(shape(|s| s.channels[0] = 48), ModelError::Shape { field: "channels" });
    assert_eq!(shape(|s| s.channels[2] = 24), ModelError::Shape { field: "channels" });
    assert_eq!(shape(|s| s.hidden = 80), ModelError::Shape { field: "hidden" });
    assert_eq!(shape(|s| s.hidden = usize::MAX), ModelError::Shape { field: "hidden" });
    assert_eq!(shape(|s| s.labels = 1), ModelError::Shape { field: "labels" });
    assert_eq!(shape(|s| s.labels = 33), ModelError::Shape { field: "labels" });
    assert!(matches!(shape(|s| s.hidden = 64), ModelError::Length { .. }));
    let mut gain = Parts::random(&SMALL, 1);
    for wrong in [f32::NAN, 0.0, -0.5, 2048.0, 1e-7] {
        gain.input_gain = wrong;
        assert_eq!(gain.to_file(), Err(ModelError::Value { layer: "input", what: "scale" }));
    }
}

fn shorten<T>(list: &mut Vec<T>) {
    list.truncate(list.len() - 1);
}

#[test]
fn parts_that_do_not_fit_together_are_named() {
    let with = |change: fn(&mut Parts)| {
        let mut parts = Parts::random(&SMALL, 1);
        change(&mut parts);
        parts.to_file().unwrap_err()
    };
    let count = |layer| ModelError::Value { layer, what: "count" };
    assert_eq!(with(|p| shorten(&mut p.convs[1].weights)), count("conv2"));
    assert_eq!(with(|p| shorten(&mut p.convs[2].scales)), count("conv3"));
    assert_eq!(with(|p| shorten(&mut p.projection.weights)), count("projection"));
    assert_eq!(with(|p| shorten(&mut p.recurrence.weights)), count("recurrence"));
    assert_eq!(with(|p| p.recurrence.bias.push(0)), count("recurrence"));
    assert_eq!(with(|p| shorten(&mut p.dense.weights)), count("dense"));
    assert_eq!(with(|p| shorten(&mut p.convs[0].bias)), ModelError::Shape { field: "channels" });
}

/// Pushes a window of extremes and asks for logits.
fn run(bytes: &[u8]) {
    let Ok(model) = Model::new(bytes) else { return };
    let mut stream = Stream::new();
    let mut random = Random::new(3);
    for _ in 0..model.window().frames() {
        let bands: [i16; MEL_BANDS] = core::array::from_fn(|_| random.within(32767) as i16);
        stream.push(&model, Kernel::PORTABLE, &bands);
    }
    assert!(stream.logits(&model, Kernel::PORTABLE).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Mutations with the hash made right: what a hostile writer could do. Rejected, or it runs without overflow.
    #[test]
    fn mutated_files_are_refused_or_run(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        head in prop::collection::vec((0usize..80, any::<u8>()), 0..3),
        cut in prop::option::weighted(0.1, 0usize..64),
    ) {
        let mut bytes = file();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for (at, byte) in head {
            bytes[PREFIX + at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(bytes.len() - cut);
        }
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[PREFIX_USED..PREFIX].fill(0);
        run(&sealed(bytes));
    }

    /// Scales and biases anywhere in their ranges, weights at their extremes: accepted, and the sums stay within i32.
    #[test]
    fn accepted_extremes_do_not_overflow(seed: u64) {
        let mut parts = Parts::random(&SMALL, seed);
        let mut random = Random::new(seed);
        for conv in &mut parts.convs {
            conv.weights.iter_mut().for_each(|w| *w = if random.within(1) < 0 { -127 } else { 127 });
            conv.bias.iter_mut().for_each(|b| *b = random.within(1).signum() * MAX_BIAS);
            conv.scales.iter_mut().for_each(|s| {
                *s = Multiplier::from_parts((1 << 24) - 1, (32 + random.within(30)) as u32).unwrap();
            });
        }
        parts.projection.scales.fill(Multiplier::from_parts((1 << 24) - 1, 2).unwrap());
        parts.projection.bias.iter_mut().for_each(|b| *b = random.within(1).signum() * MAX_BIAS);
        for matrix in [&mut parts.recurrence, &mut parts.dense] {
            matrix.weights.iter_mut().for_each(|w| *w = (random.within(1).signum() * 4095) as i16);
            matrix.scales.fill(Multiplier::from_parts((1 << 24) - 1, 2).unwrap());
        }
        run(&parts.to_file().unwrap());
    }

    /// Damage by accident, hash and length as they were: an error that says of what kind.
    #[test]
    fn damage_is_named(bit: prop::sample::Index, cut: prop::sample::Index, tail in 1usize..5000, fill: u8) {
        let file = file();
        let stated = file.len();

        let mut flipped = file.clone();
        let bit = bit.index(8 * stated);
        flipped[bit / 8] ^= 1 << (bit % 8);
        // Where a bit lies decides what is wrong.
        let found = error(&flipped);
        let named = match bit / 8 {
            0..8 => found == ModelError::Foreign,
            8..12 => matches!(found, ModelError::Version { .. }),
            12..16 => matches!(found, ModelError::Truncated { .. } | ModelError::Oversized { .. }),
            _ => found == ModelError::Damaged,
        };
        prop_assert!(named, "bit {} of byte {}: {}", bit % 8, bit / 8, found);

        let cut = cut.index(stated);
        let found = error(&file[..cut]);
        let named = matches!(found, ModelError::Foreign | ModelError::Truncated { .. });
        prop_assert!(named, "cut at {}: {}", cut, found);

        let longer = [file.as_slice(), &vec![fill; tail]].concat();
        prop_assert_eq!(error(&longer), ModelError::Oversized { stated, found: stated + tail });
    }

    /// Another kind of file, whatever its length; with our first bytes, whatever else it holds.
    #[test]
    fn foreign_files_are_named(head in prop::array::uniform8(any::<u8>()), len in 0usize..4096, fill: u8, claim: u32) {
        let mut bytes = [head.as_slice(), &vec![fill; len]].concat();
        prop_assume!(head != MAGIC);
        prop_assert_eq!(error(&bytes), ModelError::Foreign);
        bytes[..8].copy_from_slice(&MAGIC);
        if bytes.len() >= PREFIX + HEADER {
            // A claim of any length is checked before anything is read through or trusted.
            bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
            bytes[12..16].copy_from_slice(&claim.to_le_bytes());
            let found = error(&bytes);
            let named = match claim as usize {
                claim if claim > MAX_FILE_BYTES || claim < bytes.len() => matches!(found, ModelError::Oversized { .. }),
                claim if claim > bytes.len() => matches!(found, ModelError::Truncated { .. }),
                _ => found == ModelError::Damaged,
            };
            prop_assert!(named, "{} bytes, {} claimed: {}", bytes.len(), claim, found);
        } else {
            let cut = matches!(error(&bytes), ModelError::Truncated { .. });
            prop_assert!(cut, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let mut bytes = bytes;
        if magic && bytes.len() >= 16 {
            bytes[..8].copy_from_slice(&MAGIC);
            bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        }
        prop_assert!(Model::new(bytes.as_slice()).is_err());
    }
}
