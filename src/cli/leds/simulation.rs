//! A display on the simulated board: the bytes of its bus go to a simulated chip, and its light to the terminal.

use std::io::{Stdout, Write as _, stdout};
use std::mem::discriminant;

use anyhow::Result;
use harmonynet::display::leds::{Dimming, Simulated, Supervised};
use harmonynet::display::picture::{self, Still};
use harmonynet::display::terminal::{Screen, Style, size};
use harmonynet::display::{Display, DisplayError, words};
use harmonynet::flow::{Scene, State};
use harmonynet::spec::SAMPLE_RATE_HZ;

use super::{Kept, LedDisplay, clock};

/// A simulated display, and where it is seen: on the terminal, live; or on standard output that is none, as a picture of `#`
/// and `.` with each change of state, and otherwise once a second if it changed.
pub(crate) struct Simulation {
    kept: Kept<Simulated>,
    seen: Seen,
}

enum Seen {
    Live(Screen<Stdout>),
    Printed { printed: Option<(Scene, Still)> },
}

impl Simulation {
    /// The display that the settings call for.
    pub(crate) fn new(led: &LedDisplay, live: bool) -> Result<Self> {
        let setup = led.setup;
        // What is out of range is told now.
        Simulated::new(setup)?;
        let open = move || Simulated::new(setup).map_err(|_| DisplayError::Bus);
        let kept = Supervised::new(
            Box::new(open) as super::Open<Simulated>,
            led.dimming,
            clock::minute_of_day as fn() -> Option<u16>,
        );
        let seen = if live {
            Seen::Live(Screen::new(stdout(), Style::detect(), size)?)
        } else {
            Seen::Printed { printed: None }
        };
        Ok(Self { kept, seen })
    }

    /// Changes how bright it is, and when.
    pub(crate) fn set_dimming(&mut self, dimming: Dimming) {
        self.kept.set_dimming(dimming);
    }

    /// Shows the next scene whole: others may have written to the terminal, or it is another thing that is to be seen.
    pub(crate) fn show_anew(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        match &mut self.seen {
            Seen::Live(screen) => screen.forget(),
            Seen::Printed { printed } => *printed = None,
        }
        self.show(scene)
    }
}

impl Display for Simulation {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.kept.show(scene)?;
        let Some(device) = self.kept.device() else { return Ok(()) };
        match &mut self.seen {
            Seen::Live(screen) => screen.paint(device, scene),
            Seen::Printed { printed } => {
                let still = Still::of(device);
                let due = |(last, seen): &(Scene, Still)| {
                    let is_other =
                        discriminant(&last.state) != discriminant(&scene.state) || last.label != scene.label;
                    is_other || *seen != still && scene.at.abs_diff(last.at) >= u64::from(SAMPLE_RATE_HZ)
                };
                if printed.as_ref().is_none_or(due) {
                    print(&still, scene)?;
                    *printed = Some((scene.clone(), still));
                }
                Ok(())
            }
        }
    }
}

/// A line of what is shown, and the picture.
fn print(still: &Still, scene: &Scene) -> Result<(), DisplayError> {
    let mut text =
        format!("{:9.2} s  {}", scene.at as f64 / f64::from(SAMPLE_RATE_HZ), words::state(&scene.state));
    match scene.state {
        State::Fault { fault } => text += &format!(", {fault}"),
        state => {
            if let Some(part) = words::confidence(&state) {
                text += &format!(", {} {:.0} %", scene.label, 100.0 * part);
            }
        }
    }
    text.push('\n');
    picture::ascii(still, &mut text).map_err(|_| DisplayError::Write)?;
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
