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
            finish.finish(most, &mut out[block..]);
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

/// Vectors of outputs that dot products make at once.
const DOTS: usize = 4;

/// By dot products.
fn dot_conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    assert!(conv.outputs.is_multiple_of(DOTS * WIDTH));
    if conv.inputs == 1 {
        return dot_first_layer(conv, lines, out);
    }
    for block in (0..conv.outputs).step_by(DOTS * WIDTH) {
        let finish = Finish::<DOTS>::new(conv, block);
        let weights = &conv.weights[4 * block..];
        for (pooled, out) in out.chunks_exact_mut(conv.outputs).enumerate() {
            finish.finish(dot_tile(conv, weights, &lines, pooled), &mut out[block..]);
        }
    }
}

/// Most pooled positions of the first layer that are gathered at once.
const GATHERED: usize = 64;

/// The layer of one input.
fn dot_first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    for (part, out) in out.chunks_mut(GATHERED * conv.outputs).enumerate() {
        // Every line's word at each position's two bands.
        let mut words = [[[0; 4]; 8]; GATHERED];
        let words = &mut words[..out.len() / conv.outputs];
        for (line, values) in lines.iter().enumerate() {
            let pairs = values[2 * GATHERED * part..].windows(5).step_by(2);
            for (words, pair) in words.iter_mut().zip(pairs) {
                words[line] = [pair[0], pair[1], pair[2], pair[3]];
                words[4 + line] = [pair[1], pair[2], pair[3], pair[4]];
            }
        }
        for block in (0..conv.outputs).step_by(DOTS * WIDTH) {
            let finish = Finish::<DOTS>::new(conv, block);
            let weights = core::array::from_fn(|frame| {
                let row = &conv.weights[4 * (frame * conv.outputs + block)..][..16 * DOTS];
                // SAFETY: NEON is part of this architecture; there are 16 · DOTS bytes.
                core::array::from_fn(|v| unsafe { vld1q_s8(row[16 * v..].as_ptr().cast()) })
            });
            for (words, out) in words.iter().zip(out.chunks_exact_mut(conv.outputs)) {
                finish.finish(dot_first_tile(&weights, words), &mut out[block..]);
            }
        }
    }
}

/// The largest of four positions' sums, of one input: the words of four lines at one band and at the next.
#[inline(always)]
fn dot_first_tile(weights: &[[int8x16_t; DOTS]; 3], words: &[[i8; 4]; 8]) -> [int32x4_t; DOTS] {
    // SAFETY: this function is reachable through `DOT` only, which is given out where the instruction was detected; there
    // are 32 bytes.
    unsafe {
        let x = [0, 4].map(|first| vld1q_s8(words[first..].as_ptr().cast()));
        core::array::from_fn(|v| {
            macro_rules! larger {
                ($first:literal, $second:literal, $third:literal) => {{
                    let [left, right] = x.map(|x| {
                        let sum = sdot::<$first>(vdupq_n_s32(0), weights[0][v], x);
                        sdot::<$third>(sdot::<$second>(sum, weights[1][v], x), weights[2][v], x)
                    });
                    vmaxq_s32(left, right)
                }};
            }
            vmaxq_s32(larger!(0, 1, 2), larger!(1, 2, 3))
        })
    }
}

/// One group of four positions times four vectors of outputs: word `$lane` of `$a` to `$d`.
macro_rules! dots {
    ($lane:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ld1 {{v28.16b, v29.16b, v30.16b, v31.16b}}, [{w}], {row}\n",
            dots!(@corner $lane, $a, "v12", "v13", "v14", "v15"),
            dots!(@corner $lane, $b, "v16", "v17", "v18", "v19"),
            dots!(@corner $lane, $c, "v20", "v21", "v22", "v23"),
            dots!(@corner $lane, $d, "v24", "v25", "v26", "v27"),
        )
    };
    (@corner $lane:literal, $x:literal, $first:literal, $second:literal, $third:literal, $fourth:literal) => {
        concat!(
            "sdot ", $first, ".4s, v28.16b, ", $x, ".4b[", $lane, "]\n",
            "sdot ", $second, ".4s, v29.16b, ", $x, ".4b[", $lane, "]\n",
            "sdot ", $third, ".4s, v30.16b, ", $x, ".4b[", $lane, "]\n",
            "sdot ", $fourth, ".4s, v31.16b, ", $x, ".4b[", $lane, "]\n",
        )
    };
}

/// The groups of a kernel's line, twelve at a time, at two positions of lines `$first` and `$second`.
macro_rules! frame {
    ($first:literal, $second:literal) => {
        concat!(
            "mov {a}, ",
            $first,
            "
            add {b}, {a}, {inputs}
            mov {c}, ",
            $second,
            "
            add {d}, {c}, {inputs}
            mov {left}, {groups}
            2:
            ld1 {{v0.16b, v1.16b, v2.16b}}, [{a}], #48
            ld1 {{v3.16b, v4.16b, v5.16b}}, [{b}], #48
            ld1 {{v6.16b, v7.16b, v8.16b}}, [{c}], #48
            ld1 {{v9.16b, v10.16b, v11.16b}}, [{d}], #48
            ",
            dots!(0, "v0", "v3", "v6", "v9"),
            dots!(1, "v0", "v3", "v6", "v9"),
            dots!(2, "v0", "v3", "v6", "v9"),
            dots!(3, "v0", "v3", "v6", "v9"),
            dots!(0, "v1", "v4", "v7", "v10"),
            dots!(1, "v1", "v4", "v7", "v10"),
            dots!(2, "v1", "v4", "v7", "v10"),
            dots!(3, "v1", "v4", "v7", "v10"),
            dots!(0, "v2", "v5", "v8", "v11"),
            dots!(1, "v2", "v5", "v8", "v11"),
            dots!(2, "v2", "v5", "v8", "v11"),
            dots!(3, "v2", "v5", "v8", "v11"),
            "subs {left}, {left}, #12
            b.ne 2b"
        )
    };
}

/// The largest of four positions' sums, of many inputs: `weights` are those of the outputs from the wanted ones on.
#[inline(always)]
fn dot_tile(conv: &Conv<'_>, weights: &[u8], lines: &[&[i8]; 4], pooled: usize) -> [int32x4_t; 4] {
    let (inputs, groups, row) = (conv.inputs, conv.groups(), 4 * conv.outputs);
    assert!(groups.is_multiple_of(12) && weights.len() >= (3 * groups - 1) * row + 64);
    // What reading all groups of both positions of every line relies on.
    let lines = lines.map(|line| line[2 * pooled * inputs..][..inputs + 4 * groups].as_ptr());
    let (first, second, third, fourth): (int32x4_t, int32x4_t, int32x4_t, int32x4_t);
    // SAFETY: this function is reachable through `DOT` only, which is given out where the instruction was detected. What
    // is read was asserted: 4 · groups bytes from two positions on of every line, 64 bytes of 3 · groups rows of weights.
    // All registers that are written are named.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "movi v12.4s, #0",
            "movi v13.4s, #0",
            "movi v14.4s, #0",
            "movi v15.4s, #0",
            "movi v16.4s, #0",
            "movi v17.4s, #0",
            "movi v18.4s, #0",
            "movi v19.4s, #0",
            "movi v20.4s, #0",
            "movi v21.4s, #0",
            "movi v22.4s, #0",
            "movi v23.4s, #0",
            "movi v24.4s, #0",
            "movi v25.4s, #0",
            "movi v26.4s, #0",
            "movi v27.4s, #0",
            frame!("{l0}", "{l1}"),
            frame!("{l1}", "{l2}"),
            frame!("{l2}", "{l3}"),
            "smax v12.4s, v12.4s, v16.4s",
            "smax v13.4s, v13.4s, v17.4s",
            "smax v14.4s, v14.4s, v18.4s",
            "smax v15.4s, v15.4s, v19.4s",
            "smax v20.4s, v20.4s, v24.4s",
            "smax v21.4s, v21.4s, v25.4s",
            "smax v22.4s, v22.4s, v26.4s",
            "smax v23.4s, v23.4s, v27.4s",
            "smax v0.4s, v12.4s, v20.4s",
            "smax v1.4s, v13.4s, v21.4s",
            "smax v2.4s, v14.4s, v22.4s",
            "smax v3.4s, v15.4s, v23.4s",
            w = inout(reg) weights.as_ptr() => _,
            row = in(reg) row,
            inputs = in(reg) inputs,
            groups = in(reg) groups,
            l0 = in(reg) lines[0],
            l1 = in(reg) lines[1],
            l2 = in(reg) lines[2],
            l3 = in(reg) lines[3],
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            left = out(reg) _,
            out("v0") first, out("v1") second, out("v2") third, out("v3") fourth,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _,
            out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
            out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack)
        );
    }
    [first, second, third, fourth]
}

/// Bias, ReLU and requantization of `V` times four outputs.
struct Finish<const V: usize> {
    all: [Four; V],
    ties: bool,
}

impl<const V: usize> Finish<V> {
    /// Of the outputs from `block` on.
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let all = core::array::from_fn(|v| Four::new(conv, block + v * WIDTH));
        Self { all, ties: conv.ties }
    }

    #[inline(always)]
    fn finish(&self, sums: [int32x4_t; V], out: &mut [i8]) {
        match self.ties {
            true => self.finish_all::<true>(sums, out),
            false => self.finish_all::<false>(sums, out),
        }
    }

    #[inline(always)]
    fn finish_all<const TIES: bool>(&self, sums: [int32x4_t; V], out: &mut [i8]) {
        const { assert!(V.is_multiple_of(2)) };
        let out = &mut out[..V * WIDTH];
        for (pair, out) in out.as_chunks_mut::<{ 2 * WIDTH }>().0.iter_mut().enumerate() {
            let [first, second] = [2 * pair, 2 * pair + 1].map(|v| self.all[v].apply::<TIES>(sums[v]));
            // SAFETY: NEON is part of this architecture; `out` has eight bytes.
            unsafe {
                let words = vqmovn_high_u32(vqmovn_u32(first), second);
                let bytes = vmin_u8(vqmovn_u16(words), vdup_n_u8(127));
                vst1_s8(out.as_mut_ptr(), vreinterpret_s8_u8(bytes));
            }
        }
    }
}

/// What finishes four outputs.
#[derive(Clone, Copy)]
struct Four {
    bias: int32x4_t,
    mantissas: uint32x4_t,
    /// Negative shifts, which shift right, of the first two outputs and of the others.
    right: [int64x2_t; 2],
    /// Half a step less one bit.
    half: [uint64x2_t; 2],
}

impl Four {
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

    /// Saturated to 32 bits only.
    #[inline(always)]
    fn apply<const TIES: bool>(&self, sums: int32x4_t) -> uint32x4_t {
        // SAFETY: NEON is part of this architecture.
        unsafe {
            let sums = vreinterpretq_u32_s32(vmaxq_s32(vaddq_s32(sums, self.bias), vdupq_n_s32(0)));
            let low = vmlal_u32(self.half[0], vget_low_u32(sums), vget_low_u32(self.mantissas));
            let high = vmlal_high_u32(self.half[1], sums, self.mantissas);
            vqmovn_high_u64(vqmovn_u64(self.round::<TIES>(low, 0)), self.round::<TIES>(high, 1))
        }
    }

    /// The rounding rule for products that are not negative, to which half a step was added. Its odd bit may be taken
    /// after that: only at a tie does it change the result, and there both are the same.
    #[inline(always)]
    fn round<const TIES: bool>(&self, raised: uint64x2_t, half: usize) -> uint64x2_t {
        // SAFETY: NEON is part of this architecture.
        unsafe {
            if !TIES {
                return vshlq_u64(raised, self.right[half]);
            }
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
