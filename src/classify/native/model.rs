//! A model: the bytes of a verified file, and views of its layers for the kernels.

use super::file::{self, DENSE, Header, LAYERS, LayerSpans, ModelError, PROJECTION, RECURRENCE, Span};
use super::shape::{CONVS, Shape};
use crate::classify::requantize::Multiplier;
use crate::spec::WindowLength;

/// A model: immutable, shared by any number of streams. `B` holds the file's bytes: a `&'static [u8]` in flash, a vector,
/// a mapping. Nothing is copied; bytes that begin at a multiple of [`ALIGNMENT`](file::ALIGNMENT) are read fastest.
#[derive(Clone, Debug)]
pub struct Model<B> {
    bytes: B,
    header: Header,
    window: WindowLength,
    input: Multiplier,
    layers: [LayerSpans; LAYERS],
    plain: [bool; CONVS],
}

impl<B: AsRef<[u8]>> Model<B> {
    /// Verifies a file: its kind, version, length, hash, header, and that every number is in its range.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn new(bytes: B) -> Result<Self, ModelError> {
        let (header, layers) = file::read(bytes.as_ref())?;
        let wrong = ModelError::Value { layer: "input", what: "scale" };
        let input = Multiplier::new(header.input_gain).ok_or(wrong)?;
        let window = header.shape.window().ok_or(ModelError::Shape { field: "steps" })?;
        let mut model = Self { bytes, header, window, input, layers, plain: [false; CONVS] };
        model.plain = core::array::from_fn(|index| model.conv(index).is_plain());
        Ok(model)
    }

    /// The extents.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.header.shape
    }

    /// How much of the stream it judges at once.
    #[must_use]
    pub fn window(&self) -> WindowLength {
        self.window
    }

    /// [Fingerprint](crate::spec::FrontendSpec::fingerprint) of the front-end that the model was trained with.
    #[must_use]
    pub fn frontend(&self) -> u64 {
        self.header.frontend
    }

    /// Input steps per step of a log-mel value.
    pub(super) fn input_gain(&self) -> Multiplier {
        self.input
    }

    pub(super) fn conv(&self, index: usize) -> Conv<'_> {
        let shape = self.shape();
        debug_assert!(index < CONVS);
        Conv {
            inputs: shape.inputs(index),
            outputs: shape.channels[index],
            weights: self.section(self.layers[index].weights),
            bias: self.section(self.layers[index].bias),
            scales: self.scales(index),
            plain: self.plain[index],
        }
    }

    pub(super) fn projection(&self) -> Rows<'_> {
        self.rows(PROJECTION)
    }

    pub(super) fn recurrence(&self) -> Rows<'_> {
        self.rows(RECURRENCE)
    }

    pub(super) fn dense(&self) -> Rows<'_> {
        self.rows(DENSE)
    }

    fn rows(&self, layer: usize) -> Rows<'_> {
        Rows {
            weights: self.section(self.layers[layer].weights),
            bias: self.section(self.layers[layer].bias),
            scales: self.scales(layer),
        }
    }

    fn scales(&self, layer: usize) -> Scales<'_> {
        let scales = self.section(self.layers[layer].scales);
        let (mantissas, shifts) = scales.split_at(scales.len() / 2);
        Scales { mantissas, shifts }
    }

    fn section(&self, span: Span) -> &[u8] {
        span.of(self.bytes.as_ref())
    }
}

/// A scale per row or channel: u32 each, little-endian.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales<'a> {
    pub(super) mantissas: &'a [u8],
    pub(super) shifts: &'a [u8],
}

impl Scales<'_> {
    /// The scales in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Multiplier> + '_ {
        let pairs = file::i32s(self.mantissas).zip(file::i32s(self.shifts));
        pairs.map(|(mantissa, shift)| Multiplier::verified(mantissa as u32, shift as u32))
    }
}

/// Bits of a product that [plain](Conv::is_plain) rounding may leave away.
pub(super) const PLAIN_BITS: u32 = 25;

/// A convolution 3×3 with ReLU, 2×2 max-pooling and requantization behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv<'a> {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// i8 `[frame][group][output][4]`.
    pub(super) weights: &'a [u8],
    /// i32 per output, added to the sums.
    pub(super) bias: &'a [u8],
    /// From sums to the next layer's steps.
    pub(super) scales: Scales<'a>,
    /// [Whether](Conv::is_plain) rounding half up the upper bits of products is enough.
    pub(super) plain: bool,
}

impl Conv<'_> {
    /// Groups of four that one frame gives a position.
    pub(super) fn groups(&self) -> usize {
        file::groups_per_frame(self.inputs)
    }

    /// Whether half to even and half up are the same here, and a product's lowest 25 bits don't matter: no sum lies exactly
    /// between two steps, and scales are below a quarter, so that these bits are less than half a step.
    pub(super) fn is_plain(&self) -> bool {
        !self.may_tie() && self.scales.iter().all(|scale| scale.shift() > PLAIN_BITS)
    }

    /// Whether a sum may lie exactly between two steps, so that it matters which of them is even.
    ///
    /// A sum s, 0 ≤ s ≤ most, times the mantissa, which is odd · 2ᵏ, is a tie where it is half a step, 2^(shift − 1), more
    /// than whole steps. Then 2^(shift − 1 − k) divides s; there is none where that is more than `most`.
    fn may_tie(&self) -> bool {
        let most = 12 * self.groups() as u64 * 128 * 128;
        file::i32s(self.bias).zip(self.scales.iter()).any(|(bias, scale)| {
            let most = most + u64::from(bias.max(0).unsigned_abs());
            most << scale.mantissa().trailing_zeros() >= 1 << (scale.shift() - 1)
        })
    }
}

/// A matrix; what its rows' sums are worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) weights: &'a [u8],
    /// i32 per row, Q15.16; none for the recurrence.
    pub(super) bias: &'a [u8],
    /// From sums to Q15.16.
    pub(super) scales: Scales<'a>,
}

impl Rows<'_> {
    /// `sum · scale + bias` per row, Q15.16, in place.
    pub(super) fn finish(&self, sums: &mut [i32]) {
        let bias = file::i32s(self.bias).chain(core::iter::repeat(0));
        for ((sum, scale), bias) in sums.iter_mut().zip(self.scales.iter()).zip(bias) {
            *sum = scale.rescale(*sum).saturating_add(bias);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_ruled_out_where_no_sum_is_large_enough() {
        let ties = |bias: i32, mantissa: u32, shift: u32| {
            let (bias, mantissas, shifts) = (bias.to_le_bytes(), mantissa.to_le_bytes(), shift.to_le_bytes());
            let scales = Scales { mantissas: &mantissas, shifts: &shifts };
            Conv { inputs: 64, outputs: 1, weights: &[], bias: &bias, scales, plain: false }.may_tie()
        };
        // Sums are below 2^24: a tie needs as many zeros as the shift has bits, less one.
        assert!(!ties(-1, 0x80_0001, 25) && ties(-1, 0x80_0001, 24));
        assert!(ties(1 << 24, 0x80_0001, 25));
        assert!(!ties(0, 0x80_0004, 27) && ties(0, 0x80_0004, 26));
        assert!(!ties(0, 1 << 23, 48) && ties(0, 1 << 23, 47));
    }
}
