//! x86-64 with AVX-512 VNNI: four multiply-adds per lane and instruction, sixteen lanes.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes. Activations behind a ReLU are unsigned anyway; the first
//! convolution's input is shifted by 128, and its sums begin with −128 times the weights' sum.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and calls into code for a detected instruction set"
)]

mod gates; // the LSTM's gates
mod rows; // its matrices

use core::arch::x86_64::*;

use super::{STEPS_AT_ONCE, Table};
use crate::classify::native::model::{Conv, Rows};
use crate::classify::native::shape::LANES;
use crate::classify::native::stream::line;
use crate::classify::requantize::Multiplier;
use crate::spec::MEL_BANDS;

static TABLE: Table = Table {
    name: "avx512vnni",
    input,
    conv_pool,
    project,
    project_steps: Some(project_steps),
    recur,
    finish,
    advance,
};

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    has!("avx512f", "avx512bw", "avx512vnni").then_some(&TABLE)
}

fn input(gain: Multiplier, bands: &[i16], steps: &mut [i8]) {
    // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were detected.
    unsafe { input_steps(gain, bands, steps) }
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    // SAFETY: as in `input`.
    unsafe { conv_lines(conv, lines, out) }
}

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    // SAFETY: as in `input`.
    unsafe { rows::project(weights, features, sums) }
}

fn project_steps(weights: &[u8], steps: usize, features: &[i8], sums: &mut [i32]) {
    // SAFETY: as in `input`.
    unsafe {
        match steps {
            2 => rows::project_steps::<2>(weights, features, sums),
            3 => rows::project_steps::<3>(weights, features, sums),
            STEPS_AT_ONCE => rows::project_steps::<STEPS_AT_ONCE>(weights, features, sums),
            _ => unreachable!("{steps} steps"),
        }
    }
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    // SAFETY: as in `input`.
    unsafe { rows::recur(weights, state, sums) }
}

fn finish(rows: &Rows<'_>, sums: &mut [i32]) {
    // SAFETY: as in `input`.
    unsafe { rows::finish(rows, sums) }
}

fn advance(recurrent: &[i32], projected: &[i32], h: &mut [i16], c: &mut [i32]) {
    // SAFETY: as in `input`.
    unsafe { gates::advance(recurrent, projected, h, c) }
}

/// A multiply-add in f32 rounds as [`Multiplier::step`] does.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn input_steps(gain: Multiplier, bands: &[i16], steps: &mut [i8]) {
    let gain = scales(_mm512_set1_epi32(gain.mantissa() as i32), _mm512_set1_epi32(gain.shift() as i32));
    let (least, most) = (_mm512_set1_ps(ROUNDER - 127.0), _mm512_set1_ps(ROUNDER + 127.0));
    for (bands, steps) in bands.as_chunks::<LANES>().0.iter().zip(steps.as_chunks_mut::<LANES>().0) {
        // SAFETY: there are sixteen values.
        let values = _mm512_cvtepi16_epi32(unsafe { _mm256_loadu_si256(bands.as_ptr().cast()) });
        let rounded = _mm512_max_ps(_mm512_min_ps(round(values, gain), most), least);
        let done = _mm512_cvtepi32_epi8(_mm512_castps_si512(rounded));
        // SAFETY: there are sixteen steps.
        unsafe { _mm_storeu_si128(steps.as_mut_ptr().cast(), done) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn conv_lines(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    if conv.inputs > 1 {
        return conv_unsigned(conv, lines, out);
    }
    let shifted = lines.map(|values| {
        let mut shifted = [0; line(MEL_BANDS, 1)];
        for (shifted, &value) in shifted.iter_mut().zip(values) {
            *shifted = (value ^ i8::MIN) as u8;
        }
        shifted
    });
    for block in (0..conv.outputs).step_by(2 * LANES) {
        match conv.outputs - block {
            LANES => first_block::<1>(conv, &shifted, out, block),
            _ => first_block::<2>(conv, &shifted, out, block),
        }
    }
}

/// The layer of one input, `V` vectors of outputs from output `block` on, for a whole pooled line.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn first_block<const V: usize>(
    conv: &Conv<'_>,
    lines: &[[u8; line(MEL_BANDS, 1)]; 4],
    out: &mut [i8],
    block: usize,
) {
    let finish: [Finish; V] = core::array::from_fn(|v| Finish::new(conv, block + LANES * v));
    let start: [__m512i; V] = core::array::from_fn(|v| start(conv, block + LANES * v));
    let weights: [[__m512i; V]; 3] = core::array::from_fn(|frame| {
        let row = &conv.weights[4 * (frame * conv.outputs + block)..];
        core::array::from_fn(|v| load(&row[64 * v..]))
    });
    for (pooled, out) in out.chunks_exact_mut(conv.outputs).enumerate() {
        let word = |line: usize, beside: usize| {
            let word =
                lines[line][2 * pooled + beside..].first_chunk().map_or(0, |word| i32::from_le_bytes(*word));
            _mm512_set1_epi32(word)
        };
        let x: [[__m512i; 2]; 4] = core::array::from_fn(|line| [word(line, 0), word(line, 1)]);
        for (v, (finish, out)) in finish.iter().zip(out[block..].as_chunks_mut::<LANES>().0).enumerate() {
            let sum = |line: usize, beside: usize| {
                let sum = _mm512_dpbusd_epi32(start[v], x[line][beside], weights[0][v]);
                let sum = _mm512_dpbusd_epi32(sum, x[line + 1][beside], weights[1][v]);
                _mm512_dpbusd_epi32(sum, x[line + 2][beside], weights[2][v])
            };
            let largest = |line: usize| _mm512_max_epi32(sum(line, 0), sum(line, 1));
            let done = finish.apply(_mm512_max_epi32(largest(0), largest(1)));
            // SAFETY: `out` has sixteen bytes.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), done) };
        }
    }
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
                let done = finish.apply(sums);
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

/// Sixteen sums.
#[target_feature(enable = "avx512f")]
fn load_sums(sums: &[i32]) -> __m512i {
    assert!(sums.len() >= LANES);
    // SAFETY: there are sixteen.
    unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
}

/// Sums held within 32 bits.
#[target_feature(enable = "avx512f")]
fn add_saturating(a: __m512i, b: __m512i) -> __m512i {
    let sum = _mm512_add_epi32(a, b);
    // It has gone beyond where both have one sign and the sum another.
    let beyond = _mm512_andnot_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(a, sum));
    let beyond = _mm512_cmplt_epi32_mask(beyond, _mm512_setzero_si512());
    let limit = _mm512_xor_si512(_mm512_srai_epi32::<31>(a), _mm512_set1_epi32(i32::MAX));
    _mm512_mask_mov_epi32(sum, beyond, limit)
}

/// ReLU and requantization of sixteen outputs.
struct Finish {
    scales: __m512,
    /// Whether f32 may not hold the sums.
    wide: bool,
}

impl Finish {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let [mantissas, shifts, bias] =
            [conv.scales.mantissas, conv.scales.shifts, conv.bias].map(|all| load(&all[4 * block..]));
        let most = _mm512_set1_epi32(EXACT - (9 * conv.inputs * 127 * 127) as i32);
        Self { scales: scales(mantissas, shifts), wide: _mm512_cmpgt_epi32_mask(bias, most) != 0 }
    }

    /// `sums` have their bias.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn apply(&self, sums: __m512i) -> __m128i {
        let sums = _mm512_max_epi32(sums, _mm512_setzero_si512());
        if self.wide {
            let all = rescale(sums, self.scales);
            return _mm512_cvtepi32_epi8(_mm512_min_epi32(all, _mm512_set1_epi32(127)));
        }
        let most = _mm512_set1_ps(ROUNDER + 127.0);
        _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_min_ps(round(sums, self.scales), most)))
    }
}

/// Scales as f32.
#[target_feature(enable = "avx512f")]
fn scales(mantissas: __m512i, shifts: __m512i) -> __m512 {
    // As in `Multiplier::new`: shifts from 2 to 62 make exponents from 148 to 88.
    let exponents = _mm512_slli_epi32::<23>(_mm512_sub_epi32(_mm512_set1_epi32(150), shifts));
    let fractions = _mm512_and_si512(mantissas, _mm512_set1_epi32(0x007f_ffff));
    _mm512_castsi512_ps(_mm512_or_si512(exponents, fractions))
}

/// As the rounding rule asks for.
const TO_NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// Numbers up to this f32 holds.
const EXACT: i32 = 1 << 24;

/// Added to a number that is small beside it, it leaves f32 no fraction: the integer next to the number, even at a tie, is
/// then in the lowest bits.
const ROUNDER: f32 = (3 << 22) as f32;

/// [`ROUNDER`] and the products of `numbers`, up to [`EXACT`], by `scales`. A multiply-add rounds once, as the rounding rule
/// does.
#[target_feature(enable = "avx512f")]
fn round(numbers: __m512i, scales: __m512) -> __m512 {
    _mm512_fmadd_round_ps::<TO_NEAREST>(_mm512_cvtepi32_ps(numbers), scales, _mm512_set1_ps(ROUNDER))
}

/// `sum · scale`, rounded half to even, within 32 bits, of any sums: the same in f64.
#[target_feature(enable = "avx512f")]
fn rescale(sums: __m512i, scales: __m512) -> __m512i {
    let low = rescale_half(_mm512_castsi512_si256(sums), _mm512_castps512_ps256(scales));
    let high_scales = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(scales)));
    let high = rescale_half(_mm512_extracti64x4_epi64::<1>(sums), high_scales);
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

#[target_feature(enable = "avx512f")]
fn rescale_half(sums: __m256i, scales: __m256) -> __m256i {
    const ROUNDER: f64 = (3u64 << 51) as f64;
    let (sums, scales) = (_mm512_cvtepi32_pd(sums), _mm512_cvtps_pd(scales));
    let rounded = _mm512_fmadd_round_pd::<TO_NEAREST>(sums, scales, _mm512_set1_pd(ROUNDER));
    let least = _mm512_set1_pd(ROUNDER + f64::from(i32::MIN));
    let most = _mm512_set1_pd(ROUNDER + f64::from(i32::MAX));
    _mm512_cvtepi64_epi32(_mm512_castpd_si512(_mm512_min_pd(_mm512_max_pd(rounded, least), most)))
}
