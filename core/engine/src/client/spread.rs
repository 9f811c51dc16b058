//! What many clients are told at the same time, told to each at its own: that a reconnect lies behind its persistent watches.
//!
//! After a restart of a server all its clients come back, and each reads again what it watches. Spread over a while, these
//! reads do not come at once: one watch is told at a moment by chance, many of one session evenly over the whole while, from
//! a moment by chance on.

use super::effect::{Effect, Notice};
use super::request::WatchKey;
use super::session::ClientSession;
use std::collections::VecDeque;

/// The watches that are still to be told.
#[derive(Debug, Default)]
pub(super) struct Spread {
    waiting: VecDeque<WatchKey>,
    /// How many have been told.
    told: usize,
    since: i64,
    within: i64,
    /// By how much everybody is later, before division by their number: below `within`.
    offset: i64,
}

impl Spread {
    /// When the next one is due.
    pub(super) fn due_at(&self) -> Option<i64> {
        let number = self.told.saturating_add(self.waiting.len());
        (!self.waiting.is_empty()).then(|| {
            // The product of two of them has room in twice the width.
            let [told, number] =
                [self.told, number].map(|n| i128::try_from(n).unwrap_or(i128::MAX));
            let whole = i128::from(self.within).saturating_mul(told) + i128::from(self.offset);
            let pause = whole.checked_div(number).unwrap_or(0);
            self.since.saturating_add(i64::try_from(pause).unwrap_or(i64::MAX))
        })
    }

    fn take(&mut self, now: i64) -> Option<WatchKey> {
        if self.due_at()? > now {
            return None;
        }
        self.told += 1;
        self.waiting.pop_front()
    }
}

impl ClientSession {
    /// All watches are set again: those that may have missed something are told, at once or spread.
    pub(super) fn tell_missed(&mut self, now: i64) {
        let within = self.settings.spread.max(0);
        let waiting = self.watches.lasting_keys().collect();
        self.spread =
            Spread { waiting, told: 0, since: now, within, offset: self.random.pause(within) };
        self.tell_due(now);
    }

    /// Tells those whose time has come.
    pub(super) fn tell_due(&mut self, now: i64) {
        while let Some(watch) = self.spread.take(now) {
            // It may have been dropped meanwhile.
            if self.watches.is_lasting(watch) {
                self.effects.push_back(Effect::Event { watch, event: Notice::Missed });
            }
        }
    }

    /// The connection is gone: who was not told yet will be, after the next.
    pub(super) fn forget_spread(&mut self) {
        self.spread = Spread::default();
    }
}
