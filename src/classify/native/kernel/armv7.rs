//! 32-bit ARM with NEON (ARMv7 and later), in assembler: its intrinsics are not stable.
//!
//! Convolutions are Winograd's [`tiles`]. In the projection `vmull` and `vmlal` add two products of bytes in a word
//! (activations up to 127 and weights from −127 on keep it within ±32258), `vpadal` adds pairs of words to the sums: 16
//! multiply-adds in three instructions. Whole functions are in assembler, since a build that doesn't take NEON for granted
//! has no names for its registers: a call's convention says which of them are free.
#![expect(unsafe_code, reason = "assembler")]

mod pool; // what becomes of their sums
mod products; // their products
mod tiles; // convolutions
mod transforms; // what goes into their products

use core::arch::naked_asm;

use super::{Table, arm, portable};

static TABLE: Table =
    Table { name: "armv7 neon", conv_pool: tiles::conv_pool, project, recur, ..portable::TABLE };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    arm::has_neon().then_some(&TABLE)
}

/// Rows that are summed at once: they come in multiples of 64.
const ROWS: usize = 16;

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

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    assert!(features.len().is_multiple_of(4));
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights.as_ptr().wrapping_add(4 * ROWS * block);
        // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were detected;
        // every fourth feature begins a row of `stride` bytes, of which 4 · ROWS are read.
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
        // SAFETY: as in `project`; every second unit begins a row of `stride` bytes, of which 4 · ROWS are read.
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
