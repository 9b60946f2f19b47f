//! From sums of products to pooled outputs, for [`tiles`](super::tiles).

use core::arch::naked_asm;
use core::mem::{MaybeUninit, offset_of};

use super::products::Sums;
use super::tiles::Finish;

const _: () = assert!(offset_of!(Finish, mantissas) == 32 && offset_of!(Finish, right) == 64);

/// One line's four bands of eight outputs, from points 128 bytes apart at `r5`: to q6 and q7, q4 and q5, q8 and q9, q10
/// and q11.
macro_rules! bands {
    () => {
        "vld1.32 {{d0-d3}}, [r5], r6
        vld1.32 {{d4-d7}}, [r5], r6
        vadd.i32 q4, q0, q2
        vadd.i32 q5, q1, q3
        vsub.i32 q0, q0, q2
        vsub.i32 q1, q1, q3
        vld1.32 {{d4-d7}}, [r5], r6
        vld1.32 {{d12-d15}}, [r5], r6
        vadd.i32 q8, q2, q6
        vadd.i32 q9, q3, q7
        vsub.i32 q2, q2, q6
        vsub.i32 q3, q3, q7
        vld1.32 {{d12-d15}}, [r5], r6
        vld1.32 {{d20-d23}}, [r5], r6
        vadd.i32 q6, q6, q4
        vadd.i32 q7, q7, q5
        vadd.i32 q6, q6, q8
        vadd.i32 q7, q7, q9
        vshl.i32 q8, q8, #2
        vshl.i32 q9, q9, #2
        vadd.i32 q8, q8, q4
        vadd.i32 q9, q9, q5
        vshl.i32 q2, q2, #1
        vshl.i32 q3, q3, #1
        vadd.i32 q4, q0, q2
        vadd.i32 q5, q1, q3
        vshl.i32 q2, q2, #2
        vshl.i32 q3, q3, #2
        vadd.i32 q10, q10, q0
        vadd.i32 q11, q11, q1
        vadd.i32 q10, q10, q2
        vadd.i32 q11, q11, q3"
    };
}

/// Four outputs of one position in one register of sums, 48-fold, to bytes in a register of its own: half of them each.
macro_rules! finish {
    ($sums:literal, $low:literal, $high:literal, $bias:literal, $m0:literal, $m1:literal, $r0:literal, $r1:literal,
     $ties:expr, $to:literal) => {
        concat!(
            // 48 is 3 · 2⁴, and q8 the inverse of 3.
            "vmul.i32 ",
            $sums,
            ", ",
            $sums,
            ", q8\n",
            "vshr.s32 ",
            $sums,
            ", ",
            $sums,
            ", #4\n",
            "vadd.i32 ",
            $sums,
            ", ",
            $sums,
            ", ",
            $bias,
            "\n",
            "vmull.s32 q10, ",
            $low,
            ", ",
            $m0,
            "\n",
            "vmull.s32 q11, ",
            $high,
            ", ",
            $m1,
            "\n",
            $ties,
            "vrshl.s64 q10, q10, ",
            $r0,
            "\n",
            "vrshl.s64 q11, q11, ",
            $r1,
            "\n",
            "vqmovun.s64 ",
            $low,
            ", q10\n",
            "vqmovun.s64 ",
            $high,
            ", q11\n",
            "vqmovn.u32 ",
            $to,
            ", ",
            $sums,
            "\n",
        )
    };
}

/// Of products in q10 and q11 whose result's last bit is zero, one bit less: a tie then stays below the next step. Zero
/// less a bit is rounded to zero.
macro_rules! to_even {
    ($sums:literal, $r0:literal, $r1:literal) => {
        concat!(
            "vshl.s64 ",
            $sums,
            ", q10, ",
            $r0,
            "\n",
            "vbic ",
            $sums,
            ", q9, ",
            $sums,
            "\n",
            "vsub.i64 q10, q10, ",
            $sums,
            "\n",
            "vshl.s64 ",
            $sums,
            ", q11, ",
            $r1,
            "\n",
            "vbic ",
            $sums,
            ", q9, ",
            $sums,
            "\n",
            "vsub.i64 q11, q11, ",
            $sums,
            "\n",
        )
    };
}

/// No ties.
macro_rules! no_ties {
    ($sums:literal, $r0:literal, $r1:literal) => {
        ""
    };
}

/// Pooled outputs of tiles from their sums, to two positions each, `outputs` apart.
macro_rules! pool {
    ($name:ident, $rule:ident) => {
        /// # Safety
        /// NEON, at most as many tiles as there are sums of, and eight bytes per position at `out`.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(
            sums: &MaybeUninit<Sums>,
            finish: &Finish,
            out: *mut i8,
            outputs: usize,
            tiles: usize,
        ) {
            naked_asm!(
                ".arch armv7-a",
                ".fpu neon",
                "ldr r12, [sp]",
                "push {{r5-r7, lr}}",
                "vpush {{d8-d15}}",
                "mov r6, #128",
                "movw r7, #0xaaab",
                "movt r7, #0xaaaa",
                "2:",
                "mov r5, r0",
                bands!(),
                "vmax.s32 q12, q6, q4",
                "vmax.s32 q13, q7, q5",
                "vmax.s32 q14, q8, q10",
                "vmax.s32 q15, q9, q11",
                bands!(),
                "vmax.s32 q6, q6, q4",
                "vmax.s32 q7, q7, q5",
                "vmax.s32 q8, q8, q10",
                "vmax.s32 q9, q9, q11",
                "vmax.s32 q12, q12, q6",
                "vmax.s32 q13, q13, q7",
                "vmax.s32 q14, q14, q8",
                "vmax.s32 q15, q15, q9",
                // Bias in q0 and q1, mantissas in q2 and q3, shifts in q4 to q7.
                "vldmia r1, {{d0-d15}}",
                "vdup.32 q8, r7",
                "vmov.i32 q9, #1",
                "vshr.u64 q9, q9, #32",
                finish!("q12", "d24", "d25", "q0", "d4", "d5", "q4", "q5", $rule!("q12", "q4", "q5"), "d24"),
                finish!("q13", "d26", "d27", "q1", "d6", "d7", "q6", "q7", $rule!("q13", "q6", "q7"), "d25"),
                finish!("q14", "d28", "d29", "q0", "d4", "d5", "q4", "q5", $rule!("q14", "q4", "q5"), "d28"),
                finish!("q15", "d30", "d31", "q1", "d6", "d7", "q6", "q7", $rule!("q15", "q6", "q7"), "d29"),
                "vqmovn.u16 d24, q12",
                "vqmovn.u16 d25, q14",
                "vmov.i8 q8, #127",
                "vmin.u8 q12, q12, q8",
                "vst1.8 {{d24}}, [r2], r3",
                "vst1.8 {{d25}}, [r2], r3",
                "add r0, r0, #32",
                "subs r12, r12, #1",
                "bne 2b",
                "vpop {{d8-d15}}",
                "pop {{r5-r7, pc}}",
            );
        }
    };
}
pool!(without_ties, no_ties);
pool!(with_ties, to_even);
