//! What is given up where recognizing is too slow for the sound: verdicts, not sound.
//!
//! ```text
//! blocks that wait    0 ─────── 43 ─────────────────────────── 224 ─────── 256
//!                     full      verdicts are passed over       rest        sound is lost, counted and told
//!                     └◀──── a rest ends at 4 ─────────────────┘
//! ```
//! An engine whose cost lies in its verdicts (one that computes a whole window for each) gives verdicts more seldom, and hears
//! everything. One whose cost lies in its frames can't be helped by that: in a rest only the level is followed, which takes a
//! fraction of the time, and then a window of sound is heard whole. So there are verdicts where an engine needs up to 2.3 times
//! as long as the sound lasts (a window of 3.9 s and the 5.2 s that may wait); one that is slower yet has none, and says so.

/// How much is done with a block of sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Everything.
    #[default]
    Full,
    /// Everything but verdicts, of which one in 7.8 s is given all the same.
    FewVerdicts,
    /// The level is followed. Afterwards the window fills anew; what was believed is shown until then, for half a minute at most.
    Rest,
}

/// Decides how much is done, by how much waits in a queue of 256 blocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Governor {
    resting: bool,
}

impl Governor {
    /// From so many waiting blocks on, verdicts are passed over: 1.0 s.
    const LATE: usize = 43;
    /// From so many on, there is a rest: 5.2 s.
    const TOO_LATE: usize = 224;
    /// At so few it ends.
    const CAUGHT_UP: usize = 4;

    /// What to do with the next block, with `waiting` more behind it.
    pub fn effort(&mut self, waiting: usize) -> Effort {
        self.resting = waiting >= Self::TOO_LATE || (self.resting && waiting > Self::CAUGHT_UP);
        match self.resting {
            true => Effort::Rest,
            false if waiting >= Self::LATE => Effort::FewVerdicts,
            false => Effort::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_lasts_until_hardly_anything_waits() {
        let mut governor = Governor::default();
        let story = [0, 42, 43, 223, 224, 256, 100, 5, 4, 0, 60];
        let efforts = story.map(|waiting| governor.effort(waiting));
        use Effort::{FewVerdicts, Full, Rest};
        assert_eq!(
            efforts,
            [Full, Full, FewVerdicts, FewVerdicts, Rest, Rest, Rest, Rest, Full, Full, FewVerdicts]
        );
    }

    /// Whether a window of 166 blocks in a row is heard, and what is lost, where a block takes `slowness` times as long as it
    /// lasts, in a rest a fifth of that.
    fn simulate(slowness: f64) -> (u64, u64) {
        let (mut governor, mut waiting, mut windows, mut lost, mut run) =
            (Governor::default(), 0.0_f64, 0, 0, 0);
        for _ in 0..100_000 {
            let effort = governor.effort(waiting as usize);
            run = if effort == Effort::Rest { 0 } else { run + 1 };
            windows += u64::from(run == 166);
            let took = if effort == Effort::Rest { slowness / 5.0 } else { slowness };
            // While it takes that long, as much comes.
            waiting = (waiting + took - 1.0).max(0.0);
            if waiting > 256.0 {
                lost += 1;
                run = 0;
                waiting = 256.0;
            }
        }
        (windows, lost)
    }

    #[test]
    fn windows_are_heard_whole_and_nothing_is_lost_up_to_twice_too_slow() {
        for slowness in [1.05, 1.5, 2.0, 2.3] {
            let (windows, lost) = simulate(slowness);
            assert!(windows > 15 && lost == 0, "{slowness}: {windows} windows, {lost} blocks lost");
        }
        assert_eq!(simulate(0.9), (1, 0), "fast enough: one window that never ends");
        // The module's documentation says where it ends.
        assert_eq!(simulate(2.5).0, 0);
        assert!(simulate(6.0).1 > 0);
    }
}
