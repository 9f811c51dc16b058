//! Barriers: the simple one, which somebody opens, and the double one, which a number of members enter and leave together.
//!
//! Simple: the barrier is closed while its node exists, as for `org.apache.curator.framework.recipes.barriers.DistributedBarrier` and
//! kazoo's `Barrier`. Double: members are ephemeral children, `<uuid>` (Curator) or `<hex>` (kazoo), and the child `ready` says that
//! the barrier is open; shared with Curator's `DistributedDoubleBarrier` and kazoo's `DoubleBarrier`. Ephemeral children with other names
//! are members too; persistent ones are foreign, and nobody counts them or waits for them.

use super::kit::{
    Backoff, Claim, First, Held, Kind, changed, children_or_none, delete_if_there, ensure, first,
    join, name_of, only_members, patiently,
};
use super::layout::barrier::{self, Leave, READY, Style};
use crate::client::{Client, CreateMode, Error, ErrorCode, EventType, Result, within};
use std::time::Duration;

/// A barrier that somebody closes and opens. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::barrier::Barrier, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let barrier = Barrier::new(client, "/barrier");
/// barrier.close().await?;
/// assert!(!barrier.wait_within(std::time::Duration::from_millis(10)).await?);
/// barrier.open().await?;
/// barrier.wait().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    client: Client,
    path: String,
}

impl Barrier {
    /// The barrier at `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned() }
    }

    /// Closes it. That it is closed already is fine. It stays closed when this client goes.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::Barrier;
    ///
    /// let barrier = Barrier::new(&client, "/maintenance");
    /// barrier.close().await?;
    /// barrier.close().await?;
    /// assert!(client.exists("/maintenance").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn close(&self) -> Result<()> {
        create_if_missing(&self.client, &self.path).await
    }

    /// Opens it: everybody who waits goes on. That it is open already is fine.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::Barrier;
    ///
    /// let barrier = Barrier::new(&client, "/maintenance");
    /// barrier.close().await?;
    /// barrier.open().await?;
    /// barrier.open().await?;
    /// barrier.wait().await?;
    /// assert!(client.exists("/maintenance").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open(&self) -> Result<()> {
        delete_if_there(&self.client, &self.path).await
    }

    /// Waits until it is open, over lost connections and sessions.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::Barrier;
    /// use quorate::recipes::kit::{First, first};
    ///
    /// let barrier = Barrier::new(&client, "/maintenance");
    /// barrier.close().await?;
    /// let open_later = async {
    ///     client.sleep(std::time::Duration::from_millis(20)).await;
    ///     barrier.open().await?;
    ///     std::future::pending::<quorate::client::Result<()>>().await
    /// };
    /// assert!(matches!(first(barrier.wait(), open_later).await, First::Left(Ok(()))));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn wait(&self) -> Result<()> {
        loop {
            let seen = match self.client.exists_and_watch(&self.path).await {
                Ok((None, _)) => return Ok(()),
                Ok((Some(_), watch)) => watch.await.map(drop),
                Err(error) => Err(error),
            };
            match seen {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) if !error.is_connection_loss() => return Err(error),
                _ => {}
            }
        }
    }

    /// Waits until it is open, but not longer than `limit`. Answers whether it is.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::Barrier;
    /// use std::time::Duration;
    ///
    /// let barrier = Barrier::new(&client, "/maintenance");
    /// assert!(barrier.wait_within(Duration::from_secs(10)).await?);
    /// barrier.close().await?;
    /// assert!(!barrier.wait_within(Duration::from_millis(20)).await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub async fn wait_within(&self, limit: Duration) -> Result<bool> {
        let opened = within(&**self.client.environment(), limit, self.wait()).await;
        opened.map_or(Ok(false), |result| result.map(|()| true))
    }
}

/// A barrier that `size` members enter together and leave together. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::barrier::DoubleBarrier, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let barrier = DoubleBarrier::new(client, "/barrier", 1);
/// let inside = barrier.enter().await?;
/// // … work, together with the others …
/// inside.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DoubleBarrier {
    client: Client,
    path: String,
    size: usize,
    style: Style,
    data: Vec<u8>,
}

/// A member inside of a double barrier. Dropping it removes the member's node in the background, without waiting for the others.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::barrier::DoubleBarrier;
///
/// let inside = DoubleBarrier::new(&client, "/barrier", 1).enter().await?;
/// assert!(inside.held().is_held());
/// inside.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Inside {
    held: Held,
}

/// What a member sees before it waits.
enum Gate {
    Open,
    /// Its own node is gone.
    Lost,
    Shut(crate::client::Watch),
}

impl DoubleBarrier {
    /// The barrier at `path` for `size` members.
    #[must_use]
    pub fn new(client: &Client, path: &str, size: usize) -> Self {
        let (client, path) = (client.clone(), path.to_owned());
        Self { client, path, size: size.max(1), style: Style::default(), data: Vec::new() }
    }

    /// With members named like this. It matters only to who looks at the nodes: members of both kinds count for each other.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::DoubleBarrier;
    /// use quorate::recipes::layout::barrier::Style;
    ///
    /// let barrier = DoubleBarrier::new(&client, "/barrier", 1).style(Style::Kazoo).data("host-1");
    /// let inside = barrier.enter().await?;
    /// assert_eq!(client.get(&inside.held().path()).await?.0, b"host-1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// With these bytes in the member's node; Curator writes its address, kazoo `host-pid`.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits until `size` members are here at the same moment. Who comes when the barrier is open already belongs to the next round: it
    /// waits until this one is over. Cancel by dropping the future. When the session is lost while waiting, the member enters anew
    /// under the next one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::DoubleBarrier;
    ///
    /// let barrier = DoubleBarrier::new(&client, "/barrier", 2);
    /// let other = barrier.clone();
    /// // Somebody else, in a thread of its own.
    /// let thread = std::thread::spawn(move || quorate::client::blocking::wait(async {
    ///     other.enter().await?.leave().await
    /// }));
    /// // Neither gets in, or out, without the other.
    /// barrier.enter().await?.leave().await?;
    /// thread.join().unwrap()?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn enter(&self) -> Result<Inside> {
        let mut backoff = Backoff::default();
        loop {
            match self.try_enter().await {
                Ok(Some(inside)) => return Ok(inside),
                Ok(None) => backoff.pause(&self.client).await,
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for the others, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::DoubleBarrier;
    /// use std::time::Duration;
    ///
    /// let barrier = DoubleBarrier::new(&client, "/barrier", 2);
    /// // Nobody else came.
    /// assert!(barrier.enter_within(Duration::from_millis(20)).await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`enter`](Self::enter).
    pub async fn enter_within(&self, limit: Duration) -> Result<Option<Inside>> {
        within(&**self.client.environment(), limit, self.enter()).await.transpose()
    }

    async fn try_enter(&self) -> Result<Option<Inside>> {
        wait_for_end_of_round(&self.client, &self.path).await?;
        let stems = |id| vec![barrier::member(self.style, id)];
        let claim = Claim::create(&self.client, &self.path, stems, &self.data, Kind::Plain).await?;
        let inside = gather(&self.client, &self.path, &claim, self.size).await?;
        Ok(inside.then(|| Inside { held: Held::new(claim) }))
    }
}

impl Inside {
    /// Leaves: waits until all members leave, or are gone. The last one removes `ready` together with its own node, so that the next
    /// round does not see it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::barrier::DoubleBarrier;
    ///
    /// let inside = DoubleBarrier::new(&client, "/barrier", 1).enter().await?;
    /// assert!(client.exists("/barrier/ready").await?.is_some());
    /// inside.leave().await?;
    /// assert!(client.exists("/barrier/ready").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session is lost, which removes this member too; or the server refuses.
    pub async fn leave(self) -> Result<()> {
        let (client, claim) = (self.held.client().clone(), self.held.claim());
        let (path, mine) = (claim.directory().to_owned(), name_of(&claim.path()).to_owned());
        // Only those who are inside with it: who comes later belongs to the next round, and must not be waited for.
        let round = members(&client, &path).await?;
        if !self.held.is_held() {
            return Err(Error::new(ErrorCode::SessionExpired, "leave", path));
        }
        let mut own = Some(self.held);
        loop {
            let mut children = children_or_none(&client, &path).await?;
            children.retain(|name| round.contains(name));
            match barrier::leave(&children, &mine) {
                Leave::Done => return Ok(()),
                Leave::Delete => {
                    let node = join(&path, &mine);
                    let ready = join(&path, READY);
                    let both =
                        || client.multi().delete(&*node, None).delete(&*ready, None).commit();
                    match patiently(both).await {
                        // A member of another kind has removed `ready` already, or an answer was lost.
                        Err(error) if error.code() == ErrorCode::NoNode => {}
                        other => drop(other?),
                    }
                    if let Some(held) = own.take() {
                        held.release().await?;
                    }
                }
                Leave::Wait(other) => changed(&client, &join(&path, other)).await?,
                Leave::DeleteAndWait(lowest) => {
                    if let Some(held) = own.take() {
                        held.release().await?;
                    }
                    changed(&client, &join(&path, lowest)).await?;
                }
            }
        }
    }

    /// The member's node, its token and its loss.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }
}

/// Waits until the barrier is open. Who completes the number opens it, in one transaction with checks of all the members that it
/// counted: a member that died meanwhile is not counted. Answers false when the own node is gone.
pub(super) async fn gather(
    client: &Client,
    path: &str,
    claim: &Claim,
    size: usize,
) -> Result<bool> {
    let mine = claim.path();
    let ready = join(path, READY);
    let mut backoff = Backoff::default();
    loop {
        let gate = match look(client, path, &mine).await {
            Err(error) if error.is_connection_loss() => continue,
            gate => gate?,
        };
        let watch = match gate {
            Gate::Open => return Ok(claim.lifetime().is_alive()),
            Gate::Lost => return Ok(false),
            Gate::Shut(watch) => watch,
        };
        let members = members(client, path).await?;
        if members.len() >= size {
            let mut open = client.multi();
            for member in members.iter().take(size) {
                open = open.check(join(path, member), None);
            }
            match open.create(ready.as_str(), b"", CreateMode::Persistent).commit().await {
                Ok(_) => return Ok(claim.lifetime().is_alive()),
                // Somebody was quicker.
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    return Ok(claim.lifetime().is_alive());
                }
                Err(error) if error.is_connection_loss() => {}
                // A member has gone: look again.
                Err(error) if error.code() == ErrorCode::NoNode => backoff.pause(client).await,
                Err(error) => return Err(error),
            }
            continue;
        }
        // That it was created is enough: members of another kind remove it when they leave.
        if watch.await?.kind == EventType::Created {
            return Ok(claim.lifetime().is_alive());
        }
    }
}

/// Looks at `ready` and at the own node, in this order: the watch stands before members are counted.
async fn look(client: &Client, path: &str, mine: &str) -> Result<Gate> {
    let (ready, own) = (client.exists_and_watch(&join(path, READY)), client.exists(mine));
    let ((ready, watch), own) = (ready.await?, own.await?);
    Ok(match (ready, own) {
        (_, None) => Gate::Lost,
        (Some(_), Some(_)) => Gate::Open,
        (None, Some(_)) => Gate::Shut(watch),
    })
}

/// Waits until there is no `ready`. One without members was left by a round whose last member died: it is removed.
async fn wait_for_end_of_round(client: &Client, path: &str) -> Result<()> {
    let ready = join(path, READY);
    loop {
        let watch = match client.exists_and_watch(&ready).await {
            Ok((None, _)) => return Ok(()),
            Ok((Some(_), watch)) => watch,
            Err(error) if error.is_connection_loss() => continue,
            Err(error) => return Err(error),
        };
        match members(client, path).await?.first() {
            None => delete_if_there(client, &ready).await?,
            // Its last member may die without removing `ready`: so a member is watched as well.
            Some(member) => {
                let member = join(path, member);
                if let First::Right(result) = first(watch, changed(client, &member)).await {
                    result?;
                }
            }
        }
    }
}

/// The members that are there. Foreign children, persistent ones of another name, are nobody.
pub(super) async fn members(client: &Client, path: &str) -> Result<Vec<String>> {
    let children = children_or_none(client, path).await?;
    only_members(client, path, children, barrier::is_member).await
}

/// Creates a persistent node and its parents, if it is missing.
pub(super) async fn create_if_missing(client: &Client, node: &str) -> Result<()> {
    let mut tries = 0;
    loop {
        match patiently(|| client.create(node, b"", CreateMode::Persistent)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == ErrorCode::NodeExists => return Ok(()),
            Err(error) if error.code() == ErrorCode::NoNode && tries < MAX_TRIES => {
                tries += 1;
                ensure(client, quorate_wire::path::parent(node)).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// How often a parent may vanish between its creation and that of its child.
const MAX_TRIES: usize = 100;
