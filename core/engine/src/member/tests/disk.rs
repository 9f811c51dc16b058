//! A disk that answers at once: two numbers, a tree and a log behind it.

use crate::member::LogRange;
use crate::session::SessionNumber;
use crate::tree::{Tree, TreeConfig, TreeEvent, TreeObserver, TreeReceiver, WalkState};
use crate::zab::log_search::Step;
use crate::zab::{Durable, Entry, Epoch, History, LogSearch};
use quorate_wire::quorum::Membership;
use quorate_wire::txn::TxnRecord;
use quorate_wire::{Jute, Zxid};

/// The disk of a server.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) accepted: Epoch,
    pub(super) current: Epoch,
    /// What the log goes on behind: a tree as it was received, and its zxid.
    base: Option<(Zxid, Vec<u8>)>,
    /// The newest session of the tree before that.
    newest: Option<SessionNumber>,
    pub(super) log: Vec<Entry>,
    /// The configuration that was proposed, and those that were committed, oldest first.
    pub(super) pending: Option<Membership>,
    pub(super) committed: Vec<Membership>,
    /// Nothing fits any more.
    pub(super) full: bool,
}

impl Disk {
    pub(super) fn end(&self) -> Zxid {
        let base = self.base.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        self.log.last().map_or(base, Entry::zxid)
    }

    pub(super) fn commit(&mut self, membership: Membership) {
        self.pending.take_if(|pending| pending.version <= membership.version);
        self.committed.push(membership);
    }

    /// What a role begins with; of the log so many records are in memory.
    pub(super) fn durable(&self, memory: usize) -> Durable {
        let gone = self.log.len().saturating_sub(memory);
        let base = self.base.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let base = gone.checked_sub(1).map_or(base, |n| self.log[n].zxid());
        let mut history = History::after(base);
        self.log.iter().skip(gone).for_each(|entry| history.push(entry.clone()));
        let (accepted_epoch, current_epoch) = (self.accepted, self.current);
        Durable { accepted_epoch, current_epoch, history, ..Durable::default() }
    }

    /// The tree at the end of the log.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = match &self.base {
            Some((zxid, image)) => received(image, *zxid),
            None => new_tree(),
        };
        tree.remember_session(self.newest);
        for entry in &self.log {
            tree.apply(&TxnRecord::from_bytes(entry.payload()).unwrap(), &mut Nobody);
        }
        tree
    }

    pub(super) fn search(&self, range: LogRange) -> Option<Zxid> {
        let mut search = LogSearch::new(range.at, range.upto, range.limit, Vec::new());
        let steps = self.log.iter().map(|entry| search.record(entry.zxid(), entry.payload().len()));
        match steps.into_iter().find(|step| *step != Step::GoOn) {
            Some(Step::Found(floor)) => Some(floor),
            _ => None,
        }
    }

    pub(super) fn cut(&mut self, after: Zxid) {
        self.log.retain(|entry| entry.zxid() <= after);
    }

    pub(super) fn install(&mut self, zxid: Zxid, image: Vec<u8>, before: &Tree) {
        self.newest = before.newest_session();
        self.log.clear();
        self.base = Some((zxid, image));
    }
}

pub(super) fn new_tree() -> Tree {
    Tree::new(TREE)
}

/// The tree that a stream holds.
pub(super) fn received(image: &[u8], zxid: Zxid) -> Tree {
    let mut receiver = TreeReceiver::new(TREE, 1 << 20);
    assert_eq!(receiver.receive(image), Ok(image.len()));
    receiver.finish(zxid).unwrap()
}

/// The rest of a stream.
pub(super) fn rest_of(tree: &mut Tree, stream: crate::tree::StreamId) -> Vec<u8> {
    let mut image = Vec::new();
    while tree.walk_stream(stream, 2, &mut image) == WalkState::More {}
    image
}

struct Nobody;

impl TreeObserver for Nobody {
    fn fire(&mut self, _: TreeEvent<'_>) {}
}

const TREE: TreeConfig = TreeConfig { hash_seed: 1, digest: true };
