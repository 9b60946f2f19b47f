//! Many channels → one.

use super::CaptureError;

/// Most channels that are read.
pub const MAX_CHANNELS: u8 = 8;

/// How one channel is made of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// The mean of all channels. Right for a stereo recording; halves the level of a microphone that speaks on one of
    /// two channels (an I2S microphone), which a level-independent front-end doesn't mind.
    #[default]
    Mix,
    /// One channel, counted from 0.
    Pick(u8),
}

impl Channel {
    /// Checks that a source of `channels` channels has what is asked for.
    ///
    /// # Errors
    /// [`CaptureError::Channels`] for no channels, more than [`MAX_CHANNELS`], or without the one that is picked.
    pub fn check(self, channels: u8) -> Result<(), CaptureError> {
        let picked = match self {
            Self::Mix => 0,
            Self::Pick(index) => index,
        };
        if channels > MAX_CHANNELS || picked >= channels { Err(CaptureError::Channels) } else { Ok(()) }
    }

    /// The one sample of an interleaved `frame` (1 to [`MAX_CHANNELS`] samples that passed [`Channel::check`]).
    /// The mean is rounded to nearest, halves upwards.
    #[inline]
    #[must_use]
    pub fn of(self, frame: &[i32]) -> i32 {
        match (self, frame) {
            (_, [only]) => *only,
            (Self::Pick(index), _) => frame.get(usize::from(index)).copied().unwrap_or(0),
            (Self::Mix, _) => {
                let sum: i64 = frame.iter().map(|&sample| i64::from(sample)).sum();
                let count = frame.len().max(1) as i64;
                // The mean of i32 values is an i32.
                (sum + count / 2).div_euclid(count) as i32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_survives_eight_full_scale_channels() {
        assert_eq!(Channel::Mix.of(&[i32::MIN; 8]), i32::MIN);
        assert_eq!(Channel::Mix.of(&[i32::MAX; 8]), i32::MAX);
        assert_eq!(Channel::Mix.of(&[i32::MIN, i32::MAX]), 0);
    }

    #[test]
    fn the_mean_rounds_to_nearest() {
        assert_eq!(Channel::Mix.of(&[1, 1, 0]), 1);
        assert_eq!(Channel::Mix.of(&[1, 0, 0]), 0);
        assert_eq!(Channel::Mix.of(&[-1, -1, 0]), -1);
        assert_eq!(Channel::Mix.of(&[-1, 0]), 0);
    }

    #[test]
    fn a_channel_is_picked_by_index() {
        assert_eq!(Channel::Pick(2).of(&[10, 20, 30, 40]), 30);
        assert_eq!(Channel::Pick(0).of(&[5]), 5);
    }

    #[test]
    fn impossible_channels_are_refused() {
        assert_eq!(Channel::Mix.check(0), Err(CaptureError::Channels));
        assert_eq!(Channel::Mix.check(9), Err(CaptureError::Channels));
        assert_eq!(Channel::Pick(2).check(2), Err(CaptureError::Channels));
        assert_eq!(Channel::Pick(7).check(8), Ok(()));
    }
}
