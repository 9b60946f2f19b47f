//! aarch64: NEON, which every such machine has, and the dot-product instruction where there is one.
//!
//! Without it, convolutions are Winograd's [`tiles`], and in the projection `smull` and `smlal` add two products of bytes
//! in a word (activations up to 127 and weights from −127 on keep it within ±32258), and `sadalp` adds pairs of words to
//! the sums: 16 multiply-adds in three instructions. `sdot` does 16 in one. Its intrinsic is not stable, so it is written
//! in assembler.
#![expect(unsafe_code, reason = "vector loads and stores, and an instruction without an intrinsic")]

mod dot; // by dot products
mod tiles; // convolutions without them

use core::arch::aarch64::*;
use core::arch::asm;

use super::{Table, portable};
use crate::classify::native::model::{Conv, PLAIN_BITS, Rows};

pub(super) static NEON: Table = Table { name: "neon", conv_pool, project, recur, finish, ..portable::TABLE };
static DOT: Table = Table {
    name: "neon dotprod",
    conv_pool: dot::conv_pool,
    project: dot::project,
    recur,
    finish,
    ..portable::TABLE
};

/// The table with dot products, where this machine has them.
pub(super) fn detect_dot() -> Option<&'static Table> {
    has!("dotprod").then_some(&DOT)
}

/// Outputs per vector.
const WIDTH: usize = 4;

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    match conv.inputs {
        1 => first_layer(conv, lines, out),
        _ => tiles::conv_pool(conv, lines, out),
    }
}

/// The layer of one input: nine words times eight outputs at once.
#[inline(never)]
fn first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    const V: usize = 2;
    let row = 4 * conv.outputs;
    assert!(conv.outputs.is_multiple_of(V * WIDTH));
    for block in (0..conv.outputs).step_by(V * WIDTH) {
        let finish = Finish::<V>::new(conv, block);
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
                        let (w, x) = (weights[$frame][$tap], x[($line + $frame) >> 1]);
                        $sums[0] = vmlal_laneq_s16::<LANE>($sums[0], vget_low_s16(w), x);
                        $sums[1] = vmlal_high_laneq_s16::<LANE>($sums[1], w, x);
                    }};
                }
                macro_rules! corner {
                    ($line:literal, $band:literal) => {{
                        let mut sums = finish.bias;
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
            finish.finish(most, &mut out[block..]);
        }
    }
}

/// ReLU and requantization of `V` times four outputs.
struct Finish<const V: usize> {
    /// What their sums begin with.
    bias: [int32x4_t; V],
    four: [Plain; V],
    /// Where [plain](Conv::is_plain) rounding isn't enough.
    exact: Option<[Exact; V]>,
}

impl<const V: usize> Finish<V> {
    /// Of the outputs from `block` on.
    #[inline(always)]
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let at = |v: usize| block + v * WIDTH;
        Self {
            bias: core::array::from_fn(|v| load(conv.bias, at(v))),
            four: core::array::from_fn(|v| Plain::new(conv, at(v))),
            exact: (!conv.plain).then(|| core::array::from_fn(|v| Exact::new(conv, at(v)))),
        }
    }

    /// `sums` have their bias.
    #[inline(always)]
    fn finish(&self, sums: [int32x4_t; V], out: &mut [i8]) {
        const { assert!(V.is_multiple_of(2)) };
        if let Some(exact) = &self.exact {
            return finish_exactly(exact, sums, out);
        }
        let out = &mut out[..V * WIDTH];
        for (pair, out) in out.as_chunks_mut::<{ 2 * WIDTH }>().0.iter_mut().enumerate() {
            let [first, second] = [2 * pair, 2 * pair + 1].map(|v| self.four[v].apply(sums[v]));
            // SAFETY: NEON is part of this architecture; what is negative becomes zero.
            unsafe { store(vqmovun_high_s32(vqmovun_s32(first), second), out) };
        }
    }
}

#[cold]
#[inline(never)]
fn finish_exactly<const V: usize>(four: &[Exact; V], sums: [int32x4_t; V], out: &mut [i8]) {
    let pairs = four.as_chunks::<2>().0.iter().zip(sums.as_chunks::<2>().0);
    for (([low, high], sums), out) in pairs.zip(out.as_chunks_mut().0) {
        // SAFETY: NEON is part of this architecture.
        unsafe { store(vqmovn_high_u32(vqmovn_u32(low.apply(sums[0])), high.apply(sums[1])), out) };
    }
}

/// Eight results, at most 127.
#[inline(always)]
unsafe fn store(words: uint16x8_t, out: &mut [i8; 2 * WIDTH]) {
    // SAFETY: NEON is part of this architecture; `out` has eight bytes.
    unsafe { vst1_s8(out.as_mut_ptr(), vreinterpret_s8_u8(vmin_u8(vqmovn_u16(words), vdup_n_u8(127)))) }
}

/// Numbers of the four outputs from `first` on.
#[inline(always)]
fn load(numbers: &[u8], first: usize) -> int32x4_t {
    let four = &numbers[4 * first..4 * (first + WIDTH)];
    // SAFETY: the slice has sixteen bytes; NEON is part of this architecture.
    unsafe { vreinterpretq_s32_u8(vld1q_u8(four.as_ptr())) }
}

/// What finishes four outputs where the upper bits of products, rounded half up, are enough.
#[derive(Clone, Copy)]
struct Plain {
    /// Of 31 bits.
    mantissas: int32x4_t,
    /// Negative shifts of the products' upper bits, which shift right.
    right: int32x4_t,
}

impl Plain {
    /// Bits that mantissas are made longer by.
    const LONGER: i32 = 7;

    #[inline(always)]
    fn new(conv: &Conv<'_>, first: usize) -> Self {
        // `sqdmulh` leaves away 31 bits of a product, 24 of the shorter mantissa's; another one and more are rounded.
        const { assert!(31 - Self::LONGER < PLAIN_BITS as i32) };
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let shifts = load(conv.scales.shifts, first);
            Self {
                mantissas: vshlq_n_s32::<{ Self::LONGER }>(load(conv.scales.mantissas, first)),
                right: vsubq_s32(vdupq_n_s32(31 - Self::LONGER), shifts),
            }
        }
    }

    #[inline(always)]
    fn apply(&self, sums: int32x4_t) -> int32x4_t {
        // SAFETY: NEON is part of this architecture.
        unsafe { vrshlq_s32(vqdmulhq_s32(sums, self.mantissas), self.right) }
    }
}

/// What finishes any four outputs.
#[derive(Clone, Copy)]
struct Exact {
    mantissas: uint32x4_t,
    /// Negative shifts, which shift right, of the first two outputs and of the others.
    right: [int64x2_t; 2],
    /// Half a step less one bit.
    half: [uint64x2_t; 2],
}

impl Exact {
    fn new(conv: &Conv<'_>, first: usize) -> Self {
        let (mantissas, shifts) = (load(conv.scales.mantissas, first), load(conv.scales.shifts, first));
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let shifts = [vmovl_s32(vget_low_s32(shifts)), vmovl_high_s32(shifts)];
            let half = |shifts: int64x2_t| {
                let half = vshlq_u64(vdupq_n_u64(1), vsubq_s64(shifts, vdupq_n_s64(1)));
                vsubq_u64(half, vdupq_n_u64(1))
            };
            Self {
                mantissas: vreinterpretq_u32_s32(mantissas),
                right: shifts.map(|shifts| vnegq_s64(shifts)),
                half: shifts.map(half),
            }
        }
    }

    /// Saturated to 32 bits only.
    #[inline(always)]
    fn apply(&self, sums: int32x4_t) -> uint32x4_t {
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let sums = vreinterpretq_u32_s32(vmaxq_s32(sums, vdupq_n_s32(0)));
            let low = vmlal_u32(self.half[0], vget_low_u32(sums), vget_low_u32(self.mantissas));
            let high = vmlal_high_u32(self.half[1], sums, self.mantissas);
            vqmovn_high_u64(vqmovn_u64(self.round(low, 0)), self.round(high, 1))
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

/// Adds two groups' products for four rows: `low` holds the first two rows' pairs, `high` the others'.
///
/// In assembler, because compilers reorder the intrinsics until sums have to leave their registers.
#[inline(always)]
unsafe fn add_two_groups(low: &mut int32x4_t, high: &mut int32x4_t, w: [int8x16_t; 2], x: [int8x16_t; 2]) {
    // SAFETY: NEON is part of this architecture; only the named registers are read and written.
    unsafe {
        asm!(
            "smull {t:v}.8h, {w0:v}.8b, {x0:v}.8b",
            "smull2 {u:v}.8h, {w0:v}.16b, {x0:v}.16b",
            "smlal {t:v}.8h, {w1:v}.8b, {x1:v}.8b",
            "smlal2 {u:v}.8h, {w1:v}.16b, {x1:v}.16b",
            "sadalp {low:v}.4s, {t:v}.8h",
            "sadalp {high:v}.4s, {u:v}.8h",
            t = out(vreg) _,
            u = out(vreg) _,
            low = inout(vreg) *low,
            high = inout(vreg) *high,
            w0 = in(vreg) w[0],
            w1 = in(vreg) w[1],
            x0 = in(vreg) x[0],
            x1 = in(vreg) x[1],
            options(pure, nomem, nostack, preserves_flags)
        );
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
                    add_two_groups(low, high, w, x);
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

/// `sum · scale + bias` of four rows at once.
fn finish(rows: &Rows<'_>, sums: &mut [i32]) {
    for (block, sums) in sums.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        let at = WIDTH * block;
        let (mantissas, shifts) = (load(rows.scales.mantissas, at), load(rows.scales.shifts, at));
        // SAFETY: NEON is part of this architecture; there are four sums.
        unsafe {
            let bias = if rows.bias.is_empty() { vdupq_n_s32(0) } else { load(rows.bias, at) };
            let all = vld1q_s32(sums.as_ptr());
            let round = |product: int64x2_t, shifts: int64x2_t| {
                let (one, right) = (vdupq_n_s64(1), vnegq_s64(shifts));
                let half = vsubq_s64(vshlq_s64(one, vsubq_s64(shifts, one)), one);
                let odd = vandq_s64(vshlq_s64(product, right), one);
                vqmovn_s64(vshlq_s64(vaddq_s64(vaddq_s64(product, half), odd), right))
            };
            let low = vmull_s32(vget_low_s32(all), vget_low_s32(mantissas));
            let low = round(low, vmovl_s32(vget_low_s32(shifts)));
            let high = round(vmull_high_s32(all, mantissas), vmovl_high_s32(shifts));
            vst1q_s32(sums.as_mut_ptr(), vqaddq_s32(vcombine_s32(low, high), bias));
        }
    }
}
