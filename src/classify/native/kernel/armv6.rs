//! 32-bit ARM without NEON (ARMv6 and later): the media instructions, which do two multiply-adds of 16 bits.
//!
//! Bytes become pairs of words (`sxtb16`: bytes 0 and 2, and rotated, 1 and 3), and `smlad` adds two products. With two
//! positions and two outputs of two pairs each, every register is in use: 16 multiply-adds in ten instructions.
#![expect(unsafe_code, reason = "assembler")]

use core::arch::{asm, naked_asm};

use super::{Table, arm, portable};
use crate::classify::native::model::{Conv, PLAIN_BITS, Scales};
use crate::classify::requantize::Multiplier;

/// Two pairs of two tiles times those of two outputs.
macro_rules! quad {
    ($first:literal, $($also:literal)?) => {
        concat!(
            "ldmia r12!, {{r0-r3}}
            ldmia lr!, {{r8-r11}}
            ", $first, " r4, r0, r8", $($also, "r4",)? "
            ", $first, " r5, r0, r10", $($also, "r5",)? "
            ", $first, " r6, r2, r8", $($also, "r6",)? "
            ", $first, " r7, r2, r10", $($also, "r7",)? "
            smlad r4, r1, r9, r4
            smlad r5, r1, r11, r5
            smlad r6, r3, r9, r6
            smlad r7, r3, r11, r7"
        )
    };
}

mod rows; // projection and recurrence
mod tiles; // convolutions of many inputs

static TABLE: Table =
    Table { name: "armv6 media", conv_pool, project: rows::project, recur: rows::recur, ..portable::TABLE };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    arm::has_media().then_some(&TABLE)
}

/// Two words of 16 bits.
type Pair = u32;
/// Four values of two tiles or outputs.
type Quad = [Pair; 4];

/// Most pooled positions of the first layer.
const MAX_BANDS: usize = 64;

/// One instruction of two operands on pairs.
macro_rules! instruction {
    ($name:ident, $text:literal) => {
        #[inline(always)]
        fn $name(a: Pair, b: Pair) -> Pair {
            let result;
            // SAFETY: this module's functions are reachable through `TABLE` only, which is given out where the
            // instructions were detected; the named registers are read and written, and flags.
            unsafe {
                asm!(concat!($text, " {}, {}, {}"), out(reg) result, in(reg) a, in(reg) b,
                    options(pure, nomem, nostack));
            }
            result
        }
    };
}
instruction!(add, "sadd16");
instruction!(sub, "ssub16");

/// The four bytes at `from`, which may lie anywhere: 0 and 2, and 1 and 3.
///
/// # Safety
/// There are four bytes.
#[inline(always)]
unsafe fn widen(from: *const u8) -> [Pair; 2] {
    let (even, odd);
    // SAFETY: as in `instruction!`; compilers for ARMv6 read bytes that may lie anywhere one by one, which is why the load
    // is here: Linux has it do unaligned loads.
    unsafe {
        asm!(
            "ldr {even}, [{from}]",
            "sxtb16 {odd}, {even}, ror #8",
            "sxtb16 {even}, {even}",
            from = in(reg) from,
            even = out(reg) even,
            odd = out(reg) odd,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    [even, odd]
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    match conv.inputs {
        1 => first_layer(conv, lines, out),
        _ => tiles::winograd(conv, lines, out),
    }
}

/// Values of a position of the first layer: per line of the kernel, the group of this line and of the next.
type Position = [Quad; 3];

/// One group per line of the kernel: nine products, and no use for transforms.
fn first_layer(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let outputs = conv.outputs;
    let pooled = out.len() / outputs;
    assert!(pooled <= MAX_BANDS && conv.weights.len() == 12 * outputs && outputs.is_multiple_of(2));
    let mut positions: [Position; 2 * MAX_BANDS] = [[[0; 4]; 3]; _];
    for (at, position) in positions.iter_mut().take(2 * pooled).enumerate() {
        // SAFETY: there are four bytes.
        let lines = lines.map(|line| unsafe { widen(line[at..at + 4].as_ptr().cast()) });
        for (frame, quad) in position.iter_mut().enumerate() {
            let ([a, b], [c, d]) = (lines[frame], lines[frame + 1]);
            *quad = [a, b, c, d];
        }
    }
    let finish = Finish::new(conv);
    for output in (0..outputs).step_by(2) {
        let weights: Position = core::array::from_fn(|frame| {
            let two = &conv.weights[4 * (frame * outputs + output)..][..8];
            // SAFETY: there are eight bytes.
            let [[a, b], [c, d]] = [0, 4].map(|i| unsafe { widen(two[i..i + 4].as_ptr()) });
            [a, b, c, d]
        });
        for (two, out) in positions.as_chunks::<2>().0.iter().zip(out.chunks_exact_mut(outputs)) {
            // SAFETY: `instruction!` says why the instructions are there; the arguments are all that is read.
            let sums = unsafe { first_products(two, &weights) };
            out[output] = finish.apply(output, sums as i32);
            out[output + 1] = finish.apply(output + 1, (sums >> 32) as i32);
        }
    }
}

/// The largest of the sums of two lines' two positions, of two outputs: the second one in the upper half.
///
/// # Safety
/// ARMv6.
#[unsafe(naked)]
unsafe extern "C" fn first_products(positions: &[Position; 2], weights: &Position) -> u64 {
    naked_asm!(
        ".arch armv6",
        "push {{r1, r4-r11, lr}}",
        "mov r12, r0",
        "mov lr, r1",
        quad!("smuad",),
        quad!("smlad", ", "),
        quad!("smlad", ", "),
        "cmp r4, r6",
        "movlt r4, r6",
        "cmp r5, r7",
        "movlt r5, r7",
        "ldr lr, [sp]",
        "push {{r4, r5}}",
        quad!("smuad",),
        quad!("smlad", ", "),
        quad!("smlad", ", "),
        "pop {{r0, r1}}",
        "cmp r4, r6",
        "movlt r4, r6",
        "cmp r5, r7",
        "movlt r5, r7",
        "cmp r0, r4",
        "movlt r0, r4",
        "cmp r1, r5",
        "movlt r1, r5",
        "add sp, sp, #4",
        "pop {{r4-r11, pc}}",
    );
}

/// Bias, ReLU and requantization.
struct Finish<'a> {
    bias: &'a [[u8; 4]],
    mantissas: &'a [[u8; 4]],
    shifts: &'a [[u8; 4]],
    plain: bool,
}

impl<'a> Finish<'a> {
    fn new(conv: &Conv<'a>) -> Self {
        let Scales { mantissas, shifts } = conv.scales;
        Self {
            bias: conv.bias.as_chunks().0,
            mantissas: mantissas.as_chunks().0,
            shifts: shifts.as_chunks().0,
            plain: conv.plain,
        }
    }

    /// Of one output's largest sum.
    #[inline(always)]
    fn apply(&self, output: usize, sum: i32) -> i8 {
        let sum = (sum + i32::from_le_bytes(self.bias[output])).max(0);
        let mantissa = u32::from_le_bytes(self.mantissas[output]);
        let shift = u32::from_le_bytes(self.shifts[output]);
        if !self.plain {
            return Multiplier::verified(mantissa, shift).requantize(sum);
        }
        // The upper half of a product whose mantissa has 31 bits: the lower 25 of the shorter one's are away.
        let high = (i64::from(sum) * i64::from(mantissa << 7) >> 32) as i32;
        // Below 2³⁰, so that beyond a shift of 31 nothing is left either.
        let rest = (shift - PLAIN_BITS).min(31);
        let result = high + (1 << (rest - 1)) >> rest;
        result.min(127) as i8
    }
}
