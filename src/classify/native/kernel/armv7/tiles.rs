//! Convolutions as Winograd's tiles F(2×4, 3×3): two lines of four bands, so two pooled positions, take 24 products of
//! words per input rather than 72 of bytes.
//!
//! Two output lines are F(2, 3) over the frames, four output bands are F(4, 3) with points 0, ±1, ±2 and ∞. With patch d
//! and kernel g, first the frames, then the bands of both are transformed by
//!
//! ```text
//!         V                                   U                    outputs
//! frames  d₁ + d₂                             g₀ + g₁ + g₂         2·y₀ = m₀ + m₁ + m₂
//!         d₂ − d₁                             g₀ − g₁ + g₂         2·y₁ = m₀ − m₁ + m₃
//!         d₀ − d₂                             2·g₀
//!         d₃ − d₁                             2·g₂
//! bands   16·(d₁ + d₂) − 4·(d₃ + d₄)          g₀ + g₁ + g₂         24·y₀ = m₄ + m₀ + m₁ + m₂ + m₃
//!         16·(d₂ − d₁) − 4·(d₄ − d₃)          g₀ − g₁ + g₂         24·y₁ = m₀ − m₁ + 2·(m₂ − m₃)
//!         (d₄ − d₂) + 2·(d₃ − d₁)             g₀ + 2·g₁ + 4·g₂     24·y₂ = m₀ + m₁ + 4·(m₂ + m₃)
//!         (d₄ − d₂) − 2·(d₃ − d₁)             g₀ − 2·g₁ + 4·g₂     24·y₃ = m₀ − m₁ + 8·(m₂ − m₃) + m₅
//!         24·d₀ − 30·d₂ + 6·d₄                g₀
//!         96·d₁ − 120·d₃ + 24·d₅              g₂
//! ```
//!
//! (the usual fractions moved to V, which costs least there), so that sums come out 48-fold. All of it is exact: V is
//! within ±30480, since these layers' activations are not negative, and U within ±2667; 48 times the convolution is below
//! 2²⁹, and what leads to it may wrap around. The layer of one input has its sums over the kernel's frames instead of its
//! frames' transform. A line's weights are transformed anew, eight outputs at a time: nothing is kept beside the model file.

use core::mem::MaybeUninit;

use super::products::{self, Products};
use super::{pool, transforms};
use crate::classify::native::model::Conv;

/// Products per input and tile.
const POINTS: usize = 24;
/// Outputs that are worked on at once: words of a vector.
const LANES: usize = 8;
/// Tiles that are worked on at once.
const QUAD: usize = 4;
/// Most values of a line of tiles: tiles (in whole fours) times inputs.
const MAX_VALUES: usize = 512;
/// Most inputs of a layer.
const MAX_INPUTS: usize = 64;
/// Most tiles of the first layer: vectors of eight.
const MAX_TILES: usize = 32;
/// Vectors of four tiles in the first layer: six points of four lines.
const FIRST_VALUES: usize = 12;
/// Vectors of weights of eight outputs there: six points of three frames.
const FIRST_WEIGHTS: usize = 18;

/// A vector.
pub(super) type Words = [i16; LANES];

/// What only assembler writes and reads.
#[repr(align(16))]
struct Scratch<const VECTORS: usize>(MaybeUninit<[Words; VECTORS]>);

impl<const VECTORS: usize> Scratch<VECTORS> {
    const EMPTY: Self = Self(MaybeUninit::uninit());

    fn as_mut_ptr(&mut self) -> *mut Words {
        self.0.as_mut_ptr().cast()
    }
}

pub(super) fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let pooled = out.len() / conv.outputs;
    assert!(pooled > 0 && pooled.is_multiple_of(2) && out.len() == pooled * conv.outputs);
    assert!(conv.outputs.is_multiple_of(LANES));
    match conv.inputs {
        1 => first_layer(conv, lines, out),
        _ => deep_layer(conv, lines, out),
    }
}

/// A layer of many inputs.
fn deep_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (inputs, outputs, tiles) = (conv.inputs, conv.outputs, out.len() / conv.outputs / 2);
    let padded = tiles.next_multiple_of(QUAD);
    assert!(inputs.is_multiple_of(16) && inputs <= MAX_INPUTS && padded * inputs <= MAX_VALUES);
    assert_eq!(conv.weights.len(), 9 * inputs * outputs);
    let mut values = Scratch::<{ POINTS * MAX_VALUES / LANES }>::EMPTY;
    let values = values.as_mut_ptr();
    for tile in 0..padded {
        // What there is beyond the last tile is that one again.
        let patch = lines.map(|line| line[4 * tile.min(tiles - 1) * inputs..][..6 * inputs].as_ptr());
        let to = values.wrapping_add(tile / QUAD * POINTS * inputs / 2 + tile % QUAD);
        // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were
        // detected. Patches have six bands of inputs; of the tile's quad, POINTS · inputs / 2 vectors that are there, every
        // fourth one is written.
        unsafe { transforms::values(&patch, inputs, to, &transforms::FACTORS) };
    }
    let mut weights = Scratch::<{ POINTS * MAX_INPUTS }>::EMPTY;
    let weights = weights.as_mut_ptr();
    for block in (0..outputs).step_by(LANES) {
        // SAFETY: as above; nine times inputs / 4 rows of 4 · outputs bytes are there, of which 32 are read from `block`
        // on, and POINTS · inputs vectors are written.
        unsafe { transforms::weights(conv.weights[4 * block..].as_ptr(), inputs / 4, weights, 4 * outputs) };
        // SAFETY: as above; all that `products` reads was written just now.
        unsafe { pool_block(conv, block, out, products::deep, [values, weights], inputs / 16) };
    }
}

/// The layer of one input.
fn first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (outputs, tiles) = (conv.outputs, out.len() / conv.outputs / 2);
    assert!(tiles <= MAX_TILES);
    assert_eq!(conv.weights.len(), 12 * outputs);
    let eights = tiles.div_ceil(LANES);
    let mut values = Scratch::<{ MAX_TILES / QUAD * FIRST_VALUES }>::EMPTY;
    let values = values.as_mut_ptr();
    for (index, line) in lines.iter().enumerate() {
        // Whole vectors of tiles and the four bands behind them.
        let mut padded = [0; 4 * MAX_TILES + 4];
        padded[..4 * tiles + 2].copy_from_slice(&line[..4 * tiles + 2]);
        let to = values.cast::<[i16; QUAD]>().wrapping_add(index);
        // SAFETY: as in `deep_layer`; there are 32 bytes per eight tiles and four more, and of each quad's 24 halves of
        // vectors every fourth one is written.
        unsafe { transforms::first_values(padded.as_ptr(), eights, to, &transforms::FACTORS) };
    }
    let mut weights = Scratch::<FIRST_WEIGHTS>::EMPTY;
    let weights = weights.as_mut_ptr();
    for block in (0..outputs).step_by(LANES) {
        // SAFETY: as above; three rows of 4 · outputs bytes are there, of which 32 are read from `block` on, and 18
        // vectors are written.
        unsafe { transforms::first_weights(conv.weights[4 * block..].as_ptr(), 4 * outputs, weights) };
        // SAFETY: as above; all that `products` reads was written just now.
        unsafe { pool_block(conv, block, out, products::first, [values, weights], 0) };
    }
}

/// Products, outputs and pooling of all tiles of eight outputs.
///
/// # Safety
/// NEON, and that for every quad of tiles `products` may read the values, and the weights.
unsafe fn pool_block(
    conv: &Conv<'_>,
    block: usize,
    out: &mut [i8],
    products: Products,
    [mut values, weights]: [*const Words; 2],
    sixteens: usize,
) {
    let finish = Finish::new(conv, block);
    let pool = if conv.plain { pool::without_ties } else { pool::with_ties };
    let mut sums = MaybeUninit::uninit();
    for out in out.chunks_mut(2 * QUAD * conv.outputs) {
        let tiles = out.len() / conv.outputs / 2;
        let out = out[block..].as_mut_ptr();
        // SAFETY: the caller vouches for what is read; all sums are written before they are read, and of each of two
        // positions per tile eight bytes from `block` on, which are there.
        unsafe {
            values = products(values, weights, &mut sums, sixteens);
            pool(&sums, &finish, out, conv.outputs, tiles);
        }
    }
}

/// Bias, ReLU and requantization of eight outputs.
#[repr(C)]
pub(super) struct Finish {
    pub(super) bias: [i32; LANES],
    pub(super) mantissas: [u32; LANES],
    /// Negative shifts, which shift right.
    pub(super) right: [i64; LANES],
}

impl Finish {
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let mut finish = Self { bias: [0; LANES], mantissas: [0; LANES], right: [0; LANES] };
        let words = |bytes: &[u8], i: usize| i32::from_le_bytes(bytes.as_chunks().0[block + i]);
        for i in 0..LANES {
            finish.bias[i] = words(conv.bias, i);
            finish.mantissas[i] = words(conv.scales.mantissas, i) as u32;
            finish.right[i] = -i64::from(words(conv.scales.shifts, i));
        }
        finish
    }
}
