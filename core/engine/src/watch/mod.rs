//! Who wants to be told of what: the watches of one shard's connections.
//!
//! A watch belongs to a connection and a path, in the *data* or the *child* table, with any of three modes.
//! A trigger names each connection at most once and in a fixed order. Firing only collects slots; the
//! shard filters by ACL and encodes. Source: `org.apache.zookeeper.server.watch.WatchManager` (3.9).

use crate::tree::TreeEvent;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use slab::Slab;
use std::hash::BuildHasher;

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
    /// Per slot, the paths it (perhaps still) watches; stale entries are dropped now and then.
    by_slot: Vec<Reverse>,
    recursive: usize,
    data_total: usize,
    total: usize,
}

#[derive(Debug)]
struct Watched {
    path: Box<str>,
    /// Sorted by slot.
    data: Vec<(Slot, Mode)>,
    /// Sorted by slot.
    child: Vec<(Slot, Mode)>,
}

#[derive(Debug, Default)]
struct Reverse {
    paths: Vec<u32>,
    live: usize,
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
            by_slot: Vec::new(),
            recursive: 0,
            data_total: 0,
            total: 0,
        }
    }

    /// Adds a watch; setting the same one twice changes nothing.
    pub fn add(&mut self, slot: Slot, path: &str, kind: Kind, mode: Mode) {
        let key = self.key_of(path);
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return };
        let list = watched.list(kind);
        let (fresh, gained) = match list.binary_search_by_key(&slot, |&(s, _)| s) {
            Ok(at) => list.get_mut(at).map_or((false, 0), |(_, modes)| {
                let gained = mode & !*modes;
                *modes |= mode;
                (false, gained)
            }),
            Err(at) => {
                list.insert(at, (slot, mode));
                (true, mode)
            }
        };
        self.recursive += usize::from(gained & RECURSIVE != 0);
        if fresh {
            self.total += 1;
            self.data_total += usize::from(kind == Kind::Data);
            let reverse = self.reverse(slot);
            reverse.live += 1;
            reverse.paths.push(key);
            self.compact(slot);
        }
    }

    /// Whether the slot has a matching watch on exactly this path.
    #[must_use]
    pub fn has(&self, slot: Slot, path: &str, kind: WatcherType) -> bool {
        self.find(path).and_then(|key| self.paths.get(key_index(key))).is_some_and(|watched| {
            tables_of(kind).iter().any(|&(table, mask)| watched.modes(table, slot) & mask != 0)
        })
    }

    /// Removes what matches; returns whether anything did.
    pub fn remove(&mut self, slot: Slot, path: &str, kind: WatcherType) -> bool {
        let Some(key) = self.find(path) else { return false };
        let mut any = false;
        for &(table, mask) in tables_of(kind) {
            any |= self.clear(key, slot, table, mask);
        }
        self.drop_if_empty(key);
        any
    }

    /// Forgets a connection.
    pub fn remove_slot(&mut self, slot: Slot) {
        let paths = std::mem::take(&mut self.reverse(slot).paths);
        for key in paths {
            self.clear(key, slot, Kind::Data, Mode::MAX);
            self.clear(key, slot, Kind::Child, Mode::MAX);
            self.drop_if_empty(key);
        }
    }

    /// Whether nobody watches anything, so that firing can be skipped.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
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
        if self.recursive == 0 {
            return;
        }
        let mut ancestor = path;
        while ancestor != "/" {
            ancestor = parent_of(ancestor);
            let watched = self.find(ancestor).and_then(|key| self.paths.get(key_index(key)));
            if let Some(watched) = watched {
                told.extend(
                    watched
                        .data
                        .iter()
                        .filter(|(_, modes)| modes & RECURSIVE != 0)
                        .map(|&(slot, _)| slot),
                );
            }
        }
        told.sort_unstable();
        told.dedup();
    }

    /// Everyone in one table at exactly the path; their one-shot watches are consumed.
    fn collect(&mut self, path: &str, kind: Kind, told: &mut Vec<Slot>) {
        let Some(key) = self.find(path) else { return };
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return };
        let list = watched.list(kind);
        told.extend(list.iter().map(|&(slot, _)| slot));
        let mut gone = Vec::new();
        list.retain_mut(|(slot, modes)| {
            *modes &= !STANDARD;
            if *modes == 0 {
                gone.push(*slot);
            }
            *modes != 0
        });
        self.total -= gone.len();
        self.data_total -= if kind == Kind::Data { gone.len() } else { 0 };
        for slot in gone {
            let reverse = self.reverse(slot);
            reverse.live = reverse.live.saturating_sub(1);
        }
        self.drop_if_empty(key);
    }

    fn clear(&mut self, key: u32, slot: Slot, kind: Kind, mask: Mode) -> bool {
        let Some(watched) = self.paths.get_mut(key_index(key)) else { return false };
        let list = watched.list(kind);
        let Ok(at) = list.binary_search_by_key(&slot, |&(s, _)| s) else { return false };
        let Some((_, modes)) = list.get_mut(at) else { return false };
        let lost = *modes & mask;
        *modes &= !mask;
        let gone = *modes == 0;
        if gone {
            list.remove(at);
            self.total -= 1;
            self.data_total -= usize::from(kind == Kind::Data);
            let reverse = self.reverse(slot);
            reverse.live = reverse.live.saturating_sub(1);
        }
        self.recursive -= usize::from(lost & RECURSIVE != 0);
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

    fn reverse(&mut self, slot: Slot) -> &mut Reverse {
        let at = key_index(slot);
        if self.by_slot.len() <= at {
            self.by_slot.resize_with(at + 1, Reverse::default);
        }
        #[expect(clippy::indexing_slicing, reason = "the vector has just been made long enough")]
        &mut self.by_slot[at]
    }

    /// Drops stale entries when they outnumber the live ones, so that the list stays proportional.
    fn compact(&mut self, slot: Slot) {
        let reverse = self.reverse(slot);
        if reverse.paths.len() < 16 || reverse.paths.len() < reverse.live * 2 {
            return;
        }
        let mut keys = std::mem::take(&mut reverse.paths);
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|&key| {
            self.paths.get(key_index(key)).is_some_and(|watched| {
                watched.modes(Kind::Data, slot) | watched.modes(Kind::Child, slot) != 0
            })
        });
        self.reverse(slot).paths = keys;
    }

    /// Paths with a data watch and the slots that watch them, sorted by path; for the `wch` words.
    #[must_use]
    pub fn data_watches(&self) -> Vec<(&str, Vec<Slot>)> {
        let mut all: Vec<_> = self
            .paths
            .iter()
            .filter(|(_, watched)| !watched.data.is_empty())
            .map(|(_, watched)| {
                (&*watched.path, watched.data.iter().map(|&(slot, _)| slot).collect())
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Number of watches in both tables.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Number of watches in the data table.
    #[must_use]
    pub const fn data_total(&self) -> usize {
        self.data_total
    }
}

impl Watched {
    const fn list(&mut self, kind: Kind) -> &mut Vec<(Slot, Mode)> {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Child => &mut self.child,
        }
    }

    fn modes(&self, kind: Kind, slot: Slot) -> Mode {
        let list = match kind {
            Kind::Data => &self.data,
            Kind::Child => &self.child,
        };
        list.binary_search_by_key(&slot, |&(s, _)| s)
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

#[cfg(test)]
mod tests;
