//! aarch64: NEON, which every such machine has, and the dot-product instruction where there is one.
//!
//! Without it, convolutions are Winograd's [`tiles`], and in the projection `smull` and `smlal` add two products of bytes
//! in a word (activations up to 127 and weights from −127 on keep it within ±32258), and `sadalp` adds pairs of words to
//! the sums: 16 multiply-adds in three instructions. `sdot` does 16 in one. Its intrinsic is not stable, so it is written
//! in assembler.
#![expect(unsafe_code, reason = "vector loads and stores, and an instruction without an intrinsic")]

mod tiles; // convolutions without dot products

use core::arch::aarch64::*;
use core::arch::asm;

use super::Table;
use crate::classify::native::model::Conv;

pub(super) static NEON: Table = Table { name: "neon", conv_pool, project, recur };
static DOT: Table = Table { name: "neon dotprod", conv_pool: dot_conv_pool, project: dot_project, recur };

/// The table with dot products, where this machine has them.
pub(super) fn detect_dot() -> Option<&'static Table> {
    has!("dotprod").then_some(&DOT)
}

/// Outputs per vector.
const WIDTH: usize = 4;

/// Positions that a pooled one joins: two of each of two lines.
const CORNERS: usize = 4;

/// Pointers into the lines at the four positions of pooled position `pooled`, of a kernel's line `frame`.
#[inline(always)]
fn corners(conv: &Conv<'_>, lines: &[&[i8]; 4], pooled: usize, frame: usize) -> [*const i8; CORNERS] {
    let at = 2 * pooled * conv.inputs;
    let end = at + conv.inputs + 4 * conv.groups();
    // What reading all groups of both positions relies on.
    let (first, second) = (lines[frame][at..end].as_ptr(), lines[frame + 1][at..end].as_ptr());
    [first, first.wrapping_add(conv.inputs), second, second.wrapping_add(conv.inputs)]
}

/// The weights of a kernel's line `frame` for the outputs from `block` on. A row of them is `4 · outputs` bytes long.
#[inline(always)]
fn rows_of(conv: &Conv<'_>, frame: usize, block: usize) -> *const i8 {
    let row = 4 * conv.outputs;
    // What reading all rows relies on.
    let weights = &conv.weights[frame * conv.groups() * row..(frame + 1) * conv.groups() * row];
    weights.as_ptr().wrapping_add(4 * block).cast()
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    match conv.inputs {
        1 => first_layer(conv, lines, out),
        _ => tiles::conv_pool(conv, lines, out),
    }
}

/// The layer of one input: nine words times eight outputs at once.
fn first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    const V: usize = 2;
    let row = 4 * conv.outputs;
    assert!(conv.outputs.is_multiple_of(V * WIDTH));
    for block in (0..conv.outputs).step_by(V * WIDTH) {
        let finish = Finish::of::<V>(conv, block);
        // SAFETY: NEON is part of this architecture; the slice loaded from has 32 bytes.
        let weights: [[int16x8_t; 3]; 3] = core::array::from_fn(|frame| unsafe {
            let at = frame * row + 4 * block;
            let int8x8x4_t(first, second, third, _) = vld4_s8(conv.weights[at..at + 32].as_ptr().cast());
            [vmovl_s8(first), vmovl_s8(second), vmovl_s8(third)]
        });
        for (pooled, out) in out.chunks_exact_mut(conv.outputs).enumerate() {
            let word = |line: &[i8]| line[2 * pooled..].first_chunk::<4>().map_or([0; 4], |four| *four);
            let patch = lines.map(word);
            // SAFETY: NEON is part of this architecture; the patch has 16 bytes.
            let most = unsafe {
                let patch = vld1q_s8(patch.as_ptr().cast());
                let x = [vmovl_s8(vget_low_s8(patch)), vmovl_high_s8(patch)];
                macro_rules! add {
                    ($sums:ident, $line:literal, $band:literal, ($frame:literal, $tap:literal)) => {{
                        const LANE: i32 = ($line + $frame) % 2 * 4 + $band + $tap;
                        let (w, x) = (weights[$frame][$tap], x[($line + $frame) / 2]);
                        $sums[0] = vmlal_laneq_s16::<LANE>($sums[0], vget_low_s16(w), x);
                        $sums[1] = vmlal_high_laneq_s16::<LANE>($sums[1], w, x);
                    }};
                }
                macro_rules! corner {
                    ($line:literal, $band:literal) => {{
                        let mut sums = [vdupq_n_s32(0); V];
                        add!(sums, $line, $band, (0, 0));
                        add!(sums, $line, $band, (0, 1));
                        add!(sums, $line, $band, (0, 2));
                        add!(sums, $line, $band, (1, 0));
                        add!(sums, $line, $band, (1, 1));
                        add!(sums, $line, $band, (1, 2));
                        add!(sums, $line, $band, (2, 0));
                        add!(sums, $line, $band, (2, 1));
                        add!(sums, $line, $band, (2, 2));
                        sums
                    }};
                }
                let corners = [corner!(0, 0), corner!(0, 1), corner!(1, 0), corner!(1, 1)];
                let pair = |v: usize, i: usize| vmaxq_s32(corners[i][v], corners[i + 1][v]);
                [vmaxq_s32(pair(0, 0), pair(0, 2)), vmaxq_s32(pair(1, 0), pair(1, 2))]
            };
            for (v, most) in most.into_iter().enumerate() {
                let at = block + v * WIDTH;
                out[at..at + WIDTH].copy_from_slice(&finish[v].apply(most));
            }
        }
    }
}

/// Four products of bytes per lane, added to `sum`: group `LANE` of `x`.
#[inline(always)]
unsafe fn sdot<const LANE: i32>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the caller runs on a machine with the instruction; it reads and writes the named registers only.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// By dot products, four vectors of outputs at once.
fn dot_conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    const V: usize = 4;
    let (groups, row) = (conv.groups(), 4 * conv.outputs);
    assert!(conv.outputs.is_multiple_of(V * WIDTH));
    for block in (0..conv.outputs).step_by(V * WIDTH) {
        let finish = Finish::of::<V>(conv, block);
        for (pooled, out) in out.chunks_exact_mut(conv.outputs).enumerate() {
            // SAFETY: this function is reachable through `DOT` only, which is given out where the instruction was
            // detected; `corners` and `rows_of` have made sure of what is read.
            unsafe {
                let mut sums = [[vdupq_n_s32(0); V]; CORNERS];
                for frame in 0..3 {
                    let mut at = corners(conv, &lines, pooled, frame);
                    let mut weights = rows_of(conv, frame, block);
                    // One group, in lane `LANE` of every position.
                    macro_rules! add {
                        ($lane:literal, $x:expr) => {{
                            for v in 0..V {
                                let w = vld1q_s8(weights.add(16 * v));
                                for corner in 0..CORNERS {
                                    sums[corner][v] = sdot::<$lane>(sums[corner][v], w, $x[corner]);
                                }
                            }
                            weights = weights.wrapping_add(row);
                        }};
                    }
                    for _ in 0..groups / 4 {
                        let x = [vld1q_s8(at[0]), vld1q_s8(at[1]), vld1q_s8(at[2]), vld1q_s8(at[3])];
                        for at in &mut at {
                            *at = at.wrapping_add(16);
                        }
                        add!(0, x);
                        add!(1, x);
                        add!(2, x);
                        add!(3, x);
                    }
                    for _ in 0..groups % 4 {
                        let mut x = [vdupq_n_s8(0); CORNERS];
                        for corner in 0..CORNERS {
                            x[corner] = vreinterpretq_s8_s32(vld1q_dup_s32(at[corner].cast()));
                            at[corner] = at[corner].wrapping_add(4);
                        }
                        add!(0, x);
                    }
                }
                for v in 0..V {
                    let line = |line: usize| vmaxq_s32(sums[line][v], sums[line + 1][v]);
                    let at = block + v * WIDTH;
                    out[at..at + WIDTH].copy_from_slice(&finish[v].apply(vmaxq_s32(line(0), line(2))));
                }
            }
        }
    }
}

/// Bias, ReLU and requantization of four outputs.
#[derive(Clone, Copy)]
struct Finish {
    bias: int32x4_t,
    mantissas: uint32x4_t,
    /// Negative shifts, which shift right, of the first two outputs and of the others.
    right: [int64x2_t; 2],
    /// Half a step less one bit.
    half: [uint64x2_t; 2],
}

impl Finish {
    /// Of `V` times four outputs from `block` on.
    fn of<const V: usize>(conv: &Conv<'_>, block: usize) -> [Self; V] {
        core::array::from_fn(|v| Self::new(conv, block + v * WIDTH))
    }

    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let four = 4 * block..4 * (block + WIDTH);
        let load = |bytes: &[u8]| {
            let bytes = &bytes[four.clone()];
            // SAFETY: the slice has sixteen bytes.
            unsafe { vreinterpretq_s32_u8(vld1q_u8(bytes.as_ptr())) }
        };
        let (bias, mantissas) = (load(conv.bias), load(conv.scales.mantissas));
        let shifts = load(conv.scales.shifts);
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let shifts = [vmovl_s32(vget_low_s32(shifts)), vmovl_high_s32(shifts)];
            let half = |shifts: int64x2_t| {
                let half = vshlq_u64(vdupq_n_u64(1), vsubq_s64(shifts, vdupq_n_s64(1)));
                vsubq_u64(half, vdupq_n_u64(1))
            };
            Self {
                bias,
                mantissas: vreinterpretq_u32_s32(mantissas),
                right: [vnegq_s64(shifts[0]), vnegq_s64(shifts[1])],
                half: [half(shifts[0]), half(shifts[1])],
            }
        }
    }

    #[inline(always)]
    fn apply(&self, sums: int32x4_t) -> [i8; WIDTH] {
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let sums = vreinterpretq_u32_s32(vmaxq_s32(vaddq_s32(sums, self.bias), vdupq_n_s32(0)));
            let low = vmlal_u32(self.half[0], vget_low_u32(sums), vget_low_u32(self.mantissas));
            let high = vmlal_high_u32(self.half[1], sums, self.mantissas);
            let both = vqmovn_high_u64(vqmovn_u64(self.round(low, 0)), self.round(high, 1));
            let words = vmovn_u32(vminq_u32(both, vdupq_n_u32(127)));
            let bytes = vmovn_u16(vcombine_u16(words, words));
            vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)).to_le_bytes().map(|byte| byte as i8)
        }
    }

    /// The rounding rule for products that are not negative, to which half a step was added. Its odd bit may be taken
    /// after that: only at a tie does it change the result, and there both are the same.
    #[inline(always)]
    fn round(&self, raised: uint64x2_t, half: usize) -> uint64x2_t {
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let odd = vandq_u64(vshlq_u64(raised, self.right[half]), vdupq_n_u64(1));
            vshlq_u64(vaddq_u64(raised, odd), self.right[half])
        }
    }
}

/// Vectors of rows that are summed at once: rows come in multiples of 64.
const ROW_VECTORS: usize = 8;

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<{ ROW_VECTORS * WIDTH }>().0.iter_mut().enumerate() {
        // SAFETY: NEON is part of this architecture; every row below has 16 · ROW_VECTORS bytes behind `block`.
        unsafe {
            let mut totals = [[vdupq_n_s32(0); 2]; ROW_VECTORS];
            let row = |group: usize| {
                weights[group * stride + block * 16 * ROW_VECTORS..][..16 * ROW_VECTORS].as_ptr().cast::<i8>()
            };
            let groups = features.as_chunks::<4>().0;
            let (pairs, rest) = groups.as_chunks::<2>();
            for (pair, [a, b]) in pairs.iter().enumerate() {
                let rows = [row(2 * pair), row(2 * pair + 1)];
                let dup = |group: &[i8; 4]| vreinterpretq_s8_s32(vld1q_dup_s32(group.as_ptr().cast()));
                let x = [dup(a), dup(b)];
                for (v, [low, high]) in totals.iter_mut().enumerate() {
                    let w = [vld1q_s8(rows[0].add(16 * v)), vld1q_s8(rows[1].add(16 * v))];
                    let products = vmull_s8(vget_low_s8(w[0]), vget_low_s8(x[0]));
                    *low = vpadalq_s16(*low, vmlal_s8(products, vget_low_s8(w[1]), vget_low_s8(x[1])));
                    let products = vmull_high_s8(w[0], x[0]);
                    *high = vpadalq_s16(*high, vmlal_high_s8(products, w[1], x[1]));
                }
            }
            for group in rest {
                let row = row(groups.len() - 1);
                let x = vreinterpretq_s8_s32(vld1q_dup_s32(group.as_ptr().cast()));
                for (v, [low, high]) in totals.iter_mut().enumerate() {
                    let w = vld1q_s8(row.add(16 * v));
                    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                    *high = vpadalq_s16(*high, vmull_high_s8(w, x));
                }
            }
            for (out, [low, high]) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(totals) {
                vst1q_s32(out.as_mut_ptr(), vpaddq_s32(low, high));
            }
        }
    }
}

fn dot_project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    const AT_ONCE: usize = 2 * ROW_VECTORS;
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<{ AT_ONCE * WIDTH }>().0.iter_mut().enumerate() {
        // SAFETY: this function is reachable through `DOT` only; every row below has 16 · AT_ONCE bytes behind `block`.
        unsafe {
            let mut totals = [vdupq_n_s32(0); AT_ONCE];
            for (row, group) in weights.chunks_exact(stride).zip(features.as_chunks::<4>().0) {
                let row = row[block * 16 * AT_ONCE..][..16 * AT_ONCE].as_ptr().cast::<i8>();
                let x = vreinterpretq_s8_s32(vld1q_dup_s32(group.as_ptr().cast()));
                for (v, total) in totals.iter_mut().enumerate() {
                    *total = sdot::<0>(*total, vld1q_s8(row.add(16 * v)), x);
                }
            }
            for (out, total) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(totals) {
                vst1q_s32(out.as_mut_ptr(), total);
            }
        }
    }
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    assert_eq!(weights.len(), 2 * state.len() * sums.len(), "weights are rows × units");
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<{ ROW_VECTORS * WIDTH }>().0.iter_mut().enumerate() {
        // SAFETY: NEON is part of this architecture; every row below has 16 · ROW_VECTORS bytes behind `block`.
        unsafe {
            let mut totals = [[vdupq_n_s32(0); 2]; ROW_VECTORS];
            for (row, pair) in weights.chunks_exact(stride).zip(state.as_chunks::<2>().0) {
                let row = row[block * 16 * ROW_VECTORS..][..16 * ROW_VECTORS].as_ptr();
                let x = vreinterpretq_s16_s32(vld1q_dup_s32(pair.as_ptr().cast()));
                for (v, [low, high]) in totals.iter_mut().enumerate() {
                    let w = vreinterpretq_s16_u8(vld1q_u8(row.add(16 * v)));
                    *low = vmlal_s16(*low, vget_low_s16(w), vget_low_s16(x));
                    *high = vmlal_high_s16(*high, w, x);
                }
            }
            for (out, [low, high]) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(totals) {
                vst1q_s32(out.as_mut_ptr(), vpaddq_s32(low, high));
            }
        }
    }
}
