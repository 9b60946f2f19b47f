use super::*;
use crate::confidence::arg_max;
use crate::fold::fold;
use crate::testing::{network_of, windows};

fn prepared(seed: u32, read_out: network::ReadOut) -> (Network, Statistics, Vec<Vec<f32>>) {
    let shape = [(1, 16), (16, 16), (16, 32)];
    let network = fold(&network_of(seed, 38, MEL_BANDS, &shape, 16, read_out));
    let windows = windows(seed, 10, &network);
    let mut statistics = Statistics::new(&network);
    windows.iter().for_each(|window| statistics.add(&network.forward(window)));
    (network, statistics, windows)
}

#[test]
fn the_native_network_follows_the_float_network() {
    for (seed, read_out) in [(1, network::ReadOut::Mean), (2, network::ReadOut::Last)] {
        let (network, statistics, windows) = prepared(seed, read_out);
        let outcome = best(&network, &statistics, 0.0625, &windows, 7, &Quiet).unwrap();
        let found = logits(&outcome.file, &windows, &Quiet).unwrap();
        let wanted: Vec<_> = windows.iter().map(|window| network.forward(window).logits).collect();
        let spread = |values: &[Vec<f32>]| values.iter().flatten().map(|x| x * x).sum::<f32>();
        let noise: f32 =
            found.iter().flatten().zip(wanted.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(noise < 1e-3 * spread(&wanted), "noise {noise}, signal {}", spread(&wanted));
        let same = found.iter().zip(&wanted).filter(|(a, b)| arg_max(a) == arg_max(b)).count();
        assert!(same >= 9, "{same} of 10 verdicts");
        let least = outcome.tried.iter().map(|trial| trial.error).fold(f64::INFINITY, f64::min);
        let kept = outcome.tried.iter().find(|trial| trial.blend == outcome.blend).unwrap();
        assert_eq!((outcome.tried.len(), kept.error), (Blend::TRIED.len(), least));
        assert_eq!(Model::new(outcome.file).unwrap().frontend(), 7);
    }
}

#[test]
fn sixteen_bit_rows_stay_within_their_bounds_and_keep_fifteen_bits_of_the_sum() {
    let mut random = crate::testing::Random(3);
    let weights: Vec<f32> = (0..64 * 3).map(|i| random.uniform() * [1e-3, 1.0, 50.0][i / 64]).collect();
    let parts = words(&[weights.clone(), vec![0.0; 64]].concat(), &[0.5; 4], 64, "dense").unwrap();
    for (row, (floats, words)) in weights.chunks(64).zip(parts.weights.chunks(64)).enumerate() {
        let sum: u32 = words.iter().map(|w| u32::from(w.unsigned_abs())).sum();
        assert!((60_000..=MAX_ROW_MAGNITUDE).contains(&sum), "{sum}");
        let step = parts.scales[row].scale() * STATE / UNIT;
        for (float, &word) in floats.iter().zip(words) {
            assert!((float - f32::from(word) * step).abs() <= 0.51 * step);
        }
    }
    assert!(parts.weights[3 * 64..].iter().all(|&w| w == 0));
    assert_eq!(parts.bias, [1 << 15; 4]);
    assert!(matches!(q16(1e6, "dense", 1), Err(QuantizeError::Bias { channel: 1, .. })));
}

#[test]
fn other_kinds_of_networks_are_named() {
    let kind = |network: &Network| check(network).unwrap_err().to_string();
    let two = crate::testing::network(1, 22, 8, network::ReadOut::Mean);
    assert!(kind(&two).contains("three convolutions"));
    assert!(kind(&crate::testing::without_lstm(1, 22, 8)).contains("no LSTM"));
    let narrow = network_of(1, 38, 64, &[(1, 16), (16, 16), (16, 16)], 16, network::ReadOut::Mean);
    assert!(kind(&narrow).contains("128 bands"));
    let (network, statistics, windows) = prepared(1, network::ReadOut::Mean);
    let odd = network_of(1, 38, MEL_BANDS, &[(1, 16), (16, 16), (16, 24)], 16, network::ReadOut::Mean);
    let mut of_odd = Statistics::new(&odd);
    windows.iter().for_each(|window| of_odd.add(&odd.forward(window)));
    let refused = best(&fold(&odd), &of_odd, 0.125, &windows, 7, &Quiet).unwrap_err();
    assert_eq!(refused, NativeError::Refused(ModelError::Shape { field: "channels" }));
    assert!(best(&network, &statistics, f32::NAN, &windows, 7, &Quiet).is_err());
}
