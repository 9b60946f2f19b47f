//! How modules are mounted, and so on which wire a dot of the picture is.

use super::MAX_MODULES;
use crate::display::leds::{ConfigError, Rotation};

/// At which end of the display the board's wires arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Lead {
    /// On the right, as on the common FC-16 boards of four modules: the chip nearest to the board is the rightmost.
    #[default]
    Right,
    /// On the left.
    Left,
}

/// How the modules of a chain are mounted. Upright, a module's row register 1 is at the top and a row's most significant
/// bit (segment DP) on the left, as on FC-16 boards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Layout {
    /// Modules in the chain, 1–8.
    pub modules: u8,
    /// Where the wires arrive.
    pub lead: Lead,
    /// How each module is turned.
    pub rotation: Rotation,
    /// Whether each module shows left and right swapped when it is upright.
    pub mirror: bool,
}

impl Default for Layout {
    /// An FC-16 board of four modules.
    fn default() -> Self {
        Self { modules: 4, lead: Lead::Right, rotation: Rotation::Upright, mirror: false }
    }
}

/// The wire of a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    /// The chip, counted from the board.
    pub(super) chip: usize,
    /// Its row, 0–7.
    pub(super) row: usize,
    /// The bit of the row, 7 the most significant.
    pub(super) bit: usize,
}

impl Layout {
    pub(super) fn validate(self) -> Result<(), ConfigError> {
        if (1..=MAX_MODULES).contains(&self.modules.into()) {
            Ok(())
        } else {
            Err(ConfigError { field: "modules", allowed: "1 to 8" })
        }
    }

    /// Where the dot at column `x` and row `y` of the picture is wired.
    pub(super) fn wire(self, x: usize, y: usize) -> Wire {
        let place = x / 8;
        let chip = match self.lead {
            Lead::Left => place,
            Lead::Right => usize::from(self.modules) - 1 - place,
        };
        let (column, row) = self.rotation.turned_back(x % 8, y % 8);
        Wire { chip, row, bit: if self.mirror { column } else { 7 - column } }
    }
}
