//! The same stages on real threads and the real clock: what each of them takes on this machine.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{CaptureError, Channel, Limited, Pace, Paced, Supervisor, SystemClock};
use harmonynet::classify::Classifier;
use harmonynet::display::Display as _;
use harmonynet::flow::Labels;
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::listen::{News, Summary, Threads, listen_on};
use harmonynet::pipeline::refresher::Refresher;
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::trace::Record;
use harmonynet::trace::stages::Stages;

use super::stimulus::RATE_HZ;
use super::virtual_rig::Panel;

/// Pictures a second: the setting's preset.
const REFRESH_HZ: u32 = 10;

/// What was seen.
pub(super) struct Live {
    pub(super) stages: Stages,
    pub(super) summary: Summary,
    pub(super) threads: Threads,
}

/// Listens to self-made music for so long.
pub(super) fn observe<K: Classifier + Send>(
    seconds: f64,
    recognizer: Recognizer<K>,
    labels: &Labels,
    threads: Threads,
) -> Result<Live> {
    let frames = (seconds * f64::from(RATE_HZ)) as u64;
    let player = Limited::new(DemoPlayer::new(Piece::Disco, RATE_HZ), frames);
    let mut microphone = Some(Paced::new(player, Pace::RealTime, SystemClock::default()));
    let open = || microphone.take().ok_or(CaptureError::Ended);
    let supervisor = Supervisor::new(open, Channel::Mix, SystemClock::default());
    let tracer = Tracer::new(SystemClock::default());
    let mut display = Refresher::start_traced(Panel::new(labels)?, REFRESH_HZ, &tracer)
        .context("a thread for the display")?;
    let mut failed = None;
    let stop = AtomicBool::new(false);
    let summary = listen_on(threads, &tracer, supervisor, recognizer, labels, &stop, |news| match news {
        News::Level(scene) | News::Verdict(scene, _) => match display.show(&scene) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
        News::Ended(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    drop(display);
    if let Some(error) = failed {
        return Err(error.into());
    }
    let snapshot = tracer.snapshot();
    let records = snapshot.records.iter().map(Record::decode).collect::<Result<Vec<_>, _>>()?;
    Ok(Live { stages: Stages::of(&records), summary, threads })
}
