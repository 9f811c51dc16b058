//! Building a tree from what a leader sends behind a SNAP packet.
//!
//! The learner hands in the bytes as they arrive. As Apache's leaders write the stream while the tree changes, the
//! tree may show effects of transactions after the packet's zxid until those have been applied.

use super::load::LoadError;
use super::{Tree, TreeConfig, TreeLoader};
use quorate_wire::Zxid;
use quorate_wire::quorum::snap::{SnapError, SnapItem, SnapReader};

/// Why no tree comes out of a stream. The learner has to leave the leader and forget what it received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The bytes are no such stream.
    #[error(transparent)]
    Stream(#[from] SnapError),
    /// What they hold cannot be a tree.
    #[error(transparent)]
    Tree(#[from] LoadError),
    /// The stream has not come to its end.
    #[error("the snapshot ends after {0} bytes, within its stream")]
    Incomplete(u64),
}

/// A tree in the making, from a stream.
#[derive(Debug)]
pub struct TreeReceiver {
    reader: SnapReader,
    loader: TreeLoader,
}

impl TreeReceiver {
    /// Before the first byte. `limit` as in [`SnapReader::new`].
    #[must_use]
    pub fn new(config: TreeConfig, limit: usize) -> Self {
        Self { reader: SnapReader::new(limit), loader: TreeLoader::new(config) }
    }

    /// Takes what has arrived and says how many bytes of it are done with; the rest has to come again with more behind it. Behind the
    /// end of the stream, see [`is_complete`](Self::is_complete), nothing is taken: there are packets again.
    ///
    /// # Errors
    /// When these bytes can make no tree.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<usize, ReceiveError> {
        let mut input = bytes;
        while let Some(item) = self.reader.next(&mut input)? {
            match item {
                SnapItem::Session(session) => self.loader.session(session.id, session.timeout),
                SnapItem::Acl(entry) => self.loader.acl(entry.id, &entry.acl),
                SnapItem::Node(node) => {
                    self.loader.node(&node.path, node.data, node.acl, &node.stat)?;
                }
                SnapItem::End => break,
            }
        }
        Ok(bytes.len().saturating_sub(input.len()))
    }

    /// Whether the stream has come to its end.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.reader.is_over()
    }

    /// Bytes of the stream that have been taken.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.reader.offset()
    }

    /// The tree, as of the zxid of the packet.
    ///
    /// # Errors
    /// When the stream is not complete, or there was no root in it.
    pub fn finish(self, zxid: Zxid) -> Result<Tree, ReceiveError> {
        if !self.is_complete() {
            return Err(ReceiveError::Incomplete(self.received()));
        }
        Ok(self.loader.finish(zxid)?)
    }
}
