//! [`Client`]: a session's handle, cheap to clone, safe to share.

use super::builder::Builder;
use super::completion::Inbox;
use super::driver::Targets;
use super::environment::Environment;
use super::error::{Error, Result};
use super::metrics::Metrics;
use super::multi::{ReadBatch, Transaction};
use super::operation::{Op, WatchGuard};
use super::retry::{RetryPolicy, Retrying};
use super::shared::Shared;
use super::state::{Lifetime, States};
use quorate_engine::client::{Counters, Identity, Reply, Request, State, WatchKey};
use quorate_wire::{ErrorCode, path};
use std::future::{Future, poll_fn};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A session with a ZooKeeper service: ours or Apache's, in another process or in this one.
///
/// Clones share the session; [`view`](Self::view)s also have a root of their own. Every method submits its request when it is called
/// and returns a future for the answer, so that requests are carried out in the order of the calls, whatever is awaited
/// when. All of it works on any executor and from any thread.
///
/// Every request can fail as [`Error`] says: for want of a connection, at the end of the session, or of permission. Each method names only what
/// is particular to it. A `version` is the one that is expected; `None` stands for any.
///
/// When the last clone is dropped, the session is closed in the background; [`close`](Self::close) waits for that, which a
/// program that is about to end should do.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{CreateMode, EventType, State};
///
/// client.create("/greeting", b"hello", CreateMode::Persistent).await?;
/// let (data, stat, watch) = client.get_and_watch("/greeting").await?;
/// assert_eq!((data.as_slice(), stat.version), (&b"hello"[..], 0));
/// client.set("/greeting", b"goodbye", Some(stat.version)).await?;
/// assert_eq!(watch.await?.kind, EventType::DataChanged);
///
/// let (names, _) = client.children("/").await?;
/// assert!(names.contains(&"greeting".to_owned()));
/// let view = client.view("/greeting")?;
/// view.create("/en", b"", CreateMode::Ephemeral).await?;
/// assert_eq!(client.exists("/greeting/en").await?.unwrap().ephemeral_owner, client.session_id());
///
/// view.delete("/en", None).await?;
/// client.delete("/greeting", None).await?;
/// client.close().await?;
/// assert_eq!(client.state(), State::Closed);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
    root: Arc<str>,
}

/// What all clones share.
#[derive(Debug)]
pub(super) struct Handle {
    shared: Arc<Shared>,
    /// The servers; absent when the client is driven from outside.
    targets: Option<Targets>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let give_up_at = self.shared.environment.now().saturating_add(PATIENCE_OF_CLOSE);
        if let Ok(key) = self.shared.close(give_up_at) {
            self.shared.abandon_op(key);
        }
    }
}

impl Client {
    /// How to connect.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::Client;
    /// use std::time::Duration;
    ///
    /// let client = Client::builder()
    ///     .in_process(&server)
    ///     .session_timeout(Duration::from_secs(20))
    ///     .connect()
    ///     .await?;
    /// assert_eq!(client.session_timeout(), Duration::from_secs(20));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Connects to the servers of a connection string such as `h1:2181,h2:2181/app`, and waits for the session.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let port = server.address().unwrap().port();
    /// let client = Client::connect(&format!("127.0.0.1:{port},localhost:{port}")).await?;
    /// assert!(client.exists("/").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the text cannot be understood, or nobody answered in time.
    pub async fn connect(servers: &str) -> Result<Self> {
        Self::builder().servers(servers).connect().await
    }

    pub(super) fn new(shared: Arc<Shared>, root: &str, targets: Option<Targets>) -> Self {
        Self { handle: Arc::new(Handle { shared, targets }), root: root.into() }
    }

    /// The same session seen from the root.
    pub(super) fn at_root(handle: Arc<Handle>) -> Self {
        Self { handle, root: "".into() }
    }

    pub(super) fn weak(&self) -> Weak<Handle> {
        Arc::downgrade(&self.handle)
    }

    pub(super) fn targets(&self) -> Option<&Targets> {
        self.handle.targets.as_ref()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The same session seen from `path`: all paths of the view are below it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// let app = client.view("/app")?;
    /// // The root of a view is not created by itself.
    /// client.create("/app", b"", CreateMode::Persistent).await?;
    /// let created = app.create("/job", b"", CreateMode::Persistent).await?;
    /// assert_eq!(created.path, "/job");
    /// assert!(client.exists("/app/job").await?.is_some());
    /// assert!(app.view("job").is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the path cannot be one.
    pub fn view(&self, path: &str) -> Result<Self> {
        if !path::is_valid(path) {
            return Err(Error::new(ErrorCode::BadArguments, "view", path));
        }
        let path = if path == "/" { "" } else { path };
        Ok(Self { handle: Arc::clone(&self.handle), root: format!("{}{path}", self.root).into() })
    }

    /// Whether both are handles of one session: clones or views.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let view = client.view("/app")?;
    /// assert!(view.shares_session(&client) && view.shares_session(&client.clone()));
    /// let other = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// assert!(!other.shares_session(&client));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn shares_session(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }

    /// The root of this view; empty for none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let app = client.view("/app")?;
    /// assert_eq!((client.root(), app.root(), app.view("/jobs")?.root()), ("", "/app", "/app/jobs"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether this process is a fork of the one that opened the client. Then every call fails with an error that
    /// [says so](Error::is_after_fork), handles may be dropped, and the session of the other process is not touched.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// // This is the process that opened the client.
    /// assert!(!client.is_after_fork());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn is_after_fork(&self) -> bool {
        self.shared().is_after_fork()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared().state()
    }

    /// The states from now on.
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
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn states(&self) -> States {
        States::new(Arc::clone(self.shared()))
    }

    /// The life of the present session: alive until it is lost or closed. A later session of the same client is
    /// another life.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::Client;
    ///
    /// let life = client.lifetime();
    /// assert!(life.is_alive());
    /// client.abandon();
    /// // What was held under it is not held any more, as far as this client is concerned.
    /// assert!(!life.is_alive());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        Lifetime::new(Arc::clone(self.shared()))
    }

    /// Waits until requests are being answered.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).open()?;
    /// client.connected().await?;
    /// assert!(client.state().is_connected());
    /// client.close().await?;
    /// assert!(client.connected().await.unwrap_err().is_session_end());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When that cannot happen any more: closed, refused credentials, or lost [without renewal](Builder::renew) (`SessionExpired`).
    pub async fn connected(&self) -> Result<()> {
        let mut states = self.states();
        loop {
            match states.current() {
                State::Connected | State::ReadOnly => return Ok(()),
                State::Closed if self.is_after_fork() => {
                    return Err(Error::after_fork("connect", ""));
                }
                State::Closed => return Err(Error::new(ErrorCode::Closing, "connect", "")),
                State::AuthFailed => return Err(Error::new(ErrorCode::AuthFailed, "connect", "")),
                State::Lost if self.shared().is_over() => {
                    return Err(Error::new(ErrorCode::SessionExpired, "connect", ""));
                }
                State::Connecting | State::Suspended | State::Lost => {
                    states.next().await;
                }
            }
        }
    }

    /// Waits until fewer than `limit` requests are without an answer, and there is room for another one within
    /// [`Builder::max_in_flight`], bytes included: the brake for who submits without awaiting.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let mut answers = Vec::new();
    /// for _ in 0..1000 {
    ///     client.ready(100).await;
    ///     answers.push(client.exists("/"));
    ///     assert!(client.counters().in_flight <= 100);
    /// }
    /// for answer in answers {
    ///     answer.await?;
    /// }
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn ready(&self, limit: usize) {
        let shared = self.shared();
        poll_fn(|context| shared.poll_ready(limit.max(1), context.waker())).await;
    }

    /// Id and password of the session, once there is one: what another process needs to resume it.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.shared().identity()
    }

    /// The session's id; 0 when there is none.
    #[must_use]
    pub fn session_id(&self) -> i64 {
        self.identity().map_or(0, |identity| identity.id)
    }

    /// The session timeout that the server granted; before that the one asked for.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.shared().timeout()).unwrap_or(0))
    }

    /// The newest transaction that an answer has shown.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let before = client.last_zxid();
    /// let written = client.set("/", b"x", None).await?;
    /// assert!(client.last_zxid() > before && client.last_zxid() == written.mzxid);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn last_zxid(&self) -> i64 {
        self.shared().last_zxid()
    }

    /// What the session has done so far.
    #[must_use]
    pub fn counters(&self) -> ClientCounters {
        let (session, in_flight, watches) = self.shared().counters();
        let retries = self.shared().retries.load(Ordering::Relaxed);
        ClientCounters { session, in_flight, watches, retries }
    }

    /// How long answers have taken so far; `None` unless asked for with [`Builder::metrics`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).metrics(true).connect().await?;
    /// client.exists("/").await?;
    /// assert_eq!(client.metrics().unwrap().reads.count(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Option<Metrics> {
        self.shared().metrics()
    }

    /// Adds an identity, such as `digest` and `user:password`, to the session, now and after every reconnect.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Acl, CreateMode, CreateOptions, Id};
    /// use quorate_wire::acl::ALL;
    ///
    /// client.authenticate("digest", b"ann:secret").await?;
    /// let whoever_creates_it = Acl { perms: ALL, id: Id::new("auth", "") };
    /// let mine = CreateOptions::new(CreateMode::Persistent).acl([whoever_creates_it]);
    /// client.create("/mine", b"private", mine).await?;
    /// let stranger = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// assert!(stranger.get("/mine").await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `AuthFailed` when the server refuses: that ends the session for good.
    pub fn authenticate(&self, scheme: &str, secret: &[u8]) -> Op<()> {
        Op::new(self.shared(), self.shared().authenticate(scheme, secret), |_, _| Ok(()))
    }

    /// Closes the session after everything that was submitted: its ephemeral nodes vanish at once. Without a connection this is tried
    /// for ten seconds.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/here", b"", CreateMode::Ephemeral).await?;
    /// let other = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// client.close().await?;
    /// assert!(other.exists("/here").await?.is_none());
    /// assert!(client.exists("/").await.unwrap_err().is_session_end());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When no server could be told: then the session ends when its timeout has passed.
    pub fn close(&self) -> Op<()> {
        let give_up_at = self.environment().now().saturating_add(PATIENCE_OF_CLOSE);
        Op::new(self.shared(), self.shared().close(give_up_at), |_, _| Ok(()))
    }

    /// Ends the client without telling a server: the session lives on until its timeout, so that another process can
    /// resume it with [`identity`](Self::identity).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Client, CreateMode, State};
    ///
    /// client.create("/here", b"", CreateMode::Ephemeral).await?;
    /// let identity = client.identity().unwrap();
    /// client.abandon();
    /// assert_eq!(client.state(), State::Closed);
    ///
    /// let heir = Client::builder().in_process(&server).resume(identity).connect().await?;
    /// assert_eq!(heir.exists("/here").await?.unwrap().ephemeral_owner, identity.id);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn abandon(&self) {
        self.shared().with(|core| core.session.abandon());
    }

    /// Several writes, all or nothing.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/a", b"1", CreateMode::Persistent).await?;
    /// client.multi().check("/a", Some(0)).create("/b", b"", CreateMode::Persistent).commit().await?;
    /// // The check fails, so nothing of it happens.
    /// client.multi().delete("/b", None).check("/a", Some(7)).commit().await.unwrap_err();
    /// assert!(client.exists("/b").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn multi(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// Several reads at one instant.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ReadResult};
    ///
    /// client.create("/a", b"1", CreateMode::Persistent).await?;
    /// let found = client.read_many().get("/a").children("/a").fetch().await?;
    /// assert!(matches!(&found[0], Ok(ReadResult::Data(data, _)) if data == b"1"));
    /// assert_eq!(found[1], Ok(ReadResult::Children(vec![])));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn read_many(&self) -> ReadBatch {
        ReadBatch::new(self.clone())
    }

    /// Submits a request whose result goes to an inbox, with the caller's token: the interface for language
    /// bindings.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Completion, Inbox, Reply, Request};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// client.submit_to(&inbox, &Request::Get { path: "/", watch: None }, 42)?;
    /// let done = inbox.wait(Duration::from_secs(10));
    /// assert!(matches!(&done[..], [Completion::Done { token: 42, result: Ok(Reply::Data { .. }) }]));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When it is not accepted; then there is no completion. `NoWatcher` when it is to register a watch that is over. `ThrottledOp` when too many
    /// requests are in flight, or their results wait in the inbox.
    pub fn submit_to(&self, inbox: &Arc<Inbox>, request: &Request<'_>, token: u64) -> Result<()> {
        self.shared().submit_queued(&self.root, request, inbox, token)
    }

    /// Makes a watch whose events go to an inbox, with the caller's token. Its key belongs into the request that registers it, and
    /// into [`remove_watch`](Self::remove_watch). It may be registered again, also after a one-shot watch has fired. It is over,
    /// and its key means nothing any more, when it has been removed, or when the inbox was told that it
    /// [ended](quorate_engine::client::Notice::Ended).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Completion, Inbox, Notice, Request};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// let watch = client.watch_to(&inbox, 7);
    /// for round in 0..2 {
    ///     client.submit_to(&inbox, &Request::Get { path: "/", watch: Some(watch) }, round)?;
    ///     assert!(matches!(inbox.wait(Duration::from_secs(10))[..], [Completion::Done { .. }]));
    ///     client.set("/", b"x", None).await?;
    ///     let told = inbox.wait(Duration::from_secs(10));
    ///     assert!(matches!(told[..], [Completion::Event { token: 7, notice: Notice::Changed { .. } }]));
    /// }
    /// client.remove_watch(watch);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn watch_to(&self, inbox: &Arc<Inbox>, token: u64) -> WatchKey {
        self.shared().queued_watch(inbox, token, false)
    }

    /// The same for a single one-shot watch, which needs no removal: it is over also with its event, or with the
    /// completion that says that the request which was to register it has failed. Where the inbox is full, the event is replaced by
    /// [`Missed`](quorate_engine::client::Notice::Missed).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Completion, Inbox, Notice, Request};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// let watch = client.watch_once_to(&inbox, 7);
    /// client.submit_to(&inbox, &Request::Exists { path: "/", watch: Some(watch) }, 1)?;
    /// assert!(matches!(inbox.wait(Duration::from_secs(10))[..], [Completion::Done { token: 1, .. }]));
    /// client.set("/", b"x", None).await?;
    /// let told = inbox.wait(Duration::from_secs(10));
    /// assert!(matches!(told[..], [Completion::Event { token: 7, notice: Notice::Changed { .. } }]));
    /// // It is over: its key cannot be used again.
    /// assert!(client.submit_to(&inbox, &Request::Exists { path: "/", watch: Some(watch) }, 2).is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn watch_once_to(&self, inbox: &Arc<Inbox>, token: u64) -> WatchKey {
        self.shared().queued_watch(inbox, token, true)
    }

    /// Ends a watch made with [`watch_to`](Self::watch_to) or [`watch_once_to`](Self::watch_once_to); the server forgets it too.
    /// One that is over already is none of its business: a key never means another watch.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Completion, Inbox, Request};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// let watch = client.watch_to(&inbox, 7);
    /// client.submit_to(&inbox, &Request::Get { path: "/", watch: Some(watch) }, 1)?;
    /// assert!(matches!(inbox.wait(Duration::from_secs(10))[..], [Completion::Done { .. }]));
    /// client.remove_watch(watch);
    /// client.set("/", b"x", None).await?;
    /// assert!(inbox.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn remove_watch(&self, watch: WatchKey) {
        self.shared().drop_watch(watch);
    }

    /// Time, chance and tasks, as this client has them: what recipes run on.
    #[must_use]
    pub fn environment(&self) -> &Arc<dyn Environment> {
        &self.shared().environment
    }

    /// The same operations, repeated by a policy where that is safe.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, RetryPolicy};
    ///
    /// let patient = client.retrying(RetryPolicy::tries(5));
    /// patient.create("/job", b"x", CreateMode::Persistent).await?;
    /// assert_eq!(patient.get("/job").await?.0, b"x");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn retrying(&self, policy: RetryPolicy) -> Retrying {
        Retrying::new(self.clone(), policy)
    }

    /// Waits a while, on any executor.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use std::time::Duration;
    ///
    /// let before = client.environment().now();
    /// client.sleep(Duration::from_millis(20)).await;
    /// assert!(client.environment().now() - before >= 19);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.environment().sleep(duration)
    }

    /// Requests that are submitted in `submit` leave together: in one piece, if the connection takes it.
    pub(crate) fn together<T>(&self, submit: impl FnOnce(&Self) -> T) -> T {
        let _together = self.shared().together();
        submit(self)
    }

    /// Submits a request in this view.
    pub(super) fn submit<T>(
        &self,
        request: &Request<'_>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Op<T> {
        Op::new(self.shared(), self.shared().submit(&self.root, request), read)
    }

    /// Submits a request in this view, for one session only if one is given.
    pub(super) fn submit_under<T>(
        &self,
        lifetime: Option<&Lifetime>,
        request: &Request<'_>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Op<T> {
        let submitted = match lifetime {
            Some(lifetime) => self.shared().submit_in(lifetime.generation(), &self.root, request),
            None => self.shared().submit(&self.root, request),
        };
        Op::new(self.shared(), submitted, read)
    }

    /// Submits a request outside every view.
    pub(super) fn submit_at_root<T>(
        &self,
        request: &Request<'_>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Op<T> {
        Op::new(self.shared(), self.shared().submit("", request), read)
    }

    /// Submits a request that leaves a watch at `path`.
    pub(super) fn submit_watch<'a, T>(
        &self,
        path: &'a str,
        request: impl Fn(WatchKey) -> Request<'a>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Op<T> {
        let shared = self.shared();
        let submitted = shared.submit_watch(&self.root, request).map(|(key, watch)| {
            let guard =
                WatchGuard { shared: Arc::clone(shared), key: watch, path: path.to_owned() };
            (key, Some(guard))
        });
        Op::with_watch(shared, submitted, read)
    }
}

/// Numbers of a client since it was made.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// client.exists("/").await?;
/// let counters = client.counters();
/// assert_eq!((counters.session.submitted, counters.session.completed), (1, 1));
/// assert_eq!((counters.in_flight, counters.reconnects(), counters.retries), (0, 0, 0));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCounters {
    /// What the session counts.
    pub session: Counters,
    /// Requests without an answer, now.
    pub in_flight: usize,
    /// Watches that are registered, now.
    pub watches: usize,
    /// Tries beyond the first of operations under a [`RetryPolicy`].
    pub retries: u64,
}

impl ClientCounters {
    /// Connections after the first, of this session or of the ones that followed it.
    #[must_use]
    pub const fn reconnects(&self) -> u64 {
        self.session.connections.saturating_sub(1)
    }
}

/// How long closing is tried without a connection, ms.
const PATIENCE_OF_CLOSE: i64 = 10_000;
