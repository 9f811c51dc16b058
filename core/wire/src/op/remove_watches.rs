//! checkWatches (17) and removeWatches (18): is there a watch of this kind, and away with it.
//!
//! The replies have no body; NoWatcher (-121) if there is none. The server sends no event for a removed
//! watch, that is made by the client library. Types 4 and 5 are known since 3.9.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of both.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WatchesRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// A [`WatcherType`] number.
        pub kind: i32,
    }
}

/// Which of a connection's watches on a path are meant.
///
/// ```
/// use quorate_wire::op::remove_watches::WatcherType;
///
/// // The number on the wire, as Apache's enumeration has it.
/// assert_eq!(WatcherType::Any.code(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatcherType {
    /// One-shot child watches.
    Children,
    /// One-shot data and exists watches.
    Data,
    /// Everything.
    Any,
    /// Persistent watches.
    Persistent,
    /// Persistent recursive watches.
    PersistentRecursive,
}

impl WatcherType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Children => 1,
            Self::Data => 2,
            Self::Any => 3,
            Self::Persistent => 4,
            Self::PersistentRecursive => 5,
        }
    }

    /// The type of a number on the wire.
    ///
    /// ```
    /// use quorate_wire::op::remove_watches::WatcherType;
    ///
    /// assert_eq!(WatcherType::from_code(2), Some(WatcherType::Data));
    /// assert_eq!(WatcherType::from_code(6), None);
    /// ```
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Children),
            2 => Some(Self::Data),
            3 => Some(Self::Any),
            4 => Some(Self::Persistent),
            5 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}
