//! The last [`WINDOW_FRAMES`] frames of the stream, for engines that recompute a whole window. Nothing here allocates.

use crate::flow::{LogMel, SampleIndex};
use crate::spec::{MEL_BANDS, WINDOW_FRAMES};

/// The bands of one frame: Q8.8 octaves of power.
pub type Bands = [i16; MEL_BANDS];

/// A ring of frames, 42 KiB. A streaming engine needs none of it.
#[derive(Clone, Debug)]
pub struct Window {
    frames: [Bands; WINDOW_FRAMES],
    /// Where the next frame goes, which is where the oldest one lies once the ring is full.
    next: usize,
    held: usize,
    end: SampleIndex,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub const fn new() -> Self {
        Self { frames: [[0; MEL_BANDS]; WINDOW_FRAMES], next: 0, held: 0, end: 0 }
    }

    /// Takes a frame; a full window loses its oldest one.
    pub fn push(&mut self, frame: &LogMel) {
        self.frames[self.next] = frame.bands;
        self.next = (self.next + 1) % WINDOW_FRAMES;
        self.held = (self.held + 1).min(WINDOW_FRAMES);
        self.end = frame.end;
    }

    /// Forgets every frame.
    pub fn reset(&mut self) {
        self.next = 0;
        self.held = 0;
    }

    /// Frames held, 0 to [`WINDOW_FRAMES`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the window holds [`WINDOW_FRAMES`] frames.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held == WINDOW_FRAMES
    }

    /// Index of the sample after the newest frame's last one.
    #[must_use]
    pub fn end(&self) -> SampleIndex {
        self.end
    }

    /// The frames held, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Bands> {
        let (newer, older) = if self.is_full() {
            self.frames.split_at(self.next)
        } else {
            (&self.frames[..0], &self.frames[..self.held])
        };
        older.iter().chain(newer)
    }

    /// Copies the frames out, oldest first; returns how many there are. Entries beyond those are left as they were.
    pub fn copy_to(&self, out: &mut [Bands; WINDOW_FRAMES]) -> usize {
        for (to, from) in out.iter_mut().zip(self.iter()) {
            *to = *from;
        }
        self.held
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Level;

    fn frame(number: usize) -> LogMel {
        LogMel { end: number as SampleIndex * 512, level: Level::SILENCE, bands: [number as i16; MEL_BANDS] }
    }

    /// Pushes frames 0, 1, … and compares with the same kept in a list.
    #[test]
    fn keeps_the_newest_in_order() {
        let mut window = Window::new();
        for count in 0..3 * WINDOW_FRAMES + 7 {
            let first = count.saturating_sub(WINDOW_FRAMES);
            let expected: Vec<i16> = (first..count).map(|n| n as i16).collect();
            assert_eq!(window.iter().map(|bands| bands[MEL_BANDS - 1]).collect::<Vec<_>>(), expected);
            assert_eq!(window.held(), expected.len());
            assert_eq!(window.is_full(), count >= WINDOW_FRAMES);
            window.push(&frame(count));
            assert_eq!(window.end(), count as SampleIndex * 512);
        }
    }

    #[test]
    fn copies_out_in_order() {
        let mut window = Window::new();
        let mut out = [[-1; MEL_BANDS]; WINDOW_FRAMES];
        window.push(&frame(5));
        assert_eq!(window.copy_to(&mut out), 1);
        assert_eq!((out[0][0], out[1][0]), (5, -1));
        for number in 0..WINDOW_FRAMES + 3 {
            window.push(&frame(number));
        }
        assert_eq!(window.copy_to(&mut out), WINDOW_FRAMES);
        assert_eq!((out[0][0], out[WINDOW_FRAMES - 1][0]), (3, WINDOW_FRAMES as i16 + 2));
    }

    #[test]
    fn a_gap_empties_it() {
        let mut window = Window::new();
        for number in 0..WINDOW_FRAMES + 40 {
            window.push(&frame(number));
        }
        window.reset();
        assert_eq!(window.held(), 0);
        assert!(window.iter().next().is_none());
        window.push(&frame(900));
        assert_eq!(window.iter().map(|bands| bands[0]).collect::<Vec<_>>(), [900]);
    }
}
