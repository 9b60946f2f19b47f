//! Transforms of values and weights: what [`tiles`](super::tiles) calls V and U. Points of the bands outside, those of the
//! frames inside, in the order of the table there.

use core::arch::naked_asm;

use super::tiles::Words;

/// Factors of V, which the functions below read.
pub(super) static FACTORS: [i16; 8] = [24, 30, 6, 96, 120, 4, 0, 0];

/// The points of six bands in q1 to q6, by [`FACTORS`] in q0: to q8, q9, q10, q11, q12, q13.
macro_rules! bands {
    () => {
        "vshl.i16 q14, q3, #4
        vshl.i16 q15, q2, #4
        vmls.i16 q14, q5, d1[1]
        vmls.i16 q15, q4, d1[1]
        vadd.i16 q8, q14, q15
        vsub.i16 q9, q14, q15
        vsub.i16 q14, q4, q2
        vsub.i16 q15, q5, q3
        vshl.i16 q14, q14, #1
        vadd.i16 q10, q15, q14
        vsub.i16 q11, q15, q14
        vmul.i16 q12, q1, d0[0]
        vmul.i16 q13, q2, d0[3]
        vmls.i16 q12, q3, d0[1]
        vmls.i16 q13, q4, d1[0]
        vmla.i16 q12, q5, d0[2]
        vmla.i16 q13, q6, d0[0]"
    };
}

/// One point of the frames: `$combine` of two lines, where they are told from `r0` on, to point `$point`.
macro_rules! frames {
    ($combine:literal, $first:literal, $second:literal) => {
        concat!(
            "ldr r4, [r0, #4 * ",
            $first,
            "]
            ldr r5, [r0, #4 * ",
            $second,
            "]
            mov r6, r2
            lsr r7, r1, #3
            2:
            vld1.8 {{d16}}, [r4], r1
            vld1.8 {{d17}}, [r5], r1
            vld1.8 {{d18}}, [r4], r1
            vld1.8 {{d19}}, [r5], r1
            vld1.8 {{d20}}, [r4], r1
            vld1.8 {{d21}}, [r5], r1
            vld1.8 {{d22}}, [r4], r1
            vld1.8 {{d23}}, [r5], r1
            vld1.8 {{d24}}, [r4], r1
            vld1.8 {{d25}}, [r5], r1
            vld1.8 {{d26}}, [r4], r9
            vld1.8 {{d27}}, [r5], r9
            ",
            $combine,
            " q1, d16, d17
            ",
            $combine,
            " q2, d18, d19
            ",
            $combine,
            " q3, d20, d21
            ",
            $combine,
            " q4, d22, d23
            ",
            $combine,
            " q5, d24, d25
            ",
            $combine,
            " q6, d26, d27
            ",
            bands!(),
            "
            vst1.16 {{d16, d17}}, [r6], r8
            vst1.16 {{d18, d19}}, [r6], r8
            vst1.16 {{d20, d21}}, [r6], r8
            vst1.16 {{d22, d23}}, [r6], r8
            vst1.16 {{d24, d25}}, [r6], r8
            vst1.16 {{d26, d27}}, [r6], r10
            subs r7, r7, #1
            bne 2b
            add r2, r2, r1, lsl #3"
        )
    };
}

/// V of one tile: `[point][eight inputs][tile of four][input]`, of which every fourth vector from `to` on is written.
///
/// # Safety
/// NEON, and that each line has six bands of `inputs` bytes, eight or a multiple, and `to` has its vectors.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn values(
    lines: &[*const i8; 4],
    inputs: usize,
    to: *mut Words,
    factors: &[i16; 8],
) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "push {{r4-r10, lr}}",
        "vpush {{d8-d13}}",
        "vld1.16 {{d0, d1}}, [r3]",
        // r8 from point to point of the bands, r9 and r10 from the last one to the next eight inputs' first.
        "lsl r8, r1, #5",
        "add r9, r1, r1, lsl #2",
        "rsb r9, r9, #8",
        "add r10, r8, r8, lsl #2",
        "rsb r10, r10, #64",
        frames!("vaddl.s8", 1, 2),
        frames!("vsubl.s8", 2, 1),
        frames!("vsubl.s8", 0, 2),
        frames!("vsubl.s8", 3, 1),
        "vpop {{d8-d13}}",
        "pop {{r4-r10, pc}}",
    );
}

/// V of one line of the first layer: `[four tiles][point][line][tile]`, of which every fourth half of a vector is written
/// from `to` on.
///
/// # Safety
/// NEON, 32 bytes per eight tiles and four more, and two quads per eight tiles at `to`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn first_values(
    line: *const i8,
    eights: usize,
    to: *mut [i16; 4],
    factors: &[i16; 8],
) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "vpush {{d8-d13}}",
        "vld1.16 {{d0, d1}}, [r3]",
        "mov r3, #32",
        "2:",
        "add r12, r0, #4",
        "vld4.8 {{d16-d19}}, [r0], r3",
        "vld4.8 {{d20-d23}}, [r12]",
        "vmovl.s8 q1, d16",
        "vmovl.s8 q2, d17",
        "vmovl.s8 q3, d18",
        "vmovl.s8 q4, d19",
        "vmovl.s8 q5, d20",
        "vmovl.s8 q6, d21",
        bands!(),
        "vst1.16 {{d16}}, [r2], r3",
        "vst1.16 {{d18}}, [r2], r3",
        "vst1.16 {{d20}}, [r2], r3",
        "vst1.16 {{d22}}, [r2], r3",
        "vst1.16 {{d24}}, [r2], r3",
        "vst1.16 {{d26}}, [r2], r3",
        "vst1.16 {{d17}}, [r2], r3",
        "vst1.16 {{d19}}, [r2], r3",
        "vst1.16 {{d21}}, [r2], r3",
        "vst1.16 {{d23}}, [r2], r3",
        "vst1.16 {{d25}}, [r2], r3",
        "vst1.16 {{d27}}, [r2], r3",
        "subs r1, r1, #1",
        "bne 2b",
        "vpop {{d8-d13}}",
        "bx lr",
    );
}

/// Two inputs of one of the kernel's bands, three bytes each, to the points of the frames at `r7`.
macro_rules! two_inputs {
    ($a:literal, $b:literal, $c:literal, $d:literal, $e:literal, $f:literal) => {
        concat!(
            two_inputs!(@one $a, $c, $e, "q8", "q10", "q12", "q14"),
            two_inputs!(@one $b, $d, $f, "q9", "q11", "q13", "q15"),
            "vst1.16 {{d16-d19}}, [r7], r8
            vst1.16 {{d20-d23}}, [r7], r8
            vst1.16 {{d24-d27}}, [r7], r8
            vst1.16 {{d28-d31}}, [r7], r12"
        )
    };
    (@one $a:literal, $b:literal, $c:literal, $m0:literal, $m1:literal, $m2:literal, $m3:literal) => {
        concat!(
            "vaddl.s8 ", $m0, ", ", $a, ", ", $c, "\n",
            "vsubw.s8 ", $m1, ", ", $m0, ", ", $b, "\n",
            "vaddw.s8 ", $m0, ", ", $m0, ", ", $b, "\n",
            "vshll.s8 ", $m2, ", ", $a, ", #1\n",
            "vshll.s8 ", $m3, ", ", $c, ", #1\n",
        )
    };
}

/// The kernel's three frames at `r6`, `r5` apart: one band of four inputs, to `r7`.
macro_rules! band {
    () => {
        concat!(
            "vld4.8 {{d0-d3}}, [r6], r5
            vld4.8 {{d4-d7}}, [r6], r5
            vld4.8 {{d8-d11}}, [r6]
            ",
            two_inputs!("d0", "d1", "d4", "d5", "d8", "d9"),
            "\n",
            two_inputs!("d2", "d3", "d6", "d7", "d10", "d11"),
        )
    };
}

/// Two inputs' points of the bands, from `r7` to `r2`, where the next ones are `$next` on from the last.
macro_rules! points {
    ($next:literal) => {
        concat!(
            "vldmia r7!, {{d0-d11}}
            vadd.i16 q8, q0, q4
            vadd.i16 q9, q1, q5
            vadd.i16 q10, q8, q2
            vadd.i16 q11, q9, q3
            vsub.i16 q12, q8, q2
            vsub.i16 q13, q9, q3
            vmla.i16 q8, q4, q6
            vmla.i16 q9, q5, q6
            vst1.16 {{d20-d23}}, [r2], r9
            vst1.16 {{d24-d27}}, [r2], r9
            vmla.i16 q8, q2, q7
            vmla.i16 q9, q3, q7
            vst1.16 {{d16-d19}}, [r2], r9
            vmls.i16 q8, q2, q14
            vmls.i16 q9, q3, q14
            vst1.16 {{d16-d19}}, [r2], r9
            vst1.16 {{d0-d3}}, [r2], r9
            vst1.16 {{d8-d11}}, [r2], ",
            $next
        )
    };
}

/// U of eight outputs: `[point][input][output]`.
///
/// # Safety
/// NEON, nine times `groups` rows of 32 bytes, `row` apart, and room for 24 times four vectors per group.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn weights(from: *const u8, groups: usize, to: *mut Words, row: usize) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack `[frames' point][pair of inputs][band][input][output]`.
        "sub sp, sp, #772",
        // r4 from band to band, r5 from frame to frame; r8 and r12 on the stack to the next point and pair.
        "mul r4, r1, r3",
        "add r5, r4, r4, lsl #1",
        "mov r8, #192",
        "sub r12, r8, #672",
        // r9 from point to point of the bands; from the last one, r10 to the next pair's first, r11 to the next point's of
        // the frames, lr to the next group's.
        "lsl r9, r1, #8",
        "add r10, r9, r9, lsl #2",
        "rsb r10, r10, #32",
        "sub r11, r10, #64",
        "add r11, r11, r1, lsl #6",
        "sub lr, r11, r9",
        "add lr, lr, #64",
        "vmov.i16 q6, #3",
        "vmov.i16 q7, #2",
        "2:",
        "mov r6, r0",
        "mov r7, sp",
        band!(),
        "add r6, r0, r4",
        "add r7, sp, #32",
        band!(),
        "add r6, r0, r4, lsl #1",
        "add r7, sp, #64",
        band!(),
        "add r0, r0, r3",
        "mov r7, sp",
        "vmov.i16 q14, #4",
        points!("r10"),
        points!("r11"),
        points!("r10"),
        points!("r11"),
        points!("r10"),
        points!("r11"),
        points!("r10"),
        points!("lr"),
        "subs r1, r1, #1",
        "bne 2b",
        "add sp, sp, #772",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    );
}

/// U of eight outputs of the first layer, twice: `[point][frame][output]`.
///
/// # Safety
/// NEON, three rows of 32 bytes, `row` apart, and room for 18 vectors.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn first_weights(from: *const u8, row: usize, to: *mut Words) {
    naked_asm!(
        ".arch armv7-a",
        ".fpu neon",
        "mov r3, #3",
        "mov r12, #48",
        "2:",
        "vld4.8 {{d16-d19}}, [r0], r1",
        "vshll.s8 q0, d16, #1",
        "vshll.s8 q1, d17, #1",
        "vshll.s8 q2, d18, #1",
        "vadd.i16 q10, q0, q2",
        "vadd.i16 q11, q10, q1",
        "vst1.16 {{d22, d23}}, [r2], r12",
        "vsub.i16 q11, q10, q1",
        "vst1.16 {{d22, d23}}, [r2], r12",
        "vshl.i16 q11, q2, #2",
        "vadd.i16 q11, q11, q0",
        "vshl.i16 q1, q1, #1",
        "vadd.i16 q12, q11, q1",
        "vst1.16 {{d24, d25}}, [r2], r12",
        "vsub.i16 q12, q11, q1",
        "vst1.16 {{d24, d25}}, [r2], r12",
        "vst1.16 {{d0, d1}}, [r2], r12",
        "vst1.16 {{d4, d5}}, [r2]",
        "sub r2, r2, #224",
        "subs r3, r3, #1",
        "bne 2b",
        "bx lr",
    );
}
