//! Servers that keep one watch per path and connection: a one-shot read takes the place of a lasting watch there.
//!
//! Before 3.9 the mode that was set last wins, so that after a one-shot read on the path of a persistent watch the server forgets
//! both with the next event. The client finds out by asking, once per connection and only when it matters, whether the lasting watch is
//! still there: later servers say so, earlier ones have it no more or do not know the question. Then the lasting watch is set again, which
//! serves the one-shot watch as well (one on children by what happens to each child, where it is recursive), and is told that it may have
//! missed something in between.
//! Two lasting watches of different reach at one path are beyond help: there the recursive one stays.
//!
//! Source: ZOOKEEPER-4466 and 4472, `WatcherModeManager.setWatcherMode` of 3.6 to 3.8.

use super::effect::{Effect, Notice};
use super::link::Link;
use super::pending::Waiter;
use super::request::Request;
use super::session::ClientSession;
use super::watches::Kind;
use quorate_wire::op::remove_watches::WatcherType;

impl ClientSession {
    /// A one-shot watch was set at `path`.
    pub(super) fn look_after_lasting(&mut self, path: &str) {
        let Some(kind) = self.watches.lasting_kind(path) else { return };
        let Link::Up(live) = &self.link else { return };
        match live.keeps_modes {
            Some(true) => {}
            Some(false) => self.set_lasting_again(path),
            None => {
                let kind = match kind {
                    Kind::Recursive => WatcherType::PersistentRecursive,
                    _ => WatcherType::Persistent,
                };
                self.keep_house(&Request::CheckWatches { path, kind }, Waiter::Modes);
            }
        }
    }

    /// A recursive watch was set at `path`, maybe beside a one-shot watch on children, which it silences there if the server keeps one: then
    /// the client has to know.
    pub(super) fn look_after_children(&mut self, path: &str) {
        let known = matches!(&self.link, Link::Up(live) if live.keeps_modes.is_some());
        if !known && self.watches.has(path, Kind::Child) {
            self.look_after_lasting(path);
        }
    }

    /// The answer: whether the server has a lasting watch beside a one-shot watch.
    pub(super) fn learn_modes(&mut self, path: &str, has_it: bool) {
        // It may have been dropped meanwhile, which says nothing about the server.
        if self.watches.lasting_kind(path).is_none() {
            return;
        }
        if let Link::Up(live) = &mut self.link {
            live.keeps_modes = Some(has_it);
        }
        if !has_it {
            self.set_lasting_again(path);
        }
    }

    fn set_lasting_again(&mut self, path: &str) {
        for (kind, recursive) in [(Kind::Persistent, false), (Kind::Recursive, true)] {
            if self.watches.has(path, kind) {
                let again = Request::AddWatch { path, recursive, watch: 0 };
                self.keep_house(&again, Waiter::Lasting { recursive });
            }
        }
    }

    /// Whether a recursive watch, set again, silences a one-shot watch on the children of its root: such a server tells it of each child,
    /// but no change of "the children".
    pub(super) const fn forgets_children(&self) -> bool {
        matches!(&self.link, Link::Up(live) if matches!(live.keeps_modes, Some(false)))
    }

    /// The lasting watch is there again, or refused.
    pub(super) fn lasting_set(&mut self, path: &str, recursive: bool, done: bool) {
        let kind = if recursive { Kind::Recursive } else { Kind::Persistent };
        if done {
            let told = self.watches.keys_of(path, kind);
            let told = told.map(|watch| Effect::Event { watch, event: Notice::Missed });
            self.effects.extend(told);
        } else {
            let kind =
                if recursive { WatcherType::PersistentRecursive } else { WatcherType::Persistent };
            let mut told = Vec::new();
            self.watches.removed(path, kind, &mut told);
            self.effects.extend(told);
        }
    }
}
