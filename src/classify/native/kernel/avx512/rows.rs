//! The LSTM's matrices and what their rows' sums are worth.

use core::arch::x86_64::*;

use super::{LANES, add_saturating, load, load_sums, rescale, scales};
use crate::classify::native::model::Rows;

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    let groups = features.as_chunks::<4>().0.iter().map(|group| i32::from_le_bytes(group.map(|x| x as u8)));
    rows_by::<false>(weights, groups, sums);
}

/// `N` steps, four vectors of rows at once: rows come in multiples of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn project_steps<const N: usize>(weights: &[u8], features: &[i8], sums: &mut [i32]) {
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
pub(super) fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
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

/// `sum · scale + bias` of sixteen rows at once.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn finish(rows: &Rows<'_>, sums: &mut [i32]) {
    for (block, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let at = 4 * LANES * block;
        let scales = scales(load(&rows.scales.mantissas[at..]), load(&rows.scales.shifts[at..]));
        let bias = if rows.bias.is_empty() { _mm512_setzero_si512() } else { load(&rows.bias[at..]) };
        store(&[add_saturating(rescale(load_sums(sums), scales), bias)], sums);
    }
}
