//! A tree as a disk keeps it: a stream, and the transactions behind it.

use crate::state::Kept;
use quorate_engine::session::SessionNumber;
use quorate_engine::tree::{Tree, TreeConfig, TreeReceiver, WalkState};
use quorate_engine::zab::Entry;
use quorate_tests_kit::random::Random;
use quorate_wire::txn::TxnRecord;
use quorate_wire::{Jute, Zxid};
use std::sync::Arc;

/// Where a history has nothing, though others may have had: a tree that replaces what a server had may be called by a zxid after all of that.
pub type Gaps = Vec<(Zxid, Zxid)>;

/// A tree, or how it is made.
#[derive(Clone, Debug, Default)]
pub struct Image {
    stream: Option<(Zxid, Arc<[u8]>)>,
    /// Between these zxids lies nothing of what it holds.
    gaps: Gaps,
    /// The newest session that was seen before.
    newest: Option<SessionNumber>,
    later: Vec<Entry>,
}

impl Kept for Image {
    fn apply(&mut self, entry: &Entry) {
        let begins = self.stream.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        if entry.zxid() > self.later.last().map_or(begins, Entry::zxid) {
            self.later.push(entry.clone());
        }
    }

    fn cut(&self, random: &mut Random) -> (Self, bool) {
        let Some((zxid, stream)) = &self.stream else { return (self.clone(), true) };
        let some = stream.get(..random.index(stream.len() + 1)).unwrap_or_default();
        let left = Self { stream: Some((*zxid, some.into())), ..self.clone() };
        let whole = left.read().is_some();
        assert!(!whole || some.len() == stream.len(), "part of a tree is taken for a tree");
        (left, whole)
    }
}

impl Image {
    /// What a leader's tree is called, and what it does not hold, at a server that has seen this session.
    #[must_use]
    pub const fn received(
        zxid: Zxid,
        gaps: Gaps,
        stream: Arc<[u8]>,
        newest: Option<SessionNumber>,
    ) -> Self {
        Self { stream: Some((zxid, stream)), gaps, newest, later: Vec::new() }
    }

    /// A tree that broke off before its first node.
    #[must_use]
    pub fn half(zxid: Zxid) -> Self {
        Self { stream: Some((zxid, [].into())), ..Self::default() }
    }

    /// What a snapshot of the tree holds, and does not hold.
    #[must_use]
    pub fn of(tree: &mut Tree, gaps: Gaps) -> Self {
        let (id, head) = tree.freeze_stream();
        let mut stream = Vec::new();
        while tree.walk_stream(id, 1000, &mut stream) == WalkState::More {}
        Self::received(head.zxid, gaps, stream.into(), tree.newest_session())
    }

    /// Between these zxids lies nothing of what it holds.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps.clone()
    }

    /// The tree of the stream, if that is one.
    fn read(&self) -> Option<Tree> {
        let Some((zxid, stream)) = &self.stream else { return Some(Tree::new(TREE)) };
        let mut receiver = TreeReceiver::new(TREE, 1 << 20);
        receiver.receive(stream).ok()?;
        receiver.finish(*zxid).ok()
    }

    /// The tree. One that cannot be read, as is tried on purpose only, has no nodes.
    ///
    /// # Panics
    /// If what follows are no transactions.
    #[must_use]
    #[expect(clippy::expect_used, reason = "what is in a log is a transaction, or the run fails")]
    pub fn tree(&self) -> Tree {
        let mut tree = self.read().unwrap_or_else(|| {
            let mut tree = Tree::new(TREE);
            tree.stands_for(self.stream.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid));
            tree
        });
        tree.remember_session(self.newest);
        for entry in &self.later {
            let record = TxnRecord::from_bytes(entry.payload()).expect("a transaction");
            tree.apply(&record, &mut ());
        }
        tree
    }
}

const TREE: TreeConfig = TreeConfig { hash_seed: 1, digest: true };
