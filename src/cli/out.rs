//! Standard output. A disk that is full is an error, where `println!` would panic, and so is a reader that has seen enough
//! (`| head`), with which the program ends quietly.

use std::fmt;
use std::io::{Result, Write as _, stdout};

/// Writes, and nothing stays behind in a buffer.
pub(super) fn write(text: fmt::Arguments<'_>) -> Result<()> {
    let mut out = stdout().lock();
    out.write_fmt(text)?;
    out.flush()
}

/// `print!` with `?`.
macro_rules! out {
    ($($part:tt)*) => {
        $crate::cli::out::write(format_args!($($part)*))?
    };
}

/// `println!` with `?`.
macro_rules! outln {
    ($($part:tt)*) => {
        $crate::cli::out::write(format_args!("{}\n", format_args!($($part)*)))?
    };
}
