//! An LSTM's gates, sixteen units at once.

use core::arch::x86_64::*;

use super::{LANES, add_saturating, load_sums};
use crate::classify::native::gates::{GATE_BITS, SEGMENT_BITS, SEGMENTS, TABLE, UNIT_BITS};
use crate::classify::native::shape::GATES;

/// Bits of a σ in Q0.16, which reaches 1.
const LOW_BITS: u32 = 17;

/// Where a segment of the sigmoid begins, and above that how much it rises to its end. The last one doesn't.
static SEGMENT: [u32; SEGMENTS + 1] = {
    let mut packed = [TABLE[SEGMENTS]; SEGMENTS + 1];
    let mut i = 0;
    while i < SEGMENTS {
        packed[i] = TABLE[i] | (TABLE[i + 1] - TABLE[i]) << LOW_BITS;
        i += 1;
    }
    packed
};

/// See [`advance`](crate::classify::native::gates::advance).
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn advance(recurrent: &[i32], projected: &[i32], h: &mut [i16], c: &mut [i32]) {
    let units = h.len();
    let blocks = h.as_chunks_mut::<LANES>().0.iter_mut().zip(c.as_chunks_mut::<LANES>().0);
    for (block, (h, c)) in blocks.enumerate() {
        let [input, output, forget, cell]: [__m512i; GATES] = core::array::from_fn(|gate| {
            let at = gate * units + LANES * block;
            add_saturating(load_sums(&recurrent[at..]), load_sums(&projected[at..]))
        });
        let cells = next_cells(sigmoid(forget), load_sums(c), sigmoid(input), tanh(cell));
        let outs = _mm512_mullo_epi32(sigmoid(output), tanh(cells));
        let odd = _mm512_and_si512(_mm512_srli_epi32::<UNIT_BITS>(outs), _mm512_set1_epi32(1));
        let raised =
            _mm512_add_epi32(_mm512_add_epi32(outs, odd), _mm512_set1_epi32((1 << (UNIT_BITS - 1)) - 1));
        let most = _mm512_set1_epi32(32767);
        let outs = _mm512_min_epi32(_mm512_srai_epi32::<UNIT_BITS>(raised), most);
        let outs = _mm512_max_epi32(outs, _mm512_sub_epi32(_mm512_setzero_si512(), most));
        // SAFETY: there are sixteen cells and sixteen outputs.
        unsafe {
            _mm512_storeu_si512(c.as_mut_ptr().cast(), cells);
            _mm256_storeu_si256(h.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(outs));
        }
    }
}

/// `forget · cells + 2 · input · new`, rounded half to even without [`UNIT_BITS`].
#[target_feature(enable = "avx512f")]
fn next_cells(forget: __m512i, cells: __m512i, input: __m512i, new: __m512i) -> __m512i {
    /// Of every second lane, the rounded bits above the lowest ones.
    #[target_feature(enable = "avx512f")]
    fn raised(forget: __m512i, cells: __m512i, input: __m512i, new: __m512i) -> __m512i {
        let new = _mm512_slli_epi64::<1>(_mm512_mul_epi32(input, new));
        let sum = _mm512_add_epi64(_mm512_mul_epi32(forget, cells), new);
        let odd = _mm512_and_si512(_mm512_srli_epi64::<UNIT_BITS>(sum), _mm512_set1_epi64(1));
        _mm512_add_epi64(_mm512_add_epi64(sum, odd), _mm512_set1_epi64((1 << (UNIT_BITS - 1)) - 1))
    }
    let even = raised(forget, cells, input, new);
    let [forget, cells, input, new] = [forget, cells, input, new].map(|all| _mm512_srli_epi64::<32>(all));
    let odd = raised(forget, cells, input, new);
    _mm512_mask_blend_epi32(
        0xaaaa,
        _mm512_srli_epi64::<UNIT_BITS>(even),
        _mm512_slli_epi64::<{ 32 - UNIT_BITS }>(odd),
    )
}

/// σ in Q0.15 of arguments in Q15.16.
#[target_feature(enable = "avx512f,avx512bw")]
fn sigmoid(x: __m512i) -> __m512i {
    let upper = sigmoid_of_magnitude::<0>(_mm512_abs_epi32(x));
    let value = _mm512_mask_sub_epi32(upper, negative(x), _mm512_set1_epi32(1 << 16), upper);
    _mm512_srli_epi32::<1>(_mm512_add_epi32(value, _mm512_set1_epi32(1)))
}

/// tanh in Q0.15 of arguments in Q15.16.
#[target_feature(enable = "avx512f,avx512bw")]
fn tanh(x: __m512i) -> __m512i {
    let upper = sigmoid_of_magnitude::<1>(_mm512_abs_epi32(x));
    let magnitude = _mm512_sub_epi32(upper, _mm512_set1_epi32(1 << UNIT_BITS));
    _mm512_mask_sub_epi32(magnitude, negative(x), _mm512_setzero_si512(), magnitude)
}

#[target_feature(enable = "avx512f")]
fn negative(x: __m512i) -> __mmask16 {
    _mm512_cmplt_epi32_mask(x, _mm512_setzero_si512())
}

/// σ(x · 2^TIMES) in Q0.16 of unsigned x in Q15.16 up to 2³¹.
#[target_feature(enable = "avx512f,avx512bw")]
fn sigmoid_of_magnitude<const TIMES: u32>(x: __m512i) -> __m512i {
    const REST_BITS: u32 = GATE_BITS - SEGMENT_BITS;
    let segment = match TIMES {
        0 => _mm512_srli_epi32::<REST_BITS>(x),
        _ => _mm512_srli_epi32::<{ REST_BITS - 1 }>(x),
    };
    let segment = _mm512_min_epu32(segment, _mm512_set1_epi32(SEGMENTS as i32));
    // SAFETY: every index is at most SEGMENTS, the last one's.
    let packed = unsafe { _mm512_i32gather_epi32::<4>(segment, SEGMENT.as_ptr().cast()) };
    let low = _mm512_and_si512(packed, _mm512_set1_epi32((1 << LOW_BITS) - 1));
    let rise = _mm512_srli_epi32::<LOW_BITS>(packed);
    let rest = _mm512_and_si512(_mm512_slli_epi32::<TIMES>(x), _mm512_set1_epi32((1 << REST_BITS) - 1));
    // Ten bits by eleven: sums of pairs of words of which the upper ones are zero.
    let raised = _mm512_add_epi32(_mm512_madd_epi16(rise, rest), _mm512_set1_epi32(1 << (REST_BITS - 1)));
    _mm512_add_epi32(low, _mm512_srli_epi32::<REST_BITS>(raised))
}
