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
        let outcome = best(&network, &statistics, 0.125, &windows, &Quiet).unwrap();
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
    let outcome = best(&network, &statistics, 0.125, &windows, &Quiet).unwrap();
    let least = outcome.tried.iter().map(|(_, error)| *error).fold(f64::MAX, f64::min);
    assert!(outcome.tried.contains(&(outcome.blend, least)));
    let none = outcome.tried.iter().find(|(blend, _)| *blend == Blend::NONE).unwrap().1;
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
    let error = best(&network, &statistics, 0.125, &windows, &Quiet).unwrap_err();
    assert_eq!(error, QuantizeError::Silent { layer: "conv2".into() });
}

#[test]
fn a_bias_beyond_the_sums_is_refused_by_name() {
    let (mut network, statistics, _) = prepared(1, ReadOut::Mean);
    network.convs[0].bias[2] = 1e12;
    let factors = equalize::factors(&network, &statistics, Blend::NONE);
    let error = quantize_network(&network, &statistics, &factors, 0.125).unwrap_err();
    assert_eq!(error, QuantizeError::Bias { layer: "conv1".into(), channel: 2 });
}
