//! Accuracy, agreement, precision, recall, F1 and the confusion matrix.

use std::fmt::Write as _;

use harmonynet::flow::{Labels, Scores};
use harmonynet::pipeline::recording::Recording;

/// One track and what each variant made of it.
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) label: u8,
    /// One recording per variant, each with scores.
    pub(super) recordings: Vec<Recording>,
}

/// A share of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    of: u32,
    hits: u32,
}

impl Share {
    fn count(&mut self, hit: bool) {
        self.of += 1;
        self.hits += u32::from(hit);
    }

    fn ratio(self) -> f64 {
        if self.of == 0 { 0.0 } else { f64::from(self.hits) / f64::from(self.of) }
    }
}

/// The figures of one variant.
struct Figures {
    name: String,
    excerpts: Share,
    tracks: Share,
    /// Excerpts and tracks with the first variant's arg-max.
    agreement: Share,
    track_agreement: Share,
    /// Tracks: rows are truths, columns arg-maxes.
    confusion: Vec<Vec<u32>>,
}

/// Figures of every variant.
pub(super) struct Tally {
    labels: Vec<String>,
    variants: Vec<Figures>,
}

impl Tally {
    pub(super) fn new(judged: &[Judged], labels: &Labels, names: Vec<String>) -> Self {
        let variants = names
            .into_iter()
            .enumerate()
            .map(|(index, name)| figures(name, judged.iter().map(|track| track.compare(index)), labels.len()))
            .collect();
        Self { labels: labels.iter().map(|label| label.to_string()).collect(), variants }
    }

    pub(super) fn tables(&self) -> String {
        let mut text =
            format!("\n{:<22} {:>8} {:>8} {:>10} {:>10}\n", "", "excerpt", "track", "agreement", "excerpts");
        for figures in &self.variants {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{:<22} {:>8.4} {:>8.4} {:>10.4} {:>10}",
                figures.name,
                figures.excerpts.ratio(),
                figures.tracks.ratio(),
                figures.agreement.ratio(),
                figures.excerpts.of
            );
        }
        if let Some(first) = self.variants.first() {
            self.per_label(first, &mut text);
        }
        text
    }

    fn per_label(&self, figures: &Figures, text: &mut String) {
        let _ =
            writeln!(text, "\n{}, by track:\n{:<12} precision  recall      F1   confusion", figures.name, "");
        let (mut sums, count) = ([0.0; 3], self.labels.len());
        for (index, label) in self.labels.iter().enumerate() {
            let row = &figures.confusion[index];
            let hits = f64::from(row[index]);
            let truths = f64::from(row.iter().sum::<u32>());
            let claims = f64::from(figures.confusion.iter().map(|row| row[index]).sum::<u32>());
            let [precision, recall, f1] = [(hits, claims), (hits, truths), (2.0 * hits, truths + claims)]
                .map(|(a, b)| a / f64::max(b, 1.0));
            sums.iter_mut().zip([precision, recall, f1]).for_each(|(sum, value)| *sum += value);
            let cells: String = row.iter().fold(String::new(), |mut cells, cell| {
                let _ = write!(cells, "{cell:>4}");
                cells
            });
            let _ = writeln!(text, "{label:<12} {precision:>9.3} {recall:>7.3} {f1:>7.3}  {cells}");
        }
        let [precision, recall, f1] = sums.map(|sum| sum / count as f64);
        let _ = writeln!(text, "{:<12} {precision:>9.3} {recall:>7.3} {f1:>7.3}", "macro");
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let variant = |figures: &Figures| {
            serde_json::json!({
                "name": figures.name,
                "excerpts": figures.excerpts.of,
                "excerpt_accuracy": figures.excerpts.ratio(),
                "tracks": figures.tracks.of,
                "track_accuracy": figures.tracks.ratio(),
                "excerpt_agreement": figures.agreement.ratio(),
                "track_agreement": figures.track_agreement.ratio(),
                "confusion": figures.confusion,
            })
        };
        let variants: Vec<_> = self.variants.iter().map(variant).collect();
        serde_json::json!({ "labels": self.labels, "variants": variants })
    }
}

/// What one variant made of a track, beside the truth and the first variant.
struct Compared<'a> {
    truth: u8,
    own: &'a Recording,
    first: &'a Recording,
}

impl Judged {
    fn compare(&self, variant: usize) -> Compared<'_> {
        Compared { truth: self.label, own: &self.recordings[variant], first: &self.recordings[0] }
    }
}

fn figures<'a>(name: String, tracks: impl Iterator<Item = Compared<'a>>, labels: usize) -> Figures {
    let mut figures = Figures {
        name,
        excerpts: Share::default(),
        tracks: Share::default(),
        agreement: Share::default(),
        track_agreement: Share::default(),
        confusion: vec![vec![0; labels]; labels],
    };
    let leader = |scores: &Scores| scores.leader().0;
    for Compared { truth, own, first } in tracks {
        for (own, first) in own.windows.iter().zip(&first.windows) {
            figures.excerpts.count(leader(own) == truth);
            figures.agreement.count(leader(own) == leader(first));
        }
        let own = own.scores.as_ref().map(leader);
        figures.tracks.count(own == Some(truth));
        figures.track_agreement.count(own == first.scores.as_ref().map(leader));
        if let Some(own) = own {
            figures.confusion[usize::from(truth)][usize::from(own)] += 1;
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use harmonynet::flow::{Label, State};

    fn scores(label: usize) -> Scores {
        let mut probabilities: heapless::Vec<f32, 32> = [0.1, 0.1, 0.1].into_iter().collect();
        probabilities[label] = 0.8;
        Scores { end: 0, probabilities }
    }

    fn recording(windows: &[usize], overall: usize) -> Recording {
        Recording {
            state: State::Listening,
            scores: Some(scores(overall)),
            windows: windows.iter().map(|&label| scores(label)).collect(),
            seconds: 30.0,
            lost: 0,
        }
    }

    #[test]
    fn figures_count_what_they_say() {
        let labels: Labels = ["a", "b", "c"].into_iter().map(|l| Label::try_from(l).unwrap()).collect();
        let judged = [
            Judged {
                name: "1".into(),
                label: 0,
                recordings: vec![recording(&[0, 0], 0), recording(&[0, 1], 0)],
            },
            Judged {
                name: "2".into(),
                label: 1,
                recordings: vec![recording(&[2, 2], 2), recording(&[1, 2], 1)],
            },
        ];
        let json = Tally::new(&judged, &labels, vec!["x".into(), "y".into()]).json();
        let figure = |variant: usize, name: &str| json["variants"][variant][name].as_f64().unwrap();
        assert_eq!((figure(0, "excerpt_accuracy"), figure(0, "track_accuracy")), (0.5, 0.5));
        assert_eq!((figure(1, "excerpt_accuracy"), figure(1, "track_accuracy")), (0.5, 1.0));
        assert_eq!((figure(0, "excerpt_agreement"), figure(1, "excerpt_agreement")), (1.0, 0.5));
        assert_eq!(json["variants"][0]["confusion"], serde_json::json!([[1, 0, 0], [0, 0, 1], [0, 0, 0]]));
    }
}
