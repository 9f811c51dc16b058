//! The session's state as a stream, and the moment of its loss as a future.

use super::shared::Shared;
use futures_core::Stream;
use quorate_engine::client::State;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The states of a session from now on. One that is not read forgets the oldest beyond 64.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::State;
///
/// let mut states = client.states();
/// assert_eq!(states.current(), State::Connected);
/// client.close().await?;
/// assert_eq!(states.next().await, Some(State::Closed));
/// assert_eq!(states.next().await, None);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct States {
    shared: Arc<Shared>,
    key: usize,
    current: State,
}

impl States {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (key, current) = shared.listen();
        Self { shared, key, current }
    }

    /// The state that was seen last.
    #[must_use]
    pub const fn current(&self) -> State {
        self.current
    }

    /// Waits for the next state. `None` after the final one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::State;
    ///
    /// let mut states = client.states();
    /// client.close().await?;
    /// assert_eq!(states.next().await, Some(State::Closed));
    /// assert_eq!((states.next().await, states.current()), (None, State::Closed));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn next(&mut self) -> Option<State> {
        poll_fn(|context| self.poll_state(context)).await
    }

    fn poll_state(&mut self, context: &Context<'_>) -> Poll<Option<State>> {
        if self.current.is_final() {
            return Poll::Ready(None);
        }
        match self.shared.poll_state(self.key, context.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(state) => {
                self.current = state;
                Poll::Ready(Some(state))
            }
        }
    }
}

impl Stream for States {
    type Item = State;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<State>> {
        self.poll_state(context)
    }
}

impl Drop for States {
    fn drop(&mut self) {
        self.shared.unlisten(self.key);
    }
}

/// One life of a session, from its beginning to its loss. What is held under it (ephemeral nodes, locks) is gone when it
/// is over.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// let life = client.lifetime();
/// assert!(life.is_alive());
/// client.close().await?;
/// life.ended().await;
/// assert!(!life.is_alive());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Lifetime {
    shared: Arc<Shared>,
    generation: u64,
}

impl Lifetime {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let generation = shared.generation();
        Self { shared, generation }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the session still lives, as far as the local clock can tell: right also after a pause of the
    /// whole process.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.shared.generation() == self.generation
    }

    /// Waits until the session is lost or closed.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let ended = client.lifetime().ended();
    /// client.close().await?;
    /// // It stands alone: it can be given to another task.
    /// ended.await;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        Ended { lifetime: self.clone(), place: None }
    }
}

/// The wait for the end of a session; who stops waiting is not remembered.
struct Ended {
    lifetime: Lifetime,
    place: Option<usize>,
}

impl Future for Ended {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { lifetime, place } = &mut *self;
        lifetime.shared.poll_generation(lifetime.generation, place, context.waker())
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.lifetime.shared.forget_mourner(self.lifetime.generation, place);
        }
    }
}
