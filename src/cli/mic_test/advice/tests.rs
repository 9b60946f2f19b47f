use harmonynet::capture::meter::{ChannelReport, Clipping, Hum, PairReport};
use harmonynet::capture::{Access, Granted};

use super::*;

/// A channel of music with quiet in between, nothing wrong with it.
fn good() -> ChannelHeard {
    let signal = ChannelReport {
        peak_dbfs: Some(-12.0),
        rms_dbfs: Some(-25.0),
        offset: 0.001,
        clipping: Clipping::default(),
        floor_dbfs: Some(-62.0),
        hum: None,
        constant: false,
    };
    ChannelHeard { signal, quiet_dbfs: Some(-66.25) }
}

fn dead() -> ChannelHeard {
    let mut dead = good();
    (dead.signal.peak_dbfs, dead.signal.rms_dbfs, dead.signal.floor_dbfs) = (None, None, Some(-150.0));
    (dead.signal.constant, dead.quiet_dbfs) = (true, Some(-143.0));
    dead
}

fn heard(channels: Vec<ChannelHeard>, correlation: f64) -> Heard {
    let count = channels.len() as u8;
    let pair = PairReport { correlation: Some(correlation), identical: correlation >= 1.0 };
    let pairs = (1..count).flat_map(|b| (0..b).map(move |a| (a, b, pair))).collect();
    let granted = Granted {
        rate_hz: 48_000,
        channels: count,
        encoding: "S32_LE",
        period_frames: 960,
        buffer_frames: 0,
        access: Access::Stream,
    };
    Heard { granted, frames: 480_000, lost: 0, broke: None, channels, mix_quiet_dbfs: Some(-69.0), pairs }
}

fn kinds(advice: &Advice) -> Vec<(&'static str, Option<u8>)> {
    advice.findings.iter().map(|finding| (finding.kind, finding.channel)).collect()
}

#[test]
fn a_good_microphone_gets_a_threshold_and_no_blame() {
    let mono = Advice::of(&heard(vec![good()], 0.0), &Wiring::default());
    assert_eq!((kinds(&mono), mono.channel, mono.gain_db), (vec![], Some(Channel::Mix), None));
    assert_eq!(mono.silence_dbfs, Some(-60.0), "−66.25 + 6, rounded up");
    let stereo = Advice::of(&heard(vec![good(); 2], 0.4), &Wiring::default());
    assert_eq!((kinds(&stereo), stereo.channel), (vec![], Some(Channel::Mix)));
    assert_eq!(stereo.silence_dbfs, Some(-63.0), "of the mean of both");
}

#[test]
fn the_channel_that_speaks_is_suggested_and_the_wrong_one_is_told() {
    let wiring = Wiring { listened: Channel::Pick(0), ..Wiring::default() };
    let swapped = Advice::of(&heard(vec![dead(), good()], 0.0), &wiring);
    assert_eq!(kinds(&swapped), [("dead-channel", Some(0))]);
    assert_eq!((swapped.channel, swapped.silence_dbfs), (Some(Channel::Pick(1)), Some(-60.0)));
    assert!(swapped.findings[0].mend.contains("listen to channel 2 instead"), "{swapped:?}");

    let mut quiet = good();
    quiet.signal.rms_dbfs = Some(-60.0);
    let one = Advice::of(&heard(vec![good(), quiet], 0.0), &Wiring::default());
    assert_eq!((kinds(&one), one.channel), (vec![("silent-channel", Some(1))], Some(Channel::Pick(0))));

    let opposite = Advice::of(&heard(vec![good(), good()], -0.99), &Wiring::default());
    assert_eq!(kinds(&opposite), [("inverted-channels", Some(1))]);
    assert_ne!(opposite.channel, Some(Channel::Mix));
    let same = Advice::of(&heard(vec![good(), good()], 1.0), &Wiring::default());
    assert_eq!((kinds(&same), same.channel), (vec![("identical-channels", None)], Some(Channel::Pick(0))));

    // What is listened to stays, where it is no worse than another.
    let second = Wiring { listened: Channel::Pick(1), ..Wiring::default() };
    for correlation in [-0.99, 0.4, 1.0] {
        let kept = Advice::of(&heard(vec![good(), good()], correlation), &second);
        assert_eq!(kept.channel, Some(Channel::Pick(1)), "{correlation}");
    }

    let nothing = Advice::of(&heard(vec![dead(), dead()], 0.0), &Wiring::default());
    assert_eq!((kinds(&nothing), nothing.channel, nothing.silence_dbfs), (vec![("dead", None)], None, None));
}

#[test]
fn gain_is_suggested_where_there_is_something_to_turn() {
    let usb = Wiring { card: Some("Device".into()), is_device: true, ..Wiring::default() };
    let i2s = Wiring { is_i2s: true, ..usb.clone() };
    let mut clipped = good();
    clipped.signal.clipping = Clipping { samples: 40, runs: 4, longest: 12 };
    let advice = Advice::of(&heard(vec![clipped], 0.0), &usb);
    assert_eq!((kinds(&advice), advice.gain_db), (vec![("clipping", Some(0))], Some(-12.0)));
    assert!(advice.findings[0].mend.contains("amixer -c Device sset Mic 12dB-"), "{advice:?}");
    // A recording that touches full scale once has not been clipped.
    clipped.signal.clipping = Clipping { samples: 2, runs: 1, longest: 2 };
    assert_eq!(kinds(&Advice::of(&heard(vec![clipped], 0.0), &usb)), []);

    let mut faint = good();
    (faint.signal.peak_dbfs, faint.signal.rms_dbfs) = (Some(-42.0), Some(-55.0));
    let advice = Advice::of(&heard(vec![faint], 0.0), &usb);
    assert_eq!((kinds(&advice), advice.gain_db), (vec![("faint", None)], Some(30.0)));
    let advice = Advice::of(&heard(vec![faint], 0.0), &i2s);
    assert_eq!((kinds(&advice), advice.gain_db), (vec![("faint", None)], None));
    assert!(advice.findings[0].mend.contains("no gain to turn"), "{advice:?}");

    // Music without a pause is loud enough, whatever its floor.
    let mut endless = good();
    (endless.signal.floor_dbfs, endless.quiet_dbfs) = (Some(-27.0), Some(-30.0));
    assert_eq!(kinds(&Advice::of(&heard(vec![endless], 0.0), &usb)), [("no-quiet", None)]);

    // Nobody played anything: nothing is said about gain.
    faint.signal.rms_dbfs = Some(-61.0);
    let advice = Advice::of(&heard(vec![faint], 0.0), &usb);
    assert_eq!((kinds(&advice), advice.gain_db), (vec![("nothing-heard", None)], None));
}

#[test]
fn hum_offset_loss_and_restlessness_are_told() {
    let mut bad = good();
    bad.signal.offset = -0.05;
    bad.signal.hum = Some(Hum { mains_hz: 50, level_dbfs: -64.0, strongest_hz: 100, above_db: 22.0 });
    bad.quiet_dbfs = Some(-30.0);
    let mut bad = heard(vec![bad], 0.0);
    bad.lost = 480;
    bad.broke = Some(harmonynet::capture::CaptureError::Lost);
    let advice = Advice::of(&bad, &Wiring::default());
    let expected = [
        ("offset", Some(0)),
        ("hum", Some(0)),
        ("no-quiet", None),
        ("lost-samples", None),
        ("broke-off", None),
    ];
    assert_eq!(kinds(&advice), expected);
    assert_eq!(advice.silence_dbfs, None, "music is no noise floor");
    // Far below the noise it is no matter.
    let mut faint = good();
    faint.signal.hum = Some(Hum { mains_hz: 60, level_dbfs: -80.0, strongest_hz: 60, above_db: 12.0 });
    assert_eq!(kinds(&Advice::of(&heard(vec![faint], 0.0), &Wiring::default())), []);
    let mut short = good();
    short.quiet_dbfs = None;
    assert_eq!(kinds(&Advice::of(&heard(vec![short], 0.0), &Wiring::default())), [("short", None)]);
}

#[test]
fn cards_are_named_as_alsamixer_takes_them() {
    assert_eq!(card("hw:CARD=Device,DEV=0").as_deref(), Some("Device"));
    assert_eq!(card("plughw:1,0").as_deref(), Some("1"));
    assert_eq!(card("default"), None);
}
