//! The lock-free queue between the capture thread and the signal thread. The only file that names heapless's queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use heapless::spsc::{Consumer, Producer, Queue};

use crate::capture::CaptureError;
use crate::flow::{Block, Fault, Periods, SampleIndex};

/// Slots of the queue: 256 blocks are 5.9 s of sound, more than any board needs for one verdict. 0.5 MiB.
const SLOTS: usize = 257;
/// How much may wait in the queue.
pub const QUEUE_BLOCKS: usize = SLOTS - 1;

/// What travels from the capture thread to the signal thread.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the slots are for blocks, and a box would be allocated per block"
)]
pub enum Sound {
    /// Sound.
    Block {
        /// The samples.
        block: Block,
        /// Whether their source loses nothing while it waits, so that nothing after it needs to be missed either.
        patient: bool,
        /// The periods that were read since the block before.
        periods: Periods,
    },
    /// The microphone broke at this sample index.
    Fault(SampleIndex, Fault),
    /// The microphone delivers again, from this sample index on.
    Mended(SampleIndex),
    /// The recording is over; with the error where it broke off.
    End(Option<CaptureError>),
}

/// The queue's memory; [`split`](SoundQueue::split) it once.
pub struct SoundQueue {
    slots: Box<Queue<Sound, SLOTS>>,
    /// The sender is gone.
    ended: AtomicBool,
    /// The receiver is gone.
    deaf: AtomicBool,
}

impl Default for SoundQueue {
    fn default() -> Self {
        Self { slots: Box::new(Queue::new()), ended: AtomicBool::new(false), deaf: AtomicBool::new(false) }
    }
}

impl SoundQueue {
    /// The two ends. `signal` is the thread that receives.
    pub fn split(&mut self, signal: Thread) -> (Sender<'_>, Receiver<'_>) {
        let (producer, consumer) = self.slots.split();
        let (ended, deaf) = (&self.ended, &self.deaf);
        (Sender { producer, ended, deaf, signal, unsent: 0, dropped: 0 }, Receiver { consumer, ended, deaf })
    }
}

/// The capture thread's end: never waits, never locks.
pub struct Sender<'a> {
    producer: Producer<'a, Sound>,
    ended: &'a AtomicBool,
    deaf: &'a AtomicBool,
    signal: Thread,
    /// Samples that found the queue full since the last block that did not.
    unsent: u64,
    dropped: u64,
}

impl Sender<'_> {
    /// Sends a block; a `patient` source waits until it fits. Else, where the queue is full, its samples are lost: the
    /// next block that fits says so.
    pub fn block(&mut self, block: &Block, patient: bool, periods: Periods) {
        if patient {
            self.wait_for_room();
        }
        if self.producer.ready() {
            let mut block = block.clone();
            block.lost += std::mem::take(&mut self.unsent);
            self.send(Sound::Block { block, patient, periods });
        } else {
            let samples = block.samples.len() as u64;
            self.unsent += block.lost + samples;
            self.dropped += samples;
        }
    }

    /// Sends a change of the microphone's state, waiting for room: while nothing is heard there is no sound to be late
    /// for.
    pub fn change(&mut self, change: Sound) {
        self.wait_for_room();
        self.send(change);
    }

    /// Waits until the queue has room, or until nobody listens.
    fn wait_for_room(&self) {
        while !self.producer.ready() && self.is_heard() {
            self.signal.unpark();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether the receiver is still there.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        !self.deaf.load(Ordering::Acquire)
    }

    /// Samples that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn send(&mut self, sound: Sound) {
        // There is room, because only this end fills the queue; or nobody listens.
        let _ = self.producer.enqueue(sound);
        self.signal.unpark();
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.signal.unpark();
    }
}

/// The signal thread's end.
pub struct Receiver<'a> {
    consumer: Consumer<'a, Sound>,
    ended: &'a AtomicBool,
    deaf: &'a AtomicBool,
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.deaf.store(true, Ordering::Release);
    }
}

impl Receiver<'_> {
    /// How much waits.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.consumer.len()
    }

    /// Waits for what comes next and hands it to `take` in place; `false` once the sender is gone and everything was
    /// taken. `take` also learns how much waits behind it. Must run on the thread that [`SoundQueue::split`] was told.
    pub fn next(&mut self, take: impl FnOnce(&Sound, usize)) -> bool {
        loop {
            // Read before the queue: what was sent before the end is still in there.
            let ended = self.ended.load(Ordering::Acquire);
            let waiting = self.consumer.len();
            if let Some(sound) = self.consumer.peek() {
                take(sound, waiting.saturating_sub(1));
                self.consumer.dequeue();
                return true;
            }
            if ended {
                return false;
            }
            // A lost wake-up costs one pause.
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(start: u64, lost: u64) -> Block {
        Block { start, lost, samples: [1; 100].into_iter().collect() }
    }

    fn sound(block: Block) -> Sound {
        Sound::Block { block, patient: false, periods: Periods::new() }
    }

    #[test]
    fn what_is_sent_arrives_in_order_and_the_end_comes_last() {
        let mut queue = SoundQueue::default();
        let (mut sender, mut receiver) = queue.split(std::thread::current());
        sender.block(&block(0, 0), false, Periods::new());
        sender.change(Sound::Fault(100, Fault::MicrophoneLost));
        drop(sender);
        let mut got = Vec::new();
        while receiver.next(|sound, _| got.push(sound.clone())) {}
        assert_eq!(got, [sound(block(0, 0)), Sound::Fault(100, Fault::MicrophoneLost)]);
    }

    #[test]
    fn what_finds_the_queue_full_is_lost_and_told() {
        let mut queue = SoundQueue::default();
        let (mut sender, mut receiver) = queue.split(std::thread::current());
        for i in 0..SLOTS as u64 + 1 {
            sender.block(&block(100 * i, u64::from(i == 256)), false, Periods::new());
        }
        assert_eq!((sender.dropped(), receiver.waiting()), (200, QUEUE_BLOCKS));
        assert!(receiver.next(|_, _| {}));
        sender.block(&block(100 * SLOTS as u64 + 100, 3), false, Periods::new());
        drop(sender);
        let mut last = None;
        while receiver.next(|sound, _| last = Some(sound.clone())) {}
        // 200 dropped samples, one lost before them and three after.
        assert_eq!(last, Some(sound(block(25_800, 204))));
    }

    #[test]
    fn a_sender_that_waits_is_not_held_up_by_a_receiver_that_is_gone() {
        let mut queue = SoundQueue::default();
        let (mut sender, receiver) = queue.split(std::thread::current());
        drop(receiver);
        for i in 0..SLOTS as u64 + 1 {
            sender.block(&block(100 * i, 0), true, Periods::new());
        }
        assert_eq!(sender.dropped(), 200);
    }

    #[test]
    fn a_slow_receiver_gets_everything_from_a_sender_that_waits() {
        let mut queue = SoundQueue::default();
        let (sender, mut receiver) = queue.split(std::thread::current());
        let heard = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut sender = sender;
                for i in 0..2000 {
                    sender.block(&block(100 * i, 0), true, Periods::new());
                }
            });
            let mut heard = 0;
            while receiver.next(|sound, _| {
                let Sound::Block { block, .. } = sound else { panic!("{sound:?}") };
                assert_eq!((block.lost, block.start), (0, 100 * heard));
                heard += 1;
            }) {}
            heard
        });
        assert_eq!(heard, 2000);
    }
}
