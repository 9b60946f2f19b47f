//! Model files: a small network's file, changed at will and with its length and hash put right, is refused, or runs with every
//! kernel that this machine has and gives the same numbers.
//!
//! Input: one byte of what to do, 32 bytes of header (taken where the byte is odd), then changes of four bytes each: offset
//! (u24, little-endian) and value. Where the byte's second bit is set and the window is short, frames are streamed; else each
//! layer computes one line, from which the window's steps are made: a whole window of the largest network would take seconds.
#![no_main]

use std::sync::LazyLock;

use harmonynet::classify::native::{
    Kernel, Layers, Logits, MAX_FILE_BYTES, Model, ModelError, Parts, ReadOut, Shape, Stream,
};
use harmonynet::spec::MEL_BANDS;
use libfuzzer_sys::fuzz_target;
use sha2::Digest as _;

const SHAPE: Shape =
    Shape { steps: 2, channels: [16, 16, 16], hidden: 16, labels: 3, read_out: ReadOut::Last };
/// Before the header: magic, version, length, hash, zeros.
const PREFIX: usize = 64;
const HEADER: usize = 32;
/// Most steps of a window that is streamed.
const STREAMED: usize = 2;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| Parts::random(&SHAPE, 5).to_file().unwrap());

/// Its numbers, again and again, for any shape.
static NUMBERS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let numbers = &BASE[2 * PREFIX..];
    numbers.repeat(MAX_FILE_BYTES.div_ceil(numbers.len()))
});

/// The file with its length and hash put right, in memory that ends where it ends.
fn seal(mut file: Vec<u8>) -> Box<[u8]> {
    let length = file.len() as u32;
    file[12..16].copy_from_slice(&length.to_le_bytes());
    let hash = sha2::Sha256::digest(&file[PREFIX..]);
    file[16..48].copy_from_slice(&hash);
    file.into_boxed_slice()
}

/// A frame of the input's bytes.
fn bands(data: &[u8], frame: usize) -> [i16; MEL_BANDS] {
    std::array::from_fn(|band| i16::from(data[(frame * 31 + band) % data.len()] as i8) * 64)
}

/// The window's logits, frame by frame.
fn streamed(model: &Model<Box<[u8]>>, kernel: Kernel, data: &[u8]) -> Logits {
    let mut stream = Stream::new();
    (0..model.window().frames()).for_each(|frame| {
        stream.push(model, kernel, &bands(data, frame));
    });
    stream.logits(model, kernel).expect("a whole window was streamed")
}

/// What each layer makes of the input's bytes: one line of each convolution, a step's features of the last one's line,
/// gates of these and of these turned around, and a window of both in turns.
fn layered(model: &Model<Box<[u8]>>, kernel: Kernel, data: &[u8]) -> (Vec<Vec<i8>>, Vec<i32>, Logits) {
    let (layers, shape) = (Layers::new(model, kernel), model.shape());
    let frames: Vec<i8> = (0..4).flat_map(|frame| layers.input(&bands(data, frame))).collect();
    let mut lines = vec![layers.pooled(0, &frames).unwrap()];
    for conv in 1..=2 {
        // The next layer reads four lines: the one there is, moved along.
        let line = &lines[conv - 1];
        let four: Vec<i8> =
            (0..4).flat_map(|turn| line.iter().cycle().skip(turn * 5).take(line.len())).copied().collect();
        lines.push(layers.pooled(conv, &four).unwrap());
    }
    let features = lines.last().unwrap();
    let turned: Vec<i8> = features.iter().rev().copied().collect();
    let gates = [features, &turned].map(|features| layers.projected(features).unwrap());
    let window: Vec<i32> = gates.iter().cycle().take(shape.steps).flatten().copied().collect();
    let logits = layers.logits(&window);
    (lines, window, logits)
}

/// Every kernel's results are the same.
fn agree<T: PartialEq + std::fmt::Debug>(of: impl Fn(Kernel) -> T) {
    let all: Vec<T> = Kernel::available().map(of).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
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
        // Another shape asks for another length: as much of the small network's numbers as it takes.
        if let Err(ModelError::Length { wanted, .. }) = Model::new(seal(file.clone())) {
            file.truncate(2 * PREFIX);
            file.extend_from_slice(NUMBERS.get(..wanted.saturating_sub(2 * PREFIX)).unwrap_or_default());
        }
    }
    for change in changes.as_chunks::<4>().0 {
        let offset = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        let length = file.len() - PREFIX;
        file[PREFIX + offset % length] = change[3];
    }
    let Ok(model) = Model::new(seal(file)) else { return };
    if how & 2 == 2 && model.shape().steps <= STREAMED {
        agree(|kernel| streamed(&model, kernel, data));
    } else {
        agree(|kernel| layered(&model, kernel, data));
    }
});
