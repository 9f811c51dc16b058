//! Notifications: the one message that a server sends unasked.
//!
//! Which watch fires when is decided in the engine; here is only what travels. Session events (expired,
//! disconnected) are made by client libraries and never sent. Up to 3.8 the header's zxid was always -1, and
//! clients of any age ignore it.

use crate::frame::ReplyHeader;
use crate::jute::{Jute, write_str};
use crate::record;
use std::borrow::Cow;

/// What happened to a node.
///
/// ```
/// use quorate_wire::event::EventType;
///
/// assert_eq!(EventType::ChildrenChanged.code(), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum EventType {
    /// The node was created.
    Created = 1,
    /// The node was deleted.
    Deleted = 2,
    /// The data was set.
    DataChanged = 3,
    /// A child was created or deleted.
    ChildrenChanged = 4,
}

impl EventType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Created => 1,
            Self::Deleted => 2,
            Self::DataChanged => 3,
            Self::ChildrenChanged => 4,
        }
    }

    /// The event of a number on the wire.
    ///
    /// ```
    /// use quorate_wire::event::EventType;
    ///
    /// assert_eq!(EventType::from_code(2), Some(EventType::Deleted));
    /// // Events of the session itself are made by clients.
    /// assert_eq!(EventType::from_code(-1), None);
    /// ```
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Created),
            2 => Some(Self::Deleted),
            3 => Some(Self::DataChanged),
            4 => Some(Self::ChildrenChanged),
            _ => None,
        }
    }
}

/// The only session state that a server puts into a notification.
pub const SYNC_CONNECTED: i32 = 3;

record! {
    /// The body of a notification.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WatcherEvent<'a> {
        /// An [`EventType`].
        pub kind: i32,
        /// [`SYNC_CONNECTED`].
        pub state: i32,
        /// The path, without any chroot removed.
        pub path: Cow<'a, str>,
    }
}

/// Appends a whole notification frame, length included.
///
/// `zxid` is that of the transaction, or -1 for events that setWatches fires at once.
pub fn write_notification(event: EventType, path: &str, zxid: i64, out: &mut Vec<u8>) {
    let header = ReplyHeader { xid: crate::frame::NOTIFICATION_XID, zxid, err: 0 };
    crate::jute::write_length(ReplyHeader::LEN + 12 + path.len(), out);
    header.write(out);
    event.code().write(out);
    SYNC_CONNECTED.write(out);
    write_str(path, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Split, split};
    use crate::jute::Reader;

    #[test]
    fn a_notification_is_a_frame_of_header_and_event() {
        let mut out = Vec::new();
        for (at, kind) in (1..=4).enumerate() {
            let event = EventType::from_code(kind).unwrap();
            assert_eq!(event.code(), kind);
            out.clear();
            write_notification(event, "/a\u{e9}", 7, &mut out);
            let Split::Frame { payload, consumed } = split(&out, 100) else { panic!("{at}") };
            assert_eq!(consumed, out.len());
            let mut r = Reader::new(payload);
            let header: ReplyHeader = r.get().unwrap();
            assert_eq!((header.xid, header.zxid, header.err), (-1, 7, 0));
            let path = "/a\u{e9}".into();
            assert_eq!(r.get(), Ok(WatcherEvent { kind, state: SYNC_CONNECTED, path }));
            assert!(r.rest().is_empty());
        }
        assert_eq!(EventType::from_code(-1), None, "session events are made by clients");
    }
}
