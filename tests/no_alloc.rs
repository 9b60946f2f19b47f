//! In its steady state the signal path allocates nothing: from a captured period to log-mel frames, and from scores to
//! a display's pixels. What tract allocates inside its run is the named exception, counted and printed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

#[path = "bench/counting.rs"]
mod counting;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{
    Channel, Conditioner, FaultInjector, Faults, Microphone, SampleFormat, SystemClock,
};
use harmonynet::classify::window::Window;
use harmonynet::classify::{Classifier, ClassifyError};
use harmonynet::decide::{Decider, Policy};
use harmonynet::display::{Display, Matrix, Memory, draw};
use harmonynet::flow::{Block, Labels, Level, LogMel, PeriodTimes, Scene, Scores};
use harmonynet::frontend::{Frontend, FrontendState};
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::spec::{FrontendSpec, WindowLength};
use harmonynet::trace::{KEPT_RECORDS, PeriodRecord, Record, VerdictTimes};

use self::counting::allocations;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8]))), 1);
    assert_eq!(allocations(|| {}), 0);
}

/// The trace has its memory from the beginning, also when the oldest records have to make room.
#[test]
fn nothing_is_allocated_by_writing_down_what_happens() {
    let tracer = Tracer::new(SystemClock::default());
    let mut display = tracer.display(Memory::<4>::default());
    let scene = Scene::default();
    let count = allocations(|| {
        for start in 0..KEPT_RECORDS as u64 {
            let times = PeriodTimes { start, read: tracer.now(), ..PeriodTimes::default() };
            tracer.record(&Record::Period(PeriodRecord::new(&times, tracer.now(), tracer.now(), 0)));
            tracer.record(&Record::Verdict(VerdictTimes::default()));
            display.show(&scene).unwrap();
        }
    });
    assert_eq!(count, 0);
    assert_eq!(tracer.snapshot().count, 3 * KEPT_RECORDS as u64);
}

#[test]
fn nothing_is_allocated_from_a_captured_period_to_log_mel_frames() {
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let mut state = FrontendState::default();
    let faults = Faults { overrun: 20, short: 100, ..Faults::default() };
    let mut microphone = FaultInjector::new(DemoPlayer::new(Piece::Disco, 48_000), faults, 7);
    let granted = microphone.granted();
    let mut conditioner = Conditioner::new(granted.rate_hz, granted.channels, Channel::Mix).unwrap();
    let mut period = vec![0; granted.period_samples()];
    let bytes = vec![0x5a; 960 * 3];
    let (mut frames, mut gaps) = (0, 0);
    let count = allocations(|| {
        SampleFormat::S24Packed.decode(&bytes, &mut period);
        while let Ok(reading) = microphone.read(&mut period) {
            conditioner.lose_frames(reading.lost);
            let mut unread = &period[..reading.frames];
            while let Some(block) = conditioner.feed(&mut unread) {
                gaps += u64::from(block.lost > 0);
                frontend.push(&mut state, block, |_| frames += 1);
            }
        }
    });
    assert!(frames > 900 && gaps > 2, "{frames} frames, {gaps} gaps: nothing much was tried");
    assert_eq!(count, 0, "allocations in {frames} frames");
}

/// The window is the model's: a shorter one at a coarser hop is no other path.
#[test]
fn nothing_is_allocated_from_blocks_to_verdicts_of_another_window() {
    /// An engine without a model: the loudest band of its window decides.
    struct Loudest(Window);
    impl Classifier for Loudest {
        fn window(&self) -> WindowLength {
            self.0.length()
        }

        fn push(&mut self, frame: &LogMel) {
            self.0.push(frame);
        }

        fn reset(&mut self) {
            self.0.reset();
        }

        fn scores(&mut self) -> Result<Scores, ClassifyError> {
            let loudest = self.0.iter().flatten().max().copied().ok_or(ClassifyError::NotReady)?;
            let p = if loudest > 0 { 0.9 } else { 0.1 };
            Ok(Scores { end: self.0.end(), probabilities: [p, 1.0 - p].into_iter().collect() })
        }
    }

    let (window, spec) = (WindowLength::of_steps(5).unwrap(), FrontendSpec::SHIPPED.with_hop(1536));
    let policy = Policy::DEFAULT.for_window(window, spec.hop);
    let frontend = Frontend::new(spec).unwrap();
    let mut recognizer =
        Recognizer::new(frontend, Loudest(Window::new(window)), Decider::new(policy, 2).unwrap());
    let mut player = DemoPlayer::new(Piece::Disco, 22_050);
    let mut block = Block::default();
    let (mut verdicts, mut first) = (0, 0);
    let count = allocations(|| {
        for number in 0..1000_u64 {
            // A gap in the middle.
            block.lost = if number == 500 { 7 } else { 0 };
            block.start += block.samples.len() as u64 + block.lost;
            block.samples.clear();
            block.samples.extend(player.by_ref().take(512));
            recognizer.push(&block, |_, verdict, scores| {
                verdicts += u64::from(scores.is_some());
                first = if first == 0 { verdict.at } else { first };
            });
        }
    });
    assert_eq!(first, 53 * 1536 + 1024, "the end of the first window");
    // Windows of 82,432 samples every 12,288, before the gap and after it.
    let whole = |samples: u64| (samples - 82_432) / 12_288 + 1;
    assert_eq!(verdicts, 2 * whole(500 * 512));
    assert_eq!(count, 0, "allocations in {verdicts} verdicts");
}

#[test]
fn nothing_is_allocated_from_scores_to_a_displays_pixels() {
    let labels: Labels =
        ["jazz", "metal", "hiphop"].into_iter().map(|label| label.try_into().unwrap()).collect();
    let mut decider = Decider::new(Policy::DEFAULT, labels.len()).unwrap();
    let mut matrix = Matrix::<64, 16>::new();
    let mut memory = Memory::<4>::default();
    let mut states = 0;
    let count = allocations(|| {
        for step in 0..400_u64 {
            let at = 86_000 + 12_288 * step;
            // Music, and a silence in the middle of it.
            let level = if (100..200).contains(&step) { Level::SILENCE } else { Level::from_dbfs(-20.0) };
            for frame in 0..24 {
                decider.level(at - 512 * (24 - frame), level);
            }
            let leader = (step / 40) as usize % 3;
            let probabilities = (0..3).map(|label| if label == leader { 0.9 } else { 0.05 }).collect();
            decider.scores(&Scores { end: at, probabilities });
            let scene: Scene = decider.scene(&labels);
            states |= match scene.label.as_str() {
                "" => 1,
                "jazz" => 2,
                "metal" => 4,
                _ => 8,
            };
            draw(&scene, &mut matrix).unwrap();
            memory.show(&scene).unwrap();
        }
    });
    assert_eq!(states, 15, "not every state was drawn");
    assert_eq!(count, 0);
}

/// The whole signal path with the native engine: from blocks of sound to verdicts, with a gap in the middle.
#[cfg(feature = "native")]
#[test]
fn nothing_is_allocated_from_blocks_to_verdicts_of_the_native_engine() {
    use harmonynet::classify::native::{Model, NativeClassifier, Parts, ReadOut, Shape};

    let read_out = ReadOut::Last;
    let shape = Shape { steps: 5, channels: [16, 32, 16], hidden: 32, labels: 10, read_out };
    let engine = NativeClassifier::new(Model::new(Parts::random(&shape, 1).to_file().unwrap()).unwrap(), 1.0);
    let policy = Policy::DEFAULT.for_window(engine.window(), FrontendSpec::SHIPPED.hop);
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    // Somebody watches, and then takes nothing any more.
    let mut recognizer =
        Recognizer::new(frontend, engine, Decider::new(policy, shape.labels).unwrap()).with_glimpses();
    let (watch, _watched) = std::sync::mpsc::sync_channel(64);
    let mut glimpses = 0;
    let mut player = DemoPlayer::new(Piece::Metal, 22_050);
    let mut block = Block::default();
    let mut verdicts = 0;
    let count = allocations(|| {
        for number in 0..800_u64 {
            block.lost = if number == 400 { 7 } else { 0 };
            block.start += block.samples.len() as u64 + block.lost;
            block.samples.clear();
            block.samples.extend(player.by_ref().take(512));
            recognizer.push(&block, |_, _, scores| verdicts += u64::from(scores.is_some()));
            if let Some(glimpse) = recognizer.glimpse() {
                glimpses += 1;
                let _ = watch.try_send(glimpse);
            }
        }
    });
    assert!(
        verdicts > 25 && glimpses > 390,
        "{verdicts} verdicts, {glimpses} glimpses: nothing much was tried"
    );
    assert_eq!(count, 0, "allocations in {verdicts} verdicts");
}

/// The native engine, from a frame to scores.
#[cfg(feature = "native")]
#[test]
fn nothing_is_allocated_from_log_mel_frames_to_native_scores() {
    use harmonynet::classify::native::{Model, NativeClassifier, Parts, ReadOut, Shape, Stream};

    let window = WindowLength::SHIPPED;
    let shape = Shape {
        steps: window.steps(),
        channels: [32, 64, 128],
        hidden: 64,
        labels: 10,
        read_out: ReadOut::Mean,
    };
    let file = Parts::random(&shape, 1).to_file().unwrap();
    println!("native: model file {} bytes, a stream {} bytes", file.len(), size_of::<Stream>());
    let mut engine = NativeClassifier::new(Model::new(file.as_slice()).unwrap(), 1.0);
    let samples: Vec<i32> = DemoPlayer::new(Piece::Classical, 22_050).take(22_050 * 6).collect();
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let mut state = FrontendState::default();
    let (mut frames, mut verdicts) = (0, 0);
    let count = allocations(|| {
        frontend.push_samples(&mut state, &samples, |frame| {
            engine.push(frame);
            frames += 1;
            if window.ends(frames, 8) {
                verdicts += usize::from(engine.scores().is_ok());
            }
        });
    });
    assert!(verdicts > 5, "{verdicts} verdicts: nothing much was tried");
    assert_eq!(count, 0, "allocations in {frames} frames and {verdicts} verdicts");
}

/// The named exception: tract allocates inside its run. Counted, printed, and the same every time.
#[cfg(feature = "tract")]
#[test]
fn what_tract_allocates_for_a_verdict_is_counted() {
    use harmonynet::classify::manifest::Precision;
    use harmonynet::classify::package::Package;
    use harmonynet::classify::tract::{LoadOptions, TractClassifier};

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/harmonynet");
    let package = Package::open(folder).unwrap();
    let frontend = Frontend::new(FrontendSpec::SHIPPED).unwrap();
    let samples: Vec<i32> = DemoPlayer::new(Piece::Classical, 22_050).take(22_050 * 5).collect();
    for precision in Precision::ALL {
        let mut engine =
            TractClassifier::load(&package, &LoadOptions { precision, ..LoadOptions::default() }).unwrap();
        let mut pushed = 0;
        let mut state = FrontendState::default();
        frontend.push_samples(&mut state, &samples, |frame| {
            pushed += allocations(|| engine.push(frame));
        });
        assert_eq!(pushed, 0, "taking frames allocates nothing");
        let counts: Vec<u64> = (0..3).map(|_| allocations(|| assert!(engine.scores().is_ok()))).collect();
        println!("tract, {precision} graph: {} allocations per verdict", counts[1]);
        assert!(counts[1] > 0 && counts[1] == counts[2], "{counts:?}: no steady state");
    }
}
