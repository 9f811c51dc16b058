//! [`Calls`]: futures that run beside the host, each giving one completion.

use crate::panics::guarded;
use crate::queue::{Queue, Wake};
use quorate::client::Environment;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<V> {
    /// With what its future gave.
    Done(V),
    /// It was cancelled, or its client ended under it; the future was dropped.
    Cancelled,
    /// It panicked, with this message. Whatever it worked on must not be used any more.
    Panicked(String),
}

/// What has become of a call by the time it was started.
#[derive(Debug)]
pub enum Started<T> {
    /// It is over already, and nothing goes to the queue.
    Ready(T),
    /// It runs; its completion goes to the queue.
    Running(Call),
}

/// Starts calls and collects their completions, of a type that the binding chooses. Clones share the queue.
#[derive(Debug)]
pub struct Calls<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    queue: Queue<T>,
    running: AtomicUsize,
    /// Those of them that were submitted.
    submitted: AtomicUsize,
}

impl<T> Clone for Calls<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Send + 'static> Calls<T> {
    /// Without calls. `wake` is called when the queue stops being empty.
    #[must_use]
    pub fn new(wake: Option<Wake>) -> Self {
        let (running, submitted) = Default::default();
        Self { shared: Arc::new(Shared { queue: Queue::new(wake), running, submitted }) }
    }

    /// Where completions wait.
    #[must_use]
    pub fn queue(&self) -> &Queue<T> {
        &self.shared.queue
    }

    /// Calls that run. One whose completion is in the queue may be counted for a moment longer.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::Acquire)
    }

    /// Starts a call that needs few steps, such as one operation. While no other one is under way it is tried on this thread first, so
    /// that what a server in the same process answers at once costs no change of threads. Completions come in the order in
    /// which the calls ended: for the operations of one session, that of their submission.
    ///
    /// `done` makes the completion; it runs on whatever thread ends the call and must not block.
    pub fn submit<F, D>(&self, environment: &dyn Environment, future: F, done: D) -> Started<T>
    where
        F: Future + Send + 'static,
        D: FnOnce(Outcome<F::Output>) -> T + Send + 'static,
    {
        let mut future = Box::pin(future);
        let submitted = &self.shared.submitted;
        // Whatever came before must be with its owner before this can be.
        if submitted.load(Ordering::Acquire) == 0 && self.queue().is_empty() {
            let mut context = Context::from_waker(Waker::noop());
            match guarded(|| future.as_mut().poll(&mut context)) {
                Ok(Poll::Ready(value)) => return Started::Ready(done(Outcome::Done(value))),
                Err(message) => return Started::Ready(done(Outcome::Panicked(message))),
                Ok(Poll::Pending) => {}
            }
        }
        submitted.fetch_add(1, Ordering::AcqRel);
        Started::Running(self.run(environment, future, done, true))
    }

    /// Starts a call that may take many steps, such as a recipe: all of it happens on the library's thread.
    pub fn spawn<F, D>(&self, environment: &dyn Environment, future: F, done: D) -> Call
    where
        F: Future + Send + 'static,
        D: FnOnce(Outcome<F::Output>) -> T + Send + 'static,
    {
        self.run(environment, Box::pin(future), done, false)
    }

    fn run<F, D>(
        &self,
        environment: &dyn Environment,
        future: Pin<Box<F>>,
        done: D,
        submitted: bool,
    ) -> Call
    where
        F: Future + Send + 'static,
        D: FnOnce(Outcome<F::Output>) -> T + Send + 'static,
    {
        self.shared.running.fetch_add(1, Ordering::AcqRel);
        let control = Arc::new(Control::default());
        let work = Some((future, done));
        let shared = Arc::clone(&self.shared);
        let own = Arc::clone(&control);
        let task = Running { work, control: own, shared, submitted, is_new: true, early: None };
        environment.spawn(Box::pin(task));
        Call { control }
    }

    /// Runs work that blocks, such as starting a server, on a thread of its own. It cannot be cancelled.
    ///
    /// # Errors
    /// When the system refuses a thread; then there is no completion.
    pub fn block<V, W, D>(&self, work: W, done: D) -> std::io::Result<()>
    where
        V: 'static,
        W: FnOnce() -> V + Send + 'static,
        D: FnOnce(Outcome<V>) -> T + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        shared.running.fetch_add(1, Ordering::AcqRel);
        let started = std::thread::Builder::new().name(BLOCKING.to_owned()).spawn(move || {
            let outcome = guarded(work).map_or_else(Outcome::Panicked, Outcome::Done);
            shared.end(done(outcome), false);
        });
        if started.is_err() {
            self.shared.running.fetch_sub(1, Ordering::AcqRel);
        }
        started.map(drop)
    }
}

impl<T> Shared<T> {
    fn end(&self, completion: T, submitted: bool) {
        self.queue.push(completion);
        self.running.fetch_sub(1, Ordering::AcqRel);
        if submitted {
            self.submitted.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A call that runs. Dropping this changes nothing.
#[derive(Clone, Debug)]
pub struct Call {
    control: Arc<Control>,
}

#[derive(Debug, Default)]
struct Control {
    cancelled: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Call {
    /// Cancels it, if it is not over: its future is dropped, which gives up what it was after (a place in a queue, say). Its
    /// completion tells; when it was too late, that tells the result.
    pub fn cancel(&self) {
        self.control.cancelled.store(true, Ordering::Release);
        let waker = self.control.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task of a call.
struct Running<F, D, T>
where
    F: Future,
    D: FnOnce(Outcome<F::Output>) -> T,
{
    /// What runs, and what makes its completion; taken when it is over.
    work: Option<(Pin<Box<F>>, D)>,
    control: Arc<Control>,
    shared: Arc<Shared<T>>,
    submitted: bool,
    /// Whether it was never polled.
    is_new: bool,
    /// The completion of a call that was over when it was polled first.
    early: Option<T>,
}

// The future is in a box of its own, and nothing else in here is ever pinned.
impl<F, D, T> Unpin for Running<F, D, T>
where
    F: Future,
    D: FnOnce(Outcome<F::Output>) -> T,
{
}

impl<F, D, T> Running<F, D, T>
where
    F: Future,
    D: FnOnce(Outcome<F::Output>) -> T,
{
    fn end(&mut self, outcome: Outcome<F::Output>) {
        if let Some(completion) = self.completion(outcome) {
            self.shared.end(completion, self.submitted);
        }
    }

    fn completion(&mut self, outcome: Outcome<F::Output>) -> Option<T> {
        let (future, done) = self.work.take()?;
        // Dropped first: whoever is told that the call is over finds nothing of it.
        let outcome = match guarded(|| drop(future)) {
            Ok(()) => outcome,
            Err(message) => Outcome::Panicked(message),
        };
        Some(done(outcome))
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let Some((future, _)) = &mut self.work else { return Poll::Pending };
        match guarded(|| future.as_mut().poll(context)) {
            Ok(polled) => polled.map(Outcome::Done),
            Err(message) => Poll::Ready(Outcome::Panicked(message)),
        }
    }
}

impl<F, D, T> Future for Running<F, D, T>
where
    F: Future,
    D: FnOnce(Outcome<F::Output>) -> T,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(completion) = self.early.take() {
            self.shared.end(completion, self.submitted);
            return Poll::Ready(());
        }
        let is_new = std::mem::take(&mut self.is_new);
        let outcome = match self.advance(context) {
            // What was submitted before is over as well, and woken, but perhaps not polled yet: it goes first.
            Poll::Ready(outcome) if is_new && self.submitted => {
                self.early = self.completion(outcome);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                let waker = context.waker().clone();
                *self.control.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
                // Looked at after the waker is in its place, so that a cancellation is seen here or wakes.
                if !self.control.cancelled.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                Outcome::Cancelled
            }
        };
        self.end(outcome);
        Poll::Ready(())
    }
}

impl<F, D, T> Drop for Running<F, D, T>
where
    F: Future,
    D: FnOnce(Outcome<F::Output>) -> T,
{
    /// The runtime ends with the last client, perhaps before this was polled with what it had waited for.
    fn drop(&mut self) {
        if let Some(completion) = self.early.take() {
            self.shared.end(completion, self.submitted);
        } else if self.work.is_some() {
            let polled = self.advance(&mut Context::from_waker(Waker::noop()));
            self.end(match polled {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => Outcome::Cancelled,
            });
        }
    }
}

const BLOCKING: &str = "quorate-blocking";
