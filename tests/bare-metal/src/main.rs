//! A firmware: front-end, native engine and decision, with the model in flash and every buffer static.
//!
//! It hears a sound of its own, prints what came of it over semihosting, and whether that is what the host found when it
//! was built, bit for bit. `make bare-metal` builds it, prints what flash and RAM it takes, and runs it where QEMU is
//! installed. Not here: a microphone's DMA and a display's bus, which are the board's.
#![no_std]
#![no_main]

mod path;

use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use panic_halt as _;
use path::{Outcome, Path};

include!(concat!(env!("OUT_DIR"), "/expected.rs"));

/// Aligned as the engine reads it fastest.
#[repr(align(64))]
struct Aligned<T: ?Sized>(T);

static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/model.bin")));

#[entry]
fn main() -> ! {
    let exit = match path::path(&MODEL.0, TEMPERATURE) {
        Ok(path) => run(path),
        Err(wrong) => {
            hprintln!("{}", wrong);
            debug::EXIT_FAILURE
        }
    };
    debug::exit(exit);
    loop {
        cortex_m::asm::wfi();
    }
}

fn run(path: Path) -> debug::ExitStatus {
    // Taken once: this is the only call.
    let Some(path) = cortex_m::singleton!(: Path = path) else { return debug::EXIT_FAILURE };
    let found = path::listen(path);
    hprintln!("model: {}, {} bytes", MODEL_NAME, MODEL.0.len());
    hprintln!("{} verdicts, the last at sample {}", found.verdicts, found.at);
    hprintln!("label {}, confidence {}", found.label, f32::from_bits(found.confidence));
    hprintln!("stack used: {} bytes", stack_used());
    if found == EXPECTED {
        hprintln!("the same as on the host, bit for bit");
        debug::EXIT_SUCCESS
    } else {
        hprintln!("NOT what the host found: {:?}", EXPECTED);
        debug::EXIT_FAILURE
    }
}

/// Bytes of the stack that were written: `paint-stack` filled it before `main`.
fn stack_used() -> usize {
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (mut at, top) = (&raw const _stack_end, &raw const _stack_start);
    let end = top as usize;
    // SAFETY: the linker script's symbols bound the stack's memory, which is readable and word-aligned.
    while (at as usize) < end && unsafe { at.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    end - at as usize
}
