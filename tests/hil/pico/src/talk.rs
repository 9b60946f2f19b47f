//! The cable: a serial port over USB, and at its near end the device's half of the protocol.

use embassy_futures::select::{Either, select};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::Driver;
use embassy_usb::class::cdc_acm::{CdcAcmClass, Receiver, Sender, State};
use embassy_usb::driver::EndpointError;
use embassy_usb::{Builder, Config, UsbDevice};
use portable_atomic::Ordering;
use static_cell::StaticCell;
use stopwatch::device::{Board, Device};
use stopwatch::{Channel, FRAME_BYTES, Nanos, Reply, Sound, encode};

use crate::player::{IS_BUSY, PLAY, QUIET};
use crate::stamps::{EDGES, LOST, now};

/// Bytes of a packet: the most at full speed. Frames are shorter, so each is a packet that ends a transfer.
const PACKET: u16 = 64;

type Usb = Driver<'static, USB>;

/// Both directions of the serial port.
pub struct Cable {
    to_host: Sender<'static, Usb>,
    from_host: Receiver<'static, Usb>,
}

/// The serial port, and the USB device that it belongs to.
pub fn cable(driver: Usb) -> (Cable, UsbDevice<'static, Usb>) {
    static STATE: StaticCell<State> = StaticCell::new();
    static CONFIGURATION: StaticCell<[u8; 256]> = StaticCell::new();
    static BOS: StaticCell<[u8; 64]> = StaticCell::new();
    static CONTROL: StaticCell<[u8; 64]> = StaticCell::new();
    // pid.codes' number for tests.
    let mut config = Config::new(0x1209, 0x0001);
    config.manufacturer = Some("harmonynet");
    config.product = Some("stopwatch");
    config.serial_number = Some("1");
    let mut builder = Builder::new(
        driver,
        config,
        CONFIGURATION.init([0; 256]),
        BOS.init([0; 64]),
        &mut [],
        CONTROL.init([0; 64]),
    );
    let class = CdcAcmClass::new(&mut builder, STATE.init(State::new()), PACKET);
    let (to_host, from_host) = class.split();
    (Cable { to_host, from_host }, builder.build())
}

/// Serves the bus, for ever.
#[embassy_executor::task]
pub async fn usb(mut device: UsbDevice<'static, Usb>) {
    device.run().await;
}

/// The pins and the clock, as the protocol wants them.
struct Pico;

impl Board for Pico {
    // The clock counts microseconds, and the stamps' counters began within one.
    const TICK_NANOS: u32 = 2000;

    fn now(&self) -> Nanos {
        now()
    }

    fn is_busy(&self) -> bool {
        IS_BUSY.load(Ordering::Relaxed)
    }

    fn play(&mut self, at: Nanos, sound: Sound) {
        IS_BUSY.store(true, Ordering::Relaxed);
        // What was to end is over.
        QUIET.reset();
        PLAY.signal((at, sound));
    }

    fn quiet(&mut self) {
        QUIET.signal(());
    }
}

/// Answers whoever is at the other end, for ever.
#[embassy_executor::task]
pub async fn run(mut cable: Cable) {
    let mut device = Device::default();
    loop {
        cable.from_host.wait_connection().await;
        // The cable was pulled: the next one may come.
        let _ = talk(&mut cable, &mut device).await;
    }
}

async fn talk(cable: &mut Cable, device: &mut Device) -> Result<(), EndpointError> {
    let mut packet = [0; PACKET as usize];
    loop {
        match select(cable.from_host.read_packet(&mut packet), EDGES.receive()).await {
            Either::First(count) => {
                let came = now();
                for byte in packet.iter().take(count?) {
                    if let Some(reply) = device.hear(*byte, came, &mut Pico) {
                        tell(cable, &reply).await?;
                    }
                }
            }
            Either::Second((channel, is_high, at)) => {
                for _ in 0..LOST.swap(0, Ordering::Relaxed) {
                    // Its number is missing then.
                    device.edge(Channel::Trigger, false, 0);
                }
                let edge = device.edge(channel, is_high, at);
                tell(cable, &edge).await?;
            }
        }
    }
}

/// Writes a reply, unless nobody has opened the port.
async fn tell(cable: &mut Cable, reply: &Reply) -> Result<(), EndpointError> {
    let mut frame = [0; FRAME_BYTES];
    if cable.to_host.dtr() {
        cable.to_host.write_packet(encode(reply, &mut frame)).await?;
    }
    Ok(())
}
