//! `model`: what is in a package, and whether it verifies.

use anyhow::Result;
use clap::Args;
use harmonynet::classify::engine::{Engine, Form};
use harmonynet::spec::SAMPLE_RATE_HZ;

use super::engine::ModelArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet model                          the built-in package, and which engine runs it
  harmonynet model --model my-model         a package in a folder
  harmonynet model --plan                   and what is computed, layer by layer or node by node
  harmonynet model --plan --engine tract    the same of tract

Verifying compares sizes and hashes of every file with the manifest, loads each form of the model, proves that the
int8 graph runs on integers, and recomputes the golden window. Exit code 1 where anything differs.";

/// Options of `model`.
#[derive(Args)]
pub(crate) struct ModelCommand {
    #[command(flatten)]
    model: ModelArgs,

    /// Show what the engine computes
    #[arg(long)]
    plan: bool,
}

pub(crate) fn run(args: &ModelCommand) -> Result<()> {
    let package = args.model.package()?;
    let manifest = package.manifest();
    outln!("{} {}  ({})", manifest.name, manifest.version, package.source());
    outln!("licence      {}", manifest.licence);
    outln!("labels       {}", manifest.labels.join(", "));
    outln!("front-end    {}", manifest.frontend.spec);
    outln!("fingerprint  {}", manifest.frontend.fingerprint);
    let window = package.window()?;
    let seconds = f64::from(window.samples(manifest.frontend.spec.hop)) / f64::from(SAMPLE_RATE_HZ);
    outln!("window       {} frames, {} steps, {seconds:.2} s", window.frames(), window.steps());
    outln!("temperature  {}", manifest.temperature);
    outln!("unsure below {}", manifest.unsure_below);
    package.verify()?;
    outln!("files        sizes and hashes verified");
    for form in Form::ALL {
        let Some(entry) = form.entry(manifest) else { continue };
        let summary = if form.is_built() {
            summary(&args.model.engine_for(&package, form)?)
        } else {
            format!("not loaded, this build has no {} engine", form.engine())
        };
        outln!("{form:<12} {} ({} bytes): {summary}", entry.file, entry.bytes);
    }
    let engine = args.model.engine(&package)?;
    outln!("engine       {}", args.model.says(&package, &engine));
    if args.plan {
        print_plan(&engine)?;
    }
    Ok(())
}

/// What was proved of a form that has been loaded.
fn summary(engine: &Engine) -> String {
    match engine {
        #[cfg(feature = "native")]
        Engine::Native(_) => format!("golden window verified; {}", super::engine::describe(engine)),
        #[cfg(feature = "tract")]
        Engine::Tract(tract) => {
            use harmonynet::classify::tract::Role;
            let layers = tract.plan().iter().filter_map(|node| node.product.as_ref());
            let layers = layers.filter(|product| product.role == Role::Layer);
            let (count, integer) = layers.fold((0, 0), |(n, i), p| (n + 1, i + usize::from(p.integer)));
            format!("golden window verified; {integer} of {count} layers on integers")
        }
    }
}

fn print_plan(engine: &Engine) -> Result<()> {
    match engine {
        #[cfg(feature = "native")]
        Engine::Native(native) => print_layers(native.model().shape()),
        #[cfg(feature = "tract")]
        Engine::Tract(tract) => print_nodes(tract.plan()),
    }
}

/// The native engine's layers. Convolutions and projection are computed once per step of the stream, what follows once per
/// step of the window for every verdict.
#[cfg(feature = "native")]
fn print_layers(shape: &harmonynet::classify::native::Shape) -> Result<()> {
    use harmonynet::classify::native::{BANDS_OUT, CONVS};
    use harmonynet::spec::{FRAMES_PER_STEP, MEL_BANDS};

    outln!("  {:<12} {:<26} {:<22} when", "layer", "weights", "products");
    let row = |layer: &str, weights: String, numbers: &str, count: usize, when: &str| {
        let products = format!("{numbers}, {:.2} M", count as f64 / 1e6);
        outln!("  {layer:<12} {weights:<26} {products:<22} {when}");
        anyhow::Ok(())
    };
    let per_step = format!("every {FRAMES_PER_STEP} frames");
    for conv in 0..CONVS {
        let (inputs, outputs) = (shape.inputs(conv), shape.channels[conv]);
        let count = (FRAMES_PER_STEP >> conv) * (MEL_BANDS >> conv) * 9 * inputs * outputs;
        let weights = format!("3 x 3 x {inputs} -> {outputs}");
        row(&format!("conv{}", conv + 1), weights, "i8 x i8 -> i32", count, &per_step)?;
    }
    let [_, projection, recurrence] = shape.multiply_adds_per_step();
    let features = format!("{BANDS_OUT} x {}", shape.channels[CONVS - 1]);
    row(
        "projection",
        format!("{features} -> {}", shape.gate_rows()),
        "i8 x i8 -> i32",
        projection,
        &per_step,
    )?;
    let per_verdict = format!("{} times a verdict", shape.steps);
    let weights = format!("{} -> {}", shape.hidden, shape.gate_rows());
    row("recurrence", weights, "i16 x i16 -> i32", recurrence, &per_verdict)?;
    let weights = format!("{} -> {}", shape.hidden, shape.labels);
    row("dense", weights, "i16 x i16 -> i32", shape.hidden * shape.labels, "once a verdict")
}

/// tract's nodes, in the order of execution.
#[cfg(feature = "tract")]
fn print_nodes(plan: &[harmonynet::classify::tract::PlannedNode]) -> Result<()> {
    outln!("  {:<28} {:<24} {:<22} products", "node", "operator", "output");
    for node in plan {
        let product = node.product.as_ref().map(|p| format!("{p}, {:.1} M", p.multiply_adds as f64 / 1e6));
        outln!("  {:<28} {:<24} {:<22} {}", node.name, node.op, node.output, product.unwrap_or_default());
    }
    Ok(())
}
