//! Requests without an answer, in the order of their submission.
//!
//! The first part of the queue has been sent on the present connection, the rest waits for one. A server answers in
//! order, so the front is always the next to be answered. Paths lie in a queue of bytes of their own: an entry costs no
//! allocation.

use super::bytes::Bytes;
use super::effect::Token;
use super::request::WatchKey;
use super::watches::Kind;
use quorate_wire::OpCode;
use quorate_wire::frame::write_frame;
use quorate_wire::op::remove_watches::WatcherType;
use std::collections::VecDeque;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// The caller.
    Caller(Token),
    /// Nobody: housekeeping.
    Nobody,
    /// The session: whether the server has a lasting watch.
    Modes,
    /// The session: a lasting watch is set again.
    Lasting {
        /// Whether it is that of a subtree.
        recursive: bool,
    },
    /// The session's end.
    Close,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) xid: i32,
    pub(super) op: OpCode,
    pub(super) waiter: Waiter,
    /// Bytes of its frame.
    pub(super) frame: usize,
    /// Bytes of its path, root included, and of the root.
    pub(super) path: usize,
    pub(super) root: usize,
    /// When it was handed to the connection.
    pub(super) sent_at: i64,
    pub(super) watch: Option<(WatchKey, Kind)>,
    /// What the caller has removed when it is answered.
    pub(super) removes: Option<WatcherType>,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
    /// How many at the front have been sent.
    sent: usize,
    /// Frames that have not been sent.
    frames: Bytes,
    paths: Bytes,
    /// Bytes of all frames, sent ones included: they may be in buffers on the way.
    bytes: usize,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn has_sent(&self) -> bool {
        self.sent > 0
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.entries.len()
    }

    /// Has a frame written behind the others, and answers its length. Its entry has to be [pushed](Self::push) next, or the frame
    /// [taken back](Self::take_back).
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.frames.write(|out| write_frame(out, write))
    }

    /// Undoes the last [`write`](Self::write), which was so long.
    pub(super) fn take_back(&mut self, frame: usize) {
        self.frames.drop_back(frame);
        self.shrink();
    }

    /// Adds the entry of the frame that was written.
    pub(super) fn push(&mut self, entry: Entry, path: [&str; 2]) {
        debug_assert_eq!(entry.path, path.iter().map(|part| part.len()).sum::<usize>());
        self.paths.extend(path[0].as_bytes());
        self.paths.extend(path[1].as_bytes());
        self.bytes = self.bytes.saturating_add(entry.frame);
        self.entries.push_back(entry);
    }

    /// Moves whole frames to `out` until it holds `limit` bytes.
    pub(super) fn send(&mut self, now: i64, out: &mut Vec<u8>, limit: usize) -> bool {
        let mut bytes = 0_usize;
        let before = self.sent;
        for entry in self.entries.iter_mut().skip(self.sent) {
            if out.len().saturating_add(bytes) >= limit {
                break;
            }
            entry.sent_at = now;
            bytes = bytes.saturating_add(entry.frame);
            self.sent += 1;
        }
        self.frames.move_front(bytes, out);
        self.sent > before
    }

    /// The next to be answered, if anything was sent.
    pub(super) fn front(&self) -> Option<&Entry> {
        if self.sent == 0 { None } else { self.entries.front() }
    }

    /// Drops the front. `with_path` is called with its whole path when there is use for it.
    pub(super) fn pop(&mut self, wants_path: bool) -> Option<(Entry, String)> {
        let entry = self.entries.pop_front()?;
        if self.sent > 0 {
            self.sent -= 1;
        } else {
            self.frames.drop_front(entry.frame);
        }
        self.bytes = self.bytes.saturating_sub(entry.frame);
        let path = if wants_path {
            String::from_utf8(self.paths.front(entry.path).to_vec()).unwrap_or_default()
        } else {
            String::new()
        };
        self.paths.drop_front(entry.path);
        self.shrink();
        Some((entry, path))
    }

    /// An empty queue does not keep what it needed at its longest.
    fn shrink(&mut self) {
        if self.entries.is_empty() {
            self.entries.shrink_to(MAX_IDLE_ENTRIES);
            self.frames.shrink_to(MAX_IDLE_BYTES);
            self.paths.shrink_to(MAX_IDLE_BYTES);
        }
    }

    /// Bytes of buffers, whether in use or not.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.frames.capacity()
            + self.paths.capacity()
    }

    /// Takes out what was sent: the connection is gone, nobody will answer.
    pub(super) fn pop_sent(&mut self) -> Option<(Entry, String)> {
        if self.sent == 0 { None } else { self.pop(true) }
    }
}

/// What an empty queue keeps of its room.
const MAX_IDLE_ENTRIES: usize = 4 * 1024;
const MAX_IDLE_BYTES: usize = 256 * 1024;
