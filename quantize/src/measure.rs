//! What quantization loses per layer: the integer reference beside the float network on the same windows.
//!
//! Errors of earlier layers are in a later layer's figure, as they are in its input.

use crate::network::{Network, Trace};
use crate::parallel::{Progress, parallel};
use crate::quantized::{QuantizedNetwork, QuantizedTrace};

/// Signal and noise of one layer's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    /// Sum of squares of the float values.
    pub signal: f64,
    /// Sum of squares of the differences.
    pub noise: f64,
    /// Float values beyond what the scale holds.
    pub clipped: u64,
    /// Values compared.
    pub values: u64,
}

impl Noise {
    fn add(&mut self, wanted: f32, found: f32, limit: f32) {
        self.signal += f64::from(wanted) * f64::from(wanted);
        self.noise += f64::from(wanted - found) * f64::from(wanted - found);
        self.clipped += u64::from(wanted.abs() > limit);
        self.values += 1;
    }

    /// Of integers that are worth `scale` each.
    pub(crate) fn of_integers(wanted: &[f32], found: &[i32], scale: f32) -> Self {
        let mut noise = Self::default();
        wanted.iter().zip(found).for_each(|(&w, &f)| noise.add(w, f as f32 * scale, 127.5 * scale));
        noise
    }

    /// Of numbers that nothing clips.
    pub(crate) fn of_floats(wanted: &[f32], found: &[f32]) -> Self {
        let mut noise = Self::default();
        wanted.iter().zip(found).for_each(|(&w, &f)| noise.add(w, f, f32::INFINITY));
        noise
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.signal += other.signal;
        self.noise += other.noise;
        self.clipped += other.clipped;
        self.values += other.values;
    }

    /// Signal to quantization noise, decibels; 200 where there is no noise at all.
    #[must_use]
    pub fn sqnr_db(&self) -> f64 {
        if self.noise > 0.0 && self.signal > 0.0 {
            (10.0 * (self.signal / self.noise).log10()).min(200.0)
        } else {
            200.0
        }
    }

    /// Share of the values beyond what the scale holds.
    #[must_use]
    pub fn clipped_share(&self) -> f64 {
        self.clipped as f64 / self.values.max(1) as f64
    }
}

/// Noise of the input, each convolution, the projection and the logits, in this order, over `windows`.
///
/// `equalized` must be the network that `quantized` was made from.
#[must_use]
pub fn noises(
    equalized: &Network,
    quantized: &QuantizedNetwork,
    windows: &[Vec<f32>],
    progress: &dyn Progress,
) -> Vec<Noise> {
    let one = |window: &Vec<f32>| {
        let found = quantized.forward(window)?;
        Some(compare(quantized, window, &equalized.forward(window), &found))
    };
    let mut total = vec![Noise::default(); quantized.convs.len() + 3];
    for noises in parallel(windows, progress, one).into_iter().flatten() {
        total.iter_mut().zip(&noises).for_each(|(total, noise)| total.merge(noise));
    }
    total
}

fn compare(
    quantized: &QuantizedNetwork,
    window: &[f32],
    wanted: &Trace,
    found: &QuantizedTrace,
) -> Vec<Noise> {
    let input = Noise::of_integers(window, &quantized.plane(window).data, quantized.input_scale);
    let planes = wanted.pooled.iter().zip(&found.pooled).zip(&quantized.convs);
    let convs = planes.map(|((w, f), conv)| Noise::of_integers(&w.data, &f.data, conv.output_scale));
    let projection = Noise::of_floats(&wanted.rows.concat(), &found.rows.concat());
    let logits = Noise::of_floats(&wanted.logits, &found.logits);
    [input].into_iter().chain(convs).chain([projection, logits]).collect()
}
