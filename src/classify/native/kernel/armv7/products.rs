//! Sums of products, and the way from them to pooled outputs, for [`tiles`](super::tiles).

use core::arch::naked_asm;
use core::mem::{MaybeUninit, offset_of};

use super::tiles::{Finish, Words};

/// Sums that are left of the frames' points: `[line][point of the bands][tile][output]`, 48-fold.
pub(super) type Sums = [[[[i32; 8]; 4]; 6]; 2];

/// Sums of four tiles and eight outputs from their values and weights; the values behind those. Of as many times sixteen
/// inputs as the last argument says.
pub(super) type Products =
    unsafe extern "C" fn(*const Words, *const Words, &mut MaybeUninit<Sums>, usize) -> *const Words;

/// One input's products: weights of eight outputs in two registers times word `$lane` of each of four tiles.
macro_rules! input {
    ($multiply:literal, $low:literal, $high:literal, $lane:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            input!(@tile $multiply, $low, $high, $lane, "q8", "q9", $a),
            input!(@tile $multiply, $low, $high, $lane, "q10", "q11", $b),
            input!(@tile $multiply, $low, $high, $lane, "q12", "q13", $c),
            input!(@tile $multiply, $low, $high, $lane, "q14", "q15", $d),
        )
    };
    (@tile $multiply:literal, $low:literal, $high:literal, $lane:literal, $sum:literal, $more:literal, $x:literal) => {
        concat!(
            $multiply, " ", $sum, ", ", $low, ", ", $x, "[", $lane, "]\n",
            $multiply, " ", $more, ", ", $high, ", ", $x, "[", $lane, "]\n",
        )
    };
}

/// Sixteen inputs' products, their values at `r0`, weights at `r1`. The first one's begin the sums where `$first` is
/// `vmull.s16`.
macro_rules! sixteen {
    ($first:literal) => {
        concat!(sixteen!(@eight $first), sixteen!(@eight "vmlal.s16"))
    };
    (@eight $first:literal) => {
        concat!(
            "vldmia r0!, {{d0-d7}}
            vldmia r1!, {{d8-d15}}
            ",
            input!($first, "d8", "d9", 0, "d0", "d2", "d4", "d6"),
            input!("vmlal.s16", "d10", "d11", 1, "d0", "d2", "d4", "d6"),
            input!("vmlal.s16", "d12", "d13", 2, "d0", "d2", "d4", "d6"),
            input!("vmlal.s16", "d14", "d15", 3, "d0", "d2", "d4", "d6"),
            "vldmia r1!, {{d8-d15}}
            ",
            input!("vmlal.s16", "d8", "d9", 0, "d1", "d3", "d5", "d7"),
            input!("vmlal.s16", "d10", "d11", 1, "d1", "d3", "d5", "d7"),
            input!("vmlal.s16", "d12", "d13", 2, "d1", "d3", "d5", "d7"),
            input!("vmlal.s16", "d14", "d15", 3, "d1", "d3", "d5", "d7"),
        )
    };
}

/// A point's sums.
macro_rules! point {
    () => {
        concat!(
            sixteen!("vmull.s16"),
            "subs r4, r3, #1
            beq 4f
            3:
            ",
            sixteen!("vmlal.s16"),
            "subs r4, r4, #1
            bne 3b
            4:"
        )
    };
}

/// A point's sums, added to those that there are.
macro_rules! another_point {
    () => {
        concat!("mov r4, r3\n3:\n", sixteen!("vmlal.s16"), "subs r4, r4, #1\nbne 3b")
    };
}

/// Half of the first point's sums, at `r2`: plus the second one's in four registers, and minus them at `r6`.
macro_rules! butterfly {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "vldmia r2!, {{d0-d7}}\n",
            "vsub.i32 q4, q0, ",
            $a,
            "\n",
            "vsub.i32 q5, q1, ",
            $b,
            "\n",
            "vsub.i32 q6, q2, ",
            $c,
            "\n",
            "vsub.i32 q7, q3, ",
            $d,
            "\n",
            "vadd.i32 ",
            $a,
            ", q0, ",
            $a,
            "\n",
            "vadd.i32 ",
            $b,
            ", q1, ",
            $b,
            "\n",
            "vadd.i32 ",
            $c,
            ", q2, ",
            $c,
            "\n",
            "vadd.i32 ",
            $d,
            ", q3, ",
            $d,
            "\n",
            "vstmia r6!, {{d8-d15}}"
        )
    };
}

/// [`Products`] of many inputs: values `[point][eight inputs][tile][input]`, weights `[point][input][output]`.
///
/// # Safety
/// NEON; 24 points of each, and at least one times sixteen inputs.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn deep(
    values: *const Words,
    weights: *const Words,
    sums: &mut MaybeUninit<Sums>,
    sixteens: usize,
) -> *const Words {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "push {{r4-r6, lr}}",
        "vpush {{d8-d15}}",
        "add r6, r2, #768",
        "mov r5, #6",
        "2:",
        point!(),
        "vstmia r2, {{d16-d31}}",
        point!(),
        butterfly!("q8", "q9", "q10", "q11"),
        butterfly!("q12", "q13", "q14", "q15"),
        // The other two points end the first line's sums and the second one's.
        another_point!(),
        "vstmdb r2!, {{d16-d31}}",
        "vldmdb r6!, {{d16-d31}}",
        another_point!(),
        "vstmia r6!, {{d16-d31}}",
        "add r2, r2, #128",
        "subs r5, r5, #1",
        "bne 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r6, pc}}",
    );
}

/// One line's sums of the first layer, from its three lines of input.
macro_rules! line {
    ($first:literal, $second:literal, $third:literal) => {
        concat!(
            line!(@frame "vmull.s16", "d8", "d9", $first),
            line!(@frame "vmlal.s16", "d10", "d11", $second),
            line!(@frame "vmlal.s16", "d12", "d13", $third),
        )
    };
    (@frame $multiply:literal, $low:literal, $high:literal, $x:literal) => {
        concat!(
            input!(@tile $multiply, $low, $high, 0, "q8", "q9", $x),
            input!(@tile $multiply, $low, $high, 1, "q10", "q11", $x),
            input!(@tile $multiply, $low, $high, 2, "q12", "q13", $x),
            input!(@tile $multiply, $low, $high, 3, "q14", "q15", $x),
        )
    };
}

/// [`Products`] of one input: values `[point][line][tile]`, weights `[point][frame][output]`.
///
/// # Safety
/// NEON; six points of each.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn first(
    values: *const Words,
    weights: *const Words,
    sums: &mut MaybeUninit<Sums>,
    _: usize,
) -> *const Words {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "vpush {{d8-d13}}",
        "add r12, r2, #768",
        "mov r3, #6",
        "2:",
        "vldmia r0!, {{d0-d3}}",
        "vldmia r1!, {{d8-d13}}",
        line!("d0", "d1", "d2"),
        "vstmia r2!, {{d16-d31}}",
        line!("d1", "d2", "d3"),
        "vstmia r12!, {{d16-d31}}",
        "subs r3, r3, #1",
        "bne 2b",
        "vpop {{d8-d13}}",
        "bx lr",
    );
}

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
pool!(pool, no_ties);
pool!(pool_ties, to_even);

const _: () = assert!(offset_of!(Finish, mantissas) == 32 && offset_of!(Finish, right) == 64);
