//! Plain Rust: what every kernel computes, and what runs where there is no kernel of its own.

use super::Table;
use crate::classify::native::gates::advance;
use crate::classify::native::model::{Conv, Rows};
use crate::classify::native::shape::LANES;
use crate::classify::requantize::Multiplier;

/// Other kernels' tables take from it what they have no functions of their own for.
pub(super) const TABLE: Table = Table {
    name: "portable",
    input,
    conv_pool,
    project,
    project_steps: None,
    recur,
    finish: finish_rows,
    advance,
};

fn input(gain: Multiplier, bands: &[i16], steps: &mut [i8]) {
    steps.iter_mut().zip(bands).for_each(|(step, &value)| *step = gain.step(value));
}

/// The positions that a pooled one joins: line and band.
const CORNERS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

/// Sums of outputs `block`.. (16 of them) from groups of four inputs.
fn add_groups(sums: &mut [i32; LANES], weights: &[u8], outputs: usize, block: usize, inputs: &[i8]) {
    let rows = weights.chunks_exact(4 * outputs).map(|row| &row[4 * block..4 * (block + LANES)]);
    for (row, input) in rows.zip(inputs.as_chunks::<4>().0) {
        let [a, b, c, d] = input.map(i32::from);
        for (sum, w) in sums.iter_mut().zip(row.as_chunks::<4>().0) {
            let [p, q, r, s] = w.map(|weight| i32::from(weight as i8));
            *sum += a * p + b * q + c * r + d * s;
        }
    }
}

fn conv_pool(conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
    let taps = conv.weights.len() / 3;
    let groups = 4 * conv.groups();
    for (pooled, position) in out.chunks_exact_mut(conv.outputs).enumerate() {
        for block in (0..conv.outputs).step_by(LANES) {
            let mut best = [i32::MIN; LANES];
            for (frame, beside) in CORNERS {
                // Lines begin one band early, so position `band` reads bands − 1 to + 1 from there on.
                let start = (2 * pooled + beside) * conv.inputs;
                let mut sums = [0; LANES];
                for (weights, line) in conv.weights.chunks_exact(taps).zip(&lines[frame..]) {
                    add_groups(&mut sums, weights, conv.outputs, block, &line[start..start + groups]);
                }
                best.iter_mut().zip(sums).for_each(|(best, sum)| *best = sum.max(*best));
            }
            finish(conv, block, &best, &mut position[block..block + LANES]);
        }
    }
}

/// Bias, ReLU and requantization of the outputs `block`...
pub(super) fn finish(conv: &Conv<'_>, block: usize, sums: &[i32; LANES], out: &mut [i8]) {
    let bias = conv.bias.as_chunks().0[block..].iter().map(|&bias| i32::from_le_bytes(bias));
    let rows = sums.iter().zip(bias).zip(conv.scales.iter().skip(block));
    for (out, ((sum, bias), scale)) in out.iter_mut().zip(rows) {
        *out = scale.requantize((sum + bias).max(0));
    }
}

fn project(weights: &[u8], features: &[i8], sums: &mut [i32]) {
    assert_eq!(weights.len(), features.len() * sums.len(), "weights are rows × features");
    let rows = sums.len();
    for (block, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        sums.fill(0);
        add_groups(sums, weights, rows, LANES * block, features);
    }
}

fn recur(weights: &[u8], state: &[i16], sums: &mut [i32]) {
    assert_eq!(weights.len(), 2 * state.len() * sums.len(), "weights are rows × units");
    sums.fill(0);
    for (row, pair) in weights.chunks_exact(4 * sums.len()).zip(state.as_chunks::<2>().0) {
        let [a, b] = pair.map(i32::from);
        for (sum, &[p, q, r, s]) in sums.iter_mut().zip(row.as_chunks().0) {
            *sum += a * i32::from(i16::from_le_bytes([p, q])) + b * i32::from(i16::from_le_bytes([r, s]));
        }
    }
}

fn finish_rows(rows: &Rows<'_>, sums: &mut [i32]) {
    rows.finish(sums);
}
