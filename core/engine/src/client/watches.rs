//! Who waits for what: the client's side of watches.
//!
//! Several watches of the caller share one watch of the server. A watch is registered when the reply says that the
//! server has it, and fires by the table of `org.apache.zookeeper.ZKWatchManager`. One-shot watches are gone when they
//! have fired; persistent ones are told after a reconnect that they may have missed something, because a server
//! remembers nothing for them.
//!
//! What nobody wants any more is removed from the server, but never while a request that registers a watch at the same
//! path has no answer: nobody can tell which of the two the server would remove.

use super::effect::{Effect, Notice};
use super::rearm::{Batch, Rearm};
use super::reply::strip;
use super::request::WatchKey;
use quorate_wire::ErrorCode;
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The five kinds, as a server knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One-shot, on a node's data.
    Data,
    /// One-shot, on a node that was absent.
    Exist,
    /// One-shot, on a node's children.
    Child,
    /// Persistent, on one node.
    Persistent,
    /// Persistent, on a subtree.
    Recursive,
}

/// All watches of one session.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// Ordered, so that what is sent on a reconnect does not depend on chance.
    by_path: BTreeMap<Arc<str>, Slots>,
    by_key: BTreeMap<WatchKey, (Arc<str>, Kind)>,
    /// Registrations without an answer.
    awaited: BTreeMap<WatchKey, Awaited>,
    recursive: usize,
}

/// What there is at one path.
#[derive(Debug, Default)]
struct Slots {
    lists: [Vec<Watcher>; 5],
    /// Registrations here without an answer.
    awaited: usize,
    /// What the server may hold in vain, as bits of classes, until those answers have come.
    stale: u8,
}

#[derive(Clone, Copy, Debug)]
struct Watcher {
    key: WatchKey,
    root: usize,
}

/// Registrations of one key: answers come in order, so the first ones are those that were dropped.
#[derive(Clone, Copy, Debug, Default)]
struct Awaited {
    requests: usize,
    dropped: usize,
}

/// A watch of the server that nobody wants any more.
pub(super) type Unused = (Arc<str>, WatcherType);

impl Watches {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn knows(&self, key: WatchKey) -> bool {
        self.by_key.contains_key(&key) || self.awaited.contains_key(&key)
    }

    /// A request that registers a watch is on its way.
    pub(super) fn expect(&mut self, key: WatchKey, path: &str) {
        self.slots(path).1.awaited += 1;
        self.awaited.entry(key).or_default().requests += 1;
    }

    /// The request has ended: with a watch of this kind, or without one. `unused` gets what nobody wants any more.
    pub(super) fn settle(
        &mut self,
        key: WatchKey,
        path: &str,
        registered: Option<(Kind, usize)>,
        unused: &mut Vec<Unused>,
    ) {
        let dropped = self.settle_key(key);
        let (path, slots) = self.slots(path);
        slots.awaited = slots.awaited.saturating_sub(1);
        match registered {
            Some((kind, _)) if dropped => slots.stale |= kind.class().bit(),
            Some((kind, root)) => self.add(key, kind, &path, root, unused),
            None => {}
        }
        self.sweep(&path, unused);
    }

    fn settle_key(&mut self, key: WatchKey) -> bool {
        let Some(awaited) = self.awaited.get_mut(&key) else { return false };
        awaited.requests = awaited.requests.saturating_sub(1);
        let dropped = awaited.dropped > 0;
        awaited.dropped = awaited.dropped.saturating_sub(1);
        if awaited.requests == 0 {
            self.awaited.remove(&key);
        }
        dropped
    }

    /// A key has one watch: an earlier one elsewhere is gone.
    fn add(
        &mut self,
        key: WatchKey,
        kind: Kind,
        path: &Arc<str>,
        root: usize,
        unused: &mut Vec<Unused>,
    ) {
        let old = self.by_key.insert(key, (Arc::clone(path), kind));
        if old.as_ref().is_some_and(|(old, same)| old == path && *same == kind) {
            return;
        }
        self.slots(path).1.of(kind).push(Watcher { key, root });
        self.recursive += usize::from(kind == Kind::Recursive);
        if let Some((path, kind)) = old {
            self.take_out(key, &path, kind, unused);
        }
    }

    /// Forgets a watch, or the registrations that are on their way.
    pub(super) fn forget(&mut self, key: WatchKey, unused: &mut Vec<Unused>) {
        if let Some(awaited) = self.awaited.get_mut(&key) {
            awaited.dropped = awaited.requests;
        }
        if let Some((path, kind)) = self.by_key.remove(&key) {
            self.take_out(key, &path, kind, unused);
        }
    }

    fn take_out(&mut self, key: WatchKey, path: &Arc<str>, kind: Kind, unused: &mut Vec<Unused>) {
        self.recursive -= usize::from(kind == Kind::Recursive);
        let slots = self.slots(path).1;
        slots.of(kind).retain(|watcher| watcher.key != key);
        slots.stale |= kind.class().bit();
        self.sweep(path, unused);
    }

    /// Removes from the server what is held there in vain, and from here what is empty.
    fn sweep(&mut self, path: &Arc<str>, unused: &mut Vec<Unused>) {
        let Some(slots) = self.by_path.get_mut(path) else { return };
        if slots.awaited > 0 {
            return;
        }
        let stale = std::mem::take(&mut slots.stale);
        if slots.is_empty() {
            self.by_path.remove(path);
            if stale != 0 {
                // Everything at once: servers before 3.9 do not know the types apart.
                unused.push((Arc::clone(path), WatcherType::Any));
            }
            return;
        }
        let lasting = slots.has(Kind::Persistent) || slots.has(Kind::Recursive);
        for class in CLASSES {
            // Servers before 3.9 would take a lasting watch for the one-shot watch that is meant. It fires once, unheard.
            let once = matches!(class, Class::Data | Class::Child);
            let wanted = KINDS.into_iter().any(|kind| kind.class() == class && slots.has(kind));
            if stale & class.bit() != 0 && !wanted && !(once && lasting) {
                unused.push((Arc::clone(path), class.watcher_type()));
            }
        }
    }

    /// Tells everyone who waits for this event.
    pub(super) fn fire(
        &mut self,
        kind: EventType,
        path: &str,
        zxid: Option<i64>,
        out: &mut Vec<Effect>,
    ) {
        let mut tell = |watcher: Watcher| {
            let path = strip(Cow::Borrowed(path), watcher.root);
            out.push(Effect::Event {
                watch: watcher.key,
                event: Notice::Changed { kind, path, zxid },
            });
        };
        if let Some(slots) = self.by_path.get_mut(path) {
            let once: &[Kind] = match kind {
                EventType::Created | EventType::DataChanged => &[Kind::Data, Kind::Exist],
                EventType::ChildrenChanged => &[Kind::Child],
                EventType::Deleted => &[Kind::Data, Kind::Exist, Kind::Child],
            };
            for &kind in once {
                for watcher in std::mem::take(slots.of(kind)) {
                    self.by_key.remove(&watcher.key);
                    tell(watcher);
                }
            }
            slots.of(Kind::Persistent).iter().copied().for_each(&mut tell);
            if slots.is_empty() && slots.awaited == 0 {
                self.by_path.remove(path);
            }
        }
        if self.recursive > 0 && kind != EventType::ChildrenChanged {
            for ancestor in with_ancestors(path) {
                if let Some(slots) = self.by_path.get_mut(ancestor) {
                    slots.of(Kind::Recursive).iter().copied().for_each(&mut tell);
                }
            }
        }
    }

    /// A child came or went: tells the one-shot watches on the children of a parent that has a recursive watch as well.
    pub(super) fn fire_children_of_parent(
        &mut self,
        path: &str,
        zxid: Option<i64>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(parent) = with_ancestors(path).nth(1)
            && self.has(parent, Kind::Recursive)
            && self.has(parent, Kind::Child)
        {
            self.fire(EventType::ChildrenChanged, parent, zxid, out);
        }
    }

    /// Ends every watch.
    pub(super) fn end(&mut self, code: ErrorCode, out: &mut Vec<Effect>) {
        self.by_path.retain(|_, slots| {
            slots.lists = <[Vec<Watcher>; 5]>::default();
            slots.awaited > 0
        });
        self.recursive = 0;
        for watch in std::mem::take(&mut self.by_key).into_keys() {
            out.push(Effect::Event { watch, event: Notice::Ended(code) });
        }
    }

    /// The server has removed its watches of a type on its owner's demand: nobody will hear from them.
    pub(super) fn removed(&mut self, path: &str, kind: WatcherType, out: &mut Vec<Effect>) {
        let Some(slots) = self.by_path.get_mut(path) else { return };
        let meant =
            |own: &Kind| matches!(kind, WatcherType::Any) || kind == own.class().watcher_type();
        for kind in KINDS.into_iter().filter(meant) {
            for watcher in std::mem::take(slots.of(kind)) {
                self.recursive -= usize::from(kind == Kind::Recursive);
                self.by_key.remove(&watcher.key);
                let event = Notice::Ended(ErrorCode::NoWatcher);
                out.push(Effect::Event { watch: watcher.key, event });
            }
        }
        if slots.is_empty() && slots.awaited == 0 {
            self.by_path.remove(path);
        }
    }

    /// The persistent ones: who may have missed something when a reconnect lies behind them.
    pub(super) fn lasting_keys(&self) -> impl Iterator<Item = WatchKey> {
        self.by_key.iter().filter(|(_, (_, kind))| kind.is_lasting()).map(|(&key, _)| key)
    }

    pub(super) fn is_lasting(&self, key: WatchKey) -> bool {
        self.by_key.get(&key).is_some_and(|(_, kind)| kind.is_lasting())
    }

    /// The lasting watch at a path; where there are both, the one that reaches farther.
    pub(super) fn lasting_kind(&self, path: &str) -> Option<Kind> {
        [Kind::Recursive, Kind::Persistent].into_iter().find(|&kind| self.has(path, kind))
    }

    /// A path with a recursive watch and a one-shot watch on children, if there is one.
    pub(super) fn children_below_recursive(&self) -> Option<Arc<str>> {
        let both = |slots: &Slots| slots.has(Kind::Recursive) && slots.has(Kind::Child);
        let mut paths = self.by_path.iter().filter(|_| self.recursive > 0);
        paths.find(|(_, slots)| both(slots)).map(|(path, _)| Arc::clone(path))
    }

    pub(super) fn has(&self, path: &str, kind: Kind) -> bool {
        self.by_path.get(path).is_some_and(|slots| slots.has(kind))
    }

    pub(super) fn keys_of(&self, path: &str, kind: Kind) -> impl Iterator<Item = WatchKey> {
        let slots = self.by_path.get(path).into_iter();
        slots.flat_map(move |slots| slots.list(kind)).map(|watcher| watcher.key)
    }

    /// Writes the requests that give a new connection the watches. Answers how many there are.
    pub(super) fn write_rearm(&self, relative_zxid: i64, out: &mut Vec<u8>) -> usize {
        let mut rearm = Rearm::new(relative_zxid, out);
        let mut batch = Batch::default();
        for (path, slots) in &self.by_path {
            for (kind, list) in KINDS.into_iter().zip(&slots.lists) {
                if !list.is_empty() {
                    rearm.add(&mut batch, kind, path);
                }
            }
        }
        rearm.finish(batch)
    }

    /// Whether nothing is kept at all.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.by_path.is_empty() && self.by_key.is_empty() && self.awaited.is_empty()
    }

    fn slots(&mut self, path: &str) -> (Arc<str>, &mut Slots) {
        let path = match self.by_path.get_key_value(path) {
            Some((path, _)) => Arc::clone(path),
            None => Arc::from(path),
        };
        let slots = self.by_path.entry(Arc::clone(&path)).or_default();
        (path, slots)
    }
}

impl Slots {
    const fn of(&mut self, kind: Kind) -> &mut Vec<Watcher> {
        let [data, exist, child, persistent, recursive] = &mut self.lists;
        match kind {
            Kind::Data => data,
            Kind::Exist => exist,
            Kind::Child => child,
            Kind::Persistent => persistent,
            Kind::Recursive => recursive,
        }
    }

    const fn list(&self, kind: Kind) -> &Vec<Watcher> {
        let [data, exist, child, persistent, recursive] = &self.lists;
        match kind {
            Kind::Data => data,
            Kind::Exist => exist,
            Kind::Child => child,
            Kind::Persistent => persistent,
            Kind::Recursive => recursive,
        }
    }

    const fn has(&self, kind: Kind) -> bool {
        !self.list(kind).is_empty()
    }

    fn is_empty(&self) -> bool {
        self.lists.iter().all(Vec::is_empty)
    }
}

/// What a server tells apart: it has one one-shot watch on data, whether the node was there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Data,
    Child,
    Persistent,
    Recursive,
}

impl Kind {
    const fn is_lasting(self) -> bool {
        matches!(self, Self::Persistent | Self::Recursive)
    }

    const fn class(self) -> Class {
        match self {
            Self::Data | Self::Exist => Class::Data,
            Self::Child => Class::Child,
            Self::Persistent => Class::Persistent,
            Self::Recursive => Class::Recursive,
        }
    }
}

impl Class {
    const fn bit(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Child => 2,
            Self::Persistent => 4,
            Self::Recursive => 8,
        }
    }

    const fn watcher_type(self) -> WatcherType {
        match self {
            Self::Data => WatcherType::Data,
            Self::Child => WatcherType::Children,
            Self::Persistent => WatcherType::Persistent,
            Self::Recursive => WatcherType::PersistentRecursive,
        }
    }
}

/// A path, then its ancestors up to the root.
fn with_ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/"),
        Some((parent, _)) => Some(parent),
    })
}

const KINDS: [Kind; 5] = [Kind::Data, Kind::Exist, Kind::Child, Kind::Persistent, Kind::Recursive];
const CLASSES: [Class; 4] = [Class::Data, Class::Child, Class::Persistent, Class::Recursive];
