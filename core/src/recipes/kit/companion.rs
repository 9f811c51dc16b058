//! [`Companion`]: a background task that ends with its owner.
//!
//! Recipes that have to keep something up (a candidacy, a membership) run it beside the caller, on the client's environment.

use super::race::first;
use crate::client::Environment;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// A task beside its owner. Dropping this ends the task wherever it waits; [`finish`](Self::finish) lets it clean up first.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::Companion;
///
/// // A task that works until it is asked to stop, and then tidies up.
/// let companion = Companion::start(client.environment(), |asked| async move {
///     let () = asked.await;
/// });
/// companion.finish().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Companion {
    ask: Option<oneshot::Sender<()>>,
    done: oneshot::Receiver<()>,
    /// Dropped with the rest.
    _end: oneshot::Sender<()>,
}

/// A future that is ready when the owner has asked the task to finish, and from then on.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::{Companion, First, first};
///
/// let companion = Companion::start(client.environment(), |asked| async move {
///     match first(asked, std::future::pending::<()>()).await {
///         First::Left(()) => println!("tidies up"),
///         First::Right(()) => println!("works"),
///     }
/// });
/// companion.finish().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Asked(Asking);

#[derive(Debug)]
enum Asking {
    Never,
    Perhaps(oneshot::Receiver<()>),
    Asked,
}

impl Companion {
    /// Starts a task.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::Companion;
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let work = async move {
    ///     sender.send("at work").unwrap();
    ///     std::future::pending::<()>().await;
    /// };
    /// let companion = Companion::start(client.environment(), |_| work);
    /// assert_eq!(receiver.recv(), Ok("at work"));
    /// drop(companion);
    /// // The task ends where it waits, and drops what it has.
    /// assert!(receiver.recv().is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn start<F>(environment: &Arc<dyn Environment>, work: impl FnOnce(Asked) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ask, asked) = oneshot::channel();
        let (ended, done) = oneshot::channel();
        let (end, mut owner_gone) = oneshot::channel::<()>();
        let work = work(Asked(Asking::Perhaps(asked)));
        environment.spawn(Box::pin(async move {
            // The end is looked at first: nothing is begun for an owner that is gone.
            first(&mut owner_gone, work).await;
            drop(ended);
        }));
        Self { ask: Some(ask), done, _end: end }
    }

    /// Asks the task to finish, and waits until it has.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::Companion;
    ///
    /// client.create("/working", b"", CreateMode::Persistent).await?;
    /// let own = client.clone();
    /// let companion = Companion::start(client.environment(), |asked| async move {
    ///     let () = asked.await;
    ///     own.delete("/working", None).await.unwrap();
    /// });
    /// companion.finish().await;
    /// assert!(client.exists("/working").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn finish(mut self) {
        if let Some(ask) = self.ask.take() {
            // An error says that the task has ended already.
            let _ended = ask.send(());
        }
        let _ended = (&mut self.done).await;
    }
}

impl Asked {
    /// For tasks that nobody asks: they are dropped.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Asked, First, first};
    ///
    /// let asked = Asked::never();
    /// let done = first(asked, std::future::ready("work")).await;
    /// assert!(matches!(done, First::Right("work")));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn never() -> Self {
        Self(Asking::Never)
    }
}

impl Future for Asked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Asking::Perhaps(asked) => match Pin::new(asked).poll(context) {
                Poll::Ready(Ok(())) => {
                    self.0 = Asking::Asked;
                    Poll::Ready(())
                }
                // The owner is gone, and the task about to be dropped; until then it may look again.
                Poll::Ready(Err(_)) => {
                    self.0 = Asking::Never;
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            },
            Asking::Asked => Poll::Ready(()),
            Asking::Never => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::client::blocking::wait;
    use crate::server::Server;

    /// Between two looks of one poll, from another thread, while the task goes on until it is dropped.
    #[test]
    fn a_task_may_look_again_when_its_owner_is_gone() {
        let (ask, asked) = oneshot::channel();
        let mut asked = Asked(Asking::Perhaps(asked));
        let mut context = Context::from_waker(std::task::Waker::noop());
        drop(ask);
        for _ in 0..3 {
            assert!(Pin::new(&mut asked).poll(&mut context).is_pending());
        }
    }

    #[test]
    fn a_task_ends_with_its_owner_or_when_asked() {
        let server = Server::builder().volatile().no_port().start().unwrap();
        let client = wait(Client::builder().in_process(&server).connect()).unwrap();
        let (teller, alive) = super::super::live(0);
        let companion = Companion::start(client.environment(), |asked| async move {
            asked.await;
            teller.tell(1);
        });
        wait(companion.finish());
        assert_eq!((alive.get(), alive.is_over()), (1, true));

        let (teller, alive) = super::super::live(0);
        let companion = Companion::start(client.environment(), |_asked| async move {
            std::future::pending::<()>().await;
            teller.tell(1);
        });
        drop(companion);
        wait(alive.over());
        assert_eq!(alive.get(), 0);
    }
}
