//! Lines for the log, no more than a memory card bears: a fault that comes back every second must not fill it.
//!
//! Not for what a verdict is: displays and `tell` say that.

use std::io::Write as _;
use std::time::Duration;

/// Writes a line to standard error. Where that cannot be written, its disk full or its reader gone, the line is lost and
/// nothing else: `eprintln!` would end the program.
pub(crate) fn say(line: impl core::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Lines that may come at once: all that a start has to say, and then some.
const AT_ONCE: u32 = 40;
/// How often another line is allowed after those.
const REFILL: Duration = Duration::from_secs(60);

/// Lets lines through while they are few, and counts the others.
#[derive(Debug)]
pub(crate) struct Log {
    allowed: u32,
    /// Until when allowances have been given out.
    refilled: Duration,
    left_out: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self { allowed: AT_ONCE, refilled: Duration::ZERO, left_out: 0 }
    }
}

impl Log {
    /// What to write where `text` is to be written `now`, a time since the start: nothing where there was too much, and where
    /// it is let through again, how much was left out.
    pub(crate) fn take(&mut self, text: &str, now: Duration) -> Option<String> {
        let periods = now.saturating_sub(self.refilled).as_secs() / REFILL.as_secs();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.allowed = self.allowed.saturating_add(periods).min(AT_ONCE);
        self.refilled = self.refilled.saturating_add(REFILL.saturating_mul(periods));
        let Some(allowed) = self.allowed.checked_sub(1) else {
            self.left_out += 1;
            return None;
        };
        self.allowed = allowed;
        match self.rest() {
            Some(rest) => Some(format!("{rest}\n{text}")),
            None => Some(text.to_string()),
        }
    }

    /// How much was left out since the last line, if anything was.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let count = std::mem::take(&mut self.left_out);
        (count > 0).then(|| format!("({count} more lines, left out because there are too many)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_one_fault_a_second_is_a_line_a_minute() {
        let mut log = Log::default();
        let day = 24 * 60 * 60;
        let lines: Vec<String> =
            (0..day).filter_map(|second| log.take("fault", Duration::from_secs(second))).collect();
        assert_eq!(lines.len() as u64, u64::from(AT_ONCE) + (day - 1) / 60);
        assert_eq!(lines[usize::try_from(AT_ONCE).unwrap() - 1], "fault");
        // Everything is accounted for.
        let left_out: u64 = lines
            .iter()
            .filter_map(|line| line.strip_prefix('(')?.split(' ').next()?.parse::<u64>().ok())
            .sum();
        let rest: u64 = log.rest().map_or(0, |rest| rest[1..].split(' ').next().unwrap().parse().unwrap());
        assert_eq!(lines.len() as u64 + left_out + rest, day);
    }

    #[test]
    fn after_quiet_hours_there_is_room_for_as_many_as_at_the_start_and_no_more() {
        let mut log = Log::default();
        while log.take("fault", Duration::ZERO).is_some() {}
        let hours = Duration::from_secs(1_000_000);
        let lines = (0..1000).filter(|_| log.take("fault", hours).is_some()).count();
        assert_eq!(lines, AT_ONCE as usize);
    }
}
