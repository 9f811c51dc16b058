//! Several operations in one: a transaction of writes, a batch of reads.

use super::Client;
use super::create::CreateOptions;
use super::error::{Error, Result};
use super::operation::Op;
use super::state::Lifetime;
use quorate_engine::client::{Create, Part, Reply, Request};
use quorate_wire::{ErrorCode, Stat};

/// What one part of a transaction did.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{CreateMode, PartResult};
///
/// let results = client.multi().create("/a", b"", CreateMode::Persistent).delete("/a", None).commit().await?;
/// assert!(matches!(&results[0], PartResult::Created { path, .. } if path == "/a"));
/// assert_eq!(results[1], PartResult::Done);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartResult {
    /// A node was created; the stat is absent when a server before 3.8.2 answers.
    Created {
        /// The final path.
        path: String,
        /// The new node's stat.
        stat: Option<Stat>,
    },
    /// Data was written.
    Set(Stat),
    /// A check held, or a node was deleted.
    Done,
}

/// What one part of a batch of reads found.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::ReadResult;
///
/// let found = client.read_many().get("/").children("/").get("/missing").fetch().await?;
/// assert!(matches!(&found[0], Ok(ReadResult::Data(data, _)) if data.is_empty()));
/// assert!(matches!(&found[1], Ok(ReadResult::Children(names)) if names == &["zookeeper"]));
/// assert!(found[2].is_err());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// Data and stat.
    Data(Vec<u8>, Stat),
    /// Names of children.
    Children(Vec<String>),
}

/// Writes that happen all or not at all, in this order.
///
/// ```
/// # use quorate::{client::{Client, CreateMode}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client: &Client| {
/// client.create("/a", b"1", CreateMode::Persistent).await?;
/// let results = client
///     .multi()
///     .check("/a", Some(0))
///     .set("/a", b"2", None)
///     .create("/b", b"", CreateMode::Persistent)
///     .commit()
///     .await?;
/// assert_eq!(results.len(), 3);
///
/// // One part fails, so nothing happens; the error says which.
/// let error = client.multi().delete("/b", None).check("/a", Some(7)).commit().await.unwrap_err();
/// assert_eq!((error.part(), error.path()), (Some(1), "/a"));
/// assert!(client.exists("/b").await?.is_some());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `commit`"]
pub struct Transaction {
    client: Client,
    parts: Vec<OwnedPart>,
    /// Parts that count as one with the part before.
    joined: Vec<usize>,
    lifetime: Option<Lifetime>,
}

#[derive(Debug)]
enum OwnedPart {
    Create { path: String, data: Vec<u8>, options: CreateOptions },
    Delete { path: String, version: i32 },
    Set { path: String, data: Vec<u8>, version: i32 },
    Check { path: String, version: i32 },
    Get { path: String },
    Children { path: String },
}

impl Transaction {
    pub(super) const fn new(client: Client) -> Self {
        Self { client, parts: Vec::new(), joined: Vec::new(), lifetime: None }
    }

    /// Demands that this session still lives: the transaction is never carried out under a later one of the same client. Needed where
    /// a part checks an ephemeral node whose name another session may take.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/mine", b"", CreateMode::Ephemeral).await?;
    /// let life = client.lifetime();
    /// client.multi().under(&life).check("/mine", None).set("/", b"x", None).commit().await?;
    /// assert_eq!(client.get("/").await?.0, b"x");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn under(mut self, lifetime: &Lifetime) -> Self {
        self.lifetime = Some(lifetime.clone());
        self
    }

    /// Creates a node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, PartResult};
    ///
    /// let results = client.multi().create("/job-", b"", CreateMode::PersistentSequential).commit().await?;
    /// assert!(matches!(&results[0], PartResult::Created { path, .. } if path == "/job-0000000000"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn create(
        mut self,
        path: impl Into<String>,
        data: impl Into<Vec<u8>>,
        options: impl Into<CreateOptions>,
    ) -> Self {
        let (path, data, options) = (path.into(), data.into(), options.into());
        self.parts.push(OwnedPart::Create { path, data, options });
        self
    }

    /// Deletes a node, of this version if one is given.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/old", b"", CreateMode::Persistent).await?;
    /// // A node under another name: never both, never none.
    /// client.multi().delete("/old", Some(0)).create("/new", b"", CreateMode::Persistent).commit().await?;
    /// assert!(client.exists("/old").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn delete(mut self, path: impl Into<String>, version: Option<i32>) -> Self {
        self.parts.push(OwnedPart::Delete { path: path.into(), version: version.unwrap_or(-1) });
        self
    }

    /// Writes data, at this version if one is given.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::PartResult;
    ///
    /// let results = client.multi().set("/", b"x", Some(0)).set("/", b"y", Some(1)).commit().await?;
    /// assert!(matches!(&results[1], PartResult::Set(stat) if stat.version == 2));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn set(
        mut self,
        path: impl Into<String>,
        data: impl Into<Vec<u8>>,
        version: Option<i32>,
    ) -> Self {
        let version = version.unwrap_or(-1);
        self.parts.push(OwnedPart::Set { path: path.into(), data: data.into(), version });
        self
    }

    /// Demands that a node exists, at this version if one is given.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/lock", b"", CreateMode::Ephemeral).await?;
    /// client.multi().check("/lock", None).set("/", b"x", None).commit().await?;
    /// client.delete("/lock", None).await?;
    /// assert!(client.multi().check("/lock", None).set("/", b"y", None).commit().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn check(mut self, path: impl Into<String>, version: Option<i32>) -> Self {
        self.parts.push(OwnedPart::Check { path: path.into(), version: version.unwrap_or(-1) });
        self
    }

    /// Demands that all these nodes exist: together they are one part, with one result.
    pub(crate) fn check_all(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        for (index, path) in paths.into_iter().enumerate() {
            if index > 0 {
                self.joined.push(self.parts.len());
            }
            self = self.check(path, None);
        }
        self
    }

    /// The client that it belongs to.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// How many parts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len().saturating_sub(self.joined.len())
    }

    /// Whether there are none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let transaction = client.multi();
    /// assert!(transaction.is_empty());
    /// let transaction = transaction.check("/", None);
    /// assert_eq!((transaction.len(), transaction.client().root()), (1, ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Submits it. The results stand in the order of the parts.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let error = client.multi().set("/", b"x", None).check("/", Some(7)).commit().await.unwrap_err();
    /// assert_eq!(error.part(), Some(1));
    /// assert_eq!(client.get("/").await?.0, b"");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When a part fails, nothing has happened, and the error names the part. Otherwise as for every write.
    pub fn commit(self) -> Commit {
        let parts: Vec<Part<'_>> = self.parts.iter().map(OwnedPart::borrow).collect();
        let paths = parts.iter().map(|part| part.path().to_owned()).collect();
        let request = Request::Multi(&parts);
        let op =
            self.client.submit_under(self.lifetime.as_ref(), &request, |reply, _| match reply {
                Reply::Multi(results) => Ok(results),
                _ => Err(Error::unexpected("multi")),
            });
        Commit { op, paths, joined: self.joined }
    }
}

/// A transaction on its way.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// // It is on its way when `commit` is called; awaiting it waits for the answer.
/// let commit = client.multi().create("/a", b"", CreateMode::Persistent).commit();
/// assert!(client.exists("/a").await?.is_some());
/// assert_eq!(commit.await?.len(), 1);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the outcome is only known by awaiting it"]
pub struct Commit {
    op: Op<Vec<std::result::Result<Reply, ErrorCode>>>,
    paths: Vec<String>,
    joined: Vec<usize>,
}

impl Future for Commit {
    type Output = Result<Vec<PartResult>>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let results = std::task::ready!(std::pin::Pin::new(&mut self.op).poll(context));
        let Self { paths, joined, .. } = &mut *self;
        std::task::Poll::Ready(results.and_then(|results| committed(results, paths, joined)))
    }
}

fn committed(
    results: Vec<std::result::Result<Reply, ErrorCode>>,
    paths: &mut [String],
    joined: &[usize],
) -> Result<Vec<PartResult>> {
    // All parts carry an error then; the one to blame is not "because of another".
    let blame = |result: &std::result::Result<Reply, ErrorCode>| matches!(result, Err(code) if *code != ErrorCode::RuntimeInconsistency);
    if let Some(part) = results.iter().position(blame) {
        let code = results.get(part).and_then(|result| result.as_ref().err().copied());
        let path = paths.get_mut(part).map(std::mem::take).unwrap_or_default();
        let part = part.saturating_sub(joined.iter().filter(|&&index| index <= part).count());
        return Err(Error::of_part(code.unwrap_or(ErrorCode::SystemError), part, path));
    }
    results
        .into_iter()
        .enumerate()
        .filter(|(index, _)| !joined.contains(index))
        .map(|(_, result)| match result {
            Ok(Reply::Created { path, stat }) => Ok(PartResult::Created { path, stat }),
            Ok(Reply::Stat(stat)) => Ok(PartResult::Set(stat)),
            Ok(Reply::Done) => Ok(PartResult::Done),
            _ => Err(Error::unexpected("multi")),
        })
        .collect()
}

/// Reads at one instant.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// let batch = client.read_many().get("/").children("/");
/// let found = batch.fetch().await?;
/// assert!(found.iter().all(|part| part.is_ok()));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `fetch`"]
pub struct ReadBatch {
    client: Client,
    parts: Vec<OwnedPart>,
}

impl ReadBatch {
    pub(super) const fn new(client: Client) -> Self {
        Self { client, parts: Vec::new() }
    }

    /// Reads data and stat.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{ErrorCode, ReadResult};
    ///
    /// let found = client.read_many().get("/").get("/missing").fetch().await?;
    /// assert!(matches!(&found[0], Ok(ReadResult::Data(data, stat)) if data.is_empty() && stat.version == 0));
    /// assert_eq!(found[1], Err(ErrorCode::NoNode));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn get(mut self, path: impl Into<String>) -> Self {
        self.parts.push(OwnedPart::Get { path: path.into() });
        self
    }

    /// Lists children.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ReadResult;
    ///
    /// let found = client.read_many().children("/").fetch().await?;
    /// assert_eq!(found[0], Ok(ReadResult::Children(vec!["zookeeper".into()])));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn children(mut self, path: impl Into<String>) -> Self {
        self.parts.push(OwnedPart::Children { path: path.into() });
        self
    }

    /// Submits it. Each part succeeds or fails by itself, in the order of the parts.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// // One request, one answer, however many parts.
    /// let found = client.read_many().get("/").get("/nowhere").children("/zookeeper").fetch().await?;
    /// assert_eq!(found.iter().map(|part| part.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When there was no answer; what is wrong with a part is its own result.
    pub fn fetch(self) -> Op<Vec<std::result::Result<ReadResult, ErrorCode>>> {
        let parts: Vec<Part<'_>> = self.parts.iter().map(OwnedPart::borrow).collect();
        self.client.submit(&Request::MultiRead(&parts), |reply, _| match reply {
            Reply::Multi(results) => results.into_iter().map(read_part).collect(),
            _ => Err(Error::unexpected("multiRead")),
        })
    }
}

fn read_part(
    result: std::result::Result<Reply, ErrorCode>,
) -> Result<std::result::Result<ReadResult, ErrorCode>> {
    match result {
        Ok(Reply::Data { data, stat }) => Ok(Ok(ReadResult::Data(data, stat))),
        Ok(Reply::Children { names, .. }) => Ok(Ok(ReadResult::Children(names))),
        Ok(_) => Err(Error::unexpected("multiRead")),
        Err(code) => Ok(Err(code)),
    }
}

impl OwnedPart {
    fn borrow(&self) -> Part<'_> {
        match self {
            Self::Create { path, data, options } => Part::Create(Create {
                path,
                data,
                acl: &options.acl,
                mode: options.mode,
                ttl: options.ttl_ms(),
            }),
            Self::Delete { path, version } => Part::Delete { path, version: *version },
            Self::Set { path, data, version } => Part::Set { path, data, version: *version },
            Self::Check { path, version } => Part::Check { path, version: *version },
            Self::Get { path } => Part::Get { path },
            Self::Children { path } => Part::Children { path },
        }
    }
}
