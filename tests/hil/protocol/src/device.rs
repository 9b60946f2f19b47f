//! What a device answers, whatever its hardware: pins and clock come in as a [`Board`].

use crate::{Channel, Edge, Frames, Hello, Nanos, Refusal, Reply, Request, Sound, VERSION};

/// How long before its moment something must be asked for: what playing needs to begin in time.
pub const LEAD: Nanos = 10_000_000;
/// How far ahead something may be asked for.
pub const HORIZON: Nanos = 10_000_000_000;

/// Pins and clock.
pub trait Board {
    /// The resolution of [`now`](Self::now) and of the edges' moments, nanoseconds: the coarser one.
    const TICK_NANOS: u32;

    /// The time.
    fn now(&self) -> Nanos;

    /// Whether something is to be played, or being played.
    fn is_busy(&self) -> bool;

    /// Plays it then, with the trigger high from the first sample on. Returns at once.
    fn play(&mut self, at: Nanos, sound: Sound);

    /// Forgets what is to be played, and ends what is being played.
    fn quiet(&mut self);
}

/// The device's half of the protocol.
#[derive(Clone, Debug, Default)]
pub struct Device {
    frames: Frames,
    edges: u32,
}

impl Device {
    /// Takes a byte that came at `came`, does what it completes, and answers, if there is something to answer.
    pub fn hear<B: Board>(&mut self, byte: u8, came: Nanos, board: &mut B) -> Option<Reply> {
        Some(match self.frames.feed(byte)? {
            Ok(Request::Hello) => Reply::Hello(Hello { version: VERSION, tick_nanos: B::TICK_NANOS }),
            Ok(Request::Time { number }) => Reply::Time { number, received: came, replied: board.now() },
            Ok(Request::Play { number, at, sound }) => match refusal(board, at) {
                Some(why) => Reply::Refused { number, why },
                None => {
                    board.play(at, sound);
                    Reply::Scheduled { number }
                }
            },
            Ok(Request::Quiet) => {
                board.quiet();
                return None;
            }
            Err(_) => Reply::Unreadable,
        })
    }

    /// What is said of a pin that changed. To be called for those, too, that cannot be sent: their numbers are then missing.
    pub fn edge(&mut self, channel: Channel, is_high: bool, at: Nanos) -> Reply {
        let number = self.edges;
        self.edges = number.wrapping_add(1);
        Reply::Edge(Edge { number, channel, is_high, at })
    }
}

fn refusal<B: Board>(board: &B, at: Nanos) -> Option<Refusal> {
    let now = board.now();
    if board.is_busy() {
        Some(Refusal::Busy)
    } else if at < now.saturating_add(LEAD) {
        Some(Refusal::TooLate)
    } else if at > now.saturating_add(HORIZON) {
        Some(Refusal::TooFar)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_BYTES, encode};

    #[derive(Default)]
    struct Fake {
        now: Nanos,
        played: Option<(Nanos, Sound)>,
    }

    impl Board for Fake {
        const TICK_NANOS: u32 = 1000;

        fn now(&self) -> Nanos {
            self.now
        }

        fn is_busy(&self) -> bool {
            self.played.is_some()
        }

        fn play(&mut self, at: Nanos, sound: Sound) {
            self.played = Some((at, sound));
        }

        fn quiet(&mut self) {
            self.played = None;
        }
    }

    fn ask(device: &mut Device, board: &mut Fake, request: &Request) -> Option<Reply> {
        let mut bytes = [0; FRAME_BYTES];
        encode(request, &mut bytes).iter().filter_map(|byte| device.hear(*byte, 7, board)).last()
    }

    #[test]
    fn it_tells_itself_and_the_time() {
        let (mut device, mut board) = (Device::default(), Fake { now: 9, ..Fake::default() });
        let hello = Reply::Hello(Hello { version: VERSION, tick_nanos: 1000 });
        assert_eq!(ask(&mut device, &mut board, &Request::Hello), Some(hello));
        let time = Reply::Time { number: 5, received: 7, replied: 9 };
        assert_eq!(ask(&mut device, &mut board, &Request::Time { number: 5 }), Some(time));
        assert_eq!([9, 0].map(|byte| device.hear(byte, 0, &mut board)), [None, Some(Reply::Unreadable)]);
    }

    #[test]
    fn it_plays_one_thing_at_a_time_neither_late_nor_far_ahead() {
        let (mut device, mut board) = (Device::default(), Fake { now: 1_000_000_000, ..Fake::default() });
        let mut play = |board: &mut Fake, at| {
            ask(&mut device, board, &Request::Play { number: 3, at, sound: Sound::Burst })
        };
        let refused = |why| Some(Reply::Refused { number: 3, why });
        assert_eq!(play(&mut board, 0), refused(Refusal::TooLate));
        assert_eq!(play(&mut board, 1_000_000_000 + LEAD - 1), refused(Refusal::TooLate));
        assert_eq!(play(&mut board, 1_000_000_000 + HORIZON + 1), refused(Refusal::TooFar));
        assert_eq!(board.played, None);
        assert_eq!(play(&mut board, 1_500_000_000), Some(Reply::Scheduled { number: 3 }));
        assert_eq!(board.played, Some((1_500_000_000, Sound::Burst)));
        assert_eq!(play(&mut board, 2_000_000_000), refused(Refusal::Busy));
        assert_eq!(ask(&mut device, &mut board, &Request::Quiet), None);
        assert!(!board.is_busy());
    }

    #[test]
    fn edges_are_numbered() {
        let mut device = Device::default();
        let number = |reply| if let Reply::Edge(edge) = reply { edge.number } else { u32::MAX };
        let numbers = [1, 2, 3].map(|at| number(device.edge(Channel::Level, true, at)));
        assert_eq!(numbers, [0, 1, 2]);
    }
}
