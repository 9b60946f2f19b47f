//! Float and int8 graph beside each other on labelled tracks, both run by tract: the engine that ships.

use harmonynet::classify::ClassifyError;

use crate::confidence::{arg_max, softmax};
use crate::features::{self, FeatureError, Track, Windows};
use crate::onnx::{Engine, OnnxError};
use crate::parallel::{Progress, parallel};

/// Both graphs' logits for one window of a labelled track.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Index of the track.
    pub track: usize,
    /// Index of the right label.
    pub label: usize,
    /// The float graph's logits.
    pub float: Vec<f32>,
    /// The int8 graph's logits.
    pub int8: Vec<f32>,
}

/// Why the tracks could not be scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluateError {
    /// The features.
    Feature(FeatureError),
    /// The engine.
    Engine(OnnxError),
    /// A graph's logits are no numbers.
    NotFinite {
        /// The track.
        track: String,
    },
}

impl std::fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Feature(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::NotFinite { track } => write!(f, "track {track}: a logit is NaN or infinite"),
        }
    }
}

impl std::error::Error for EvaluateError {}

/// Scores every window of every track; one step of `progress` per track.
///
/// # Errors
/// A track that cannot be read, or what the engine said.
pub fn score(
    float: &Engine,
    int8: &Engine,
    tracks: &[Track],
    windows: Windows,
    progress: &dyn Progress,
) -> Result<Vec<Scored>, EvaluateError> {
    let numbered: Vec<(usize, &Track)> = tracks.iter().enumerate().collect();
    let scored =
        parallel(&numbered, progress, |(index, track)| score_track(float, int8, *index, track, windows));
    Ok(scored.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn score_track(
    float: &Engine,
    int8: &Engine,
    index: usize,
    track: &Track,
    windows: Windows,
) -> Result<Vec<Scored>, EvaluateError> {
    let frames = features::frames(&track.path).map_err(EvaluateError::Feature)?;
    let one = |window: &[i16]| {
        let window = features::octaves(window);
        let logits = |engine: &Engine| -> Result<Vec<f32>, EvaluateError> {
            let logits = engine.run(&window).map_err(EvaluateError::Engine)?.swap_remove(0);
            let finite = logits.iter().all(|z| z.is_finite());
            if finite { Ok(logits) } else { Err(EvaluateError::NotFinite { track: track.name.clone() }) }
        };
        Ok(Scored { track: index, label: track.label, float: logits(float)?, int8: logits(int8)? })
    };
    windows.cut(&frames).map(one).collect()
}

/// Figures of a set of scored windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// Tracks.
    pub tracks: usize,
    /// Windows.
    pub windows: usize,
    /// Share of windows that the float graph labels rightly.
    pub window_accuracy_float: f64,
    /// The same for the int8 graph.
    pub window_accuracy_int8: f64,
    /// Share of tracks whose mean logits are largest at the right label, float graph.
    pub track_accuracy_float: f64,
    /// The same for the int8 graph.
    pub track_accuracy_int8: f64,
    /// Share of windows on which both graphs say the same.
    pub window_agreement: f64,
    /// Share of tracks on which both graphs say the same.
    pub track_agreement: f64,
    /// Mean |Δp| over windows and labels, temperature 1.
    pub mean_probability_difference: f64,
    /// Largest |Δp|.
    pub largest_probability_difference: f64,
}

/// A share of items.
fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}

impl Agreement {
    /// The figures of `scored`. A track's verdict is the arg-max of its windows' mean logits: the geometric mean of
    /// their probabilities, whatever the temperature.
    ///
    /// # Errors
    /// Logits that the runtime makes no probabilities of.
    pub fn of(scored: &[Scored]) -> Result<Self, ClassifyError> {
        let tracks = by_track(scored);
        let mut differences: Vec<f64> = vec![];
        for window in scored {
            let (float, int8) = (softmax(&window.float, 1.0)?, softmax(&window.int8, 1.0)?);
            differences.extend(float.iter().zip(&int8).map(|(a, b)| f64::from((a - b).abs())));
        }
        let right_float = |s: &Scored| arg_max(&s.float) == s.label;
        let right_int8 = |s: &Scored| arg_max(&s.int8) == s.label;
        let same = |s: &Scored| arg_max(&s.float) == arg_max(&s.int8);
        Ok(Self {
            tracks: tracks.len(),
            windows: scored.len(),
            window_accuracy_float: share(scored, right_float),
            window_accuracy_int8: share(scored, right_int8),
            track_accuracy_float: share(&tracks, right_float),
            track_accuracy_int8: share(&tracks, right_int8),
            window_agreement: share(scored, same),
            track_agreement: share(&tracks, same),
            mean_probability_difference: differences.iter().sum::<f64>() / differences.len().max(1) as f64,
            largest_probability_difference: differences.iter().copied().fold(0.0, f64::max),
        })
    }
}

/// One entry per track: the sums of its windows' logits.
fn by_track(scored: &[Scored]) -> Vec<Scored> {
    let mut tracks: Vec<Scored> = vec![];
    for window in scored {
        match tracks.iter_mut().find(|track| track.track == window.track) {
            None => tracks.push(window.clone()),
            Some(track) => {
                track.float.iter_mut().zip(&window.float).for_each(|(sum, z)| *sum += z);
                track.int8.iter_mut().zip(&window.int8).for_each(|(sum, z)| *sum += z);
            }
        }
    }
    tracks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_tracks_are_counted_apart() {
        let scored = |track, label, float: [f32; 2], int8: [f32; 2]| Scored {
            track,
            label,
            float: float.into(),
            int8: int8.into(),
        };
        let figures = Agreement::of(&[
            scored(0, 0, [3.0, 0.0], [3.0, 0.0]),
            // Wrong by itself, outvoted within its track.
            scored(0, 0, [0.0, 1.0], [1.0, 0.0]),
            scored(1, 1, [2.0, 0.0], [2.0, 0.0]),
        ])
        .unwrap();
        assert_eq!((figures.windows, figures.tracks), (3, 2));
        assert_eq!((figures.window_accuracy_float, figures.window_accuracy_int8), (1.0 / 3.0, 2.0 / 3.0));
        assert_eq!((figures.track_accuracy_float, figures.track_accuracy_int8), (0.5, 0.5));
        assert_eq!((figures.window_agreement, figures.track_agreement), (2.0 / 3.0, 1.0));
        let p = f64::from(softmax(&[1.0, 0.0], 1.0).unwrap()[0]);
        assert!((figures.largest_probability_difference - (2.0 * p - 1.0)).abs() < 1e-6);
    }
}
