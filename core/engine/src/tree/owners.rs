//! Who owns what: ephemerals by session, containers, TTL nodes.
//!
//! Few nodes have an owner, so it is kept here rather than in every node. Everything that is iterated is
//! ordered; the hash map only answers look-ups. Used by the tree alone.

use super::NodeId;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use quorate_wire::stat::Owner;
use std::collections::{BTreeMap, BTreeSet};

/// The owners of all nodes that have one.
#[derive(Debug)]
pub(super) struct Owners {
    stored: HashMap<NodeId, i64, FixedState>,
    sessions: BTreeMap<i64, BTreeSet<NodeId>>,
    containers: BTreeSet<NodeId>,
    ttls: BTreeSet<NodeId>,
    ephemerals: usize,
}

impl Owners {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            stored: HashMap::with_hasher(FixedState::with_seed(seed)),
            sessions: BTreeMap::new(),
            containers: BTreeSet::new(),
            ttls: BTreeSet::new(),
            ephemerals: 0,
        }
    }

    /// The stored owner of an owned node.
    pub(super) fn get(&self, id: NodeId) -> i64 {
        self.stored.get(&id).copied().unwrap_or_default()
    }

    /// Remembers a node's owner. Returns whether there is one.
    pub(super) fn insert(&mut self, id: NodeId, stored: i64) -> bool {
        match Owner::of(stored) {
            Owner::Persistent => return false,
            Owner::Session(session) => {
                self.sessions.entry(session).or_default().insert(id);
                self.ephemerals += 1;
            }
            Owner::Container => _ = self.containers.insert(id),
            Owner::Ttl(_) => _ = self.ttls.insert(id),
        }
        self.stored.insert(id, stored);
        true
    }

    /// Forgets a node that goes away.
    pub(super) fn remove(&mut self, id: NodeId) {
        let Some(stored) = self.stored.remove(&id) else { return };
        match Owner::of(stored) {
            Owner::Persistent => {}
            Owner::Session(session) => {
                self.ephemerals -= 1;
                if let Some(nodes) = self.sessions.get_mut(&session) {
                    nodes.remove(&id);
                    if nodes.is_empty() {
                        self.sessions.remove(&session);
                    }
                }
            }
            Owner::Container => _ = self.containers.remove(&id),
            Owner::Ttl(_) => _ = self.ttls.remove(&id),
        }
    }

    /// The ephemerals of a session.
    pub(super) fn of_session(&self, session: i64) -> impl Iterator<Item = NodeId> {
        self.sessions.get(&session).into_iter().flatten().copied()
    }

    /// The sessions that own something, ascending.
    pub(super) fn sessions(&self) -> impl Iterator<Item = i64> {
        self.sessions.keys().copied()
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = NodeId> {
        self.containers.iter().copied()
    }

    pub(super) fn ttls(&self) -> impl Iterator<Item = NodeId> {
        self.ttls.iter().copied()
    }

    pub(super) const fn ephemeral_count(&self) -> usize {
        self.ephemerals
    }
}
