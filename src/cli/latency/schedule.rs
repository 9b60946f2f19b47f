//! Has sounds played one after the other, and where this machine was too busy to ask for one in time, asks again for a later moment.
//!
//! What follows keeps its distance from what was late, so that no two sounds come closer than planned and no light is taken for
//! another sound's. Nothing that is measured depends on the moments: they are stamped by the rig.

use anyhow::{Result, bail};
use stopwatch::{Nanos, Refusal, Sound};

/// How long before its moment a sound is asked for: a burst is over 0.23 s after its begin, and the next is 0.55 s away at least.
const ASKED_BEFORE: Nanos = 290_000_000;
/// How often one sound is asked for, each time with twice as long to go: at last 4.6 s, of 10 s that a rig looks ahead.
const TRIES: u32 = 5;
/// How late a session may become altogether.
pub(super) const MOST_BEHIND: Nanos = 20_000_000_000;

/// Who plays.
pub(super) trait Rig {
    /// What the rig's clock shows.
    fn now(&self) -> Nanos;
    /// Waits until it shows that.
    fn wait_until(&mut self, at: Nanos) -> Result<()>;
    /// Asks for a sound at a moment of the rig's clock.
    fn play(&mut self, at: Nanos, sound: Sound) -> Result<Result<(), Refusal>>;
}

/// A session that is being played.
#[derive(Debug)]
pub(super) struct Schedule {
    begin: Nanos,
    /// How late everything that is still to come will be.
    behind: Nanos,
    /// How often a sound was asked for again.
    pub(super) asked_again: u32,
}

impl Schedule {
    /// A session that begins at a moment of the rig's clock.
    pub(super) fn new(begin: Nanos) -> Self {
        Self { begin, behind: 0, asked_again: 0 }
    }

    /// The moment that is so long after the begin, as late as the session is.
    pub(super) fn at(&self, after: Nanos) -> Nanos {
        self.begin + self.behind + after
    }

    /// Has a sound played so long after the begin, or later; when that is.
    pub(super) fn play(&mut self, rig: &mut impl Rig, after: Nanos, sound: Sound) -> Result<Nanos> {
        for further in 1..=TRIES {
            let at = self.at(after);
            // Asked again at once: what is waited for then is the longer time to go.
            if further == 1 {
                rig.wait_until(at.saturating_sub(ASKED_BEFORE))?;
            }
            match rig.play(at, sound)? {
                Ok(()) => return Ok(at),
                Err(Refusal::TooLate) => {
                    let earliest = rig.now() + (ASKED_BEFORE << further);
                    self.behind += earliest.saturating_sub(at);
                    self.asked_again += 1;
                }
                Err(why) => bail!("the rig does not play ({why:?})"),
            }
            if self.behind > MOST_BEHIND {
                break;
            }
        }
        bail!(
            "a sound was asked for too late, and {} times again: this machine is too busy to measure",
            self.asked_again.saturating_sub(1)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rig at whose machine something else runs for so long, each time, before a question arrives.
    struct Busy {
        now: Nanos,
        stalls: Vec<Nanos>,
        played: Vec<Nanos>,
        refuses: Option<Refusal>,
    }

    impl Busy {
        fn new(stalls: &[u64]) -> Self {
            let stalls = stalls.iter().rev().map(|millis| millis * 1_000_000).collect();
            Self { now: 0, stalls, played: Vec::new(), refuses: None }
        }
    }

    impl Rig for Busy {
        fn now(&self) -> Nanos {
            self.now
        }

        fn wait_until(&mut self, at: Nanos) -> Result<()> {
            self.now = self.now.max(at);
            Ok(())
        }

        fn play(&mut self, at: Nanos, _: Sound) -> Result<Result<(), Refusal>> {
            self.now += self.stalls.pop().unwrap_or(0);
            if let Some(why) = self.refuses {
                return Ok(Err(why));
            }
            if at < self.now + stopwatch::device::LEAD {
                return Ok(Err(Refusal::TooLate));
            }
            self.played.push(at);
            Ok(Ok(()))
        }
    }

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn who_is_in_time_plays_as_planned() {
        let (mut rig, mut schedule) = (Busy::new(&[270, 0]), Schedule::new(7 * SECOND));
        for after in [SECOND, 2 * SECOND] {
            assert_eq!(schedule.play(&mut rig, after, Sound::Burst).unwrap(), 7 * SECOND + after);
        }
        assert_eq!((schedule.asked_again, rig.played.len()), (0, 2));
    }

    #[test]
    fn who_is_late_asks_again_for_later_and_what_follows_keeps_its_distance() {
        // Stalled for 0.9 s, twice, then once more before another sound.
        let (mut rig, mut schedule) = (Busy::new(&[900, 900, 0, 0, 600]), Schedule::new(0));
        let played: Vec<Nanos> = [3 * SECOND, 4 * SECOND, 5 * SECOND]
            .iter()
            .map(|after| schedule.play(&mut rig, *after, Sound::Burst).unwrap())
            .collect();
        assert_eq!(rig.played, played, "what it says is when it is played");
        assert_eq!(schedule.asked_again, 3);
        assert!(played[0] > 3 * SECOND && played[1] - played[0] == SECOND);
        assert!(played[2] - played[1] > SECOND, "the last was late once more");
        assert_eq!(schedule.at(9 * SECOND) - played[2], 4 * SECOND);
    }

    #[test]
    fn who_is_always_late_gives_up_and_another_refusal_is_told_at_once() {
        let (mut rig, mut schedule) = (Busy::new(&[6000; 9]), Schedule::new(0));
        let error = schedule.play(&mut rig, SECOND, Sound::Burst).unwrap_err().to_string();
        assert!(error.contains("asked for too late") && error.contains("too busy to measure"), "{error}");
        assert!(rig.played.is_empty() && rig.now < 60 * SECOND, "{}", rig.now);
        // Now and then late, but in the end too much of it.
        let (mut rig, mut schedule) = (Busy::new(&[6000, 0].repeat(9)), Schedule::new(0));
        let tries = (1..9).map(|after| schedule.play(&mut rig, after * SECOND, Sound::Burst));
        assert_eq!(tries.take_while(Result::is_ok).count(), 3, "{schedule:?}");

        let (mut rig, mut schedule) = (Busy::new(&[]), Schedule::new(0));
        rig.refuses = Some(Refusal::Busy);
        let error = schedule.play(&mut rig, SECOND, Sound::Burst).unwrap_err().to_string();
        assert!(error.contains("Busy") && schedule.asked_again == 0, "{error}");
    }
}
