//! What the page is told beside the events of the [schema](crate::tell::schema): in the same form, but for the page of the same
//! version alone.

use std::collections::VecDeque;

use serde::Serialize;

use crate::flow::{Glimpse, Label, Labels, SampleIndex, Scores};
use crate::spec::MAX_LABELS;
use crate::tell::encode::{Frame, event_stream};
use crate::tell::schema::{Condition, Verdict};

/// Verdicts that a page gets to begin with: nearly five minutes where one comes every 0.56 s.
const REMEMBERED: usize = 512;

/// A verdict in few bytes: sample index, state, genre, its confidence, and the scores as in [`Sight::Scores`].
type Past<'a> = (SampleIndex, Condition, Option<&'a str>, Option<f32>, String);

/// What only the page is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sight<'a> {
    /// What columns are, once, before anything else.
    View(View),
    /// Verdicts before the connection began.
    History(Vec<Past<'a>>),
    /// The scores that the next verdict comes from.
    Scores(Chances),
    /// A moment of sound.
    Sound(Moment),
    /// How telling fares.
    House(House),
}

impl Sight<'_> {
    pub(super) fn frame(&self) -> Frame {
        // Numbers, names and hexadecimal digits: there is nothing in it that JSON could not say.
        event_stream(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// What columns of the spectrogram are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Samples that a column covers.
    pub samples: u32,
    /// Lower edge of the lowest band, hertz.
    pub low_hz: u32,
    /// Upper edge of the highest band, hertz.
    pub high_hz: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Chances {
    at: SampleIndex,
    /// A probability per label, two hexadecimal digits each: 255 is 1.
    p: String,
}

impl Chances {
    pub(super) fn of(scores: &Scores) -> Self {
        Self { at: scores.end, p: hexadecimal(&bytes_of(scores)) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Moment {
    at: SampleIndex,
    /// Level and peak, decibels relative to a full-scale sine.
    level: f32,
    peak: f32,
    clipped: bool,
    /// The bands, lowest first, two hexadecimal digits each.
    bands: String,
}

impl Moment {
    pub(super) fn of(glimpse: &Glimpse) -> Self {
        let tenths = |dbfs: f32| (dbfs * 10.0).round() / 10.0;
        Self {
            at: glimpse.end,
            level: tenths(glimpse.level.dbfs()),
            peak: tenths(glimpse.peak_dbfs()),
            clipped: glimpse.is_clipped(),
            bands: hexadecimal(&glimpse.bands),
        }
    }
}

/// How telling fares.
#[derive(Debug, Serialize)]
pub(super) struct House {
    pub(super) uptime_ms: u64,
    /// Pages that watch, and how many may.
    pub(super) viewers: usize,
    pub(super) viewers_most: usize,
    /// Events that slow pages lost, all together.
    pub(super) page_lost: u64,
    /// Whether the broker answers, where there is one; and messages that it never got.
    pub(super) mqtt: Option<bool>,
    pub(super) mqtt_lost: u64,
}

/// The last verdicts. Bounded, and nothing is allocated after it is made.
#[derive(Debug)]
pub(super) struct History {
    labels: Labels,
    moments: VecDeque<Remembered>,
    scores: Option<heapless::Vec<u8, MAX_LABELS>>,
}

#[derive(Debug)]
struct Remembered {
    at: SampleIndex,
    state: Condition,
    genre: Option<Label>,
    confidence: Option<f32>,
    scores: heapless::Vec<u8, MAX_LABELS>,
}

impl History {
    pub(super) fn new(labels: Labels) -> Self {
        Self { labels, moments: VecDeque::with_capacity(REMEMBERED), scores: None }
    }

    /// The scores that the next verdict comes from.
    pub(super) fn scores(&mut self, scores: &Scores) {
        let mut bytes = bytes_of(scores);
        bytes.truncate(self.labels.len());
        self.scores = Some(bytes);
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        if self.moments.len() == REMEMBERED {
            self.moments.pop_front();
        }
        self.moments.push_back(Remembered {
            at: verdict.at,
            state: verdict.state,
            genre: verdict.genre.clone(),
            confidence: verdict.confidence,
            scores: self.scores.take().unwrap_or_default(),
        });
    }

    pub(super) fn sight(&self) -> Sight<'_> {
        let told = |moment: &'_ Remembered| hexadecimal(&moment.scores);
        Sight::History(
            self.moments
                .iter()
                .map(|moment| {
                    (moment.at, moment.state, moment.genre.as_deref(), moment.confidence, told(moment))
                })
                .collect(),
        )
    }
}

fn bytes_of(scores: &Scores) -> heapless::Vec<u8, MAX_LABELS> {
    // What is no probability becomes the nearest one: a cast saturates.
    scores.probabilities.iter().map(|p| (p * 255.0).round() as u8).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Level;

    fn text(sight: &Sight<'_>) -> String {
        String::from_utf8(sight.frame().to_vec()).unwrap()
    }

    #[test]
    fn sights_are_one_line_each() {
        let glimpse =
            Glimpse { end: 1024, level: Level::from_dbfs(-20.0), peak: 1 << 30, ..Glimpse::default() };
        let sound = text(&Sight::Sound(Moment::of(&glimpse)));
        let bands = "00".repeat(128);
        assert_eq!(
            sound,
            format!(
                "data: {{\"sound\":{{\"at\":1024,\"level\":-20.0,\"peak\":-6.0,\"clipped\":false,\
                 \"bands\":\"{bands}\"}}}}\n\n"
            )
        );
        let view = View { samples: 1024, low_hz: 32, high_hz: 7200 };
        assert_eq!(
            text(&Sight::View(view)),
            "data: {\"view\":{\"samples\":1024,\"low_hz\":32,\"high_hz\":7200}}\n\n"
        );
        let scores = Scores { end: 5, probabilities: [0.0, 0.5, 1.0, 9.0, f32::NAN].into_iter().collect() };
        assert_eq!(
            text(&Sight::Scores(Chances::of(&scores))),
            "data: {\"scores\":{\"at\":5,\"p\":\"0080ffff00\"}}\n\n"
        );
    }

    #[test]
    fn history_is_the_newest_and_pairs_scores_with_their_verdict() {
        let labels: Labels = ["a\"\n", "b"].into_iter().map(|label| label.try_into().unwrap()).collect();
        let mut history = History::new(labels.clone());
        let capacity = history.moments.capacity();
        for at in 0..2000 {
            if at % 2 == 1 {
                let probabilities = [1.0, 0.0].into_iter().collect();
                history.scores(&Scores { end: at, probabilities });
            }
            let genre = Some(labels[0].clone());
            history.verdict(&Verdict {
                at,
                state: Condition::Genre,
                genre,
                confidence: Some(0.75),
                ..Verdict::default()
            });
        }
        assert_eq!((history.moments.len(), history.moments.capacity()), (REMEMBERED, capacity));
        let told = text(&history.sight());
        let end =
            ",[1998,\"genre\",\"a\\\"\\n\",0.75,\"\"],[1999,\"genre\",\"a\\\"\\n\",0.75,\"ff00\"]]}\n\n";
        assert!(told.ends_with(end), "{}", &told[told.len() - 200..]);
        assert!(told.starts_with("data: {\"history\":[[1488,") && told.lines().count() == 2);
    }
}
