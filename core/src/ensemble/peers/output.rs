//! What waits to be sent on a connection.

use quorate_wire::Jute;
use quorate_wire::quorum::Packet;

/// Bytes in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// What lies before has been sent.
    start: usize,
    /// So many at the front are a tree's, or of a part of the log: they are made when there is room for them, and so count for nothing.
    made: usize,
}

impl Output {
    pub(super) fn push(&mut self, packet: &Packet<'_>) {
        packet.write(&mut self.bytes);
    }

    /// Puts everything that waits in `other` behind what waits here.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.bytes.extend_from_slice(other.unsent());
        *other = Self::default();
    }

    /// Has more of what is made when there is room appended. Only behind nothing, or behind the like of it.
    pub(super) fn extend_made<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        debug_assert!(self.is_all_made(), "what is made comes first");
        let result = write(&mut self.bytes);
        self.made = self.len();
        result
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// So many bytes have been sent.
    pub(super) fn sent(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.bytes.len());
        self.made = self.made.saturating_sub(n);
        if self.is_empty() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(LARGEST_SPARE);
        } else if self.start >= self.bytes.len() / 2 {
            // Each byte is moved less often than another one is sent.
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.unsent().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    /// Whether nothing waits but what was made because there was room.
    pub(super) fn is_all_made(&self) -> bool {
        self.len() == self.made
    }

    /// Bytes that count against the limit.
    pub(super) fn counted(&self) -> usize {
        self.len().saturating_sub(self.made)
    }
}

/// A buffer keeps no more than this when it is empty, bytes.
const LARGEST_SPARE: usize = 256 << 10;
