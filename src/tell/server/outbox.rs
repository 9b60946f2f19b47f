//! What waits for a listener: so many events and no more. Where a listener is too slow, the oldest are lost, and it is
//! told how many when it catches up.

use std::collections::VecDeque;

use crate::tell::encode::Frame;

/// A listener's events, the oldest first.
#[derive(Debug)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    room: usize,
    /// Bytes of the first frame that are gone already.
    sent: usize,
    /// Events that were lost directly before the first frame that is not begun.
    lost: u64,
}

impl Outbox {
    /// For `room` events, at least 1.
    pub(super) fn new(room: usize) -> Self {
        // A begun frame and the one that tells of a loss come on top.
        Self { frames: VecDeque::with_capacity(room + 2), room, sent: 0, lost: 0 }
    }

    /// Adds an event; the number of events that are lost by it.
    pub(super) fn push(&mut self, frame: Frame) -> u64 {
        let begun = usize::from(self.sent > 0);
        let lost = self.frames.len() >= self.room + begun;
        if lost {
            // What is begun has to be ended, or nothing after it would be understood.
            self.frames.remove(begun);
            self.lost += 1;
        }
        self.frames.push_back(frame);
        u64::from(lost)
    }

    /// Counts events that were lost before they came here.
    pub(super) fn missed(&mut self, events: u64) {
        self.lost += events;
    }

    /// The bytes to send next. Where events were lost before them, `tell` makes the event that says so.
    pub(super) fn next(&mut self, tell: impl FnOnce(u64) -> Frame) -> Option<&[u8]> {
        if self.sent == 0 && self.lost > 0 && !self.frames.is_empty() {
            self.frames.push_front(tell(std::mem::take(&mut self.lost)));
        }
        self.frames.front().map(|frame| &frame[self.sent..])
    }

    /// Bytes of [`next`](Self::next) are sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.frames.front().is_some_and(|frame| frame.len() <= self.sent) {
            self.frames.pop_front();
            self.sent = 0;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Events that wait.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        text.as_bytes().into()
    }

    /// Everything that comes out, `at_once` bytes at a time.
    fn drain(outbox: &mut Outbox, at_once: usize) -> String {
        let mut all = Vec::new();
        while let Some(bytes) = outbox.next(|lost| frame(&format!("[{lost}]"))) {
            let taken = bytes.len().min(at_once);
            all.extend_from_slice(&bytes[..taken]);
            outbox.sent(taken);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_oldest_are_lost_and_the_loss_is_told_where_it_happened() {
        let mut outbox = Outbox::new(3);
        let lost: u64 = ["a;", "b;", "c;", "d;", "e;"].map(|text| outbox.push(frame(text))).iter().sum();
        assert_eq!(lost, 2);
        assert_eq!(drain(&mut outbox, 1), "[2]c;d;e;");
        outbox.push(frame("f;"));
        assert_eq!(drain(&mut outbox, 9), "f;");
        outbox.missed(7);
        assert_eq!(drain(&mut outbox, 9), "", "a loss is told with the next event");
        outbox.push(frame("g;"));
        assert_eq!(drain(&mut outbox, 9), "[7]g;");
    }

    #[test]
    fn what_is_begun_is_ended_and_memory_does_not_grow() {
        let mut outbox = Outbox::new(2);
        outbox.push(frame("begun;"));
        assert!(outbox.next(|_| frame("")).is_some());
        outbox.sent(2);
        let capacity = outbox.frames.capacity();
        let lost: u64 = (0..100_000).map(|i| outbox.push(frame(&format!("{i};")))).sum();
        assert_eq!((lost, outbox.len()), (99_998, 3));
        assert_eq!(outbox.frames.capacity(), capacity);
        assert_eq!(drain(&mut outbox, 100), "gun;[99998]99998;99999;");
    }
}
