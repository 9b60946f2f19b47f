use super::*;
use crate::fold::fold;
use crate::network::ReadOut;
use crate::onnx::Engine;
use crate::parallel::Quiet;
use crate::testing::{assert_close, network, windows, without_lstm};
use crate::write::int8_model;

fn prepared(seed: u32, read_out: ReadOut) -> (Network, Statistics, Vec<Vec<f32>>) {
    prepared_of(seed, &network(seed, 22, 8, read_out))
}

fn prepared_of(seed: u32, network: &Network) -> (Network, Statistics, Vec<Vec<f32>>) {
    let network = fold(network);
    let windows = windows(seed, 12, &network);
    let mut statistics = Statistics::new(&network);
    windows.iter().for_each(|window| statistics.add(&network.forward(window)));
    (network, statistics, windows)
}

#[test]
fn tract_computes_every_layer_as_the_integer_reference_does() {
    for (seed, network) in [
        (1, network(1, 22, 8, ReadOut::Mean)),
        (2, network(2, 22, 8, ReadOut::Last)),
        (3, network(3, 38, 8, ReadOut::Mean)),
        (4, without_lstm(4, 38, 8)),
    ] {
        let (network, statistics, windows) = prepared_of(seed, &network);
        let outcome = best(&network, &statistics, None, &windows, &Quiet).unwrap();
        let bytes = int8_model(&outcome.quantized, Default::default()).encode();
        let whole = Engine::load(&bytes, &[]).unwrap();
        let layers = ["pool1", "pool2"].map(|name| Engine::load(&bytes, &[name]).unwrap());
        for window in &windows {
            let trace = outcome.quantized.forward(window).unwrap();
            for (engine, ours) in layers.iter().zip(&trace.pooled) {
                let theirs = &engine.run(window).unwrap()[0];
                // tract's planes are channel-major.
                let at = |c: usize, i: usize| theirs[c * ours.frames * ours.bands + i] as i32;
                for (i, position) in ours.data.chunks_exact(ours.channels).enumerate() {
                    assert!(position.iter().enumerate().all(|(c, &x)| at(c, i) == x), "position {i}");
                }
            }
            assert_close(&trace.logits, &whole.run(window).unwrap()[0], 1e-5);
        }
    }
}

#[test]
fn the_kept_equalization_has_the_least_error_and_is_close_to_the_float_network() {
    let (network, statistics, windows) = prepared(4, ReadOut::Mean);
    let outcome = best(&network, &statistics, None, &windows, &Quiet).unwrap();
    let least = outcome.tried.iter().map(|trial| trial.error).fold(f64::MAX, f64::min);
    let input_scale = outcome.quantized.input_scale;
    assert!(outcome.tried.contains(&Trial { blend: outcome.blend, input_scale, error: least }));
    assert_eq!(outcome.tried.len(), Blend::TRIED.len() + INPUT_SHARES.len());
    let none = outcome.tried.iter().find(|trial| trial.blend == Blend::NONE).unwrap().error;
    assert!(least < none, "{:?}", outcome.tried);
    let energy: f64 =
        windows.iter().flat_map(|w| network.forward(w).logits).map(|z| f64::from(z).powi(2)).sum();
    let energy = energy / (windows.len() * network.labels()) as f64;
    assert!(least < 3e-3 * energy, "error {least} of {energy}");
}

#[test]
fn a_layer_that_never_fires_is_refused_by_name() {
    let (mut network, _, windows) = prepared(1, ReadOut::Mean);
    network.convs[1].bias.fill(-1e6);
    let mut statistics = Statistics::new(&network);
    windows.iter().for_each(|window| statistics.add(&network.forward(window)));
    let error = best(&network, &statistics, None, &windows, &Quiet).unwrap_err();
    assert_eq!(error, QuantizeError::Silent { layer: "conv2".into() });
}

#[test]
fn a_bias_beyond_the_sums_is_refused_by_name() {
    let (mut network, statistics, _) = prepared(1, ReadOut::Mean);
    network.convs[0].bias[2] = 1e12;
    let factors = equalize::factors(&network, &statistics, Blend::NONE);
    let error = quantize_network(&network, &statistics, &factors, 0.125, None).unwrap_err();
    assert_eq!(error, QuantizeError::Bias { layer: "conv1".into(), channel: 2 });
}

#[test]
fn the_input_scale_is_the_best_of_its_own_and_shares_of_the_widest_or_the_one_asked_for() {
    let (network, statistics, windows) = prepared(5, ReadOut::Mean);
    let outcome = best(&network, &statistics, None, &windows, &Quiet).unwrap();
    let tried: Vec<f32> = outcome.tried.iter().map(|trial| trial.input_scale).collect();
    // Seven octaves at most: an eighth of an octave per step wastes half of the steps.
    assert!(tried[0] < 0.06, "{tried:?}");
    let least = outcome.tried.iter().min_by(|a, b| a.error.total_cmp(&b.error)).unwrap();
    assert_eq!((outcome.input.scale, outcome.quantized.input_scale), (least.input_scale, least.input_scale));
    assert_eq!(tried[Blend::TRIED.len()..], INPUT_SHARES.map(|share| share * 0.125));
    let fixed = best(&network, &statistics, Some(0.1), &windows, &Quiet).unwrap();
    assert_eq!((fixed.quantized.input_scale, fixed.tried.len()), (0.1, Blend::TRIED.len()));
}

#[test]
fn given_ranges_are_taken_as_they_are() {
    let (network, statistics, windows) = prepared(6, ReadOut::Mean);
    // The ranges that min/max calibration would choose.
    let most = |values: &mut dyn Iterator<Item = f32>| values.fold(0f32, |most, x| most.max(x.abs()));
    let outputs =
        |layer: usize| most(&mut statistics.layers[layer].channels.iter().map(|channel| channel.largest));
    let ranges = Ranges {
        input: 0.0625,
        convs: (0..2)
            .map(|i| (most(&mut network.convs[i].weights.iter().copied()) / 127.0, outputs(i) / 127.0))
            .collect(),
        projection: network.projection.rows().map(|row| most(&mut row.iter().copied()) / 127.0).collect(),
    };
    let outcome = with_ranges(&network, &statistics, &ranges, &windows, &Quiet).unwrap();
    let quantized = &outcome.quantized;
    assert_eq!(quantized.input_scale, ranges.input);
    for (conv, (weights, outputs)) in quantized.convs.iter().zip(&ranges.convs) {
        assert_eq!((conv.weight_scale, conv.output_scale), (*weights, *outputs));
    }
    assert_eq!(quantized.projection.weight_scales, ranges.projection);
    // Neither equalized nor corrected.
    assert_eq!((outcome.blend, &outcome.equalized), (Blend::NONE, &network));
    assert_eq!(quantized.projection.bias, network.projection.bias);
    assert!(
        outcome.scales.iter().flat_map(|scales| &scales.weights).all(|c| c.error <= c.range_error * 1.001)
    );
    assert!(outcome.tried.len() == 1 && outcome.tried[0].error < 0.5, "{:?}", outcome.tried);
}
