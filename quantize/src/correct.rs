//! Bias correction: rounding weights and activations moves the mean of every sum a little, always in the same direction
//! for the same channel. A bias can take that back exactly.

use crate::calibrate::Statistics;
use crate::equalize::Factors;
use crate::parallel::{Progress, Quiet, parallel};
use crate::plane::{Plane, max_pool};
use crate::quantized::QuantizedNetwork;
use crate::recipe::{BIAS_LIMIT, QuantizeError};
use crate::round::Multiplier;

/// Shifts every bias by how much rounding has moved the mean of its sums, layer by layer, each with the corrected
/// layers before it (Nagel et al. 2019, section 4.2, measured instead of derived). Returns the logits per window.
///
/// `statistics` are the float network's over the same windows, before it was divided by `factors`.
///
/// # Errors
/// The layer whose corrected bias is out of range.
pub fn correct_biases(
    quantized: &mut QuantizedNetwork,
    statistics: &Statistics,
    factors: &Factors,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>, QuantizeError> {
    let mut inputs: Vec<Plane<i32>> = windows.iter().map(|window| quantized.plane(window)).collect();
    for (index, conv) in quantized.convs.iter_mut().enumerate() {
        let sums = parallel(&inputs, &Quiet, |input| {
            let sums = conv.sums(input);
            (totals(&sums), max_pool(&sums))
        });
        let layer = &statistics.layers[index];
        let mut shifts = vec![0; conv.outputs];
        for (channel, shift) in shifts.iter_mut().enumerate() {
            let total: i64 = sums.iter().map(|(totals, _)| totals[channel]).sum();
            let found = total as f64 / layer.positions.max(1) as f64;
            let factor = f64::from(factors[index][channel]) * f64::from(conv.sum_scale());
            let moved = (layer.mean_sum(channel) / factor - found).round_ties_even();
            if (f64::from(conv.bias[channel]) + moved).abs() > f64::from(BIAS_LIMIT) {
                return Err(QuantizeError::Bias { layer: conv.name.clone(), channel });
            }
            *shift = moved as i32;
            conv.bias[channel] += *shift;
        }
        let refused = || QuantizeError::Requantization { layer: conv.name.clone() };
        let multiplier = Multiplier::new(conv.requantization()).ok_or_else(refused)?;
        let corrected = |pooled: Plane<i32>| conv.finish(&pooled.map(|c, sum| sum + shifts[c]), multiplier);
        inputs = sums.into_iter().map(|(_, pooled)| corrected(pooled)).collect();
    }
    let projection = &quantized.projection;
    let project = |x: &Plane<i32>| (0..x.frames).map(|step| projection.project(&x.step(step))).collect();
    let mut rows: Vec<Vec<Vec<f32>>> = parallel(&inputs, &Quiet, project);
    let steps = statistics.steps.max(1) as f64;
    for row in 0..quantized.projection.bias.len() {
        let found: f64 = rows.iter().flatten().map(|step| f64::from(step[row])).sum();
        let shift = ((statistics.rows[row] - found) / steps) as f32;
        quantized.projection.bias[row] += shift;
        rows.iter_mut().flatten().for_each(|step| step[row] += shift);
    }
    Ok(parallel(&rows, progress, |rows| quantized.head.logits(rows)))
}

/// Sum over all positions, per channel.
pub(crate) fn totals(sums: &Plane<i32>) -> Vec<i64> {
    let mut totals = vec![0; sums.channels];
    for position in sums.data.chunks_exact(sums.channels) {
        totals.iter_mut().zip(position).for_each(|(total, &sum)| *total += i64::from(sum));
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equalize::{Blend, factors};
    use crate::fold::fold;
    use crate::network::ReadOut;
    use crate::recipe::quantize_network;
    use crate::testing::{network, windows};

    #[test]
    fn corrected_biases_bring_the_means_back() {
        let network = fold(&network(6, 22, 8, ReadOut::Mean));
        let windows = windows(6, 12, &network);
        let mut statistics = Statistics::new(&network);
        windows.iter().for_each(|window| statistics.add(&network.forward(window)));
        let factors = factors(&network, &statistics, Blend::NONE);
        let (mut quantized, _) = quantize_network(&network, &statistics, &factors, 0.125, None).unwrap();
        correct_biases(&mut quantized, &statistics, &factors, &windows, &Quiet).unwrap();
        let conv = &quantized.convs[0];
        let sums: Vec<_> = windows.iter().map(|window| conv.sums(&quantized.plane(window))).collect();
        for channel in 0..conv.outputs {
            let total: i64 = sums.iter().map(|plane| totals(plane)[channel]).sum();
            let found = total as f64 / statistics.layers[0].positions as f64 * f64::from(conv.sum_scale());
            // What is left is the rounding of the bias itself.
            let off = (found - statistics.layers[0].mean_sum(channel)).abs() / f64::from(conv.sum_scale());
            assert!(off <= 0.51, "channel {channel}: {off} steps");
        }
        let rows = windows.iter().flat_map(|window| quantized.forward(window).unwrap().rows);
        let mut means = vec![0f64; quantized.projection.bias.len()];
        rows.for_each(|step| means.iter_mut().zip(step).for_each(|(mean, x)| *mean += f64::from(x)));
        for (found, wanted) in means.iter().zip(&statistics.rows) {
            assert!((found - wanted).abs() / (statistics.steps as f64) < 1e-4);
        }
    }
}
