//! `display-test`: every state on an LED display, without a microphone, and how the display is wired.

mod steps; // what is shown, one after the other

use std::io::{IsTerminal as _, stdin, stdout};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use harmonynet::classify::package::Package;
use harmonynet::display::Display as _;
use harmonynet::display::leds::{Change, Dimming};
use harmonynet::flow::{SampleIndex, Scene};
use harmonynet::spec::SAMPLE_RATE_HZ;

use self::steps::{Step, steps};
use super::config::{self, Loaded, SettingsArgs};
use super::leds::{AnyDevice, Kept, LedDisplay, Simulation, describe, told};
use super::{engine, interrupt};

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet display-test                                 the display of the settings file
  harmonynet display-test --display max7219               Enter goes on, q or Ctrl-C ends
  harmonynet display-test --display ssd1306 </dev/null    without anybody: it ends by itself
  harmonynet display-test --board sim --display ws2812    simulated: the bytes of its bus as dots
  harmonynet display-test --display ht16k33 --set display.address=0x72

It shows silence, listening, unsure, every genre, confidences, levels, every fault and
brightnesses. Exit code 1 where the display does not work.";

/// How long a step is shown on a real display where nobody presses Enter, seconds.
const USUAL_HOLD: f64 = 2.0;

/// Options of `display-test`.
#[derive(Args)]
pub(crate) struct DisplayTestArgs {
    #[command(flatten)]
    settings: SettingsArgs,

    /// How long each step is shown where standard input is no terminal [default: 2; not at all on the simulated board]
    #[arg(long, value_name = "SECONDS")]
    hold: Option<f64>,
}

pub(crate) fn run(args: &DisplayTestArgs, loaded: &Loaded) -> Result<()> {
    let usual = args.hold.unwrap_or(USUAL_HOLD);
    ensure!((0.0..=3600.0).contains(&usual), "--hold {usual}: must be 0 to 3600");
    config::tell(loaded);
    let settings = &loaded.settings;
    let led = LedDisplay::of(settings)?
        .context("which LED display? Name it with --display, such as max7219, or in the settings file")?;
    out!("{}", describe(settings)?);
    config::miswired(loaded)?.iter().for_each(|conflict| eprintln!("{conflict}"));
    let package = match settings.text("model.folder") {
        Some(folder) => Package::open(std::path::Path::new(folder))?,
        None => engine::shipped()?,
    };
    let steps = steps(&package.manifest().labels(), led.dimming.day);

    let live = led.is_simulated && stdout().is_terminal();
    let hold = if led.is_simulated && !live && args.hold.is_none() { 0.0 } else { usual };
    let mut pace = Pace::new(Duration::from_secs_f64(hold), led.refresh_hz)?;
    if pace.is_attended() {
        outln!("Enter shows the next step, q and Enter end");
    }
    // The terminal is taken over: what was printed is to be read before.
    if live && pace.is_attended() && pace.wait().is_break() {
        return Ok(());
    }
    let mut shower = if led.is_simulated {
        Shower::Simulated(Simulation::new(&led, live)?)
    } else {
        Shower::Real { kept: led.keep()?, title: led.title.clone(), is_lost: false }
    };
    for step in &steps {
        if !live {
            outln!("{}", step.name);
        }
        shower.dim(Dimming { day: step.brightness, hours: None, ..led.dimming });
        if pace.show(step, &mut shower)?.is_break() {
            break;
        }
        if shower.is_lost() && !pace.is_attended() {
            bail!("the display does not work");
        }
    }
    ensure!(!shower.is_lost(), "the display does not work");
    Ok(())
}

/// Where the steps are shown.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Shower {
    Real { kept: Kept<AnyDevice>, title: String, is_lost: bool },
    Simulated(Simulation),
}

impl Shower {
    fn dim(&mut self, dimming: Dimming) {
        match self {
            Self::Real { kept, .. } => kept.set_dimming(dimming),
            Self::Simulated(simulation) => simulation.set_dimming(dimming),
        }
    }

    /// Shows a picture; the first one of a step whole.
    fn show(&mut self, scene: &Scene, is_first: bool) -> Result<()> {
        match self {
            Self::Real { kept, title, is_lost } => {
                kept.show(scene)?;
                if let Some(change) = kept.take_change() {
                    *is_lost = matches!(change, Change::Lost(_));
                    eprintln!("{}", told(title, change));
                }
            }
            Self::Simulated(simulation) if is_first => simulation.show_anew(scene)?,
            Self::Simulated(simulation) => simulation.show(scene)?,
        }
        Ok(())
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Real { is_lost: true, .. })
    }
}

/// When one step gives way to the next: at Enter, or where standard input is no terminal when its time is over.
struct Pace {
    hold: Duration,
    picture: Duration,
    /// Lines that a person types; none where there is nobody.
    lines: Option<Receiver<String>>,
    stop: Arc<AtomicBool>,
    /// When the next step begins, in scenes' time.
    begins_at: SampleIndex,
}

/// Steps begin at whole multiples of this, so that what blinks begins lit.
const BEGINNING: SampleIndex = 2 * SAMPLE_RATE_HZ as SampleIndex;

impl Pace {
    fn new(hold: Duration, refresh_hz: u32) -> Result<Self> {
        let stop = interrupt::flag()?;
        let lines = stdin().is_terminal().then(|| {
            let (send, lines) = channel();
            std::thread::spawn(move || {
                for line in stdin().lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        break;
                    }
                }
            });
            lines
        });
        Ok(Self { hold, picture: Duration::from_secs(1) / refresh_hz.max(1), lines, stop, begins_at: 0 })
    }

    fn is_attended(&self) -> bool {
        self.lines.is_some()
    }

    /// Shows a step until it gives way; breaks where it was the last that is wanted.
    fn show(&mut self, step: &Step, shower: &mut Shower) -> Result<ControlFlow<()>> {
        let (from, at) = (Instant::now(), self.begins_at);
        let mut passed = 0;
        loop {
            shower.show(&Scene { at: at + passed, ..step.scene.clone() }, passed == 0)?;
            passed = 1 + (from.elapsed().as_secs_f64() * f64::from(SAMPLE_RATE_HZ)) as SampleIndex;
            self.begins_at = (at + passed).next_multiple_of(BEGINNING);
            if let Some(flow) = self.heard() {
                return Ok(flow);
            }
            if self.lines.is_none() && from.elapsed() >= self.hold {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Waits for a person.
    fn wait(&self) -> ControlFlow<()> {
        loop {
            if let Some(flow) = self.heard() {
                return flow;
            }
        }
    }

    /// What a person says within a picture's time, if there is one and says anything.
    fn heard(&self) -> Option<ControlFlow<()>> {
        let said = match &self.lines {
            Some(lines) => lines.recv_timeout(self.picture),
            None => {
                std::thread::sleep(self.picture.min(self.hold));
                Err(RecvTimeoutError::Timeout)
            }
        };
        match said {
            _ if self.stop.load(Ordering::Relaxed) => Some(ControlFlow::Break(())),
            Ok(line) if line.trim() == "q" => Some(ControlFlow::Break(())),
            Ok(_) => Some(ControlFlow::Continue(())),
            Err(RecvTimeoutError::Timeout) => None,
            // The terminal is gone, and with it whoever watched.
            Err(RecvTimeoutError::Disconnected) => Some(ControlFlow::Break(())),
        }
    }
}
