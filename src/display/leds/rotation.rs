//! How far a display is turned.

/// How far a display, or each module of one, is turned clockwise from upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Rotation {
    /// Upright.
    #[default]
    Upright,
    /// A quarter turn.
    Quarter,
    /// Upside down.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

impl Rotation {
    /// The column and row that a turned module of 8 × 8 dots itself gives to the dot at `x` and `y` of the picture.
    pub(super) fn turned_back(self, x: usize, y: usize) -> (usize, usize) {
        match self {
            Self::Upright => (x, y),
            Self::Quarter => (y, 7 - x),
            Self::Half => (7 - x, 7 - y),
            Self::ThreeQuarters => (7 - y, x),
        }
    }
}
