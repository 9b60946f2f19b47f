//! The machine's int8 peak per instruction set: multiply-adds on registers only, enough of them independent of each other
//! that no latency counts.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls into code for a detected instruction set")
)]

/// Work that does nothing but multiply and add.
pub(super) struct Peak {
    /// Multiply-adds of one call.
    pub(super) multiply_adds: f64,
    /// Does them.
    pub(super) work: fn(),
}

/// The peak of the instructions that a kernel is made of; `None` for portable code, whose instructions are the compiler's.
pub(super) fn of(kernel: &str) -> Option<Peak> {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        "avx512vnni" => Some(Peak { multiply_adds: (ROUNDS * CHAINS * 64) as f64, work: x86::vnni }),
        #[cfg(target_arch = "x86_64")]
        "avx2" => Some(Peak { multiply_adds: (ROUNDS * 8 * 32) as f64, work: x86::avx2 }),
        _ => None,
    }
}

/// Rounds of one call.
#[cfg(target_arch = "x86_64")]
const ROUNDS: usize = 20_000;
/// Sums that don't depend on each other.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 16;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;
    use std::hint::black_box;

    use super::{CHAINS, ROUNDS};

    pub(super) fn vnni() {
        // SAFETY: only asked for where the kernel of this name was detected.
        unsafe { vnni_loop() }
    }

    pub(super) fn avx2() {
        // SAFETY: as above.
        unsafe { avx2_loop() }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn vnni_loop() {
        let (x, w) = (black_box(_mm512_set1_epi8(3)), black_box(_mm512_set1_epi8(-5)));
        let mut sums = [_mm512_setzero_si512(); CHAINS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, x, w);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2")]
    fn avx2_loop() {
        let x = black_box(_mm256_set1_epi8(3));
        let ones = black_box(_mm256_set1_epi16(1));
        let mut sums = [_mm256_setzero_si256(); 8];
        let w = [_mm256_set1_epi8(-5); 8];
        for _ in 0..ROUNDS {
            // Unknown weights, so that no product can be taken out of the loop; they are read from the first cache.
            for (sum, &w) in sums.iter_mut().zip(black_box(&w)) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
            }
        }
        black_box(sums);
    }
}
