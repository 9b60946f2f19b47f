//! Texts that carry a checksum, so that a torn or rotten copy is noticed. The only file that names `sha2`.
//!
//! Against accidents of disks, not against people: whoever may write the text may write its checksum.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

const MARK: &str = "# sha256 ";

/// The text below a line with its checksum.
pub(crate) fn seal(text: &str) -> String {
    format!("{MARK}{}\n{text}", checksum(text.as_bytes()))
}

/// The text that was sealed; none where a byte of it has changed.
pub(crate) fn open(bytes: &[u8]) -> Option<&str> {
    let (sum, text) = std::str::from_utf8(bytes).ok()?.strip_prefix(MARK)?.split_once('\n')?;
    (checksum(text.as_bytes()) == sum).then_some(text)
}

/// The checksum of bytes: SHA-256, hexadecimal.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The checksum of all that a reader gives.
pub(crate) fn checksum_of(mut source: impl Read) -> io::Result<String> {
    let mut summed = Summed::new(&mut source);
    io::copy(&mut summed, &mut io::sink())?;
    Ok(summed.checksum())
}

/// A reader that sums up what is read through it.
pub(crate) struct Summed<R> {
    inner: R,
    sum: Sha256,
}

impl<R: Read> Summed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, sum: Sha256::new() }
    }

    /// The checksum of what was read.
    pub(crate) fn checksum(self) -> String {
        hex(&self.sum.finalize())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_changed_in_any_bit_or_was_cut_anywhere_is_noticed() {
        let sealed = seal("a = 1\nb = \"ü\"\n").into_bytes();
        assert_eq!(open(&sealed), Some("a = 1\nb = \"ü\"\n"));
        assert_eq!(open(seal("").as_bytes()), Some(""));
        for length in 0..sealed.len() {
            assert_eq!(open(&sealed[..length]), None, "cut at {length}");
            for bit in 0..8 {
                let mut rotten = sealed.clone();
                rotten[length] ^= 1 << bit;
                assert_eq!(open(&rotten), None, "byte {length}, bit {bit}");
            }
        }
        // FIPS 180-2, appendix B.1
        assert_eq!(
            checksum_of(&b"abc"[..]).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
