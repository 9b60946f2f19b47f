//! `model`: what is in a package, and whether it verifies.

use anyhow::Result;
use clap::Args;
use harmonynet::classify::manifest::Precision;
use harmonynet::classify::tract::{Role, TractClassifier};
use harmonynet::spec::SAMPLE_RATE_HZ;

use super::engine::ModelArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet model                          the built-in package
  harmonynet model --model my-model         a package in a folder
  harmonynet model --plan                   and what tract computes, node by node

Verifying compares sizes and hashes of every file with the manifest, loads each graph, proves that the int8 graph
runs on integers, and recomputes the golden window. Exit code 1 where anything differs.";

/// Options of `model`.
#[derive(Args)]
pub(crate) struct ModelCommand {
    #[command(flatten)]
    model: ModelArgs,

    /// Show the execution plan of the graph
    #[arg(long)]
    plan: bool,
}

pub(crate) fn run(args: &ModelCommand) -> Result<()> {
    let package = args.model.package()?;
    let manifest = package.manifest();
    println!("{} {}  ({})", manifest.name, manifest.version, package.source());
    println!("licence      {}", manifest.licence);
    println!("labels       {}", manifest.labels.join(", "));
    println!("front-end    {}", manifest.frontend.spec);
    println!("fingerprint  {}", manifest.frontend.fingerprint);
    let window = package.window()?;
    let seconds = f64::from(window.samples(manifest.frontend.spec.hop)) / f64::from(SAMPLE_RATE_HZ);
    println!("window       {} frames, {} steps, {seconds:.2} s", window.frames(), window.steps());
    println!("temperature  {}", manifest.temperature);
    println!("unsure below {}", manifest.unsure_below);
    package.verify()?;
    println!("files        sizes and hashes verified");
    for precision in Precision::ALL {
        let Some(graph) = manifest.graph(precision) else { continue };
        let engine = args.model.engine_for(&package, precision)?;
        println!("{precision:<12} {} ({} bytes): {}", graph.file, graph.bytes, summary(&engine));
        if args.plan && precision == args.model.precision() {
            print_plan(&engine);
        }
    }
    Ok(())
}

/// What was proved of a graph that has been loaded.
fn summary(engine: &TractClassifier) -> String {
    let layers =
        engine.plan().iter().filter_map(|node| node.product.as_ref()).filter(|p| p.role == Role::Layer);
    let (count, integer) = layers.fold((0, 0), |(n, i), p| (n + 1, i + usize::from(p.integer)));
    format!("golden window verified; {integer} of {count} layers on integers")
}

fn print_plan(engine: &TractClassifier) {
    println!("  {:<28} {:<24} {:<22} products", "node", "operator", "output");
    for node in engine.plan() {
        let product = node.product.as_ref().map(|p| format!("{p}, {:.1} M", p.multiply_adds as f64 / 1e6));
        println!("  {:<28} {:<24} {:<22} {}", node.name, node.op, node.output, product.unwrap_or_default());
    }
}
