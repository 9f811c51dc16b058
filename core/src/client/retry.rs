//! Retries that never repeat blindly what must not happen twice.
//!
//! When a connection is lost, a request may have been carried out although its answer never came. Reads are repeated; before
//! a write is repeated, the tree is asked whether it has happened. Where that cannot be told, the error says so
//! ([`Error::outcome_unknown`]) and the caller decides. Only the loss of a connection is met in this way: refusals and the end of the
//! session are answers. Sources: Curator's `RetryLoop`, `ProtectedMode` and idempotent builders.

mod policy;
mod protected;
mod tries;

pub use policy::RetryPolicy;

use self::tries::Tries;
use super::{Client, CreateOptions, Created, Error, PartResult, Result, Transaction};
use quorate_wire::op::create::CreateMode;
use quorate_wire::{ErrorCode, Stat};

/// What a look at the tree says about a write whose answer was lost.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Outcome, RetryPolicy};
///
/// // A counter of one's own: whether it was raised is seen by its value.
/// client.set("/", b"1", None).await?;
/// let look = || async {
///     let (data, _) = client.get("/").await?;
///     Ok(if data == b"2" { Outcome::Happened(()) } else { Outcome::DidNot })
/// };
/// let write = || async { client.set("/", b"2", None).await.map(drop) };
/// client.retrying(RetryPolicy::tries(3)).checked("/", write, look).await?;
/// assert_eq!(client.get("/").await?.0, b"2");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It has happened, with this result.
    Happened(T),
    /// It has not, and it cannot happen any more: the server refuses what is still on its way on the old connection.
    DidNot,
    /// It cannot be told.
    Unknown,
}

/// The operations of a [`Client`], repeated by a [`RetryPolicy`] where that is safe.
///
/// ```
/// # use quorate::{client::{Client, CreateMode, RetryPolicy}, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client: &Client| {
/// let patient = client.retrying(RetryPolicy::tries(5).and_until(Duration::from_secs(10)));
/// patient.create("/jobs", b"", CreateMode::Persistent).await?;
/// let job = patient.create_protected("/jobs/job-", b"x", CreateMode::EphemeralSequential).await?;
/// assert!(job.path.starts_with("/jobs/_c_"));
/// patient.delete(&job.path, None).await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Retrying {
    client: Client,
    policy: RetryPolicy,
}

impl Retrying {
    pub(super) const fn new(client: Client, policy: RetryPolicy) -> Self {
        Self { client, policy }
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Repeats what may happen twice.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// // Whatever may happen twice: reads, and writes that change nothing the second time.
    /// let (names, _) = patient.repeat(|| client.children("/")).await?;
    /// assert_eq!(names, ["zookeeper"]);
    /// assert!(patient.client().shares_session(&client));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last try.
    pub async fn repeat<T, F: Future<Output = Result<T>>>(
        &self,
        mut operation: impl FnMut() -> F,
    ) -> Result<T> {
        let mut tries = Tries::new(self);
        loop {
            match tries.limited(false, operation()).await {
                Err(error) if error.is_connection_loss() => tries.again(error).await?,
                answer => return answer,
            }
        }
    }

    /// Repeats a write only when `look` says that it did not happen. `look` is asked after each loss, behind a `sync`,
    /// and its own reads are repeated.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Outcome, RetryPolicy};
    ///
    /// // Appending is seen by what stands at the end; twice would be once too often.
    /// let (before, stat) = client.get("/").await?;
    /// let write = || async { client.set("/", b"line\n", Some(stat.version)).await.map(drop) };
    /// let look = || async {
    ///     let (data, _) = client.get("/").await?;
    ///     Ok(if data == before { Outcome::DidNot } else { Outcome::Happened(()) })
    /// };
    /// client.retrying(RetryPolicy::tries(3)).checked("/", write, look).await?;
    /// assert_eq!(client.get("/").await?.0, b"line\n");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last try; [`Error::outcome_unknown`] says whether it may have happened.
    pub async fn checked<T, F, L>(
        &self,
        path: &str,
        mut write: impl FnMut() -> F,
        mut look: impl FnMut() -> L,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
        L: Future<Output = Result<Outcome<T>>>,
    {
        let mut tries = Tries::new(self);
        loop {
            let lifetime = self.client.lifetime();
            let error = match tries.limited(true, write()).await {
                Err(error) if error.is_connection_loss() => error,
                answer => return answer,
            };
            if !error.outcome_unknown() {
                tries.again(error).await?;
                continue;
            }
            let looked = async {
                tries.repeat(|| self.client.sync(path)).await?;
                look().await
            };
            match tries.limited(true, looked).await {
                Ok(Outcome::Happened(result)) => return Ok(result),
                // What a session has sent that is over may still be on its way.
                Ok(Outcome::DidNot) if !lifetime.is_alive() => return Err(error),
                Ok(Outcome::DidNot) => tries.again(error).await.map_err(settled)?,
                // Neither the look's failure nor its silence says that nothing happened.
                Ok(Outcome::Unknown) => return Err(error),
                Err(look) => return Err(look.with_outcome_unknown()),
            }
        }
    }

    /// As [`Client::get`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// let (data, _) = client.retrying(RetryPolicy::tries(3)).get("/").await?;
    /// assert_eq!(data, b"");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The same.
    pub async fn get(&self, path: &str) -> Result<(Vec<u8>, Stat)> {
        self.repeat(|| self.client.get(path)).await
    }

    /// As [`Client::exists`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// assert!(client.retrying(RetryPolicy::tries(3)).exists("/nowhere").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>> {
        self.repeat(|| self.client.exists(path)).await
    }

    /// As [`Client::children`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// let (names, _) = client.retrying(RetryPolicy::tries(3)).children("/").await?;
    /// assert_eq!(names, ["zookeeper"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The same.
    pub async fn children(&self, path: &str) -> Result<(Vec<String>, Stat)> {
        self.repeat(|| self.client.children(path)).await
    }

    /// As [`Client::sync`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// patient.sync("/").await?;
    /// // This sees what anybody wrote before.
    /// assert_eq!(patient.get("/").await?.0, b"");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn sync(&self, path: &str) -> Result<()> {
        self.repeat(|| self.client.sync(path)).await
    }

    /// Creates a node. With a name of the caller's own it is idempotent: after a loss, a node with the same data (and, if it is ephemeral,
    /// of this session) counts as the one that was asked for. A sequential node cannot be told from others: it is not tried
    /// again once it may exist; see [`create_protected`](Self::create_protected).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode, RetryPolicy};
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// patient.create("/job", b"x", CreateMode::Persistent).await?;
    /// // Only after a lost answer does a node that is there already count as one's own.
    /// let second = patient.create("/job", b"x", CreateMode::Persistent).await;
    /// assert_eq!(second.unwrap_err().code(), ErrorCode::NodeExists);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Client::create`].
    pub async fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Result<Created> {
        let options = options.into();
        let kind = options.mode;
        let session = self.client.session_id();
        let look = || async move {
            if is_sequential(kind) {
                return Ok(Outcome::Unknown);
            }
            match self.get(path).await {
                Ok((found, stat)) => {
                    let mine = !is_ephemeral(kind) || stat.ephemeral_owner == session;
                    if mine && found == data {
                        return Ok(Outcome::Happened(Created { path: path.to_owned(), stat }));
                    }
                    // Whoever made it, trying again says `NodeExists`: the answer that is due.
                    Ok(Outcome::DidNot)
                }
                Err(error) if error.code() == ErrorCode::NoNode => Ok(Outcome::DidNot),
                Err(error) => Err(error),
            }
        };
        self.checked(path, || self.client.create(path, data, options.clone()), look).await
    }

    /// Writes data. After a loss, the version that follows the expected one together with equal data counts as done. Without
    /// a version, equal data counts as done, and a node that nobody has written since before the call as not done;
    /// between the two the outcome is unknown.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::RetryPolicy;
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// let (_, stat) = patient.get("/").await?;
    /// assert_eq!(patient.set("/", b"x", Some(stat.version)).await?.version, stat.version + 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Client::set`].
    pub async fn set(&self, path: &str, data: &[u8], version: Option<i32>) -> Result<Stat> {
        let before = self.client.last_zxid();
        let look = || async move {
            let (found, stat) = match self.get(path).await {
                Ok(found) => found,
                // Deleted after the write or before: trying again gives the answer that is due.
                Err(error) if error.code() == ErrorCode::NoNode => return Ok(Outcome::Unknown),
                Err(error) => return Err(error),
            };
            Ok(match version {
                Some(expected) if stat.version == expected => Outcome::DidNot,
                Some(expected) if stat.version != expected.wrapping_add(1) => Outcome::Unknown,
                _ if found == data => Outcome::Happened(stat),
                // Exactly one write came since, and it was another's.
                Some(_) => Outcome::DidNot,
                None if stat.mzxid <= before => Outcome::DidNot,
                None => Outcome::Unknown,
            })
        };
        self.checked(path, || self.client.set(path, data, version), look).await
    }

    /// Deletes a node. After a loss, that it is gone counts as done; a node that was created meanwhile is not touched.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode, RetryPolicy};
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// client.create("/job", b"", CreateMode::Persistent).await?;
    /// patient.delete("/job", Some(0)).await?;
    /// assert_eq!(patient.delete("/job", None).await.unwrap_err().code(), ErrorCode::NoNode);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Client::delete`].
    pub async fn delete(&self, path: &str, version: Option<i32>) -> Result<()> {
        let before = self.client.last_zxid();
        let look = || async move {
            Ok(match self.exists(path).await? {
                None => Outcome::Happened(()),
                Some(stat) if stat.czxid <= before => Outcome::DidNot,
                Some(_) => Outcome::Unknown,
            })
        };
        self.checked(path, || self.client.delete(path, version), look).await
    }

    /// Commits a transaction, made anew for each try. `look` says after a loss whether it has happened: by a node that it creates,
    /// or a version that it raises.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, Outcome, RetryPolicy};
    ///
    /// let transaction = || client.multi().create("/done", b"", CreateMode::Persistent).set("/", b"x", None);
    /// // The node that it creates tells whether it has happened.
    /// let look = || async {
    ///     let there = client.exists("/done").await?.is_some();
    ///     Ok(if there { Outcome::Happened(Vec::new()) } else { Outcome::DidNot })
    /// };
    /// let results = client.retrying(RetryPolicy::tries(3)).commit("/", transaction, look).await?;
    /// assert_eq!(results.len(), 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Transaction::commit`].
    pub async fn commit<L: Future<Output = Result<Outcome<Vec<PartResult>>>>>(
        &self,
        path: &str,
        transaction: impl Fn() -> Transaction,
        look: impl FnMut() -> L,
    ) -> Result<Vec<PartResult>> {
        self.checked(path, || transaction().commit(), look).await
    }
}

/// It is known that this try did not happen.
fn settled(error: Error) -> Error {
    Error::new(error.code(), error.operation(), error.path())
}

const fn is_sequential(mode: CreateMode) -> bool {
    matches!(
        mode,
        CreateMode::PersistentSequential
            | CreateMode::EphemeralSequential
            | CreateMode::PersistentSequentialWithTtl
    )
}

const fn is_ephemeral(mode: CreateMode) -> bool {
    matches!(mode, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
}
