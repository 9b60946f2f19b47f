//! Settings: one TOML file, the environment and the command line, laid over what the board calls for.
//!
//! ```text
//! command line  >  environment (HARMONYNET_…)  >  file  >  board  >  default
//! ```
//!
//! [`keys`] is the one table of what can be set; help, the [documented example](text::example) and the [print of effective
//! values](text::print) are made from it. [`board`] describes boards and parts as data, [`conflicts`] finds what cannot be
//! wired together, [`last_good`] keeps a running device alive when its file is broken. Everything that is wrong is a
//! [`Problem`] with place, line, field and mend.
//!
//! The file is only read here. Not for acting on settings: who needs a value asks [`Settings`] for it.

pub mod board;
pub mod conflicts;
pub mod keys;
pub mod last_good;
mod layers;
mod nearest;
mod problem;
pub mod text;
mod value;

use harmonynet_document as document;

pub use self::keys::{KEYS, Key, Preset};
pub use self::layers::{Layer, OTHER_VARIABLES, Origin, Settings};
pub use self::nearest::nearest;
pub use self::problem::{Problem, Problems};
pub use self::value::{Kind, Value, minutes};

/// Where the settings file is looked for if nobody names one.
pub const DEFAULT_FILE: &str = "/etc/harmonynet/harmonynet.toml";

#[cfg(test)]
mod tests;
