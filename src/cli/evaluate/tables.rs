//! Figures for people: tables in text.

use std::fmt::Write as _;

use super::figures::{Confusion, Figures};
use super::interval::RESAMPLES;
use super::summary::Summary;

/// Widest name of a label in the head of a confusion matrix.
const HEAD: usize = 6;

/// All tables of a summary.
pub(super) fn of(summary: &Summary) -> String {
    let mut text = String::new();
    overall(&mut text, summary);
    for (by, figures) in [("track", &summary.track), ("excerpt", &summary.excerpt)] {
        per_label(&mut text, by, figures, &summary.labels);
        confusion(&mut text, by, &figures.confusion, &summary.labels);
    }
    text
}

// Writing to a string cannot fail: what `write!` gives back is dropped throughout.

fn overall(text: &mut String, summary: &Summary) {
    let _ = writeln!(
        text,
        "\n{:<12} {:>8}  {:<16} {:>9} {:>7} {:>7}",
        "", "accuracy", "95 % interval", "precision", "recall", "F1"
    );
    for (by, figures) in [("by excerpt", &summary.excerpt), ("by track", &summary.track)] {
        let ([low, high], mean) = (figures.interval, figures.confusion.macro_quality());
        let _ = writeln!(
            text,
            "{by:<12} {:>8.4}  {:<16} {:>9.4} {:>7.4} {:>7.4}",
            figures.confusion.accuracy(),
            format!("{low:.4} to {high:.4}"),
            mean.precision,
            mean.recall,
            mean.f1
        );
    }
    let _ = writeln!(
        text,
        "precision, recall and F1: mean over genres; interval: {RESAMPLES} resamples of the tracks"
    );
    let calibration = &summary.calibration;
    let _ = writeln!(
        text,
        "\nshown as a genre   {:.4} of excerpts; of these right: {:.4}\n\
         calibration error  {:.4} of the confidence, {} equal bins (a perfect model's, by chance: {:.4})",
        summary.shown.share,
        summary.shown.accuracy,
        calibration.ece,
        calibration.bins.len(),
        calibration.chance
    );
}

/// In the form of the paper's Table I, in per cent.
fn per_label(text: &mut String, by: &str, figures: &Figures, labels: &[String]) {
    let _ = writeln!(
        text,
        "\n{:<14} {:>9} {:>9} {:>9} {:>9}",
        format!("by {by}, %"),
        "precision",
        "recall",
        "F1",
        format!("{by}s")
    );
    for (index, label) in labels.iter().enumerate() {
        let (quality, truths) = (figures.confusion.quality(index), figures.confusion.truths(index));
        let [precision, recall, f1] = [quality.precision, quality.recall, quality.f1].map(|q| 100.0 * q);
        if truths > 0 {
            let _ = writeln!(text, "{label:<14} {precision:>9.1} {recall:>9.1} {f1:>9.1} {truths:>9}");
        } else {
            let _ = writeln!(text, "{label:<14} {:>9} {:>9} {:>9} {truths:>9}", "-", "-", "-");
        }
    }
}

fn confusion(text: &mut String, by: &str, confusion: &Confusion, labels: &[String]) {
    let _ = write!(text, "\n{:<14}", format!("said, by {by}"));
    for label in labels {
        let _ = write!(text, " {:>HEAD$}", label.chars().take(HEAD).collect::<String>());
    }
    let _ = writeln!(text);
    for (label, row) in labels.iter().zip(confusion.rows()) {
        let _ = write!(text, "{label:<14}");
        for cell in row {
            let _ = write!(text, " {cell:>HEAD$}");
        }
        let _ = writeln!(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_a_small_case() {
        let figures = Figures::of(2, [(0, vec![0, 1, 0]), (0, vec![0])].into_iter());
        let labels = ["classical".to_string(), "rock".to_string()];
        let mut text = String::new();
        per_label(&mut text, "excerpt", &figures, &labels);
        confusion(&mut text, "excerpt", &figures.confusion, &labels);
        let expected = "
by excerpt, %  precision    recall        F1  excerpts
classical          100.0      75.0      85.7         4
rock                   -         -         -         0

said, by excerpt classi   rock
classical           3      1
rock                0      0
";
        assert_eq!(text.trim_end(), expected.trim_end(), "{text}");
    }
}
