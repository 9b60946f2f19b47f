//! Listens at the event socket and prints what the device believes: postcard in COBS, a dozen lines that matter.
//!
//! ```sh
//! harmonynet listen --set events.socket=/tmp/events.sock &
//! cargo run --example listener -- /tmp/events.sock
//! ```

use std::io::{BufRead as _, BufReader, Write};
use std::os::unix::net::UnixStream;

use harmonynet::tell::decode_postcard;
use harmonynet::tell::schema::{Event, VERSION};

/// Writes a line per event to `out` until the device says no more, or `enough` is true of an event.
///
/// # Errors
/// There is no such socket, or it broke off; what came is no event.
pub(crate) fn listen(
    path: &str,
    mut out: impl Write,
    enough: impl Fn(&Event) -> bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = UnixStream::connect(path)?;
    writeln!(stream, "postcard {VERSION}")?;
    let mut events = BufReader::new(stream);
    let mut frame = Vec::new();
    while events.read_until(0, &mut frame)? > 0 {
        let event = decode_postcard(&mut frame)?;
        match &event {
            Event::Hello(hello) => writeln!(out, "{}, labels: {}", hello.program, hello.labels.join(", "))?,
            Event::Change(change) => writeln!(
                out,
                "{:.1} s: {} {}",
                change.at as f64 / 22_050.0,
                change.state.name(),
                change.genre.as_deref().unwrap_or("")
            )?,
            Event::Fault(fault) => writeln!(out, "{}; {}", fault.text, fault.mend)?,
            Event::Lost(lost) => writeln!(out, "too slow: {} events lost", lost.events)?,
            Event::Refused(why) => return Err(format!("refused: {why:?}").into()),
            // Verdicts, health and heartbeats come all the time.
            _ => {}
        }
        if enough(&event) {
            break;
        }
        frame.clear();
    }
    Ok(())
}

#[allow(dead_code, reason = "a test runs the rest of this file without it")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or("/run/harmonynet/events.sock".into());
    listen(&path, std::io::stdout(), |_| false)
}
