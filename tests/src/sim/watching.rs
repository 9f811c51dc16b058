//! What a session's owner has to be told, as seen from outside the client: the history of changes on one side, its watches on the
//! other.
//!
//! Checked here: a one-shot watch fires or ends, once, for a reason, and before any reply that shows a later state, also over
//! reconnects; a persistent one is told every change while the connection lasts, in order, and after a reconnect that it may
//! have missed some; whoever was forgotten hears nothing.

use super::env::{Checked, Violation, ensure};
use super::history::History;
use super::model::{self, Change, parent};
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Once, on the data of a node that is there.
    Data,
    /// Once, on a node that is not there.
    Exist,
    /// Once, on the children of a node.
    Child,
    /// Always, on a node.
    Persistent,
    /// Always, on a subtree.
    Recursive,
}

/// The watches of one session.
#[derive(Debug, Default)]
pub(super) struct Watching {
    watches: BTreeMap<u64, Watch>,
    /// Changes up to here have been held against the one-shot watches.
    cursor: i64,
    /// Whether the connection knows the watches.
    armed: bool,
    /// The server has removed these: they must be told at once.
    leaving: BTreeSet<u64>,
}

#[derive(Debug)]
struct Watch {
    path: String,
    kind: Kind,
    /// What happened after this concerns it.
    since: i64,
    /// The first change that a one-shot watch waited for.
    due: Option<i64>,
    /// What a persistent one was told since then.
    told: Vec<(EventType, String)>,
    /// It must be told that it may have missed something.
    owed: bool,
}

impl Watching {
    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    pub(super) fn keys(&self) -> Vec<u64> {
        self.watches.keys().copied().collect()
    }

    /// What a watch is on.
    pub(super) fn path(&self, key: u64) -> Option<&str> {
        self.watches.get(&key).map(|watch| watch.path.as_str())
    }

    /// The watches of a type on a path.
    pub(super) fn of_type(&self, path: &str, kind: WatcherType) -> BTreeSet<u64> {
        let meant = |watch: &Watch| watch.path == path && watch.kind.is_of(kind);
        self.watches.iter().filter(|(_, watch)| meant(watch)).map(|(key, _)| *key).collect()
    }

    /// A reply says that there are no such watches any more.
    pub(super) fn remove(&mut self, keys: BTreeSet<u64>) {
        self.leaving = keys;
    }

    /// Whoever was removed has been told.
    pub(super) fn left(&self) -> Checked {
        ensure!(self.leaving.is_empty(), "not told that they were removed: {:?}", self.leaving);
        Ok(())
    }

    /// A reply says that there is a watch.
    pub(super) fn add(&mut self, key: u64, kind: Kind, path: String, zxid: i64) {
        if self.watches.is_empty() {
            self.cursor = self.cursor.max(zxid);
        }
        let watch = Watch { path, kind, since: zxid, due: None, told: Vec::new(), owed: false };
        self.watches.insert(key, watch);
    }

    /// The owner does not want it any more.
    pub(super) fn forget(&mut self, key: u64) {
        self.watches.remove(&key);
    }

    /// A new connection: it knows the watches when it has been told.
    pub(super) fn connected(&mut self) {
        self.armed = self.watches.is_empty();
    }

    /// A reply of the state at `zxid` comes now: everything up to there must have been told. `rearmed` when it says that the
    /// connection knows the watches again.
    pub(super) fn replied(&mut self, history: &History, zxid: i64, rearmed: bool) -> Checked {
        self.advance(history, zxid);
        for (key, watch) in &mut self.watches {
            if watch.kind.is_lasting() {
                if self.armed {
                    let expected = watch.expected(history, zxid);
                    ensure!(
                        watch.told == expected,
                        "watch {key} on {} was told {:?} since {:#x}, expected {expected:?} up to {zxid:#x}",
                        watch.path,
                        watch.told,
                        watch.since
                    );
                }
                if self.armed || rearmed {
                    watch.since = watch.since.max(zxid);
                    watch.told.clear();
                    watch.owed |= rearmed;
                }
                continue;
            }
            let gone = history.model.at(&watch.path, zxid).is_none();
            if rearmed && watch.kind == Kind::Exist && gone {
                // It was there for a moment while nobody looked: the protocol cannot tell.
                (watch.since, watch.due) = (zxid, None);
            }
            ensure!(
                watch.due.is_none(),
                "watch {key} ({:?} on {}) was not told of {:x?} before a reply of {zxid:#x}",
                watch.kind,
                watch.path,
                watch.due
            );
        }
        self.armed |= rearmed;
        Ok(())
    }

    /// Holds changes up to a zxid against the one-shot watches.
    fn advance(&mut self, history: &History, zxid: i64) {
        while self.cursor < zxid {
            self.cursor += 1;
            for change in history.changes(self.cursor) {
                for watch in self.watches.values_mut() {
                    if watch.since < self.cursor && watch.kind.once(&watch.path, change) {
                        watch.due.get_or_insert(self.cursor);
                    }
                }
            }
        }
    }

    /// The owner is told of a change.
    pub(super) fn told(
        &mut self,
        history: &History,
        key: u64,
        event: EventType,
        path: &str,
    ) -> Checked {
        let watch = self.known(key)?;
        if watch.kind.is_lasting() {
            watch.told.push((event, path.to_owned()));
            return Ok(());
        }
        let range = watch.since + 1..=history.durable();
        let mut changes = range.flat_map(|zxid| history.changes(zxid));
        ensure!(
            path == watch.path && changes.any(|change| watch.kind.once(&watch.path, change)),
            "watch {key} ({:?} on {}) was told {event:?} of {path} without a reason",
            watch.kind,
            watch.path
        );
        self.watches.remove(&key);
        Ok(())
    }

    /// The owner is told that it may have missed something.
    pub(super) fn missed(&mut self, key: u64) -> Checked {
        let watch = self.known(key)?;
        ensure!(watch.owed, "watch {key} is said to have missed something on a good connection");
        watch.owed = false;
        Ok(())
    }

    /// Everybody has been told what was owed.
    pub(super) fn settled(&self) -> Checked {
        let owed = self.watches.iter().find(|(_, watch)| watch.owed);
        ensure!(owed.is_none(), "not told that something may be missing: {owed:?}");
        Ok(())
    }

    /// The owner is told that there will be no more; `removed` if it is said to have been removed.
    pub(super) fn ended(&mut self, key: u64, removed: bool) -> Checked {
        self.known(key)?;
        let due = self.leaving.remove(&key);
        ensure!(
            due == removed,
            "watch {key} is told that it was removed: {removed}, it was: {due}"
        );
        self.watches.remove(&key);
        Ok(())
    }

    /// The connection is gone. What was told until then must have been right.
    pub(super) fn disconnected(&mut self, history: &History) -> Checked {
        for (key, watch) in self.watches.iter_mut().filter(|(_, watch)| watch.kind.is_lasting()) {
            let expected = watch.expected(history, history.durable());
            ensure!(
                !self.armed || expected.starts_with(&watch.told),
                "watch {key} on {} was told {:?} since {:#x}, expected {expected:?}",
                watch.path,
                watch.told,
                watch.since
            );
            watch.told.clear();
        }
        self.armed = false;
        Ok(())
    }

    fn known(&mut self, key: u64) -> Checked<&mut Watch> {
        let text = || Violation(format!("watch {key} hears something, but there is none"));
        self.watches.get_mut(&key).ok_or_else(text)
    }
}

impl Watch {
    /// What a persistent watch has to be told of everything up to `zxid`.
    fn expected(&self, history: &History, zxid: i64) -> Vec<(EventType, String)> {
        let changes = (self.since + 1..=zxid).flat_map(|zxid| history.changes(zxid));
        changes.filter_map(|change| self.kind.always(&self.path, change)).collect()
    }
}

impl Kind {
    const fn is_lasting(self) -> bool {
        matches!(self, Self::Persistent | Self::Recursive)
    }

    /// Whether it is meant by a type.
    const fn is_of(self, kind: WatcherType) -> bool {
        matches!(
            (kind, self),
            (WatcherType::Any, _)
                | (WatcherType::Data, Self::Data | Self::Exist)
                | (WatcherType::Children, Self::Child)
                | (WatcherType::Persistent, Self::Persistent)
                | (WatcherType::PersistentRecursive, Self::Recursive)
        )
    }

    /// Whether a one-shot watch fires.
    fn once(self, path: &str, change: &Change) -> bool {
        let here = change.path == path;
        match self {
            Self::Data | Self::Exist => here,
            Self::Child if here => change.kind == model::Kind::Deleted,
            Self::Child => is_child(path, change),
            Self::Persistent | Self::Recursive => false,
        }
    }

    /// What a persistent watch is told.
    fn always(self, path: &str, change: &Change) -> Option<(EventType, String)> {
        let event = match change.kind {
            model::Kind::Created => EventType::Created,
            model::Kind::Deleted => EventType::Deleted,
            model::Kind::Changed => EventType::DataChanged,
        };
        let below = || change.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        match self {
            _ if change.path == path => Some((event, path.to_owned())),
            Self::Persistent if is_child(path, change) => {
                Some((EventType::ChildrenChanged, path.to_owned()))
            }
            Self::Recursive if below() => Some((event, change.path.clone())),
            _ => None,
        }
    }
}

fn is_child(path: &str, change: &Change) -> bool {
    change.kind != model::Kind::Changed && change.path != "/" && parent(&change.path) == path
}
