//! Whom to call when the lock is released.

use super::super::completion::Inbox;
use super::super::spans;
use super::watches::Place;
use quorate_engine::client::{Identity, State};
use quorate_wire::ErrorCode;
use std::sync::Arc;
use std::task::Waker;
use tracing::Span;

/// Whom to call when the lock is released.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) tasks: Vec<Waker>,
    /// States that were entered, with the session.
    pub(super) states: Vec<(State, Option<Identity>)>,
    /// Spans of operations that have ended, with how.
    pub(super) spans: Vec<(Span, Option<ErrorCode>)>,
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
        self.spans.iter().for_each(|(span, code)| spans::ended(span, *code));
        self.tasks.into_iter().for_each(Waker::wake);
        self.inboxes.iter().for_each(|inbox| inbox.call());
    }
}
