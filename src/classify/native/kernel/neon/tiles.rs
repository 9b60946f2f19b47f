//! Convolutions as Winograd's tiles F(2×2, 3×3), for machines without dot products: a tile is one pooled position, whose
//! four corners take 16 products of words per input rather than 36 of bytes.
//!
//! With patch d and kernel g, rows then columns of both are transformed by
//!
//! ```text
//! V: d₀ − d₂   d₁ + d₂        d₂ − d₁        d₁ − d₃
//! U: g₀        g₀ + g₁ + g₂   g₀ − g₁ + g₂   g₂
//! ```
//!
//! and the products of their sums over the inputs, M, give twice each row and column: 2·M₀ + M₁ + M₂ and
//! M₁ − M₂ − 2·M₃, so four times the convolution. All of it is exact: V is within ±508, U within ±1143, and sums over 64
//! inputs within 2²⁶. A line's weights are transformed anew, eight outputs at a time, which costs a tenth of what it
//! saves: nothing is kept beside the model file.

use core::arch::aarch64::*;
use core::arch::asm;

use super::{Finish, WIDTH};
use crate::classify::native::model::Conv;

/// Products per input and tile.
const POINTS: usize = 16;
/// Tiles, outputs and inputs that are worked on at once: words of a vector.
const LANES: usize = 8;
/// Most values of a line of tiles: pooled positions (in whole eights) times inputs.
const MAX_VALUES: usize = 1024;
/// Most inputs of a layer.
const MAX_INPUTS: usize = 64;

/// Eight words.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Words([i16; LANES]);

impl Words {
    const ZERO: Self = Self([0; LANES]);

    #[inline(always)]
    fn of(vector: int16x8_t) -> Self {
        let mut words = Self::ZERO;
        // SAFETY: there are eight words; NEON is part of this architecture.
        unsafe { vst1q_s16(words.0.as_mut_ptr(), vector) };
        words
    }
}

/// Sums over the inputs: per point and tile, eight outputs.
type Sums = [[[i32; LANES]; LANES]; POINTS];

pub(super) fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let pooled = out.len() / outputs;
    let octets = pooled.div_ceil(LANES);
    assert!(LANES * octets * inputs <= MAX_VALUES && inputs <= MAX_INPUTS);
    // The asm below reads two vectors of inputs or more.
    assert!(inputs.is_multiple_of(2 * LANES) && outputs.is_multiple_of(LANES));
    assert_eq!(conv.weights.len(), 9 * inputs * outputs);
    let mut values = [Words::ZERO; MAX_VALUES * POINTS / LANES];
    transform_lines(lines, inputs, pooled, &mut values);
    let mut weights = [Words::ZERO; MAX_INPUTS * POINTS];
    let mut sums: Sums = [[[0; LANES]; LANES]; POINTS];
    for block in (0..outputs).step_by(LANES) {
        transform_weights(conv, block, &mut weights);
        let finish = Finish::<{ LANES / WIDTH }>::new(conv, block);
        let octets = values.chunks_exact(POINTS * inputs).zip(out.chunks_mut(LANES * outputs));
        for (values, out) in octets {
            products(values, &weights, inputs, &mut sums);
            for (tile, out) in out.chunks_exact_mut(outputs).enumerate() {
                let most = [0, 1].map(|half| pool(&sums, tile, half, finish.bias[half]));
                finish.finish(most, &mut out[block..]);
            }
        }
    }
}

/// V of a line of tiles: `[eight tiles][point][eight inputs][tile]`.
#[expect(clippy::needless_range_loop, reason = "one value of each of four rows")]
fn transform_lines(lines: [&[i8]; 4], inputs: usize, pooled: usize, values: &mut [Words]) {
    let eights = inputs / LANES;
    for tile in 0..pooled {
        let part = |line: usize| &lines[line][2 * tile * inputs..][..4 * inputs];
        let lines = [part(0), part(1), part(2), part(3)];
        let to = &mut values[tile / LANES * POINTS * inputs + tile % LANES..];
        for eight in 0..eights {
            // SAFETY: every slice loaded from has eight bytes; NEON is part of this architecture.
            unsafe {
                let row = |band: usize| {
                    let load = |line: &[i8]| vld1_s8(line[band * inputs + eight * LANES..][..LANES].as_ptr());
                    let d = [load(lines[0]), load(lines[1]), load(lines[2]), load(lines[3])];
                    [vsubl_s8(d[0], d[2]), vaddl_s8(d[1], d[2]), vsubl_s8(d[2], d[1]), vsubl_s8(d[1], d[3])]
                };
                let rows = [row(0), row(1), row(2), row(3)];
                for line in 0..4 {
                    let d = [rows[0][line], rows[1][line], rows[2][line], rows[3][line]];
                    let at = (4 * line * eights + eight) * LANES;
                    to[at] = Words::of(vsubq_s16(d[0], d[2]));
                    to[at + eights * LANES] = Words::of(vaddq_s16(d[1], d[2]));
                    to[at + 2 * eights * LANES] = Words::of(vsubq_s16(d[2], d[1]));
                    to[at + 3 * eights * LANES] = Words::of(vsubq_s16(d[1], d[3]));
                }
            }
        }
    }
}

/// U of eight outputs: `[point][input][output]`.
fn transform_weights(conv: &Conv<'_>, block: usize, weights: &mut [Words]) {
    let (inputs, row) = (conv.inputs, 4 * conv.outputs);
    for group in 0..inputs / 4 {
        // SAFETY: every slice loaded from has 32 bytes; NEON is part of this architecture.
        unsafe {
            let load = |frame: usize, band: usize| {
                let at = ((3 * frame + band) * inputs / 4 + group) * row + 4 * block;
                vld4_s8(conv.weights[at..at + 4 * LANES].as_ptr().cast())
            };
            let column = |band: usize| [load(0, band), load(1, band), load(2, band)];
            let kernel = [column(0), column(1), column(2)];
            macro_rules! input {
                ($field:tt) => {{
                    let column = |g: &[int8x8x4_t; 3]| {
                        let g = [g[0].$field, g[1].$field, g[2].$field];
                        let ends = vaddl_s8(g[0], g[2]);
                        [vmovl_s8(g[0]), vaddw_s8(ends, g[1]), vsubw_s8(ends, g[1]), vmovl_s8(g[2])]
                    };
                    let columns = [column(&kernel[0]), column(&kernel[1]), column(&kernel[2])];
                    for line in 0..4 {
                        let g = [columns[0][line], columns[1][line], columns[2][line]];
                        let ends = vaddq_s16(g[0], g[2]);
                        let at = 4 * line * inputs + 4 * group + $field;
                        weights[at] = Words::of(g[0]);
                        weights[at + inputs] = Words::of(vaddq_s16(ends, g[1]));
                        weights[at + 2 * inputs] = Words::of(vsubq_s16(ends, g[1]));
                        weights[at + 3 * inputs] = Words::of(g[2]);
                    }
                }};
            }
            input!(0);
            input!(1);
            input!(2);
            input!(3);
        }
    }
}

/// One input's products: outputs in `$w` times word `$lane` of each of eight tiles.
macro_rules! input {
    ($multiply:literal, $w:literal, $lane:literal) => {
        concat!(
            input!(@tile $multiply, $w, $lane, "v16", "v17", "v0"),
            input!(@tile $multiply, $w, $lane, "v18", "v19", "v1"),
            input!(@tile $multiply, $w, $lane, "v20", "v21", "v2"),
            input!(@tile $multiply, $w, $lane, "v22", "v23", "v3"),
            input!(@tile $multiply, $w, $lane, "v24", "v25", "v4"),
            input!(@tile $multiply, $w, $lane, "v26", "v27", "v5"),
            input!(@tile $multiply, $w, $lane, "v28", "v29", "v6"),
            input!(@tile $multiply, $w, $lane, "v30", "v31", "v7"),
        )
    };
    (@tile $multiply:literal, $w:literal, $lane:literal, $low:literal, $high:literal, $x:literal) => {
        concat!(
            $multiply, " ", $low, ".4s, ", $w, ".4h, ", $x, ".h[", $lane, "]\n",
            $multiply, "2 ", $high, ".4s, ", $w, ".8h, ", $x, ".h[", $lane, "]\n",
        )
    };
}

/// Eight inputs' products. The first one's begin the sums where `$first` is `smull`.
macro_rules! eight_inputs {
    ($first:literal) => {
        concat!(
            "ld1 {{v0.8h, v1.8h, v2.8h, v3.8h}}, [{x}], #64
            ld1 {{v4.8h, v5.8h, v6.8h, v7.8h}}, [{x}], #64
            ld1 {{v8.8h, v9.8h, v10.8h, v11.8h}}, [{w}], #64
            ld1 {{v12.8h, v13.8h, v14.8h, v15.8h}}, [{w}], #64
            ",
            input!($first, "v8", 0),
            input!("smlal", "v9", 1),
            input!("smlal", "v10", 2),
            input!("smlal", "v11", 3),
            input!("smlal", "v12", 4),
            input!("smlal", "v13", 5),
            input!("smlal", "v14", 6),
            input!("smlal", "v15", 7),
        )
    };
}

/// M of eight tiles and eight outputs.
fn products(values: &[Words], weights: &[Words], inputs: usize, sums: &mut Sums) {
    assert!(values.len() == POINTS * inputs && weights.len() >= POINTS * inputs);
    // SAFETY: NEON is part of this architecture. For each of POINTS points, `inputs` vectors are read on either side, as
    // many as there are, and 64 sums written. All registers that are written are named.
    unsafe {
        asm!(
            "2:",
            eight_inputs!("smull"),
            "sub {left}, {inputs}, #8",
            "3:",
            eight_inputs!("smlal"),
            "subs {left}, {left}, #8",
            "b.ne 3b",
            "st1 {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{sums}], #64",
            "st1 {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{sums}], #64",
            "st1 {{v24.4s, v25.4s, v26.4s, v27.4s}}, [{sums}], #64",
            "st1 {{v28.4s, v29.4s, v30.4s, v31.4s}}, [{sums}], #64",
            "subs {points}, {points}, #1",
            "b.ne 2b",
            x = inout(reg) values.as_ptr() => _,
            w = inout(reg) weights.as_ptr() => _,
            sums = inout(reg) sums.as_mut_ptr() => _,
            inputs = in(reg) inputs,
            left = out(reg) _,
            points = inout(reg) POINTS => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _,
            out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _,
            out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _,
            out("v29") _, out("v30") _, out("v31") _,
            options(nostack)
        );
    }
}

/// The largest of a tile's four sums and the bias, of four outputs.
#[inline(always)]
fn pool(sums: &Sums, tile: usize, half: usize, bias: int32x4_t) -> int32x4_t {
    // SAFETY: there are four sums from `half` times four on; NEON is part of this architecture.
    unsafe {
        let m = |point: usize| vld1q_s32(sums[point][tile][WIDTH * half..][..WIDTH].as_ptr());
        let two = |m: [int32x4_t; 4]| {
            let first = vaddq_s32(vaddq_s32(m[1], m[2]), vshlq_n_s32::<1>(m[0]));
            let second = vsubq_s32(vsubq_s32(m[1], m[2]), vshlq_n_s32::<1>(m[3]));
            [first, second]
        };
        let column = |band: usize| two([m(band), m(4 + band), m(8 + band), m(12 + band)]);
        let columns = [column(0), column(1), column(2), column(3)];
        let row = |line: usize| two([columns[0][line], columns[1][line], columns[2][line], columns[3][line]]);
        let (first, second) = (row(0), row(1));
        let most = vmaxq_s32(vmaxq_s32(first[0], first[1]), vmaxq_s32(second[0], second[1]));
        vsraq_n_s32::<2>(bias, most)
    }
}
