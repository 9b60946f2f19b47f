//! What the native form loses per layer: its integers beside the float network's values on the same windows.

use harmonynet::classify::native::{Parts, RowParts};

use super::{NativeError, NativeOutcome, UNIT, finish, input_plane, logits, scale};
use crate::measure::Noise;
use crate::network::Trace;
use crate::parallel::{Progress, Quiet, parallel};
use crate::plane::{Kernel, Plane, convolve, max_pool};

/// Noise of the input, each convolution, the projection and the logits, in this order, over `windows`. The noise of earlier
/// layers is in a later layer's figure, as it is in its input; the logits are the runtime's own.
///
/// # Errors
/// None for what [`best`](super::best) gave.
pub fn noises(
    outcome: &NativeOutcome,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Vec<Noise>, NativeError> {
    let gain = scale(outcome.parts.input_gain, "input")?;
    let logits = logits(&outcome.file, windows, &Quiet)?;
    let numbered: Vec<(&Vec<f32>, &Vec<f32>)> = windows.iter().zip(&logits).collect();
    let one = |(window, logits): &(&Vec<f32>, &Vec<f32>)| {
        let input = input_plane(&outcome.equalized, gain, window);
        let wanted = outcome.equalized.forward(window);
        compare(&outcome.parts, &outcome.scales, window, &wanted, input, logits)
    };
    let mut total = vec![Noise::default(); outcome.scales.len() + 2];
    for noises in parallel(&numbered, progress, one) {
        total.iter_mut().zip(&noises).for_each(|(total, noise)| total.merge(noise));
    }
    Ok(total)
}

fn compare(
    parts: &Parts,
    scales: &[f32],
    window: &[f32],
    wanted: &Trace,
    input: Plane<i32>,
    logits: &[f32],
) -> Vec<Noise> {
    let mut noises = vec![Noise::of_integers(window, &input.data, scales[0])];
    let mut x = input;
    for ((conv, wanted), &scale) in parts.convs.iter().zip(&wanted.pooled).zip(&scales[1..]) {
        let weights: Vec<i32> = conv.weights.iter().map(|&w| w.into()).collect();
        let (inputs, outputs) = (x.channels, conv.bias.len());
        let sums = convolve(&x, &Kernel::new(inputs, outputs, &weights), &vec![0; outputs]);
        x = finish(&max_pool(&sums), &conv.bias, &conv.scales);
        noises.push(Noise::of_integers(&wanted.data, &x.data, scale));
    }
    let rows: Vec<f32> = (0..x.frames).flat_map(|step| project(&parts.projection, &x.step(step))).collect();
    noises.push(Noise::of_floats(&wanted.rows.concat(), &rows));
    noises.push(Noise::of_floats(&wanted.logits, logits));
    noises
}

/// The gates' arguments from the input.
fn project(projection: &RowParts<i8>, features: &[i32]) -> Vec<f32> {
    let rows = projection.weights.chunks_exact(features.len()).zip(&projection.scales).zip(&projection.bias);
    rows.map(|((row, scale), &bias)| {
        let sum = row.iter().zip(features).map(|(&w, &x)| i32::from(w) * x).sum();
        scale.rescale(sum).saturating_add(bias) as f32 / UNIT
    })
    .collect()
}
