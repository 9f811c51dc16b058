//! The leader selector: leadership lasts while a piece of work runs, and the work while leadership lasts.
//!
//! Layout, shared with `org.apache.curator.framework.recipes.leader.LeaderSelector`: that of the exclusive lock, `<path>/_c_<uuid>-lock-N10`,
//! data = the id. Candidates of kazoo's `Election` contend on the same path in the lock's other modes.

use super::kit::{Asked, First, first};
use super::layout::lock::Mode;
use super::leader::{Layout, Leadership, Queue, Turn, description};
use crate::client::{Client, Error, ErrorCode, Result};
use std::ops::ControlFlow;

/// A leader selector at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::selector::{LeaderSelector, Term}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let selector = LeaderSelector::new(client, "/leader").id("host-1");
/// // Waits for leadership; the work is dropped if leadership is lost before it ends.
/// let term = selector.lead(|leadership| async move { leadership.token() }).await?;
/// assert!(matches!(term, Term::Done(token) if token > 0));
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LeaderSelector {
    queue: Queue,
}

description!(LeaderSelector);

/// How a term ended.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::selector::{LeaderSelector, Term};
///
/// let term = LeaderSelector::new(&client, "/leader").lead(|_| async { "done" }).await?;
/// assert!(matches!(term, Term::Done("done")));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term<T> {
    /// The work came to its end, under leadership throughout as far as this side can know.
    Done(T),
    /// Leadership was lost, and the work was dropped.
    Lost,
}

impl LeaderSelector {
    /// The selector at `path`, in Curator's layout.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { queue: Queue::new(client, path.to_owned(), Layout::Lock(Mode::Curator)) }
    }

    /// In this layout of the lock.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::lock::Mode;
    /// use quorate::recipes::leader::Policy;
    /// use quorate::recipes::selector::LeaderSelector;
    ///
    /// let mode = Mode::Kazoo { yields_to_curator: false };
    /// let selector = LeaderSelector::new(&client, "/leader").mode(mode).policy(Policy::Session);
    /// selector
    ///     .lead(|leadership| async move { assert!(leadership.path().contains("__lock__")) })
    ///     .await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.queue.layout = Layout::Lock(mode);
        self
    }

    /// Waits for leadership and does `work` under it; then gives leadership up. When leadership is lost first, the work's future is
    /// dropped where it stands. Dropping the future of this method gives up the place, or leadership with the work.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::selector::{LeaderSelector, Term};
    ///
    /// let selector = LeaderSelector::new(&client, "/leader");
    /// let own = client.clone();
    /// let term = selector.lead(|_| async move {
    ///     own.close().await.unwrap();
    ///     std::future::pending::<()>().await
    /// });
    /// // With the session goes leadership, and the work is dropped.
    /// assert_eq!(term.await?, Term::Lost);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn lead<T, F>(&self, work: impl FnOnce(Leadership) -> F) -> Result<Term<T>>
    where
        F: Future<Output = T>,
    {
        let Turn::Leads(held) = self.queue.elected(&mut Asked::never()).await? else {
            return Err(Error::new(ErrorCode::Closing, "lead", self.queue.directory.as_str()));
        };
        let (leadership, term) = Leadership::begin(&held, self.queue.policy);
        // Loss comes first: nothing is done any more once it is known.
        let end = self.queue.end_of_term(&held);
        let outcome = match first(end, work(leadership)).await {
            First::Left(_) => Term::Lost,
            First::Right(result) => Term::Done(result),
        };
        drop(term);
        held.release().await?;
        Ok(outcome)
    }

    /// Leads again and again, standing in line anew after each term, until the work answers [`ControlFlow::Break`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::selector::LeaderSelector;
    /// use std::ops::ControlFlow;
    ///
    /// let mut terms = 0;
    /// let selector = LeaderSelector::new(&client, "/leader");
    /// let third = selector.lead_until(|leadership| {
    ///     terms += 1;
    ///     let last = terms == 3;
    ///     async move { if last { ControlFlow::Break(leadership.token()) } else { ControlFlow::Continue(()) } }
    /// });
    /// assert!(third.await? > 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`lead`](Self::lead).
    pub async fn lead_until<T, F>(&self, mut work: impl FnMut(Leadership) -> F) -> Result<T>
    where
        F: Future<Output = ControlFlow<T>>,
    {
        loop {
            if let Term::Done(ControlFlow::Break(result)) = self.lead(&mut work).await? {
                return Ok(result);
            }
        }
    }
}
