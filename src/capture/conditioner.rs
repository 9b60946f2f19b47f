//! Frames of a microphone → [`Block`]s: channel, resampler, DC removal, and the time of it all.

use super::{CaptureError, Channel, DcBlocker, Resampler};
use crate::flow::{Block, SampleIndex};

/// Turns interleaved frames into blocks of mono samples at 22,050 Hz.
///
/// Blocks are full ([`BLOCK_SAMPLES`](crate::flow::BLOCK_SAMPLES) long) except the last one before a gap and the one
/// that [`flush`](Self::flush) gives. About 30 KiB, most of it the resampler's coefficients; never allocates.
///
/// ```
/// use harmonynet::capture::{Channel, Conditioner};
///
/// let mut conditioner = Conditioner::new(48_000, 2, Channel::Mix)?;
/// let dma_buffer = [0i32; 2 * 960]; // 20 ms of stereo
/// let mut unread = &dma_buffer[..];
/// while let Some(block) = conditioner.feed(&mut unread) {
///     assert_eq!(block.samples.len(), 512);
/// }
/// # Ok::<(), harmonynet::capture::CaptureError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conditioner {
    channel: Channel,
    channels: usize,
    resampler: Resampler,
    dc: DcBlocker,
    /// The block being filled, or the one that was handed out last.
    block: Block,
    /// Whether `block` was handed out.
    delivered: bool,
    /// Samples lost after those in `block`.
    gap: u64,
}

impl Conditioner {
    /// A conditioner for a source of `rate_hz` with `channels` interleaved channels.
    ///
    /// # Errors
    /// [`CaptureError::Rate`] where the rate cannot be resampled, [`CaptureError::Channels`] where `channel` is not
    /// among `channels`.
    pub fn new(rate_hz: u32, channels: u8, channel: Channel) -> Result<Self, CaptureError> {
        channel.check(channels)?;
        Ok(Self {
            channel,
            channels: usize::from(channels),
            resampler: Resampler::new(rate_hz)?,
            dc: DcBlocker::default(),
            block: Block::default(),
            delivered: false,
            gap: 0,
        })
    }

    /// Goes on with another source on the same time axis, as when a microphone was opened again.
    ///
    /// # Errors
    /// As [`Conditioner::new`]; the conditioner is then as it was.
    pub fn change_source(&mut self, rate_hz: u32, channels: u8) -> Result<(), CaptureError> {
        self.channel.check(channels)?;
        self.resampler = Resampler::new(rate_hz)?;
        self.channels = usize::from(channels);
        self.dc = DcBlocker::default();
        Ok(())
    }

    /// Marks `frames` of the source as lost between what was fed and what will be. The resampler forgets the past; the
    /// offset of the microphone stays known, because it outlives the gap and a step back to zero would be heard.
    pub fn lose_frames(&mut self, frames: u64) {
        if frames > 0 {
            self.gap += self.resampler.skip(frames);
        }
    }

    /// Marks `samples` at 22,050 Hz as lost, where a time is known rather than a number of frames.
    pub fn lose_samples(&mut self, samples: u64) {
        self.gap += samples;
    }

    /// Consumes whole frames from the front of `input` (interleaved Q0.31) until a block is complete or the frames are
    /// used up; call it until it returns `None`.
    pub fn feed(&mut self, input: &mut &[i32]) -> Option<&Block> {
        self.fill(input).then(|| self.block())
    }

    /// The samples that are left when the source has ended: the last, shorter block.
    pub fn flush(&mut self) -> Option<&Block> {
        self.finish().then(|| self.block())
    }

    /// [`Conditioner::feed`] without the borrow: whether [`Conditioner::block`] is complete.
    pub(super) fn fill(&mut self, input: &mut &[i32]) -> bool {
        self.begin_block();
        if self.gap > 0 {
            if !self.block.samples.is_empty() {
                return self.deliver();
            }
            self.block.start += self.gap;
            self.block.lost += self.gap;
            self.gap = 0;
        }
        loop {
            while let Some(sample) = self.resampler.pull() {
                // A full block was handed out, so there is room.
                let _ = self.block.samples.push(self.dc.process(sample));
                if self.block.samples.is_full() {
                    return self.deliver();
                }
            }
            let Some((frame, rest)) = input.split_at_checked(self.channels) else { return false };
            *input = rest;
            self.resampler.push(self.channel.of(frame));
        }
    }

    /// [`Conditioner::flush`] without the borrow.
    pub(super) fn finish(&mut self) -> bool {
        self.begin_block();
        !self.block.samples.is_empty() && self.deliver()
    }

    /// The block that was completed last.
    pub(super) fn block(&self) -> &Block {
        &self.block
    }

    /// Index of the next sample.
    #[must_use]
    pub fn position(&self) -> SampleIndex {
        self.block.start + self.block.samples.len() as u64 + self.gap
    }

    fn deliver(&mut self) -> bool {
        self.delivered = true;
        true
    }

    fn begin_block(&mut self) {
        if self.delivered {
            self.block.start += self.block.samples.len() as u64;
            self.block.lost = 0;
            self.block.samples.clear();
            self.delivered = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::BLOCK_SAMPLES;
    use proptest::prelude::*;

    /// Everything that comes out when `input` is fed in pieces of the sizes given, over and over.
    fn blocks(conditioner: &mut Conditioner, input: &[i32], pieces: &[usize]) -> Vec<Block> {
        let mut out = Vec::new();
        let (mut rest, mut sizes) = (input, pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) =
                rest.split_at((sizes.next().unwrap() * conditioner.channels).min(rest.len()));
            rest = later;
            let mut unread = piece;
            while let Some(block) = conditioner.feed(&mut unread) {
                out.push(block.clone());
            }
            assert!(unread.is_empty());
        }
        out
    }

    fn noise(samples: usize) -> Vec<i32> {
        (0..samples as u32).map(|n| n.wrapping_mul(2_654_435_761).rotate_left(7).cast_signed()).collect()
    }

    #[test]
    fn blocks_are_full_and_follow_each_other() {
        let mut conditioner = Conditioner::new(48_000, 2, Channel::Mix).unwrap();
        let mut out = blocks(&mut conditioner, &noise(2 * 48_000), &[960]);
        out.extend(conditioner.flush().cloned());
        let mut expected_start = 0;
        for (k, block) in out.iter().enumerate() {
            assert_eq!((block.start, block.lost), (expected_start, 0));
            assert!(block.samples.len() == BLOCK_SAMPLES || k == out.len() - 1);
            expected_start += block.samples.len() as u64;
        }
        assert_eq!(expected_start, 22_050);
        assert_eq!(conditioner.position(), 22_050);
        assert!(conditioner.flush().is_none());
    }

    #[test]
    fn a_loss_ends_a_block_and_is_counted_in_samples_of_the_output() {
        let mut conditioner = Conditioner::new(44_100, 1, Channel::Mix).unwrap();
        let before = blocks(&mut conditioner, &noise(1_400), &[1_400]);
        assert_eq!(before.len(), 1);
        conditioner.lose_frames(4_410);
        conditioner.lose_samples(5);
        let after = blocks(&mut conditioner, &noise(2_400), &[2_400]);
        assert_eq!((after[0].start, after[0].lost, after[0].samples.len()), (512, 0, 188));
        assert_eq!((after[1].start, after[1].lost, after[1].samples.len()), (700 + 2_205 + 5, 2_210, 512));
        assert_eq!((after[2].start, after[2].lost), (700 + 2_210 + 512, 0));
    }

    #[test]
    fn a_loss_right_after_a_whole_block_makes_no_empty_one() {
        let mut conditioner = Conditioner::new(22_050, 1, Channel::Mix).unwrap();
        assert_eq!(blocks(&mut conditioner, &noise(512), &[512]).len(), 1);
        conditioner.lose_frames(10);
        conditioner.lose_frames(0);
        let after = blocks(&mut conditioner, &noise(512), &[100]);
        assert_eq!((after.len(), after[0].start, after[0].lost), (1, 522, 10));
    }

    #[test]
    fn another_source_goes_on_in_time() {
        let mut conditioner = Conditioner::new(48_000, 2, Channel::Pick(1)).unwrap();
        blocks(&mut conditioner, &noise(2 * 48_000), &[500]);
        assert_eq!(conditioner.change_source(48_000, 1), Err(CaptureError::Channels));
        assert_eq!(conditioner.change_source(7, 2), Err(CaptureError::Rate(7)));
        conditioner.lose_samples(100);
        conditioner.change_source(16_000, 4).unwrap();
        let after = blocks(&mut conditioner, &noise(4 * 16_000), &[320]);
        assert_eq!(after[1].start, 22_150);
        assert_eq!(conditioner.position(), 44_200);
    }

    #[test]
    fn an_offset_is_removed_and_not_heard_again_after_a_gap() {
        let mut conditioner = Conditioner::new(48_000, 1, Channel::Mix).unwrap();
        let offset = vec![1 << 24; 96_000];
        let before = blocks(&mut conditioner, &offset, &[960]);
        assert!(before.last().unwrap().samples.iter().all(|s| *s == 0));
        conditioner.lose_frames(480);
        let after = blocks(&mut conditioner, &offset, &[960]);
        // The resampler starts from silence, which is an offset below the known one for half a millisecond.
        assert!(after[1].samples[25..].iter().all(|s| s.unsigned_abs() < 1 << 20));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_blocks(
            rate in prop::sample::select(vec![16_000u32, 22_050, 44_100, 48_000, 96_000]),
            channels in 1u8..=3,
            pieces in prop::collection::vec(1usize..2_000, 1..8),
        ) {
            let input = noise(6_000 * usize::from(channels));
            let mut whole = Conditioner::new(rate, channels, Channel::Mix).unwrap();
            let mut cut = whole.clone();
            prop_assert_eq!(blocks(&mut whole, &input, &[6_000]), blocks(&mut cut, &input, &pieces));
            prop_assert_eq!(whole.flush(), cut.flush());
        }
    }
}
