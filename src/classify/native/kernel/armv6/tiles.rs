//! Convolutions: a 3×3 one, pooled 2×2, is one tile of Winograd's F(2×2, 3×3): its four corners take 16 products per input rather
//! than 36. With patch d and kernel g, rows then columns of both are transformed by
//!
//! ```text
//! V: d₀ − d₂   d₁ + d₂        d₂ − d₁        d₁ − d₃
//! U: g₀        g₀ + g₁ + g₂   g₀ − g₁ + g₂   g₂
//! ```
//!
//! and the products of their sums over the inputs, M, give twice each row and column: 2·M₀ + M₁ + M₂ and
//! M₁ − M₂ − 2·M₃, so four times the convolution. All of it is exact: V is within ±508, U within ±1143, and sums over 64
//! inputs within 2²⁶. A line's weights are transformed anew, four outputs at a time, which costs a tenth of what it
//! saves: nothing is kept beside the model file.

use core::arch::naked_asm;

use super::{Finish, Pair, Quad, add, sub, widen};
use crate::classify::native::model::Conv;

/// Products per input and tile.
const POINTS: usize = 16;

/// Most values of a tile line: pooled positions times inputs.
const MAX_VALUES: usize = 1024;

/// Most inputs of a layer.
const MAX_INPUTS: usize = 64;

/// Outputs whose weights are transformed at once: half the first cache of an ARM11.
const BLOCK: usize = 4;

/// Transformed lines: of two tiles at a time, per point, the quads of their values.
struct Tiles([Quad; MAX_VALUES * POINTS / 8]);

/// Transformed weights of two outputs: per point, the quads of their values.
type Weights = [Quad; MAX_INPUTS * POINTS / 4];

pub(super) fn winograd(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let pooled = out.len() / outputs;
    assert!(pooled * inputs <= MAX_VALUES && pooled.is_multiple_of(2) && inputs <= MAX_INPUTS);
    assert!(outputs.is_multiple_of(BLOCK));
    let products: Products = match inputs {
        16 => products_of_16,
        32 => products_of_32,
        48 => products_of_48,
        64 => products_of_64,
        _ => unreachable!("channels come in multiples of 16 up to 64"),
    };
    let mut tiles = Tiles([[0; 4]; _]);
    tiles.fill(lines, inputs, pooled);
    let quads = POINTS * inputs / 4;
    let mut weights: [Weights; BLOCK / 2] = [[[0; 4]; _]; _];
    let finish = Finish::new(conv);
    for block in (0..outputs).step_by(BLOCK) {
        for (half, weights) in weights.iter_mut().enumerate() {
            transform_weights(conv, block + 2 * half, weights);
        }
        for (pair, values) in tiles.0.chunks_exact(quads).take(pooled / 2).enumerate() {
            for (half, weights) in weights.iter().enumerate() {
                let mut sums = [[0; 4]; POINTS];
                // SAFETY: `instruction!` says why the instructions are there; POINTS times `inputs / 4` quads are read
                // on either side, as many as the two have, and POINTS quads are written.
                unsafe { products(values.as_ptr(), weights[..quads].as_ptr(), &mut sums) };
                let at = block + 2 * half;
                let (left, right) = out[2 * pair * outputs..][..2 * outputs].split_at_mut(outputs);
                left[at] = finish.apply(at, pool::<0>(&sums));
                left[at + 1] = finish.apply(at + 1, pool::<1>(&sums));
                right[at] = finish.apply(at, pool::<2>(&sums));
                right[at + 1] = finish.apply(at + 1, pool::<3>(&sums));
            }
        }
    }
}

impl Tiles {
    /// Transforms the patches of `pooled` tiles: four lines of four bands each, two bands apart.
    fn fill(&mut self, lines: [&[i8]; 4], inputs: usize, pooled: usize) {
        let groups = inputs / 4;
        for tile in 0..pooled {
            let lines = lines.map(|line| line[2 * tile * inputs..][..4 * inputs].as_ptr());
            let to = &mut self.0[tile / 2 * POINTS * groups..][..POINTS * groups];
            for at in 0..groups {
                let mut turned: [[[Pair; 4]; 4]; 2] = [[[0; 4]; 4]; 2];
                for band in 0..4 {
                    // SAFETY: the lines have four bands of `inputs` bytes.
                    let d = lines.map(|line| unsafe { widen(line.add(band * inputs + 4 * at).cast()) });
                    for (half, turned) in turned.iter_mut().enumerate() {
                        let four = transform_values(d.map(|pairs| pairs[half]));
                        turned.iter_mut().zip(four).for_each(|(turned, value)| turned[band] = value);
                    }
                }
                for (half, turned) in turned.iter().enumerate() {
                    let mut to = to[at..].as_mut_ptr().cast::<Pair>().wrapping_add(2 * (tile % 2) + half);
                    for &line in turned {
                        for value in transform_values(line) {
                            // SAFETY: there are POINTS times `groups` quads; this is one word of each groups-th one.
                            unsafe { to.write(value) };
                            to = to.wrapping_add(4 * groups);
                        }
                    }
                }
            }
        }
    }
}

/// A row or column of V.
#[inline(always)]
fn transform_values(d: [Pair; 4]) -> [Pair; 4] {
    [sub(d[0], d[2]), add(d[1], d[2]), sub(d[2], d[1]), sub(d[1], d[3])]
}

/// A row or column of U.
#[inline(always)]
fn transform_kernel(g: [Pair; 3]) -> [Pair; 4] {
    let ends = add(g[0], g[2]);
    [g[0], add(ends, g[1]), sub(ends, g[1]), g[2]]
}

/// U of the outputs `output` and `output + 1`.
fn transform_weights(conv: &Conv<'_>, output: usize, weights: &mut Weights) {
    let (groups, row) = (conv.inputs / 4, 4 * conv.outputs);
    // What the pointers below rely on.
    assert!(
        conv.weights.len() == 9 * groups * row
            && output + 2 <= conv.outputs
            && POINTS * groups <= weights.len()
    );
    for at in 0..groups {
        for beside in 0..2 {
            let from = conv.weights.as_ptr().wrapping_add(at * row + 4 * (output + beside));
            let mut turned: [[[Pair; 3]; 4]; 2] = [[[0; 3]; 4]; 2];
            for band in 0..3 {
                // SAFETY: a group of an output for each of nine positions, `groups` rows apart.
                let g = [0, 3, 6].map(|frame| unsafe { widen(from.add((frame + band) * groups * row)) });
                for (half, turned) in turned.iter_mut().enumerate() {
                    let four = transform_kernel(g.map(|pairs| pairs[half]));
                    turned.iter_mut().zip(four).for_each(|(turned, value)| turned[band] = value);
                }
            }
            for (half, turned) in turned.iter().enumerate() {
                let mut to = weights[at..].as_mut_ptr().cast::<Pair>().wrapping_add(2 * beside + half);
                for &frame in turned {
                    for value in transform_kernel(frame) {
                        // SAFETY: there are POINTS times `groups` quads; this is one word of each groups-th one.
                        unsafe { to.write(value) };
                        to = to.wrapping_add(4 * groups);
                    }
                }
            }
        }
    }
}

/// The largest of a tile's four sums, from its products.
#[inline(always)]
fn pool<const WHICH: usize>(products: &[[i32; 4]; POINTS]) -> i32 {
    let two = |m: [i32; 4]| [2 * m[0] + m[1] + m[2], m[1] - m[2] - 2 * m[3]];
    let columns: [[i32; 2]; 4] =
        core::array::from_fn(|band| two(core::array::from_fn(|line| products[4 * line + band][WHICH])));
    let corners = [0, 1].map(|line| two(columns.map(|column| column[line])));
    corners[0][0].max(corners[0][1]).max(corners[1][0]).max(corners[1][1]) >> 2
}

/// Sums over the inputs of two tiles' values times two outputs' weights, per point.
type Products = unsafe extern "C" fn(*const Quad, *const Quad, &mut [[i32; 4]; POINTS]);

/// [`Products`] of layers with a number of inputs.
macro_rules! products {
    ($name:ident, $quads_less_one:literal) => {
        /// # Safety
        /// ARMv6, and as many quads as the number of inputs says.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(values: *const Quad, weights: *const Quad, sums: &mut [[i32; 4]; POINTS]) {
            naked_asm!(
                ".arch armv6",
                "push {{r4-r11, lr}}",
                "mov r12, r0",
                "mov lr, r1",
                "add r3, r2, #256",
                "push {{r2, r3}}",
                "2:",
                quad!("smuad",),
                concat!(".rept ", $quads_less_one),
                quad!("smlad", ", "),
                ".endr",
                // Where the sums go, and where they end.
                "ldm sp, {{r0, r1}}",
                "stmia r0!, {{r4-r7}}",
                "str r0, [sp]",
                "cmp r0, r1",
                "bne 2b",
                "add sp, sp, #8",
                "pop {{r4-r11, pc}}",
            );
        }
    };
}
products!(products_of_16, 3);
products!(products_of_32, 7);
products!(products_of_48, 11);
products!(products_of_64, 15);
