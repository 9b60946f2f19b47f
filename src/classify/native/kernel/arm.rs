//! What a 32-bit ARM under Linux says of itself. The standard library's own detection is not stable there.

#[cfg(feature = "std")]
mod asked {
    #![expect(unsafe_code, reason = "a function of the C library")]

    use core::ffi::{CStr, c_char, c_ulong};

    /// Bits of what the processor has.
    const AT_HWCAP: c_ulong = 16;
    /// The architecture's name, such as `v7l`.
    const AT_PLATFORM: c_ulong = 15;
    /// Advanced SIMD: the kernel's `HWCAP_NEON`.
    const NEON: c_ulong = 1 << 12;

    unsafe extern "C" {
        /// From the C library that the standard library links with; 0 where the kernel gave no such value.
        safe fn getauxval(kind: c_ulong) -> c_ulong;
    }

    /// Whether there is NEON.
    pub(in super::super) fn has_neon() -> bool {
        getauxval(AT_HWCAP) & NEON != 0
    }

    /// Whether there are ARMv6's media instructions.
    pub(in super::super) fn has_media() -> bool {
        let name = getauxval(AT_PLATFORM) as *const c_char;
        if name.is_null() {
            return false;
        }
        // SAFETY: the kernel put a string of this process's lifetime there.
        let name = unsafe { CStr::from_ptr(name) };
        matches!(name.to_bytes(), [b'v', version @ b'6'..=b'9', ..] if version.is_ascii_digit())
    }
}

#[cfg(feature = "std")]
pub(super) use asked::{has_media, has_neon};

/// Whether there is NEON: what the build takes for granted.
#[cfg(not(feature = "std"))]
pub(super) fn has_neon() -> bool {
    cfg!(target_feature = "neon")
}

/// Whether there are ARMv6's media instructions: what the build takes for granted.
#[cfg(not(feature = "std"))]
pub(super) fn has_media() -> bool {
    cfg!(target_feature = "v6")
}
