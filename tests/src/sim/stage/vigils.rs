//! Whether what is held says in time that it is lost: everything that a part holds, and its session itself.
//!
//! A session is over for its owner when the timeout has passed since the last request that was answered left. That is reckoned here, from what
//! passes on the wire, and not asked of the client. From then on nothing may be called held, not even before the first task runs after
//! a pause of the process; when all tasks have come to rest, whoever waits for the loss has been told; and nothing is ever held again.

use crate::sim::env::{Checked, ensure};
use quorate::client::Task;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether something is held, as it says itself.
pub type Sense = Box<dyn Fn() -> bool + Send>;

/// Everything that a process has under watch.
#[derive(Debug, Default)]
pub(super) struct Vigils(Mutex<Vec<Vigil>>);

struct Vigil {
    what: String,
    session: i64,
    is_held: Sense,
    /// Whether somebody waits for its loss, and whether that has been told.
    told: Option<Arc<AtomicBool>>,
    /// It was seen not to be held.
    over: bool,
    /// Its session was seen to be over by [`Vigils::look_now_and_then`].
    mourned: bool,
}

impl fmt::Debug for Vigil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:#x}", self.what, self.session)
    }
}

impl Vigil {
    /// Whether nobody waits for its loss without being told.
    fn is_told(&self) -> bool {
        self.told.as_ref().is_none_or(|told| told.load(Ordering::Relaxed))
    }
}

impl Vigils {
    /// Begins another. Answers the task that waits for the loss, if there is one.
    pub(super) fn begin(
        &self,
        what: String,
        session: i64,
        is_held: Sense,
        lost: Option<Task>,
    ) -> Option<Task> {
        let told = lost.as_ref().map(|_| Arc::<AtomicBool>::default());
        let waiting = lost.zip(told.clone()).map(|(lost, told)| -> Task {
            Box::pin(async move {
                lost.await;
                told.store(true, Ordering::Relaxed);
            })
        });
        self.lock().push(Vigil { what, session, is_held, told, over: false, mourned: false });
        waiting
    }

    /// Forgets those of a process that is gone.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Looks at all of them. `living` is the session that is not over by the local clock, if there is one; `at_rest` says that all tasks have
    /// done what they could.
    pub(super) fn look(&self, living: Option<i64>, at_rest: bool) -> Checked {
        let mut all = self.lock();
        for vigil in all.iter_mut() {
            let is_held = (vigil.is_held)();
            ensure!(!(is_held && vigil.over), "{vigil:?} was not held, and is held again");
            vigil.over = !is_held;
            if living == Some(vigil.session) {
                continue;
            }
            ensure!(!is_held, "{vigil:?} is held, and its session is over (now {living:x?})");
            ensure!(vigil.is_told() || !at_rest, "{vigil:?} is lost, and nobody is told");
        }
        // A released one says that it is lost, too; and of an earlier session nothing more is to come.
        all.retain(|vigil| living == Some(vigil.session) || !at_rest);
        Ok(())
    }

    /// The same in a real world, where nobody knows when tasks have come to rest: all that are due have their turn between two calls.
    pub(super) fn look_now_and_then(&self, living: Option<i64>) -> Checked {
        self.look(living, false)?;
        let mut all = self.lock();
        for vigil in all.iter_mut().filter(|vigil| living != Some(vigil.session)) {
            ensure!(vigil.is_told() || !vigil.mourned, "{vigil:?} is lost, and nobody is told");
            vigil.mourned = true;
        }
        all.retain(|vigil| living == Some(vigil.session) || !vigil.is_told());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vigil>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
