//! Board and parts files: refused with the field that is wrong, or usable.
#![no_main]

use harmonynet::settings::board::{Board, Parts, System};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(parts) = Parts::shipped() else { panic!("the shipped parts") };
    if let Ok(board) = Board::from_toml("board.toml", text, parts) {
        for (microphone, display, bus) in
            [("", "", ""), ("i2s", "max7219", "spi0"), ("usb", "ws2812", "spi1")]
        {
            let _ = board.boot(System::RaspberryPiOs, parts, microphone, display, bus);
            let _ = (board.bus(bus), board.display(display));
        }
    }
    if let Ok(parts) = Parts::from_toml("parts.toml", text) {
        let _ = (parts.microphone("i2s"), parts.display("max7219"));
    }
});
