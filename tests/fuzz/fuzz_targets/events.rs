//! The event stream as a listener reads it: postcard in COBS, and JSON lines.
#![no_main]

use harmonynet::tell::{decode_json, decode_postcard};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for frame in data.split_inclusive(|&byte| byte == 0) {
        if let Ok(event) = decode_postcard(&mut frame.to_vec()) {
            // What can be understood can be printed.
            let _ = format!("{event:?}");
        }
    }
    for line in data.split(|&byte| byte == b'\n') {
        let _ = decode_json(line);
    }
});
