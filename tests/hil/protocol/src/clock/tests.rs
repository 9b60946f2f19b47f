//! Sessions on simulated clocks: what is claimed must hold, whatever drifts and dawdles within the assumption.

use proptest::prelude::*;

use super::*;

const TICK: u64 = 2000;

/// A device's clock: ahead by an offset, with a rate that is off by a part that stays and a part that swings.
#[derive(Clone, Copy, Debug)]
struct Crystal {
    ahead: f64,
    base_ppm: f64,
    swing_ppm: f64,
    swing_seconds: f64,
}

impl Crystal {
    /// The device's clock at a moment of the host's.
    fn exactly(&self, host: f64) -> f64 {
        let turn = std::f64::consts::TAU / (self.swing_seconds * 1e9);
        let swing = self.swing_ppm * 1e-6 * (1.0 - (host * turn).cos()) / turn;
        self.ahead + host * (1.0 + self.base_ppm * 1e-6) + swing
    }

    fn read(&self, host: f64) -> Nanos {
        self.exactly(host) as Nanos / TICK * TICK
    }
}

fn crystals() -> impl Strategy<Value = Crystal> {
    (0.0..1e13, -1.0..1.0, 0.0..1.0, 5.0..500.0).prop_map(
        |(ahead, share, rest, swing_seconds): (f64, _, _, _)| {
            // Together less than the assumption: base and swing may have the same sign.
            let base_ppm: f64 = 249.0 * share;
            Crystal { ahead, base_ppm, swing_ppm: (249.0 - base_ppm.abs()) * rest, swing_seconds }
        },
    )
}

/// Waits, ways there and back and the device's own time: milliseconds, mostly short, some very long.
fn delays() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    let way = || prop_oneof![9 => 0.01..1.5, 1 => 0.01..400.0];
    prop::collection::vec((0.0..300.0, way(), 0.0..5.0, way()), 1..80)
}

fn session(crystal: &Crystal, delays: &[(f64, f64, f64, f64)]) -> (Vec<Exchange>, f64) {
    let mut host = 5e9;
    let mut exchanges = Vec::new();
    for (wait, there, within, back) in delays {
        let sent = host + wait * 1e6;
        let (received, replied) = (sent + there * 1e6, sent + (there + within) * 1e6);
        host = replied + back * 1e6;
        exchanges.push(Exchange {
            sent: sent as Nanos,
            received: crystal.read(received),
            replied: crystal.read(replied),
            // Whoever reads a clock of whole nanoseconds reads no later than it is.
            came: host.ceil() as Nanos,
        });
    }
    (exchanges, host)
}

/// Beyond what is claimed, f64 at these sizes is good to a few nanoseconds.
const ROUNDING: f64 = 8.0;

proptest! {
    #[test]
    fn the_offset_lies_within_its_bound_at_every_moment(crystal in crystals(), delays in delays(), share in 0.0..1.0) {
        let (exchanges, end) = session(&crystal, &delays);
        let comparison = Comparison::new(&exchanges, TICK as u32);
        let host = 5e9 + share * (end - 5e9);
        let on_host = comparison.on_host(crystal.read(host)).unwrap();
        prop_assert!((on_host.value - host).abs() <= on_host.within + ROUNDING, "{on_host:?}, exactly {host}");
    }

    #[test]
    fn the_drift_lies_within_its_bound(crystal in crystals(), delays in delays()) {
        let (exchanges, _) = session(&crystal, &delays);
        let comparison = Comparison::new(&exchanges, TICK as u32);
        if let (Ok(drift), true) = (comparison.drift(), exchanges.len() > 1) {
            // The host's time between the two readings, by bisection.
            let when = |device: f64| {
                let (mut low, mut high) = (0.0, 1e12);
                for _ in 0..100 {
                    let middle = (low + high) / 2.0;
                    if crystal.exactly(middle) < device { low = middle } else { high = middle }
                }
                low
            };
            let (first, last) = (exchanges[0].received as f64, exchanges[exchanges.len() - 1].replied as f64);
            let exactly = 1e6 * ((when(last) - when(first)) / (last - first) - 1.0);
            let rounding = 1e6 * 2.0 * ROUNDING / (last - first);
            prop_assert!((drift.value - exactly).abs() <= drift.within + rounding, "{drift:?}, exactly {exactly}");
        }
    }

    #[test]
    fn an_exchange_that_took_long_changes_nothing(crystal in crystals(), seconds in 1.0..100.0) {
        let quick = vec![(50.0, 0.3, 0.01, 0.3); 20];
        let (mut exchanges, _) = session(&crystal, &quick);
        let at = exchanges[10].received;
        let alone = Comparison::new(&exchanges, TICK as u32).offset(at).unwrap();
        // The whole bound: half a round trip, two ticks, and what drifts within half an exchange.
        prop_assert!(alone.within < 0.3e6 + 2.0 * TICK as f64 + 200.0, "{alone:?}");
        let mut slow = exchanges[10];
        slow.sent -= (seconds * 1e9 / 40.0) as u64;
        slow.came += (seconds * 1e9) as u64;
        exchanges.insert(10, slow);
        prop_assert_eq!(Comparison::new(&exchanges, TICK as u32).offset(at), Ok(alone));
    }
}

#[test]
fn many_exchanges_are_better_than_one_of_them() {
    let crystal = Crystal { ahead: 7e9, base_ppm: 40.0, swing_ppm: 0.0, swing_seconds: 5.0 };
    // Either way is short now and then, but never both at once.
    let delays: Vec<_> =
        (0..100).map(|n| if n % 2 == 0 { (2.0, 0.05, 0.01, 1.0) } else { (2.0, 1.0, 0.01, 0.05) }).collect();
    let (exchanges, _) = session(&crystal, &delays);
    let within = |exchanges| {
        Comparison::new(exchanges, TICK as u32)
            .offset(exchanges[exchanges.len() / 2].received)
            .unwrap()
            .within
    };
    assert!(within(&exchanges[50..51]) > 500_000.0);
    assert!(within(&exchanges) < 60_000.0, "{}", within(&exchanges));
    let drift = Comparison::new(&exchanges, TICK as u32).drift().unwrap();
    assert!((drift.value + 40.0).abs() < drift.within, "{drift:?}");
}

#[test]
fn a_clock_that_jumps_is_noticed() {
    let crystal = Crystal { ahead: 7e9, base_ppm: 0.0, swing_ppm: 0.0, swing_seconds: 5.0 };
    let (mut exchanges, _) = session(&crystal, &[(50.0, 0.3, 0.01, 0.3); 20]);
    for exchange in &mut exchanges[10..] {
        exchange.received += 2_000_000;
        exchange.replied += 2_000_000;
    }
    let offset = Comparison::new(&exchanges, TICK as u32).offset(exchanges[10].received);
    assert_eq!(offset, Err(ClockError::Contradiction));
    assert_eq!(Comparison::new(&[], 1).offset(0), Err(ClockError::Unknown));
    assert_eq!(Comparison::new(&exchanges[..1], 1).drift(), Err(ClockError::Unknown));
}
