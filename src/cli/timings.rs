//! Distributions of times as tables for people and as JSON, for every command that tells some.

use std::fmt::Write as _;

use harmonynet::trace::distribution::{Distribution, QUANTILES};
use serde_json::{Map, Value, json};

/// One line per row: count, least, percentiles, greatest and standard deviation, with so many decimals.
pub(crate) fn table(title: &str, rows: &[(&str, &Distribution)], decimals: usize) -> String {
    let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(title.len());
    let mut text = format!("{title:wide$}  {:>6} {:>9}", "n", "min");
    for (name, _) in QUANTILES {
        let _ = write!(text, " {name:>9}");
    }
    let _ = writeln!(text, " {:>9} {:>9}", "max", "sd");
    for (name, times) in rows {
        let _ = write!(text, "{name:wide$}  {:>6}", times.count());
        let middle = QUANTILES.map(|(_, share)| times.quantile(share));
        for value in [times.min()].into_iter().chain(middle).chain([times.max(), times.deviation()]) {
            let _ = match value {
                Some(value) => {
                    // No minus before what is nothing at this many decimals.
                    let value = if value.abs() < 0.5 * 0.1_f64.powi(decimals as i32) { 0.0 } else { value };
                    write!(text, " {value:>9.decimals$}")
                }
                None => write!(text, " {:>9}", "-"),
            };
        }
        text.push('\n');
    }
    text
}

/// The same as an object: `n`, `min`, `p50` …, `max`, `mean`, `sd`; null where nothing was measured.
pub(crate) fn json(times: &Distribution) -> Value {
    let mut object = Map::new();
    object.insert("n".into(), json!(times.count()));
    object.insert("min".into(), json!(times.min()));
    for (name, share) in QUANTILES {
        object.insert(name.into(), json!(times.quantile(share)));
    }
    object.insert("max".into(), json!(times.max()));
    object.insert("mean".into(), json!(times.mean()));
    object.insert("sd".into(), json!(times.deviation()));
    object.into()
}

/// Shares as one line per stage, with a bar.
pub(crate) fn shares(shares: &[(&'static str, f64)]) -> String {
    shares.iter().fold(String::new(), |mut text, (name, share)| {
        let bar = "█".repeat((share * 40.0).round() as usize);
        let _ = writeln!(text, "  {name:14} {:5.1} %  {bar}", 100.0 * share);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_per_row_and_dashes_where_nothing_was_measured() {
        let some: Distribution = [1.0, 2.0, 3.0].into_iter().collect();
        let none = Distribution::default();
        let text = table("ms", &[("path", &some), ("decision", &none)], 1);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["ms", "n", "min", "p50", "p90", "p95", "p99", "p99.9", "max", "sd"]);
        assert_eq!(lines[1], ["path", "3", "1.0", "2.0", "3.0", "3.0", "3.0", "3.0", "3.0", "1.0"]);
        assert_eq!(lines[2][..3], ["decision", "0", "-"]);
        assert_eq!(json(&some)["p50"], 2.0);
        assert_eq!(json(&none)["p50"], Value::Null);
    }
}
