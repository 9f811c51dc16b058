//! How long a process lives on, counted in the effects of its rounds.
//!
//! A process may die between any two things that it does: between what it sends to one client and to the next, after a
//! report of the log and before the answers that follow from it, before it hands a segment to the log.

use std::cell::Cell;
use std::rc::Rc;

/// Shared by everything in a process that causes effects.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Rc<Cell<Option<u64>>>);

impl Pulse {
    /// The process dies after so many effects more.
    pub(super) fn stop_after(&self, effects: u64) {
        self.0.set(Some(effects));
    }

    /// The process is not going to die.
    pub(super) fn go_on(&self) {
        self.0.set(None);
    }

    /// Asked before each effect: whether the process lives to cause it.
    #[must_use]
    pub(super) fn beats(&self) -> bool {
        match self.0.get() {
            None => true,
            Some(0) => false,
            Some(left) => {
                self.0.set(Some(left - 1));
                true
            }
        }
    }

    /// Whether the process has caused its last effect.
    #[must_use]
    pub(super) fn has_stopped(&self) -> bool {
        self.0.get() == Some(0)
    }
}
