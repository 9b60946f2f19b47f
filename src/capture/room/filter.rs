//! Second-order sections: what loudspeakers and microphones do to a spectrum.
//!
//! Formulas: Bristow-Johnson, *Cookbook formulae for audio equalizer biquad filter coefficients* (W3C note, 2021).

use std::f64::consts::PI;

/// One bend of a frequency response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bend {
    /// 12 dB per octave below `hz`; `q` of 0.707 is flat above it, more resonates.
    LowCut {
        /// Corner, hertz.
        hz: f64,
        /// Quality.
        q: f64,
    },
    /// 12 dB per octave above `hz`.
    HighCut {
        /// Corner, hertz.
        hz: f64,
        /// Quality.
        q: f64,
    },
    /// A hill or a dip.
    Peak {
        /// Middle, hertz.
        hz: f64,
        /// Height, decibels.
        db: f64,
        /// Quality: `hz` over the width.
        q: f64,
    },
    /// Only what lies around `hz`, which passes unchanged.
    Band {
        /// Middle, hertz.
        hz: f64,
        /// Quality: `hz` over the width.
        q: f64,
    },
}

/// A bend at work, transposed direct form II.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Section {
    /// The bend at a sample rate; `None` where it lies beyond 0.45 of the rate and so bends nothing.
    pub(super) fn new(bend: Bend, rate_hz: f64) -> Option<Self> {
        let (Bend::LowCut { hz, q }
        | Bend::HighCut { hz, q }
        | Bend::Peak { hz, q, .. }
        | Bend::Band { hz, q }) = bend;
        if hz >= 0.45 * rate_hz {
            return None;
        }
        let (sin, cos) = (2.0 * PI * hz / rate_hz).sin_cos();
        let alpha = sin / (2.0 * q);
        let (b, a) = match bend {
            Bend::LowCut { .. } => {
                ([(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
            }
            Bend::HighCut { .. } => {
                ([(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
            }
            Bend::Peak { db, .. } => {
                let a = 10_f64.powf(db / 40.0);
                (
                    [1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a],
                    [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a],
                )
            }
            Bend::Band { .. } => ([alpha, 0.0, -alpha], [1.0 + alpha, -2.0 * cos, 1.0 - alpha]),
        };
        Some(Self { b: b.map(|b| b / a[0]), a: [a[1] / a[0], a[2] / a[0]], state: [0.0; 2] })
    }

    pub(super) fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state = [self.b[1] * x - self.a[0] * y + self.state[1], self.b[2] * x - self.a[1] * y];
        y
    }
}

/// Several bends, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<Section>);

impl Chain {
    pub(super) fn new<'a>(bends: impl IntoIterator<Item = &'a Bend>, rate_hz: f64) -> Self {
        Self(bends.into_iter().filter_map(|bend| Section::new(*bend, rate_hz)).collect())
    }

    pub(super) fn next(&mut self, x: f64) -> f64 {
        self.0.iter_mut().fold(x, |x, section| section.next(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gain at `hz` in decibels, from the response to an impulse.
    fn gain_db(bend: Bend, hz: f64) -> f64 {
        let (rate, mut chain) = (22_050.0, Chain::new(&[bend], 22_050.0));
        let (mut re, mut im) = (0.0, 0.0);
        for n in 0..22_050 {
            let y = chain.next(if n == 0 { 1.0 } else { 0.0 });
            let (sin, cos) = (2.0 * PI * hz * f64::from(n) / rate).sin_cos();
            (re, im) = (re + y * cos, im + y * sin);
        }
        10.0 * (re * re + im * im).log10()
    }

    #[test]
    fn bends_bend_where_they_say() {
        let low_cut = Bend::LowCut { hz: 200.0, q: 0.707 };
        assert!((gain_db(low_cut, 200.0) + 3.01).abs() < 0.05);
        assert!((gain_db(low_cut, 50.0) + 24.1).abs() < 0.2, "two octaves of 12 dB");
        assert!(gain_db(low_cut, 3000.0).abs() < 0.05);
        let high_cut = Bend::HighCut { hz: 2000.0, q: 0.707 };
        assert!((gain_db(high_cut, 2000.0) + 3.01).abs() < 0.05 && gain_db(high_cut, 100.0).abs() < 0.05);
        let peak = Bend::Peak { hz: 1000.0, db: -6.0, q: 2.0 };
        assert!((gain_db(peak, 1000.0) + 6.0).abs() < 0.01 && gain_db(peak, 60.0).abs() < 0.05);
        let band = Bend::Band { hz: 1000.0, q: 2.0 };
        assert!(gain_db(band, 1000.0).abs() < 0.01 && (gain_db(band, 1280.8) + 3.01).abs() < 0.2);
    }

    #[test]
    fn a_bend_beyond_the_rate_is_none() {
        assert!(Section::new(Bend::HighCut { hz: 16_000.0, q: 0.707 }, 22_050.0).is_none());
    }
}
