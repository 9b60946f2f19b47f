//! Convolution with a long response, block by block: uniformly partitioned overlap-save (Stockham 1966; Wefers,
//! *Partitioned convolution algorithms for real-time auralization*, 2015, chapter 5). The only file that names `realfft`.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Samples of one block: 46 ms at 22,050 Hz.
pub(super) const BLOCK: usize = 1024;

/// A response, cut into blocks and transformed. Immutable: shared by all that convolve with it.
pub(super) struct Kernel {
    partitions: Vec<Vec<Complex32>>,
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
}

impl Kernel {
    pub(super) fn new(response: &[f64]) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, backward) = (planner.plan_fft_forward(2 * BLOCK), planner.plan_fft_inverse(2 * BLOCK));
        let partitions = response.chunks(BLOCK).map(|chunk| {
            let mut padded = forward.make_input_vec();
            // The transforms there and back multiply by their length.
            padded.iter_mut().zip(chunk).for_each(|(to, x)| *to = *x as f32 / (2 * BLOCK) as f32);
            let mut spectrum = forward.make_output_vec();
            transformed(forward.process(&mut padded, &mut spectrum));
            spectrum
        });
        Self { partitions: partitions.collect(), forward, backward }
    }
}

/// What has been heard so far.
pub(super) struct Convolver {
    kernel: Arc<Kernel>,
    /// The block before, and the one at hand.
    window: Vec<f32>,
    /// Spectra of the last windows, a ring; `newest` is the last one's place.
    spectra: Vec<Vec<Complex32>>,
    newest: usize,
    sum: Vec<Complex32>,
    scratch: Vec<f32>,
}

impl Convolver {
    pub(super) fn new(kernel: Arc<Kernel>) -> Self {
        let spectrum = kernel.forward.make_output_vec();
        Self {
            window: vec![0.0; 2 * BLOCK],
            spectra: vec![spectrum.clone(); kernel.partitions.len().max(1)],
            newest: 0,
            sum: spectrum,
            scratch: vec![0.0; 2 * BLOCK],
            kernel,
        }
    }

    /// Replaces a block by its convolution with the response.
    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        self.window.copy_within(BLOCK.., 0);
        self.window[BLOCK..].copy_from_slice(block);
        let count = self.spectra.len();
        self.newest = (self.newest + 1) % count;
        self.scratch.copy_from_slice(&self.window);
        transformed(self.kernel.forward.process(&mut self.scratch, &mut self.spectra[self.newest]));
        self.sum.fill(Complex32::default());
        for (age, partition) in self.kernel.partitions.iter().enumerate() {
            let spectrum = &self.spectra[(self.newest + count - age) % count];
            let products = partition.iter().zip(spectrum).map(|(h, x)| h * x);
            self.sum.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        // Real signals have real values at 0 and at half the rate; rounding may have left a rest beside them.
        self.sum[0].im = 0.0;
        self.sum[BLOCK].im = 0.0;
        transformed(self.kernel.backward.process(&mut self.sum, &mut self.scratch));
        block.copy_from_slice(&self.scratch[BLOCK..]);
    }
}

/// Transforms fail on buffers of a wrong length alone.
#[expect(clippy::expect_used, reason = "every buffer is made by the plan or has its length")]
fn transformed(result: Result<(), realfft::FftError>) {
    result.expect("buffers have the plan's lengths");
}

#[cfg(test)]
mod tests {
    use super::super::super::SplitMix64;
    use super::*;

    #[test]
    fn agrees_with_the_sum_of_products() {
        let mut random = SplitMix64::new(3);
        let mut noise = |count: usize| (0..count).map(|_| random.signed()).collect::<Vec<f64>>();
        // Three partitions, the last one not full; five blocks.
        let (response, sound) = (noise(2 * BLOCK + 300), noise(5 * BLOCK));
        let mut convolver = Convolver::new(Arc::new(Kernel::new(&response)));
        for (index, chunk) in sound.as_chunks::<BLOCK>().0.iter().enumerate() {
            let mut block = chunk.map(|x| x as f32);
            convolver.process(&mut block);
            for at in [0, 1, 511, BLOCK - 1] {
                let n = index * BLOCK + at;
                let exact: f64 = (0..=n.min(response.len() - 1)).map(|k| response[k] * sound[n - k]).sum();
                // Sums of 2348 products of power 1/9: about 16; f32 transforms keep 1e-6 of that.
                assert!((f64::from(block[at]) - exact).abs() < 1e-4, "{n}: {} and {exact}", block[at]);
            }
        }
    }
}
