//! Scripted scores: what is shown, when, and what never is.

use proptest::prelude::*;

use super::*;
use crate::spec::{FrontendSpec, WindowLength};

const HOP: u64 = FrontendSpec::SHIPPED.hop as u64;
/// Samples between verdicts.
const PERIOD: u64 = FrontendSpec::SHIPPED.verdict_frames() as u64 * HOP;
const WINDOW: u64 = Policy::DEFAULT.window_samples as u64;
const LOUD: Level = Level(-6 * 256);
const A: usize = 0;
const B: usize = 1;

fn decider(policy: Policy, labels: usize) -> Decider {
    match Decider::new(policy, labels) {
        Ok(decider) => decider,
        Err(error) => panic!("{error}"),
    }
}

fn scores(end: u64, probabilities: &[f32]) -> Scores {
    Scores { end, probabilities: probabilities.iter().copied().collect() }
}

/// Ten labels of which A and B are possible, `winner` being `ratio` times as likely as the other.
fn favour(end: u64, winner: usize, ratio: f32) -> Scores {
    let mut p = [0.0; 10];
    p[winner] = ratio / (1.0 + ratio);
    p[A + B - winner] = 1.0 / (1.0 + ratio);
    scores(end, &p)
}

/// The confidence of `favour`'s winner: the other eight labels count as the floor.
fn certainty(ratio: f32) -> f32 {
    ratio / (1.0 + ratio) / (1.0 + 8.0 * Policy::DEFAULT.floor)
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(crate::spec::SAMPLE_RATE_HZ)
}

fn genre(verdict: Verdict) -> Option<usize> {
    match verdict.state {
        State::Genre { label, .. } => Some(usize::from(label)),
        _ => None,
    }
}

fn confidence(verdict: Verdict) -> f32 {
    match verdict.state {
        State::Genre { confidence, .. } | State::Unsure { confidence, .. } => confidence,
        other => panic!("{other:?} has no confidence"),
    }
}

/// A decider that has shown label A for half a minute with scores of `ratio`, and the end of its last window.
fn settled(ratio: f32) -> (Decider, u64) {
    let mut decider = decider(Policy::DEFAULT, 10);
    let mut end = WINDOW;
    while end < 30 * 22_050 {
        end += PERIOD;
        decider.scores(&favour(end, A, ratio));
    }
    assert_eq!(genre(decider.verdict()), Some(A));
    (decider, end)
}

/// Verdicts until B is shown, of windows that all favour B by `ratio`.
fn verdicts_to_b(decider: &mut Decider, mut end: u64, ratio: f32) -> u64 {
    for n in 1..100 {
        end += PERIOD;
        if genre(decider.scores(&favour(end, B, ratio))) == Some(B) {
            return n;
        }
    }
    panic!("never changed");
}

/// The module documentation's formula for the number of verdicts.
fn predicted(policy: &Policy, old_ratio: f64, new_ratio: f64) -> u64 {
    let (old, new) = (old_ratio.ln(), new_ratio.ln());
    let period = PERIOD as f64 / f64::from(policy.memory_samples);
    let led = ((old + new) / (new - f64::from(policy.lead).ln())).ln() / period;
    led.ceil() as u64 + u64::from(policy.settle_samples).div_ceil(PERIOD)
}

#[test]
fn changes_within_the_stated_time() {
    let documentation = include_str!("mod.rs");
    // Of a certain window, the floor leaves a lead of 1 / floor.
    for (old, old_ratio, verdicts) in [(10.0, 10.0, 5), (1e9, 1000.0, 7)] {
        let (mut decider, end) = settled(old);
        assert_eq!(verdicts_to_b(&mut decider, end, 10.0), verdicts);
        assert_eq!(predicted(&Policy::DEFAULT, old_ratio, 10.0), verdicts);
        // The first window of new music alone ends at most one period after such a window could have ended.
        let row = format!("| {verdicts} | {:.2} s |", seconds(WINDOW + verdicts * PERIOD));
        assert!(documentation.contains(&row), "{row} is not in the documentation");
    }
    let begin = format!("| 1 | {:.2} s |", seconds(WINDOW + PERIOD));
    assert!(documentation.contains(&begin), "{begin}");
}

#[test]
fn verdicts_of_another_period_change_at_the_same_time() {
    // 24, 8 and 88 frames; the smoothed confidence is the same function of time.
    let at = 12 * 88 * 24 * HOP;
    let shown = [24, 8, 88].map(|frames| {
        let mut decider = decider(Policy::DEFAULT, 10);
        let step = frames * HOP;
        let change = at - 4 * 88 * HOP;
        for n in 1..=at / step {
            let end = n * step;
            decider.scores(&favour(end, if end <= change { A } else { B }, 5.0));
        }
        decider.verdict()
    });
    for verdict in shown {
        assert_eq!(genre(verdict), Some(B));
    }
    // The change falls between two 24-frame verdicts, hence not exactly.
    assert!((confidence(shown[0]) - confidence(shown[1])).abs() < 0.02, "{shown:?}");
    assert!((confidence(shown[2]) - confidence(shown[1])).abs() < 1e-4, "{shown:?}");
}

/// The shipped window, and five steps at three times the hop.
#[test]
fn another_hop_changes_its_mind_at_the_same_times() {
    for (steps, hop) in [(19, 512), (5, 1536)] {
        let window = WindowLength::of_steps(steps).unwrap();
        let spec = FrontendSpec::SHIPPED.with_hop(hop);
        let period = spec.verdict_frames() as u64 * u64::from(hop);
        assert_eq!(period, PERIOD);
        let policy = Policy::DEFAULT.for_window(window, hop);
        let mut decider = decider(policy, 10);
        let (quiet, loud) = (20 * 22_050, 24 * 22_050);
        let mut changes = vec![(0, State::Listening)];
        for n in 0..40 * 22_050 / usize::from(hop) {
            let end = 1024 + n as u64 * u64::from(hop);
            let rests = (quiet..loud).contains(&(end - 1024));
            decider.level(end, if rests { Level::SILENCE } else { LOUD });
            if window.ends(n + 1, spec.verdict_frames()) && decider.verdict().state != State::Silence {
                decider.scores(&favour(end, A, 99.0));
            }
            let now = decider.verdict().state;
            if core::mem::discriminant(&now) != core::mem::discriminant(&changes[changes.len() - 1].1) {
                changes.push((end, now));
            }
        }
        let [(0, State::Listening), began, silent, listening, again] = changes[..] else {
            panic!("hop {hop}: {changes:?}")
        };
        let window = u64::from(window.samples(hop));
        // Frames are what time is counted in: the first one that differs may begin a hop late, the last one end a hop late.
        let frame = 1024 + 2 * u64::from(hop);
        let within = |(at, _): (u64, State), from: u64, span: u64| at >= from && at <= from + span;
        assert_eq!(began.0, window, "hop {hop}");
        assert!(
            within(silent, quiet + u64::from(policy.silence_after_samples), frame),
            "hop {hop}: {changes:?}"
        );
        assert!(
            within(listening, loud + u64::from(policy.sound_after_samples), frame),
            "hop {hop}: {changes:?}"
        );
        assert!(within(again, loud + window, period + frame), "hop {hop}: {changes:?}");
        assert!(matches!(again.1, State::Genre { label: 0, .. }));
    }
}

#[test]
fn a_change_of_music_passes_without_flapping() {
    // The window's content goes from A to B linearly; the display sees A, perhaps doubt, then B.
    let (mut decider, start) = settled(8.0);
    let mut seen: Vec<Option<usize>> = vec![Some(A)];
    for n in 1..40 {
        let end = start + n * PERIOD;
        let new = ((end - start) as f32 / WINDOW as f32).min(1.0);
        let mut p = [0.25 / 8.0; 10];
        p[A] = 0.75 * (1.0 - new);
        p[B] = 0.75 * new;
        let now = genre(decider.scores(&scores(end, &p)));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    assert!(seen == [Some(A), Some(B)] || seen == [Some(A), None, Some(B)], "{seen:?}");
}

#[test]
fn one_absurd_window_changes_nothing() {
    let (mut decider, end) = settled(10.0);
    let absurd = decider.scores(&favour(end + PERIOD, B, 1e9));
    assert_eq!(genre(absurd), Some(A));
    for n in 2..10 {
        assert_eq!(genre(decider.scores(&favour(end + n * PERIOD, A, 10.0))), Some(A));
    }
}

#[test]
fn confidence_is_the_normalized_geometric_mean() {
    let mut decider = decider(Policy { memory_samples: PERIOD as u32, ..Policy::DEFAULT }, 2);
    decider.scores(&scores(WINDOW, &[0.9, 0.1]));
    let verdict = decider.scores(&scores(WINDOW + PERIOD, &[0.6, 0.4]));
    let kept = (-1.0f64).exp();
    let odds = 9f64.powf(kept) * 1.5f64.powf(1.0 - kept);
    assert!((f64::from(confidence(verdict)) - odds / (1.0 + odds)).abs() < 1e-5);
}

#[test]
fn doubt_has_hysteresis_and_a_genre_is_held() {
    let policy = Policy { memory_samples: 1, ..Policy::DEFAULT };
    let mut decider = decider(policy, 4);
    let mut end = WINDOW;
    let mut show = |p: f32| {
        end += PERIOD;
        let rest = (1.0 - p) / 3.0;
        matches!(decider.scores(&scores(end, &[p, rest, rest, rest])).state, State::Genre { .. })
    };
    // Between the thresholds the first verdict is doubt; at 0.45 it is a genre, which then bears 0.41.
    assert_eq!([0.42, 0.44, 0.46, 0.41, 0.41, 0.41].map(&mut show), [false, false, true, true, true, true]);
    // Held for two seconds, thus four verdicts, although 0.3 is too little.
    assert_eq!([0.3, 0.46, 0.3, 0.3, 0.3, 0.3].map(&mut show), [false, true, true, true, true, false]);
}

#[test]
fn the_window_fills_with_sound_alone() {
    let mut decider = decider(Policy::DEFAULT, 10);
    let verdict = decider.scores(&favour(WINDOW - 1, A, 99.0));
    assert_eq!(verdict.state, State::Listening);
    assert!((0.99..1.0).contains(&decider.window_fill()));
    assert_eq!(genre(decider.scores(&favour(WINDOW, A, 99.0))), Some(A));
    assert_eq!(decider.window_fill(), 1.0);
    // Lost samples: listening at once, and scores of a window that spans the gap don't count.
    let gap = WINDOW + 5_000;
    assert_eq!(decider.gap(gap), Some(Verdict { at: gap, state: State::Listening }));
    assert_eq!(decider.gap(gap), None);
    assert_eq!(decider.scores(&favour(gap + WINDOW - 1, A, 99.0)).state, State::Listening);
    assert_eq!(genre(decider.scores(&favour(gap + WINDOW, A, 99.0))), Some(A));
}

#[test]
fn belief_survives_a_short_gap_and_not_a_long_one() {
    let after = |lost: u64| {
        let (mut decider, end) = settled(20.0);
        decider.gap(end + lost);
        confidence(decider.scores(&favour(end + lost + WINDOW, B, 20.0)))
    };
    let fresh = certainty(20.0);
    assert!(after(512) < fresh - 0.05, "a short gap leaves some of A: {}", after(512));
    assert!(
        (after(30 * 22_050) - fresh).abs() < 1e-3,
        "half a minute leaves nothing: {}",
        after(30 * 22_050)
    );
}

/// Feeds frames of one level until a verdict comes, at most `frames`; the next frame's end.
fn hear(decider: &mut Decider, at: &mut u64, level: Level, frames: u64) -> Option<Verdict> {
    for _ in 0..frames {
        let verdict = decider.level(*at, level);
        *at += HOP;
        if verdict.is_some() {
            return verdict;
        }
    }
    None
}

#[test]
fn silence_begins_and_ends() {
    let (mut decider, mut at) = settled(10.0);
    let quiet = Level::from_dbfs(-61.0);
    let between = Level::from_dbfs(-57.0);
    // A rest of 1.4 s belongs to the music.
    assert_eq!(hear(&mut decider, &mut at, quiet, 61), None);
    assert_eq!(hear(&mut decider, &mut at, between, 1), None);
    let began = at;
    let silence = hear(&mut decider, &mut at, quiet, 100);
    assert_eq!(silence.map(|v| v.state), Some(State::Silence));
    // The music's last frame may hold some sound yet: a window and a hop more than what is measured from here.
    let most = seconds(at - HOP - began + 1024 + HOP);
    assert!(include_str!("mod.rs").contains(&format!("| stops: silence | – | {most:.2} s |")), "{most}");
    assert_eq!(decider.window_fill(), 0.0);
    // Scores of silence are no verdict on music.
    assert_eq!(decider.scores(&favour(at, B, 100.0)).state, State::Silence);
    // Neither a level between the thresholds nor a click ends it.
    assert_eq!(hear(&mut decider, &mut at, between, 200), None);
    assert_eq!(hear(&mut decider, &mut at, LOUD, 3), None);
    assert_eq!(hear(&mut decider, &mut at, quiet, 3), None);
    let sound = at;
    let back = hear(&mut decider, &mut at, LOUD, 20);
    assert_eq!(back.map(|v| v.state), Some(State::Listening));
    // The window must hold sound alone, and what was believed before the silence is gone.
    let full = sound - 1024 + WINDOW;
    assert_eq!(decider.scores(&favour(full - 1, B, 10.0)).state, State::Listening);
    let verdict = decider.scores(&favour(full, B, 10.0));
    assert_eq!(genre(verdict), Some(B));
    assert!((confidence(verdict) - certainty(10.0)).abs() < 1e-4);
}

#[test]
fn faults_come_and_go() {
    let (mut decider, end) = settled(10.0);
    let lost = State::Fault { fault: Fault::MicrophoneLost };
    assert_eq!(decider.fault(end, Fault::MicrophoneLost).map(|v| v.state), Some(lost));
    assert_eq!(decider.fault(end, Fault::MicrophoneLost), None);
    assert_eq!(decider.scores(&favour(end + 1, A, 10.0)).state, lost);
    let missing = State::Fault { fault: Fault::MicrophoneMissing };
    assert_eq!(decider.fault(end + 9, Fault::MicrophoneMissing).map(|v| v.state), Some(missing));
    let back = end + 99_999;
    assert_eq!(decider.mended(back).map(|v| v.state), Some(State::Listening));
    assert_eq!(decider.mended(back), None);
    assert_eq!(decider.scores(&favour(back + WINDOW - 1, A, 10.0)).state, State::Listening);
    assert!((confidence(decider.scores(&favour(back + WINDOW, A, 10.0))) - certainty(10.0)).abs() < 1e-4);
}

#[test]
fn a_microphone_that_comes_back_is_listened_to_even_if_it_left_in_silence() {
    let (mut decider, mut at) = settled(10.0);
    assert!(hear(&mut decider, &mut at, Level::SILENCE, 100).is_some());
    assert_eq!(decider.verdict().state, State::Silence);
    decider.fault(at, Fault::MicrophoneStalled);
    assert_eq!(decider.window_fill(), 0.0);
    assert_eq!(decider.mended(at + 512).map(|v| v.state), Some(State::Listening));
    // A broken classifier is a fault in silence, too, and silence goes on when it works again.
    assert!(hear(&mut decider, &mut at, Level::SILENCE, 200).is_some());
    let broken = State::Fault { fault: Fault::Classifier };
    assert_eq!(decider.fault(at, Fault::Classifier).map(|v| v.state), Some(broken));
    assert_eq!(decider.scores(&favour(at + PERIOD, A, 10.0)).state, State::Silence);
}

#[test]
fn scores_that_are_no_probabilities_are_a_fault() {
    let broken = State::Fault { fault: Fault::Classifier };
    let nan: &[f32] = &[f32::NAN, 0.5, 0.5];
    for wrong in
        [nan, &[f32::INFINITY, 0.0, 0.0], &[-0.5, 1.0, 0.5], &[0.5, 0.5], &[], &[0.25; 4], &[2.0, 0.0, 0.0]]
    {
        let mut decider = decider(Policy::DEFAULT, 3);
        let before = decider.scores(&scores(WINDOW, &[0.8, 0.1, 0.1]));
        assert_eq!(decider.scores(&scores(WINDOW + PERIOD, wrong)).state, broken, "{wrong:?}");
        let after = decider.scores(&scores(WINDOW + 2 * PERIOD, &[0.8, 0.1, 0.1]));
        assert_eq!(genre(after), Some(0));
        assert!((confidence(after) - confidence(before)).abs() < 1e-5, "the broken scores left a trace");
    }
    let mut decider = decider(Policy::DEFAULT, 3);
    assert_eq!(decider.fault(7, Fault::Classifier).map(|v| v.state), Some(broken));
    // Probabilities of nothing but zero are odd but no fault: no label stands out.
    let even = decider.scores(&scores(WINDOW, &[0.0; 3]));
    assert_eq!(even.state, State::Unsure { label: 0, confidence: 1.0 / 3.0 });
}

#[test]
fn a_scene_has_all_that_a_display_needs() {
    let labels: Labels = ["blues", "jazz"].iter().filter_map(|text| (*text).try_into().ok()).collect();
    let mut decider = decider(Policy::DEFAULT, 2);
    decider.level(512, LOUD);
    let scene = decider.scene(&labels);
    assert_eq!((scene.at, scene.state, scene.level), (512, State::Listening, LOUD));
    assert_eq!(scene.label, "");
    assert!((scene.window_fill - 512.0 / WINDOW as f32).abs() < 1e-6);
    decider.scores(&scores(WINDOW, &[0.2, 0.8]));
    assert_eq!(decider.scene(&labels).label, "jazz");
    decider.scores(&scores(2 * WINDOW, &[0.5, 0.5]));
    decider.scores(&scores(3 * WINDOW, &[0.5, 0.5]));
    assert_eq!(decider.scene(&Labels::new()).label, "", "labels of another model are no reason to fail");
}

#[test]
fn a_wrong_policy_is_named() {
    let good = Policy::DEFAULT;
    assert_eq!(good.validate(), Ok(()));
    for (field, policy) in [
        ("memory_samples", Policy { memory_samples: 0, ..good }),
        ("floor", Policy { floor: 0.0, ..good }),
        ("unsure_below", Policy { unsure_below: f32::NAN, ..good }),
        ("unsure_hysteresis", Policy { unsure_hysteresis: -0.1, ..good }),
        ("lead", Policy { lead: 0.9, ..good }),
        ("settle_samples", Policy { settle_samples: u32::MAX, ..good }),
        ("hold_samples", Policy { hold_samples: u32::MAX, ..good }),
        ("silence_dbfs", Policy { silence_dbfs: 0.0, ..good }),
        ("silence_hysteresis_db", Policy { silence_hysteresis_db: f32::INFINITY, ..good }),
        ("silence_after_samples", Policy { silence_after_samples: u32::MAX, ..good }),
        ("sound_after_samples", Policy { sound_after_samples: u32::MAX, ..good }),
        ("window_samples", Policy { window_samples: 0, ..good }),
    ] {
        assert_eq!(policy.validate().map_err(|e| e.field), Err(field));
        assert!(Decider::new(policy, 10).is_err());
    }
    for labels in [0, 1, MAX_LABELS + 1] {
        assert_eq!(Decider::new(good, labels).map_err(|e| e.field).err(), Some("labels"));
    }
    let error = PolicyError { field: "lead", value: 0.5, allowed: "1 to 100" };
    assert_eq!(error.to_string(), "decision policy: lead is 0.5; allowed: 1 to 100");
}

/// Scores of ten labels with up to `spread` between the logarithms of any two.
fn noise(spread: f32) -> impl Strategy<Value = Vec<[f32; 10]>> {
    let one = proptest::array::uniform10(0.0..spread).prop_map(|logs| {
        let p = logs.map(f32::exp);
        let sum: f32 = p.iter().sum();
        p.map(|p| p / sum)
    });
    proptest::collection::vec(one, 1..200)
}

proptest! {
    #[test]
    fn noise_within_the_lead_never_changes_the_label(
        windows in noise(0.999 * 1.5f32.ln()),
        period in 1u64..100,
    ) {
        let mut decider = decider(Policy { unsure_below: 0.0, unsure_hysteresis: 0.0, ..Policy::DEFAULT }, 10);
        let mut first = None;
        for (n, p) in windows.iter().enumerate() {
            let shown = genre(decider.scores(&scores(WINDOW + n as u64 * period * HOP, p)));
            prop_assert!(shown.is_some());
            prop_assert_eq!(*first.get_or_insert(shown), shown);
        }
    }

    #[test]
    fn no_noise_changes_the_genre_more_often_than_the_hold(
        windows in noise(14.0),
        memory in 1u32..100_000,
        period in 1u64..100,
    ) {
        let policy = Policy { memory_samples: memory, settle_samples: 0, ..Policy::DEFAULT };
        let mut decider = decider(policy, 10);
        // When the genre was first shown, and which; doubt in between doesn't make it another one.
        let mut shown: Option<(u64, usize)> = None;
        for (n, p) in windows.iter().enumerate() {
            let end = WINDOW + n as u64 * period * HOP;
            let verdict = decider.scores(&scores(end, p));
            prop_assert!((0.0..=1.0).contains(&confidence(verdict)));
            if let Some(now) = genre(verdict) {
                match shown {
                    Some((since, old)) if old != now => {
                        prop_assert!(end - since >= u64::from(policy.hold_samples));
                        shown = Some((end, now));
                    }
                    Some(_) => {}
                    None => shown = Some((end, now)),
                }
            }
        }
    }

    #[test]
    fn any_events_in_any_order_are_survived(events in proptest::collection::vec(
        (0u8..6, 0u64..60_000, any::<i16>(), proptest::collection::vec(any::<f32>(), 0..12)), 0..200,
    )) {
        let mut decider = decider(Policy::DEFAULT, 10);
        let mut at = 0;
        for (kind, step, level, p) in events {
            at += step;
            match kind {
                0 => drop(decider.gap(at)),
                1 => drop(decider.fault(at, Fault::MicrophoneStalled)),
                2 => drop(decider.mended(at)),
                3 => drop(decider.scores(&scores(at, &p))),
                4 => drop(decider.scores(&favour(at, A, 3.0))),
                _ => drop(decider.level(at, Level(level))),
            }
            let fill = decider.window_fill();
            prop_assert!((0.0..=1.0).contains(&fill));
            if let State::Genre { confidence, .. } | State::Unsure { confidence, .. } = decider.verdict().state {
                prop_assert!((0.0..=1.0).contains(&confidence));
                prop_assert_eq!(fill, 1.0);
            }
        }
    }
}
