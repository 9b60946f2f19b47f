//! Reads the source and measures it: the raw signal with the meter, and the level in the terms in which silence is decided.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};
use harmonynet::capture::meter::{ChannelReport, Meter, PairReport};
use harmonynet::capture::{CaptureError, Channel, Conditioner, Granted, Microphone as _};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::spec::FrontendSpec;

use crate::cli::source::Source;

/// The quiet level is the one that this part of all frames does not reach.
const QUIET_SHARE: f64 = 0.1;

/// What was measured.
pub(super) struct Heard {
    /// What the source really delivered.
    pub(super) granted: Granted,
    /// Frames measured.
    pub(super) frames: u64,
    /// Frames lost in between.
    pub(super) lost: u64,
    /// Why it ended before its time, if it broke.
    pub(super) broke: Option<CaptureError>,
    /// The channels.
    pub(super) channels: Vec<ChannelHeard>,
    /// The quiet level of the mean of all channels, as [`ChannelHeard::quiet_dbfs`].
    pub(super) mix_quiet_dbfs: Option<f32>,
    /// Every two channels, counted from 0.
    pub(super) pairs: Vec<(u8, u8, PairReport)>,
}

/// What was measured of one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChannelHeard {
    /// The raw signal.
    pub(super) signal: ChannelReport,
    /// Level of the quietest tenth of the front-end's frames, dBFS: what `verdict.silence_dbfs` is compared with.
    pub(super) quiet_dbfs: Option<f32>,
}

impl Heard {
    /// How long was measured.
    pub(super) fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.granted.rate_hz)
    }
}

/// Measures at most so many seconds; `watch` is called after each period.
pub(super) fn measure(
    source: &mut Source,
    seconds: f64,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Meter) -> std::io::Result<()>,
) -> Result<Heard> {
    let told = |error: CaptureError| match error.fault() {
        Some(fault) => anyhow!("{error}; {}", fault.mend()),
        None => anyhow!("{error}"),
    };
    let mut microphone = (source.open)().map_err(told).with_context(|| source.name.clone())?;
    let granted = microphone.granted();
    let channels = usize::from(granted.channels);
    let mut meter = Meter::new(granted.rate_hz, granted.channels).context("the source cannot be measured")?;
    let mut levels = Levels::all(&granted)?;
    let mut period = vec![0; granted.period_samples().max(channels)];
    let wanted = (seconds * f64::from(granted.rate_hz)).ceil() as u64;
    let (mut lost, mut broke) = (0, None);
    while meter.frames() < wanted && !stop.load(Ordering::Relaxed) {
        let error = match microphone.read(&mut period) {
            Ok(reading) if reading.frames > 0 => {
                if reading.lost > 0 {
                    lost += reading.lost;
                    meter.gap();
                }
                let left = usize::try_from(wanted - meter.frames()).unwrap_or(usize::MAX);
                let samples = &period[..reading.frames.min(left) * channels];
                meter.feed(samples);
                levels.iter_mut().for_each(|level| level.take(reading.lost, samples));
                watch(&meter)?;
                continue;
            }
            Ok(_) => CaptureError::Stalled,
            Err(error) => error,
        };
        if error != CaptureError::Ended {
            broke = Some(error);
        }
        break;
    }
    if meter.frames() == 0 {
        match broke {
            Some(error) => return Err(told(error).context(source.name.clone())),
            None => bail!("{}: there is no sound in it, not even one frame", source.name),
        }
    }
    let mix = (channels > 1).then(|| levels.pop()).flatten();
    let each = (0..granted.channels).zip(&levels);
    let heard = each.filter_map(|(index, level)| {
        Some(ChannelHeard { signal: meter.channel(index)?, quiet_dbfs: level.quiet_dbfs() })
    });
    let pairs = (1..granted.channels).flat_map(|b| (0..b).map(move |a| (a, b)));
    Ok(Heard {
        granted,
        frames: meter.frames(),
        lost,
        broke,
        channels: heard.collect(),
        mix_quiet_dbfs: mix.and_then(|mix| mix.quiet_dbfs()),
        pairs: pairs.filter_map(|(a, b)| Some((a, b, meter.pair(a, b)?))).collect(),
    })
}

/// The front-end's levels of one way to make one channel of many.
struct Levels {
    conditioner: Conditioner,
    frontend: std::rc::Rc<Frontend>,
    state: Box<FrontendState>,
    /// Frames by their level, in half decibels below 0 dBFS; what is louder counts as 0.
    histogram: [u32; 300],
}

impl Levels {
    /// Of every channel, and where there are several of their mean.
    fn all(granted: &Granted) -> Result<Vec<Self>> {
        let frontend = std::rc::Rc::new(Frontend::new(FrontendSpec::SHIPPED)?);
        let mix = (granted.channels > 1).then_some(Channel::Mix);
        let channels = (0..granted.channels).map(Channel::Pick).chain(mix);
        let levels = channels.map(|channel| {
            Ok(Self {
                conditioner: Conditioner::new(granted.rate_hz, granted.channels, channel)
                    .context("the source cannot be listened to")?,
                frontend: std::rc::Rc::clone(&frontend),
                state: Box::default(),
                histogram: [0; 300],
            })
        });
        levels.collect()
    }

    fn take(&mut self, lost: u64, mut samples: &[i32]) {
        self.conditioner.lose_frames(lost);
        while let Some(block) = self.conditioner.feed(&mut samples) {
            let histogram = &mut self.histogram;
            self.frontend.push(&mut self.state, block, |frame| {
                let bin = (-2.0 * frame.level.dbfs()) as usize;
                histogram[bin.min(299)] += 1;
            });
        }
    }

    fn quiet_dbfs(&self) -> Option<f32> {
        let all: u64 = self.histogram.iter().map(|count| u64::from(*count)).sum();
        let rank = (all as f64 * QUIET_SHARE).ceil() as u64;
        let mut below = 0;
        let bin = (0..300).rev().find(|bin| {
            below += u64::from(self.histogram[*bin]);
            below >= rank
        })?;
        (all > 0).then_some(-(bin as f32 + 0.5) / 2.0)
    }
}
