//! Layers by dot products: `sdot` adds four products of bytes to each of four sums. Its intrinsic is not stable, so that
//! it is written in assembler; every function here is reachable through the table that is given out where the instruction
//! was detected.

use core::arch::aarch64::*;
use core::arch::asm;

use super::{Finish, WIDTH};
use crate::classify::native::model::Conv;
use crate::spec::MEL_BANDS;

/// Vectors of outputs that are summed at once.
const DOTS: usize = 4;

pub(super) fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    if conv.inputs == 1 {
        return first_layer(conv, lines, out);
    }
    let (inputs, outputs, groups) = (conv.inputs, conv.outputs, conv.groups());
    // What `tile` relies on.
    assert!(groups.is_multiple_of(12) && outputs.is_multiple_of(DOTS * WIDTH));
    assert_eq!(conv.weights.len(), 12 * groups * outputs);
    let values = (2 * (out.len() / outputs) + 2) * inputs;
    let lines = lines.map(|line| line[..values].as_ptr());
    for block in (0..outputs).step_by(DOTS * WIDTH) {
        let finish = Finish::<DOTS>::new(conv, block);
        let weights = conv.weights[4 * block..].as_ptr();
        for (pooled, out) in out.chunks_exact_mut(outputs).enumerate() {
            // SAFETY: the positions read end, 2 · pooled + 4 of them from the line's start on, within `values`; rows of
            // weights are 4 · outputs bytes, of which 64 are read from `block` on.
            let most = unsafe { tile(conv, weights, &lines, 2 * pooled * inputs, finish.bias) };
            finish.finish(most, &mut out[block..]);
        }
    }
}

/// Most bands of a line of one input, with the zero positions.
const MAX_BANDS: usize = MEL_BANDS + 2;
/// Bytes that a vector holds, and pooled positions that they are for: sixteen bands.
const VECTOR: usize = 16;
const OCTET: usize = 8;

/// The layer of one input: a vector of a line's bands has the words of every second pooled position, and those of the others
/// and of the bands beside begin one to three bands later.
fn first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    /// Vectors of outputs that are summed at once.
    const V: usize = 2;
    let outputs = conv.outputs;
    let bands = 2 * (out.len() / outputs) + 2;
    assert!(bands <= MAX_BANDS && outputs.is_multiple_of(V * WIDTH));
    let lines = lines.map(|line| {
        let mut padded = [0; (MAX_BANDS + 3).next_multiple_of(VECTOR)];
        padded[..bands].copy_from_slice(&line[..bands]);
        padded
    });
    for block in (0..outputs).step_by(V * WIDTH) {
        let finish = Finish::<V>::new(conv, block);
        let weights: [[int8x16_t; V]; 3] = core::array::from_fn(|frame| {
            let row = &conv.weights[4 * (frame * outputs + block)..][..16 * V];
            // SAFETY: NEON is part of this architecture; there are 16 · V bytes.
            core::array::from_fn(|v| unsafe { vld1q_s8(row[16 * v..].as_ptr().cast()) })
        });
        for (octet, out) in out.chunks_mut(OCTET * outputs).enumerate() {
            for odd in 0..2 {
                let vector = |line: usize, beside: usize| {
                    let bytes = &lines[line][VECTOR * octet + 2 * odd + beside..][..VECTOR];
                    // SAFETY: NEON is part of this architecture; there are sixteen bytes.
                    unsafe { vld1q_s8(bytes.as_ptr()) }
                };
                let x: [[int8x16_t; 2]; 4] = core::array::from_fn(|line| [vector(line, 0), vector(line, 1)]);
                macro_rules! position {
                    ($word:literal) => {
                        if let Some(out) = out.get_mut((2 * $word + odd) * outputs + block..) {
                            // SAFETY: the instruction is there, as the module's head says.
                            let most = unsafe { most::<$word, V>(&weights, &x, finish.bias) };
                            finish.finish(most, out);
                        }
                    };
                }
                position!(0);
                position!(1);
                position!(2);
                position!(3);
            }
        }
    }
}

/// The largest of four positions' sums: word `WORD` of four lines' vectors and of those one band later.
///
/// # Safety
/// The dot-product instruction.
#[inline(always)]
unsafe fn most<const WORD: i32, const V: usize>(
    weights: &[[int8x16_t; V]; 3],
    x: &[[int8x16_t; 2]; 4],
    bias: [int32x4_t; V],
) -> [int32x4_t; V] {
    core::array::from_fn(|v| {
        // SAFETY: the caller's.
        let sum = |line: usize, beside: usize| unsafe {
            let sum = sdot::<WORD>(bias[v], weights[0][v], x[line][beside]);
            let sum = sdot::<WORD>(sum, weights[1][v], x[line + 1][beside]);
            sdot::<WORD>(sum, weights[2][v], x[line + 2][beside])
        };
        // SAFETY: NEON is part of this architecture.
        unsafe { vmaxq_s32(vmaxq_s32(sum(0, 0), sum(0, 1)), vmaxq_s32(sum(1, 0), sum(1, 1))) }
    })
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
            "add {a}, ",
            $first,
            ", {at}
            add {b}, {a}, {inputs}
            add {c}, ",
            $second,
            ", {at}
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

/// The largest of four positions' sums, which begin with `bias`, of many inputs.
///
/// # Safety
/// The dot-product instruction; 4 · inputs bytes from `at` on of every line, and from `weights` on 64 bytes of three times
/// as many rows of four bytes per output as there are [groups](Conv::groups), a multiple of twelve.
#[inline(always)]
unsafe fn tile(
    conv: &Conv<'_>,
    weights: *const u8,
    lines: &[*const i8; 4],
    at: usize,
    bias: [int32x4_t; DOTS],
) -> [int32x4_t; DOTS] {
    let (first, second, third, fourth): (int32x4_t, int32x4_t, int32x4_t, int32x4_t);
    // SAFETY: the caller vouches for the instruction and for what is read. All registers that are written are named.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "mov v12.16b, v0.16b",
            "mov v13.16b, v1.16b",
            "mov v14.16b, v2.16b",
            "mov v15.16b, v3.16b",
            "mov v16.16b, v0.16b",
            "mov v17.16b, v1.16b",
            "mov v18.16b, v2.16b",
            "mov v19.16b, v3.16b",
            "mov v20.16b, v0.16b",
            "mov v21.16b, v1.16b",
            "mov v22.16b, v2.16b",
            "mov v23.16b, v3.16b",
            "mov v24.16b, v0.16b",
            "mov v25.16b, v1.16b",
            "mov v26.16b, v2.16b",
            "mov v27.16b, v3.16b",
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
            w = inout(reg) weights => _,
            row = in(reg) 4 * conv.outputs,
            at = in(reg) at,
            inputs = in(reg) conv.inputs,
            groups = in(reg) conv.groups(),
            l0 = in(reg) lines[0],
            l1 = in(reg) lines[1],
            l2 = in(reg) lines[2],
            l3 = in(reg) lines[3],
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            left = out(reg) _,
            inout("v0") bias[0] => first,
            inout("v1") bias[1] => second,
            inout("v2") bias[2] => third,
            inout("v3") bias[3] => fourth,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _,
            out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
            out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(readonly, nostack)
        );
    }
    [first, second, third, fourth]
}

/// Rows whose sums are made at once: they come in multiples of 64.
const ROWS: usize = 64;

/// Four vectors of weights, times the word of every lane of `v31`, added to four of sums.
macro_rules! sixteen_rows {
    ($next:literal, $first:literal, $second:literal, $third:literal, $fourth:literal) => {
        concat!(
            "ld1 {{v0.16b, v1.16b, v2.16b, v3.16b}}, [{w}], ",
            $next,
            "\nsdot ",
            $first,
            ".4s, v0.16b, v31.16b\nsdot ",
            $second,
            ".4s, v1.16b, v31.16b\nsdot ",
            $third,
            ".4s, v2.16b, v31.16b\nsdot ",
            $fourth,
            ".4s, v3.16b, v31.16b\n",
        )
    };
}

pub(super) fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    let groups = features.len() / 4;
    assert!(groups > 0);
    // Of a group's row the next 64 bytes, three times, and from the fourth to the next group's.
    let row = 4 * sums.len() - 3 * 64;
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights[4 * ROWS * block..].as_ptr();
        // SAFETY: the instruction is there, as the module's head says. Every group has four features and 4 · ROWS bytes of
        // weights from `block` on; ROWS sums are written. All registers that are written are named.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "movi v4.4s, #0",
                "movi v5.4s, #0",
                "movi v6.4s, #0",
                "movi v7.4s, #0",
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
                "2:",
                "ld1r {{v31.4s}}, [{x}], #4",
                sixteen_rows!("#64", "v4", "v5", "v6", "v7"),
                sixteen_rows!("#64", "v16", "v17", "v18", "v19"),
                sixteen_rows!("#64", "v20", "v21", "v22", "v23"),
                sixteen_rows!("{row}", "v24", "v25", "v26", "v27"),
                "subs {left}, {left}, #1",
                "b.ne 2b",
                "st1 {{v4.4s, v5.4s, v6.4s, v7.4s}}, [{out}], #64",
                "st1 {{v16.4s, v17.4s, v18.4s, v19.4s}}, [{out}], #64",
                "st1 {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{out}], #64",
                "st1 {{v24.4s, v25.4s, v26.4s, v27.4s}}, [{out}]",
                w = inout(reg) weights => _,
                x = inout(reg) features.as_ptr() => _,
                row = in(reg) row,
                left = inout(reg) groups => _,
                out = inout(reg) out.as_mut_ptr() => _,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _,
                out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v31") _,
                options(nostack)
            );
        }
    }
}
