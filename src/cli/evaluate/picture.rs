//! Confusion matrices as an SVG picture, legible on light and dark grounds.

use std::fmt::Write as _;

use super::figures::Confusion;
use super::summary::Summary;

/// Side of a cell, and room for the names of rows and columns, in drawing units.
const CELL: usize = 34;
const NAMES: usize = 96;
/// Room for the title.
const TITLE: usize = 30;

/// Two matrices side by side: by track and by excerpt. A cell's blue is its share of its row.
pub(super) fn svg(summary: &Summary) -> String {
    let side = NAMES + CELL * summary.labels.len() + CELL / 2;
    let (width, height) = (2 * side, TITLE + side);
    // Writing to a string cannot fail.
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Confusion matrices by track and by excerpt: rows are true genres, columns what the model said</title>\n\
         <style>\n\
         .ground {{ fill: #ffffff }} text {{ fill: #1f2328 }} .empty {{ fill: #eef1f4 }} .strong {{ fill: #ffffff }} .faint {{ fill: #8a929b }}\n\
         @media (prefers-color-scheme: dark) {{ .ground {{ fill: #0d1117 }} text {{ fill: #e6edf3 }} .empty {{ fill: #1b222b }} .strong {{ fill: #ffffff }} .faint {{ fill: #6e7781 }} }}\n\
         </style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    matrix(&mut out, 0, "by track", &summary.track.confusion, &summary.labels);
    matrix(&mut out, side, "by excerpt", &summary.excerpt.confusion, &summary.labels);
    out.push_str("</svg>\n");
    out
}

fn matrix(out: &mut String, left: usize, by: &str, confusion: &Confusion, labels: &[String]) {
    let _ = writeln!(
        out,
        "<g transform=\"translate({left} {TITLE})\">\n\
         <text x=\"{NAMES}\" y=\"-10\" font-size=\"14\" font-weight=\"bold\">{by}: {:.1} % right</text>",
        100.0 * confusion.accuracy()
    );
    for (index, label) in labels.iter().enumerate() {
        let (label, middle) = (escaped(label), NAMES + CELL * index + CELL / 2);
        let near = NAMES - 6;
        let _ = writeln!(
            out,
            "<text x=\"{near}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <text transform=\"translate({} {near}) rotate(-60)\">{label}</text>",
            middle + 4,
            middle + 4,
        );
    }
    for (y, row) in confusion.rows().iter().enumerate() {
        let total = f64::from(row.iter().sum::<u32>().max(1));
        for (x, count) in row.iter().enumerate() {
            cell(out, [x, y], *count, f64::from(*count) / total);
        }
    }
    out.push_str("</g>\n");
}

/// One cell, whose count is `share` of its row.
fn cell(out: &mut String, at: [usize; 2], count: u32, share: f64) {
    let [x, y] = at.map(|place| NAMES + CELL * place);
    let size = CELL - 2;
    let _ = write!(
        out,
        "<rect class=\"empty\" x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" rx=\"3\"/>"
    );
    if count > 0 {
        let _ = write!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" rx=\"3\" fill=\"#1f6feb\" fill-opacity=\"{share:.3}\"/>"
        );
    }
    let class = match count {
        0 => " class=\"faint\"",
        _ if share > 0.85 => " class=\"strong\"",
        _ => "",
    };
    let (middle, base) = (x + size / 2, y + size / 2 + 4);
    let _ = writeln!(out, "<text{class} x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\">{count}</text>");
}

/// Text that XML can hold.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::judge::{Excerpt, Heard, Judged};
    use super::*;

    #[test]
    fn every_count_has_a_cell_and_names_are_escaped() {
        let excerpt = |verdict| Excerpt { index: 0, verdict, confidence: 0.5, shown: true };
        let heard = Heard { excerpts: [excerpt(0), excerpt(0), excerpt(1)].to_vec(), verdict: 0 };
        let judged = [Judged { name: "a".into(), label: 0, heard: vec![heard] }];
        let svg = svg(&Summary::new(vec!["R&B".into(), "rock".into()], &judged));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("R&amp;B").count(), 4, "a row and a column of two matrices");
        assert_eq!(svg.matches("class=\"empty\" x").count(), 8);
        // By track: all of the row; by excerpt: two thirds and a third of it.
        for opacity in ["1.000", "0.667", "0.333"] {
            assert_eq!(svg.matches(&format!("fill-opacity=\"{opacity}\"")).count(), 1, "{opacity}");
        }
        assert!(svg.contains("by track: 100.0 % right") && svg.contains("by excerpt: 66.7 % right"));
        assert!(svg.contains("prefers-color-scheme: dark"));
    }
}
