//! Which of Debian's architectures this is.

/// The architecture of this system as Debian calls it.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else if cfg!(all(target_arch = "arm", target_abi = "eabihf")) {
    "armhf"
} else if cfg!(target_arch = "arm") {
    "armel"
} else if cfg!(target_arch = "x86_64") {
    "amd64"
} else {
    "unknown"
};
