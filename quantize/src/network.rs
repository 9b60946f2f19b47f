//! The float network, typed: three kinds of layers and how they follow each other. Shapes are checked when a graph is
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

/// An LSTM that starts from zero. Gates in ONNX's order: input, output, forget, cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    /// Units.
    pub hidden: usize,
    /// Features per step: channel · bands + band.
    pub inputs: usize,
    /// Input projection, `[4 · hidden][inputs]`.
    pub weights: Vec<f32>,
    /// Recurrence, `[4 · hidden][hidden]`.
    pub recurrence: Vec<f32>,
    /// Sum of ONNX's two bias vectors, `[4 · hidden]`.
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

/// The whole network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Frames of one window.
    pub frames: usize,
    /// Bands of one frame.
    pub bands: usize,
    /// Convolutions, first to last.
    pub convs: Vec<Conv>,
    /// The recurrent layer.
    pub lstm: Lstm,
    /// What follows it.
    pub read_out: ReadOut,
    /// Features → logits.
    pub dense: Dense,
}

/// Everything that one window makes the network compute.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Per convolution: the sums before ReLU.
    pub sums: Vec<Plane<f32>>,
    /// Per convolution: what the next layer sees.
    pub pooled: Vec<Plane<f32>>,
    /// Per step: the gates' sums from the input projection, bias included.
    pub gates: Vec<Vec<f32>>,
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

impl Lstm {
    /// The gates' sums from one step's features.
    #[must_use]
    pub fn project(&self, features: &[f32]) -> Vec<f32> {
        products(&self.weights, features).zip(&self.bias).map(|(sum, bias)| sum + bias).collect()
    }

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
        self.dense.bias.len()
    }

    /// LSTM steps of one window.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.convs.iter().fold(self.frames, |frames, _| frames.saturating_sub(2) / 2)
    }

    /// Bands that reach the LSTM.
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
        let gates: Vec<_> = (0..x.frames).map(|step| self.lstm.project(&x.step(step))).collect();
        let logits = self.dense.forward(&self.read_out.read(&self.lstm.recur(&gates)));
        Trace { sums, pooled, gates, logits }
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
        let lstm = [&self.lstm.weights, &self.lstm.recurrence, &self.lstm.bias].into_iter().any(|v| bad(v));
        let dense = bad(&self.dense.weights) || bad(&self.dense.bias);
        conv.map(|c| c.name.clone()).or(lstm.then(|| "lstm".into())).or(dense.then(|| "dense".into()))
    }
}
