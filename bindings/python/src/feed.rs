//! [`Feed`]: what comes one after the other, such as events and states. Nothing is lost when a wait is cancelled: what came stays here until
//! it is taken.

use crate::arguments::limit;
use crate::error;
use crate::fork::Kept;
use crate::front::{About, Front};
use crate::results::{any, kind, none, word};
use pyo3::{Py, PyAny, PyResult, Python, pyclass, pymethods};
use quorate::client::{Environment, Error, Event, Result, State, WatchEvent};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// One thing that came.
#[derive(Debug)]
pub(crate) enum Item {
    Event(Event),
    /// Events may be missing here.
    Missed,
    State(State),
    /// What was waited for has happened, or nothing follows.
    Over,
    /// Nothing follows.
    Failed(Error),
}

impl From<Result<Event>> for Item {
    fn from(event: Result<Event>) -> Self {
        event.map_or_else(Self::Failed, Self::Event)
    }
}

impl From<Result<WatchEvent>> for Item {
    fn from(event: Result<WatchEvent>) -> Self {
        match event {
            Ok(WatchEvent::Changed(event)) => Self::Event(event),
            Ok(WatchEvent::Missed) => Self::Missed,
            Err(error) => Self::Failed(error),
        }
    }
}

impl Item {
    const fn is_last(&self) -> bool {
        matches!(self, Self::Over | Self::Failed(_))
    }
}

/// Gives the next thing.
pub(crate) type Next = Box<dyn FnMut(&mut Context<'_>) -> Poll<Item> + Send>;

struct Source {
    stream: Mutex<Stream>,
    waiters: Arc<Waiters>,
}

struct Stream {
    /// Absent when nothing follows.
    next: Option<Next>,
    ready: VecDeque<Item>,
}

/// Those who wait for something to come; all of them are woken.
#[derive(Default)]
struct Waiters(Mutex<HashMap<u64, Waker>>);

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiters = std::mem::take(&mut *lock(&self.0));
        waiters.into_values().for_each(Waker::wake);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    /// Collects what is there.
    fn collect(&self) -> MutexGuard<'_, Stream> {
        let waker = Waker::from(Arc::clone(&self.waiters));
        let mut stream = lock(&self.stream);
        let Stream { next, ready } = &mut *stream;
        while let Some(poll) = next
            && ready.len() < MOST
            && let Poll::Ready(item) = poll(&mut Context::from_waker(&waker))
        {
            if item.is_last() {
                *next = None;
            }
            ready.push_back(item);
        }
        stream
    }
}

/// Waits until there is something to take, or nothing follows. Who stops waiting is not remembered.
struct Arrival {
    source: Arc<Source>,
    place: u64,
}

impl Arrival {
    fn new(source: &Arc<Source>) -> Self {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        let place = PLACES.fetch_add(1, Ordering::Relaxed);
        Self { source: Arc::clone(source), place }
    }
}

impl Future for Arrival {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        // Before looking, so that what comes meanwhile wakes.
        lock(&self.source.waiters.0).insert(self.place, context.waker().clone());
        let stream = self.source.collect();
        let waits = stream.ready.is_empty() && stream.next.is_some();
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        lock(&self.source.waiters.0).remove(&self.place);
    }
}

/// Things that come one after the other, until the last.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Feed {
    source: Kept<Arc<Source>>,
    environment: Kept<Arc<dyn Environment>>,
    front: Front,
    what: &'static str,
    path: String,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("what", &self.what).finish_non_exhaustive()
    }
}

impl Feed {
    pub(crate) fn new(
        front: Front,
        environment: &Arc<dyn Environment>,
        (what, path): (&'static str, &str),
        next: Next,
    ) -> Self {
        let stream = Mutex::new(Stream { next: Some(next), ready: VecDeque::new() });
        let source = Arc::new(Source { stream, waiters: Arc::default() });
        let environment = Kept::new(Arc::clone(environment));
        Self { source: Kept::new(source), environment, front, what, path: path.to_owned() }
    }
}

#[pymethods]
impl Feed {
    /// Takes what has come: tuples `(kind, path, zxid)` of events, states, exceptions, and None when nothing follows.
    fn take(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let source = self.source.get()?;
        let items = py.detach(|| {
            let mut stream = source.collect();
            if stream.ready.is_empty() && stream.next.is_none() {
                stream.ready.push_back(Item::Over);
            }
            std::mem::take(&mut stream.ready)
        });
        let convert = |item| match item {
            Item::Event(Event { kind: how, path, zxid }) => any(py, (kind(how), path, zxid)),
            Item::Missed => any(py, ("missed", "", py.None())),
            Item::State(state) => any(py, word(state)),
            Item::Over => Ok(py.None()),
            Item::Failed(error) => error::value(py, &error),
        };
        items.into_iter().map(convert).collect()
    }

    /// Waits until there is something to take, or nothing follows.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let future = Arrival::new(self.source.get()?);
        let about = About::read(self.what, &self.path);
        self.front.task(py, self.environment.get()?, about, limit(timeout)?, future, none)
    }

    /// Ends it: what it stood for is given up, on the server too.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let source = self.source.get()?;
        py.detach(|| {
            let next = {
                let mut stream = lock(&source.stream);
                stream.ready.clear();
                stream.next.take()
            };
            drop(next);
            source.waiters.wake_by_ref();
        });
        Ok(())
    }
}

/// So much is collected before it is taken; the rest waits where it comes from.
const MOST: usize = 1024;
