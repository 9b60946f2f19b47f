//! Sound → verdicts: the whole path, for the device and, when the firmware is built, for the host.

use harmonynet::classify::native::{Model, NativeClassifier};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::{Block, State};
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::spec::{FrontendSpec, SAMPLE_RATE_HZ};

/// Front-end, native engine and decision of one stream.
pub type Path = Recognizer<NativeClassifier<&'static [u8]>>;

/// Labels of the model.
pub const LABELS: usize = 10;
/// How long the sound is: verdicts begin after 3.9 s.
const SECONDS: u32 = 6;
/// Samples handed over at once, as a microphone's DMA would.
const BLOCK: u32 = 256;

/// What came of the sound. Floats as their bits: host and device must agree on every one.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Verdicts given.
    pub verdicts: u32,
    /// Sample index of the last one.
    pub at: u64,
    /// Its label, 255 where none is shown.
    pub label: u8,
    /// Its confidence.
    pub confidence: u32,
    /// The last window's probabilities.
    pub probabilities: [u32; LABELS],
}

/// The path at the beginning of a stream.
pub fn path(model: &'static [u8], temperature: f32) -> Result<Path, &'static str> {
    let spec = FrontendSpec::SHIPPED;
    let model = Model::new(model).map_err(|_| "the model file is wrong")?;
    let policy = Policy::DEFAULT.for_window(model.window(), spec.hop);
    let frontend = Frontend::new(spec).map_err(|_| "the front-end's numbers are wrong")?;
    let decider = Decider::new(policy, model.shape().labels).map_err(|_| "the policy is wrong")?;
    Ok(Recognizer::new(frontend, NativeClassifier::new(model, temperature), decider))
}

/// Plays the sound to the path.
pub fn listen(path: &mut Path) -> Outcome {
    let mut outcome =
        Outcome { verdicts: 0, at: 0, label: u8::MAX, confidence: 0, probabilities: [0; LABELS] };
    let mut block = Block::default();
    for start in (0..SECONDS * SAMPLE_RATE_HZ).step_by(BLOCK as usize) {
        block.start = start.into();
        block.samples.clear();
        block.samples.extend((start..start + BLOCK).map(sample));
        path.push(&block, |_, verdict, scores| {
            let Some(scores) = scores else { return };
            outcome.verdicts += 1;
            outcome.at = verdict.at;
            (outcome.label, outcome.confidence) = match verdict.state {
                State::Genre { label, confidence } => (label, confidence.to_bits()),
                State::Unsure { confidence, .. } => (u8::MAX, confidence.to_bits()),
                _ => (u8::MAX, 0),
            };
            for (bits, p) in outcome.probabilities.iter_mut().zip(&scores.probabilities) {
                *bits = p.to_bits();
            }
        });
    }
    outcome
}

/// A chord of three sawtooth voices, struck twice a second, and a noise with every stroke. Integers only.
fn sample(n: u32) -> i32 {
    // 220, 277.2 and 329.6 Hz: what the phase advances per sample, of 2³².
    let voices = [42_852_281u32, 53_994_874, 64_201_236].map(|step| (n.wrapping_mul(step) as i32) >> 4);
    let since = n % (SAMPLE_RATE_HZ / 2);
    let noise = (n.wrapping_mul(0x9e37_79b9) ^ n.wrapping_mul(n)) as i32 >> (3 + since / 512);
    (voices.iter().sum::<i32>() >> (since / 4096)) + noise
}
