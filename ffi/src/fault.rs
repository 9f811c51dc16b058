//! [`Fault`]: why a call failed, as this interface says it; and the last one of each thread.

use crate::input::text_of;
use crate::status::{
    QUORATE_CLOSED, QUORATE_EXHAUSTED, QUORATE_FORKED, QUORATE_INVALID_ARGUMENT,
    QUORATE_INVALID_HANDLE, QUORATE_PANICKED, QUORATE_SERVER_FAILED,
};
use crate::table::Bad;
use quorate::client;
use quorate::server::ServerError;
use std::cell::RefCell;
use std::ffi::CString;
use std::fmt::Display;

/// Why a call failed: code, operation, path, and whether it may have happened all the same. It belongs to the result that it came
/// with, or to the thread whose last failure it is. Read it with the functions `quorate_error_…`.
#[derive(Clone, Debug)]
pub struct Error {
    pub(crate) status: i32,
    pub(crate) operation: CString,
    pub(crate) path: CString,
    pub(crate) message: CString,
    pub(crate) outcome_unknown: bool,
    pub(crate) part: Option<usize>,
}

/// What calls fail with.
pub(crate) type Fault = Box<Error>;

impl Error {
    /// A failure that has nothing to do with a node.
    pub(crate) fn new(status: i32, message: impl Display) -> Fault {
        Box::new(Self {
            status,
            operation: CString::default(),
            path: CString::default(),
            message: text_of(&message.to_string()),
            outcome_unknown: false,
            part: None,
        })
    }

    /// An argument that cannot be.
    pub(crate) fn argument(message: impl Display) -> Fault {
        Self::new(QUORATE_INVALID_ARGUMENT, message)
    }

    /// A failure of an operation on a node.
    pub(crate) fn during(status: i32, operation: &str, path: &str, message: &str) -> Fault {
        let mut fault = Self::new(status, format!("{operation} {path}: {message}"));
        fault.operation = text_of(operation);
        fault.path = text_of(path);
        fault
    }
}

impl From<client::Error> for Fault {
    fn from(error: client::Error) -> Self {
        Self::new(Error {
            status: error.code().code(),
            operation: text_of(error.operation()),
            path: text_of(error.path()),
            message: text_of(&error.to_string()),
            outcome_unknown: error.outcome_unknown(),
            part: error.part(),
        })
    }
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Self {
        Error::new(QUORATE_SERVER_FAILED, error)
    }
}

impl From<Bad> for Fault {
    fn from(bad: Bad) -> Self {
        let (status, text) = match bad {
            Bad::Invalid => (QUORATE_INVALID_HANDLE, "no such handle, or one of another kind"),
            Bad::Closed => (QUORATE_CLOSED, "the handle was closed before"),
            Bad::Forked => (QUORATE_FORKED, "the handle belongs to the parent process"),
            Bad::Poisoned => (QUORATE_PANICKED, "an earlier call on the handle panicked"),
            Bad::Full => (QUORATE_EXHAUSTED, "there are too many handles"),
        };
        Error::new(status, text)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Error::new(QUORATE_EXHAUSTED, format!("the system refuses it: {error}"))
    }
}

thread_local! {
    static LAST: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// Remembers a failure for [`last`]; answers its status.
pub(crate) fn remember(fault: Fault) -> i32 {
    let status = fault.status;
    // A thread that is ending has no place for it any more.
    let _ending = LAST.try_with(|last| last.replace(Some(fault)));
    status
}

/// The last failure on this thread.
pub(crate) fn last() -> *const Error {
    let find = |last: &RefCell<Option<Fault>>| {
        last.borrow().as_deref().map_or(std::ptr::null(), std::ptr::from_ref)
    };
    LAST.try_with(find).unwrap_or(std::ptr::null())
}
