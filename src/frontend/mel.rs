//! The mel filter bank: power per bin → Q15-weighted sums per band.

use crate::spec::{FrontendSpec, MEL_BANDS, WINDOW_SAMPLES};

/// Bins of the transform below Nyquist.
pub(super) const BINS: usize = WINDOW_SAMPLES / 2;

/// One in Q15.
const ONE: u16 = 1 << 15;

/// mel(f) = 2595 · log10(1 + f / 700), f in hertz (the paper, section III; O'Shaughnessy 1987).
pub(super) fn mel_of_hz(hz: f64) -> f64 {
    2595.0 * libm::log10(1.0 + hz / 700.0)
}

/// The inverse of [`mel_of_hz`].
pub(super) fn hz_of_mel(mel: f64) -> f64 {
    700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0)
}

/// Triangular bands whose corners are equidistant in mel and whose sides are linear in hertz, peak 1.
///
/// Neighbouring triangles overlap by half, so a bin belongs to at most two bands and its two weights sum to one: the
/// bank stores one Q15 weight per bin and splits its power exactly. Total power is therefore preserved, and no sum can
/// exceed 2¹⁵ times the frame's power.
pub(super) struct MelBank {
    bins: heapless::Vec<BinWeight, BINS>,
    first: usize,
}

/// How one bin's power is shared: `rise` goes to band `band`, the rest to the band below.
#[derive(Clone, Copy)]
struct BinWeight {
    /// 0..=128: 0 has no band below, 128 has no band above.
    band: u8,
    /// Q15.
    rise: u16,
}

impl MelBank {
    /// The bank of a valid specification.
    pub(super) fn new(spec: &FrontendSpec) -> Self {
        let low = mel_of_hz(f64::from(spec.low_hz));
        let step = (mel_of_hz(f64::from(spec.high_hz)) - low) / (MEL_BANDS + 1) as f64;
        let corner = |i: usize| hz_of_mel(low + step * i as f64);
        let hz_per_bin = f64::from(spec.rate_hz) / WINDOW_SAMPLES as f64;

        let mut bank = Self { bins: heapless::Vec::new(), first: 0 };
        let mut band = 0;
        for bin in 0..BINS {
            let hz = bin as f64 * hz_per_bin;
            if hz < corner(0) {
                bank.first = bin + 1;
                continue;
            }
            while band <= MEL_BANDS && hz >= corner(band + 1) {
                band += 1;
            }
            if band > MEL_BANDS {
                break;
            }
            let rise = (hz - corner(band)) / (corner(band + 1) - corner(band));
            let weight = BinWeight { band: band as u8, rise: libm::round(rise * f64::from(ONE)) as u16 };
            // There is room for every bin.
            let _ = bank.bins.push(weight);
        }
        bank
    }

    /// The bins that have weight in any band.
    pub(super) fn bins(&self) -> core::ops::Range<usize> {
        self.first..self.first + self.bins.len()
    }

    /// Adds up each band: 2¹⁵ · Σ weight · power.
    ///
    /// Shape: `power` has one value per bin, 0..512; only [`bins`](Self::bins) count. Every sum stays below 2¹⁵ · Σ power, which
    /// [`spectrum::power`](super::spectrum) keeps below 2⁶³·⁶.
    pub(super) fn apply(&self, power: &[u64; BINS]) -> [u64; MEL_BANDS] {
        // One slot more on either side takes what belongs to no band.
        let mut sums = [0_u64; MEL_BANDS + 2];
        for (weight, &power) in self.bins.iter().zip(&power[self.first..]) {
            let rise = power * u64::from(weight.rise);
            sums[usize::from(weight.band) + 1] += rise;
            sums[usize::from(weight.band)] += power * u64::from(ONE) - rise;
        }
        let mut bands = [0; MEL_BANDS];
        bands.copy_from_slice(&sums[1..=MEL_BANDS]);
        bands
    }

    /// The weight of `bin` in `band`, 0–1.
    #[cfg(test)]
    fn weight(&self, band: usize, bin: usize) -> f64 {
        let Some(weight) = bin.checked_sub(self.first).and_then(|i| self.bins.get(i)) else { return 0.0 };
        let rise = f64::from(weight.rise) / f64::from(ONE);
        match usize::from(weight.band) {
            own if own == band => rise,
            above if above == band + 1 => 1.0 - rise,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook triangle, in f64.
    fn textbook(spec: &FrontendSpec, band: usize, bin: usize) -> f64 {
        let (low, high) = (mel_of_hz(f64::from(spec.low_hz)), mel_of_hz(f64::from(spec.high_hz)));
        let corner = |i: usize| hz_of_mel(low + (high - low) * i as f64 / (MEL_BANDS + 1) as f64);
        let hz = bin as f64 * f64::from(spec.rate_hz) / WINDOW_SAMPLES as f64;
        let rising = (hz - corner(band)) / (corner(band + 1) - corner(band));
        let falling = (corner(band + 2) - hz) / (corner(band + 2) - corner(band + 1));
        rising.min(falling).max(0.0)
    }

    #[test]
    fn weights_equal_the_textbook_triangles_within_half_an_lsb() {
        let spec = FrontendSpec::SHIPPED;
        let bank = MelBank::new(&spec);
        for band in 0..MEL_BANDS {
            for bin in 0..BINS {
                let error = bank.weight(band, bin) - textbook(&spec, band, bin);
                assert!(error.abs() <= 0.5001 / 32_768.0, "band {band}, bin {bin}: {error}");
            }
        }
    }

    #[test]
    fn every_band_hears_something_and_none_hears_an_offset() {
        let bank = MelBank::new(&FrontendSpec::SHIPPED);
        for band in 0..MEL_BANDS {
            let loudest = (0..BINS).map(|bin| bank.weight(band, bin)).fold(0.0, f64::max);
            // Corners lie at least 13.5 Hz apart and bins 21.5 Hz, so that a bin lies within 10.8 Hz of each centre.
            assert!(loudest > 0.2, "band {band}: {loudest}");
            assert!(bank.weight(band, 0) == 0.0 && bank.weight(band, 1) == 0.0);
        }
    }

    #[test]
    fn power_inside_the_bank_is_split_without_loss() {
        let bank = MelBank::new(&FrontendSpec::SHIPPED);
        let mut power = [0; BINS];
        power[100] = 12_345_678_901;
        assert_eq!(bank.apply(&power).iter().sum::<u64>(), power[100] << 15);
    }
}
