//! Contenders side by side: every round runs each once, so that whatever disturbs the machine disturbs all.

use std::time::{Duration, Instant};

use super::Failure;

/// Rounds of one comparison.
const ROUNDS: usize = 41;
/// What one run of a contender should last at least, so that neither clock nor cold caches matter.
const RUN: Duration = Duration::from_millis(40);

/// Runs its work the given number of times and tells how long that took.
pub(super) type Work<'a> = Box<dyn FnMut(usize) -> Result<Duration, Failure> + 'a>;

/// Somebody who does the job.
pub(super) struct Contender<'a> {
    name: &'static str,
    work: Work<'a>,
}

impl<'a> Contender<'a> {
    /// A contender in this process.
    pub(super) fn here(name: &'static str, mut once: impl FnMut() + 'a) -> Self {
        let work = move |times| {
            let start = Instant::now();
            (0..times).for_each(|_| once());
            Ok(start.elapsed())
        };
        Self { name, work: Box::new(work) }
    }

    /// A contender that takes its own time, in another process.
    pub(super) fn elsewhere(name: &'static str, work: Work<'a>) -> Self {
        Self { name, work }
    }
}

/// Seconds per repetition: one list of rounds per contender, in order.
pub(super) struct Rounds {
    names: Vec<&'static str>,
    seconds: Vec<Vec<f64>>,
}

/// Runs the contenders in turn, beginning each round with another one.
pub(super) fn interleave(contenders: &mut [Contender]) -> Result<Rounds, Failure> {
    interleave_for(contenders, ROUNDS, RUN)
}

/// [`interleave`] for another number of rounds and another least duration of a run: many short ones find moments in which
/// nothing else disturbs the machine.
pub(super) fn interleave_for(
    contenders: &mut [Contender],
    count: usize,
    run: Duration,
) -> Result<Rounds, Failure> {
    let mut times = Vec::new();
    for contender in &mut *contenders {
        // Once to warm up, once to see how often it fits into a run.
        (contender.work)(1)?;
        let once = (contender.work)(1)?;
        times.push((run.as_secs_f64() / once.as_secs_f64().max(1e-9)).ceil() as usize);
    }
    let mut seconds = vec![Vec::new(); contenders.len()];
    for round in 0..count {
        for turn in 0..contenders.len() {
            let who = (round + turn) % contenders.len();
            let elapsed = (contenders[who].work)(times[who])?;
            seconds[who].push(elapsed.as_secs_f64() / times[who] as f64);
        }
    }
    Ok(Rounds { names: contenders.iter().map(|contender| contender.name).collect(), seconds })
}

impl Rounds {
    /// The median of the first contender's cost over that of `name`, round by round.
    pub(super) fn ratio_to(&self, name: &str) -> f64 {
        self.ratio_between(self.names[0], name)
    }

    /// The median of one contender's cost over another's, round by round.
    pub(super) fn ratio_between(&self, ours: &str, theirs: &str) -> f64 {
        let index = |name| self.names.iter().position(|known| *known == name);
        let ratio = |ours: usize, theirs: usize| quantile(&self.ratios(ours, theirs), 0.5);
        index(ours).zip(index(theirs)).map_or(f64::NAN, |(ours, theirs)| ratio(ours, theirs))
    }

    /// A contender's seconds per repetition, of which a share of the rounds took less.
    pub(super) fn seconds_at(&self, contender: usize, share: f64) -> f64 {
        quantile(&self.seconds[contender], share)
    }

    /// Prints each one's cost per `unit` alone: they do different jobs.
    pub(super) fn print_costs(&self, units: f64, unit: &str) {
        for (name, seconds) in self.names.iter().zip(&self.seconds) {
            println!("{name:32}  {:10.1} µs per {unit}", quantile(seconds, 0.5) / units * 1e6);
        }
    }

    /// Prints one line per contender: cost per `unit` (a repetition is `units` of them), and the first one's cost over its.
    pub(super) fn print(&self, units: f64, unit: &str) {
        let wide = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        println!("{:wide$}  {:>16}  ours / theirs (10 % to 90 % of rounds)", "", format!("µs per {unit}"));
        for (i, name) in self.names.iter().enumerate() {
            let micros = self.seconds_at(i, 0.5) / units * 1e6;
            let ratios = self.ratios(0, i);
            let (low, middle, high) =
                (quantile(&ratios, 0.1), quantile(&ratios, 0.5), quantile(&ratios, 0.9));
            let versus =
                if i == 0 { String::new() } else { format!("{middle:13.3} ({low:.3} to {high:.3})") };
            println!("{name:wide$}  {micros:16.1}  {versus}");
        }
    }

    fn ratios(&self, ours: usize, theirs: usize) -> Vec<f64> {
        self.seconds[ours].iter().zip(&self.seconds[theirs]).map(|(ours, theirs)| ours / theirs).collect()
    }
}

fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}
