//! What a client watches, and what it must therefore be told, in which order.
//!
//! A naive copy of the rules: which changes fire which watches, and which of them are gone then. With the history of
//! changes it says exactly which notifications have to come before a reply.

use crate::sim::model::{Change, Kind, Model, parent};
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::op::set_watches::SetWatches2Request;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A notification: the transaction, what happened, and where.
pub(super) type Notice = (i64, EventType, String);

/// The watches of one client.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    /// The data table.
    data: BTreeMap<String, Modes>,
    /// The child table.
    child: BTreeMap<String, Modes>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Modes {
    once: bool,
    /// The one-shot watch waits for a creation.
    exist: bool,
    persistent: bool,
    recursive: bool,
}

impl Modes {
    const fn any(self) -> bool {
        self.once || self.persistent || self.recursive
    }
}

impl Watches {
    /// Whether there is none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.child.is_empty()
    }

    /// A one-shot watch on data; `exist` when there was no node.
    pub(super) fn watch_data(&mut self, path: &str, exist: bool) {
        let modes = self.data.entry(path.to_owned()).or_default();
        (modes.once, modes.exist) = (true, exist);
    }

    /// A one-shot watch on children.
    pub(super) fn watch_children(&mut self, path: &str) {
        self.child.entry(path.to_owned()).or_default().once = true;
    }

    /// A persistent watch.
    pub(super) fn add(&mut self, path: &str, recursive: bool) {
        let data = self.data.entry(path.to_owned()).or_default();
        if recursive {
            data.recursive = true;
        } else {
            data.persistent = true;
            self.child.entry(path.to_owned()).or_default().persistent = true;
        }
    }

    /// Whether there is a watch of a type on a path.
    #[must_use]
    pub(super) fn has(&self, path: &str, kind: WatcherType) -> bool {
        let data = self.data.get(path).copied().unwrap_or_default();
        let child = self.child.get(path).copied().unwrap_or_default();
        match kind {
            WatcherType::Children => child.once,
            WatcherType::Data => data.once,
            WatcherType::Any => data.any() || child.any(),
            WatcherType::Persistent => data.persistent || child.persistent,
            WatcherType::PersistentRecursive => data.recursive,
        }
    }

    /// Removes the watches of a type on a path.
    pub(super) fn remove(&mut self, path: &str, kind: WatcherType) {
        let edit = |table: &mut BTreeMap<String, Modes>, change: fn(&mut Modes)| {
            if let Some(modes) = table.get_mut(path) {
                change(modes);
                if !modes.any() {
                    table.remove(path);
                }
            }
        };
        let (data, child) = (&mut self.data, &mut self.child);
        match kind {
            WatcherType::Children => edit(child, |m| m.once = false),
            WatcherType::Data => edit(data, |m| m.once = false),
            WatcherType::Any => {
                edit(data, |m| *m = Modes::default());
                edit(child, |m| *m = Modes::default());
            }
            WatcherType::Persistent => {
                edit(data, |m| m.persistent = false);
                edit(child, |m| m.persistent = false);
            }
            WatcherType::PersistentRecursive => edit(data, |m| m.recursive = false),
        }
    }

    /// What has to be told of a change; one-shot watches are gone afterwards.
    pub(super) fn fire(&mut self, zxid: i64, change: &Change) -> Vec<Notice> {
        let path = change.path.as_str();
        let mut notices = Vec::new();
        let mut tell = |event: EventType, path: &str| notices.push((zxid, event, path.to_owned()));
        let told = self.take_data(path);
        match change.kind {
            Kind::Changed => {
                if told {
                    tell(EventType::DataChanged, path);
                }
            }
            Kind::Created => {
                if told {
                    tell(EventType::Created, path);
                }
            }
            Kind::Deleted => {
                if take(&mut self.child, path) | told {
                    tell(EventType::Deleted, path);
                }
            }
        }
        if change.kind != Kind::Changed && take(&mut self.child, parent(path)) {
            tell(EventType::ChildrenChanged, parent(path));
        }
        notices
    }

    fn take_data(&mut self, path: &str) -> bool {
        let mut above = path;
        let mut recursive = false;
        while above != "/" {
            above = parent(above);
            recursive |= self.data.get(above).is_some_and(|modes| modes.recursive);
        }
        take(&mut self.data, path) | recursive
    }

    /// The request that arms them again, for a client that has seen everything up to `zxid`.
    #[must_use]
    pub(super) fn request(&self, zxid: i64) -> SetWatches2Request<'static> {
        let of = |table: &BTreeMap<String, Modes>, wanted: fn(&Modes) -> bool| {
            let paths = table.iter().filter(|(_, modes)| wanted(modes));
            Some(paths.map(|(path, _)| Cow::Owned(path.clone())).collect())
        };
        SetWatches2Request {
            relative_zxid: zxid,
            data: of(&self.data, |m| m.once && !m.exist),
            exist: of(&self.data, |m| m.once && m.exist),
            child: of(&self.child, |m| m.once),
            persistent: of(&self.data, |m| m.persistent),
            persistent_recursive: of(&self.data, |m| m.recursive),
        }
    }

    /// What has to be told at once when `request` is answered at `now`; the one-shot watches among them are gone.
    pub(super) fn catch_up(
        &mut self,
        request: &SetWatches2Request<'_>,
        model: &Model,
        now: i64,
    ) -> Vec<Notice> {
        let since = request.relative_zxid;
        let mut notices = Vec::new();
        let mut tell = |event, path: &str| notices.push((-1, event, path.to_owned()));
        for path in request.data.iter().flatten() {
            let missed = match model.at(path, now) {
                None => Some(EventType::Deleted),
                Some(node) => (node.stat.mzxid > since).then_some(EventType::DataChanged),
            };
            if let Some(event) = missed {
                tell(event, path);
                take(&mut self.data, path);
            }
        }
        for path in request.exist.iter().flatten() {
            if model.at(path, now).is_some() {
                tell(EventType::Created, path);
                take(&mut self.data, path);
            }
        }
        for path in request.child.iter().flatten() {
            let missed = match model.at(path, now) {
                None => Some(EventType::Deleted),
                Some(node) => (node.stat.pzxid > since).then_some(EventType::ChildrenChanged),
            };
            if let Some(event) = missed {
                tell(event, path);
                take(&mut self.child, path);
            }
        }
        notices
    }
}

/// Whether anything in the table waits for the path; what waits once is gone.
fn take(table: &mut BTreeMap<String, Modes>, path: &str) -> bool {
    let Some(modes) = table.get_mut(path) else { return false };
    modes.once = false;
    if !modes.any() {
        table.remove(path);
    }
    true
}
