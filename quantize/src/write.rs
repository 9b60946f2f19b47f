//! Quantized network → ONNX graph, in the form that tract runs on integers.
//!
//! ```text
//! log_mel f32 [1, frames, bands]
//!   input       QuantizeLinear → i8;  image  Reshape → [1, 1, frames, bands]
//!   conv1 …     QLinearConv (per tensor, zero points 0), reluN Relu i8, poolN MaxPool i8
//!   steps_first Transpose, steps Reshape → i8 [steps, channels · bands]
//!   projection  MatMulInteger → i32;  Cast, Mul (scale per row), Add (bias) → f32 [steps, 4 · units]
//!   recurrence  Scan over the steps: (h, c, projected) → (h, c, h), the arithmetic of ONNX's LSTM in f32
//!   mean | last ReduceMean over the steps, or the Scan's last h
//!   dense       Gemm → logits f32 [1, labels]
//! ```
//! Without an LSTM the projected rows are the labels, and the graph ends with
//! ```text
//!   mean        ReduceMean over the steps → logits f32 [1, labels]
//! ```
//!
//! Not QDQ pairs: tract runs those in f32. Not per-channel convolutions: tract does not fuse them.

use std::collections::BTreeMap;

use crate::network::{Head, Lstm, ReadOut};
use crate::onnx::{Attribute, Data, Graph, Model, Node, Tensor, Value};
use crate::quantized::{QuantizedConv, QuantizedNetwork};

/// ONNX's operator set of the written graphs.
pub const OPSET: i64 = 17;

/// The int8 graph; `metadata` is written beside it.
#[must_use]
pub fn int8_model(network: &QuantizedNetwork, metadata: BTreeMap<String, String>) -> Model {
    let (frames, bands) = (network.frames, network.bands);
    let labels = network.head.labels(network.projection.bias.len());
    let mut writer = Writer::new("harmonynet_int8", Value::new("log_mel", &[1, frames, bands]));
    writer.constant("zero_point", &[], Data::I8(vec![0]));
    writer.scalar("input_scale", network.input_scale);
    writer.then("QuantizeLinear", "input", &["input_scale", "zero_point"], []);
    writer.reshape("image", &[1, 1, frames, bands]);
    for (index, conv) in network.convs.iter().enumerate() {
        convolution(&mut writer, conv, index + 1, network.scale_before(index));
    }
    projection(&mut writer, network);
    match &network.head {
        Head::Lstm(lstm) => recurrence(&mut writer, network.steps(), lstm),
        Head::Mean => writer.mean(&[0], true),
    }
    let graph = writer.finish("logits", &[1, labels]);
    Model { opset: OPSET, metadata, graph }
}

fn convolution(writer: &mut Writer, conv: &QuantizedConv, number: usize, input_scale: f32) {
    let name = |what: &str| format!("conv{number}_{what}");
    writer.scalar(&name("input_scale"), input_scale);
    writer.scalar(&name("weight_scale"), conv.weight_scale);
    writer.scalar(&name("output_scale"), conv.output_scale);
    writer.constant(&name("weight"), &[conv.outputs, conv.inputs, 3, 3], Data::I8(conv.weights.clone()));
    writer.constant(&name("bias"), &[conv.outputs], Data::I32(conv.bias.clone()));
    let parameters = [
        &name("input_scale"),
        "zero_point",
        &name("weight"),
        &name("weight_scale"),
        "zero_point",
        &name("output_scale"),
        "zero_point",
        &name("bias"),
    ];
    let geometry = [
        ("kernel_shape", Attribute::Ints(vec![3, 3])),
        ("strides", Attribute::Ints(vec![1, 1])),
        // Time begin, frequency begin, time end, frequency end.
        ("pads", Attribute::Ints(vec![0, 1, 0, 1])),
    ];
    writer.then("QLinearConv", &format!("conv{number}"), &parameters, geometry);
    writer.then("Relu", &format!("relu{number}"), &[], []);
    let two = || Attribute::Ints(vec![2, 2]);
    writer.then("MaxPool", &format!("pool{number}"), &[], [("kernel_shape", two()), ("strides", two())]);
}

fn projection(writer: &mut Writer, network: &QuantizedNetwork) {
    let projection = &network.projection;
    let rows = projection.bias.len();
    let inputs = projection.weights.len() / rows;
    writer.then("Transpose", "steps_first", &[], [("perm", Attribute::Ints(vec![2, 0, 1, 3]))]);
    writer.reshape("steps", &[network.steps(), inputs]);
    // MatMulInteger wants [inputs, rows].
    let turned = (0..inputs * rows).map(|i| projection.weights[i % rows * inputs + i / rows]).collect();
    writer.constant("projection_weight", &[inputs, rows], Data::I8(turned));
    let scales: Vec<f32> = projection.weight_scales.iter().map(|s| projection.input_scale * s).collect();
    writer.floats("projection_scale", &[rows], &scales);
    writer.floats("projection_bias", &[rows], &projection.bias);
    writer.then("MatMulInteger", "projection", &["projection_weight"], []);
    // 1 is ONNX's number of f32.
    writer.then("Cast", "projection_f32", &[], [("to", Attribute::Int(1))]);
    writer.then("Mul", "projection_scaled", &["projection_scale"], []);
    writer.then("Add", "projection_biased", &["projection_bias"], []);
}

/// Gates per step → logits.
fn recurrence(writer: &mut Writer, steps: usize, lstm: &Lstm) {
    let (units, labels) = (lstm.hidden, lstm.dense.bias.len());
    writer.reshape("gates", &[steps, 1, 4 * units]);
    writer.floats("zero_state", &[1, units], &vec![0.0; units]);
    let attributes = [("body", Attribute::Graph(lstm_body(lstm))), ("num_scan_inputs", Attribute::Int(1))];
    let outputs = ["last_h", "last_c", "outputs"].map(String::from);
    let gates = writer.at.clone();
    writer.node(
        "Scan",
        "recurrence",
        vec!["zero_state".into(), "zero_state".into(), gates],
        outputs.into(),
        attributes,
    );
    match lstm.read_out {
        ReadOut::Last => writer.at = "last_h".into(),
        ReadOut::Mean => {
            writer.at = "outputs".into();
            writer.mean(&[0], false);
        }
    }
    writer.floats("dense_weight", &[labels, units], &lstm.dense.weights);
    writer.floats("dense_bias", &[labels], &lstm.dense.bias);
    writer.then("Gemm", "dense", &["dense_weight", "dense_bias"], [("transB", Attribute::Int(1))]);
}

/// One step of ONNX's LSTM behind its input projection: (h, c, projected) → (h, c, h).
fn lstm_body(lstm: &Lstm) -> Graph {
    let units = lstm.hidden;
    let state = |name: &str| Value::new(name, &[1, units]);
    let mut body = Writer::new("lstm_step", state("h"));
    body.graph.inputs.push(state("c"));
    body.graph.inputs.push(Value::new("projected", &[1, 4 * units]));
    // [units, 4 · units], so that the row h multiplies it from the left.
    let turned: Vec<f32> =
        (0..4 * units * units).map(|i| lstm.recurrence[i % (4 * units) * units + i / (4 * units)]).collect();
    body.floats("recurrence_weight", &[units, 4 * units], &turned);
    body.constant("gate_sizes", &[4], Data::I64(vec![units as i64; 4]));
    body.then("MatMul", "recurrent", &["recurrence_weight"], []);
    body.then("Add", "sums", &["projected"], []);
    let gates = ["input_sum", "output_sum", "forget_sum", "cell_sum"].map(String::from);
    let inputs = vec![body.at.clone(), "gate_sizes".into()];
    body.node("Split", "gates", inputs, gates.into(), [("axis", Attribute::Int(1))]);
    let mut unary =
        |op: &str, from: &str, to: &str| body.node(op, to, vec![from.into()], vec![to.into()], []);
    unary("Sigmoid", "input_sum", "input_gate");
    unary("Sigmoid", "output_sum", "output_gate");
    unary("Sigmoid", "forget_sum", "forget_gate");
    unary("Tanh", "cell_sum", "candidate");
    let mut binary = |op: &str, a: &str, b: &str, to: &str| {
        body.node(op, to, vec![a.into(), b.into()], vec![to.into()], []);
    };
    binary("Mul", "forget_gate", "c", "kept");
    binary("Mul", "input_gate", "candidate", "added");
    binary("Add", "kept", "added", "next_c");
    body.node("Tanh", "shown", vec!["next_c".into()], vec!["shown".into()], []);
    body.node("Mul", "next_h", vec!["output_gate".into(), "shown".into()], vec!["next_h".into()], []);
    body.node("Identity", "output", vec!["next_h".into()], vec!["output".into()], []);
    body.graph.outputs = vec![state("next_h"), state("next_c"), state("output")];
    body.graph
}

/// Builds a graph whose nodes mostly form a chain.
pub(crate) struct Writer {
    pub(crate) graph: Graph,
    /// The chain's end: the next node's first input.
    pub(crate) at: String,
}

impl Writer {
    pub(crate) fn new(name: &str, input: Value) -> Self {
        let at = input.name.clone();
        Self { graph: Graph { name: name.into(), inputs: vec![input], ..Graph::default() }, at }
    }

    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], data: Data) {
        self.graph.constants.insert(name.into(), Tensor { shape: shape.into(), data });
    }

    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.constant(name, shape, Data::F32(values.to_vec()));
    }

    fn scalar(&mut self, name: &str, value: f32) {
        self.floats(name, &[], &[value]);
    }

    pub(crate) fn reshape(&mut self, name: &str, shape: &[usize]) {
        let constant = format!("{name}_shape");
        self.constant(&constant, &[shape.len()], Data::I64(shape.iter().map(|&n| n as i64).collect()));
        self.then("Reshape", name, &[&constant], []);
    }

    pub(crate) fn mean(&mut self, axes: &[i64], keep: bool) {
        let keep = Attribute::Int(keep.into());
        self.then("ReduceMean", "mean", &[], [("axes", Attribute::Ints(axes.into())), ("keepdims", keep)]);
    }

    /// The chain's next node: its first input is the chain's end, its output is named after it.
    pub(crate) fn then<const N: usize>(
        &mut self,
        op: &str,
        name: &str,
        parameters: &[&str],
        attributes: [(&str, Attribute); N],
    ) {
        let inputs =
            std::iter::once(self.at.clone()).chain(parameters.iter().map(|&p| p.to_owned())).collect();
        self.at = format!("{name}_out");
        self.node(op, name, inputs, vec![self.at.clone()], attributes);
    }

    pub(crate) fn node<const N: usize>(
        &mut self,
        op: &str,
        name: &str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: [(&str, Attribute); N],
    ) {
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
        self.graph.nodes.push(Node { name: name.into(), op: op.into(), inputs, outputs, attributes });
    }

    /// The graph, its last node's output renamed.
    pub(crate) fn finish(mut self, output: &str, shape: &[usize]) -> Graph {
        if let Some(name) = self.graph.nodes.last_mut().and_then(|node| node.outputs.first_mut()) {
            *name = output.into();
        }
        self.graph.outputs = vec![Value::new(output, shape)];
        self.graph
    }
}
