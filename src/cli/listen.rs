//! `listen`: the main job.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, stdout};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use harmonynet::capture::{CaptureError, Supervisor, SystemClock};
use harmonynet::decide::Decider;
use harmonynet::display::{Display, DisplayError, JsonLines, Lines, Terminal, terminal};
use harmonynet::flow::{Fault, Health, Labels, Scene, State};
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, Summary, Threads, listen_on};
use harmonynet::pipeline::refresher::Refresher;
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::settings::board::Board;
use harmonynet::spec::SAMPLE_RATE_HZ;
use harmonynet::tell::Teller;

use super::beside::Beside;
use super::config::{self, Loaded, SettingsArgs};
use super::dump::Dumper;
use super::engine::{self, ModelArgs};
use super::interrupt;
use super::leds::{LedDisplay, Simulation, Told};
use super::log::{self, Log};
use super::service::Service;
use super::source::SourceArgs;
use super::tell;

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet listen                                 the default microphone
  harmonynet listen --device 1                      the second sound card, as it is (hw:1)
  harmonynet listen --device usb:serial=A1B2        that USB microphone, whatever port and number it has
  harmonynet listen --device dsnoop:CARD=Device     a microphone shared with other programs
  harmonynet listen --demo=disco                    self-made music, through ALSA
[files]  harmonynet listen song.flac                       a recording, at its own pace
[files+rooms]  harmonynet listen song.flac --room kitchen        a recording, as a device across the kitchen would hear it
  arecord -f S16_LE -r 48000 | harmonynet listen -  raw samples from another program
  harmonynet listen --json --seconds 60             a minute of verdicts for a program
  harmonynet listen --display max7219               an LED display on this board (see `display-test`)
  harmonynet listen --set page.address=127.0.0.1:8730   a live page for browsers, http://127.0.0.1:8730/
  harmonynet listen --board sim --display ssd1306   the same simulated: the bytes of its bus, turned back into dots

A microphone that is missing, unplugged or stalled is opened again for ever; the display says what is wrong. So is an LED
display; beside it standard output has one line per change.
Ctrl-C ends with a summary.";

/// Notes kept for the end while the terminal is taken over.
const KEPT_NOTES: usize = 20;
/// How long of every minute a display says that the settings are broken.
const BROKEN_SHOWN_SECONDS: u64 = 5;
/// What it says.
const BROKEN_SETTINGS: State = State::Fault { fault: Fault::Settings };
/// And what a service manager's status line then says besides.
const BROKEN_REMARK: &str = " (settings file broken, see the log)";

/// Options of `listen`.
#[derive(Args, Debug)]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    /// Folder for traces: what happened when in the last two minutes, written on SIGUSR1 and when something breaks
    #[arg(long, value_name = "DIR")]
    trace: Option<PathBuf>,

    // Help and defaults of this and the last three come from the table of settings.
    #[arg(long, value_enum)]
    display: DisplayArg,

    /// One JSON object per verdict on standard output: short for --display json
    #[arg(long, conflicts_with = "display")]
    json: bool,

    /// Stop after this much sound
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    #[arg(long, value_name = "FRAMES")]
    verdict_frames: Option<usize>,

    #[arg(long, value_name = "P")]
    unsure_below: Option<f32>,

    #[arg(long, value_name = "DBFS", allow_negative_numbers = true)]
    silence_dbfs: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DisplayArg {
    /// The terminal, or lines where standard output is none
    Auto,
    /// An LED matrix in the terminal
    Terminal,
    /// One line per change
    Lines,
    /// One JSON object per verdict
    Json,
    /// Nothing
    None,
    /// Chain of 8x8 LED matrices on SPI
    Max7219,
    /// 8x8 LED matrix on I2C
    Ht16k33,
    /// Four 14-segment characters on I2C
    #[value(name = "ht16k33-14")]
    Ht16k33Characters,
    /// OLED on I2C
    Ssd1306,
    /// Strip of APA102 or SK9822 on SPI
    Apa102,
    /// Strip of WS2812 on SPI
    Ws2812,
    /// An LED per genre on GPIO lines
    Gpio,
}

pub(crate) fn run(args: &ListenArgs, loaded: &Loaded) -> Result<()> {
    if let Some(seconds) = args.seconds {
        ensure!(seconds > 0.0, "--seconds {seconds}: must be more than 0");
    }
    let mut source = args.source.source()?;
    let package = args.model.package()?;
    let manifest = package.manifest();
    let labels = manifest.labels();
    let mut policy = engine::policy(manifest)?;
    policy.unsure_below = args.unsure_below.unwrap_or(policy.unsure_below);
    policy.silence_dbfs = args.silence_dbfs;
    let decider = Decider::new(policy, labels.len())?;
    let engine = args.model.engine(&package)?;
    let says = args.model.says(&package, &engine);
    let frontend = engine::frontend(&package)?;
    let (teller, untold) = tell::open(&loaded.settings, &labels, frontend.spec());
    let mut recognizer = Recognizer::new(frontend, engine, decider);
    if tell::shows_sound(&teller) {
        recognizer = recognizer.with_glimpses();
    }
    if let Some(frames) = args.verdict_frames {
        recognizer = recognizer.with_period(frames);
    }
    let stop = interrupt::flag()?;

    let tracer = Tracer::new(SystemClock::default());
    let mut stage = Stage::new(args, loaded, &source.name, teller, &tracer)?;
    stage.note(format!("engine: {says}"));
    if loaded.are_others() {
        stage.tell_broken_settings();
    }
    let complaints = config::complaints(loaded).into_iter().chain(config::miswired(loaded)?);
    complaints.chain(untold).for_each(|complaint| stage.note(complaint));
    let open = || (source.open)();
    let supervisor = Supervisor::new(open, args.source.channel, SystemClock::default());
    let threads = threads(loaded.settings.board());
    let mut service = Service::of_environment(if loaded.are_others() { BROKEN_REMARK } else { "" });
    let shown = &mut stage;
    // With this closure the service's end is told: before the threads have ended, which a microphone may hold up.
    let show = move |news: News| {
        service
            .as_mut()
            .and_then(|service| service.take(&news))
            .into_iter()
            .for_each(|note| shown.note(note));
        shown.take(news)
    };
    let summary = listen_on(threads, &tracer, supervisor, recognizer, &labels, &stop, show);
    stage.close(&summary, &labels)
}

/// How the board wants the threads to run.
pub(super) fn threads(board: &Board) -> Threads {
    Threads {
        capture_priority: board.threads.capture_priority,
        capture_core: board.threads.capture_core,
        signal_core: board.threads.signal_core,
    }
}

/// The displays, and everything else that a person is told.
struct Stage {
    displays: Vec<Box<dyn Display>>,
    /// What happens to an LED display.
    fortunes: Receiver<String>,
    source: String,
    /// Sample index at which to stop.
    until: u64,
    scene: Scene,
    /// Whether the settings file is broken and something else is used.
    settings_are_broken: bool,
    /// Whether notes wait for the end, because the display owns the terminal.
    keeps_notes: bool,
    notes: VecDeque<String>,
    log: Log,
    began: Instant,
    /// The rest of the house.
    teller: Teller,
    dumper: Dumper,
    /// What was last said to be passed over and dropped.
    slow: u64,
    end: Result<(), End>,
}

/// Why listening ended before its time.
enum End {
    Display(DisplayError),
    Source(CaptureError),
}

impl Stage {
    fn new(
        args: &ListenArgs,
        loaded: &Loaded,
        source: &str,
        teller: Teller,
        tracer: &Tracer,
    ) -> Result<Self> {
        let folder = args.trace.as_deref().or(args.settings.state());
        let dumper = Dumper::new(tracer.clone(), folder, interrupt::asked()?);
        let is_terminal = stdout().is_terminal();
        let automatic = if is_terminal { DisplayArg::Terminal } else { DisplayArg::Lines };
        let kind = match args.display {
            _ if args.json => DisplayArg::Json,
            DisplayArg::Auto => automatic,
            named => named,
        };
        let (tell, fortunes) = channel();
        let mut displays: Vec<Box<dyn Display>> = Vec::new();
        let mut keeps_notes = kind == DisplayArg::Terminal;
        match kind {
            DisplayArg::Terminal => {
                let terminal = Terminal::new(stdout(), terminal::Style::detect(), terminal::size)?;
                displays.push(Box::new(tracer.display(terminal)));
            }
            DisplayArg::Lines => displays.push(Box::new(tracer.display(Lines::new(stdout())))),
            DisplayArg::Json => displays.push(Box::new(tracer.display(JsonLines::new(stdout())))),
            DisplayArg::Auto | DisplayArg::None => {}
            _ => {
                let led =
                    LedDisplay::of(&loaded.settings)?.context("display.kind: no LED display is named")?;
                let thread = if led.is_simulated {
                    keeps_notes = is_terminal;
                    Refresher::start_traced(Simulation::new(&led, is_terminal)?, led.refresh_hz, tracer)
                } else {
                    displays.push(Box::new(Beside::new(Lines::new(stdout()), tell.clone())));
                    Refresher::start_traced(Told::new(&led, tell)?, led.refresh_hz, tracer)
                };
                displays.push(Box::new(thread.context("a thread for the display")?));
            }
        }
        Ok(Self {
            displays,
            fortunes,
            source: source.to_string(),
            until: args.seconds.map_or(u64::MAX, |seconds| (seconds * f64::from(SAMPLE_RATE_HZ)) as u64),
            scene: Scene::default(),
            settings_are_broken: false,
            keeps_notes,
            notes: VecDeque::new(),
            log: Log::default(),
            began: Instant::now(),
            teller,
            dumper,
            slow: 0,
            end: Ok(()),
        })
    }

    fn note(&mut self, text: String) {
        if !self.keeps_notes {
            self.log.take(&text, self.began.elapsed()).into_iter().for_each(log::say);
            return;
        }
        if self.notes.len() == KEPT_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(text);
    }

    fn take(&mut self, news: News) -> ControlFlow<()> {
        tell::tell(&mut self.teller, &news).into_iter().for_each(|note| self.note(note));
        while let Ok(text) = self.fortunes.try_recv() {
            self.dumper.broke();
            self.note(text);
        }
        if let Some(text) = self.dumper.look(&news) {
            self.note(text);
        }
        match news {
            News::Level(scene) => {
                self.scene = scene;
                self.show()
            }
            News::Verdict(scene, _) => {
                let broken = State::Fault { fault: Fault::Classifier };
                if scene.state == broken && self.scene.state != broken {
                    // A microphone's fault comes as news of its own.
                    self.note(format!("{}; {}", Fault::Classifier, Fault::Classifier.mend()));
                }
                self.scene = scene;
                self.tell(|display, scene| display.verdict(scene))?;
                self.show()
            }
            News::Nothing => {
                // Without sound there is no time; a display's animation goes on all the same.
                self.scene.at += u64::from(SAMPLE_RATE_HZ) / 10;
                self.picture()
            }
            News::Opened(granted) => {
                self.note(format!("{}: {granted}", self.source));
                ControlFlow::Continue(())
            }
            News::Health(health) => {
                self.tell_slowness(&health);
                ControlFlow::Continue(())
            }
            News::Broken(fault, error) => {
                self.note(format!("{}: {error}; {}", self.source, fault.mend()));
                ControlFlow::Continue(())
            }
            News::Ended(reason) => {
                self.end = reason.map_or(Ok(()), |error| Err(End::Source(error)));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Says once to displays that record, and from then on for a while of every minute, that the settings are broken.
    fn tell_broken_settings(&mut self) {
        self.settings_are_broken = true;
        self.teller.verdict(&Scene { state: BROKEN_SETTINGS, ..self.scene.clone() });
        // A display that doesn't take it ends with the first scene.
        let _ =
            self.tell(|display, scene| display.verdict(&Scene { state: BROKEN_SETTINGS, ..scene.clone() }));
    }

    /// Says that recognizing is too slow: at first, and whenever it has got twice as bad.
    fn tell_slowness(&mut self, health: &Health) {
        let slow = health.passed_over + health.dropped;
        if slow > 2 * self.slow {
            self.slow = slow;
            self.note(format!(
                "recognizing is too slow here: {} verdicts passed over, {:.1} s of sound lost so far; let other programs do less, \
                 or choose --engine native",
                health.passed_over,
                health.dropped as f64 / f64::from(SAMPLE_RATE_HZ)
            ));
        }
    }

    /// Shows the scene; in the first seconds of every minute rather that the settings are broken, if they are.
    fn picture(&mut self) -> ControlFlow<()> {
        let rate = u64::from(SAMPLE_RATE_HZ);
        if self.settings_are_broken && self.scene.at % (60 * rate) < BROKEN_SHOWN_SECONDS * rate {
            self.tell(|display, scene| display.show(&Scene { state: BROKEN_SETTINGS, ..scene.clone() }))
        } else {
            self.tell(|display, scene| display.show(scene))
        }
    }

    fn show(&mut self) -> ControlFlow<()> {
        self.picture()?;
        if self.scene.at >= self.until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn tell(
        &mut self,
        tell: impl Fn(&mut dyn Display, &Scene) -> Result<(), DisplayError>,
    ) -> ControlFlow<()> {
        for display in &mut self.displays {
            if let Err(error) = tell(display.as_mut(), &self.scene) {
                self.end = Err(End::Display(error));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives the terminal back, then says what happened.
    fn close(mut self, summary: &Summary, labels: &Labels) -> Result<()> {
        self.displays.clear();
        while let Ok(text) = self.fortunes.try_recv() {
            self.note(text);
        }
        self.notes.extend(self.dumper.close());
        self.notes.iter().for_each(log::say);
        self.log.rest().into_iter().for_each(log::say);
        log::say(describe(summary, labels));
        match self.scene.state {
            State::Genre { confidence, .. } => {
                log::say(format_args!("last: {}, {:.0} %", self.scene.label, 100.0 * confidence));
            }
            state => log::say(format_args!("last: {}", harmonynet::display::words::state(&state))),
        }
        match self.end {
            // Whoever read the output has seen enough.
            Ok(()) | Err(End::Display(DisplayError::Closed)) => Ok(()),
            Err(End::Display(error)) => Err(error.into()),
            Err(End::Source(error)) => Err(anyhow::Error::new(error).context(self.source)),
        }
    }
}

fn describe(summary: &Summary, labels: &Labels) -> String {
    let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE_HZ);
    let mut shown: Vec<(u64, &str)> = summary
        .shown
        .iter()
        .copied()
        .zip(labels.iter().map(|label| label.as_str()))
        .filter(|s| s.0 > 0)
        .collect();
    shown.sort_by(|a, b| b.cmp(a));
    let undecided = summary.verdicts - shown.iter().map(|s| s.0).sum::<u64>();
    let mut verdicts: Vec<String> = shown.iter().map(|(count, label)| format!("{label} {count}")).collect();
    if undecided > 0 {
        verdicts.push(format!("none {undecided}"));
    }
    let verdicts = if verdicts.is_empty() { String::new() } else { format!(" ({})", verdicts.join(", ")) };
    let mut text = format!(
        "heard {:.1} s; {} verdicts{verdicts}; signal thread busy {:.1} % of the time",
        seconds(summary.heard),
        summary.verdicts,
        100.0 * summary.busy.as_secs_f64() / summary.elapsed.as_secs_f64().max(1e-9),
    );
    let microphone = &summary.microphone;
    if microphone.lost_samples + summary.dropped > 0 {
        text += &format!(
            "\nlost {:.2} s to the microphone ({} overruns, {} failures) and {:.2} s to slow inference",
            seconds(microphone.lost_samples),
            microphone.overruns,
            microphone.failed,
            seconds(summary.dropped)
        );
    }
    if summary.passed_over > 0 {
        text += &format!("\nrecognizing was too slow for {} verdicts", summary.passed_over);
    }
    if summary.missed_news > 0 {
        text += &format!("\nthe display was too slow for {} updates", summary.missed_news);
    }
    text
}
