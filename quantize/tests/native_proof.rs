//! The native engine's arithmetic held against tract's, on the shipped int8 graph: with the same per-tensor parameters each
//! layer, fed tract's own input to it, gives what tract gives. `--nocapture` prints the largest differences.
//!
//! tract stays the reference that proves the native engine right; that all its kernels compute the same integers is
//! proved beside them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use harmonynet::capture::demo::{Piece, render};
use harmonynet::classify::native::{CONVS, Kernel, Layers, Model, Random};
use harmonynet::frontend::Frontend;
use harmonynet::spec::{FrontendSpec, LOG_MEL_LIMIT, MEL_BANDS, SAMPLE_RATE_HZ, WindowLength};
use quantize::native::per_tensor;
use quantize::network::{Dense, Head, Lstm, ReadOut};
use quantize::onnx::{Attribute, Data, Engine, Graph, Model as Onnx, Node, Value};
use quantize::quantized::{Projection, QuantizedConv, QuantizedNetwork};

type Bands = [i16; MEL_BANDS];

/// Largest difference of a step of an activation, and of a gate's argument in Q15.16: one rounding rule may fall on the
/// other side of a tie than the other's.
const STEP: f64 = 1.0;
/// Largest difference of an LSTM's output and cell.
const STATE: f64 = 1.0 / 128.0;
/// Largest difference of a probability.
const PROBABILITY: f64 = 0.01;
/// 1.0 of a gate's argument, Q15.16.
const UNIT: f64 = 65_536.0;

/// Self-made music, and what no music is: noise, and values anywhere in the range with the extremes among them.
fn windows() -> Vec<Vec<Bands>> {
    let frames = WindowLength::SHIPPED.frames();
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let mut all: Vec<Vec<Bands>> = vec![];
    for piece in Piece::ALL {
        let samples: Vec<i32> = render(piece, SAMPLE_RATE_HZ).take(22_050 * 20).collect();
        let bands: Vec<Bands> = frontend.frames(&samples).iter().map(|frame| frame.bands).collect();
        all.extend(bands.chunks_exact(frames).map(<[Bands]>::to_vec));
    }
    assert!(all.len() >= 6, "{} windows of music", all.len());
    let mut random = Random::new(1);
    let limit = i32::from(LOG_MEL_LIMIT);
    for spread in [300, 1500, 4000, limit] {
        let levels: [i32; MEL_BANDS] = core::array::from_fn(|_| random.within(spread));
        let mut value = |band: usize| (levels[band] + random.within(spread)).clamp(-limit, limit) as i16;
        all.push((0..frames).map(|_| core::array::from_fn(&mut value)).collect());
    }
    all
}

/// What tract is given: octaves.
fn octaves(window: &[Bands]) -> Vec<f32> {
    window.iter().flatten().map(|&value| f32::from(value) / 256.0).collect()
}

/// Reads the shipped graph's constants.
struct Constants<'a>(&'a Graph);

impl Constants<'_> {
    fn floats(&self, name: &str) -> Vec<f32> {
        match &self.0.constants[name].data {
            Data::F32(numbers) => numbers.clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn bytes(&self, name: &str) -> Vec<i8> {
        match &self.0.constants[name].data {
            Data::I8(numbers) => numbers.clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn words(&self, name: &str) -> Vec<i32> {
        match &self.0.constants[name].data {
            Data::I32(numbers) => numbers.clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn conv(&self, number: usize) -> QuantizedConv {
        let name = |what: &str| format!("conv{number}_{what}");
        let shape = &self.0.constants[&name("weight")].shape;
        QuantizedConv {
            name: format!("conv{number}"),
            inputs: shape[1],
            outputs: shape[0],
            weights: self.bytes(&name("weight")),
            weight_scale: self.floats(&name("weight_scale"))[0],
            bias: self.words(&name("bias")),
            input_scale: self.floats(&name("input_scale"))[0],
            output_scale: self.floats(&name("output_scale"))[0],
        }
    }
}

/// `[columns][rows]` as `[rows][columns]`.
fn turned<T: Copy>(matrix: &[T], rows: usize) -> Vec<T> {
    let columns = matrix.len() / rows;
    (0..matrix.len()).map(|i| matrix[i % columns * rows + i / columns]).collect()
}

fn scan(graph: &mut Graph) -> &mut Node {
    graph.nodes.iter_mut().find(|node| node.op == "Scan").unwrap()
}

fn body(scan: &mut Node) -> &mut Graph {
    match scan.attributes.get_mut("body") {
        Some(Attribute::Graph(body)) => body,
        other => panic!("{other:?}"),
    }
}

/// The network that the shipped graph runs.
fn network(onnx: &mut Onnx) -> QuantizedNetwork {
    let body = body(scan(&mut onnx.graph)).clone();
    let constants = Constants(&onnx.graph);
    let bias = constants.floats("projection_bias");
    let hidden = bias.len() / 4;
    let mean = onnx.graph.nodes.iter().any(|node| node.op == "ReduceMean");
    let lstm = Lstm {
        hidden,
        recurrence: turned(&Constants(&body).floats("recurrence_weight"), 4 * hidden),
        read_out: if mean { ReadOut::Mean } else { ReadOut::Last },
        dense: Dense { weights: constants.floats("dense_weight"), bias: constants.floats("dense_bias") },
    };
    QuantizedNetwork {
        frames: WindowLength::SHIPPED.frames(),
        bands: MEL_BANDS,
        input_scale: constants.floats("input_scale")[0],
        convs: (1..=CONVS).map(|number| constants.conv(number)).collect(),
        projection: Projection {
            weights: turned(&constants.bytes("projection_weight"), bias.len()),
            // The graph holds the product of both scales.
            weight_scales: constants.floats("projection_scale"),
            input_scale: 1.0,
            bias,
        },
        head: Head::Lstm(lstm),
    }
}

/// Shows the recurrence's cells beside its outputs.
fn show_cells(graph: &mut Graph) {
    let scan = scan(graph);
    scan.outputs.push("cells".into());
    let body = body(scan);
    let shape = body.outputs[1].shape.clone();
    body.nodes.push(Node {
        name: "cell".into(),
        op: "Identity".into(),
        inputs: vec!["next_c".into()],
        outputs: vec!["cell".into()],
        attributes: Default::default(),
    });
    body.outputs.push(Value { name: "cell".into(), shape });
}

/// What of tract's values is compared.
const SHOWN: [&str; 8] =
    ["input_out", "pool1_out", "pool2_out", "pool3_out", "gates_out", "outputs", "cells", "logits"];

/// tract's `[channel][frame][band]` as ours, `[frame][band][channel]`.
fn plane(values: &[f32], channels: usize, bands: usize) -> Vec<i8> {
    let positions = values.len() / channels;
    assert_eq!(positions % bands, 0);
    (0..values.len()).map(|i| values[i % channels * positions + i / channels] as i8).collect()
}

fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    let most = logits.iter().fold(f32::MIN, |most, &x| most.max(x));
    let raised: Vec<f64> = logits.iter().map(|&x| (f64::from(x - most) / temperature).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|x| x / sum).collect()
}

/// The largest difference of each of a list of values.
#[derive(Default)]
struct Largest(Vec<(&'static str, f64, f64)>);

impl Largest {
    fn add(&mut self, what: &'static str, bound: f64, ours: impl Iterator<Item = f64>, theirs: &[f32]) {
        let mut count = 0;
        let off = ours.zip(theirs).map(|(a, &b)| (a - f64::from(b)).abs()).inspect(|_| count += 1);
        let off = off.fold(0.0, f64::max);
        assert_eq!(count, theirs.len(), "{what}: another number of values");
        match self.0.iter_mut().find(|(known, ..)| *known == what) {
            Some((.., most)) => *most = most.max(off),
            None => self.0.push((what, bound, off)),
        }
    }

    fn check(&self) {
        for (what, bound, off) in &self.0 {
            println!("{what:58} {off:.6}, at most {bound:.6}");
        }
        for (what, bound, off) in &self.0 {
            assert!(off <= bound, "{what}: {off}, at most {bound}");
        }
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../models/harmonynet/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn temperature() -> f64 {
    let manifest = String::from_utf8(file("manifest.toml")).unwrap();
    manifest.lines().find_map(|line| line.strip_prefix("temperature = ")).unwrap().parse().unwrap()
}

#[test]
fn every_layer_gives_what_tract_gives() {
    let mut onnx = Onnx::decode(&file("int8.onnx")).unwrap();
    let network = network(&mut onnx);
    let parts = per_tensor(&network, FrontendSpec::SHIPPED.fingerprint()).unwrap();
    let model = Model::new(parts.to_file().unwrap()).unwrap();
    show_cells(&mut onnx.graph);
    let shown = Engine::load(&onnx.encode(), &SHOWN).unwrap();
    let whole = Engine::load(&file("int8.onnx"), &[]).unwrap();
    let layers = Layers::new(&model, Kernel::best());
    let (rows, hidden, temperature) = (model.shape().gate_rows(), model.shape().hidden, temperature());
    let mut largest = Largest::default();
    let (windows, mut moving) = (windows(), [0usize; CONVS]);
    for window in &windows {
        let theirs: [Vec<f32>; 8] = shown.run(&octaves(window)).unwrap().try_into().unwrap();
        let [input, pools @ .., gates, outputs, cells, logits] = &theirs;
        let ours = window.iter().flat_map(|bands| layers.input(bands));
        largest.add("input, steps", STEP, ours.map(f64::from), input);

        let mut before = plane(input, 1, MEL_BANDS);
        for (conv, theirs) in pools.iter().enumerate() {
            let channels = model.shape().channels[conv];
            let theirs = plane(theirs, channels, MEL_BANDS >> (conv + 1));
            let ours = layers.pooled(conv, &before).unwrap();
            moving[conv] += theirs.iter().filter(|&&x| x > 0 && x < 127).count();
            let what = ["convolution 1, steps", "convolution 2, steps", "convolution 3, steps"][conv];
            let wanted: Vec<f32> = theirs.iter().map(|&x| x.into()).collect();
            largest.add(what, STEP, ours.into_iter().map(f64::from), &wanted);
            before = theirs;
        }
        let steps = before.chunks_exact(model.shape().features());
        let ours: Vec<i32> = steps.flat_map(|features| layers.projected(features).unwrap()).collect();
        let wanted: Vec<f32> = gates.iter().map(|x| x * UNIT as f32).collect();
        largest.add("projection, steps of 2^-16", STEP, ours.iter().map(|&x| x.into()), &wanted);

        // The recurrence on tract's projections.
        let given: Vec<i32> = gates.iter().map(|&x| (f64::from(x) * UNIT).round() as i32).collect();
        assert_eq!(given.len(), rows * model.shape().steps);
        let states = layers.states(&given);
        let h = states.iter().flat_map(|state| &state.h).map(|&h| f64::from(h) / 32_768.0);
        largest.add("LSTM, output", STATE, h, outputs);
        let c = states.iter().flat_map(|state| &state.c).map(|&c| f64::from(c) / UNIT);
        largest.add("LSTM, cell", STATE, c, cells);
        assert_eq!(outputs.len(), hidden * states.len());
        let float: Vec<f32> = probabilities(logits, temperature).iter().map(|&p| p as f32).collect();
        let ours = probabilities(&layers.logits(&given), temperature).into_iter();
        largest.add("probabilities behind tract's projections", PROBABILITY, ours, &float);

        // Everything, beside the graph as it is shipped.
        let shipped = probabilities(&whole.run(&octaves(window)).unwrap()[0], temperature);
        let shipped: Vec<f32> = shipped.iter().map(|&p| p as f32).collect();
        let scores = model.scores_of_window(window, temperature as f32, Kernel::best()).unwrap();
        let ours = scores.into_iter().map(f64::from);
        largest.add("probabilities of the whole network", PROBABILITY, ours, &shipped);
    }
    println!("{} windows, kernel {}; largest differences:", windows.len(), Kernel::best().name());
    largest.check();
    assert!(moving.iter().all(|&n| n > 10_000), "{moving:?}: hardly an activation was tried");
}
