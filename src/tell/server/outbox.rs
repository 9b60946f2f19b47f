//! What waits for a listener: so many events and no more. Where a listener is too slow, the oldest are lost, and it is
//! told how many when it catches up.

use std::collections::VecDeque;

use crate::tell::encode::Frame;

/// A listener's events, the oldest first.
#[derive(Debug)]
pub(super) struct Outbox {
    /// What no byte is sent of.
    frames: VecDeque<Frame>,
    room: usize,
    /// What is begun, and how many bytes of it are sent: it has to be ended, or nothing after it would be understood.
    begun: Option<(Frame, usize)>,
    /// Events that were lost directly before `frames`.
    lost: u64,
    /// Tells of them, made for the last attempt to send. It takes no place from events.
    notice: Option<Frame>,
}

impl Outbox {
    /// For `room` events, at least 1.
    pub(super) fn new(room: usize) -> Self {
        Self { frames: VecDeque::with_capacity(room), room, begun: None, lost: 0, notice: None }
    }

    /// Adds an event; the number of events that are lost by it.
    pub(super) fn push(&mut self, frame: Frame) -> u64 {
        let full = self.frames.len() >= self.room;
        if full {
            self.frames.pop_front();
            self.lost += 1;
        }
        self.frames.push_back(frame);
        u64::from(full)
    }

    /// Counts events that were lost before they came here.
    pub(super) fn missed(&mut self, events: u64) {
        self.lost += events;
    }

    /// The bytes to send next. Where events were lost before them, `tell` makes the event that says so.
    pub(super) fn next(&mut self, tell: impl FnOnce(u64) -> Frame) -> Option<&[u8]> {
        self.notice = None;
        match &self.begun {
            Some((frame, sent)) => Some(&frame[*sent..]),
            None if self.lost > 0 && !self.frames.is_empty() => {
                Some(&self.notice.insert(tell(self.lost))[..])
            }
            None => self.frames.front().map(|frame| &frame[..]),
        }
    }

    /// So many bytes of [`next`](Self::next) are sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        let (frame, sent) = match (self.begun.take(), self.notice.take()) {
            (Some(begun), _) => begun,
            (None, Some(notice)) => {
                self.lost = 0;
                (notice, 0)
            }
            (None, None) => match self.frames.pop_front() {
                Some(frame) => (frame, 0),
                None => return,
            },
        };
        if sent + bytes < frame.len() {
            self.begun = Some((frame, sent + bytes));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_none() && self.frames.is_empty()
    }

    /// Events that wait, one that is begun among them.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + usize::from(self.begun.is_some())
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
        let mut lost = 0;
        for i in 0..100_000 {
            lost += outbox.push(frame(&format!("{i};")));
            assert!(outbox.next(|_| frame("")).is_some(), "an attempt that sends nothing");
        }
        assert_eq!((lost, outbox.len()), (99_998, 3));
        assert_eq!(outbox.frames.capacity(), capacity);
        assert_eq!(drain(&mut outbox, 100), "gun;[99998]99998;99999;");
    }

    #[test]
    fn attempts_that_fail_forget_no_loss() {
        let mut outbox = Outbox::new(1);
        for text in ["a;", "b;", "c;"] {
            outbox.push(frame(text));
            assert!(outbox.next(|lost| frame(&format!("[{lost}]"))).is_some());
        }
        // A notice that is begun stands; what is lost then belongs to the next.
        assert_eq!(outbox.next(|lost| frame(&format!("[{lost}]"))), Some(&b"[2]"[..]));
        outbox.sent(1);
        outbox.push(frame("d;"));
        assert_eq!(drain(&mut outbox, 1), "2][1]d;");
    }
}
