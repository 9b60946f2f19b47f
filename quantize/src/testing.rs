//! Small random networks and their float graphs, for tests.

use std::collections::BTreeMap;

use crate::network::{BatchNorm, Conv, Dense, Head, Linear, Lstm, Network, ReadOut};
use crate::onnx::{Attribute, Model, Value};
use crate::write::{OPSET, Writer};

/// A seeded generator: a linear congruence, its upper bits.
pub(crate) struct Random(pub(crate) u32);

impl Random {
    /// Uniform in ±1.
    pub(crate) fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    }

    fn vector(&mut self, len: usize, size: f32) -> Vec<f32> {
        (0..len).map(|_| self.uniform() * size).collect()
    }
}

/// Two convolutions of 3 and 4 channels, whose sizes differ a hundredfold, an LSTM of 5 units and 3 labels.
pub(crate) fn network(seed: u32, frames: usize, bands: usize, read_out: ReadOut) -> Network {
    network_of(seed, frames, bands, &[(1, 3), (3, 4)], 5, read_out)
}

/// Convolutions of the given inputs and outputs, whose channels differ in size, an LSTM and 3 labels.
pub(crate) fn network_of(
    seed: u32,
    frames: usize,
    bands: usize,
    channels: &[(usize, usize)],
    hidden: usize,
    read_out: ReadOut,
) -> Network {
    let mut random = Random(seed);
    let mut convs = vec![];
    for (index, &(inputs, outputs)) in channels.iter().enumerate() {
        let mut weights = random.vector(outputs * inputs * 9, 0.5);
        weights.iter_mut().enumerate().for_each(|(i, w)| *w *= 0.1 + 3.0 * (i / (inputs * 9)) as f32);
        let norm = BatchNorm {
            scale: (0..outputs).map(|_| 1.0 + 0.5 * random.uniform()).collect(),
            shift: random.vector(outputs, 0.5),
            mean: random.vector(outputs, 0.5),
            variance: (0..outputs).map(|c| 0.5 + 4.0 * c as f32).collect(),
            epsilon: 1e-3,
        };
        let name = format!("conv{}", index + 1);
        convs.push(Conv {
            name,
            inputs,
            outputs,
            weights,
            bias: random.vector(outputs, 0.2),
            norm: Some(norm),
        });
    }
    let features = channels.last().map_or(1, |&(_, outputs)| outputs);
    let (labels, inputs) = (3, features * (bands >> channels.len()));
    let weights = random.vector(4 * hidden * inputs, 1.0 / (inputs as f32).sqrt());
    let recurrence = random.vector(4 * hidden * hidden, 0.5);
    let projection = Linear { inputs, weights, bias: random.vector(4 * hidden, 0.3) };
    let dense = Dense { weights: random.vector(labels * hidden, 3.0), bias: random.vector(labels, 0.3) };
    Network {
        frames,
        bands,
        convs,
        projection,
        head: Head::Lstm(Lstm { hidden, recurrence, read_out, dense }),
    }
}

/// The same convolutions; a dense layer of 3 labels on every step, averaged.
pub(crate) fn without_lstm(seed: u32, frames: usize, bands: usize) -> Network {
    let network = network(seed, frames, bands, ReadOut::Mean);
    let (mut random, inputs) = (Random(seed ^ 0x5bd1), network.projection.inputs);
    let projection = Linear { inputs, weights: random.vector(3 * inputs, 0.3), bias: random.vector(3, 0.3) };
    Network { projection, head: Head::Mean, ..network }
}

/// Windows in the range of log-mel values: a level per band, noise around it.
pub(crate) fn windows(seed: u32, count: usize, network: &Network) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let mut one = || {
        let level: Vec<f32> = (0..network.bands).map(|_| 3.0 * random.uniform()).collect();
        (0..network.frames * network.bands)
            .map(|i| level[i % network.bands] + 4.0 * random.uniform())
            .collect()
    };
    (0..count).map(|_| one()).collect()
}

/// The float graph in the exporter's form.
pub(crate) fn float_model(network: &Network) -> Model {
    let (frames, bands, labels) = (network.frames, network.bands, network.labels());
    let mut writer = Writer::new("float", Value::new("log_mel", &[1, frames, bands]));
    writer.reshape("image", &[1, 1, frames, bands]);
    for (index, conv) in network.convs.iter().enumerate() {
        let n = index + 1;
        let (weight, bias) = (format!("conv{n}_weight"), format!("conv{n}_bias"));
        writer.floats(&weight, &[conv.outputs, conv.inputs, 3, 3], &conv.weights);
        writer.floats(&bias, &[conv.outputs], &conv.bias);
        writer.then(
            "Conv",
            &format!("conv{n}"),
            &[&weight, &bias],
            [("pads", Attribute::Ints(vec![0, 1, 0, 1]))],
        );
        if let Some(norm) = &conv.norm {
            let names = ["scale", "shift", "mean", "variance"].map(|what| format!("norm{n}_{what}"));
            for (name, values) in names.iter().zip([&norm.scale, &norm.shift, &norm.mean, &norm.variance]) {
                writer.floats(name, &[conv.outputs], values);
            }
            let epsilon = [("epsilon", Attribute::Float(norm.epsilon))];
            writer.then(
                "BatchNormalization",
                &format!("norm{n}"),
                &names.each_ref().map(String::as_str),
                epsilon,
            );
        }
        writer.then("Relu", &format!("relu{n}"), &[], []);
        let two = || Attribute::Ints(vec![2, 2]);
        writer.then("MaxPool", &format!("pool{n}"), &[], [("kernel_shape", two()), ("strides", two())]);
    }
    writer.then("Transpose", "steps_first", &[], [("perm", Attribute::Ints(vec![2, 0, 1, 3]))]);
    match &network.head {
        Head::Lstm(lstm) => recurrent(&mut writer, network, lstm),
        Head::Mean => {
            let Linear { inputs, weights, bias } = &network.projection;
            writer.reshape("steps", &[network.steps(), *inputs]);
            writer.floats("dense_weight", &[labels, *inputs], weights);
            writer.floats("dense_bias", &[labels], bias);
            writer.then("Gemm", "dense", &["dense_weight", "dense_bias"], [("transB", Attribute::Int(1))]);
            writer.mean(&[0], true);
        }
    }
    let names: Vec<String> = (0..labels).map(|label| format!("\"label{label}\"")).collect();
    let metadata = BTreeMap::from([("labels".into(), format!("[{}]", names.join(",")))]);
    Model { opset: OPSET, metadata, graph: writer.finish("logits", &[1, labels]) }
}

fn recurrent(writer: &mut Writer, network: &Network, lstm: &Lstm) {
    let (hidden, labels) = (lstm.hidden, lstm.dense.bias.len());
    let Linear { inputs, weights, bias } = &network.projection;
    writer.reshape("steps", &[network.steps(), 1, *inputs]);
    writer.floats("lstm_weight", &[1, 4 * hidden, *inputs], weights);
    writer.floats("lstm_recurrence", &[1, 4 * hidden, hidden], &lstm.recurrence);
    writer.floats("lstm_bias", &[1, 8 * hidden], &[bias.clone(), vec![0.0; 4 * hidden]].concat());
    let inputs = [writer.at.as_str(), "lstm_weight", "lstm_recurrence", "lstm_bias"].map(String::from);
    let outputs = ["lstm_out", "lstm_last"].map(String::from);
    let units = [("hidden_size", Attribute::Int(hidden as i64))];
    writer.node("LSTM", "lstm", inputs.into(), outputs.into(), units);
    match lstm.read_out {
        ReadOut::Mean => {
            writer.at = "lstm_out".into();
            writer.mean(&[0, 1], false);
        }
        ReadOut::Last => {
            writer.at = "lstm_last".into();
            writer.reshape("last", &[1, hidden]);
        }
    }
    writer.floats("dense_weight", &[labels, hidden], &lstm.dense.weights);
    writer.floats("dense_bias", &[labels], &lstm.dense.bias);
    writer.then("Gemm", "dense", &["dense_weight", "dense_bias"], [("transB", Attribute::Int(1))]);
}

/// Asserts that two lists are equal within `tolerance` of their largest magnitude.
pub(crate) fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32) {
    let size = wanted.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    assert_eq!(found.len(), wanted.len());
    for (i, (f, w)) in found.iter().zip(wanted).enumerate() {
        assert!(
            (f - w).abs() <= tolerance * size,
            "value {i}: {f} instead of {w}, tolerance {tolerance} of {size}"
        );
    }
}
