//! The name that was probably meant.

/// The candidate that is nearest to `name`, where one is near: at most a third of the longer name's letters differ. A
/// dotted name is also compared by its last part, for keys that were put into the wrong table.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_ascii_lowercase();
            let whole = near(&name, &lower);
            // The right word in the wrong table is a little further off than a typing error.
            let part = near(last(&name), last(&lower)).map(|distance| distance + 1);
            let distance = [whole, part].into_iter().flatten().min()?;
            Some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The last part of a dotted name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// The distance, where it is small beside the names' length.
fn near(a: &str, b: &str) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let most = a.len().max(b.len()) / 3;
    // A name may be as long as its file: most need no comparing.
    let distance = (a.len().abs_diff(b.len()) <= most).then(|| distance(&a, &b))?;
    (distance <= most).then_some(distance)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row = before.clone();
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row[j] = best;
        }
        (before, last, row) = (last, row, before);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_and_wrong_tables_are_understood_and_strangers_are_not() {
        let names = ["display.kind", "display.brightness", "microphone.device", "verdict.silence_dbfs"];
        for (typed, meant) in [
            ("display.brigthness", Some("display.brightness")),
            ("display.Kind", Some("display.kind")),
            ("brightness", Some("display.brightness")),
            ("microphone.brightness", Some("display.brightness")),
            ("microphon.device", Some("microphone.device")),
            ("verdict.silence_db", Some("verdict.silence_dbfs")),
            ("weather", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&letters("abcd"), &letters("acbd")), 1);
        assert_eq!(distance(&[], &letters("abc")), 3);
    }

    /// Found by fuzzing: every name was compared letter by letter, which took gigabytes for one like this.
    #[test]
    fn a_name_as_long_as_a_file_is_a_stranger() {
        let name = "b".repeat(100_000_000);
        assert_eq!(nearest(&name, ["display.brightness", "board"]), None);
    }
}
