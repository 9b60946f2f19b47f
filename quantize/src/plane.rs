//! The two-dimensional arithmetic of the network, once for f32 and once more for integers: the float forward pass and
//! the integer reference are the same code.
//!
//! Not here: weights (see [`crate::network`], [`crate::quantized`]), rounding, speed beyond what calibration needs.

use std::ops::{AddAssign, Mul};

/// A number that a convolution can sum.
pub trait Number: Copy + Default + PartialOrd + Mul<Output = Self> + AddAssign + Send + Sync {}
impl<T: Copy + Default + PartialOrd + Mul<Output = T> + AddAssign + Send + Sync> Number for T {}

/// Activations of one window: value (frame, band, channel) at index `(frame · bands + band) · channels + channel`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane<T> {
    /// Extent in time.
    pub frames: usize,
    /// Extent in frequency.
    pub bands: usize,
    /// Channels per position.
    pub channels: usize,
    /// `frames · bands · channels` values.
    pub data: Vec<T>,
}

impl<T: Number> Plane<T> {
    /// The channels at a position.
    #[must_use]
    pub fn at(&self, frame: usize, band: usize) -> &[T] {
        let start = (frame * self.bands + band) * self.channels;
        &self.data[start..start + self.channels]
    }

    /// The same plane with every value passed through `f`, which is told the channel.
    pub fn map<U>(&self, f: impl Fn(usize, T) -> U) -> Plane<U> {
        let data = self.data.iter().enumerate().map(|(i, &x)| f(i % self.channels, x)).collect();
        Plane { frames: self.frames, bands: self.bands, channels: self.channels, data }
    }

    /// The features of one LSTM step, channel-major: index = channel · bands + band.
    #[must_use]
    pub fn step(&self, frame: usize) -> Vec<T> {
        let mut features = vec![T::default(); self.bands * self.channels];
        for band in 0..self.bands {
            for (channel, &x) in self.at(frame, band).iter().enumerate() {
                features[channel * self.bands + band] = x;
            }
        }
        features
    }
}

/// A 3×3 kernel in the order that [`convolve`] reads: `[frame][band][input][output]`.
#[derive(Clone, Debug)]
pub struct Kernel<T> {
    inputs: usize,
    outputs: usize,
    weights: Vec<T>,
}

impl<T: Number> Kernel<T> {
    /// Reorders ONNX's `[output][input][frame][band]`.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, onnx: &[T]) -> Self {
        assert_eq!(onnx.len(), inputs * outputs * 9, "a kernel is outputs × inputs × 3 × 3");
        let mut weights = vec![T::default(); onnx.len()];
        for (i, &w) in onnx.iter().enumerate() {
            let (output, input, tap) = (i / (9 * inputs), i / 9 % inputs, i % 9);
            weights[(tap * inputs + input) * outputs + output] = w;
        }
        Self { inputs, outputs, weights }
    }
}

/// Convolution 3×3, valid in time, zero-padded by one band on either side; sums start from `bias`.
#[must_use]
pub fn convolve<T: Number>(input: &Plane<T>, kernel: &Kernel<T>, bias: &[T]) -> Plane<T> {
    assert_eq!((input.channels, bias.len()), (kernel.inputs, kernel.outputs), "channels of input and bias");
    let frames = input.frames.saturating_sub(2);
    let mut data = Vec::with_capacity(frames * input.bands * kernel.outputs);
    for frame in 0..frames {
        for band in 0..input.bands {
            let start = data.len();
            data.extend_from_slice(bias);
            let sums = &mut data[start..];
            for tap in 0..9 {
                let Some(band) = (band + tap % 3).checked_sub(1).filter(|&b| b < input.bands) else {
                    continue;
                };
                let weights = &kernel.weights[tap * kernel.inputs * kernel.outputs..];
                for (&x, row) in
                    input.at(frame + tap / 3, band).iter().zip(weights.chunks_exact(kernel.outputs))
                {
                    // Half of the values behind a ReLU are zero.
                    if x != T::default() {
                        for (sum, &w) in sums.iter_mut().zip(row) {
                            *sum += x * w;
                        }
                    }
                }
            }
        }
    }
    Plane { frames, bands: input.bands, channels: kernel.outputs, data }
}

/// 2×2 max-pooling by floor. It keeps order, so it commutes with whatever rises with its input: ReLU, adding a bias,
/// requantization.
#[must_use]
pub fn max_pool<T: Number>(input: &Plane<T>) -> Plane<T> {
    let (frames, bands, channels) = (input.frames / 2, input.bands / 2, input.channels);
    let mut data = Vec::with_capacity(frames * bands * channels);
    for frame in 0..frames {
        for band in 0..bands {
            let start = data.len();
            data.extend_from_slice(input.at(2 * frame, 2 * band));
            for corner in 1..4 {
                let values = input.at(2 * frame + corner / 2, 2 * band + corner % 2);
                for (best, &x) in data[start..].iter_mut().zip(values) {
                    if x > *best {
                        *best = x;
                    }
                }
            }
        }
    }
    Plane { frames, bands, channels, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<i32> {
        (0..n as i32).map(|i| (i * 7919) % 23 - 11).collect()
    }

    #[test]
    fn convolution_is_the_textbook_sum() {
        let (inputs, outputs) = (2, 3);
        let plane = Plane { frames: 5, bands: 4, channels: inputs, data: numbers(5 * 4 * inputs) };
        let weights = numbers(inputs * outputs * 9);
        let bias = [100, 200, 300];
        let out = convolve(&plane, &Kernel::new(inputs, outputs, &weights), &bias);
        assert_eq!((out.frames, out.bands, out.channels), (3, 4, 3));
        for (frame, band, o) in (0..3).flat_map(|t| (0..4).flat_map(move |f| (0..3).map(move |o| (t, f, o))))
        {
            let mut sum = bias[o];
            for (kt, kf, i) in
                (0..3).flat_map(|a| (0..3).flat_map(move |b| (0..inputs).map(move |i| (a, b, i))))
            {
                if (1..=4).contains(&(band + kf)) {
                    sum += plane.at(frame + kt, band + kf - 1)[i]
                        * weights[((o * inputs + i) * 3 + kt) * 3 + kf];
                }
            }
            assert_eq!(out.at(frame, band)[o], sum, "frame {frame} band {band} output {o}");
        }
    }

    #[test]
    fn pooling_takes_the_largest_of_four_and_drops_the_rest() {
        let plane = Plane { frames: 3, bands: 2, channels: 1, data: vec![-1i32, -2, -3, 4, 9, 9] };
        assert_eq!(max_pool(&plane), Plane { frames: 1, bands: 1, channels: 1, data: vec![4] });
        let negative = plane.map(|_, x| -x.abs());
        assert_eq!(max_pool(&negative).data, [-1]);
    }

    #[test]
    fn a_step_is_channel_major() {
        let plane = Plane { frames: 1, bands: 2, channels: 3, data: vec![0, 1, 2, 10, 11, 12] };
        assert_eq!(plane.step(0), [0, 10, 1, 11, 2, 12]);
    }
}
