//! Events, states, and the end of a session: how they are waited for.

use super::super::completion::Inbox;
use super::Shared;
use super::locked::Listener;
use super::watches::Subscription;
use quorate_engine::client::{Notice, State, WatchKey};
use quorate_wire::ErrorCode;
use std::sync::Arc;
use std::task::{Poll, Waker};

impl Shared {
    /// A watch whose events go to a batch of completions; `once` for one event only.
    pub(in crate::client) fn queued_watch(
        &self,
        inbox: &Arc<Inbox>,
        token: u64,
        once: bool,
    ) -> WatchKey {
        let subscription = Subscription { inbox: Arc::clone(inbox), token, once, told: None };
        self.lock().watches.insert(Some(subscription))
    }

    pub(in crate::client) fn poll_watch(&self, key: WatchKey, waker: &Waker) -> Poll<Notice> {
        let mut core = self.lock();
        let Some(slot) = core.watches.get_mut(key) else {
            let inherited = core.is_inherited;
            let code = if inherited { ErrorCode::Closing } else { ErrorCode::NoWatcher };
            return Poll::Ready(Notice::Ended(code));
        };
        if let Some(notice) = slot.queue.pop_front() {
            return Poll::Ready(notice);
        }
        if std::mem::take(&mut slot.missed) {
            return Poll::Ready(Notice::Missed);
        }
        let old = slot.waker.replace(waker.clone());
        drop(core);
        drop(old);
        Poll::Pending
    }

    /// Nobody listens to a watch any more.
    pub(in crate::client) fn drop_watch(&self, key: WatchKey) {
        let slot = self.with(|core| {
            let slot = core.watches.remove(key)?;
            core.session.unwatch(key);
            Some(slot)
        });
        drop(slot);
    }

    /// A listener, and the state that it starts from.
    pub(in crate::client) fn listen(&self) -> (usize, State) {
        let mut core = self.lock();
        let state = core.session.state();
        (core.listeners.insert(Listener::default()), state)
    }

    pub(in crate::client) fn poll_state(&self, key: usize, waker: &Waker) -> Poll<State> {
        let mut core = self.lock();
        if core.is_inherited {
            return Poll::Ready(State::Closed);
        }
        let Some(listener) = core.listeners.get_mut(key) else { return Poll::Pending };
        match listener.queue.pop_front() {
            Some(state) => Poll::Ready(state),
            None => {
                let old = listener.waker.replace(waker.clone());
                drop(core);
                drop(old);
                Poll::Pending
            }
        }
    }

    pub(in crate::client) fn unlisten(&self, key: usize) {
        let listener = self.lock().listeners.try_remove(key);
        drop(listener);
    }

    /// The number of the present session. It looks at the clock: after a pause of the whole process it says that the
    /// session is lost before anything else does.
    pub(in crate::client) fn generation(&self) -> u64 {
        let now = self.environment.now();
        self.with_then(|core| core.session.tick(now), |core, ()| core.generation)
    }

    /// Waits until the session of this number has ended. `place` is where the waiter is listed.
    pub(in crate::client) fn poll_generation(
        &self,
        generation: u64,
        place: &mut Option<usize>,
        waker: &Waker,
    ) -> Poll<()> {
        if self.generation() != generation {
            return Poll::Ready(());
        }
        let mut core = self.lock();
        if core.generation != generation {
            return Poll::Ready(());
        }
        match place.and_then(|key| core.mourners.get_mut(key)) {
            Some(known) => known.clone_from(waker),
            None => *place = Some(core.mourners.insert(waker.clone())),
        }
        Poll::Pending
    }

    /// Forgets a waiter for the end of the session of this number.
    pub(in crate::client) fn forget_mourner(&self, generation: u64, place: usize) {
        let mut core = self.lock();
        // All places are given out anew after the end.
        let waker = (core.generation == generation).then(|| core.mourners.try_remove(place));
        drop(core);
        // Outside of the lock, because it may be the last of a task.
        drop(waker);
    }
}
