//! The native form of a job's network. A network that the native engine does not run is no failure: its package has no native
//! file, and the report says why.

use harmonynet::classify::native::Model;
use harmonynet::spec::FrontendSpec;

use super::{Stages, tried};
use crate::calibrate::Statistics;
use crate::confidence;
use crate::error::JobError;
use crate::evaluate::Scored;
use crate::measure::Noise;
use crate::native::{self, NativeError, NativeOutcome};
use crate::network::Network;
use crate::report::{Confidence, LayerNoise, NativeForm, NativeReport};

/// A native form, ready to be validated and shipped.
pub(super) struct Native {
    pub(super) outcome: NativeOutcome,
    pub(super) model: Model<Vec<u8>>,
    noises: Vec<Noise>,
}

/// The native form of a folded network; else why there is none.
pub(super) fn form(
    network: &Network,
    statistics: &Statistics,
    input_scale: f32,
    windows: &[Vec<f32>],
    spec: &FrontendSpec,
    stages: &dyn Stages,
) -> Result<Native, NativeError> {
    native::check(network)?;
    let progress = stages.stage("native", windows.len() * (native::STEPS_PER_WINDOW + 1));
    let outcome = native::best(network, statistics, input_scale, windows, spec.fingerprint(), &*progress)?;
    let noises = native::noises(&outcome, windows, &*progress)?;
    let model = Model::new(outcome.file.clone())?;
    Ok(Native { outcome, model, noises })
}

/// What the report says of it: of its calibration too, for the package's temperature and threshold are the int8 graph's.
pub(super) fn report(
    native: &Result<Native, NativeError>,
    scored: &[Scored],
    confidence: &Confidence,
) -> Result<NativeForm, JobError> {
    let native = match native {
        Ok(native) => native,
        Err(error) => return Ok(NativeForm::Missing(error.to_string())),
    };
    let logits: Vec<_> = scored.iter().map(|s| (s.native.clone(), s.label)).collect();
    let shown = confidence::shown(&logits, confidence.temperature, confidence.unsure_below)?;
    let convs = native.outcome.equalized.convs.iter().map(|conv| conv.name.as_str());
    let names = ["input"].into_iter().chain(convs).chain(["projection"]);
    let layers = names.zip(&native.noises).map(|(layer, noise)| LayerNoise {
        layer: layer.into(),
        clipped: noise.clipped_share(),
        sqnr_db: noise.sqnr_db(),
    });
    Ok(NativeForm::Made(NativeReport {
        equalization: native.outcome.blend.to_string(),
        tried: tried(&native.outcome.tried),
        layers: layers.collect(),
        logits_sqnr_db: native.noises.last().map_or(0.0, Noise::sqnr_db),
        temperature: confidence::fit_temperature(&logits),
        nll: confidence::negative_log_likelihood(&logits, confidence.temperature),
        shown: shown.share,
        shown_accuracy: shown.accuracy,
    }))
}
