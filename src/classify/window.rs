//! The last frames of the stream, for engines that recompute a whole window. Nothing here allocates.

use crate::flow::{LogMel, SampleIndex};
use crate::spec::{MAX_WINDOW_FRAMES, MEL_BANDS, WindowLength};

/// The bands of one frame: Q8.8 octaves of power.
pub type Bands = [i16; MEL_BANDS];

/// A ring of a window's frames; 68 KiB, which hold the longest one. A streaming engine needs none of it.
#[derive(Clone, Debug)]
pub struct Window {
    length: WindowLength,
    /// The first `length.frames()` of these are used.
    frames: [Bands; MAX_WINDOW_FRAMES],
    /// Where the next frame goes, which is where the oldest one lies once the ring is full.
    next: usize,
    held: usize,
    end: SampleIndex,
}

impl Window {
    /// An empty window of `length`.
    #[must_use]
    pub const fn new(length: WindowLength) -> Self {
        Self { length, frames: [[0; MEL_BANDS]; MAX_WINDOW_FRAMES], next: 0, held: 0, end: 0 }
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> WindowLength {
        self.length
    }

    /// Takes a frame; a full window loses its oldest one.
    pub fn push(&mut self, frame: &LogMel) {
        self.frames[self.next] = frame.bands;
        self.next = (self.next + 1) % self.length.frames();
        self.held = (self.held + 1).min(self.length.frames());
        self.end = frame.end;
    }

    /// Forgets every frame.
    pub fn reset(&mut self) {
        self.next = 0;
        self.held = 0;
    }

    /// Frames held, 0 to the window's.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the window holds as many frames as it is long.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held == self.length.frames()
    }

    /// Index of the sample after the newest frame's last one.
    #[must_use]
    pub fn end(&self) -> SampleIndex {
        self.end
    }

    /// The frames held, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Bands> {
        // Until the ring is full, the oldest frame is the first.
        let (newer, older) = self.frames[..self.held].split_at(if self.is_full() { self.next } else { 0 });
        older.iter().chain(newer)
    }

    /// Copies the frames out, oldest first, as far as `out` has room; returns how many there are. Entries beyond those
    /// are left as they were.
    pub fn copy_to(&self, out: &mut [Bands]) -> usize {
        for (to, from) in out.iter_mut().zip(self.iter()) {
            *to = *from;
        }
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Level;
    use crate::spec::MAX_STEPS;

    const FRAMES: usize = WindowLength::SHIPPED.frames();

    fn frame(number: usize) -> LogMel {
        LogMel { end: number as SampleIndex * 512, level: Level::SILENCE, bands: [number as i16; MEL_BANDS] }
    }

    /// Pushes frames 0, 1, … and compares with the same kept in a list.
    #[test]
    fn keeps_the_newest_in_order() {
        for steps in [1, 5, 19, MAX_STEPS] {
            let length = WindowLength::of_steps(steps).unwrap();
            let mut window = Window::new(length);
            for count in 0..2 * length.frames() + 7 {
                let first = count.saturating_sub(length.frames());
                let expected: Vec<i16> = (first..count).map(|n| n as i16).collect();
                assert_eq!(window.iter().map(|bands| bands[MEL_BANDS - 1]).collect::<Vec<_>>(), expected);
                assert_eq!(window.held(), expected.len());
                assert_eq!(window.is_full(), count >= length.frames());
                window.push(&frame(count));
                assert_eq!(window.end(), count as SampleIndex * 512);
            }
        }
    }

    #[test]
    fn copies_out_in_order() {
        let mut window = Window::new(WindowLength::SHIPPED);
        let mut out = [[-1; MEL_BANDS]; FRAMES];
        window.push(&frame(5));
        assert_eq!(window.copy_to(&mut out), 1);
        assert_eq!((out[0][0], out[1][0]), (5, -1));
        for number in 0..FRAMES + 3 {
            window.push(&frame(number));
        }
        assert_eq!(window.copy_to(&mut out), FRAMES);
        assert_eq!((out[0][0], out[FRAMES - 1][0]), (3, FRAMES as i16 + 2));
    }

    #[test]
    fn a_gap_empties_it() {
        let mut window = Window::new(WindowLength::SHIPPED);
        for number in 0..FRAMES + 40 {
            window.push(&frame(number));
        }
        window.reset();
        assert_eq!(window.held(), 0);
        assert!(window.iter().next().is_none());
        window.push(&frame(900));
        assert_eq!(window.iter().map(|bands| bands[0]).collect::<Vec<_>>(), [900]);
    }
}
