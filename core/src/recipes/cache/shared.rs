//! [`Core`]: what the task of a cache and its handles share.

use super::Phase;
use super::entry::Hub;
use super::plan::Plan;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use tokio::sync::watch;

/// What the task and the handles share.
#[derive(Debug)]
pub(super) struct Core {
    plan: Mutex<Plan>,
    pub(super) hub: Arc<Hub>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) bell: Arc<Bell>,
}

/// Wakes the task.
#[derive(Debug, Default)]
pub(super) struct Bell {
    waker: Mutex<Option<Waker>>,
    closed: AtomicBool,
}

impl Core {
    pub(super) fn new(plan: Plan, hub: Arc<Hub>) -> Arc<Self> {
        let phase = watch::Sender::new(Phase::default());
        Arc::new(Self { plan: Mutex::new(plan), hub, phase, bell: Arc::default() })
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last handle is gone.
    pub(super) fn close(&self) {
        self.bell.closed.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Has it wake this task. Answers whether anybody still needs the cache.
    pub(super) fn listen(&self, context: &Context<'_>) -> bool {
        let waker = context.waker().clone();
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
        !self.closed.load(Ordering::Acquire)
    }
}
