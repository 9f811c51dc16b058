//! What waits to be sent on a connection.

use quorate_wire::Jute;
use quorate_wire::quorum::Packet;

/// Bytes in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// What lies before has been sent.
    start: usize,
    /// So many at the front are a tree's: they are made when there is room for them, and so count for nothing.
    tree: usize,
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

    /// Has the next part of a tree appended. Only behind nothing, or behind another part of it.
    pub(super) fn extend_tree<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        debug_assert!(self.is_all_tree(), "a tree's bytes come first");
        let result = write(&mut self.bytes);
        self.tree = self.len();
        result
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// So many bytes have been sent.
    pub(super) fn sent(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.bytes.len());
        self.tree = self.tree.saturating_sub(n);
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

    /// Whether nothing waits but parts of a tree.
    pub(super) fn is_all_tree(&self) -> bool {
        self.len() == self.tree
    }

    /// Bytes that count against the limit.
    pub(super) fn counted(&self) -> usize {
        self.len().saturating_sub(self.tree)
    }
}

/// A buffer keeps no more than this when it is empty, bytes.
const LARGEST_SPARE: usize = 256 << 10;
