//! Model files: a small network's file, changed at will and with its length and hash put right, is refused, or runs with every
//! kernel that this machine has and gives the same logits.
//!
//! Input: one byte of what to do, 32 bytes of header (taken where the byte is odd), then changes of four bytes each: offset
//! (u24, little-endian) and value.
#![no_main]

use std::sync::LazyLock;

use harmonynet::classify::native::{Kernel, Model, ModelError, Parts, ReadOut, Shape, Stream};
use harmonynet::spec::MEL_BANDS;
use libfuzzer_sys::fuzz_target;
use sha2::Digest as _;

const SHAPE: Shape =
    Shape { steps: 2, channels: [16, 16, 16], hidden: 16, labels: 3, read_out: ReadOut::Last };
/// Before the header: magic, version, length, hash, zeros.
const PREFIX: usize = 64;
const HEADER: usize = 32;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| Parts::random(&SHAPE, 5).to_file().unwrap());

/// The file with its length and hash put right, in memory that ends where it ends.
fn seal(mut file: Vec<u8>) -> Box<[u8]> {
    let length = file.len() as u32;
    file[12..16].copy_from_slice(&length.to_le_bytes());
    let hash = sha2::Sha256::digest(&file[PREFIX..]);
    file[16..48].copy_from_slice(&hash);
    file.into_boxed_slice()
}

fuzz_target!(|data: &[u8]| {
    // As it is: nothing put right.
    assert!(Model::new(data).is_err() || data.starts_with(b"hnnative"));
    let Some((&how, rest)) = data.split_first() else { return };
    let mut file = BASE.clone();
    let mut changes = rest;
    if how & 1 == 1
        && let Some((header, rest)) = rest.split_at_checked(HEADER)
    {
        file[PREFIX..PREFIX + HEADER].copy_from_slice(header);
        changes = rest;
    }
    // Another shape asks for another length: as much of the small network's numbers as it takes.
    if let Err(ModelError::Length { wanted, .. }) = Model::new(seal(file.clone())) {
        let numbers = BASE[2 * PREFIX..].iter().cycle().copied();
        let kept = file.len().min(2 * PREFIX);
        file.truncate(kept);
        file.extend(numbers.take(wanted.saturating_sub(kept)));
    }
    for change in changes.as_chunks::<4>().0 {
        let offset = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        let length = file.len() - PREFIX;
        file[PREFIX + offset % length] = change[3];
    }
    let Ok(model) = Model::new(seal(file)) else { return };
    let frames = model.window().frames().min(40);
    let mut logits = Vec::new();
    for kernel in Kernel::available() {
        let mut stream = Stream::new();
        for frame in 0..frames {
            let bands: [i16; MEL_BANDS] = std::array::from_fn(|band| {
                let byte = data[(frame * 31 + band) % data.len()];
                i16::from(byte as i8) * 64
            });
            stream.push(&model, kernel, &bands);
        }
        logits.push(stream.logits(&model, kernel));
    }
    assert!(logits.windows(2).all(|pair| pair[0] == pair[1]), "{logits:?}");
});
