//! Sums of products for [`tiles`](super::tiles).

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use super::tiles::Words;

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
