//! The four ways in which microphones write samples, and their decoding to Q0.31.

/// How a sample is written. Names follow ALSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// 16 bits in two bytes.
    S16Le,
    /// 24 bits in the low three of four bytes; the fourth is undefined.
    S24Le,
    /// 24 bits in three bytes (`S24_3LE`).
    S24Packed,
    /// 32 bits in four bytes.
    S32Le,
}

impl SampleFormat {
    /// All formats, the most precise first.
    pub const ALL: [Self; 4] = [Self::S32Le, Self::S24Packed, Self::S24Le, Self::S16Le];

    /// ALSA's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S16Le => "S16_LE",
            Self::S24Le => "S24_LE",
            Self::S24Packed => "S24_3LE",
            Self::S32Le => "S32_LE",
        }
    }

    /// The format of this ALSA name, in upper or lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Bytes per sample.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::S16Le => 2,
            Self::S24Packed => 3,
            Self::S24Le | Self::S32Le => 4,
        }
    }

    /// Decodes whole samples from `bytes` into `into` as Q0.31 until one of them is used up; returns how many.
    pub fn decode(self, bytes: &[u8], into: &mut [i32]) -> usize {
        let samples = into.len().min(bytes.len() / self.bytes());
        let into = &mut into[..samples];
        match self {
            Self::S16Le => each(bytes, into, |[a, b]| i32::from_le_bytes([0, 0, a, b])),
            Self::S24Packed => each(bytes, into, |[a, b, c]| i32::from_le_bytes([0, a, b, c])),
            Self::S24Le => each(bytes, into, |[a, b, c, _]| i32::from_le_bytes([0, a, b, c])),
            Self::S32Le => each(bytes, into, i32::from_le_bytes),
        }
        samples
    }
}

fn each<const N: usize>(bytes: &[u8], into: &mut [i32], decode: impl Fn([u8; N]) -> i32) {
    let (samples, _) = bytes.as_chunks::<N>();
    for (out, sample) in into.iter_mut().zip(samples) {
        *out = decode(*sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_decodes_its_extremes() {
        let cases: [(SampleFormat, &[u8], i32); 10] = [
            (SampleFormat::S16Le, &[0x00, 0x80], i32::MIN),
            (SampleFormat::S16Le, &[0xff, 0x7f], 0x7fff_0000),
            (SampleFormat::S16Le, &[0xff, 0xff], -0x1_0000),
            (SampleFormat::S24Packed, &[0x00, 0x00, 0x80], i32::MIN),
            (SampleFormat::S24Packed, &[0x01, 0x00, 0x00], 0x100),
            (SampleFormat::S24Packed, &[0xff, 0xff, 0xff], -0x100),
            (SampleFormat::S24Le, &[0x56, 0x34, 0x12, 0xee], 0x1234_5600),
            (SampleFormat::S24Le, &[0x00, 0x00, 0x80, 0x00], i32::MIN),
            (SampleFormat::S32Le, &[0x78, 0x56, 0x34, 0x12], 0x1234_5678),
            (SampleFormat::S32Le, &[0x00, 0x00, 0x00, 0x80], i32::MIN),
        ];
        for (format, bytes, expected) in cases {
            let mut out = [0];
            assert_eq!(format.decode(bytes, &mut out), 1);
            assert_eq!(out[0], expected, "{} of {bytes:02x?}", format.name());
        }
    }

    #[test]
    fn a_partial_sample_and_a_short_buffer_end_the_decoding() {
        let mut out = [7; 3];
        assert_eq!(SampleFormat::S24Packed.decode(&[0; 8], &mut out), 2);
        assert_eq!(out, [0, 0, 7]);
        assert_eq!(SampleFormat::S16Le.decode(&[1; 8], &mut out), 3);
    }

    #[test]
    fn names_round_trip() {
        for format in SampleFormat::ALL {
            assert_eq!(SampleFormat::from_name(format.name()), Some(format));
            assert_eq!(SampleFormat::from_name(&format.name().to_lowercase()), Some(format));
        }
        assert_eq!(SampleFormat::from_name("FLOAT_LE"), None);
    }
}
