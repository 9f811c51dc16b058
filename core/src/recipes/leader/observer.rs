//! [`Observer`]: who leads, seen without taking part.

use super::super::kit::{Backoff, Companion, Live, Teller, join, live};
use super::queue::Queue;
use crate::client::{ErrorCode, Result};
use std::sync::Arc;

/// Who leads or stands in line, as the node says.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
///
/// let latch = LeaderLatch::new(&client, "/leader").id("host-1");
/// let candidate = latch.join();
/// candidate.leads().await?;
/// let leaders = latch.participants().await?;
/// assert_eq!((leaders[0].data.as_slice(), leaders[0].session), (&b"host-1"[..], client.session_id()));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The node.
    pub path: String,
    /// What stands in it: id, host name, address.
    pub data: Vec<u8>,
    /// The fencing token of the term.
    pub token: i64,
    /// The session.
    pub session: i64,
}

/// Watches who leads until it is dropped. It has one watch: on the leader's node, or, while nobody leads, on the directory.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
///
/// let latch = LeaderLatch::new(&client, "/leader");
/// let observer = latch.observe().await?;
/// let candidate = latch.join();
/// let token = candidate.leads().await?.token();
/// assert_eq!(observer.newer_than(token - 1).await.unwrap().token, token);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Observer {
    leader: Live<Option<Leader>>,
    _companion: Companion,
}

impl Observer {
    /// Begins to watch, and waits for the first look.
    pub(crate) async fn start(queue: Queue) -> Result<Self> {
        let found = queue.participants().await?.into_iter().next();
        let (teller, leader) = live(found);
        let environment = Arc::clone(queue.client.environment());
        let companion = Companion::start(&environment, |_| observe(queue, teller));
        Ok(Self { leader, _companion: companion })
    }

    /// Who leads, as far as is known: during a suspension, and for a moment after a change, it may be another by now.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader").id("host-1");
    /// let observer = latch.observe().await?;
    /// assert_eq!(observer.leader(), None);
    /// let candidate = latch.join();
    /// let leader = observer.newer_than(0).await.unwrap();
    /// assert_eq!(observer.leader(), Some(leader));
    /// # drop(candidate);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn leader(&self) -> Option<Leader> {
        self.leader.get()
    }

    /// The leader as a stream: the present one first. It ends with the client.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader").id("host-1");
    /// let observer = latch.observe().await?;
    /// let candidate = latch.join();
    /// candidate.leads().await?;
    /// candidate.leave().await?;
    /// assert!(observer.changes().until(|leader| leader.is_none()).await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn changes(&self) -> Live<Option<Leader>> {
        self.leader.clone()
    }

    /// Waits until somebody leads with a greater token than `token`. `None` when the client has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader");
    /// let observer = latch.observe().await?;
    /// let first = latch.join();
    /// let second = latch.join();
    /// let leader = observer.newer_than(0).await.unwrap();
    /// first.leave().await?;
    /// assert!(observer.newer_than(leader.token).await.unwrap().path != leader.path);
    /// # drop(second);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn newer_than(&self, token: i64) -> Option<Leader> {
        let newer = |leader: &Option<Leader>| leader.as_ref().is_some_and(|it| it.token > token);
        self.leader.until(newer).await.flatten()
    }
}

async fn observe(queue: Queue, teller: Teller<Option<Leader>>) {
    let mut backoff = Backoff::default();
    loop {
        match look(&queue, &teller).await {
            Ok(()) => backoff.reset(),
            Err(error) if error.is_connection_loss() => {}
            Err(error) if error.code() == ErrorCode::SessionExpired => {
                if queue.client.connected().await.is_err() {
                    return;
                }
            }
            Err(error) if error.is_session_end() => return,
            Err(error) => {
                tracing::warn!(%error, "an observer cannot see who leads");
                backoff.pause(&queue.client).await;
            }
        }
    }
}

/// Tells who leads, and waits until that may have changed.
async fn look(queue: &Queue, teller: &Teller<Option<Leader>>) -> Result<()> {
    let client = &queue.client;
    let (children, _) = match client.children(&queue.directory).await {
        Err(error) if error.code() == ErrorCode::NoNode => {
            let (stat, watch) = client.exists_and_watch(&queue.directory).await?;
            if stat.is_none() {
                teller.tell_if_new(None);
                watch.await?;
            }
            return Ok(());
        }
        listed => listed?,
    };
    if let Some(name) = queue.layout.participants(&children).first() {
        let path = join(&queue.directory, name);
        return match client.get_and_watch(&path).await {
            Ok((data, stat, watch)) => {
                teller.tell_if_new(Some(queue.leader(path, &data, &stat)));
                watch.await.map(drop)
            }
            Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
            Err(error) => Err(error),
        };
    }
    let (children, _, watch) = match client.children_and_watch(&queue.directory).await {
        Err(error) if error.code() == ErrorCode::NoNode => return Ok(()),
        listed => listed?,
    };
    if queue.layout.participants(&children).is_empty() {
        teller.tell_if_new(None);
        watch.await?;
    }
    Ok(())
}
