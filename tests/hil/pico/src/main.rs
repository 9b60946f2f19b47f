//! Stimulus and stopwatch: a Raspberry Pi Pico that plays sounds on command and tells when lights went on.
//!
//! ```text
//!  USB ──▶ talk ── what to play ──▶ player ──▶ GP2 sound, GP3 trigger   state machine 0
//!      ◀──      ◀───── edges ────── stamps ◀── GP3 trigger, GP4 level's light, GP5 genre's light   1, 2, 3
//! ```
//! What it says and what it plays is `stopwatch`, which is tested on the host; here are pins, clock and cable only. Edges are
//! stamped by state machines that count every 24 ns, so that no interrupt and no other task is in the way.
#![no_std]
#![no_main]

mod player;
mod stamps;
mod talk;

use embassy_executor::Spawner;
use embassy_rp::gpio::Pull;
use embassy_rp::peripherals::{DMA_CH0, PIO0, USB};
use embassy_rp::pio::Pio;
use embassy_rp::{bind_interrupts, dma, pio, usb};
use panic_halt as _;

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    USBCTRL_IRQ => usb::InterruptHandler<USB>;
});

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let chip = embassy_rp::init(embassy_rp::config::Config::default());
    let Pio { mut common, sm0, sm1, sm2, sm3, .. } = Pio::new(chip.PIO0, Interrupts);
    let sound = common.make_pio_pin(chip.PIN_2);
    let trigger = common.make_pio_pin(chip.PIN_3);
    let mut lights = [common.make_pio_pin(chip.PIN_4), common.make_pio_pin(chip.PIN_5)];
    for light in &mut lights {
        // A wire that isn't there is dark.
        light.set_pull(Pull::Down);
    }
    let channel = dma::Channel::new(chip.DMA_CH0, Interrupts);
    let player = player::Player::new(&mut common, sm0, channel, &sound, &trigger);
    let stamps = stamps::Stamps::start(&mut common, (sm1, sm2, sm3), [&trigger, &lights[0], &lights[1]]);
    let (cable, usb) = talk::cable(usb::Driver::new(chip.USB, Interrupts));
    // Each is spawned once, so there is room.
    if let (Ok(stamps), Ok(player), Ok(usb), Ok(talk)) =
        (stamps::run(stamps), player::run(player), talk::usb(usb), talk::run(cable))
    {
        spawner.spawn(stamps);
        spawner.spawn(player);
        spawner.spawn(usb);
        spawner.spawn(talk);
    }
}
