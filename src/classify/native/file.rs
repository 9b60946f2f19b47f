//! The model file: what stands where, and what must be true of it before anything runs.
//!
//! ```text
//! prefix      64 bytes: magic, version, length of the file, SHA-256 of all that follows; zeros
//! header      postcard: fingerprint of the front-end, shape, input gain
//! sections    per layer: weights, biases, scales, in the order and packing that the kernels read
//! ```
//!
//! Every section begins at a multiple of 64 bytes, the gaps are zeros, numbers are little-endian. The sections' sizes
//! follow from the shape, so the file's length is known from its header. Weights are used where they lie: a file in
//! flash or in a mapping needs no copy.
//!
//! | layer | weights | biases | scales |
//! | --- | --- | --- | --- |
//! | convolutions | i8 `[frame][group][output][4]` | i32, in steps of the sums | to the next layer's steps |
//! | projection | i8 `[group][row][4]` | i32, Q15.16 | to Q15.16 |
//! | recurrence | i16 `[pair][row][2]` | – | to Q15.16 |
//! | dense | i16 `[label][unit]` | i32, Q15.16 | to Q15.16 |
//!
//! A group is four neighbours of what one frame gives a position (band − 1, band, band + 1, each with its channels; the
//! first convolution's three values are filled up with a zero weight) or of a step's features (band · channels +
//! channel). Scales are `n` mantissas, then `n` shifts, u32 each ([`Multiplier`]).

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::shape::{CONVS, MAX_CHANNELS, MAX_HIDDEN, Shape};
use crate::classify::hash::sha256;
use crate::classify::requantize::Multiplier;

/// How a file begins.
pub const MAGIC: [u8; 8] = *b"hnnative";
/// Version of the layout.
pub const VERSION: u32 = 1;
/// No model is longer: twice the largest shape's weights.
pub const MAX_FILE_BYTES: usize = 2 << 20;
/// Where sections begin: multiples of a cache line.
pub const ALIGNMENT: usize = 64;

/// Bytes before the header.
const PREFIX: usize = 64;
/// Bytes of the prefix in use: magic, version, length, hash.
const PREFIX_USED: usize = 48;
/// Room for the header.
const HEADER: usize = 64;
/// Layers with weights: convolutions, projection, recurrence, dense.
pub(super) const LAYERS: usize = CONVS + 3;
/// Index of the projection.
pub(super) const PROJECTION: usize = CONVS;
/// Index of the recurrence.
pub(super) const RECURRENCE: usize = CONVS + 1;
/// Index of the dense layer.
pub(super) const DENSE: usize = CONVS + 2;

/// Most of |bias|: with it, a convolution's sums stay within i32 (9 · 64 inputs · 127 · 127 < 2²⁴).
pub const MAX_BIAS: i32 = 1 << 30;
/// Most of a 16-bit row's sum of magnitudes: times a state of ±32767 it stays within i32.
pub const MAX_ROW_MAGNITUDE: u32 = (1 << 16) - 1;

const _: () = assert!(9 * MAX_CHANNELS[1] * 127 * 127 < 1 << 24 && 9 * MAX_CHANNELS[0] * 127 * 127 < 1 << 24);
const _: () = assert!(MAX_ROW_MAGNITUDE as u64 * 32767 < 1 << 31 && MAX_HIDDEN <= u8::MAX as usize);

/// What stands at the head of a file besides the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [Fingerprint](crate::spec::FrontendSpec::fingerprint) of the front-end that the model was trained with.
    pub(super) frontend: u64,
    /// Extents.
    pub(super) shape: Shape,
    /// Input steps per step of a log-mel value: 1/32 for steps of an eighth of an octave.
    pub(super) input_gain: f32,
}

/// Why a file is not a model that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// It begins like another kind of file.
    Foreign,
    /// Another version of the layout.
    Version {
        /// The version found.
        found: u32,
    },
    /// It ends before it should.
    Truncated {
        /// Bytes stated, or the least there must be.
        stated: usize,
        /// Bytes found.
        found: usize,
    },
    /// It is longer than it should be, or than any model.
    Oversized {
        /// Bytes stated or allowed.
        stated: usize,
        /// Bytes found or stated.
        found: usize,
    },
    /// Its contents don't match their hash.
    Damaged,
    /// Its header cannot be read.
    Header,
    /// An extent is out of range.
    Shape {
        /// The extent.
        field: &'static str,
    },
    /// The file's length is not what its shape asks for.
    Length {
        /// Bytes that the shape asks for.
        wanted: usize,
        /// Bytes found.
        found: usize,
    },
    /// A number is out of the range in which the arithmetic is safe.
    Value {
        /// The layer: `conv1`, …, `projection`, `recurrence`, `dense`, or `input`.
        layer: &'static str,
        /// What of it: `weights`, `bias`, `scale`, `padding`, or their `count`.
        what: &'static str,
    },
}

impl core::fmt::Display for ModelError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Foreign => f.write_str("this is no native model file"),
            Self::Version { found } => {
                write!(f, "version {found} of the native model file; this build reads version {VERSION}")
            }
            Self::Truncated { stated, found } => {
                write!(f, "the native model file is cut off: {found} bytes of {stated}")
            }
            Self::Oversized { stated, found } => {
                write!(f, "the native model file is too long: {found} bytes, at most {stated} expected")
            }
            Self::Damaged => f.write_str("the native model file is damaged: its SHA-256 differs"),
            Self::Header => f.write_str("the native model file's header cannot be read"),
            Self::Shape { field } => write!(f, "the native model's {field} is out of range"),
            Self::Length { wanted, found } => {
                write!(f, "the native model file is {found} bytes long, but its shape asks for {wanted}")
            }
            Self::Value { layer, what } => write!(f, "native model, {layer}: {what} out of range"),
        }
    }
}

impl core::error::Error for ModelError {}

/// Where a run of bytes lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Span {
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.start + self.len]
    }
}

/// Where a layer's sections lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LayerSpans {
    pub(super) weights: Span,
    pub(super) bias: Span,
    pub(super) scales: Span,
}

/// Groups of four that one frame gives a position of a convolution with `inputs` channels.
pub(super) fn groups_per_frame(inputs: usize) -> usize {
    (3 * inputs).div_ceil(4)
}

/// Where all sections lie, and the file's length.
pub(super) fn spans(shape: &Shape) -> ([LayerSpans; LAYERS], usize) {
    let mut at = PREFIX + HEADER;
    let mut section = |len: usize| {
        let span = Span { start: at, len };
        at = (at + len).next_multiple_of(ALIGNMENT);
        span
    };
    let (hidden, rows) = (shape.hidden, shape.gate_rows());
    let layers = core::array::from_fn(|layer| {
        let (weights, rows, biases) = match layer {
            PROJECTION => (shape.features() * rows, rows, rows),
            RECURRENCE => (2 * hidden * rows, rows, 0),
            DENSE => (2 * hidden * shape.labels, shape.labels, shape.labels),
            conv => {
                let outputs = shape.channels[conv];
                (3 * 4 * groups_per_frame(shape.inputs(conv)) * outputs, outputs, outputs)
            }
        };
        LayerSpans { weights: section(weights), bias: section(4 * biases), scales: section(8 * rows) }
    });
    (layers, at)
}

/// The header of a file in which everything is as it must be, and where its sections lie.
pub(super) fn read(bytes: &[u8]) -> Result<(Header, [LayerSpans; LAYERS]), ModelError> {
    check_prefix(bytes)?;
    let body = &bytes[PREFIX..];
    let (header, rest) = postcard::take_from_bytes::<Header>(body).map_err(|_| ModelError::Header)?;
    let used = body.len() - rest.len();
    if used > HEADER {
        return Err(ModelError::Header);
    }
    header.shape.validate()?;
    let (layers, wanted) = spans(&header.shape);
    if bytes.len() != wanted {
        return Err(ModelError::Length { wanted, found: bytes.len() });
    }
    if !Multiplier::new(header.input_gain).is_some_and(Multiplier::has_steps) {
        return Err(ModelError::Value { layer: "input", what: "scale" });
    }
    let mut end = PREFIX + used;
    for (index, layer) in layers.iter().enumerate() {
        check_layer(bytes, index, layer, &header.shape)?;
        for span in [layer.weights, layer.bias, layer.scales] {
            check_padding(&bytes[end..span.start], index)?;
            end = span.start + span.len;
        }
    }
    check_padding(&bytes[end..], DENSE)?;
    Ok((header, layers))
}

fn check_prefix(bytes: &[u8]) -> Result<(), ModelError> {
    let found = bytes.len();
    if found < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC {
        return Err(ModelError::Foreign);
    }
    let least = PREFIX + HEADER;
    if found < least {
        return Err(ModelError::Truncated { stated: least, found });
    }
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let version = number(8);
    if version != VERSION {
        return Err(ModelError::Version { found: version });
    }
    // Hashing comes behind the length, so that no huge file is read through for nothing.
    let stated = usize::try_from(number(12)).unwrap_or(usize::MAX);
    if stated > MAX_FILE_BYTES {
        return Err(ModelError::Oversized { stated: MAX_FILE_BYTES, found: stated });
    }
    match found.cmp(&stated) {
        core::cmp::Ordering::Less => return Err(ModelError::Truncated { stated, found }),
        core::cmp::Ordering::Greater => return Err(ModelError::Oversized { stated, found }),
        core::cmp::Ordering::Equal => {}
    }
    let hash = sha256(&bytes[PREFIX..]);
    let unused = bytes[PREFIX_USED..PREFIX].iter().any(|&byte| byte != 0);
    if bytes[16..PREFIX_USED] != hash || unused { Err(ModelError::Damaged) } else { Ok(()) }
}

/// What layers are called in errors.
pub(super) const NAMES: [&str; LAYERS] = ["conv1", "conv2", "conv3", "projection", "recurrence", "dense"];

fn check_padding(gap: &[u8], layer: usize) -> Result<(), ModelError> {
    match gap.iter().all(|&byte| byte == 0) {
        true => Ok(()),
        false => Err(ModelError::Value { layer: NAMES[layer], what: "padding" }),
    }
}

fn check_layer(bytes: &[u8], index: usize, layer: &LayerSpans, shape: &Shape) -> Result<(), ModelError> {
    let wrong = |what| Err(ModelError::Value { layer: NAMES[index], what });
    let weights = layer.weights.of(bytes);
    let weights_good = match index {
        RECURRENCE => good_columns(weights, shape.gate_rows()),
        DENSE => weights.chunks_exact(2 * shape.hidden).all(good_row),
        // −128 would let the sum of two products leave i16, and its magnitude i8.
        _ => weights.iter().all(|&weight| weight as i8 != i8::MIN),
    };
    if !weights_good || (index == 0 && !fill_is_zero(weights)) {
        return wrong("weights");
    }
    if i32s(layer.bias.of(bytes)).any(|bias| bias.unsigned_abs() > MAX_BIAS.unsigned_abs()) {
        return wrong("bias");
    }
    let scales = layer.scales.of(bytes);
    let (mantissas, shifts) = scales.split_at(scales.len() / 2);
    let mut pairs = i32s(mantissas).zip(i32s(shifts));
    if !pairs.all(|(mantissa, shift)| Multiplier::from_parts(mantissa as u32, shift as u32).is_some()) {
        return wrong("scale");
    }
    Ok(())
}

/// The fourth weight of each of the first convolution's groups multiplies what is no input of the position.
fn fill_is_zero(weights: &[u8]) -> bool {
    weights.chunks_exact(4).all(|group| group[3] == 0)
}

fn magnitude(weight: &[u8]) -> u32 {
    u32::from(i16::from_le_bytes([weight[0], weight[1]]).unsigned_abs())
}

fn good_row(row: &[u8]) -> bool {
    row.chunks_exact(2).map(magnitude).sum::<u32>() <= MAX_ROW_MAGNITUDE
}

/// [`good_row`] for the rows of `[pair][row][2]`.
fn good_columns(weights: &[u8], rows: usize) -> bool {
    (0..rows).all(|row| {
        let pairs = weights.chunks_exact(4).skip(row).step_by(rows);
        pairs.flat_map(|pair| pair.chunks_exact(2)).map(magnitude).sum::<u32>() <= MAX_ROW_MAGNITUDE
    })
}

/// The little-endian numbers of a section.
pub(super) fn i32s(bytes: &[u8]) -> impl Iterator<Item = i32> + '_ {
    bytes.as_chunks().0.iter().map(|&number| i32::from_le_bytes(number))
}

/// Puts a file together from its header and its sections' contents, which have the lengths of [`spans`].
#[cfg(feature = "alloc")]
pub(super) fn write(header: &Header, sections: &[[Vec<u8>; 3]; LAYERS]) -> Result<Vec<u8>, ModelError> {
    header.shape.validate()?;
    let (layers, len) = spans(&header.shape);
    let mut bytes = alloc::vec![0; len];
    postcard::to_slice(header, &mut bytes[PREFIX..PREFIX + HEADER]).map_err(|_| ModelError::Header)?;
    for ((index, spans), contents) in layers.iter().enumerate().zip(sections) {
        for (span, content) in [spans.weights, spans.bias, spans.scales].into_iter().zip(contents) {
            if content.len() != span.len {
                return Err(ModelError::Value { layer: NAMES[index], what: "count" });
            }
            bytes[span.start..span.start + span.len].copy_from_slice(content);
        }
    }
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&(len as u32).to_le_bytes());
    let hash = sha256(&bytes[PREFIX..]);
    bytes[16..PREFIX_USED].copy_from_slice(&hash);
    Ok(bytes)
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
