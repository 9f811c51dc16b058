//! Reading errors from C.

#![allow(unsafe_code, reason = "exported symbols")]

use crate::boundary::plain;
use crate::fault::{Error, last};
use crate::input::borrowed;
use crate::status;
use std::ffi::{CStr, c_char};

/// The name of a status: ZooKeeper's name for its errors (`NoNode`), ours for our own (`TimedOut`), `Unknown` for any other
/// number. Static text.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_status_name(status: i32) -> *const c_char {
    plain(c"Unknown".as_ptr(), || status::name(status).as_ptr())
}

/// The failure of the last call on this thread that failed; NULL when none has. It stays as it is until another call on this
/// thread fails, or the thread ends. Results of asynchronous calls have errors of their own.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_last_error() -> *const Error {
    plain(std::ptr::null(), last)
}

/// The status that a failed call has returned; QUORATE_OK for NULL.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_code(error: *const Error) -> i32 {
    plain(status::QUORATE_OK, || borrowed(error).map_or(status::QUORATE_OK, |error| error.status))
}

/// The name of the status, as quorate_status_name has it. Static text.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_name(error: *const Error) -> *const c_char {
    quorate_status_name(quorate_error_code(error))
}

/// The operation, by ZooKeeper's name for it (`create2`, `multi`) or the recipe's; empty when none is concerned. Belongs to the error.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_operation(error: *const Error) -> *const c_char {
    text(error, |error| &error.operation)
}

/// The node; empty when none is concerned. Belongs to the error.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_path(error: *const Error) -> *const c_char {
    text(error, |error| &error.path)
}

/// All of it as a sentence for a person. Belongs to the error; empty for NULL.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_message(error: *const Error) -> *const c_char {
    text(error, |error| &error.message)
}

/// 1 when the operation may have happened all the same: trying again may do it twice, so look first. Otherwise 0; always 0 for
/// reads.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_outcome_unknown(error: *const Error) -> i32 {
    plain(0, || borrowed(error).map_or(0, |error| i32::from(error.outcome_unknown)))
}

/// Which part of a multi failed, from 0; -1 when it was none.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_error_part(error: *const Error) -> i32 {
    plain(-1, || {
        let part = borrowed(error).and_then(|error| error.part);
        part.and_then(|part| i32::try_from(part).ok()).unwrap_or(-1)
    })
}

fn text(error: *const Error, get: impl FnOnce(&Error) -> &CStr) -> *const c_char {
    plain(c"".as_ptr(), || borrowed(error).map_or(c"".as_ptr(), |error| get(error).as_ptr()))
}
