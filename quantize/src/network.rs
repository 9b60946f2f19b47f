//! The float network, typed: its kinds of layers and how they follow each other. Shapes are checked when a graph is
//! read ([`crate::read`]), so the arithmetic here doesn't doubt them.
//!
//! The forward pass is the f32 twin of the integer reference in [`crate::quantized`]; both call [`crate::plane`].

use crate::plane::{Kernel, Plane, convolve, max_pool};

/// Batch norm's five numbers per channel, as ONNX names them.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Factor.
    pub scale: Vec<f32>,
    /// Added last.
    pub shift: Vec<f32>,
    /// Subtracted first.
    pub mean: Vec<f32>,
    /// Divides by its root, together with `epsilon`.
    pub variance: Vec<f32>,
    /// Keeps the division finite.
    pub epsilon: f32,
}

/// Convolution 3×3 (valid in time, zero-padded in frequency), batch norm, ReLU, max-pool 2×2.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// The node's name.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// `[output][input][frame][band]`.
    pub weights: Vec<f32>,
    /// One per output.
    pub bias: Vec<f32>,
    /// Not yet folded batch norm.
    pub norm: Option<BatchNorm>,
}

/// The layer that reads each step's features: an LSTM's input projection, or the dense layer of a network without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Features per step: channel · bands + band.
    pub inputs: usize,
    /// `[rows][inputs]`.
    pub weights: Vec<f32>,
    /// One per row.
    pub bias: Vec<f32>,
}

/// What of the LSTM's outputs the dense layer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOut {
    /// Their mean over the steps.
    Mean,
    /// The last one.
    Last,
}

/// The last layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[labels][hidden]`.
    pub weights: Vec<f32>,
    /// One per label.
    pub bias: Vec<f32>,
}

/// An LSTM that starts from zero, behind its input projection, and the dense layer that reads it. Gates in ONNX's order:
/// input, output, forget, cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    /// Units.
    pub hidden: usize,
    /// Recurrence, `[4 · hidden][hidden]`.
    pub recurrence: Vec<f32>,
    /// What of its outputs the dense layer sees.
    pub read_out: ReadOut,
    /// Outputs → logits.
    pub dense: Dense,
}

/// What makes logits of the projected steps. It stays in floating point.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// The projected rows are an LSTM's gates.
    Lstm(Lstm),
    /// The projected rows are labels, averaged over the steps.
    Mean,
}

/// The whole network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Frames of one window.
    pub frames: usize,
    /// Bands of one frame.
    pub bands: usize,
    /// Convolutions, first to last.
    pub convs: Vec<Conv>,
    /// Each step's features → rows. The projection's bias includes both of ONNX's LSTM bias vectors.
    pub projection: Linear,
    /// Rows → logits.
    pub head: Head,
}

/// Everything that one window makes the network compute.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Per convolution: the sums before ReLU.
    pub sums: Vec<Plane<f32>>,
    /// Per convolution: what the next layer sees.
    pub pooled: Vec<Plane<f32>>,
    /// Per step: the projected rows, bias included.
    pub rows: Vec<Vec<f32>>,
    /// One per label.
    pub logits: Vec<f32>,
}

impl Conv {
    /// The sums before ReLU, batch norm applied.
    #[must_use]
    pub fn forward(&self, input: &Plane<f32>) -> Plane<f32> {
        let sums = convolve(input, &Kernel::new(self.inputs, self.outputs, &self.weights), &self.bias);
        match &self.norm {
            None => sums,
            Some(norm) => sums.map(|c, x| {
                (x - norm.mean[c]) / (norm.variance[c] + norm.epsilon).sqrt() * norm.scale[c] + norm.shift[c]
            }),
        }
    }

    /// Weights that read input channel `input`, for every output.
    pub fn reading(&self, input: usize) -> impl Iterator<Item = f32> + '_ {
        self.weights.chunks_exact(9).skip(input).step_by(self.inputs).flatten().copied()
    }

    /// Weights that make output channel `output`.
    #[must_use]
    pub fn making(&self, output: usize) -> &[f32] {
        let row = self.inputs * 9;
        &self.weights[output * row..(output + 1) * row]
    }
}

/// Sums of `rows`, each a row of `weights`, times `input`.
fn products<'a>(weights: &'a [f32], input: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    weights.chunks_exact(input.len()).map(move |row| row.iter().zip(input).map(|(w, x)| w * x).sum())
}

impl Linear {
    /// The weights of each row.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.weights.chunks_exact(self.inputs)
    }

    /// The rows of one step's features.
    #[must_use]
    pub fn project(&self, features: &[f32]) -> Vec<f32> {
        products(&self.weights, features).zip(&self.bias).map(|(sum, bias)| sum + bias).collect()
    }
}

impl Lstm {
    /// The outputs per step, from the gates' sums per step.
    #[must_use]
    pub fn recur(&self, gates: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let units = self.hidden;
        let (mut h, mut c) = (vec![0f32; units], vec![0f32; units]);
        let step = |projected: &Vec<f32>| {
            let sums: Vec<f32> = products(&self.recurrence, &h).zip(projected).map(|(r, p)| r + p).collect();
            for u in 0..units {
                let [input, output, forget] = [0, 1, 2].map(|gate| sigmoid(sums[gate * units + u]));
                c[u] = forget * c[u] + input * sums[3 * units + u].tanh();
                h[u] = output * c[u].tanh();
            }
            h.clone()
        };
        gates.iter().map(step).collect()
    }
}

impl Head {
    /// The logits of a window's projected steps.
    #[must_use]
    pub fn logits(&self, rows: &[Vec<f32>]) -> Vec<f32> {
        match self {
            Self::Lstm(lstm) => lstm.dense.forward(&lstm.read_out.read(&lstm.recur(rows))),
            Self::Mean => ReadOut::Mean.read(rows),
        }
    }

    /// Number of labels, where the projection has `rows`.
    #[must_use]
    pub fn labels(&self, rows: usize) -> usize {
        match self {
            Self::Lstm(lstm) => lstm.dense.bias.len(),
            Self::Mean => rows,
        }
    }
}

impl ReadOut {
    /// What the dense layer sees of the outputs per step.
    #[must_use]
    pub fn read(self, outputs: &[Vec<f32>]) -> Vec<f32> {
        let units = outputs.first().map_or(0, Vec::len);
        match self {
            Self::Last => outputs.last().cloned().unwrap_or_default(),
            Self::Mean => {
                (0..units).map(|u| outputs.iter().map(|h| h[u]).sum::<f32>() / outputs.len() as f32).collect()
            }
        }
    }
}

impl Dense {
    /// Features → logits.
    #[must_use]
    pub fn forward(&self, features: &[f32]) -> Vec<f32> {
        products(&self.weights, features).zip(&self.bias).map(|(sum, bias)| sum + bias).collect()
    }
}

impl Network {
    /// Number of labels.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.head.labels(self.projection.bias.len())
    }

    /// Steps of one window.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.convs.iter().fold(self.frames, |frames, _| frames.saturating_sub(2) / 2)
    }

    /// Bands that reach the projection.
    #[must_use]
    pub fn bands_out(&self) -> usize {
        self.bands >> self.convs.len()
    }

    /// One window as a plane: `[frames][bands]`, octaves.
    #[must_use]
    pub fn plane(&self, window: &[f32]) -> Plane<f32> {
        assert_eq!(window.len(), self.frames * self.bands, "a window is frames × bands");
        Plane { frames: self.frames, bands: self.bands, channels: 1, data: window.to_vec() }
    }

    /// Computes one window, `[frames][bands]` octaves.
    #[must_use]
    pub fn forward(&self, window: &[f32]) -> Trace {
        let mut x = self.plane(window);
        let (mut sums, mut pooled) = (vec![], vec![]);
        for conv in &self.convs {
            let out = conv.forward(&x);
            x = max_pool(&out).map(|_, sum| sum.max(0.0));
            sums.push(out);
            pooled.push(x.clone());
        }
        let rows: Vec<_> = (0..x.frames).map(|step| self.projection.project(&x.step(step))).collect();
        let logits = self.head.logits(&rows);
        Trace { sums, pooled, rows, logits }
    }

    /// The first layer with a weight that is no number, by name.
    #[must_use]
    pub fn not_finite(&self) -> Option<String> {
        let bad = |values: &[f32]| values.iter().any(|x| !x.is_finite());
        let conv = self.convs.iter().find(|c| {
            let norm = c.norm.as_ref().is_some_and(|n| {
                [&n.scale, &n.shift, &n.mean, &n.variance].into_iter().any(|values| bad(values))
            });
            bad(&c.weights) || bad(&c.bias) || norm
        });
        let projection = bad(&self.projection.weights) || bad(&self.projection.bias);
        let (lstm, dense) = match &self.head {
            Head::Lstm(Lstm { recurrence, dense, .. }) => {
                (projection || bad(recurrence), bad(&dense.weights) || bad(&dense.bias))
            }
            Head::Mean => (false, projection),
        };
        conv.map(|c| c.name.clone()).or(lstm.then(|| "lstm".into())).or(dense.then(|| "dense".into()))
    }
}
