//! Repeatable random numbers, for simulated parts and simulated experiments.

/// SplitMix64 (Steele, Lea and Flood 2014): equal seeds give equal numbers on every machine. Not for secrets.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `count`, each as likely up to one part in 2⁶⁴ / `count`; 0 where `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number from −1 to below 1, each as likely: white noise of power 1/3.
    pub fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        // The first outputs of the authors' reference code for the seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let published = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.bits(), random.bits(), random.bits()], published);
    }

    #[test]
    fn draws_are_even_and_in_range() {
        let mut random = SplitMix64::new(1);
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[random.below(7)] += 1);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        let (mut mean, mut power) = (0.0, 0.0);
        for _ in 0..100_000 {
            let x = random.signed();
            assert!((-1.0..1.0).contains(&x));
            (mean, power) = (mean + x / 1e5, power + x * x / 1e5);
        }
        assert!(mean.abs() < 0.01 && (power - 1.0 / 3.0).abs() < 0.01, "mean {mean}, power {power}");
        assert_eq!(random.below(0), 0);
    }
}
