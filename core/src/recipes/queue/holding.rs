//! [`Holding`]: an item that this client has and nobody else, until the work on it is done.
//!
//! The mark of a held item has the item's name, as Curator's and kazoo's have, so that a later holder's mark stands at the same
//! path. What removes an item therefore demands two things: the mark, and the session that made it. A consumer whose session
//! ended cannot remove what was given to somebody else, even if it does not know yet.

use super::store::{Item, Store};
use crate::client::{
    Client, CreateMode, Error, ErrorCode, Lifetime, PartResult, Result, Transaction,
};
use crate::recipes::kit::{
    self, Backoff, Loss, ensure, exhausted, fresh_id, in_background, is_starting, patiently, surely,
};

/// An item, held. Dropping it gives the item back in the background.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, WorkQueue};
///
/// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
/// queue.put(b"hello").await?;
/// let work = queue.hold().await?;
/// assert!(work.is_held());
/// // Not now: somebody gets it again.
/// work.release().await?;
/// assert_eq!(queue.take().await?.data(), b"hello");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Holding {
    store: Store,
    item: Item,
    mark: Mark,
}

/// The ephemeral node that stands for holding an item.
#[derive(Debug)]
struct Mark {
    client: Client,
    lifetime: Lifetime,
    path: String,
    /// What only this mark says.
    id: Vec<u8>,
    token: i64,
    /// Whether it may exist.
    live: bool,
}

impl Store {
    /// Marks an item; `None` when another has it, or had it.
    pub(super) async fn hold(&self, name: String) -> Result<Option<Holding>> {
        let path = self.entry(&name);
        let lifetime = self.client.lifetime();
        let (data, stat) = match patiently(|| self.client.get(&path)).await {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.read(&name, &data, stat) {
            Some(item) => self.hold_read(item, lifetime).await,
            None => Ok(None),
        }
    }

    /// Marks an item that was read under this session.
    pub(super) async fn hold_read(
        &self,
        item: Item,
        lifetime: Lifetime,
    ) -> Result<Option<Holding>> {
        let mark = Mark {
            client: self.client.clone(),
            lifetime,
            path: self.mark(&item.name),
            id: fresh_id(&self.client).hex().into_bytes(),
            token: 0,
            live: false,
        };
        self.mark_item(item, mark).await
    }

    /// Makes the mark; `None` when the item has changed or gone, or another's mark is there.
    async fn mark_item(&self, item: Item, mut mark: Mark) -> Result<Option<Holding>> {
        let path = self.entry(&item.name);
        loop {
            let version = Some(item.stat.version);
            let multi = self.client.multi().under(&mark.lifetime).check(&*path, version);
            mark.live = true;
            let made = multi.create(&*mark.path, &*mark.id, CreateMode::Ephemeral).commit();
            // In the same piece, so that it costs no time.
            let there = self.client.exists(&path);
            let (made, there) = (made.await, there.await);
            match made {
                Ok(results) => {
                    mark.token = match results.last() {
                        Some(PartResult::Created { stat: Some(stat), .. }) => stat.czxid,
                        _ => mark.find().await?.unwrap_or_default(),
                    };
                    let is_it = matches!(there, Ok(Some(stat)) if stat.czxid == item.stat.czxid);
                    let holding = Holding { store: self.clone(), item, mark };
                    return if is_it { Ok(Some(holding)) } else { holding.read_again().await };
                }
                Err(error) if error.is_connection_loss() => {
                    if let Some(token) = mark.find().await? {
                        mark.token = token;
                        return Holding { store: self.clone(), item, mark }.read_again().await;
                    }
                }
                Err(error) => {
                    mark.live = false;
                    match (error.code(), error.part()) {
                        (ErrorCode::NoNode, Some(1)) => ensure(&self.client, &self.marks).await?,
                        (ErrorCode::NoNode | ErrorCode::BadVersion | ErrorCode::NodeExists, _) => {
                            return Ok(None);
                        }
                        _ => return Err(error),
                    }
                }
            }
        }
    }
}

impl Holding {
    /// With the item that the mark stands beside. Before there was a mark, another may have come under the name: in a directory that was reaped
    /// and made anew, or where the numbers have come to their end.
    async fn read_again(self) -> Result<Option<Self>> {
        let path = self.store.entry(&self.item.name);
        let (data, stat) = match patiently(|| self.store.client.get(&path)).await {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let item = self.store.read(&self.item.name, &data, stat);
        Ok(item.map(|item| Self { item, ..self }))
    }

    /// The contents; of several the first.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.item.data()
    }

    /// The item.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// assert_eq!(work.item().data(), work.data());
    /// // The mark is younger than the item.
    /// assert!(work.token() > work.item().stat.czxid);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn item(&self) -> &Item {
        &self.item
    }

    /// The fencing token, the czxid of the mark: greater than that of everybody who held this item before.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.mark.token
    }

    /// Whether the session lives, by the local clock. It costs no request.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.mark.lifetime.is_alive()
    }

    /// Waits until the item is not held any more, no later than the session timeout by the local clock after the last contact.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::Loss, queue::{Layout, WorkQueue}};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// let lost = work.lost();
    /// client.close().await?;
    /// assert_eq!(lost.await, Loss::Session);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = Loss> + Send + 'static {
        kit::lost(self.mark.client.clone(), self.mark.lifetime.clone(), self.mark.path.clone())
    }

    /// A transaction that happens only while the item is held.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// work.guarded().set("/", b"half done", None).commit().await?;
    /// assert_eq!(client.get("/").await?.0, b"half done");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn guarded(&self) -> Transaction {
        let multi = self.store.client.multi().under(&self.mark.lifetime);
        multi.check(&*self.mark.path, Some(0))
    }

    /// The work is done: removes item and mark.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// queue.hold().await?.complete().await?;
    /// assert!(queue.is_empty().await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`complete_with`](Self::complete_with).
    pub async fn complete(self) -> Result<()> {
        self.complete_with(|transaction| transaction).await
    }

    /// Removes item and mark together with more writes: all happen, or none. What is written here is written **exactly once** for
    /// the item. The closure may be called again after a lost connection.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// // The result is there if, and only if, the item is gone.
    /// work.complete_with(|more| more.create("/sent", b"", CreateMode::Persistent)).await?;
    /// assert!(queue.is_empty().await? && client.exists("/sent").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `SessionExpired` or `NoNode` when the item is not held any more: somebody else has it, or will get it, and nothing was written
    /// unless the outcome is unknown. Errors of the additional parts, which begin with the third; then the item is given back.
    pub async fn complete_with(mut self, more: impl Fn(Transaction) -> Transaction) -> Result<()> {
        let entry = self.store.entry(&self.item.name);
        let mut unknown = false;
        let mut backoff = Backoff::default();
        loop {
            let transaction =
                self.guarded().delete(&*entry, None).delete(&*self.mark.path, Some(0));
            let error = match more(transaction).commit().await {
                Ok(_) => {
                    self.mark.live = false;
                    return Ok(());
                }
                Err(error) if error.is_connection_loss() => error,
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                Err(error) => return Err(self.explain(error)),
            };
            unknown |= error.outcome_unknown();
            match self.was_completed(&entry).await {
                Ok(true) if unknown => {
                    self.mark.live = false;
                    return Ok(());
                }
                Ok(_) => unknown = false,
                Err(look) if unknown => return Err(look.with_outcome_unknown()),
                Err(look) => return Err(look),
            }
            backoff.pause(&self.store.client).await;
        }
    }

    /// Whether the item is gone. While the session lives, nobody else can have removed it.
    async fn was_completed(&self, entry: &str) -> Result<bool> {
        let client = &self.store.client;
        patiently(|| client.sync(entry)).await?;
        let found = patiently(|| client.exists(entry)).await?;
        if !self.is_held() {
            return Err(Error::new(ErrorCode::SessionExpired, "complete", entry));
        }
        Ok(found.is_none_or(|stat| stat.czxid != self.item.stat.czxid))
    }

    fn explain(&self, error: Error) -> Error {
        let what = match error.part() {
            Some(0) => "the mark is gone: the item is not held any more",
            Some(1) => "the item is gone: somebody removed it without a mark",
            _ => return error,
        };
        Error::new(error.code(), "complete", error.path()).with_detail(what)
    }

    /// Gives the item back, to its old place: somebody gets it next.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"one").await?;
    /// queue.put(b"two").await?;
    /// queue.hold().await?.release().await?;
    /// // Back at its old place.
    /// assert_eq!(queue.hold().await?.data(), b"one");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn release(mut self) -> Result<()> {
        self.mark.remove().await
    }

    /// Puts the item to the end of its kind, as Curator's error mode `REQUEUE` does, and gives it up.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"one").await?;
    /// queue.put(b"two").await?;
    /// queue.hold().await?.requeue().await?;
    /// assert_eq!(queue.hold().await?.data(), b"two");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`complete_with`](Self::complete_with); `QuotaExceeded` when the queue has no numbers left, then the item keeps its place.
    pub async fn requeue(self) -> Result<()> {
        let path = self.store.entry(&self.item.name);
        let (data, _) = patiently(|| self.store.client.get(&path)).await?;
        let stem = crate::recipes::layout::sequence::split(&path);
        let stem = stem.map_or(path.clone(), |(stem, _)| stem.to_owned());
        let mode = CreateMode::PersistentSequential;
        let entries = self.store.entries.clone();
        match self.complete_with(|transaction| transaction.create(&*stem, &*data, mode)).await {
            Err(error) if error.code() == ErrorCode::NodeExists && !error.outcome_unknown() => {
                Err(exhausted(&entries))
            }
            outcome => outcome,
        }
    }
}

impl Mark {
    /// The token of this very mark, if it exists. A `sync` before makes sure that nothing is on its way any more.
    async fn find(&self) -> Result<Option<i64>> {
        patiently(|| self.client.sync(&self.path)).await?;
        match patiently(|| self.client.get(&self.path)).await {
            Ok((data, stat)) => Ok((data == self.id).then_some(stat.czxid)),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes it, and nobody else's.
    async fn remove(&mut self) -> Result<()> {
        if !self.live {
            return Ok(());
        }
        let mark = &*self;
        let removed = surely(&mark.client, &mark.lifetime, || mark.remove_once()).await;
        self.live = false;
        removed
    }

    async fn remove_once(&self) -> Result<()> {
        if self.find().await?.is_none() {
            return Ok(());
        }
        let multi = self.client.multi().under(&self.lifetime);
        match multi.delete(&*self.path, Some(0)).commit().await {
            Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if !self.live || is_starting() || !self.lifetime.is_alive() {
            return;
        }
        let mut rest = Self {
            client: self.client.clone(),
            lifetime: self.lifetime.clone(),
            path: std::mem::take(&mut self.path),
            id: std::mem::take(&mut self.id),
            token: self.token,
            live: true,
        };
        self.live = false;
        in_background(&self.client, "the mark of an item", async move { rest.remove().await });
    }
}
