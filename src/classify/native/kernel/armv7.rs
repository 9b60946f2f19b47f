//! 32-bit ARM with NEON (ARMv7 and later), in assembler: its intrinsics are not stable.
//!
//! As in 64-bit NEON without dot products: `vmull` and `vmlal` add two products of bytes in a word (activations up to 127
//! and weights from −127 on keep it within ±32258), `vpadal` adds pairs of words to the sums: 16 multiply-adds in three
//! instructions. Whole functions are in assembler, since a build that doesn't take NEON for granted has no names for its
//! registers: a call's convention says which of them are free.
#![expect(unsafe_code, reason = "assembler")]

use core::arch::naked_asm;
use core::mem::offset_of;

use super::{Table, arm};
use crate::classify::native::model::Conv;

static TABLE: Table = Table { name: "armv7 neon", conv_pool, project, recur };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    arm::has_neon().then_some(&TABLE)
}

/// Outputs of a tile.
const WIDTH: usize = 4;
/// Rows that are summed at once: they come in multiples of 64.
const ROWS: usize = 16;

/// A pooled line of four outputs, as the assembler reads it.
#[repr(C)]
struct Line {
    /// 0: the lines at their first position.
    lines: [*const i8; 4],
    /// 16: bytes from band to band.
    inputs: usize,
    /// 20: groups of a kernel's line.
    groups: usize,
    /// 24: weights of the first output.
    weights: *const u8,
    /// 28: bytes from group to group of them.
    stride: usize,
    /// 32: the first pooled position's first output.
    out: *mut i8,
    /// 36: bytes from position to position of them.
    outputs: usize,
    /// 40: pooled positions.
    pooled: usize,
    /// 48: what finishes them.
    finish: Finish,
}

const _: () = assert!(offset_of!(Line, pooled) == 40 && offset_of!(Line, finish) == 48);

/// Bias, ReLU and requantization of four outputs.
#[repr(C)]
struct Finish {
    bias: [i32; WIDTH],
    mantissas: [u32; WIDTH],
    /// Half a step less one bit.
    half: [u64; WIDTH],
    /// Negative shifts, which shift right.
    right: [i64; WIDTH],
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (inputs, outputs, groups) = (conv.inputs, conv.outputs, conv.groups());
    let pooled = out.len() / outputs;
    assert!(pooled > 0 && out.len() == pooled * outputs && outputs.is_multiple_of(WIDTH));
    assert_eq!(conv.weights.len(), 3 * groups * outputs * 4);
    assert!(lines.iter().all(|line| line.len() >= (2 * pooled - 1) * inputs + 4 * groups));
    let mut scales = conv.scales.iter();
    let bias = conv.bias.as_chunks().0;
    for block in (0..outputs).step_by(WIDTH) {
        let scales: [_; WIDTH] = core::array::from_fn(|_| scales.next());
        let scales = scales.map(|scale| scale.map_or((0, 2), |scale| (scale.mantissa(), scale.shift())));
        let line = Line {
            lines: lines.map(<[i8]>::as_ptr),
            inputs,
            groups,
            weights: conv.weights[4 * block..].as_ptr(),
            stride: 4 * outputs,
            out: out[block..].as_mut_ptr(),
            outputs,
            pooled,
            finish: Finish {
                bias: core::array::from_fn(|i| i32::from_le_bytes(bias[block + i])),
                mantissas: scales.map(|(mantissa, _)| mantissa),
                half: scales.map(|(_, shift)| (1 << (shift - 1)) - 1),
                right: scales.map(|(_, shift)| -i64::from(shift)),
            },
        };
        // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were
        // detected. Position p of 2 · pooled reads 4 · groups bytes from p · inputs on of every line, group g of
        // 3 · groups reads 16 bytes from (g · outputs + block) · 4 on of the weights, and four outputs are written at
        // block of every pooled position: all within what was asserted.
        unsafe {
            match (inputs, groups.is_multiple_of(4)) {
                (_, true) => quads(&line),
                (1, _) => bands(&line),
                _ => {
                    unreachable!("inputs are 1 or a multiple of 16, so that groups are 1 or a multiple of 12")
                }
            }
        }
    }
}

/// Zero in the sums, q0 to q7.
macro_rules! no_sums {
    () => {
        "vmov.i32 q0, #0
        vmov.i32 q1, #0
        vmov.i32 q2, #0
        vmov.i32 q3, #0
        vmov.i32 q4, #0
        vmov.i32 q5, #0
        vmov.i32 q6, #0
        vmov.i32 q7, #0"
    };
}

/// From four sums per output, in q0, to four bytes at `r10`, by the constants at `r0 + 48`: for whole positions' ends.
///
/// The rule's odd bit may be taken after half a step was added: only at a tie does it change the result, and there both
/// are the same.
macro_rules! finish {
    () => {
        "add r3, r0, #48
        vld1.8 {{d2-d5}}, [r3]!
        vld1.8 {{d6-d9}}, [r3]!
        vld1.8 {{d10-d13}}, [r3]
        vmov.i32 q7, #0
        vadd.i32 q0, q0, q1
        vmov.i32 q10, #1
        vmax.s32 q0, q0, q7
        vshr.u64 q10, q10, #32
        vmlal.u32 q3, d0, d4
        vmlal.u32 q4, d1, d5
        vshl.u64 q8, q3, q5
        vshl.u64 q9, q4, q6
        vand q8, q8, q10
        vand q9, q9, q10
        vadd.i64 q3, q3, q8
        vadd.i64 q4, q4, q9
        vshl.u64 q3, q3, q5
        vshl.u64 q4, q4, q6
        vqmovn.u64 d0, q3
        vqmovn.u64 d1, q4
        vmov.i16 d2, #127
        vqmovn.u32 d0, q0
        vmin.u16 d0, d0, d2
        vmovn.i16 d0, q0
        vst1.32 {{d0[0]}}, [r10], r8"
    };
}

/// One corner's four groups: x at `$at` to four lanes each, sums in `$low` and `$high`.
macro_rules! corner {
    ($at:literal, $low:literal, $high:literal) => {
        concat!(
            "vld4.32 {{d24[], d25[], d26[], d27[]}}, [",
            $at,
            "]!
            vmull.s8 q14, d16, d24
            vmull.s8 q15, d17, d24
            vmlal.s8 q14, d18, d25
            vmlal.s8 q15, d19, d25
            vpadal.s16 ",
            $low,
            ", q14
            vpadal.s16 ",
            $high,
            ", q15
            vmull.s8 q14, d20, d26
            vmull.s8 q15, d21, d26
            vmlal.s8 q14, d22, d27
            vmlal.s8 q15, d23, d27
            vpadal.s16 ",
            $low,
            ", q14
            vpadal.s16 ",
            $high,
            ", q15"
        )
    };
}

/// A line of any layer whose groups come in fours.
///
/// # Safety
/// NEON, and that all of the line's pointers may be followed as far as its numbers say.
#[unsafe(naked)]
unsafe extern "C" fn quads(line: &Line) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // r2 stride, r9 bytes from band to band, r10 out, r8 bytes to its next position, r11 positions, r12 their offset.
        "ldr r2, [r0, #28]",
        "ldr r9, [r0, #16]",
        "ldr r10, [r0, #32]",
        "ldr r8, [r0, #36]",
        "ldr r11, [r0, #40]",
        "mov r12, #0",
        "2:",
        no_sums!(),
        "ldr r1, [r0, #24]",
        "mov lr, #0",
        // r3 to r6: the four corners in two lines.
        "3:",
        "add r7, r0, lr",
        "ldm r7, {{r3, r5}}",
        "ldr r7, [r0, #20]",
        "add r3, r3, r12",
        "add r5, r5, r12",
        "add r4, r3, r9",
        "add r6, r5, r9",
        "4:",
        "vld1.8 {{d16, d17}}, [r1], r2",
        "vld1.8 {{d18, d19}}, [r1], r2",
        "vld1.8 {{d20, d21}}, [r1], r2",
        "vld1.8 {{d22, d23}}, [r1], r2",
        corner!("r3", "q0", "q1"),
        corner!("r4", "q2", "q3"),
        corner!("r5", "q4", "q5"),
        corner!("r6", "q6", "q7"),
        "subs r7, r7, #4",
        "bne 4b",
        "add lr, lr, #4",
        "cmp lr, #12",
        "bne 3b",
        "vpadd.i32 d0, d0, d1",
        "vpadd.i32 d1, d2, d3",
        "vpadd.i32 d4, d4, d5",
        "vpadd.i32 d5, d6, d7",
        "vpadd.i32 d8, d8, d9",
        "vpadd.i32 d9, d10, d11",
        "vpadd.i32 d12, d12, d13",
        "vpadd.i32 d13, d14, d15",
        "vmax.s32 q0, q0, q2",
        "vmax.s32 q4, q4, q6",
        "vmax.s32 q0, q0, q4",
        finish!(),
        "add r12, r12, r9, lsl #1",
        "subs r11, r11, #1",
        "bne 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    );
}

/// The sums of one corner from its three groups, to q14.
macro_rules! three {
    ($first:literal, $second:literal, $third:literal) => {
        concat!(
            "vmull.s8 q12, d16, ",
            $first,
            "
            vmull.s8 q13, d17, ",
            $first,
            "
            vmlal.s8 q12, d18, ",
            $second,
            "
            vmlal.s8 q13, d19, ",
            $second,
            "
            vpaddl.s16 q14, q12
            vpaddl.s16 q15, q13
            vmull.s8 q12, d20, ",
            $third,
            "
            vmull.s8 q13, d21, ",
            $third,
            "
            vpadal.s16 q14, q12
            vpadal.s16 q15, q13
            vpadd.i32 d28, d28, d29
            vpadd.i32 d29, d30, d31"
        )
    };
}

/// A line of the first layer: one group per line of the kernel.
///
/// # Safety
/// As of [`quads`].
#[unsafe(naked)]
unsafe extern "C" fn bands(line: &Line) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // r4 to r7 lines, r10 out, r8 bytes to its next position, r11 positions, r12 bytes from band to band.
        "ldr r1, [r0, #24]",
        "ldr r2, [r0, #28]",
        "ldr r10, [r0, #32]",
        "ldr r8, [r0, #36]",
        "ldr r11, [r0, #40]",
        "ldr r12, [r0, #16]",
        "ldm r0, {{r4-r7}}",
        "2:",
        "mov r3, r1",
        "vld1.8 {{d16, d17}}, [r3], r2",
        "vld1.8 {{d18, d19}}, [r3], r2",
        "vld1.8 {{d20, d21}}, [r3]",
        // Line l's position b in d(2l + b).
        "vld1.32 {{d0[]}}, [r4], r12",
        "vld1.32 {{d1[]}}, [r4], r12",
        "vld1.32 {{d2[]}}, [r5], r12",
        "vld1.32 {{d3[]}}, [r5], r12",
        "vld1.32 {{d4[]}}, [r6], r12",
        "vld1.32 {{d5[]}}, [r6], r12",
        "vld1.32 {{d6[]}}, [r7], r12",
        "vld1.32 {{d7[]}}, [r7], r12",
        three!("d0", "d2", "d4"),
        "vmov q4, q14",
        three!("d1", "d3", "d5"),
        "vmax.s32 q4, q4, q14",
        three!("d2", "d4", "d6"),
        "vmax.s32 q4, q4, q14",
        three!("d3", "d5", "d7"),
        "vmax.s32 q0, q4, q14",
        finish!(),
        "subs r11, r11, #1",
        "bne 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    );
}

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    assert!(features.len().is_multiple_of(4));
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights.as_ptr().wrapping_add(4 * ROWS * block);
        // SAFETY: as in `conv_pool`; every fourth feature begins a row of `stride` bytes, of which 4 · ROWS are read.
        unsafe { project_rows(weights, features.as_ptr(), out, features.len() / 4, stride) }
    }
}

/// Sixteen rows' sums, each in two parts in q0 to q7, to `r2`.
macro_rules! store_rows {
    () => {
        "vpadd.i32 d0, d0, d1
        vpadd.i32 d1, d2, d3
        vpadd.i32 d2, d4, d5
        vpadd.i32 d3, d6, d7
        vpadd.i32 d4, d8, d9
        vpadd.i32 d5, d10, d11
        vpadd.i32 d6, d12, d13
        vpadd.i32 d7, d14, d15
        vst1.32 {{d0-d3}}, [r2]!
        vst1.32 {{d4-d7}}, [r2]"
    };
}

/// Two groups of eight rows: weights in q8 to q11, features in d24 and d25.
macro_rules! eight_rows {
    ($first:literal, $second:literal, $third:literal, $fourth:literal) => {
        concat!(
            "vmull.s8 q14, d16, d24
            vmull.s8 q15, d17, d24
            vmlal.s8 q14, d20, d25
            vmlal.s8 q15, d21, d25
            vpadal.s16 ",
            $first,
            ", q14
            vpadal.s16 ",
            $second,
            ", q15
            vmull.s8 q14, d18, d24
            vmull.s8 q15, d19, d24
            vmlal.s8 q14, d22, d25
            vmlal.s8 q15, d23, d25
            vpadal.s16 ",
            $third,
            ", q14
            vpadal.s16 ",
            $fourth,
            ", q15"
        )
    };
}

/// Sixteen rows' sums of `groups` groups of features.
///
/// # Safety
/// NEON; `groups` rows of 64 bytes, `stride` apart, and 4 · `groups` features.
#[unsafe(naked)]
unsafe extern "C" fn project_rows(
    weights: *const u8,
    features: *const i8,
    sums: &mut [i32; ROWS],
    groups: usize,
    stride: usize,
) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "ldr r12, [sp]",
        "push {{r4, r5}}",
        "vpush {{d8-d15}}",
        no_sums!(),
        // r4, r5: rows of the first and of the second group; their second halves 32 bytes on.
        "mov r4, r0",
        "add r5, r0, r12",
        "lsl r12, r12, #1",
        "sub r12, r12, #32",
        "subs r3, r3, #2",
        "blt 3f",
        "2:",
        "vld2.32 {{d24[], d25[]}}, [r1]!",
        "vld1.8 {{d16-d19}}, [r4]!",
        "vld1.8 {{d20-d23}}, [r5]!",
        eight_rows!("q0", "q1", "q2", "q3"),
        "vld1.8 {{d16-d19}}, [r4], r12",
        "vld1.8 {{d20-d23}}, [r5], r12",
        eight_rows!("q4", "q5", "q6", "q7"),
        "subs r3, r3, #2",
        "bge 2b",
        "3:",
        "tst r3, #1",
        "beq 4f",
        // A last single group: the second one's features are zero.
        "vld1.32 {{d24[]}}, [r1]",
        "vmov.i32 d25, #0",
        "vmov.i32 q10, #0",
        "vmov.i32 q11, #0",
        "vld1.8 {{d16-d19}}, [r4]!",
        eight_rows!("q0", "q1", "q2", "q3"),
        "vld1.8 {{d16-d19}}, [r4]",
        eight_rows!("q4", "q5", "q6", "q7"),
        "4:",
        store_rows!(),
        "vpop {{d8-d15}}",
        "pop {{r4, r5}}",
        "bx lr",
    );
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    assert_eq!(weights.len(), 2 * state.len() * sums.len(), "weights are rows × units");
    assert!(state.len().is_multiple_of(2) && !state.is_empty());
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights.as_ptr().wrapping_add(4 * ROWS * block);
        // SAFETY: as in `conv_pool`; every second unit begins a row of `stride` bytes, of which 4 · ROWS are read.
        unsafe { recur_rows(weights, state.as_ptr(), out, state.len() / 2, stride) }
    }
}

/// Sixteen rows' sums of `pairs` pairs of units.
///
/// # Safety
/// NEON; `pairs` rows of 64 bytes, `stride` apart, and twice as many units; at least one.
#[unsafe(naked)]
unsafe extern "C" fn recur_rows(
    weights: *const u8,
    state: *const i16,
    sums: &mut [i32; ROWS],
    pairs: usize,
    stride: usize,
) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "ldr r12, [sp]",
        "vpush {{d8-d15}}",
        no_sums!(),
        "sub r12, r12, #32",
        "2:",
        "vld1.32 {{d24[]}}, [r1]!",
        "vld1.8 {{d16-d19}}, [r0]!",
        "vld1.8 {{d20-d23}}, [r0], r12",
        "vmlal.s16 q0, d16, d24",
        "vmlal.s16 q1, d17, d24",
        "vmlal.s16 q2, d18, d24",
        "vmlal.s16 q3, d19, d24",
        "vmlal.s16 q4, d20, d24",
        "vmlal.s16 q5, d21, d24",
        "vmlal.s16 q6, d22, d24",
        "vmlal.s16 q7, d23, d24",
        "subs r3, r3, #1",
        "bne 2b",
        store_rows!(),
        "vpop {{d8-d15}}",
        "bx lr",
    );
}
