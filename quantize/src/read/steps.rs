//! What follows the convolutions: an LSTM, its read-out and a dense layer; or a dense layer on every step and the mean.

use super::check::{has, input, int, shape, text};
use super::{ReadError, Reader, Stage};
use crate::layout::Layout;
use crate::network::{Dense, Linear, ReadOut};
use crate::onnx::{Attribute, Data, Node, Tensor};

impl Reader<'_> {
    pub(super) fn lstm(&mut self, node: &Node, layout: &Layout) -> Result<(), ReadError> {
        let inputs = self.features(node, layout)?;
        let steps = self.steps();
        if layout.shape != [steps, 1, inputs] {
            return Err(shape(&node.name, &layout.shape, format!("[{steps}, 1, {inputs}]")));
        }
        let (extents, recurrence) = self.floats(node, 2)?;
        let [1, rows, hidden] = extents[..] else {
            return Err(shape(&node.inputs[2], extents, "[1, 4 · units, units]".into()));
        };
        if rows != 4 * hidden || hidden == 0 {
            return Err(shape(&node.inputs[2], extents, "[1, 4 · units, units]".into()));
        }
        let recurrence = recurrence.to_vec();
        let (extents, weights) = self.floats(node, 1)?;
        if *extents != [1, rows, inputs] {
            return Err(shape(&node.inputs[1], extents, format!("[1, {rows}, {inputs}]")));
        }
        let weights = weights.to_vec();
        int(node, "hidden_size", hidden as i64, hidden as i64, "the number of units of its weights")?;
        int(node, "layout", 0, 0, "0: time first")?;
        int(node, "input_forget", 0, 0, "0")?;
        text(node, "direction", "forward")?;
        for attribute in ["activations", "clip"] {
            if node.attributes.contains_key(attribute) {
                return Err(ReadError::Attribute { node: node.name.clone(), attribute, allowed: "none" });
            }
        }
        for i in 4..8 {
            let zeros = |t: &Tensor| matches!(&t.data, Data::F32(x) if x.iter().all(|&v| v == 0.0));
            if has(node, i) && !self.graph.constants.get(&node.inputs[i]).is_some_and(zeros) {
                return Err(input(
                    node,
                    i,
                    "left out: the LSTM starts from zero, without lengths or peepholes",
                ));
            }
        }
        let bias = if has(node, 3) { self.vector(node, 3, 2 * rows)? } else { vec![0.0; 2 * rows] };
        let bias = (0..rows).map(|row| bias[row] + bias[rows + row]).collect();
        self.projection = Some(Linear { inputs, weights, bias });
        self.recurrence = Some((hidden, recurrence));
        self.stage = Stage::Lstm;
        let all = Layout::start(&[steps, 1, 1, hidden]);
        let last =
            Layout { shape: vec![1, 1, hidden], order: ((steps - 1) * hidden..steps * hidden).collect() };
        self.at =
            node.outputs.iter().cloned().zip([all, last]).filter(|(name, _)| !name.is_empty()).collect();
        Ok(())
    }

    /// The mean of the LSTM's outputs.
    pub(super) fn mean(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let hidden = self.hidden();
        let shape = self.mean_over_steps(node, layout, hidden)?;
        self.read_out = ReadOut::Mean;
        // From here on, the elements are the means: where the last step's outputs would be.
        let last = (self.steps() - 1) * hidden..self.steps() * hidden;
        Ok(Layout { shape, order: last.collect() })
    }

    /// The mean of the labels' rows.
    pub(super) fn mean_of_rows(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let labels = self.projection.as_ref().map_or(0, |projection| projection.bias.len());
        let shape = self.mean_over_steps(node, layout, labels)?;
        self.stage = Stage::Logits;
        Ok(Layout::start(&shape))
    }

    /// The shape of a mean that joins exactly one value of each step, `width` values in their order.
    fn mean_over_steps(&self, node: &Node, layout: &Layout, width: usize) -> Result<Vec<usize>, ReadError> {
        let axes = self.axes(node)?;
        let keep = matches!(node.attributes.get("keepdims"), None | Some(Attribute::Int(1)));
        let groups = layout.groups(&axes).unwrap_or_default();
        let whole = groups.iter().enumerate().all(|(value, group)| {
            let mut group = group.clone();
            group.sort_unstable();
            group.into_iter().eq((0..self.steps()).map(|step| step * width + value))
        });
        if groups.len() != width || !whole {
            return Err(shape(&node.name, &layout.shape, "the mean over the steps".into()));
        }
        let rank = layout.shape.len() as i64;
        let reduced = |axis: usize| axes.iter().any(|&a| a.rem_euclid(rank) == axis as i64);
        let extents = layout.shape.iter().enumerate().filter(|&(axis, _)| keep || !reduced(axis));
        Ok(extents.map(|(axis, &n)| if reduced(axis) { 1 } else { n }).collect())
    }

    pub(super) fn gather(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let axis = match node.attributes.get("axis") {
            Some(Attribute::Int(axis)) => *axis,
            _ => 0,
        };
        let (extents, indices) = self.integers(node, 1)?;
        let ([] | [1], [index]) = (extents, indices) else { return Err(input(node, 1, "one index")) };
        let chosen = layout.select(axis, *index);
        chosen.ok_or_else(|| shape(&node.name, &layout.shape, "an index inside its axis".into()))
    }

    /// The dense layer behind an LSTM.
    pub(super) fn dense(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let (hidden, steps) = (self.hidden(), self.steps());
        let last = ((steps - 1) * hidden..steps * hidden).eq(layout.order.iter().copied());
        if layout.shape != [1, hidden] || !last {
            let wanted = format!("[1, {hidden}]: the mean or the last of the LSTM's outputs");
            return Err(shape(&node.name, &layout.shape, wanted));
        }
        let (weights, bias) = self.gemm(node, hidden)?;
        let labels = bias.len();
        self.dense = Some(Dense { weights, bias });
        self.stage = Stage::Logits;
        Ok(Layout::start(&[1, labels]))
    }

    /// The dense layer on every step, where there is no LSTM.
    pub(super) fn step_layer(&mut self, node: &Node, layout: &Layout) -> Result<Layout, ReadError> {
        let inputs = self.features(node, layout)?;
        let (weights, bias) = match node.op.as_str() {
            "Gemm" if layout.shape.len() != 2 => {
                return Err(shape(&node.name, &layout.shape, format!("[{}, {inputs}]", self.steps())));
            }
            "Gemm" => self.gemm(node, inputs)?,
            _ => {
                let (weights, rows) = self.columns(node, inputs)?;
                (weights, vec![0.0; rows])
            }
        };
        let mut extents = layout.shape.clone();
        if let Some(last) = extents.last_mut() {
            *last = bias.len();
        }
        self.projection = Some(Linear { inputs, weights, bias });
        self.stage = Stage::Steps;
        Ok(Layout::start(&extents))
    }

    /// The bias behind a MatMul on every step.
    pub(super) fn step_bias(&mut self, node: &Node, layout: Layout) -> Result<Layout, ReadError> {
        let rows = layout.shape.last().copied().unwrap_or(0);
        let added = self.vector(node, 1, rows)?;
        let bias = self.projection.iter_mut().flat_map(|projection| &mut projection.bias);
        bias.zip(added).for_each(|(bias, added)| *bias += added);
        Ok(layout)
    }

    /// Weights, a row per output, and biases of a Gemm.
    fn gemm(&self, node: &Node, inputs: usize) -> Result<(Vec<f32>, Vec<f32>), ReadError> {
        for attribute in ["alpha", "beta"] {
            if !matches!(node.attributes.get(attribute), None | Some(Attribute::Float(1.0))) {
                return Err(ReadError::Attribute { node: node.name.clone(), attribute, allowed: "1" });
            }
        }
        int(node, "transA", 0, 0, "0")?;
        let (weights, rows) = if matches!(node.attributes.get("transB"), Some(Attribute::Int(1))) {
            match self.floats(node, 1)? {
                (&[rows, found], weights) if found == inputs => (weights.to_vec(), rows),
                (extents, _) => {
                    return Err(shape(
                        &node.inputs[1],
                        extents,
                        format!("[labels, {inputs}] with transB = 1"),
                    ));
                }
            }
        } else {
            self.columns(node, inputs)?
        };
        let bias = if has(node, 2) { self.vector(node, 2, rows)? } else { vec![0.0; rows] };
        Ok((weights, bias))
    }

    /// Weights `[inputs, outputs]` of the second input, turned to a row per output; how many there are.
    fn columns(&self, node: &Node, inputs: usize) -> Result<(Vec<f32>, usize), ReadError> {
        let (extents, weights) = self.floats(node, 1)?;
        let &[found, rows] = extents else {
            return Err(shape(&node.inputs[1], extents, format!("[{inputs}, labels]")));
        };
        if found != inputs {
            return Err(shape(&node.inputs[1], extents, format!("[{inputs}, labels]")));
        }
        let turned = |i: usize| weights[i % inputs * rows + i / inputs];
        Ok(((0..weights.len()).map(turned).collect(), rows))
    }

    /// Checks that the steps' features arrive in the contract's order; how many there are in a step.
    fn features(&self, node: &Node, layout: &Layout) -> Result<usize, ReadError> {
        let (steps, channels) = (self.steps(), self.channels());
        let bands = self.bands() >> self.convs.len();
        let inputs = channels * bands;
        let expected = Layout::start(&[channels, steps, bands]).transpose(&[1, 0, 2]);
        if layout.shape.last() == Some(&inputs) && expected.is_some_and(|e| e.order == layout.order) {
            return Ok(inputs);
        }
        let wanted = format!("{steps} steps of {inputs} features, feature = channel · {bands} + band");
        Err(shape(&node.name, &layout.shape, wanted))
    }

    /// Units of the LSTM.
    fn hidden(&self) -> usize {
        self.recurrence.as_ref().map_or(1, |(hidden, _)| *hidden)
    }
}
