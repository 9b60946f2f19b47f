//! How long each stage took, from the records of a trace.

use std::collections::HashMap;

use super::distribution::Distribution;
use super::{FaultTimes, PeriodRecord, Record, Shown, VerdictTimes};
use crate::flow::{Nanos, SampleIndex, Stamp};

/// A stage or a path: its name, and how long it took each time, microseconds.
pub type Timing = (&'static str, Distribution);

/// What a trace says of the stages.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// Every stage by itself, in the order of the signal path.
    pub stages: Vec<Timing>,
    /// Across stages: sound to its being read, a period to its verdict, a verdict to the display, and all of it.
    pub paths: Vec<Timing>,
    /// The part that each stage has in the mean way from period to verdict: stages and shares, which sum to 1.
    pub verdict_shares: Vec<(&'static str, f64)>,
    /// The same of the way from period to display.
    pub shares: Vec<(&'static str, f64)>,
    /// What a period cost to process over its length, 1 is all of its time.
    pub load: Distribution,
    /// The sources' time stamps.
    pub stamps: Stamps,
    /// Periods, verdicts that were computed, and pictures that the records tell of.
    pub counts: (usize, usize, usize),
    /// Frames that were lost before periods, and before how many.
    pub lost: (u64, usize),
    /// Writes to a display that failed.
    pub failed_writes: usize,
    /// What broke.
    pub faults: Vec<FaultTimes>,
}

/// How many stamps were what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of `Stamp`")]
pub struct Stamps {
    pub absent: usize,
    pub believable: usize,
    pub zero: usize,
    pub backwards: usize,
    pub foreign: usize,
}

impl Stamps {
    fn count(&mut self, stamp: Stamp) {
        *match stamp {
            Stamp::Absent => &mut self.absent,
            Stamp::At(_) => &mut self.believable,
            Stamp::Zero => &mut self.zero,
            Stamp::Backwards(_) => &mut self.backwards,
            Stamp::Foreign(_) => &mut self.foreign,
        } += 1;
    }
}

/// A verdict's way through the stages: moments, in order.
#[derive(Clone, Copy)]
struct Way {
    captured: Option<Nanos>,
    read: Nanos,
    resampled: Nanos,
    taken: Nanos,
    frame: Nanos,
    scored: Nanos,
    decided: Nanos,
    /// Whether it says something else than the verdict before it.
    is_news: bool,
    /// Writing it to the display, where that is known.
    written: Option<(Nanos, Nanos)>,
}

impl Way {
    fn of(
        verdict: &VerdictTimes,
        is_news: bool,
        period: &PeriodRecord,
        written: Option<(Nanos, Nanos)>,
    ) -> Self {
        let at = |after: u32| verdict.taken.saturating_add(u64::from(after));
        Self {
            captured: if let Stamp::At(at) = period.captured() { Some(at) } else { None },
            read: period.read,
            resampled: period.read.saturating_add(u64::from(period.resampled_after)),
            taken: verdict.taken,
            frame: at(verdict.frame_after),
            scored: at(verdict.scored_after),
            decided: at(verdict.decided_after),
            is_news,
            written,
        }
    }
}

fn micros(from: Nanos, to: Nanos) -> f64 {
    to.saturating_sub(from) as f64 / 1e3
}

/// The first picture and the first note of each scene: from the earlier one's begin to the later one's end.
fn written(records: &[Record]) -> HashMap<SampleIndex, (Nanos, Nanos)> {
    let mut first: HashMap<(SampleIndex, bool), Shown> = HashMap::new();
    for record in records {
        if let Record::Shown(shown) = record {
            first.entry((shown.at, shown.is_note)).or_insert(*shown);
        }
    }
    let mut written: HashMap<SampleIndex, (Nanos, Nanos)> = HashMap::new();
    for shown in first.values() {
        let (begun, ended) = (shown.begun, shown.begun.saturating_add(u64::from(shown.ended_after)));
        let both = written.entry(shown.at).or_insert((begun, ended));
        *both = (both.0.min(begun), both.1.max(ended));
    }
    written
}

/// Verdicts for which something was computed, and whether each says something else than the one before it.
fn computed(mut verdicts: Vec<VerdictTimes>) -> Vec<(VerdictTimes, bool)> {
    verdicts.sort_by_key(|verdict| verdict.taken.saturating_add(u64::from(verdict.decided_after)));
    let mut before = None;
    let mut news = Vec::new();
    for verdict in verdicts {
        let says = (verdict.state, verdict.label);
        let is_news = before.replace(says).is_some_and(|before| before != says);
        if verdict.scored_after > 0 {
            news.push((verdict, is_news));
        }
    }
    news
}

/// Each stage's mean time over the sum of all.
fn shares(stages: &[Timing]) -> Vec<(&'static str, f64)> {
    let total: f64 = stages.iter().filter_map(|(_, times)| times.mean()).sum();
    let share = |times: &Distribution| times.mean().unwrap_or(0.0) / total.max(1e-12);
    stages.iter().map(|(name, times)| (*name, share(times))).collect()
}

impl Stages {
    /// What `records` say, in whatever order they are.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut told = Self::default();
        let written = written(records);
        let mut periods = HashMap::new();
        let mut verdicts = Vec::new();
        for record in records {
            match record {
                Record::Period(period) => {
                    periods.insert(period.read, *period);
                    told.stamps.count(period.captured());
                    told.lost.0 += u64::from(period.lost);
                    told.lost.1 += usize::from(period.lost > 0);
                }
                Record::Verdict(verdict) => verdicts.push(*verdict),
                Record::Shown(shown) => {
                    told.counts.2 += 1;
                    told.failed_writes += usize::from(!shown.ok);
                }
                Record::Fault(fault) => told.faults.push(*fault),
            }
        }
        let verdicts = computed(verdicts);
        (told.counts.0, told.counts.1) = (periods.len(), verdicts.len());
        told.load =
            periods.values().map(|period| period.cost() as f64 / period.length().max(1) as f64).collect();
        let ways: Vec<Way> = verdicts
            .iter()
            .filter_map(|(verdict, is_news)| {
                let written = written.get(&verdict.at).copied();
                periods.get(&verdict.read).map(|period| Way::of(verdict, *is_news, period, written))
            })
            .collect();
        told.time(&ways);
        told
    }

    fn time(&mut self, ways: &[Way]) {
        let each = |time: fn(&Way) -> Option<f64>| ways.iter().filter_map(time).collect::<Distribution>();
        self.stages = vec![
            ("resample", each(|way| Some(micros(way.read, way.resampled)))),
            ("queue", each(|way| Some(micros(way.resampled, way.taken)))),
            ("front-end", each(|way| Some(micros(way.taken, way.frame)))),
            ("inference", each(|way| Some(micros(way.frame, way.scored)))),
            ("decision", each(|way| Some(micros(way.scored, way.decided)))),
            ("to display", each(|way| way.written.map(|(begun, _)| micros(way.decided, begun)))),
            ("display write", each(|way| way.written.map(|(begun, ended)| micros(begun, ended)))),
        ];
        self.paths = vec![
            ("sound to read", each(|way| way.captured.map(|at| micros(at, way.read)))),
            ("period to verdict", each(|way| Some(micros(way.read, way.decided)))),
            ("verdict to display", each(|way| way.written.map(|(_, ended)| micros(way.decided, ended)))),
            (
                "  another genre or state",
                each(|way| way.written.filter(|_| way.is_news).map(|(_, ended)| micros(way.decided, ended))),
            ),
            ("period to display", each(|way| way.written.map(|(_, ended)| micros(way.read, ended)))),
        ];
        let decided = self.stages.iter().take_while(|(name, _)| *name != "to display").count();
        self.verdict_shares = shares(&self.stages[..decided]);
        self.shares = shares(&self.stages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::PeriodTimes;

    #[test]
    fn a_verdict_is_followed_from_its_period_to_the_display() {
        let times = PeriodTimes {
            frames: 960,
            rate_hz: 48_000,
            captured: Stamp::At(900_000),
            read: 1_000_000,
            resampled: 1_010_000,
            ..PeriodTimes::default()
        };
        let period = PeriodRecord::new(&times, 1_030_000, 1_100_000, 0);
        let verdict = VerdictTimes {
            at: 7,
            read: 1_000_000,
            taken: 1_030_000,
            frame_after: 5_000,
            pushed_after: 9_000,
            scored_after: 45_000,
            decided_after: 46_000,
            told_after: 47_000,
            ..VerdictTimes::default()
        };
        // What was said before, without its period.
        let before = VerdictTimes { at: 5, state: 1, read: 1, taken: 900_000, ..VerdictTimes::default() };
        let note = Shown { at: 7, is_note: true, ok: true, begun: 1_080_000, ended_after: 1_000 };
        let picture = Shown { at: 7, is_note: false, ok: true, begun: 1_082_000, ended_after: 8_000 };
        // The same scene once more, because nothing newer came: that isn't when the verdict was shown.
        let again = Shown { begun: 9_000_000, ..picture };
        let records = [
            Record::Shown(note),
            Record::Verdict(verdict),
            Record::Verdict(before),
            Record::Period(period),
            Record::Shown(picture),
            Record::Shown(again),
        ];
        let told = Stages::of(&records);
        let middle = |timings: &[Timing]| -> Vec<(&str, f64)> {
            timings.iter().map(|(name, times)| (*name, times.quantile(0.5).unwrap())).collect()
        };
        let stages = [
            ("resample", 10.0),
            ("queue", 20.0),
            ("front-end", 5.0),
            ("inference", 40.0),
            ("decision", 1.0),
            ("to display", 4.0),
            ("display write", 10.0),
        ];
        assert_eq!(middle(&told.stages), stages);
        let paths = [
            ("sound to read", 100.0),
            ("period to verdict", 76.0),
            ("verdict to display", 14.0),
            ("  another genre or state", 14.0),
            ("period to display", 90.0),
        ];
        assert_eq!(middle(&told.paths), paths);
        assert!((told.shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(told.shares[3], ("inference", 40.0 / 90.0));
        assert_eq!(told.verdict_shares.len(), 5);
        assert_eq!(told.verdict_shares[3], ("inference", 40.0 / 76.0));
        // 10 µs of resampling and 70 of recognizing, of 20 ms.
        assert_eq!(told.load.max(), Some(0.004));
        assert_eq!((told.counts, told.stamps.believable), ((1, 1, 3), 1));
    }

    /// Found by fuzzing: moments of a damaged file lay beyond the end of time.
    #[test]
    fn moments_at_the_end_of_time_are_no_panic() {
        let end = u64::MAX;
        let shown = Shown { begun: end, ended_after: u32::MAX, ..Shown::default() };
        let late = u32::MAX;
        let verdict = VerdictTimes {
            read: end,
            taken: end,
            scored_after: late,
            decided_after: late,
            ..VerdictTimes::default()
        };
        let times = PeriodTimes { read: end, frames: late, ..PeriodTimes::default() };
        let mut period = PeriodRecord::new(&times, end, end, 0);
        period.resampled_after = late;
        let verdicts = [verdict, verdict].map(Record::Verdict);
        let told = Stages::of(&[&verdicts[..], &[Record::Shown(shown), Record::Period(period)]].concat());
        assert_eq!(told.counts, (1, 2, 1));
    }
}
