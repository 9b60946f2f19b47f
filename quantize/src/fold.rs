//! Batch norm into the convolution before it: y = (x − mean) / √(variance + ε) · scale + shift is a factor per channel
//! and a constant, and a convolution's weights and bias take both.

use crate::network::{Conv, Network};

/// The same function without batch norms.
#[must_use]
pub fn fold(network: &Network) -> Network {
    Network { convs: network.convs.iter().map(fold_conv).collect(), ..network.clone() }
}

fn fold_conv(conv: &Conv) -> Conv {
    let Some(norm) = &conv.norm else { return conv.clone() };
    let factor =
        |c: usize| f64::from(norm.scale[c]) / (f64::from(norm.variance[c]) + f64::from(norm.epsilon)).sqrt();
    let row = conv.inputs * 9;
    let weights = conv.weights.iter().enumerate().map(|(i, &w)| (f64::from(w) * factor(i / row)) as f32);
    let bias = conv.bias.iter().enumerate().map(|(c, &b)| {
        ((f64::from(b) - f64::from(norm.mean[c])) * factor(c) + f64::from(norm.shift[c])) as f32
    });
    Conv { weights: weights.collect(), bias: bias.collect(), norm: None, ..conv.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ReadOut;
    use crate::testing::{assert_close, network, windows};

    #[test]
    fn folding_changes_no_sum() {
        for seed in 0..4 {
            let network = network(seed, 22, 8, ReadOut::Mean);
            let folded = fold(&network);
            assert!(folded.convs.iter().all(|conv| conv.norm.is_none()));
            for window in windows(seed, 2, &network) {
                let (wanted, found) = (network.forward(&window), folded.forward(&window));
                for (wanted, found) in wanted.sums.iter().zip(&found.sums) {
                    assert_close(&found.data, &wanted.data, 1e-5);
                }
                assert_close(&found.logits, &wanted.logits, 1e-5);
            }
        }
    }
}
