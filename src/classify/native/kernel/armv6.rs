//! 32-bit ARM without NEON (ARMv6 and later): the media instructions, which do two multiply-adds of 16 bits.
//!
//! Bytes become pairs of words (`sxtb16`: bytes 0 and 2, and rotated, 1 and 3), and `smlad` adds two products. With two
//! positions and two outputs of two pairs each, every register is in use: 16 multiply-adds in ten instructions.
//!
//! A 3×3 convolution pooled 2×2 is one tile of Winograd's F(2×2, 3×3): its four corners take 16 products per input rather
//! than 36. With patch d and kernel g, rows then columns of both are transformed by
//!
//! ```text
//! V: d₀ − d₂   d₁ + d₂        d₂ − d₁        d₁ − d₃
//! U: g₀        g₀ + g₁ + g₂   g₀ − g₁ + g₂   g₂
//! ```
//!
//! and the products of their sums over the inputs, M, give twice each row and column: 2·M₀ + M₁ + M₂ and
//! M₁ − M₂ − 2·M₃, so four times the convolution. All of it is exact: V is within ±508, U within ±1143, and sums over 64
//! inputs within 2²⁶. A line's weights are transformed anew, four outputs at a time, which costs a tenth of what it
//! saves: nothing is kept beside the model file.
#![expect(unsafe_code, reason = "assembler")]

use core::arch::{asm, naked_asm};

use super::{Table, arm};
use crate::classify::native::model::{Conv, PLAIN_BITS, Scales};
use crate::classify::requantize::Multiplier;

static TABLE: Table = Table { name: "armv6 media", conv_pool, project, project_steps: None, recur };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    arm::has_media().then_some(&TABLE)
}

/// Two words of 16 bits.
type Pair = u32;
/// Four values of two tiles or outputs.
type Quad = [Pair; 4];

/// Products per input and tile.
const POINTS: usize = 16;
/// Most values of a tile line: pooled positions times inputs.
const MAX_VALUES: usize = 1024;
/// Most inputs of a layer.
const MAX_INPUTS: usize = 64;
/// Most pooled positions of the first layer.
const MAX_BANDS: usize = 64;
/// Outputs whose weights are transformed at once: half the first cache of an ARM11.
const BLOCK: usize = 4;

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
        _ => winograd(conv, lines, out),
    }
}

/// Transformed lines: of two tiles at a time, per point, the quads of their values.
struct Tiles([Quad; MAX_VALUES * POINTS / 8]);

/// Transformed weights of two outputs: per point, the quads of their values.
type Weights = [Quad; MAX_INPUTS * POINTS / 4];

fn winograd(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let pooled = out.len() / outputs;
    assert!(pooled * inputs <= MAX_VALUES && pooled.is_multiple_of(2) && inputs <= MAX_INPUTS);
    assert!(outputs.is_multiple_of(BLOCK));
    let products: Products = match inputs {
        16 => products_of_16,
        32 => products_of_32,
        48 => products_of_48,
        64 => products_of_64,
        _ => unreachable!("channels come in multiples of 16 up to 64"),
    };
    let mut tiles = Tiles([[0; 4]; _]);
    tiles.fill(lines, inputs, pooled);
    let quads = POINTS * inputs / 4;
    let mut weights: [Weights; BLOCK / 2] = [[[0; 4]; _]; _];
    let finish = Finish::new(conv);
    for block in (0..outputs).step_by(BLOCK) {
        for (half, weights) in weights.iter_mut().enumerate() {
            transform_weights(conv, block + 2 * half, weights);
        }
        for (pair, values) in tiles.0.chunks_exact(quads).take(pooled / 2).enumerate() {
            for (half, weights) in weights.iter().enumerate() {
                let mut sums = [[0; 4]; POINTS];
                // SAFETY: `instruction!` says why the instructions are there; POINTS times `inputs / 4` quads are read
                // on either side, as many as the two have, and POINTS quads are written.
                unsafe { products(values.as_ptr(), weights[..quads].as_ptr(), &mut sums) };
                let at = block + 2 * half;
                let (left, right) = out[2 * pair * outputs..][..2 * outputs].split_at_mut(outputs);
                left[at] = finish.apply(at, pool::<0>(&sums));
                left[at + 1] = finish.apply(at + 1, pool::<1>(&sums));
                right[at] = finish.apply(at, pool::<2>(&sums));
                right[at + 1] = finish.apply(at + 1, pool::<3>(&sums));
            }
        }
    }
}

impl Tiles {
    /// Transforms the patches of `pooled` tiles: four lines of four bands each, two bands apart.
    fn fill(&mut self, lines: [&[i8]; 4], inputs: usize, pooled: usize) {
        let groups = inputs / 4;
        for tile in 0..pooled {
            let lines = lines.map(|line| line[2 * tile * inputs..][..4 * inputs].as_ptr());
            let to = &mut self.0[tile / 2 * POINTS * groups..][..POINTS * groups];
            for at in 0..groups {
                let mut turned: [[[Pair; 4]; 4]; 2] = [[[0; 4]; 4]; 2];
                for band in 0..4 {
                    // SAFETY: the lines have four bands of `inputs` bytes.
                    let d = lines.map(|line| unsafe { widen(line.add(band * inputs + 4 * at).cast()) });
                    for (half, turned) in turned.iter_mut().enumerate() {
                        let four = transform_values(d.map(|pairs| pairs[half]));
                        turned.iter_mut().zip(four).for_each(|(turned, value)| turned[band] = value);
                    }
                }
                for (half, turned) in turned.iter().enumerate() {
                    let mut to = to[at..].as_mut_ptr().cast::<Pair>().wrapping_add(2 * (tile % 2) + half);
                    for &line in turned {
                        for value in transform_values(line) {
                            // SAFETY: there are POINTS times `groups` quads; this is one word of each groups-th one.
                            unsafe { to.write(value) };
                            to = to.wrapping_add(4 * groups);
                        }
                    }
                }
            }
        }
    }
}

/// A row or column of V.
#[inline(always)]
fn transform_values(d: [Pair; 4]) -> [Pair; 4] {
    [sub(d[0], d[2]), add(d[1], d[2]), sub(d[2], d[1]), sub(d[1], d[3])]
}

/// A row or column of U.
#[inline(always)]
fn transform_kernel(g: [Pair; 3]) -> [Pair; 4] {
    let ends = add(g[0], g[2]);
    [g[0], add(ends, g[1]), sub(ends, g[1]), g[2]]
}

/// U of the outputs `output` and `output + 1`.
fn transform_weights(conv: &Conv<'_>, output: usize, weights: &mut Weights) {
    let (groups, row) = (conv.inputs / 4, 4 * conv.outputs);
    // What the pointers below rely on.
    assert!(
        conv.weights.len() == 9 * groups * row
            && output + 2 <= conv.outputs
            && POINTS * groups <= weights.len()
    );
    for at in 0..groups {
        for beside in 0..2 {
            let from = conv.weights.as_ptr().wrapping_add(at * row + 4 * (output + beside));
            let mut turned: [[[Pair; 3]; 4]; 2] = [[[0; 3]; 4]; 2];
            for band in 0..3 {
                // SAFETY: a group of an output for each of nine positions, `groups` rows apart.
                let g = [0, 3, 6].map(|frame| unsafe { widen(from.add((frame + band) * groups * row)) });
                for (half, turned) in turned.iter_mut().enumerate() {
                    let four = transform_kernel(g.map(|pairs| pairs[half]));
                    turned.iter_mut().zip(four).for_each(|(turned, value)| turned[band] = value);
                }
            }
            for (half, turned) in turned.iter().enumerate() {
                let mut to = weights[at..].as_mut_ptr().cast::<Pair>().wrapping_add(2 * beside + half);
                for &frame in turned {
                    for value in transform_kernel(frame) {
                        // SAFETY: there are POINTS times `groups` quads; this is one word of each groups-th one.
                        unsafe { to.write(value) };
                        to = to.wrapping_add(4 * groups);
                    }
                }
            }
        }
    }
}

/// The largest of a tile's four sums, from its products.
#[inline(always)]
fn pool<const WHICH: usize>(products: &[[i32; 4]; POINTS]) -> i32 {
    let two = |m: [i32; 4]| [2 * m[0] + m[1] + m[2], m[1] - m[2] - 2 * m[3]];
    let columns: [[i32; 2]; 4] =
        core::array::from_fn(|band| two(core::array::from_fn(|line| products[4 * line + band][WHICH])));
    let corners = [0, 1].map(|line| two(columns.map(|column| column[line])));
    corners[0][0].max(corners[0][1]).max(corners[1][0]).max(corners[1][1]) >> 2
}

/// Sums over the inputs of two tiles' values times two outputs' weights, per point.
type Products = unsafe extern "C" fn(*const Quad, *const Quad, &mut [[i32; 4]; POINTS]);

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

/// [`Products`] of layers with a number of inputs.
macro_rules! products {
    ($name:ident, $quads_less_one:literal) => {
        /// # Safety
        /// ARMv6, and as many quads as the number of inputs says.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(values: *const Quad, weights: *const Quad, sums: &mut [[i32; 4]; POINTS]) {
            naked_asm!(
                ".arch armv6",
                "push {{r4-r11, lr}}",
                "mov r12, r0",
                "mov lr, r1",
                "add r3, r2, #256",
                "push {{r2, r3}}",
                "2:",
                quad!("smuad",),
                concat!(".rept ", $quads_less_one),
                quad!("smlad", ", "),
                ".endr",
                // Where the sums go, and where they end.
                "ldm sp, {{r0, r1}}",
                "stmia r0!, {{r4-r7}}",
                "str r0, [sp]",
                "cmp r0, r1",
                "bne 2b",
                "add sp, sp, #8",
                "pop {{r4-r11, pc}}",
            );
        }
    };
}
products!(products_of_16, 3);
products!(products_of_32, 7);
products!(products_of_48, 11);
products!(products_of_64, 15);

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

/// Most features of a step.
const MAX_FEATURES: usize = crate::classify::native::shape::MAX_FEATURES;
/// Rows that are summed at once: they come in multiples of 64.
const ROWS: usize = 8;

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
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

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
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
