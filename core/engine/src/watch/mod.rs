//! Who wants to be told of what: the watches of one shard's connections.
//!
//! A watch belongs to a connection and a path, in the *data* or the *child* table, with any of three modes.
//! A trigger names each connection at most once and in a fixed order. Firing only collects slots; the
//! shard filters by ACL and encodes. The watches of a closed connection count no more at once, and are removed in
//! slices ([`WatchTable::sweep`]). Source: `org.apache.zookeeper.server.watch.WatchManager` (3.9).

mod watchers;

use crate::tree::TreeEvent;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use slab::Slab;
use std::hash::BuildHasher;
use watchers::{Id, Watchers};

/// Which table a watch lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Data and existence.
    Data,
    /// The child list.
    Child,
}

/// How long a watch stays: a bit, so that several may coexist on one path.
pub type Mode = u8;
/// Fires once.
pub const STANDARD: Mode = 1;
/// Stays until removed.
pub const PERSISTENT: Mode = 2;
/// Stays, and sees every descendant.
pub const RECURSIVE: Mode = 4;

/// A connection's slot in its shard.
pub type Slot = u32;

/// The watches of one shard.
#[derive(Debug)]
pub struct WatchTable {
    hasher: FixedState,
    index: HashTable<u32>,
    paths: Slab<Watched>,
    watchers: Watchers,
}

#[derive(Debug)]
struct Watched {
    path: Box<str>,
    /// Sorted by watcher.
    data: Vec<(Id, Mode)>,
    /// Sorted by watcher.
    child: Vec<(Id, Mode)>,
}

impl Default for WatchTable {
    fn default() -> Self {
        Self::new(0)
    }
}

impl WatchTable {
    /// An empty table; `seed` protects its index against chosen paths.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            index: HashTable::new(),
            paths: Slab::new(),
            watchers: Watchers::default(),
        }
    }

    /// Adds a watch; setting the same one twice changes nothing.
    pub fn add(&mut self, slot: Slot, path: &str, kind: Kind, mode: Mode) {
        let id = self.watchers.enter(slot);
        let key = self.key_of(path);
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return };
        let list = watched.list(kind);
        let (fresh, gained) = match list.binary_search_by_key(&id, |&(i, _)| i) {
            Ok(at) => list.get_mut(at).map_or((false, 0), |(_, modes)| {
                let gained = mode & !*modes;
                *modes |= mode;
                (false, gained)
            }),
            Err(at) => {
                list.insert(at, (id, mode));
                (true, mode)
            }
        };
        if gained & RECURSIVE != 0 {
            self.watchers.gain_recursive(id);
        }
        if fresh && self.watchers.gain(id, kind, key) {
            self.compact(id);
        }
    }

    /// Whether the slot has a matching watch on exactly this path.
    #[must_use]
    pub fn has(&self, slot: Slot, path: &str, kind: WatcherType) -> bool {
        let Some(id) = self.watchers.of(slot) else { return false };
        self.find(path).and_then(|key| self.paths.get(key_index(key))).is_some_and(|watched| {
            tables_of(kind).iter().any(|&(table, mask)| watched.modes(table, id) & mask != 0)
        })
    }

    /// Removes what matches; returns whether anything did.
    pub fn remove(&mut self, slot: Slot, path: &str, kind: WatcherType) -> bool {
        let (Some(id), Some(key)) = (self.watchers.of(slot), self.find(path)) else { return false };
        let mut any = false;
        for &(table, mask) in tables_of(kind) {
            any |= self.clear(key, id, table, mask);
        }
        self.drop_if_empty(key);
        any
    }

    /// Forgets a connection: none of its watches counts or fires any more. What is left of them goes with
    /// [`sweep`](Self::sweep).
    pub fn remove_slot(&mut self, slot: Slot) {
        self.watchers.leave(slot);
    }

    /// Removes up to `most` watches of connections that are gone, or more if there are very many: else they could come in
    /// faster than they go. Takes less than a microsecond for each.
    pub fn sweep(&mut self, most: usize) {
        let mut left = most.max(self.watchers.left() / BACKLOG);
        while left > 0
            && let Some((id, keys)) = self.watchers.next_leaving(left)
        {
            left = left.saturating_sub(keys.len().max(1));
            for key in keys {
                self.clear(key, id, Kind::Data, Mode::MAX);
                self.clear(key, id, Kind::Child, Mode::MAX);
                self.drop_if_empty(key);
            }
        }
    }

    /// Whether [`sweep`](Self::sweep) has something to do.
    #[must_use]
    pub fn has_leftovers(&self) -> bool {
        self.watchers.has_leaving()
    }

    /// Whether nobody watches anything, so that firing can be skipped.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Calls `tell` with each notification that the event causes, in order: event type, path to report
    /// and the slots to tell, each once. One-shot watches that fire are gone afterwards.
    pub fn fire(&mut self, event: &TreeEvent<'_>, mut tell: impl FnMut(EventType, &str, &[Slot])) {
        if self.is_empty() {
            return;
        }
        let mut told = Vec::new();
        match *event {
            TreeEvent::Created { path, .. } => {
                self.collect_data(path, &mut told);
                tell(EventType::Created, path, &told);
                self.fire_parent(path, &mut told, &mut tell);
            }
            TreeEvent::Deleted { path, .. } => {
                self.collect_data(path, &mut told);
                tell(EventType::Deleted, path, &told);
                let mut more = Vec::new();
                self.collect(path, Kind::Child, &mut more);
                more.retain(|slot| told.binary_search(slot).is_err());
                tell(EventType::Deleted, path, &more);
                self.fire_parent(path, &mut told, &mut tell);
            }
            TreeEvent::DataChanged { path, .. } => {
                self.collect_data(path, &mut told);
                tell(EventType::DataChanged, path, &told);
            }
        }
    }

    fn fire_parent(
        &mut self,
        path: &str,
        told: &mut Vec<Slot>,
        tell: &mut impl FnMut(EventType, &str, &[Slot]),
    ) {
        let parent = parent_of(path);
        told.clear();
        self.collect(parent, Kind::Child, told);
        tell(EventType::ChildrenChanged, parent, told);
    }

    /// The data table at the path, and the recursive watches of its ancestors; sorted, each slot once.
    fn collect_data(&mut self, path: &str, told: &mut Vec<Slot>) {
        self.collect(path, Kind::Data, told);
        if self.watchers.totals.recursive == 0 {
            return;
        }
        let mut ancestor = path;
        while ancestor != "/" {
            ancestor = parent_of(ancestor);
            let watched = self.find(ancestor).and_then(|key| self.paths.get(key_index(key)));
            if let Some(watched) = watched {
                let recursive = watched.data.iter().filter(|(_, modes)| modes & RECURSIVE != 0);
                told.extend(recursive.filter_map(|&(id, _)| self.watchers.slot(id)));
            }
        }
        told.sort_unstable();
        told.dedup();
    }

    /// Everyone in one table at exactly the path, sorted; their one-shot watches are consumed.
    fn collect(&mut self, path: &str, kind: Kind, told: &mut Vec<Slot>) {
        let Some(key) = self.find(path) else { return };
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return };
        let watchers = &mut self.watchers;
        watched.list(kind).retain_mut(|(id, modes)| {
            let slot = watchers.slot(*id);
            told.extend(slot);
            *modes &= !STANDARD;
            if *modes == 0 {
                watchers.lose(*id, kind);
            }
            *modes != 0
        });
        told.sort_unstable();
        self.drop_if_empty(key);
    }

    fn clear(&mut self, key: u32, id: Id, kind: Kind, mask: Mode) -> bool {
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return false };
        let list = watched.list(kind);
        let Ok(at) = list.binary_search_by_key(&id, |&(i, _)| i) else { return false };
        let Some((_, modes)) = list.get_mut(at) else { return false };
        let lost = *modes & mask;
        *modes &= !mask;
        if *modes == 0 {
            list.remove(at);
            self.watchers.lose(id, kind);
        }
        if lost & RECURSIVE != 0 {
            self.watchers.lose_recursive(id);
        }
        lost != 0
    }

    fn drop_if_empty(&mut self, key: u32) {
        let Some(watched) = self.paths.get(key_index(key)) else { return };
        if watched.data.is_empty() && watched.child.is_empty() {
            let hash = self.hasher.hash_one(&*watched.path);
            if let Ok(entry) = self.index.find_entry(hash, |&k| k == key) {
                entry.remove();
            }
            self.paths.remove(key_index(key));
        }
    }

    fn find(&self, path: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(path);
        self.index
            .find(hash, |&key| self.paths.get(key_index(key)).is_some_and(|w| &*w.path == path))
            .copied()
    }

    fn key_of(&mut self, path: &str) -> u32 {
        if let Some(key) = self.find(path) {
            return key;
        }
        let watched = Watched { path: path.into(), data: Vec::new(), child: Vec::new() };
        let key = u32::try_from(self.paths.insert(watched)).unwrap_or(u32::MAX);
        let (hasher, paths) = (&self.hasher, &self.paths);
        self.index.insert_unique(hasher.hash_one(path), key, |&k| {
            hasher.hash_one(paths.get(key_index(k)).map_or("", |w| &*w.path))
        });
        key
    }

    /// Drops a watcher's stale paths, so that their list stays proportional to its watches.
    fn compact(&mut self, id: Id) {
        let (watchers, paths) = (&mut self.watchers, &self.paths);
        let Some(keys) = watchers.paths(id) else { return };
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|&key| {
            paths.get(key_index(key)).is_some_and(|watched| {
                watched.modes(Kind::Data, id) | watched.modes(Kind::Child, id) != 0
            })
        });
    }

    /// Paths with a data watch and the slots that watch them, sorted by path; for the `wch` words.
    #[must_use]
    pub fn data_watches(&self) -> Vec<(&str, Vec<Slot>)> {
        let slots = |watched: &Watched| -> Vec<Slot> {
            let slots = watched.data.iter().filter_map(|&(id, _)| self.watchers.slot(id));
            let mut slots: Vec<Slot> = slots.collect();
            slots.sort_unstable();
            slots
        };
        let all = self.paths.iter().map(|(_, watched)| (&*watched.path, slots(watched)));
        let mut all: Vec<_> = all.filter(|(_, slots)| !slots.is_empty()).collect();
        all.sort_unstable();
        all
    }

    /// Number of watches in both tables.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.watchers.totals.data + self.watchers.totals.child
    }

    /// Number of watches in the data table.
    #[must_use]
    pub const fn data_total(&self) -> usize {
        self.watchers.totals.data
    }
}

impl Watched {
    const fn list(&mut self, kind: Kind) -> &mut Vec<(Slot, Mode)> {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Child => &mut self.child,
        }
    }

    fn modes(&self, kind: Kind, id: Id) -> Mode {
        let list = match kind {
            Kind::Data => &self.data,
            Kind::Child => &self.child,
        };
        list.binary_search_by_key(&id, |&(i, _)| i)
            .ok()
            .and_then(|at| list.get(at))
            .map_or(0, |&(_, modes)| modes)
    }
}

/// The tables and modes that a watcher type speaks of.
const fn tables_of(kind: WatcherType) -> &'static [(Kind, Mode)] {
    match kind {
        WatcherType::Children => &[(Kind::Child, STANDARD)],
        WatcherType::Data => &[(Kind::Data, STANDARD)],
        WatcherType::Any => &[(Kind::Data, Mode::MAX), (Kind::Child, Mode::MAX)],
        WatcherType::Persistent => &[(Kind::Data, PERSISTENT), (Kind::Child, PERSISTENT)],
        WatcherType::PersistentRecursive => &[(Kind::Data, RECURSIVE)],
    }
}

/// The watched path of the parent: `/` for a top node, unlike the tree's alias.
fn parent_of(path: &str) -> &str {
    match quorate_wire::path::parent(path) {
        "" => "/",
        parent => parent,
    }
}

fn key_index(key: u32) -> usize {
    usize::try_from(key).unwrap_or(usize::MAX)
}

/// This part of what is left to be swept goes in one step at least.
const BACKLOG: usize = 256;

#[cfg(test)]
mod tests;
