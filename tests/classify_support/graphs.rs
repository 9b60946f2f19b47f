//! Graphs of the streaming contract with two channels, four units and three labels. Weights are pseudo-random.

use super::onnx::Attribute::{Graph as Body, Int, Ints};
use super::onnx::{Graph, Values};
use harmonynet::spec::WindowLength;

/// Labels of every graph here.
pub(crate) const LABELS: usize = 3;
const CHANNELS: usize = 2;
const UNITS: usize = 4;
/// Features of one step: channels × bands after three poolings.
const FEATURES: usize = CHANNELS * 16;

/// Pseudo-random numbers from -1 to 1 (the 64-bit LCG of Knuth's MMIX).
pub(crate) fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(step).collect()
}

fn bytes(count: usize, seed: u64) -> Vec<i8> {
    noise(count, seed).iter().map(|x| (x * 127.0) as i8).collect()
}

fn named(outer: &str, inner: &str) -> String {
    format!("{outer}_{inner}")
}

/// How a layer of [`layered`] computes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In floating point.
    Float,
    /// On 8-bit integers.
    Int8,
    /// In floating point between integers, as quantizing exporters write it.
    Qdq,
}

/// How the recurrent layer is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recurrent {
    /// As ONNX's LSTM operator.
    Lstm,
    /// As an integer projection and a scan.
    Scan,
}

/// Three convolutions, a recurrent layer, the mean over time and a dense layer, over the shipped models' window.
pub(crate) fn layered(convolutions: [Form; 3], recurrent: Recurrent) -> Vec<u8> {
    layered_over(WindowLength::SHIPPED, convolutions, recurrent)
}

/// [`layered`] over another window.
pub(crate) fn layered_over(window: WindowLength, convolutions: [Form; 3], recurrent: Recurrent) -> Vec<u8> {
    let (frames, steps) = (window.frames() as i64, window.steps() as i64);
    let image = vec![1, 1, frames, 128];
    let mut graph = Graph::default()
        .input("log_mel", &[1, frames, 128])
        .output("logits", &[1, LABELS as i64])
        .tensor("scale", &[], Values::F32(vec![0.125]))
        .tensor("zero", &[], Values::I8(vec![0]))
        .tensor("image_shape", &[4], Values::I64(image))
        .node("Reshape", &["log_mel", "image_shape"], &["image"], &[]);
    let mut wire = "image".to_owned();
    let mut form = Form::Float;
    for (index, next) in convolutions.into_iter().enumerate() {
        (graph, wire) = as_form(graph, wire, form, next);
        form = next;
        (graph, wire) = convolution(graph, &wire, index + 1, form);
    }
    let to = if recurrent == Recurrent::Scan { Form::Int8 } else { Form::Float };
    (graph, wire) = as_form(graph, wire, form, to);
    graph = graph.node("Transpose", &[&wire], &["steps_first"], &[("perm", Ints(vec![2, 0, 1, 3]))]);
    graph = match recurrent {
        Recurrent::Lstm => lstm(graph, steps),
        Recurrent::Scan => scan(graph, steps),
    };
    graph
        .tensor("dense_weight", &[UNITS as i64, LABELS as i64], Values::F32(noise(UNITS * LABELS, 91)))
        .tensor("dense_bias", &[LABELS as i64], Values::F32(noise(LABELS, 92)))
        .node("Gemm", &["mean", "dense_weight", "dense_bias"], &["logits"], &[])
        .file()
}

/// Converts between integers and floating point where two layers differ.
fn as_form(graph: Graph, wire: String, from: Form, to: Form) -> (Graph, String) {
    let (from, to) = (from == Form::Int8, to == Form::Int8);
    let op = match (from, to) {
        (false, true) => "QuantizeLinear",
        (true, false) => "DequantizeLinear",
        _ => return (graph, wire),
    };
    let out = named(&wire, op);
    (graph.node(op, &[&wire, "scale", "zero"], &[&out], &[]), out)
}

fn convolution(mut graph: Graph, wire: &str, number: usize, form: Form) -> (Graph, String) {
    let inputs = if number == 1 { 1 } else { CHANNELS };
    let (count, shape) = (CHANNELS * inputs * 9, [CHANNELS as i64, inputs as i64, 3, 3]);
    let layer = format!("conv{number}");
    let (weight, bias, seed) = (named(&layer, "weight"), named(&layer, "bias"), number as u64);
    let geometry = [("kernel_shape", Ints(vec![3, 3])), ("pads", Ints(vec![0, 1, 0, 1]))];
    if form == Form::Int8 {
        let scale = named(&layer, "scale");
        graph = graph
            .tensor(&weight, &shape, Values::I8(bytes(count, seed)))
            .tensor(&scale, &[], Values::F32(vec![0.004]))
            .tensor(&bias, &[CHANNELS as i64], Values::I32(vec![40, -30]));
        let wires = [wire, "scale", "zero", &weight, &scale, "zero", "scale", "zero", &bias];
        graph = graph.node("QLinearConv", &wires, &[&layer], &geometry);
    } else {
        let values = noise(count, seed).iter().map(|x| x * 0.5).collect();
        graph = graph
            .tensor(&weight, &shape, Values::F32(values))
            .tensor(&bias, &[CHANNELS as i64], Values::F32(vec![0.1, -0.1]))
            .node("Conv", &[wire, &weight, &bias], &[&layer], &geometry);
    }
    if form == Form::Qdq {
        let (quantized, back) = (named(&layer, "quantized"), named(&layer, "dequantized"));
        graph = graph.node("QuantizeLinear", &[&layer, "scale", "zero"], &[&quantized], &[]).node(
            "DequantizeLinear",
            &[&quantized, "scale", "zero"],
            &[&back],
            &[],
        );
        return finish_convolution(graph, &back, number);
    }
    finish_convolution(graph, &layer, number)
}

fn finish_convolution(graph: Graph, wire: &str, number: usize) -> (Graph, String) {
    let (relu, pool) = (format!("relu{number}"), format!("pool{number}"));
    let geometry = [("kernel_shape", Ints(vec![2, 2])), ("strides", Ints(vec![2, 2]))];
    (graph.node("Relu", &[wire], &[&relu], &[]).node("MaxPool", &[&relu], &[&pool], &geometry), pool)
}

fn lstm(graph: Graph, steps: i64) -> Graph {
    let (gates, features, units) = (4 * UNITS as i64, FEATURES as i64, UNITS as i64);
    graph
        .tensor("steps_shape", &[3], Values::I64(vec![steps, 1, features]))
        .node("Reshape", &["steps_first", "steps_shape"], &["steps"], &[])
        .tensor("lstm_weight", &[1, gates, features], Values::F32(noise(4 * UNITS * FEATURES, 81)))
        .tensor("lstm_recurrence", &[1, gates, units], Values::F32(noise(4 * UNITS * UNITS, 82)))
        .node("LSTM", &["steps", "lstm_weight", "lstm_recurrence"], &["lstm"], &[("hidden_size", Int(units))])
        .node("ReduceMean", &["lstm"], &["mean"], &[("axes", Ints(vec![0, 1])), ("keepdims", Int(0))])
}

/// The projection on integers, then `h ← tanh(h · R + x)`: a recurrence of the same kind as an LSTM's, but shorter.
fn scan(graph: Graph, steps: i64) -> Graph {
    let (features, units) = (FEATURES as i64, UNITS as i64);
    let body = Graph::default()
        .input("h", &[1, units])
        .input("x", &[1, units])
        .output("next_h", &[1, units])
        .output("shown", &[1, units])
        .tensor("recurrence_weight", &[units, units], Values::F32(noise(UNITS * UNITS, 84)))
        .node("MatMul", &["h", "recurrence_weight"], &["recurrent"], &[])
        .node("Add", &["recurrent", "x"], &["sum"], &[])
        .node("Tanh", &["sum"], &["next_h"], &[])
        .node("Identity", &["next_h"], &["shown"], &[]);
    graph
        .tensor("steps_shape", &[2], Values::I64(vec![steps, features]))
        .node("Reshape", &["steps_first", "steps_shape"], &["steps"], &[])
        .tensor("projection_weight", &[features, units], Values::I8(bytes(FEATURES * UNITS, 83)))
        .node("MatMulInteger", &["steps", "projection_weight"], &["projection"], &[])
        .node("Cast", &["projection"], &["projection_f32"], &[("to", Int(1))])
        .tensor("projection_scale", &[], Values::F32(vec![0.0005]))
        .node("Mul", &["projection_f32", "projection_scale"], &["projection_scaled"], &[])
        .tensor("gates_shape", &[3], Values::I64(vec![steps, 1, units]))
        .node("Reshape", &["projection_scaled", "gates_shape"], &["gates"], &[])
        .tensor("h0", &[1, units], Values::F32(vec![0.0; UNITS]))
        .node(
            "Scan",
            &["h0", "gates"],
            &["last_h", "states"],
            &[("body", Body(body)), ("num_scan_inputs", Int(1))],
        )
        .node("ReduceMean", &["states"], &["mean"], &[("axes", Ints(vec![0])), ("keepdims", Int(0))])
}

/// A graph whose logits are three values of the window: (frame, band) = (0, 0), (1, 5) and (165, 127).
pub(crate) fn picking() -> Vec<u8> {
    picking_with(1.0)
}

/// [`picking`], the values multiplied by `gain`.
pub(crate) fn picking_with(gain: f32) -> Vec<u8> {
    let mut weights = vec![0.0; 166 * 128 * LABELS];
    for (label, (frame, band)) in [(0, 0), (1, 5), (165, 127)].into_iter().enumerate() {
        weights[(frame * 128 + band) * LABELS + label] = gain;
    }
    Graph::default()
        .input("log_mel", &[1, 166, 128])
        .output("logits", &[1, LABELS as i64])
        .tensor("flat_shape", &[2], Values::I64(vec![1, 166 * 128]))
        .node("Reshape", &["log_mel", "flat_shape"], &["flat"], &[])
        .tensor("weights", &[166 * 128, LABELS as i64], Values::F32(weights))
        .node("MatMul", &["flat", "weights"], &["logits"], &[])
        .file()
}

/// A graph that takes the mean along an axis that its input doesn't have.
pub(crate) fn without_axis() -> Vec<u8> {
    Graph::default()
        .input("log_mel", &[1, 166, 128])
        .output("logits", &[1, LABELS as i64])
        .node("ReduceMean", &["log_mel"], &["logits"], &[("axes", Ints(vec![58]))])
        .file()
}

/// A dense layer on the mean over time, under other names or shapes than the contract's; `op` is the dense layer's.
pub(crate) fn misnamed(input: &str, shape: &[i64], output: &str, op: &str) -> Vec<u8> {
    Graph::default()
        .input(input, shape)
        .output(output, &[1, LABELS as i64])
        .tensor("weights", &[shape[shape.len() - 1], LABELS as i64], Values::F32(vec![0.0; 128 * LABELS]))
        .node("ReduceMean", &[input], &["mean"], &[("axes", Ints(vec![1])), ("keepdims", Int(0))])
        .node(op, &["mean", "weights"], &["logits"], &[])
        .file()
}
