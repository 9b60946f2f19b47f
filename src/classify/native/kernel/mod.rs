//! The inner loops, once per instruction set. [`portable`] is the specification: every other kernel gives the same
//! integers, bit for bit.
//!
//! A kernel's functions are safe to call; those that need an instruction set are reachable only where it was detected
//! (or the build takes it for granted), since nothing but this module makes a [`Kernel`].

/// Whether this machine has all of these instruction sets: asked of it, or without an operating system of the build.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
macro_rules! has {
    ($($feature:tt),+) => {
        $(std::arch::is_x86_feature_detected!($feature))&&+
    };
}
#[cfg(all(feature = "std", target_arch = "aarch64", target_feature = "neon"))]
macro_rules! has {
    ($($feature:tt),+) => {
        $(std::arch::is_aarch64_feature_detected!($feature))&&+
    };
}
#[cfg(all(
    not(feature = "std"),
    any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))
))]
macro_rules! has {
    ($($feature:tt),+) => {
        cfg!(all($(target_feature = $feature),+))
    };
}

mod portable; // the specification

#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod arm; // what the machine has
#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod armv6;
#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod armv7;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;

use super::model::{Conv, Rows};
use crate::classify::requantize::Multiplier;

/// Most steps that are projected in one go.
pub(super) const STEPS_AT_ONCE: usize = 4;

/// Weights, a number of steps up to [`STEPS_AT_ONCE`], their features, their sums.
type ProjectSteps = fn(&[u8], usize, &[i8], &mut [i32]);

/// The two shares of the gates' arguments, output, cell.
type Advance = fn(&[i32], &[i32], &mut [i16], &mut [i32]);

/// The functions of one instruction set. Shapes are those of the model's views; a wrong one panics.
struct Table {
    name: &'static str,
    /// A frame's log-mel values as the first convolution reads them, as [`Multiplier::step`] says.
    input: fn(Multiplier, &[i16], &mut [i8]),
    /// One pooled line, `[band][output]`, from the four newest lines of the input, each with a zero position on either
    /// side: convolution, 2×2 maximum, bias, ReLU, requantization, at most 127.
    conv_pool: fn(&Conv<'_>, [&[i8]; 4], &mut [i8]),
    /// Sums per row of `[group][row][4]` weights times features.
    project: fn(&[u8], &[i8], &mut [i32]),
    /// The same for several steps, where that reads the weights once for all of them.
    project_steps: Option<ProjectSteps>,
    /// Sums per row of i16 `[pair][row][2]` weights times a state.
    recur: fn(&[u8], &[i16], &mut [i32]),
    /// What rows' sums are worth, as [`Rows::finish`] says, in place: rows come in multiples of [`LANES`](super::shape::LANES).
    finish: fn(&Rows<'_>, &mut [i32]),
    /// One step of an LSTM from the recurrence's and the input's shares of the gates' arguments, as
    /// [`gates::advance`](super::gates::advance) says.
    advance: Advance,
}

/// The inner loops of one instruction set.
#[derive(Clone, Copy)]
pub struct Kernel(&'static Table);

impl Kernel {
    /// Plain Rust, for every machine.
    pub const PORTABLE: Self = Self(&portable::TABLE);

    /// The fastest kernel that this machine can run.
    #[must_use]
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// The kernels that this machine can run, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [avx512::detect(), avx2::detect()];
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        let special = [neon::detect_dot(), Some(&neon::NEON)];
        #[cfg(all(target_arch = "arm", target_os = "linux"))]
        let special = [armv7::detect(), armv6::detect()];
        #[cfg(not(any(
            target_arch = "x86_64",
            all(target_arch = "aarch64", target_feature = "neon"),
            all(target_arch = "arm", target_os = "linux")
        )))]
        let special: [Option<&'static Table>; 0] = [];
        special.into_iter().flatten().map(Self).chain([Self::PORTABLE])
    }

    /// The kernel's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    pub(super) fn input(self, gain: Multiplier, bands: &[i16], steps: &mut [i8]) {
        (self.0.input)(gain, bands, steps);
    }

    pub(super) fn conv_pool(self, conv: &Conv<'_>, lines: [&[i8]; 4], out: &mut [i8]) {
        (self.0.conv_pool)(conv, lines, out);
    }

    /// `features` and `sums` are those of `steps` steps, at most [`STEPS_AT_ONCE`].
    pub(super) fn project(self, weights: &[u8], steps: usize, features: &[i8], sums: &mut [i32]) {
        match self.0.project_steps {
            Some(project) if steps > 1 => project(weights, steps, features, sums),
            _ => {
                let sums = sums.chunks_exact_mut(sums.len() / steps);
                for (features, sums) in features.chunks_exact(features.len() / steps).zip(sums) {
                    (self.0.project)(weights, features, sums);
                }
            }
        }
    }

    pub(super) fn recur(self, weights: &[u8], state: &[i16], sums: &mut [i32]) {
        (self.0.recur)(weights, state, sums);
    }

    pub(super) fn finish(self, rows: &Rows<'_>, sums: &mut [i32]) {
        (self.0.finish)(rows, sums);
    }

    pub(super) fn advance(self, recurrent: &[i32], projected: &[i32], h: &mut [i16], c: &mut [i32]) {
        (self.0.advance)(recurrent, projected, h, c);
    }
}

impl core::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Kernel({})", self.name())
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
