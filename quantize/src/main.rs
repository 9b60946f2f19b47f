//! Command line: float graph and features in, model package out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use quantize::job::{self, Job, Stages};
use quantize::package::write_files;
use quantize::parallel::Progress;

const EXAMPLES: &str = "\
Examples:
  The shipped model, from a training run and the features that it was trained on:
    quantize --float runs/main/float.onnx --features features --split gtzan.csv \\
        --split-column fault_filtered_split --golden demo.npy --out models/harmonynet

  Your own genres (folders of features are the labels), with your own split:
    quantize --float float.onnx --features features --split split.csv --split-column part --out models/mine --name mine

  After quantization-aware training, whose ranges are in a file, compared with the best float model before it:
    quantize --float tuned.onnx --ranges ranges.json --reference float.onnx --features features --split split.csv \\
        --split-column part --out models/mine --name mine

  A look at what quantization does to a network, whatever comes of it:
    quantize … --min-agreement 0 --out /tmp/trial && less /tmp/trial/quantization.md";

/// Turns a float ONNX graph of the streaming contract into its int8 form and assembles a model package.
///
/// Batch norms are folded, activations calibrated on real frames, channels equalized across layers, scales chosen by
/// squared error, biases corrected; temperature and threshold are fitted on the validation part. The package holds both
/// graphs, the native engine's form of the network where that runs it, a golden window, the manifest and a report. Nothing is written unless everything succeeded.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The float graph, as models/train/export.py writes it
    #[arg(long, value_name = "FILE")]
    float: PathBuf,
    /// Features as `harmonynet features` writes them: DIR/<label>/<track>.npy and DIR/frontend.json
    #[arg(long, value_name = "DIR")]
    features: PathBuf,
    /// CSV of the tracks, with at least the columns track and genre
    #[arg(long, value_name = "FILE")]
    split: PathBuf,
    /// Its column that says which part a track belongs to
    #[arg(long, value_name = "NAME", default_value = "fault_filtered_split")]
    split_column: String,
    /// Part whose tracks calibrate
    #[arg(long, value_name = "PART", default_value = "train")]
    calibrate_on: String,
    /// Part on which float and int8 are compared, and temperature and threshold are fitted
    #[arg(long, value_name = "PART", default_value = "valid")]
    validate_on: String,
    /// Windows that calibrate, evenly over the labels
    #[arg(long, value_name = "N", default_value_t = 200)]
    windows: usize,
    /// Octaves per step of the input; 0.125 holds the front-end's whole range [default: by error]
    #[arg(long, value_name = "OCTAVES", value_parser = scale)]
    input_scale: Option<f32>,
    /// Ranges that a quantization-aware training has settled on, instead of scales by error
    #[arg(long, value_name = "FILE.json", conflicts_with = "input_scale")]
    ranges: Option<PathBuf>,
    /// Float graph to compare with and to ship, where --float was trained on for quantization: the best one before that
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Least share of validation windows on which float and each quantized form must say the same
    #[arg(long, value_name = "SHARE", default_value_t = 0.97, value_parser = share)]
    min_agreement: f64,
    /// Most of the share of rightly labelled validation windows that a quantized form may lose against float
    /// [default: no bound]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_loss: Option<f64>,
    /// Share of validation windows that must still show a genre: sets the threshold for "unsure"
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = share)]
    show: f64,
    /// Features of self-made sound for the golden window; without it, the window is made by formula
    #[arg(long, value_name = "FILE.npy")]
    golden: Option<PathBuf>,
    /// Record of the training run, copied into the package as training.json
    #[arg(long, value_name = "FILE")]
    training: Option<PathBuf>,
    /// The package's name
    #[arg(long, default_value = "harmonynet")]
    name: String,
    /// The package's version
    #[arg(long = "model-version", value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    model_version: String,
    /// The terms of the weights, in plain words
    #[arg(long, default_value = "not stated: ask whoever trained this model")]
    licence: String,
    /// Folder of the package; files of the same names are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("allowed: 0 to 1".into()) }
}

fn scale(text: &str) -> Result<f32, String> {
    let scale: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=1.0).contains(&scale) { Ok(scale) } else { Err("allowed: 0.001 to 1".into()) }
}

/// One progress bar per stage, on standard error; none where that is no terminal.
#[derive(Default)]
struct Bars(Mutex<Option<ProgressBar>>);

struct Bar(ProgressBar);

impl Progress for Bar {
    fn step(&self) {
        self.0.inc(1);
    }
}

impl Bars {
    /// Ends the last stage's bar.
    fn finish(&self) {
        if let Some(bar) = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take() {
            bar.finish();
        }
    }
}

impl Stages for Bars {
    fn stage(&self, name: &str, total: usize) -> Box<dyn Progress> {
        self.finish();
        let style = ProgressStyle::with_template("{msg:>16} {wide_bar} {pos}/{len} {elapsed} (eta {eta})");
        let bar = ProgressBar::new(total as u64).with_message(name.to_owned());
        let bar = style.map_or(bar.clone(), |style| bar.with_style(style));
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(bar.clone());
        Box::new(Bar(bar))
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let out = arguments.out;
    let job = Job {
        float: arguments.float,
        features: arguments.features,
        split: arguments.split,
        column: arguments.split_column,
        calibrate_on: arguments.calibrate_on,
        validate_on: arguments.validate_on,
        windows: arguments.windows,
        input_scale: arguments.input_scale,
        ranges: arguments.ranges,
        reference: arguments.reference,
        min_agreement: arguments.min_agreement,
        max_loss: arguments.max_loss,
        show: arguments.show,
        golden: arguments.golden,
        training: arguments.training,
        name: arguments.name,
        version: arguments.model_version,
        licence: arguments.licence,
    };
    let bars = Bars::default();
    let package = job::run(&job, &bars);
    bars.finish();
    let package = package?;
    write_files(&out, &package.files)?;
    print!("{}", package.report.to_markdown());
    println!("\nWritten to {}:", out.display());
    for (name, contents) in &package.files {
        println!("  {name}  {} bytes", contents.len());
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quantize: {error:#}");
            ExitCode::FAILURE
        }
    }
}
