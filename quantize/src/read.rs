//! Float ONNX graph → typed network, or a named reason why not.
//!
//! The contract's graph is one chain: layers in a fixed order, with layout nodes in between whose effect is followed
//! element by element ([`crate::layout`]). Whatever is not understood is refused; nothing is guessed.

mod check; // one node against the contract
mod error; // what is wrong with a graph
mod steps; // what follows the convolutions: layers over the steps

use self::check::{has, image, input, int, ints, shape, text};
pub use self::error::{ReadError, SUPPORTED};
use harmonynet::spec::{MAX_STEPS, MEL_BANDS, WindowLength};

use crate::layout::Layout;
use crate::network::{BatchNorm, Conv, Dense, Head, Linear, Lstm, Network, ReadOut};
use crate::onnx::{Attribute, Data, Graph, Model, Node, Tensor};

/// The window that the graph's input is.
///
/// # Errors
/// An input that is none of the contract's.
pub fn window(model: &Model) -> Result<WindowLength, ReadError> {
    let inputs = &model.graph.inputs;
    let wanted = || format!("[1, 8 · steps + 14, {MEL_BANDS}], 1 to {MAX_STEPS} steps");
    let Some(input) = inputs.first() else { return Err(shape("inputs", &[0], "one input, log_mel".into())) };
    let frames = input.shape.get(1).copied().unwrap_or(0);
    WindowLength::of_frames(frames)
        .ok_or_else(|| shape(&format!("input {}", input.name), &input.shape, wanted()))
}

/// Reads a graph whose input `log_mel` is `[1, frames, bands]` and whose output is `logits`.
///
/// # Errors
/// The node, weight or shape that is outside the contract.
pub fn read(model: &Model, frames: usize, bands: usize) -> Result<Network, ReadError> {
    let graph = with_constants(&model.graph);
    let [input] = graph.inputs.as_slice() else {
        return Err(shape("inputs", &[graph.inputs.len()], "one input, log_mel".into()));
    };
    if input.name != "log_mel"
        || input.shape.len() != 3
        || input.shape[0] > 1
        || input.shape[1..] != [frames, bands]
    {
        let what = format!("input {}", input.name);
        return Err(shape(&what, &input.shape, format!("log_mel [1, {frames}, {bands}]")));
    }
    let mut reader = Reader {
        graph: &graph,
        stage: Stage::Input,
        at: vec![(input.name.clone(), Layout::start(&[1, frames, bands]))],
        convs: vec![],
        projection: None,
        recurrence: None,
        read_out: ReadOut::Last,
        dense: None,
    };
    for node in graph.nodes.iter().filter(|n| n.op != "Constant") {
        reader.step(node)?;
    }
    let after = graph.nodes.last().map_or_else(|| "its input".into(), |n| n.name.clone());
    let Reader {
        stage: Stage::Logits,
        at,
        convs,
        projection: Some(projection),
        recurrence,
        read_out,
        dense,
        ..
    } = reader
    else {
        return Err(ReadError::Ends { after });
    };
    let head = match (recurrence, dense) {
        (Some((hidden, recurrence)), Some(dense)) => Head::Lstm(Lstm { hidden, recurrence, read_out, dense }),
        _ => Head::Mean,
    };
    let network = Network { frames, bands, convs, projection, head };
    let (name, layout) = &at[0];
    let one_each = [1, network.labels()];
    match graph.outputs.as_slice() {
        [output] if output.name == "logits" && output.name == *name => {}
        outputs => {
            let found: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
            let found = format!("output {}", found.join(" and "));
            return Err(shape(&found, &layout.shape, "logits, made by the last node".into()));
        }
    }
    if layout.shape != one_each || !layout.untouched() {
        return Err(shape(
            "output logits",
            &layout.shape,
            format!("{one_each:?}, the labels in their order"),
        ));
    }
    match network.not_finite() {
        Some(layer) => Err(ReadError::NotFinite { layer }),
        None => Ok(network),
    }
}

/// The graph with its Constant nodes among its constants.
fn with_constants(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    for node in graph.nodes.iter().filter(|n| n.op == "Constant") {
        if let (Some(Attribute::Tensor(tensor)), Some(name)) =
            (node.attributes.get("value"), node.outputs.first())
        {
            graph.constants.insert(name.clone(), tensor.clone());
        }
    }
    graph
}

/// How far the chain was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Input,
    Conv,
    Norm,
    Relu,
    Pool,
    Lstm,
    /// Behind a dense layer on every step.
    Steps,
    Logits,
}

struct Reader<'a> {
    graph: &'a Graph,
    stage: Stage,
    /// What the next node may take: names, and where each element started since the last layer.
    at: Vec<(String, Layout)>,
    convs: Vec<Conv>,
    projection: Option<Linear>,
    /// The LSTM's units and recurrence.
    recurrence: Option<(usize, Vec<f32>)>,
    read_out: ReadOut,
    dense: Option<Dense>,
}

impl Reader<'_> {
    fn step(&mut self, node: &Node) -> Result<(), ReadError> {
        let taken = self.at.iter().find(|(name, _)| node.inputs.first() == Some(name));
        let layout = taken.map(|(_, layout)| layout.clone());
        // An operator that nobody knows is the better message than the input that it takes.
        let known = SUPPORTED.split(", ").any(|op| op == node.op);
        let layout = match layout {
            _ if !known => {
                return Err(ReadError::Unsupported { node: node.name.clone(), op: node.op.clone() });
            }
            None => return Err(input(node, 0, "the previous node's output: the graph is one chain")),
            Some(layout) => layout,
        };
        let next = match (node.op.as_str(), self.stage) {
            ("Conv", Stage::Input | Stage::Pool) => self.conv(node, &layout)?,
            ("BatchNormalization", Stage::Conv) => self.norm(node, layout)?,
            ("Relu", Stage::Conv | Stage::Norm) => {
                self.stage = Stage::Relu;
                layout
            }
            ("MaxPool", Stage::Relu) => self.pool(node, &layout)?,
            ("LSTM", Stage::Pool) => return self.lstm(node, &layout),
            ("ReduceMean", Stage::Lstm) => self.mean(node, &layout)?,
            ("Gather", Stage::Lstm) => self.gather(node, &layout)?,
            ("Gemm", Stage::Lstm) => self.dense(node, &layout)?,
            ("Gemm" | "MatMul", Stage::Pool) => self.step_layer(node, &layout)?,
            ("Add", Stage::Steps) => self.step_bias(node, layout)?,
            ("ReduceMean", Stage::Steps) => self.mean_of_rows(node, &layout)?,
            ("Identity", _) => layout,
            ("Transpose" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", _) => {
                self.arrange(node, &layout)?
            }
            _ => return Err(ReadError::Order { node: node.name.clone(), op: node.op.clone() }),
        };
        self.at = vec![(node.outputs.first().cloned().unwrap_or_default(), next)];
        Ok(())
    }

    fn conv(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let inputs = self.channels();
        let [_, frames, bands] = image(node, layout, inputs)?;
        if frames < 4 || bands < 2 {
            return Err(shape(&node.name, &layout.shape, "at least 4 frames and 2 bands".into()));
        }
        ints(node, "kernel_shape", &[3, 3], true, "3×3")?;
        ints(
            node,
            "pads",
            &[0, 1, 0, 1],
            false,
            "[0, 1, 0, 1]: valid in time, one band of zeros on either side",
        )?;
        ints(node, "strides", &[1, 1], true, "1")?;
        ints(node, "dilations", &[1, 1], true, "1")?;
        int(node, "group", 1, 1, "1")?;
        text(node, "auto_pad", "NOTSET")?;
        let (extents, weights) = self.floats(node, 1)?;
        let [outputs, i, 3, 3] = extents[..] else {
            return Err(shape(&node.inputs[1], extents, "[outputs, inputs, 3, 3]".into()));
        };
        if i != inputs {
            return Err(shape(&node.inputs[1], extents, format!("{inputs} inputs")));
        }
        let weights = weights.to_vec();
        let bias = if has(node, 2) { self.vector(node, 2, outputs)? } else { vec![0.0; outputs] };
        self.convs.push(Conv { name: node.name.clone(), inputs, outputs, weights, bias, norm: None });
        self.stage = Stage::Conv;
        Ok(Layout::start(&[1, outputs, frames - 2, bands]))
    }

    fn norm(&mut self, node: &Node, layout: Layout) -> Result<Layout, ReadError> {
        int(node, "training_mode", 0, 0, "0")?;
        let [channels, ..] = image(node, &layout, self.channels())?;
        let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|i| self.vector(node, i, channels));
        let epsilon = match node.attributes.get("epsilon") {
            Some(Attribute::Float(epsilon)) => *epsilon,
            _ => 1e-5,
        };
        let norm = BatchNorm { scale: scale?, shift: shift?, mean: mean?, variance: variance?, epsilon };
        if norm.variance.iter().any(|&v| v + epsilon <= 0.0) {
            return Err(input(node, 4, "variances above −epsilon"));
        }
        if let Some(conv) = self.convs.last_mut() {
            conv.norm = Some(norm);
        }
        self.stage = Stage::Norm;
        Ok(layout)
    }

    fn pool(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        ints(node, "kernel_shape", &[2, 2], false, "2×2")?;
        ints(node, "strides", &[2, 2], false, "2")?;
        ints(node, "pads", &[0, 0, 0, 0], true, "0")?;
        ints(node, "dilations", &[1, 1], true, "1")?;
        int(node, "ceil_mode", 0, 0, "0")?;
        text(node, "auto_pad", "NOTSET")?;
        let [channels, frames, bands] = image(node, layout, self.channels())?;
        self.stage = Stage::Pool;
        Ok(Layout::start(&[1, channels, frames / 2, bands / 2]))
    }

    /// Transpose, Reshape, Squeeze, Unsqueeze, Flatten.
    fn arrange(&self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let rank = layout.shape.len() as i64;
        let arranged = match node.op.as_str() {
            "Transpose" => match node.attributes.get("perm") {
                Some(Attribute::Ints(perm)) => layout.transpose(perm),
                _ => layout.transpose(&(0..rank).rev().collect::<Vec<_>>()),
            },
            "Reshape" => layout.reshape(self.integers(node, 1)?.1),
            "Flatten" => {
                let axis = match node.attributes.get("axis") {
                    Some(Attribute::Int(axis)) => axis.rem_euclid(rank + 1) as usize,
                    _ => 1,
                };
                let first: usize = layout.shape.iter().take(axis).product();
                layout.reshape(&[first as i64, -1])
            }
            op => {
                let grown = if op == "Unsqueeze" { rank + self.axes(node)?.len() as i64 } else { rank };
                let axes: Vec<i64> = self.axes(node)?.iter().map(|a| a.rem_euclid(grown)).collect();
                let mut old = layout.shape.iter().map(|&n| n as i64);
                let squeezed = |axis: i64| axes.contains(&axis);
                let extents: Vec<i64> = if op == "Unsqueeze" {
                    (0..grown).map(|axis| if squeezed(axis) { 1 } else { old.next().unwrap_or(1) }).collect()
                } else {
                    (0..).zip(old).filter(|&(axis, _)| !squeezed(axis)).map(|(_, n)| n).collect()
                };
                layout.reshape(&extents)
            }
        };
        arranged.ok_or_else(|| shape(&node.name, &layout.shape, "an arrangement that fits its input".into()))
    }

    /// Channels that the last layer gives.
    fn channels(&self) -> usize {
        self.convs.last().map_or(1, |c| c.outputs)
    }

    fn frames(&self) -> usize {
        self.graph.inputs[0].shape[1]
    }

    fn bands(&self) -> usize {
        self.graph.inputs[0].shape[2]
    }

    fn steps(&self) -> usize {
        self.convs.iter().fold(self.frames(), |frames, _| (frames - 2) / 2)
    }

    /// Axes from the attribute (operator set below 13 or 18) or the second input.
    fn axes(&self, node: &Node) -> Result<Vec<i64>, ReadError> {
        match node.attributes.get("axes") {
            Some(Attribute::Ints(axes)) => Ok(axes.clone()),
            _ => Ok(self.integers(node, 1)?.1.to_vec()),
        }
    }

    fn constant(&self, node: &Node, index: usize) -> Option<&Tensor> {
        self.graph.constants.get(node.inputs.get(index)?)
    }

    fn floats(&self, node: &Node, index: usize) -> Result<(&[usize], &[f32]), ReadError> {
        match self.constant(node, index) {
            Some(Tensor { shape, data: Data::F32(values) }) => Ok((shape, values)),
            _ => Err(input(node, index, "a constant of 32-bit floats")),
        }
    }

    fn integers(&self, node: &Node, index: usize) -> Result<(&[usize], &[i64]), ReadError> {
        match self.constant(node, index) {
            Some(Tensor { shape, data: Data::I64(values) }) => Ok((shape, values)),
            _ => Err(input(node, index, "a constant of 64-bit integers")),
        }
    }

    fn vector(&self, node: &Node, index: usize, len: usize) -> Result<Vec<f32>, ReadError> {
        let (extents, values) = self.floats(node, index)?;
        if values.len() == len {
            Ok(values.to_vec())
        } else {
            Err(shape(&node.inputs[index], extents, format!("{len} values")))
        }
    }
}

#[cfg(test)]
mod tests;
