//! The whole way from a float graph and features to the files of a package.

mod assemble; // everything → files
mod native; // the native form, where there can be one

use std::path::{Path, PathBuf};

use harmonynet::classify::tract::{LoadOptions, TractClassifier};
use harmonynet::spec::{FrontendSpec, MAX_LABELS, MEL_BANDS, WindowLength};

use crate::calibrate::{Histogram, Statistics};
use crate::confidence;
use crate::equalize;
use crate::error::JobError;
use crate::evaluate::{self, Accuracy, Contenders, Validation};
use crate::features::{self, Windows};
use crate::fold::fold;
use crate::measure;
use crate::network::Network;
use crate::onnx::{Engine, Model};
use crate::parallel::{Progress, parallel};
use crate::ranges::Ranges;
use crate::read;
use crate::recipe::{self, Outcome};
use crate::report::{self, Report, ScalesFrom, Settings, Sizes, Tried};
use crate::write::int8_model;

use self::assemble::{Contract, Graph, assemble};

/// Largest |Δlogit| between a graph run by tract and this crate's own arithmetic on the same window.
const TWIN_TOLERANCE: f32 = 2e-3;

/// What to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The float graph.
    pub float: PathBuf,
    /// Folder of features.
    pub features: PathBuf,
    /// Split of the tracks.
    pub split: PathBuf,
    /// The split's column.
    pub column: String,
    /// Part that calibrates.
    pub calibrate_on: String,
    /// Part that validates.
    pub validate_on: String,
    /// Windows that calibrate.
    pub windows: usize,
    /// Scale of the input, octaves; chosen by error where it is none.
    pub input_scale: Option<f32>,
    /// Ranges of a quantization-aware training, in place of scales by error.
    pub ranges: Option<PathBuf>,
    /// The float graph to compare with and to put into the package, where it is another one than `float`: the best one
    /// before quantization-aware training.
    pub reference: Option<PathBuf>,
    /// Least share of validation windows with the same verdict.
    pub min_agreement: f64,
    /// Most of the share of rightly labelled validation windows that may be lost, where there is a bound.
    pub max_loss: Option<f64>,
    /// Share of validation windows that must still show a genre.
    pub show: f64,
    /// Features of self-made sound for the golden window.
    pub golden: Option<PathBuf>,
    /// Record of the training run, copied into the package.
    pub training: Option<PathBuf>,
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The terms of the weights, in plain words.
    pub licence: String,
}

/// Shows a person where the job is.
pub trait Stages {
    /// A stage of `total` steps begins; the former one has ended.
    fn stage(&self, name: &str, total: usize) -> Box<dyn Progress>;
}

/// The files of a package and what was found on the way.
#[derive(Clone, Debug)]
pub struct Package {
    /// Names and contents; the manifest is the last.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The report.
    pub report: Report,
}

/// Quantizes, measures and assembles. Nothing is written.
///
/// # Errors
/// What is wrong with the graph, the features or the result.
pub fn run(job: &Job, stages: &dyn Stages) -> Result<Package, JobError> {
    let spec = features::frontend(&job.features)?;
    let training = job.training.as_deref().map(|path| training_record(path, &spec)).transpose()?;
    let float_bytes = JobError::read(&job.float)?;
    let model = Model::decode(&float_bytes)?;
    let length = read::window(&model)?;
    let read = read::read(&model, length.frames(), MEL_BANDS)?;
    let labels = labels(&model, read.labels())?;
    let network = fold(&read);
    let tracks = |part: &str| features::tracks(&job.features, &job.split, &job.column, part, &labels);
    let (calibration, validation) = (tracks(&job.calibrate_on)?, tracks(&job.validate_on)?);

    let cut = Windows::of(length, &spec);
    let windows = features::calibration_windows(&calibration, cut, job.windows)?;
    let float = Engine::load(&float_bytes, &[])?;
    twins("the float graph", &float, &windows, |window| Some(read.forward(window).logits))?;
    let reference = match &job.reference {
        Some(path) => reference(path, length, &labels, &windows)?,
        None => Graph { bytes: float_bytes, engine: float },
    };
    let statistics = statistics(&network, &windows, &*stages.stage("calibrate", windows.len()));
    let outcome = quantize(job, &network, &statistics, &windows, stages)?;
    let int8_bytes = int8_model(&outcome.quantized, model.metadata.clone()).encode();
    // The runtime's own proof that convolutions and projection run on integers.
    let options = LoadOptions { frontend: spec, ..LoadOptions::default() };
    TractClassifier::from_onnx(&int8_bytes, labels.len(), 1.0, &options)?;
    let int8 = Engine::load(&int8_bytes, &[])?;
    twins("the int8 graph", &int8, &windows, |window| outcome.quantized.forward(window).map(|t| t.logits))?;

    let progress = stages.stage("measure layers", windows.len());
    let noises = measure::noises(&outcome.equalized, &outcome.quantized, &windows, &*progress);
    let native = native::form(&network, &statistics, outcome.input.scale, &windows, &spec, stages);
    let contenders = Contenders {
        float: &reference.engine,
        int8: &int8,
        native: native.as_ref().ok().map(|native| &native.model),
    };
    let progress = stages.stage("validate", validation.len());
    let scored = evaluate::score(contenders, &validation, cut, &*progress)?;
    if scored.is_empty() {
        return Err(features::FeatureError::Empty { part: job.validate_on.clone() }.into());
    }
    let figures = Validation::of(&scored)?;
    judge(job, &figures)?;
    let int8_logits: Vec<_> = scored.iter().map(|s| (s.int8.clone(), s.label)).collect();
    let confidence = confidence::of(&int8_logits, job.show)?;
    let factors = equalize::factors(&network, &statistics, outcome.blend);
    let report = Report {
        made_by: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).into(),
        settings: Settings {
            calibrated_on: job.calibrate_on.clone(),
            calibration_windows: windows.len(),
            validated_on: job.validate_on.clone(),
            window_frames: length.frames(),
            window_hop_frames: cut.period,
            frontend: features::fingerprint(&spec),
            scales: if job.ranges.is_some() { ScalesFrom::Ranges } else { ScalesFrom::Calibration },
            other_reference: job.reference.is_some(),
            min_agreement: job.min_agreement,
            max_loss: job.max_loss,
        },
        equalization: outcome.blend.to_string(),
        tried: tried(&outcome.tried),
        layers: report::layers(&outcome, &statistics, &factors, &noises, &Histogram::of_magnitudes(&windows)),
        logits_sqnr_db: noises.last().map_or(0.0, measure::Noise::sqnr_db),
        sizes: Sizes {
            float_bytes: reference.bytes.len(),
            int8_bytes: int8_bytes.len(),
            native_bytes: native.as_ref().ok().map(|native| native.outcome.file.len()),
        },
        validation: figures,
        confidence,
        native: native::report(&native, &scored, &confidence)?,
    };
    assemble(
        job,
        report,
        &Contract { windows: cut, spec, labels, training },
        &reference,
        &Graph { bytes: int8_bytes, engine: int8 },
        native.ok(),
    )
}

/// By given ranges, or by error.
fn quantize(
    job: &Job,
    network: &Network,
    statistics: &Statistics,
    windows: &[Vec<f32>],
    stages: &dyn Stages,
) -> Result<Outcome, JobError> {
    let Some(path) = &job.ranges else {
        let steps = windows.len() * recipe::steps_per_window(job.input_scale);
        let progress = stages.stage("quantize", steps);
        return Ok(recipe::best(network, statistics, job.input_scale, windows, &*progress)?);
    };
    let wrong = |error| JobError::Ranges { path: path.clone(), error };
    let ranges = Ranges::parse(&JobError::read(path)?, network).map_err(wrong)?;
    let progress = stages.stage("quantize", windows.len());
    Ok(recipe::with_ranges(network, statistics, &ranges, windows, &*progress)?)
}

/// The float graph to compare with: of the same window and labels, and no other kind of network than can be read.
fn reference(
    path: &Path,
    length: WindowLength,
    labels: &[String],
    windows: &[Vec<f32>],
) -> Result<Graph, JobError> {
    let bytes = JobError::read(path)?;
    let model = Model::decode(&bytes)?;
    let read = read::read(&model, length.frames(), MEL_BANDS)?;
    let found = self::labels(&model, read.labels())?;
    if found != labels {
        return Err(JobError::Reference { path: path.into(), labels: found });
    }
    let engine = Engine::load(&bytes, &[])?;
    twins("the reference graph", &engine, windows, |window| Some(read.forward(window).logits))?;
    Ok(Graph { bytes, engine })
}

/// The bytes of a training run's record, which must be of the features' front-end.
fn training_record(path: &Path, spec: &FrontendSpec) -> Result<Vec<u8>, JobError> {
    let bytes = JobError::read(path)?;
    let record: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let trained = record.as_ref().and_then(|record| record["frontend"]["fingerprint"].as_str());
    let features = features::fingerprint(spec);
    if trained == Some(&features) {
        Ok(bytes)
    } else {
        Err(JobError::Training { path: path.into(), trained: trained.map(String::from), features })
    }
}

/// The labels that the training wrote into the graph, one per logit.
fn labels(model: &Model, logits: usize) -> Result<Vec<String>, JobError> {
    let text = model.metadata.get("labels").map_or("[]", String::as_str);
    let labels: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    if labels.len() == logits && (2..=MAX_LABELS).contains(&logits) {
        Ok(labels)
    } else {
        Err(JobError::Labels { found: labels.len(), logits })
    }
}

/// Proves on a few windows that tract and this crate compute the same: that the graph was read, or written, rightly.
fn twins(
    what: &'static str,
    engine: &Engine,
    windows: &[Vec<f32>],
    own: impl Fn(&[f32]) -> Option<Vec<f32>>,
) -> Result<(), JobError> {
    for window in windows.iter().step_by(windows.len().div_ceil(4).max(1)) {
        let theirs = engine.run(window)?.swap_remove(0);
        let ours = own(window).unwrap_or_default();
        let difference = theirs.iter().zip(&ours).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        // Written so that a NaN fails.
        let close = difference <= TWIN_TOLERANCE && ours.len() == theirs.len();
        if !close {
            return Err(JobError::Twins { what, difference });
        }
    }
    Ok(())
}

fn statistics(network: &Network, windows: &[Vec<f32>], progress: &dyn Progress) -> Statistics {
    let one = |window: &Vec<f32>| {
        let mut statistics = Statistics::new(network);
        statistics.add(&network.forward(window));
        statistics
    };
    let mut total = Statistics::new(network);
    parallel(windows, progress, one).iter().for_each(|statistics| total.merge(statistics));
    total
}

fn tried(trials: &[recipe::Trial]) -> Vec<Tried> {
    let entry = |trial: &recipe::Trial| Tried {
        equalization: trial.blend.to_string(),
        input_scale: trial.input_scale,
        logit_error: trial.error,
    };
    trials.iter().map(entry).collect()
}

/// What the bounds say to a form.
fn check_bounds(job: &Job, form: &'static str, same: f64, lost: f64) -> Result<(), JobError> {
    if same < job.min_agreement {
        return Err(JobError::Agreement { form, found: same, wanted: job.min_agreement });
    }
    match job.max_loss.filter(|allowed| lost > *allowed) {
        Some(allowed) => Err(JobError::Loss { form, found: lost, allowed }),
        None => Ok(()),
    }
}

/// What the bounds say to both quantized forms.
fn judge(job: &Job, figures: &Validation) -> Result<(), JobError> {
    let lost = |form: Accuracy| figures.float.window - form.window;
    check_bounds(job, "int8", figures.int8_beside_float.window, lost(figures.int8))?;
    match (figures.native, figures.native_beside_float) {
        (Some(native), Some(beside)) => check_bounds(job, "native", beside.window, lost(native)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
