//! Which library this is.

#![allow(unsafe_code, reason = "exported symbols")]

use crate::boundary::plain;
use std::ffi::{CStr, c_char};

/// The version of the interface: programs that were built for a smaller one run with this library, and QUORATE_ABI_VERSION is the one that a
/// header describes.
pub const QUORATE_ABI_VERSION: i32 = 1;

/// The library's version, such as `0.1.0`. Static text.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_version() -> *const c_char {
    plain(VERSION.as_ptr(), || VERSION.as_ptr())
}

/// The version of the interface that this library has: at least the header's QUORATE_ABI_VERSION, or the program was linked with an older
/// library than it was built for.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_abi_version() -> i32 {
    plain(QUORATE_ABI_VERSION, || QUORATE_ABI_VERSION)
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
