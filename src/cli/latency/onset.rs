//! Where a known sound begins in a recording, to a fraction of a sample: a matched filter.
//!
//! The correlation of the recording with the sound, over the root of the product of both energies, is 1 where the recording holds
//! the sound at whatever level, and small elsewhere. Its greatest value near an onset and the two beside it lie on a parabola to
//! good approximation, whose vertex is the onset. What that costs in accuracy is measured in the tests.

/// Correlation from which on something is the sound. Two uncorrelated sounds of a thousand samples stay below 0.1.
const FOUND: f32 = 0.6;
/// Energy below which nothing is looked for, relative to the known sound's: −46 dB.
const QUIET: f64 = 2.5e-5;

/// Finds one known sound.
pub(super) struct MatchedFilter {
    known: Vec<f32>,
    energy: f64,
}

/// An onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Onset {
    /// Where the sound begins, samples of the recording.
    pub(super) at: f64,
    /// How alike it is, 0–1.
    pub(super) likeness: f32,
}

impl MatchedFilter {
    pub(super) fn new(known: Vec<f32>) -> Self {
        let energy = known.iter().map(|x| f64::from(*x).powi(2)).sum();
        Self { known, energy }
    }

    /// Every onset in `recording`, in order, no two closer than the sound is long.
    pub(super) fn onsets(&self, recording: &[f32]) -> Vec<Onset> {
        let length = self.known.len();
        let likeness = self.likeness(recording);
        let mut onsets = Vec::new();
        let mut at = 0;
        while at < likeness.len() {
            if likeness[at] < FOUND {
                at += 1;
                continue;
            }
            let end = (at + length).min(likeness.len());
            let peak = (at..end).max_by(|a, b| likeness[*a].total_cmp(&likeness[*b])).unwrap_or(at);
            onsets.push(Onset { at: peak as f64 + vertex(&likeness, peak), likeness: likeness[peak] });
            at = peak + length;
        }
        onsets
    }

    /// How alike the recording is to the sound from each sample on; 0 where it is quiet.
    fn likeness(&self, recording: &[f32]) -> Vec<f32> {
        let length = self.known.len();
        if recording.len() < length {
            return Vec::new();
        }
        let square = |x: f32| f64::from(x).powi(2);
        let mut energy: f64 = recording[..length].iter().map(|x| square(*x)).sum();
        let mut likeness = Vec::with_capacity(recording.len() - length + 1);
        for (at, window) in recording.windows(length).enumerate() {
            likeness.push(if energy > QUIET * self.energy {
                dot(window, &self.known) / (energy * self.energy).sqrt() as f32
            } else {
                0.0
            });
            let next = recording.get(at + length).map_or(0.0, |x| square(*x));
            energy = (energy + next - square(recording[at])).max(0.0);
        }
        likeness
    }
}

/// The sum of products, in 16 parts, so that the compiler may compute them side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, rest_a) = a.as_chunks::<16>();
    let (b, rest_b) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for k in 0..16 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Where the vertex of the parabola through a peak and its neighbours lies, relative to the peak.
fn vertex(values: &[f32], peak: usize) -> f64 {
    let value = |at: Option<usize>| at.and_then(|at| values.get(at)).copied().map(f64::from);
    let (Some(before), Some(at), Some(after)) =
        (value(peak.checked_sub(1)), value(Some(peak)), value(peak.checked_add(1)))
    else {
        return 0.0;
    };
    let bend = before - 2.0 * at + after;
    if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::stimulus::{chirp, delayed};
    use super::*;
    use harmonynet::capture::SplitMix64;

    /// Chirps at known places, some between two samples, in noise 20 dB below them.
    #[test]
    fn onsets_are_found_to_a_tenth_of_a_sample_in_noise() {
        let mut random = SplitMix64::new(4);
        let known = chirp();
        let filter = MatchedFilter::new(known.clone());
        let mut worst = 0.0_f64;
        for trial in 0..40 {
            let place = 3000.0 + f64::from(trial) * 0.173;
            let mut clean = vec![0.0; 8000];
            clean[3000..3000 + known.len()].copy_from_slice(&known);
            let recording: Vec<f32> = delayed(&clean, place - 3000.0)
                .into_iter()
                .map(|x| 0.1 * x + 0.005 * random.signed() as f32)
                .collect();
            let onsets = filter.onsets(&recording);
            assert_eq!(onsets.len(), 1, "at {place}: {onsets:?}");
            worst = worst.max((onsets[0].at - place).abs());
        }
        assert!(worst < 0.1, "off by {worst} samples");
    }

    #[test]
    fn silence_noise_and_other_sounds_hold_no_onset() {
        let mut random = SplitMix64::new(5);
        let filter = MatchedFilter::new(chirp());
        assert!(filter.onsets(&[0.0; 5000]).is_empty());
        assert!(filter.onsets(&[0.0; 10]).is_empty());
        let noise: Vec<f32> = (0..20_000).map(|_| 0.3 * random.signed() as f32).collect();
        assert!(filter.onsets(&noise).is_empty());
        let backwards: Vec<f32> = chirp().into_iter().rev().collect();
        assert!(filter.onsets(&[vec![0.0; 2000], backwards, vec![0.0; 2000]].concat()).is_empty());
    }
}
