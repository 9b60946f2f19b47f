//! Projection and recurrence: eight rows' sums at once.

use core::arch::naked_asm;

use super::{Pair, widen};

/// Most features of a step.
const MAX_FEATURES: usize = crate::classify::native::shape::MAX_FEATURES;
/// Rows that are summed at once: they come in multiples of 64.
const ROWS: usize = 8;

pub(super) fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    assert!(features.len() <= MAX_FEATURES && !features.is_empty());
    let mut pairs = [[0; 2]; MAX_FEATURES / 4];
    let groups = features.len() / 4;
    for (at, pair) in pairs[..groups].iter_mut().enumerate() {
        // SAFETY: there are four features.
        *pair = unsafe { widen(features[4 * at..4 * at + 4].as_ptr().cast()) };
    }
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights.as_ptr().wrapping_add(4 * ROWS * block);
        let pairs = &pairs[..groups];
        // SAFETY: `instruction!` says why the instructions are there; every group has a row of `stride` bytes, of which
        // 4 · ROWS are read.
        unsafe { project_rows(weights, pairs.as_ptr(), out, stride - 4 * ROWS, pairs.as_ptr_range().end) }
    }
}

/// One row's group: its word's even bytes times r2, its odd ones times r3.
macro_rules! row {
    ($sum:literal) => {
        concat!(
            "ldr r12, [r0], #4
            sxtb16 lr, r12
            sxtb16 r12, r12, ror #8
            smlad ",
            $sum,
            ", lr, r2, ",
            $sum,
            "
            smlad ",
            $sum,
            ", r12, r3, ",
            $sum
        )
    };
}

/// Eight rows' sums. Weights may lie anywhere.
///
/// # Safety
/// ARMv6; rows of 32 bytes with `skip` between them for every pair from `pairs` to `end`.
#[unsafe(naked)]
unsafe extern "C" fn project_rows(
    weights: *const u8,
    pairs: *const [Pair; 2],
    sums: &mut [i32; ROWS],
    skip: usize,
    end: *const [Pair; 2],
) {
    naked_asm!(
        ".arch armv6",
        "ldr r12, [sp]",
        "push {{r2, r3, r4-r11, r12, lr}}",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "mov r8, #0",
        "mov r9, #0",
        "mov r10, #0",
        "mov r11, #0",
        "2:",
        "ldmia r1!, {{r2, r3}}",
        row!("r4"),
        row!("r5"),
        row!("r6"),
        row!("r7"),
        row!("r8"),
        row!("r9"),
        row!("r10"),
        row!("r11"),
        "ldr r2, [sp, #4]",
        "ldr r3, [sp, #40]",
        "add r0, r0, r2",
        "cmp r1, r3",
        "bne 2b",
        "pop {{r0, r1}}",
        "stm r0, {{r4-r11}}",
        "pop {{r4-r11, r12, pc}}",
    );
}

pub(super) fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    assert_eq!(weights.len(), 2 * state.len() * sums.len(), "weights are rows × units");
    assert!(state.len().is_multiple_of(2) && !state.is_empty());
    let stride = 4 * sums.len();
    for (block, out) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let weights = weights.as_ptr().wrapping_add(4 * ROWS * block);
        // SAFETY: `instruction!` says why the instructions are there; every pair of units has a row of `stride` bytes,
        // of which 4 · ROWS are read.
        unsafe { recur_rows(weights, state.as_ptr(), out, stride - 4 * ROWS, state.as_ptr_range().end) }
    }
}

/// Eight rows' sums over the units from `state` to `end`. Weights and state may lie anywhere.
///
/// # Safety
/// ARMv6; rows of 32 bytes with `skip` between them for every pair of units; at least one.
#[unsafe(naked)]
unsafe extern "C" fn recur_rows(
    weights: *const u8,
    state: *const i16,
    sums: &mut [i32; ROWS],
    skip: usize,
    end: *const i16,
) {
    naked_asm!(
        ".arch armv6",
        "ldr r12, [sp]",
        "push {{r2, r4-r11, r12, lr}}",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "mov r8, #0",
        "mov r9, #0",
        "mov r10, #0",
        "mov r11, #0",
        "2:",
        "ldr r2, [r1], #4",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "smlad r4, r12, r2, r4",
        "smlad r5, lr, r2, r5",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "smlad r6, r12, r2, r6",
        "smlad r7, lr, r2, r7",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "smlad r8, r12, r2, r8",
        "smlad r9, lr, r2, r9",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "smlad r10, r12, r2, r10",
        "smlad r11, lr, r2, r11",
        "ldr r12, [sp, #36]",
        "add r0, r0, r3",
        "cmp r1, r12",
        "bne 2b",
        "pop {{r0}}",
        "stm r0, {{r4-r11}}",
        "pop {{r4-r11, r12, pc}}",
    );
}
