//! Plays a sound at its moment: bits of a pin, and beside it a trigger that is high from the first bit on.
//!
//! Between sounds a state machine keeps the sound's pin at half its height by turning it on and off, as silence within a sound
//! does: it begins and ends without a click. Four words in its queue let it begin.

use embassy_futures::select::select;
use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::dma;
use embassy_rp::peripherals::PIO0;
use embassy_rp::pio::program::pio_asm;
use embassy_rp::pio::{
    Common, Config, Direction, FifoJoin, Pin, ShiftConfig, ShiftDirection, StateMachine, StatusSource,
};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer};
use fixed::FixedU32;
use portable_atomic::{AtomicBool, Ordering};
use stopwatch::sound::{BIT_HZ, PulseDensity, RATE_HZ, Samples};
use stopwatch::{Nanos, Sound};

/// What to play, and when.
pub static PLAY: Signal<CriticalSectionRawMutex, (Nanos, Sound)> = Signal::new();
/// To end it.
pub static QUIET: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// Whether something is to be played, or being played.
pub static IS_BUSY: AtomicBool = AtomicBool::new(false);

/// Words of which half is played while the other half is computed: 5 ms each.
const CHUNK: usize = 256;
/// How long before its moment nothing else is done any more.
const SPIN: Duration = Duration::from_millis(1);
/// What is left in the state machine's queue when the last word was put in.
const DRAIN: Duration = Duration::from_micros(10 * 1_000_000 / RATE_HZ as u64);

/// The state machine and its pins.
pub struct Player {
    machine: StateMachine<'static, PIO0, 0>,
    config: Config<'static, PIO0>,
    channel: dma::Channel<'static>,
    words: [[u32; CHUNK]; 2],
}

impl Player {
    /// Silence, and a trigger that is low.
    pub fn new(
        common: &mut Common<'static, PIO0>,
        mut machine: StateMachine<'static, PIO0, 0>,
        channel: dma::Channel<'static>,
        sound: &Pin<'static, PIO0>,
        trigger: &Pin<'static, PIO0>,
    ) -> Self {
        let program = pio_asm!(
            ".side_set 1",
            "idle:",
            "    set pins, 1     side 0",
            // All ones while fewer than four words wait.
            "    mov y, status   side 0",
            "    set pins, 0     side 0",
            "    jmp y-- idle    side 0",
            ".wrap_target",
            "    out pins, 1     side 1",
            ".wrap",
        );
        let program = common.load_program(&program.program);
        let mut config = Config::default();
        config.use_program(&program, &[trigger]);
        config.set_set_pins(&[sound]);
        config.set_out_pins(&[sound]);
        config.status_sel = StatusSource::TxFifoLevel;
        config.status_n = 4;
        config.fifo_join = FifoJoin::TxOnly;
        config.shift_out = ShiftConfig { threshold: 32, direction: ShiftDirection::Left, auto_fill: true };
        // 16 ppm off at 125 MHz, as the divider has eight bits behind the point.
        let divider = (u64::from(clk_sys_freq()) << 8) / u64::from(BIT_HZ);
        config.clock_divider = FixedU32::from_bits(divider as u32);
        machine.set_pin_dirs(Direction::Out, &[sound, trigger]);
        let mut player = Self { machine, config, channel, words: [[0; CHUNK]; 2] };
        player.be_quiet();
        player
    }

    /// Back to silence, whatever was being played.
    fn be_quiet(&mut self) {
        self.machine.set_enable(false);
        self.machine.clear_fifos();
        self.machine.restart();
        self.machine.set_config(&self.config);
        self.machine.set_enable(true);
    }

    async fn play(&mut self, at: Nanos, sound: Sound) {
        let mut samples = Samples::new(sound);
        let mut pin = PulseDensity::default();
        let at = Instant::from_micros(at / 1000);
        let [mut now, mut next] = self.words.each_mut();
        let mut count = fill(now, &mut samples, &mut pin);
        Timer::at(at.saturating_sub(SPIN)).await;
        // Waking takes microseconds more or less; looking at the clock doesn't.
        while Instant::now() < at {}
        while count > 0 {
            let playing = self.machine.tx().dma_push(&mut self.channel, &now[..count], false);
            let waiting = fill(next, &mut samples, &mut pin);
            playing.await;
            (now, next, count) = (next, now, waiting);
        }
        Timer::after(DRAIN).await;
    }
}

/// Fills words with what comes next; how many there were.
fn fill(words: &mut [u32; CHUNK], samples: &mut Samples, pin: &mut PulseDensity) -> usize {
    let mut count = 0;
    for (word, sample) in words.iter_mut().zip(samples) {
        *word = pin.bits(sample);
        count += 1;
    }
    count
}

/// Plays what is asked for, for ever.
#[embassy_executor::task]
pub async fn run(mut player: Player) {
    loop {
        let (at, sound) = PLAY.wait().await;
        select(player.play(at, sound), QUIET.wait()).await;
        player.be_quiet();
        IS_BUSY.store(false, Ordering::Relaxed);
    }
}
