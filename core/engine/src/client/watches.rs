//! Who waits for what: the client's side of watches.
//!
//! Several watches of the caller share one watch of the server. A watch is registered when the reply says that the
//! server has it, and fires by the table of `org.apache.zookeeper.ZKWatchManager`. One-shot watches are gone when they
//! have fired; persistent ones are told after a reconnect that they may have missed something, because a server
//! remembers nothing for them.

use super::effect::{Effect, Notice};
use super::reply::strip;
use super::request::WatchKey;
use quorate_wire::ErrorCode;
use quorate_wire::event::EventType;
use quorate_wire::frame::{RequestHeader, SET_WATCHES_XID, write_frame};
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::{Jute, OpCode};
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
    recursive: usize,
}

#[derive(Debug, Default)]
struct Slots([Vec<Watcher>; 5]);

#[derive(Clone, Copy, Debug)]
struct Watcher {
    key: WatchKey,
    root: usize,
}

impl Watches {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn add(&mut self, key: WatchKey, kind: Kind, path: &str, root: usize) {
        let path = match self.by_path.get_key_value(path) {
            Some((path, _)) => Arc::clone(path),
            None => Arc::from(path),
        };
        self.by_path.entry(Arc::clone(&path)).or_default().of(kind).push(Watcher { key, root });
        self.recursive += usize::from(kind == Kind::Recursive);
        self.by_key.insert(key, (path, kind));
    }

    /// Forgets a watch. Answers which watch of the server nobody wants any more, if that is so.
    pub(super) fn remove(&mut self, key: WatchKey) -> Option<(Arc<str>, WatcherType)> {
        let (path, kind) = self.by_key.remove(&key)?;
        self.recursive -= usize::from(kind == Kind::Recursive);
        let slots = self.by_path.get_mut(&path)?;
        slots.of(kind).retain(|watcher| watcher.key != key);
        let unused = match kind {
            Kind::Data | Kind::Exist if slots.has(Kind::Data) || slots.has(Kind::Exist) => None,
            kind if slots.has(kind) => None,
            // Everything at once where nothing is left: servers before 3.9 do not know the types apart.
            _ if slots.is_empty() => Some(WatcherType::Any),
            Kind::Data | Kind::Exist => Some(WatcherType::Data),
            Kind::Child => Some(WatcherType::Children),
            Kind::Persistent => Some(WatcherType::Persistent),
            Kind::Recursive => Some(WatcherType::PersistentRecursive),
        };
        if slots.is_empty() {
            self.by_path.remove(&path);
        }
        unused.map(|kind| (path, kind))
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
            if slots.is_empty() {
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

    /// Ends every watch.
    pub(super) fn end(&mut self, code: ErrorCode, out: &mut Vec<Effect>) {
        self.by_path.clear();
        self.recursive = 0;
        for watch in std::mem::take(&mut self.by_key).into_keys() {
            out.push(Effect::Event { watch, event: Notice::Ended(code) });
        }
    }

    /// Tells the persistent ones that a reconnect lies behind them.
    pub(super) fn missed(&self, out: &mut Vec<Effect>) {
        for (&watch, (_, kind)) in &self.by_key {
            if matches!(kind, Kind::Persistent | Kind::Recursive) {
                out.push(Effect::Event { watch, event: Notice::Missed });
            }
        }
    }

    /// Writes the requests that give a new connection the watches. Answers how many there are.
    pub(super) fn write_rearm(&self, relative_zxid: i64, out: &mut Vec<u8>) -> usize {
        let mut frames = 0;
        let mut batch = Batch::default();
        for (path, slots) in &self.by_path {
            for (kind, list) in KINDS.into_iter().zip(&slots.0) {
                if list.is_empty() {
                    continue;
                }
                batch.add(kind, path);
                if batch.bytes >= MAX_BATCH {
                    std::mem::take(&mut batch).write(relative_zxid, out);
                    frames += 1;
                }
            }
        }
        if batch.bytes > 0 {
            batch.write(relative_zxid, out);
            frames += 1;
        }
        frames
    }
}

impl Slots {
    fn of(&mut self, kind: Kind) -> &mut Vec<Watcher> {
        let [data, exist, child, persistent, recursive] = &mut self.0;
        match kind {
            Kind::Data => data,
            Kind::Exist => exist,
            Kind::Child => child,
            Kind::Persistent => persistent,
            Kind::Recursive => recursive,
        }
    }

    fn has(&mut self, kind: Kind) -> bool {
        !self.of(kind).is_empty()
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }
}

/// The paths of one setWatches request.
#[derive(Default)]
struct Batch<'a> {
    paths: [Vec<Cow<'a, str>>; 5],
    bytes: usize,
}

impl<'a> Batch<'a> {
    fn add(&mut self, kind: Kind, path: &'a str) {
        let [data, exist, child, persistent, recursive] = &mut self.paths;
        let list = match kind {
            Kind::Data => data,
            Kind::Exist => exist,
            Kind::Child => child,
            Kind::Persistent => persistent,
            Kind::Recursive => recursive,
        };
        list.push(Cow::Borrowed(path));
        self.bytes = self.bytes.saturating_add(path.len()).saturating_add(4);
    }

    /// The older request where it will do: servers before 3.6 know no other.
    fn write(self, relative_zxid: i64, out: &mut Vec<u8>) {
        let [data, exist, child, persistent, recursive] = self.paths.map(Some);
        let none = |list: &Option<Vec<_>>| list.as_ref().is_none_or(Vec::is_empty);
        write_frame(out, |out| {
            if none(&persistent) && none(&recursive) {
                RequestHeader { xid: SET_WATCHES_XID, op: OpCode::SetWatches.code() }.write(out);
                SetWatchesRequest { relative_zxid, data, exist, child }.write(out);
            } else {
                RequestHeader { xid: SET_WATCHES_XID, op: OpCode::SetWatches2.code() }.write(out);
                let persistent_recursive = recursive;
                SetWatches2Request {
                    relative_zxid,
                    data,
                    exist,
                    child,
                    persistent,
                    persistent_recursive,
                }
                .write(out);
            }
        });
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
/// Bytes of path text in one request; Apache's client uses the same. A frame may have 1 MiB.
const MAX_BATCH: usize = 128 * 1024;
