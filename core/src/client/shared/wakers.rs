//! Whom to call when the lock is released.

use super::super::completion::Inbox;
use super::watches::Place;
use std::sync::Arc;
use std::task::Waker;

/// Whom to call when the lock is released.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) tasks: Vec<Waker>,
    /// Inboxes that were empty before.
    pub(super) inboxes: Vec<Arc<Inbox>>,
    /// What may be the last of an inbox, and so of whatever its owner has put into its call.
    pub(super) released: Vec<Arc<Inbox>>,
    /// The same for watches.
    pub(super) ended: Vec<Place>,
}

impl Wakers {
    pub(super) fn inbox(&mut self, inbox: Arc<Inbox>, was_empty: bool) {
        if was_empty { self.inboxes.push(inbox) } else { self.released.push(inbox) }
    }

    pub(super) fn call(self) {
        self.tasks.into_iter().for_each(Waker::wake);
        self.inboxes.iter().for_each(|inbox| inbox.call());
    }
}
