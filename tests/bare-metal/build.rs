//! Chooses the model and computes on the host what the device must find.

#[path = "src/path.rs"]
mod path;

use std::error::Error;
use std::path::PathBuf;

use harmonynet::classify::native::{Parts, ReadOut, Shape};
use harmonynet::classify::package::Package;
use harmonynet::spec::WindowLength;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let folder = root.join("../../models/harmonynet");
    for watched in ["build.rs", "memory.x", "src/path.rs", "../../models/harmonynet"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rustc-link-search={}", root.display());

    let package = Package::open(folder)?;
    let manifest = package.manifest();
    let (name, file) = if manifest.graphs.native.is_some() {
        (format!("{} {}", manifest.name, manifest.version), package.native()?.into_owned())
    } else {
        let shape = Shape {
            steps: WindowLength::SHIPPED.steps(),
            channels: [32, 64, 128],
            hidden: 64,
            labels: path::LABELS,
            read_out: ReadOut::Mean,
        };
        ("random weights of the shipped shape".into(), Parts::random(&shape, 1).to_file()?)
    };
    std::fs::write(out.join("model.bin"), &file)?;
    let temperature = manifest.temperature;
    let expected = path::listen(&mut path::path(file.leak(), temperature)?);
    let text = format!(
        "/// The model that is built in.\npub const MODEL_NAME: &str = {name:?};\n\
         /// Its temperature.\npub const TEMPERATURE: f32 = {temperature:?};\n\
         /// What the host found.\npub const EXPECTED: Outcome = {expected:?};\n"
    );
    std::fs::write(out.join("expected.rs"), text)?;
    Ok(())
}
