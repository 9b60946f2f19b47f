//! The rooms, loudspeakers and microphones that there are: data.
//!
//! Sizes are usual ones; absorptions lie in the range of tables such as Kuttruff, *Room Acoustics* (6th edition, appendix):
//! tiles and plaster 0.02–0.10, carpet 0.10–0.45, curtains and furniture 0.2–0.5. Loudspeakers and microphones follow
//! the shape of data sheets of their kind, of none in particular.

use super::filter::Bend;
use super::images::Shoebox;
use super::noise::Noise;

/// A room with a loudspeaker that plays in it, a microphone that listens, and the noise that is always there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its name on the command line.
    pub name: &'static str,
    /// The room, and where in it the two stand.
    pub room: Shoebox,
    /// What plays.
    pub loudspeaker: Device,
    /// What listens.
    pub microphone: Device,
    /// What else is heard.
    pub noise: Noise,
}

/// A loudspeaker or a microphone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// What it is.
    pub name: &'static str,
    /// Its frequency response.
    pub bends: &'static [Bend],
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 4] = [LIVING_ROOM, KITCHEN, HALL, DESK];

    /// The place with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.name == name)
    }
}

/// A small furnished living room; a shelf loudspeaker, and the microphone 2.5 m from it.
const LIVING_ROOM: Place = Place {
    name: "living-room",
    room: Shoebox {
        size: [4.8, 3.7, 2.5],
        source: [0.4, 1.2, 1.1],
        listener: [2.9, 1.9, 0.8],
        absorption: [[0.12, 0.16], [0.22, 0.34], [0.12, 0.18], [0.15, 0.25], [0.12, 0.42], [0.10, 0.12]],
    },
    loudspeaker: Device {
        name: "shelf loudspeaker",
        bends: &[
            Bend::LowCut { hz: 65.0, q: 0.9 },
            Bend::Peak { hz: 2600.0, db: -2.0, q: 1.0 },
            Bend::HighCut { hz: 17_000.0, q: 0.7 },
        ],
    },
    microphone: Device {
        name: "MEMS",
        bends: &[Bend::LowCut { hz: 75.0, q: 0.6 }, Bend::Peak { hz: 9500.0, db: 7.0, q: 2.5 }],
    },
    noise: Noise::Pink,
};

/// A small tiled kitchen; a kitchen radio on the worktop, and the microphone across the room.
const KITCHEN: Place = Place {
    name: "kitchen",
    room: Shoebox {
        size: [3.4, 2.8, 2.5],
        source: [0.3, 0.7, 1.0],
        listener: [2.2, 1.9, 1.2],
        absorption: [[0.08, 0.10], [0.14, 0.12], [0.06, 0.07], [0.16, 0.14], [0.03, 0.04], [0.12, 0.14]],
    },
    loudspeaker: Device {
        name: "kitchen radio",
        bends: &[
            Bend::LowCut { hz: 140.0, q: 1.0 },
            Bend::Peak { hz: 1300.0, db: 3.0, q: 0.8 },
            Bend::HighCut { hz: 10_000.0, q: 0.7 },
        ],
    },
    microphone: Device {
        name: "cheap electret",
        bends: &[
            Bend::LowCut { hz: 110.0, q: 0.6 },
            Bend::Peak { hz: 5200.0, db: 5.0, q: 1.6 },
            Bend::HighCut { hz: 9000.0, q: 0.6 },
        ],
    },
    noise: Noise::Fan,
};

/// A hall with people in it; loudspeakers at the front, and the microphone 7 m away.
const HALL: Place = Place {
    name: "hall",
    room: Shoebox {
        size: [16.0, 10.5, 5.5],
        source: [1.0, 3.1, 2.4],
        listener: [7.8, 5.9, 1.3],
        absorption: [[0.10, 0.12], [0.12, 0.20], [0.08, 0.10], [0.10, 0.12], [0.22, 0.40], [0.18, 0.24]],
    },
    loudspeaker: Device {
        name: "public address",
        bends: &[
            Bend::LowCut { hz: 85.0, q: 0.8 },
            Bend::Peak { hz: 110.0, db: 4.0, q: 1.0 },
            Bend::HighCut { hz: 14_000.0, q: 0.7 },
        ],
    },
    microphone: Device { name: "cheap electret", bends: KITCHEN.microphone.bends },
    noise: Noise::Babble,
};

/// The corner of a desk in a study; a laptop plays, and the microphone lies 60 cm beside it, near a wall.
const DESK: Place = Place {
    name: "desk",
    room: Shoebox {
        size: [3.6, 3.1, 2.4],
        source: [0.45, 0.95, 0.85],
        listener: [0.35, 0.37, 0.80],
        absorption: [[0.08, 0.12], [0.20, 0.30], [0.10, 0.15], [0.15, 0.22], [0.10, 0.35], [0.10, 0.12]],
    },
    loudspeaker: Device {
        name: "laptop",
        bends: &[
            Bend::LowCut { hz: 260.0, q: 1.1 },
            Bend::Peak { hz: 850.0, db: 5.0, q: 1.5 },
            Bend::Peak { hz: 3800.0, db: 4.0, q: 1.2 },
            Bend::HighCut { hz: 13_000.0, q: 0.7 },
        ],
    },
    microphone: Device {
        name: "MEMS behind a port",
        bends: &[Bend::LowCut { hz: 75.0, q: 0.6 }, Bend::Peak { hz: 6300.0, db: 9.0, q: 3.0 }],
    },
    noise: Noise::Fan,
};
