//! What it costs to write down what happens when, beside what happens.

use std::hint::black_box;

use harmonynet::capture::demo::{DemoPlayer, Piece};
use harmonynet::capture::{Channel, Conditioner, SystemClock};
use harmonynet::classify::native::{Model, NativeClassifier, Parts, ReadOut, Shape};
use harmonynet::decide::{Decider, Policy};
use harmonynet::flow::PeriodTimes;
use harmonynet::frontend::Frontend;
use harmonynet::pipeline::Recognizer;
use harmonynet::pipeline::tracer::Tracer;
use harmonynet::spec::{FrontendSpec, WindowLength};
use harmonynet::trace::{PeriodRecord, Record, Shown, VerdictTimes};

use super::paired::{Contender, interleave};
use super::{Failure, Figures};

const RATE_HZ: u32 = 48_000;

pub(super) fn run(figures: &mut Figures) -> Result<(), Failure> {
    let tracer = Tracer::new(SystemClock::default());
    let shape = Shape {
        steps: WindowLength::SHIPPED.steps(),
        channels: [32, 64, 128],
        hidden: 64,
        labels: 10,
        read_out: ReadOut::Mean,
    };
    let engine = NativeClassifier::new(Model::new(Parts::random(&shape, 1).to_file()?)?, 1.0);
    let decider = Decider::new(Policy::DEFAULT, 10)?;
    let mut recognizer = Recognizer::new(Frontend::new(FrontendSpec::SHIPPED)?, engine, decider);
    let mut conditioner = Conditioner::new(RATE_HZ, 1, Channel::Mix)?;
    let music: Vec<i32> = DemoPlayer::new(Piece::Disco, RATE_HZ).take(RATE_HZ as usize).collect();
    let mut contenders = [
        Contender::here("the trace of a second", || second(&tracer)),
        Contender::here("the stages, a second of sound", || {
            let mut unread = black_box(&music[..]);
            while let Some(block) = conditioner.feed(&mut unread) {
                recognizer.push(block, |_, verdict, _| {
                    black_box(verdict);
                });
            }
        }),
    ];
    let rounds = interleave(&mut contenders)?;
    rounds.print_costs(1.0, "s of sound");
    let share = rounds.seconds_at(0, 0.5);
    println!(
        "share of one core {:.4} %, of the stages' time {:.2} %",
        100.0 * share,
        100.0 * rounds.ratio_to("the stages, a second of sound")
    );
    figures.put("trace_core_share", share);
    Ok(())
}

/// What is written down in a second: 50 periods of 20 ms, 43 blocks, 2 verdicts and 12 pictures, with every look at the clock
/// that they take.
fn second(tracer: &Tracer) {
    let look = |times: usize| {
        for _ in 0..times {
            black_box(tracer.now());
        }
    };
    for start in 0..50 {
        // The driver's stamp against the clock, the period's being read and resampled.
        look(1);
        let times =
            PeriodTimes { start, read: tracer.now(), resampled: tracer.now(), ..PeriodTimes::default() };
        tracer.record(&Record::Period(PeriodRecord::new(&times, times.read, times.resampled, 0)));
    }
    // Taken, frame complete, pushed, recognized.
    look(4 * 43);
    for at in 0..2 {
        // Scored, decided, told.
        look(3);
        tracer.record(&Record::Verdict(VerdictTimes { at, ..VerdictTimes::default() }));
    }
    for at in 0..12 {
        let begun = tracer.now();
        look(1);
        tracer.record(&Record::Shown(Shown { at, begun, ..Shown::default() }));
    }
}
