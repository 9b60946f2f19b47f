//! How much of the stream a model judges at once, and how often: the streaming contract's one number that belongs to
//! the model, and the periods that follow from its front-end's hop.

use super::{FrontendSpec, SAMPLE_RATE_HZ, WINDOW_SAMPLES};

/// Frames that one LSTM step advances: three 2-fold poolings.
pub const FRAMES_PER_STEP: usize = 8;
/// Frames that the convolutions consume beyond `FRAMES_PER_STEP` per step: `frames = 8 · steps + 14`.
pub const RECEPTIVE_MARGIN: usize = 14;
/// Most steps of a window. At the longest hop of a front-end these span 50 s, at the shipped one 6.3 s.
pub const MAX_STEPS: usize = 32;
/// Frames of the longest window: what a ring of frames has to hold.
pub const MAX_WINDOW_FRAMES: usize = FRAMES_PER_STEP * MAX_STEPS + RECEPTIVE_MARGIN;

/// Samples between verdicts while listening, 0.56 s: 24 frames of the shipped front-end.
const VERDICT_SAMPLES: u32 = 12_288;
/// Samples between the excerpts of a recording: 2 s, half of the paper's 4 s excerpts.
const EXCERPT_SAMPLES: u32 = 2 * SAMPLE_RATE_HZ;

/// The length of a model's window: 1 to [`MAX_STEPS`] steps of the recurrent layer, 8 · steps + 14 frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowLength {
    steps: u8,
}

impl WindowLength {
    /// The shipped models' window: 19 steps are the most that the 171 full frames of a 4 s excerpt give. Its 166 frames
    /// span 3.88 s.
    pub const SHIPPED: Self = Self { steps: 19 };

    /// The window of `steps` steps; `None` for none and for more than [`MAX_STEPS`].
    #[must_use]
    pub const fn of_steps(steps: usize) -> Option<Self> {
        if steps >= 1 && steps <= MAX_STEPS { Some(Self { steps: steps as u8 }) } else { None }
    }

    /// The window of exactly `frames` frames; `None` where no number of steps needs that many.
    #[must_use]
    pub const fn of_frames(frames: usize) -> Option<Self> {
        let Some(advanced) = frames.checked_sub(RECEPTIVE_MARGIN) else { return None };
        if advanced.is_multiple_of(FRAMES_PER_STEP) {
            Self::of_steps(advanced / FRAMES_PER_STEP)
        } else {
            None
        }
    }

    /// Steps of the recurrent layer.
    #[must_use]
    pub const fn steps(self) -> usize {
        self.steps as usize
    }

    /// Frames.
    #[must_use]
    pub const fn frames(self) -> usize {
        FRAMES_PER_STEP * self.steps() + RECEPTIVE_MARGIN
    }

    /// Samples from the first frame's first to the last frame's last, at a front-end's hop.
    #[must_use]
    pub const fn samples(self, hop: u16) -> u32 {
        (self.frames() as u32 - 1) * hop as u32 + WINDOW_SAMPLES as u32
    }

    /// Whether a window ends after `frames` frames of a stream, where windows begin every `period` frames (not 0).
    #[must_use]
    pub const fn ends(self, frames: usize, period: usize) -> bool {
        frames >= self.frames() && (frames - self.frames()).is_multiple_of(period)
    }
}

impl FrontendSpec {
    /// Frames between two verdicts while listening: the multiple of eight nearest to 0.56 s. Hops of 512 and 1536 give
    /// 24 and 8, which are equally long.
    #[must_use]
    pub const fn verdict_frames(&self) -> usize {
        self.nearest_steps(VERDICT_SAMPLES)
    }

    /// Frames between two excerpts of a recording: the multiple of eight nearest to 2 s. A hop of 512 gives 88 (2.04 s),
    /// one of 1536 gives 32 (2.23 s, where 24 would be 1.67 s).
    #[must_use]
    pub const fn excerpt_frames(&self) -> usize {
        self.nearest_steps(EXCERPT_SAMPLES)
    }

    /// The multiple of [`FRAMES_PER_STEP`] whose frames come nearest to `samples`, one step at least.
    const fn nearest_steps(&self, samples: u32) -> usize {
        let step = FRAMES_PER_STEP as u32 * self.hop as u32;
        match (samples + step / 2).checked_div(step) {
            Some(steps) if steps > 0 => FRAMES_PER_STEP * steps as usize,
            _ => FRAMES_PER_STEP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_known_by_its_steps_and_by_its_frames() {
        for steps in 1..=MAX_STEPS {
            let window = WindowLength::of_steps(steps).unwrap();
            assert_eq!((window.steps(), window.frames()), (steps, 8 * steps + 14));
            assert_eq!(WindowLength::of_frames(window.frames()), Some(window));
        }
        assert_eq!(WindowLength::SHIPPED.frames(), 166);
        for steps in [0, MAX_STEPS + 1, usize::MAX] {
            assert_eq!(WindowLength::of_steps(steps), None);
        }
        for frames in [0, 13, 14, 21, 23, 171, MAX_WINDOW_FRAMES + 8] {
            assert_eq!(WindowLength::of_frames(frames), None, "{frames} frames");
        }
    }

    #[test]
    fn windows_end_once_full_and_then_every_period() {
        let window = WindowLength::of_steps(5).unwrap();
        let ends: Vec<usize> = (0..90).filter(|&frames| window.ends(frames, 16)).collect();
        assert_eq!(ends, [54, 70, 86]);
        // 53 hops and a whole analysis window: 3.74 s at the hop of 1536.
        assert_eq!(window.samples(1536), 53 * 1536 + 1024);
    }

    #[test]
    fn periods_are_steps_of_about_the_same_time_at_any_hop() {
        for hop in 1..=4096 {
            let spec = FrontendSpec::SHIPPED.with_hop(hop);
            let half_a_step = 4 * u32::from(hop);
            for (frames, samples) in
                [(spec.verdict_frames(), VERDICT_SAMPLES), (spec.excerpt_frames(), EXCERPT_SAMPLES)]
            {
                let found = frames as u32 * u32::from(hop);
                assert!(frames >= 8 && frames.is_multiple_of(8), "hop {hop}: {frames}");
                assert!(frames == 8 || found.abs_diff(samples) <= half_a_step, "hop {hop}: {frames}");
            }
        }
        let periods = |hop| {
            let spec = FrontendSpec::SHIPPED.with_hop(hop);
            (spec.verdict_frames(), spec.excerpt_frames())
        };
        assert_eq!((periods(512), periods(1536)), ((24, 88), (8, 32)));
    }
}
