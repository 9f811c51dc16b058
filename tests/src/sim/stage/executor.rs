//! Time, chance and tasks of one simulated process: an [`Environment`] in which nothing happens by itself.

use crate::sim::random::Random;
use quorate::client::{Environment, Task};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What a process knows of the world.
#[derive(Clone, Debug)]
pub(super) struct SimEnvironment(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    now: i64,
    random: Random,
    timers: BTreeMap<(i64, u64), Waker>,
    numbered: u64,
    spawned: Spawned,
}

#[derive(Default)]
struct Spawned(Vec<Task>);

impl std::fmt::Debug for Spawned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks", self.0.len())
    }
}

/// The tasks of a process, in one thread; which of those that are ready goes on is for chance to say.
pub(super) struct Executor {
    environment: SimEnvironment,
    tasks: BTreeMap<u64, Task>,
    numbered: u64,
    ready: Arc<Mutex<VecDeque<u64>>>,
    random: Random,
}

impl SimEnvironment {
    pub(super) fn new(random: Random, now: i64) -> Self {
        let (timers, spawned) = (BTreeMap::new(), Spawned::default());
        Self(Arc::new(Mutex::new(Inner { now, random, timers, numbered: 0, spawned })))
    }

    /// The clock goes on, and wakes whom it has to.
    pub(super) fn set_now(&self, now: i64) {
        let mut due = Vec::new();
        {
            let mut inner = self.lock();
            inner.now = now;
            while let Some(entry) = inner.timers.first_entry().filter(|e| e.key().0 <= now) {
                due.push(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// When the clock next wakes somebody, ms.
    pub(super) fn deadline(&self) -> Option<i64> {
        self.lock().timers.first_key_value().map(|((due, _), _)| *due)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Environment for SimEnvironment {
    fn now(&self) -> i64 {
        self.lock().now
    }

    /// The process looks at its session after everything that it does.
    fn wake(&self) {}

    fn sleep(&self, duration: Duration) -> Task {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let due = self.now().saturating_add(millis);
        Box::pin(Sleep { environment: self.clone(), due, timer: None })
    }

    fn spawn(&self, task: Task) {
        self.lock().spawned.0.push(task);
    }

    fn random(&self) -> u64 {
        self.lock().random.number()
    }
}

struct Sleep {
    environment: SimEnvironment,
    due: i64,
    timer: Option<(i64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        let environment = self.environment.clone();
        let mut inner = environment.lock();
        if inner.now >= due {
            return Poll::Ready(());
        }
        inner.numbered += 1;
        let key = self.timer.unwrap_or((due, inner.numbered));
        inner.timers.insert(key, context.waker().clone());
        self.timer = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            self.environment.lock().timers.remove(&key);
        }
    }
}

struct Ready {
    task: u64,
    queue: Arc<Mutex<VecDeque<u64>>>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.contains(&self.task) {
            queue.push_back(self.task);
        }
    }
}

impl Executor {
    pub(super) fn new(environment: SimEnvironment, random: Random) -> Self {
        let ready = Arc::default();
        Self { environment, tasks: BTreeMap::new(), numbered: 0, ready, random }
    }

    /// One step of one task. Returns whether there was one to take.
    pub(super) fn step(&mut self) -> bool {
        let spawned = std::mem::take(&mut self.environment.lock().spawned.0);
        for task in spawned {
            self.numbered += 1;
            self.tasks.insert(self.numbered, task);
            self.queue().push_back(self.numbered);
        }
        let len = self.queue().len();
        let at = self.random.index(len);
        let Some(number) = self.queue().remove(at) else { return false };
        let waker = Waker::from(Arc::new(Ready { task: number, queue: Arc::clone(&self.ready) }));
        if let Some(task) = self.tasks.get_mut(&number)
            && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            self.tasks.remove(&number);
        }
        true
    }

    /// Whether a task can go on.
    pub(super) fn is_ready(&self) -> bool {
        !self.queue().is_empty() || !self.environment.lock().spawned.0.is_empty()
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
