//! The boards and parts that are built into the program.

/// The parts: file and text.
pub(super) const PARTS: (&str, &str) = ("boards/parts.toml", include_str!("../../../boards/parts.toml"));

/// The boards: file and text.
pub(super) const BOARDS: &[(&str, &str)] = &[
    ("boards/pi-1.toml", include_str!("../../../boards/pi-1.toml")),
    ("boards/pi-zero-2.toml", include_str!("../../../boards/pi-zero-2.toml")),
    ("boards/pi-2.toml", include_str!("../../../boards/pi-2.toml")),
    ("boards/pi-3.toml", include_str!("../../../boards/pi-3.toml")),
    ("boards/pi-4.toml", include_str!("../../../boards/pi-4.toml")),
    ("boards/pi-5.toml", include_str!("../../../boards/pi-5.toml")),
    ("boards/linux.toml", include_str!("../../../boards/linux.toml")),
    ("boards/sim.toml", include_str!("../../../boards/sim.toml")),
];
