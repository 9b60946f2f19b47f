//! Edges of pins, stamped by state machines. Three of them count down side by side from the same cycle on; each looks at its pin
//! every third cycle and hands out its count when the pin has changed.

use embassy_futures::join::join3;
use embassy_rp::peripherals::PIO0;
use embassy_rp::pio::program::pio_asm;
use embassy_rp::pio::{
    Common, Config, FifoJoin, Pin, PioBatch, ShiftConfig, ShiftDirection, StateMachine, StateMachineRx,
};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel as Queue;
use embassy_time::Instant;
use portable_atomic::{AtomicU32, Ordering};
use stopwatch::{Channel, Nanos, edges};

/// Edges that wait to be told: which pin, whether it is high, and when.
pub static EDGES: Queue<CriticalSectionRawMutex, (Channel, bool, Nanos), 64> = Queue::new();
/// Edges for which there was no room.
pub static LOST: AtomicU32 = AtomicU32::new(0);

/// What the chip's clock says, nanoseconds; it counts microseconds.
pub fn now() -> Nanos {
    Instant::now().as_micros() * 1000
}

/// State machines that watch pins.
pub struct Stamps {
    machines:
        (StateMachine<'static, PIO0, 1>, StateMachine<'static, PIO0, 2>, StateMachine<'static, PIO0, 3>),
    began: Nanos,
}

impl Stamps {
    /// Starts them, for the trigger, the level's light and the genre's.
    pub fn start(
        common: &mut Common<'static, PIO0>,
        mut machines: (
            StateMachine<'static, PIO0, 1>,
            StateMachine<'static, PIO0, 2>,
            StateMachine<'static, PIO0, 3>,
        ),
        pins: [&Pin<'static, PIO0>; 3],
    ) -> Self {
        // Every way through a loop takes three cycles, or six and two counts. The last 31 bits of the count are told, and
        // behind them whether the pin went up.
        let program = pio_asm!(
            "    set y, 1",
            "    mov x, ~null",
            ".wrap_target",
            "low:",
            "    jmp x-- low_2",
            "low_2:",
            "    jmp pin rose",
            "    jmp low",
            "still_high:",
            "    jmp high",
            "rose:",
            "    in x, 31",
            "    in y, 1",
            "    push noblock",
            "    jmp x-- high",
            "high:",
            "    jmp x-- high_2",
            "high_2:",
            "    jmp pin still_high",
            "    in x, 31",
            "    in null, 1",
            "    push noblock",
            "    jmp x-- low",
            ".wrap",
        );
        let program = common.load_program(&program.program);
        let config = |pin: &Pin<'static, PIO0>| {
            let mut config = Config::default();
            config.use_program(&program, &[]);
            config.set_jmp_pin(pin);
            config.fifo_join = FifoJoin::RxOnly;
            config.shift_in =
                ShiftConfig { threshold: 32, direction: ShiftDirection::Left, auto_fill: false };
            config
        };
        machines.0.set_config(&config(pins[0]));
        machines.1.set_config(&config(pins[1]));
        machines.2.set_config(&config(pins[2]));
        let mut together = PioBatch::new();
        together.restart(&mut machines.0);
        together.restart(&mut machines.1);
        together.restart(&mut machines.2);
        together.set_enable(&mut machines.0, true);
        together.set_enable(&mut machines.1, true);
        together.set_enable(&mut machines.2, true);
        together.execute();
        Self { machines, began: now() }
    }
}

/// Hands their edges on, for ever.
#[embassy_executor::task]
pub async fn run(mut stamps: Stamps) {
    let (trigger, level, genre) = &mut stamps.machines;
    join3(
        watch(Channel::Trigger, trigger.rx(), stamps.began),
        watch(Channel::Level, level.rx(), stamps.began),
        watch(Channel::Genre, genre.rx(), stamps.began),
    )
    .await;
}

async fn watch<const SM: usize>(
    channel: Channel,
    counts: &mut StateMachineRx<'static, PIO0, SM>,
    began: Nanos,
) {
    loop {
        let (is_high, at) = edges::moment(counts.wait_pull().await, began, now());
        if EDGES.try_send((channel, is_high, at)).is_err() {
            LOST.add(1, Ordering::Relaxed);
        }
        // Eight wait in the state machine at most: whatever came besides was lost.
        if counts.stalled() {
            LOST.add(1, Ordering::Relaxed);
        }
    }
}
