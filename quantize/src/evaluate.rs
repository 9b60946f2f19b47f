//! The float graph, the int8 graph and the native form beside each other on labelled tracks, each run by the engine that
//! ships.

use harmonynet::classify::ClassifyError;
use harmonynet::classify::native::{Kernel, Model, Stream};
use harmonynet::spec::MEL_BANDS;

use crate::confidence::{arg_max, softmax};
use crate::features::{self, FeatureError, Track, Windows};
use crate::onnx::{Engine, OnnxError};
use crate::parallel::{Progress, parallel};

/// Every form's logits for one window of a labelled track.
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
    /// The native form's logits; empty where there is none.
    pub native: Vec<f32>,
}

/// What is put beside each other.
#[derive(Clone, Copy)]
pub struct Contenders<'a> {
    /// The float graph, run by tract.
    pub float: &'a Engine,
    /// The int8 graph, run by tract.
    pub int8: &'a Engine,
    /// The native form, run by the native engine.
    pub native: Option<&'a Model<Vec<u8>>>,
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
    contenders: Contenders<'_>,
    tracks: &[Track],
    windows: Windows,
    progress: &dyn Progress,
) -> Result<Vec<Scored>, EvaluateError> {
    let numbered: Vec<(usize, &Track)> = tracks.iter().enumerate().collect();
    let scored =
        parallel(&numbered, progress, |(index, track)| score_track(contenders, *index, track, windows));
    Ok(scored.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn score_track(
    contenders: Contenders<'_>,
    index: usize,
    track: &Track,
    windows: Windows,
) -> Result<Vec<Scored>, EvaluateError> {
    let frames = features::frames(&track.path).map_err(EvaluateError::Feature)?;
    let one = |window: &[i16]| {
        let octaves = features::octaves(window);
        let logits = |engine: &Engine| -> Result<Vec<f32>, EvaluateError> {
            let logits = engine.run(&octaves).map_err(EvaluateError::Engine)?.swap_remove(0);
            let finite = logits.iter().all(|z| z.is_finite());
            if finite { Ok(logits) } else { Err(EvaluateError::NotFinite { track: track.name.clone() }) }
        };
        Ok(Scored {
            track: index,
            label: track.label,
            float: logits(contenders.float)?,
            int8: logits(contenders.int8)?,
            native: contenders.native.map(|model| native_logits(model, window)).unwrap_or_default(),
        })
    };
    windows.cut(&frames).map(one).collect()
}

/// The logits that the native engine computes for a window of log-mel values.
#[must_use]
pub fn native_logits(model: &Model<Vec<u8>>, window: &[i16]) -> Vec<f32> {
    let mut stream = Stream::new();
    for bands in window.as_chunks::<MEL_BANDS>().0 {
        stream.push(model, Kernel::best(), bands);
    }
    // A window that is too short has none, which no comparison survives.
    stream.logits(model, Kernel::best()).map(|logits| logits.to_vec()).unwrap_or_default()
}

/// How often a form is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Accuracy {
    /// Share of windows that are labelled rightly.
    pub window: f64,
    /// Share of tracks whose mean logits are largest at the right label.
    pub track: f64,
}

/// How far two forms say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// Share of windows with the same verdict.
    pub window: f64,
    /// Share of tracks with the same verdict.
    pub track: f64,
    /// Mean |Δp| over windows and labels, temperature 1.
    pub mean_probability_difference: f64,
    /// Largest |Δp|.
    pub largest_probability_difference: f64,
}

/// Figures of a set of scored windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Validation {
    /// Tracks.
    pub tracks: usize,
    /// Windows.
    pub windows: usize,
    /// The float graph.
    pub float: Accuracy,
    /// The int8 graph.
    pub int8: Accuracy,
    /// The int8 graph beside the float graph.
    pub int8_beside_float: Agreement,
    /// The native form.
    pub native: Option<Accuracy>,
    /// The native form beside the float graph.
    pub native_beside_float: Option<Agreement>,
    /// The native form beside the int8 graph.
    pub native_beside_int8: Option<Agreement>,
}

/// A share of items.
fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}

/// One form's logits of a window.
type Logits = fn(&Scored) -> &[f32];

const FLOAT: Logits = |scored| &scored.float;
const INT8: Logits = |scored| &scored.int8;
const NATIVE: Logits = |scored| &scored.native;

impl Validation {
    /// The figures of `scored`. A track's verdict is the arg-max of its windows' mean logits: the geometric mean of
    /// their probabilities, whatever the temperature.
    ///
    /// # Errors
    /// Logits that the runtime makes no probabilities of.
    pub fn of(scored: &[Scored]) -> Result<Self, ClassifyError> {
        let tracks = by_track(scored);
        let right = |logits: Logits| move |s: &Scored| arg_max(logits(s)) == s.label;
        let accuracy =
            |logits| Accuracy { window: share(scored, right(logits)), track: share(&tracks, right(logits)) };
        let agreement = |a: Logits, b: Logits| -> Result<Agreement, ClassifyError> {
            let same = |s: &Scored| arg_max(a(s)) == arg_max(b(s));
            let (mean, largest) = differences(scored, a, b)?;
            Ok(Agreement {
                window: share(scored, same),
                track: share(&tracks, same),
                mean_probability_difference: mean,
                largest_probability_difference: largest,
            })
        };
        let has_native = scored.iter().any(|s| !s.native.is_empty());
        let beside = |a, b| has_native.then(|| agreement(a, b)).transpose();
        Ok(Self {
            tracks: tracks.len(),
            windows: scored.len(),
            float: accuracy(FLOAT),
            int8: accuracy(INT8),
            int8_beside_float: agreement(INT8, FLOAT)?,
            native: has_native.then(|| accuracy(NATIVE)),
            native_beside_float: beside(NATIVE, FLOAT)?,
            native_beside_int8: beside(NATIVE, INT8)?,
        })
    }
}

/// Mean and largest |Δp| at temperature 1.
fn differences(scored: &[Scored], a: Logits, b: Logits) -> Result<(f64, f64), ClassifyError> {
    let (mut sum, mut count, mut largest) = (0.0, 0, 0f64);
    for window in scored {
        for (p, q) in softmax(a(window), 1.0)?.iter().zip(&softmax(b(window), 1.0)?) {
            let difference = f64::from((p - q).abs());
            (sum, count, largest) = (sum + difference, count + 1, largest.max(difference));
        }
    }
    Ok((sum / f64::from(count.max(1)), largest))
}

/// One entry per track: the sums of its windows' logits.
fn by_track(scored: &[Scored]) -> Vec<Scored> {
    let mut tracks: Vec<Scored> = vec![];
    for window in scored {
        match tracks.iter_mut().find(|track| track.track == window.track) {
            None => tracks.push(window.clone()),
            Some(track) => {
                add(&mut track.float, &window.float);
                add(&mut track.int8, &window.int8);
                add(&mut track.native, &window.native);
            }
        }
    }
    tracks
}

fn add(sums: &mut [f32], logits: &[f32]) {
    sums.iter_mut().zip(logits).for_each(|(sum, z)| *sum += z);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(track: usize, label: usize, logits: [[f32; 2]; 3]) -> Scored {
        let [float, int8, native] = logits.map(Vec::from);
        Scored { track, label, float, int8, native }
    }

    #[test]
    fn windows_and_tracks_are_counted_apart() {
        let figures = Validation::of(&[
            scored(0, 0, [[3.0, 0.0], [3.0, 0.0], [3.0, 0.0]]),
            // Wrong by itself, outvoted within its track; the native form is wrong by its own.
            scored(0, 0, [[0.0, 1.0], [1.0, 0.0], [0.0, 9.0]]),
            scored(1, 1, [[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]]),
        ])
        .unwrap();
        assert_eq!((figures.windows, figures.tracks), (3, 2));
        let accuracy = |window, track| Accuracy { window, track };
        assert_eq!((figures.float, figures.int8), (accuracy(1.0 / 3.0, 0.5), accuracy(2.0 / 3.0, 0.5)));
        assert_eq!(figures.native, Some(accuracy(2.0 / 3.0, 0.5)));
        let int8 = figures.int8_beside_float;
        assert_eq!((int8.window, int8.track), (2.0 / 3.0, 1.0));
        let native = [figures.native_beside_float, figures.native_beside_int8].map(Option::unwrap);
        assert_eq!(native.map(|n| (n.window, n.track)), [(2.0 / 3.0, 0.0), (1.0 / 3.0, 0.0)]);
        let p = f64::from(softmax(&[1.0, 0.0], 1.0).unwrap()[0]);
        assert!((int8.largest_probability_difference - (2.0 * p - 1.0)).abs() < 1e-6);
        assert!((int8.mean_probability_difference - (2.0 * p - 1.0) / 3.0).abs() < 1e-6);
    }

    #[test]
    fn without_a_native_form_nothing_is_said_of_it() {
        let mut window = scored(0, 0, [[3.0, 0.0]; 3]);
        window.native = vec![];
        let figures = Validation::of(&[window]).unwrap();
        assert_eq!(
            (figures.native, figures.native_beside_float, figures.native_beside_int8),
            (None, None, None)
        );
        assert_eq!(figures.int8, Accuracy { window: 1.0, track: 1.0 });
    }
}
