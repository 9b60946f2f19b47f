//! A rig without hardware: the stimulus goes through simulated air to a simulated microphone, the real stages hear it, and a
//! simulated light is watched. Time is the number of samples that the microphone has delivered: every run gives the same
//! figures, and computing takes no time.

use std::ops::ControlFlow;

use anyhow::Result;
use harmonynet::capture::{
    CaptureError, Channel, Clock as _, ManualClock, MemoryMicrophone, Pace, Paced, SplitMix64, Supervisor,
};
use harmonynet::classify::Classifier;
use harmonynet::display::leds::pins::Active;
use harmonynet::display::leds::{Brightness, Device as _, Setup, Simulated as SimulatedDisplay};
use harmonynet::display::picture::{Lamps as _, lit};
use harmonynet::display::{Display, DisplayError};
use harmonynet::flow::{Labels, Scene, State};
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, listen_in_step};
use harmonynet::pipeline::tracer::Tracer;

use super::observation::{Declared, Light, Losses, Observation, Recording};
use super::rig_file::Simulated;
use super::stimulus::{RATE_HZ, Session, delayed};

/// LEDs on pins, one for each genre and one for the level: what a rig puts its wires or its photodiode on.
pub(super) struct Panel {
    pins: SimulatedDisplay,
    genres: u8,
}

impl Panel {
    pub(super) fn new(labels: &Labels) -> Result<Self> {
        let genres = labels.len() as u8;
        let mut pins = SimulatedDisplay::new(Setup::Pins { genres, level: true, active: Active::High })?;
        pins.start(Brightness(100))?;
        Ok(Self { pins, genres })
    }

    /// Whether the level's LED is lit.
    fn is_loud(&self) -> bool {
        lit(self.pins.lamp(usize::from(self.genres) + 1, 0))
    }
}

impl Display for Panel {
    fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        self.pins.show(scene)
    }
}

/// What the microphone hears of the sound, Q0.31: later, and with its own noise.
fn air(sound: &[f32], rig: &Simulated, seed: u64) -> Vec<i32> {
    // Uniform noise within ±a has the power a²/3; a sine of full scale has 1/2.
    let noise = (1.5 * 10_f64.powf(rig.noise_dbfs / 10.0)).sqrt();
    let mut random = SplitMix64::new(seed);
    delayed(sound, rig.sound_ms * f64::from(RATE_HZ) / 1000.0)
        .into_iter()
        // The cast saturates: a microphone clips.
        .map(|x| ((f64::from(x) + noise * random.signed()) * 2_147_483_648.0) as i32)
        .collect()
}

/// Plays the session to the stages.
pub(super) fn observe<K: Classifier>(
    rig: &Simulated,
    session: &Session,
    seed: u64,
    recognizer: Recognizer<K>,
    labels: &Labels,
) -> Result<Observation> {
    let heard = air(&session.sound, rig, seed);
    let clock = ManualClock::default();
    let tracer = Tracer::new(clock.clone());
    let mut microphone =
        Some(Paced::new(MemoryMicrophone::new(&heard, RATE_HZ), Pace::RealTime, clock.clone()));
    let supervisor =
        Supervisor::new(|| microphone.take().ok_or(CaptureError::Ended), Channel::Mix, clock.clone());
    let mut panel = Panel::new(labels)?;
    let mut seen = Observation::default();
    let light = (rig.light_ms + rig.undeclared_ms) / 1000.0;
    let (mut was_loud, mut was_judged) = (false, false);
    let mut failed = None;
    let summary = listen_in_step(&tracer, supervisor, recognizer, labels, |news| {
        let scene = match news {
            News::Opened(granted) => {
                seen.granted = Some(granted);
                return ControlFlow::Continue(());
            }
            News::Level(scene) | News::Verdict(scene, _) => scene,
            _ => return ControlFlow::Continue(()),
        };
        if let Err(error) = panel.show(&scene) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        let now = clock.now().as_secs_f64();
        let is_loud = panel.is_loud();
        if is_loud && !was_loud {
            seen.levels.push(Light { at: now + light, written: Some(now) });
        }
        let is_judged = matches!(scene.state, State::Genre { .. } | State::Unsure { .. });
        if is_judged && !was_judged {
            seen.decisions.push(now + light);
        }
        (was_loud, was_judged) = (is_loud, is_judged);
        ControlFlow::Continue(())
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let seconds = |at: &f64| at / f64::from(RATE_HZ);
    Ok(Observation {
        recording: Some(Recording {
            sound: heard.iter().map(|x| *x as f32 / 2_147_483_648.0).collect(),
            begins: 0.0,
            departures: None,
            lost: 0,
        }),
        bursts: session.bursts.iter().map(seconds).collect(),
        pieces: session.pieces.iter().map(seconds).collect(),
        music_from: seconds(&session.music_from),
        declared: Declared { sound: rig.sound_ms / 1000.0, light: rig.light_ms / 1000.0 },
        losses: Some(Losses {
            overruns: summary.microphone.overruns,
            samples: summary.microphone.lost_samples + summary.dropped,
            verdicts: summary.passed_over,
        }),
        ..seen
    })
}
