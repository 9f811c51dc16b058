//! Whose watches they are: one watcher per connection that ever watched something, and the totals.
//!
//! A watcher outlives its connection until each of its paths has been cleared, which takes a while if there are many. From the
//! moment in which the connection closes its watches do not count and nobody is told of them; its slot may have the next
//! tenant at once, who is another watcher. Used by the table only.

use super::{Kind, Slot, key_index};
use slab::Slab;
use std::collections::VecDeque;

/// Names a watcher; reused after it is gone from every path.
pub(super) type Id = u32;

/// All watchers, also those that are leaving.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    all: Slab<Watcher>,
    /// Per slot, the watcher who has it.
    of_slot: Vec<Option<Id>>,
    /// Whose connections are closed, oldest first.
    leaving: VecDeque<Id>,
    /// How many paths they have left.
    left: usize,
    /// Of those who are not leaving.
    pub(super) totals: Totals,
}

/// Numbers of watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) data: usize,
    pub(super) child: usize,
    /// Those among the first that see descendants.
    pub(super) recursive: usize,
}

#[derive(Debug)]
struct Watcher {
    /// `None` when it is leaving.
    slot: Option<Slot>,
    /// The paths it (perhaps still) watches; stale entries are dropped now and then.
    paths: Vec<u32>,
    counts: Totals,
}

impl Watchers {
    /// The watcher in a slot.
    pub(super) fn of(&self, slot: Slot) -> Option<Id> {
        self.of_slot.get(key_index(slot)).copied().flatten()
    }

    /// The watcher in a slot, who is entered if need be.
    pub(super) fn enter(&mut self, slot: Slot) -> Id {
        if let Some(id) = self.of(slot) {
            return id;
        }
        let watcher = Watcher { slot: Some(slot), paths: Vec::new(), counts: Totals::default() };
        let id = Id::try_from(self.all.insert(watcher)).unwrap_or(Id::MAX);
        let at = key_index(slot);
        if self.of_slot.len() <= at {
            self.of_slot.resize(at + 1, None);
        }
        if let Some(place) = self.of_slot.get_mut(at) {
            *place = Some(id);
        }
        id
    }

    /// Whom to tell; nobody if the watcher is leaving.
    pub(super) fn slot(&self, id: Id) -> Option<Slot> {
        self.all.get(key_index(id))?.slot
    }

    /// Notes a watch on a path that the watcher had none of this kind on. Returns whether its list has become so long
    /// that stale paths should go.
    pub(super) fn gain(&mut self, id: Id, kind: Kind, path: u32) -> bool {
        *self.totals.of(kind) += 1;
        let Some(watcher) = self.all.get_mut(key_index(id)) else { return false };
        *watcher.counts.of(kind) += 1;
        watcher.paths.push(path);
        let live = watcher.counts.data + watcher.counts.child;
        watcher.paths.len() >= 16 && watcher.paths.len() >= live * 2
    }

    /// Notes that a watch is gone. Those of one who is leaving have been discounted before.
    pub(super) fn lose(&mut self, id: Id, kind: Kind) {
        self.discount(id, |totals| totals.of(kind));
    }

    /// Notes that a watch sees descendants from now on.
    pub(super) fn gain_recursive(&mut self, id: Id) {
        self.totals.recursive += 1;
        if let Some(watcher) = self.all.get_mut(key_index(id)) {
            watcher.counts.recursive += 1;
        }
    }

    /// Notes that a watch does not see descendants any more.
    pub(super) fn lose_recursive(&mut self, id: Id) {
        self.discount(id, |totals| &mut totals.recursive);
    }

    /// The list of a watcher's paths, to be replaced.
    pub(super) fn paths(&mut self, id: Id) -> Option<&mut Vec<u32>> {
        self.all.get_mut(key_index(id)).map(|watcher| &mut watcher.paths)
    }

    /// The connection in a slot is closed.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(id) = self.of_slot.get_mut(key_index(slot)).and_then(Option::take) else { return };
        let Some(watcher) = self.all.get_mut(key_index(id)) else { return };
        let Totals { data, child, recursive } = std::mem::take(&mut watcher.counts);
        watcher.slot = None;
        self.left += watcher.paths.len();
        self.totals.data -= data;
        self.totals.child -= child;
        self.totals.recursive -= recursive;
        self.leaving.push_back(id);
    }

    /// Whether somebody is leaving.
    pub(super) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// How many paths have to be cleared of those who are leaving.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Up to so many paths that have to be cleared of somebody who is leaving; none when that was all of his.
    pub(super) fn next_leaving(&mut self, most: usize) -> Option<(Id, Vec<u32>)> {
        let &id = self.leaving.front()?;
        let paths = self
            .paths(id)
            .map_or_else(Vec::new, |paths| paths.split_off(paths.len().saturating_sub(most)));
        self.left -= paths.len();
        if paths.is_empty() {
            self.leaving.pop_front();
            self.all.try_remove(key_index(id));
        }
        Some((id, paths))
    }

    fn discount(&mut self, id: Id, which: impl Fn(&mut Totals) -> &mut usize) {
        let Some(watcher) = self.all.get_mut(key_index(id)) else { return };
        if watcher.slot.is_some() {
            *which(&mut watcher.counts) -= 1;
            *which(&mut self.totals) -= 1;
        }
    }
}

impl Totals {
    const fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Child => &mut self.child,
        }
    }
}
