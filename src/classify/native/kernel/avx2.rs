//! x86-64 with AVX2: `vpmaddubsw` adds two products of unsigned and signed bytes to a word, `vpmaddwd` by ones adds two of
//! those.
//!
//! Activations up to 127 and weights from −127 on keep the words' sums within ±32258, so nothing saturates. The first
//! convolution's input has a sign: there the weights' magnitudes are the unsigned factor, and the input takes their signs.
#![expect(
    unsafe_code,
    reason = "vector loads and stores, and calls into code for a detected instruction set"
)]

use core::arch::x86_64::*;

use super::{Table, portable};
use crate::classify::native::model::Conv;

static TABLE: Table = Table { name: "avx2", conv_pool, project, recur, ..portable::TABLE };

/// The table, where this machine has the instructions.
pub(super) fn detect() -> Option<&'static Table> {
    has!("avx2").then_some(&TABLE)
}

/// Outputs per vector.
const WIDTH: usize = 8;
/// Vectors of outputs that are summed at once for four positions: channels come in multiples of 16.
const VECTORS: usize = 2;

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    for block in (0..conv.outputs).step_by(VECTORS * WIDTH) {
        // SAFETY: this function is reachable through `TABLE` only, which is given out where the instructions were detected.
        unsafe {
            match conv.inputs {
                1 => conv_block::<true>(conv, lines, out, block),
                _ => conv_block::<false>(conv, lines, out, block),
            }
        }
    }
}

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    let groups = features.as_chunks::<4>().0.iter().map(|group| i32::from_le_bytes(group.map(|x| x as u8)));
    // SAFETY: as in `conv_pool`.
    unsafe { rows::<false>(weights, groups, sums) }
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    let pairs = state.as_chunks::<2>().0.iter();
    let groups = pairs.map(|&[a, b]| i32::from(a as u16) | i32::from(b) << 16);
    // SAFETY: as in `conv_pool`.
    unsafe { rows::<true>(weights, groups, sums) }
}

/// Four products of bytes per lane, added to `sum`.
#[target_feature(enable = "avx2")]
fn add_bytes<const SIGNED: bool>(sum: __m256i, x: __m256i, w: __m256i) -> __m256i {
    let words = match SIGNED {
        true => _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)),
        false => _mm256_maddubs_epi16(x, w),
    };
    _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)))
}

/// The outputs `block`.. for a whole pooled line.
#[target_feature(enable = "avx2")]
fn conv_block<const SIGNED: bool>(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8], block: usize) {
    let (inputs, outputs, groups) = (conv.inputs, conv.outputs, conv.groups());
    let pooled = out.len() / outputs;
    // What the pointers below rely on.
    assert_eq!(conv.weights.len(), 3 * groups * outputs * 4);
    assert!(lines.iter().all(|line| line.len() >= (2 * pooled - 1) * inputs + 4 * groups));
    assert!(block + VECTORS * WIDTH <= outputs);
    let finish: [Finish; VECTORS] = core::array::from_fn(|v| Finish::new(conv, block + WIDTH * v));
    for (position, out) in out.chunks_exact_mut(outputs).enumerate() {
        // Two lines of two positions each.
        let mut sums = [[[_mm256_setzero_si256(); VECTORS]; 2]; 2];
        for frame in 0..3 {
            // SAFETY: frame · groups · outputs · 4 + (groups − 1) · outputs · 4 + (block + 8 · VECTORS) · 4 ≤ weights.len().
            let mut weights = unsafe { conv.weights.as_ptr().add((frame * groups * outputs + block) * 4) };
            for group in 0..groups {
                let w: [__m256i; VECTORS] =
                    // SAFETY: see above.
                    core::array::from_fn(|v| unsafe { _mm256_loadu_si256(weights.add(32 * v).cast()) });
                for (line, sums) in sums.iter_mut().enumerate() {
                    for (beside, sums) in sums.iter_mut().enumerate() {
                        let at = (2 * position + beside) * inputs + 4 * group;
                        // SAFETY: the last position, 2 · pooled − 1, ends (2 · pooled − 1) · inputs + 4 · groups into the line.
                        let x =
                            unsafe { lines[frame + line].as_ptr().add(at).cast::<i32>().read_unaligned() };
                        let x = _mm256_set1_epi32(x);
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = add_bytes::<SIGNED>(*sum, x, w);
                        }
                    }
                }
                weights = weights.wrapping_add(4 * outputs);
            }
        }
        for (v, (finish, out)) in finish.iter().zip(out[block..].as_chunks_mut().0).enumerate() {
            let largest = |line: usize| _mm256_max_epi32(sums[line][0][v], sums[line][1][v]);
            let sums = _mm256_max_epi32(largest(0), largest(1));
            *out = if conv.plain { finish.apply::<true>(sums) } else { finish.apply::<false>(sums) };
        }
    }
}

/// The first 32 bytes.
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m256i {
    assert!(bytes.len() >= 32);
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Bias, ReLU and requantization of eight outputs. 64-bit lanes hold every second one.
struct Finish {
    bias: __m256i,
    even: Half,
    odd: Half,
}

/// What requantizes four outputs.
struct Half {
    mantissas: __m256i,
    shifts: __m256i,
    /// Half a step less one bit.
    half: __m256i,
}

impl Finish {
    #[target_feature(enable = "avx2")]
    fn new(conv: &Conv<'_>, block: usize) -> Self {
        let mantissas = load(&conv.scales.mantissas[4 * block..]);
        let shifts = load(&conv.scales.shifts[4 * block..]);
        let low = _mm256_set1_epi64x(0xffff_ffff);
        Self {
            bias: load(&conv.bias[4 * block..]),
            even: Half::new(_mm256_and_si256(mantissas, low), _mm256_and_si256(shifts, low)),
            odd: Half::new(_mm256_srli_epi64::<32>(mantissas), _mm256_srli_epi64::<32>(shifts)),
        }
    }

    #[target_feature(enable = "avx2")]
    fn apply<const PLAIN: bool>(&self, sums: __m256i) -> [i8; WIDTH] {
        let sums = _mm256_max_epi32(_mm256_add_epi32(sums, self.bias), _mm256_setzero_si256());
        let even = self.even.requantize::<PLAIN>(sums);
        let odd = self.odd.requantize::<PLAIN>(_mm256_srli_epi64::<32>(sums));
        // Each result is the lowest byte of its i32.
        let both = _mm256_or_si256(even, _mm256_slli_epi64::<32>(odd));
        let lowest = _mm256_set1_epi32(0x0c08_0400);
        let bytes = _mm256_shuffle_epi8(both, lowest);
        let (first, second) = (_mm256_extract_epi32::<0>(bytes), _mm256_extract_epi32::<4>(bytes));
        (i64::from(first as u32) | i64::from(second) << 32).to_le_bytes().map(|byte| byte as i8)
    }
}

impl Half {
    #[target_feature(enable = "avx2")]
    fn new(mantissas: __m256i, shifts: __m256i) -> Self {
        let one = _mm256_set1_epi64x(1);
        let half = _mm256_sub_epi64(_mm256_sllv_epi64(one, _mm256_sub_epi64(shifts, one)), one);
        Self { mantissas, shifts, half }
    }

    /// The rounding rule for sums that are not negative, in the lower half of each lane.
    #[target_feature(enable = "avx2")]
    fn requantize<const PLAIN: bool>(&self, sums: __m256i) -> __m256i {
        let most = _mm256_set1_epi64x(127);
        let product = _mm256_mul_epu32(sums, self.mantissas);
        let mut raised = _mm256_add_epi64(product, self.half);
        if !PLAIN {
            let odd = _mm256_and_si256(_mm256_srlv_epi64(product, self.shifts), _mm256_set1_epi64x(1));
            raised = _mm256_add_epi64(raised, odd);
        }
        let result = _mm256_srlv_epi64(raised, self.shifts);
        _mm256_blendv_epi8(result, most, _mm256_cmpgt_epi64(result, most))
    }
}

/// Sums of all rows: a group is four bytes, or two words where `WORDS`.
///
/// Sixteen registers don't hold a sum per row, and jumping through the weights to sum some rows first would be slower than
/// reading them in order: sums stay in the first cache, and each visit adds a few groups.
#[target_feature(enable = "avx2")]
fn rows<const WORDS: bool>(
    weights: &[u8],
    groups: impl ExactSizeIterator<Item = i32> + Clone,
    sums: &mut [i32],
) {
    assert_eq!(weights.len(), 4 * groups.len() * sums.len(), "weights are rows × inputs");
    let stride = 4 * sums.len();
    sums.fill(0);
    let mut groups = groups.map(|group| _mm256_set1_epi32(group));
    let visits = weights.chunks_exact(VISIT * stride);
    let rest = visits.remainder();
    for weights in visits {
        let x: [__m256i; VISIT] = core::array::from_fn(|_| groups.next().unwrap_or(_mm256_setzero_si256()));
        add_groups::<VISIT, WORDS>(weights, x, sums);
    }
    for (weights, x) in rest.chunks_exact(stride).zip(groups) {
        add_groups::<1, WORDS>(weights, [x], sums);
    }
}

/// Groups that one visit of a sum adds.
const VISIT: usize = 4;

/// Adds `N` groups to all sums.
#[target_feature(enable = "avx2")]
fn add_groups<const N: usize, const WORDS: bool>(weights: &[u8], x: [__m256i; N], sums: &mut [i32]) {
    let stride = 4 * sums.len();
    let rows: [&[[u8; 32]]; N] = core::array::from_fn(|n| weights[n * stride..][..stride].as_chunks().0);
    for (at, out) in sums.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        // SAFETY: `out` has eight i32.
        let mut sum = unsafe { _mm256_loadu_si256(out.as_ptr().cast()) };
        for (x, row) in x.iter().zip(rows) {
            let w = load(&row[at]);
            sum = match WORDS {
                true => _mm256_add_epi32(sum, _mm256_madd_epi16(*x, w)),
                false => add_bytes::<false>(sum, *x, w),
            };
        }
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sum) };
    }
}
