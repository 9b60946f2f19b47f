//! Figures that other commands measure and leave in `target`: instructions under emulation, and the size of the program
//! without tract. Where they have not run, it says so.

use serde_json::Value;

use super::{Failure, Figures, target};

/// Our instructions per window over the cheaper of tract's two graphs.
const INSTRUCTIONS: [&str; 4] = ["insn_aarch64", "insn_aarch64_dot", "insn_armv7", "insn_armv6"];

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let path = target().join("insn.json");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let found: Value = serde_json::from_slice(&bytes)?;
            for name in INSTRUCTIONS {
                match found.get(name).and_then(Value::as_f64) {
                    Some(ratio) => figures.put(name, ratio),
                    None => println!("{name}: not in {}", path.display()),
                }
            }
        }
        Err(_) => println!("instructions: not measured here; `make insn` counts them"),
    }
    match std::fs::metadata(target().join("small/harmonynet")) {
        Ok(program) => figures.put("native_binary_kib", program.len() as f64 / 1024.0),
        Err(_) => println!("size of the program without tract: not built here; `make small` builds it"),
    }
    Ok(())
}
