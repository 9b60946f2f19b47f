//! x86-64 with AVX-512 VNNI: four multiply-adds per lane and instruction, sixteen lanes.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes. Activations behind a ReLU are unsigned anyway; the first
//! convolution's input is shifted by 128, and its sums begin with −128 times the weights' sum.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and calls into code for a detected instruction set"
)]

use core::arch::x86_64::*;

use super::{STEPS_AT_ONCE, Table};
use crate::classify::native::model::Conv;
use crate::classify::native::shape::LANES;
use crate::classify::native::stream::line;
use crate::spec::MEL_BANDS;

static TABLE: Table =
    Table { name: "avx512vnni", conv_pool, project, project_steps: Some(project_steps), recur };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    has!("avx512f", "avx512bw", "avx512vnni").then_some(&TABLE)
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were detected.
    unsafe { conv_lines(conv, lines, out) }
}

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    // SAFETY: as in `conv_pool`.
    unsafe { project_rows(weights, features, sums) }
}

fn project_steps(weights: &[u8], steps: usize, features: &[i8], sums: &mut [i32]) {
    // SAFETY: as in `conv_pool`.
    unsafe {
        match steps {
            2 => project_together::<2>(weights, features, sums),
            3 => project_together::<3>(weights, features, sums),
            STEPS_AT_ONCE => project_together::<STEPS_AT_ONCE>(weights, features, sums),
            _ => unreachable!("{steps} steps"),
        }
    }
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    // SAFETY: as in `conv_pool`.
    unsafe { recur_rows(weights, state, sums) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn conv_lines(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    if conv.inputs > 1 {
        return conv_unsigned(conv, lines, out);
    }
    let shifted = lines.map(|values| {
        let mut shifted = [0; line(MEL_BANDS, 1)];
        for (shifted, &value) in shifted.iter_mut().zip(values) {
            *shifted = value ^ i8::MIN;
        }
        shifted
    });
    conv_unsigned(conv, shifted.each_ref().map(|line| &line[..]), out);
}

/// Of lines of unsigned bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn conv_unsigned(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let mut block = 0;
    while block < conv.outputs {
        let vectors = ((conv.outputs - block) / LANES).min(2);
        match vectors {
            1 => conv_block::<1>(conv, lines, out, block),
            _ => conv_block::<2>(conv, lines, out, block),
        }
        block += LANES * vectors;
    }
}

/// Pooled positions that are computed at once.
const AT_ONCE: usize = 2;

/// `V` vectors of outputs from output `block` on, for a whole pooled line.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn conv_block<const V: usize>(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8], block: usize) {
    let (inputs, outputs, groups) = (conv.inputs, conv.outputs, conv.groups());
    let pooled = out.len() / outputs;
    // What the pointers below rely on.
    assert_eq!(conv.weights.len(), 3 * groups * outputs * 4);
    assert!(lines.iter().all(|line| line.len() >= (2 * pooled - 1) * inputs + 4 * groups));
    assert!(block + LANES * V <= outputs && pooled.is_multiple_of(AT_ONCE));
    let finish: [Finish; V] = core::array::from_fn(|v| Finish::new(conv, block + LANES * v));
    let start: [__m512i; V] = core::array::from_fn(|v| start(conv, block + LANES * v));
    for first in (0..pooled).step_by(AT_ONCE) {
        // Two lines of four positions each.
        let mut sums = [[start; 2 * AT_ONCE]; 2];
        for frame in 0..3 {
            // SAFETY: frame · groups · outputs · 4 + (groups − 1) · outputs · 4 + (block + 16 · V) · 4 ≤ weights.len().
            let mut weights = unsafe { conv.weights.as_ptr().add((frame * groups * outputs + block) * 4) };
            for group in 0..groups {
                let w: [__m512i; V] =
                    // SAFETY: see above.
                    core::array::from_fn(|v| unsafe { _mm512_loadu_si512(weights.add(64 * v).cast()) });
                for (line, sums) in sums.iter_mut().enumerate() {
                    let at = 2 * first * inputs + 4 * group;
                    for (beside, sums) in sums.iter_mut().enumerate() {
                        let at = at + beside * inputs;
                        // SAFETY: the last position, 2 · pooled − 1, ends (2 · pooled − 1) · inputs + 4 · groups into the line.
                        let x =
                            unsafe { lines[frame + line].as_ptr().add(at).cast::<i32>().read_unaligned() };
                        let x = _mm512_set1_epi32(x);
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = _mm512_dpbusd_epi32(*sum, x, w);
                        }
                    }
                }
                weights = weights.wrapping_add(4 * outputs);
            }
        }
        for beside in 0..AT_ONCE {
            for (v, finish) in finish.iter().enumerate() {
                let largest =
                    |line: usize| _mm512_max_epi32(sums[line][2 * beside][v], sums[line][2 * beside + 1][v]);
                let sums = _mm512_max_epi32(largest(0), largest(1));
                let done = if conv.plain { finish.apply::<true>(sums) } else { finish.apply::<false>(sums) };
                let at = (first + beside) * outputs + block + LANES * v;
                let to = &mut out[at..at + LANES];
                // SAFETY: `to` has sixteen bytes.
                unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), done) };
            }
        }
    }
}

/// What sums begin with: the bias, and of one input, which was shifted by 128, −128 times the weights' sum.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn start(conv: &Conv<'_>, block: usize) -> __m512i {
    let bias = load(&conv.bias[4 * block..]);
    if conv.inputs > 1 {
        return bias;
    }
    let mut sum = _mm512_setzero_si512();
    for row in conv.weights.chunks_exact(4 * conv.outputs) {
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(i8::MIN), load(&row[4 * block..]));
    }
    _mm512_sub_epi32(bias, sum)
}

/// The first 64 bytes.
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8]) -> __m512i {
    assert!(bytes.len() >= 64);
    // SAFETY: there are 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// ReLU and requantization of sixteen outputs. 64-bit lanes hold every second one.
struct Finish {
    even: Half,
    odd: Half,
}

/// What requantizes eight outputs.
struct Half {
    mantissas: __m512i,
    shifts: __m512i,
    /// Half a step less one bit.
    half: __m512i,
}

impl Finish {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let mantissas = load(&conv.scales.mantissas[4 * block..]);
        let shifts = load(&conv.scales.shifts[4 * block..]);
        let low = _mm512_set1_epi64(0xffff_ffff);
        Self {
            even: Half::new(_mm512_and_si512(mantissas, low), _mm512_and_si512(shifts, low)),
            odd: Half::new(_mm512_srli_epi64::<32>(mantissas), _mm512_srli_epi64::<32>(shifts)),
        }
    }

    /// `sums` have their bias.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn apply<const PLAIN: bool>(&self, sums: __m512i) -> __m128i {
        let sums = _mm512_max_epi32(sums, _mm512_setzero_si512());
        let even = self.even.requantize::<PLAIN>(sums);
        let odd = self.odd.requantize::<PLAIN>(_mm512_srli_epi64::<32>(sums));
        let both = _mm512_or_si512(even, _mm512_slli_epi64::<32>(odd));
        _mm_min_epu8(_mm512_cvtusepi32_epi8(both), _mm_set1_epi8(127))
    }
}

impl Half {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn new(mantissas: __m512i, shifts: __m512i) -> Self {
        let one = _mm512_set1_epi64(1);
        let half = _mm512_sub_epi64(_mm512_sllv_epi64(one, _mm512_sub_epi64(shifts, one)), one);
        Self { mantissas, shifts, half }
    }

    /// The rounding rule for sums that are not negative, in the lower half of each lane: at most 2³⁰ where scales are below a
    /// quarter, as with `PLAIN`, else 127.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn requantize<const PLAIN: bool>(&self, sums: __m512i) -> __m512i {
        let product = _mm512_mul_epu32(sums, self.mantissas);
        let raised = _mm512_add_epi64(product, self.half);
        if PLAIN {
            return _mm512_srlv_epi64(raised, self.shifts);
        }
        let odd = _mm512_and_si512(_mm512_srlv_epi64(product, self.shifts), _mm512_set1_epi64(1));
        let result = _mm512_srlv_epi64(_mm512_add_epi64(raised, odd), self.shifts);
        _mm512_min_epu64(result, _mm512_set1_epi64(127))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn project_rows(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    let groups = features.as_chunks::<4>().0.iter().map(|group| i32::from_le_bytes(group.map(|x| x as u8)));
    rows_by::<false>(weights, groups, sums);
}

/// `N` steps, four vectors of rows at once: rows come in multiples of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn project_together<const N: usize>(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    const V: usize = 4;
    let (rows, values) = (sums.len() / N, features.len() / N);
    assert_eq!(weights.len(), rows * values, "weights are rows × features");
    let groups: [&[[i8; 4]]; N] =
        core::array::from_fn(|step| features[step * values..][..values].as_chunks().0);
    for block in (0..rows).step_by(V * LANES) {
        let mut totals = [[_mm512_setzero_si512(); V]; N];
        for (group, row) in weights.chunks_exact(4 * rows).enumerate() {
            let w: [__m512i; V] = core::array::from_fn(|v| load(&row[4 * block + 64 * v..]));
            for (totals, groups) in totals.iter_mut().zip(groups) {
                let x = _mm512_set1_epi32(i32::from_le_bytes(groups[group].map(|x| x as u8)));
                for (total, w) in totals.iter_mut().zip(w) {
                    *total = _mm512_dpbusd_epi32(*total, x, w);
                }
            }
        }
        for (totals, sums) in totals.iter().zip(sums.chunks_exact_mut(rows)) {
            store(totals, &mut sums[block..block + LANES * V]);
        }
    }
}

/// Sums to where they belong.
#[target_feature(enable = "avx512f")]
fn store<const V: usize>(totals: &[__m512i; V], out: &mut [i32]) {
    for (out, &total) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(totals) {
        // SAFETY: `out` has sixteen i32.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), total) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn recur_rows(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    let pairs = state.as_chunks::<2>().0.iter();
    let groups = pairs.map(|&[a, b]| i32::from(a as u16) | i32::from(b) << 16);
    rows_by::<true>(weights, groups, sums);
}

/// Sixteen vectors of rows at once where there are so many, else four: rows come in multiples of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn rows_by<const WORDS: bool>(
    weights: &[u8],
    groups: impl ExactSizeIterator<Item = i32> + Clone,
    sums: &mut [i32],
) {
    assert_eq!(weights.len(), 4 * groups.len() * sums.len(), "weights are rows × inputs");
    let most = if sums.len().is_multiple_of(16 * LANES) { 16 } else { 4 };
    for block in (0..sums.len()).step_by(most * LANES) {
        match most {
            16 => rows::<16, WORDS>(weights, groups.clone(), sums, block),
            _ => rows::<4, WORDS>(weights, groups.clone(), sums, block),
        }
    }
}

/// `V` vectors of rows from row `block` on: a group is four bytes, or two words where `WORDS`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn rows<const V: usize, const WORDS: bool>(
    weights: &[u8],
    groups: impl Iterator<Item = i32>,
    sums: &mut [i32],
    block: usize,
) {
    let mut totals = [_mm512_setzero_si512(); V];
    for (row, group) in weights.chunks_exact(4 * sums.len()).zip(groups) {
        let x = _mm512_set1_epi32(group);
        let row = &row[4 * block..][..64 * V];
        for (total, w) in totals.iter_mut().zip(row.as_chunks::<64>().0) {
            let w = load(w);
            *total =
                if WORDS { _mm512_dpwssd_epi32(*total, x, w) } else { _mm512_dpbusd_epi32(*total, x, w) };
        }
    }
    store(&totals, &mut sums[block..block + LANES * V]);
}
