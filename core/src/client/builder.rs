//! How a client is made.

use super::address::{Address, Auth, Servers};
use super::driver::Driver;
use super::environment::within;
use super::error::{Error, Result};
use super::follow::follow_config;
use super::port::Port;
use super::resolve::Resolver;
use super::runtime::{IoThread, RealWorld};
use super::shared::Shared;
use super::srv::{Question, follow_srv};
use super::tls::Tls;
use super::transport::Target;
use super::{Client, blocking};
use crate::server::{Connector, Server};
use quorate_engine::client::{Identity, Mechanism, Settings};
use quorate_wire::ErrorCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;

/// Says how a client connects; [`connect`](Self::connect) does it.
///
/// ```
/// use quorate::client::{Client, CreateMode};
/// use quorate::server::Server;
/// use std::time::Duration;
///
/// # quorate::client::blocking::wait(async {
/// let server = Server::builder().volatile().free_port().start().unwrap();
/// let client = Client::builder()
///     .servers(&server.address().unwrap().to_string())
///     .session_timeout(Duration::from_secs(20))
///     .auth("digest", b"user:password")
///     .root("/app")
///     .connect()
///     .await?;
/// // The root is not created.
/// assert!(client.exists("/").await?.is_none());
/// client.close().await?;
///
/// // Nobody is there: an error, in time.
/// let nobody = Client::builder().servers("127.0.0.1:1").patience(Duration::from_millis(50));
/// assert!(nobody.connect().await.unwrap_err().is_connection_loss());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct Builder {
    servers: Option<String>,
    in_process: Option<Connector>,
    root: Option<String>,
    auth: Vec<Auth>,
    resolver: Option<Resolver>,
    tls: Option<Tls>,
    sasl: Option<Box<dyn Mechanism>>,
    runtime: Option<Handle>,
    settings: Settings,
    timeout_given: bool,
    patience: Option<Duration>,
    watch_limit: usize,
    follow_config: bool,
    metrics: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            servers: None,
            in_process: None,
            root: None,
            auth: Vec::new(),
            resolver: None,
            tls: None,
            sasl: None,
            runtime: None,
            settings: Settings::default(),
            timeout_given: false,
            patience: None,
            watch_limit: 1024,
            follow_config: false,
            metrics: false,
        }
    }
}

impl Builder {
    /// The servers, as a connection string: `h1:2181,h2:2181/app`, `zookeeper://h1:2181?backup=h2:2181`,
    /// `dns+srv://name/app`. 127.0.0.1:2181 unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let servers = format!("zookeeper://{}/app?timeout=3000", server.address().unwrap());
    /// let client = Client::builder().servers(&servers).connect().await?;
    /// assert!(client.exists("/").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn servers(mut self, servers: &str) -> Self {
        self.servers = Some(servers.to_owned());
        self
    }

    /// Whom to ask for the SRV records of `dns+srv://name`, rather than the name servers of `/etc/resolv.conf`: Consul's agent, for one,
    /// has a port of its own. The hosts that the records name are looked up as the system does it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::client::resolve::Resolver;
    /// use std::time::Duration;
    ///
    /// let consul = Resolver::new(vec!["127.0.0.1:8600".parse().unwrap()]);
    /// let builder = Client::builder().servers("dns+srv://_zookeeper._tcp.service.consul").resolver(consul);
    /// // Nobody answers here.
    /// assert!(builder.patience(Duration::from_millis(20)).connect().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// A server in this process, without a socket between.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// assert!(client.exists("/").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn in_process(mut self, server: &Server) -> Self {
        self.in_process = Some(server.connector());
        self
    }

    /// The path below which all paths of the client lie; the node is not created. It comes after the path of the connection
    /// string, if there is one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Client, CreateMode};
    ///
    /// let app = Client::builder().in_process(&server).root("/app").connect().await?;
    /// client.create("/app", b"", CreateMode::Persistent).await?;
    /// app.create("/job", b"", CreateMode::Persistent).await?;
    /// assert!(client.exists("/app/job").await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn root(mut self, root: &str) -> Self {
        self.root = Some(root.to_owned());
        self
    }

    /// The session timeout to ask for; servers have limits of their own. 10 s unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    /// use std::time::Duration;
    ///
    /// let long = Client::builder().in_process(&server).session_timeout(Duration::from_secs(3600));
    /// // The server grants no more than twenty of its ticks.
    /// assert_eq!(long.connect().await?.session_timeout(), Duration::from_secs(60));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
        self.timeout_given = true;
        self
    }

    /// How long [`connect`](Self::connect) waits for a session; 30 s unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use std::time::Duration;
    ///
    /// let nobody = Client::builder().servers("127.0.0.1:1").patience(Duration::from_millis(20));
    /// assert!(nobody.connect().await.unwrap_err().is_connection_loss());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Whether a server without a quorum will do, for reads.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::{Client, State};
    ///
    /// let client = Client::builder().in_process(&server).read_only(true).connect().await?;
    /// // A server that takes writes is preferred, where there is one.
    /// assert_eq!(client.state(), State::Connected);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.settings.read_only = read_only;
        self
    }

    /// A session to resume, as [`Client::identity`] gave it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::Client;
    ///
    /// let identity = client.identity().unwrap();
    /// client.abandon();
    /// let heir = Client::builder().in_process(&server).resume(identity).connect().await?;
    /// assert_eq!(heir.session_id(), identity.id);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn resume(mut self, identity: Identity) -> Self {
        self.settings.resume = Some(identity);
        self
    }

    /// Whether a new session follows when one is lost; so unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Client, Identity, State};
    ///
    /// // A session that no server knows is lost at once, and no other follows.
    /// let unknown = Identity { id: 1, password: [0; 16] };
    /// let builder = Client::builder().in_process(&server).resume(unknown).renew(false);
    /// assert!(builder.connect().await.unwrap_err().is_session_end());
    /// let builder = Client::builder().in_process(&server).resume(unknown);
    /// assert_eq!(builder.connect().await?.state(), State::Connected);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn renew(mut self, renew: bool) -> Self {
        self.settings.renew = renew;
        self
    }

    /// Adds an identity, such as `digest` and `user:password`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).auth("digest", b"ann:secret").connect().await?;
    /// assert!(client.who_am_i().await?.contains(&("digest".into(), "ann".into())));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn auth(mut self, scheme: &str, secret: &[u8]) -> Self {
        self.auth.push(Auth { scheme: scheme.to_owned(), data: secret.to_vec() });
        self
    }

    /// Connects with TLS.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().free_port().start().unwrap();
    /// use quorate::client::{Client, tls::TlsOptions};
    /// use std::time::Duration;
    ///
    /// # let pem = rcgen::generate_simple_self_signed(["zoo1".to_owned()]).unwrap().cert.pem();
    /// let tls = TlsOptions::new().roots_pem(pem).build().unwrap();
    /// let address = server.address().unwrap().to_string();
    /// let client = Client::builder().servers(&address).tls(tls).patience(Duration::from_secs(1));
    /// // This server has no TLS, so there is no session without it either.
    /// assert!(client.connect().await.unwrap_err().is_connection_loss());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Authenticates each connection with a SASL mechanism before anything else is sent.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::{Client, Mechanism, SaslError};
    /// use quorate::server::Server;
    ///
    /// /// Says who it is, and is asked nothing.
    /// #[derive(Debug)]
    /// struct Plain;
    ///
    /// impl Mechanism for Plain {
    ///     fn begin(&mut self) -> Result<Vec<u8>, SaslError> {
    ///         Ok(b"\0ann\0secret".to_vec())
    ///     }
    ///     fn step(&mut self, _challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
    ///         Ok(None)
    ///     }
    /// }
    ///
    /// let server = Server::builder().volatile().no_port().start().unwrap();
    /// let builder = Client::builder().in_process(&server).sasl(Box::new(Plain));
    /// assert!(builder.connect().await?.state().is_connected());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn sasl(mut self, mechanism: Box<dyn Mechanism>) -> Self {
        self.sasl = Some(mechanism);
        self
    }

    /// Runs on the host's tokio runtime (with I/O and time enabled) rather than on the library's own thread.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use quorate::client::Client;
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// let builder = Client::builder().in_process(&server).runtime(runtime.handle().clone());
    /// runtime.block_on(async {
    ///     let client = builder.connect().await?;
    ///     assert!(client.exists("/").await?.is_some());
    ///     client.close().await
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Requests, and bytes of them, that may be without an answer; more are refused. Results that wait in an [`Inbox`](super::Inbox) count until
    /// they are taken, with what they hold. 100,000 and 64 MiB unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::{Client, ErrorCode};
    ///
    /// // Not connected yet: what is submitted waits.
    /// let client = Client::builder().servers("127.0.0.1:1").max_in_flight(1, 1024).open()?;
    /// let first = client.get("/");
    /// let second = client.get("/");
    /// assert_eq!(second.await.unwrap_err().code(), ErrorCode::ThrottledOp);
    /// drop(first);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn max_in_flight(mut self, requests: usize, bytes: usize) -> Self {
        self.settings.max_pending = requests;
        self.settings.max_pending_bytes = bytes;
        self
    }

    /// The longest request that the servers take (their `jute.maxbuffer`), and the longest reply to accept, bytes. 1 MiB
    /// and 64 MiB unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).max_frames(1000, 1 << 20).connect().await?;
    /// let error = client.set("/", &[0; 2000], None).await.unwrap_err();
    /// // It was refused here: nothing was sent, and the connection stands.
    /// assert!(!error.outcome_unknown() && client.state().is_connected());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn max_frames(mut self, request: usize, reply: usize) -> Self {
        self.settings.max_request = request;
        self.settings.max_reply = reply;
        self
    }

    /// Events that a watch may hold until they are taken; beyond, its owner is told that some are missing. 1,024 unless
    /// told otherwise. An [`Inbox`](super::Inbox), which is for many watches, holds 64 times as many.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::{Client, WatchEvent, WatchMode};
    ///
    /// let client = Client::builder().in_process(&server).max_events(2).connect().await?;
    /// let mut watcher = client.watch("/", WatchMode::Node).await?;
    /// for round in 0..3 {
    ///     client.set("/", &[round], None).await?;
    /// }
    /// watcher.next().await?;
    /// watcher.next().await?;
    /// assert_eq!(watcher.next().await?, WatchEvent::Missed);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn max_events(mut self, events: usize) -> Self {
        self.watch_limit = events;
        self
    }

    /// Whether to follow the ensemble's configuration, the node `/zookeeper/config`: the client addresses in it become the list
    /// of servers whenever it changes. A server that has no ensemble changes nothing. Not with a server in this process.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let servers = server.address().unwrap().to_string();
    /// // This server has no ensemble: its list stays as it is.
    /// let client = Client::builder().servers(&servers).follow_config(true).connect().await?;
    /// assert!(client.config().await?.0.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn follow_config(mut self, follow: bool) -> Self {
        self.follow_config = follow;
        self
    }

    /// Spreads what clients read again after a reconnect: each persistent watch is told within this time, at a moment of its own, that
    /// it may have missed something ([`WatchEvent::Missed`](super::WatchEvent::Missed)). Many clients of a server that was started
    /// again then do not read all at once; what they know is older by so much. At once, unless told otherwise.
    ///
    /// Events are never held back, and one-shot watches need nothing of it: the server tells only those whose nodes changed.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::{Client, WatchMode};
    /// use std::time::Duration;
    ///
    /// let builder = Client::builder().in_process(&server).spread(Duration::from_secs(30));
    /// let client = builder.connect().await?;
    /// let mut watcher = client.watch("/", WatchMode::Node).await?;
    /// // Events come at once all the same.
    /// client.set("/", b"x", None).await?;
    /// watcher.next().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn spread(mut self, within: Duration) -> Self {
        self.settings.spread = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Whether latencies are measured, for [`Client::metrics`]; not unless told otherwise. It costs two looks at the clock for each
    /// request.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).metrics(true).connect().await?;
    /// client.set("/", b"x", None).await?;
    /// assert_eq!(client.metrics().unwrap().writes.count(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn metrics(mut self, metrics: bool) -> Self {
        self.metrics = metrics;
        self
    }

    /// Connects, and waits for the session.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::{Client, State};
    ///
    /// let client = Client::builder().in_process(&server).connect().await?;
    /// assert_eq!(client.state(), State::Connected);
    /// assert!(Client::builder().servers("no port:").connect().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the connection string cannot be understood, when nobody answers within the
    /// [`patience`](Self::patience), or when the credentials are refused.
    pub async fn connect(self) -> Result<Client> {
        let (client, connected) = self.begin()?;
        connected.await.map(|()| client)
    }

    /// Begins to connect: gives the client at once, and what [`connect`](Self::connect) waits for, for who has to spawn it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let (client, connected) = Client::builder().in_process(&server).begin()?;
    /// // Submitted before there is a session, answered when there is one.
    /// let read = client.get("/");
    /// connected.await?;
    /// assert_eq!(read.await?.0, b"");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the connection string cannot be understood, or the system refuses a thread.
    pub fn begin(self) -> Result<(Client, impl Future<Output = Result<()>> + Send + 'static)> {
        let (client, patience) = self.launch()?;
        let own = client.clone();
        let connected = async move {
            let waited = within(&**own.environment(), patience, own.connected()).await;
            waited.unwrap_or_else(|| {
                Err(Error::new(ErrorCode::ConnectionLoss, "connect", "")
                    .with_detail(format!("no server answered within {patience:?}")))
            })
        };
        Ok((client, connected))
    }

    /// Connects, and waits for the session on this thread.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// assert_eq!(client.children("/")?.0, ["zookeeper"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn connect_blocking(self) -> Result<blocking::Client> {
        blocking::Client::connect_with(self)
    }

    /// Begins to connect and returns at once; requests wait for the session.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// let client = quorate::client::Client::builder().in_process(&server).open()?;
    /// // It waits for the session, and then for the answer.
    /// assert_eq!(client.children("/").await?.0, ["zookeeper"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the connection string cannot be understood, or the system refuses a thread.
    pub fn open(self) -> Result<Client> {
        self.launch().map(|(client, _)| client)
    }

    /// Begins to connect; also says how long to wait for the session, which the connection string may have said.
    fn launch(mut self) -> Result<(Client, Duration)> {
        let bad =
            |what: String| Error::new(ErrorCode::BadArguments, "connect", "").with_detail(what);
        let (targets, srv) = match self.in_process.take() {
            Some(connector) => (vec![Target::InProcess(connector)], None),
            None => self.remote().map_err(bad)?,
        };
        let root = self.root.take().unwrap_or_default();
        if !root.is_empty() && !quorate_wire::path::is_valid(&root) {
            return Err(bad(format!("the root {root:?} is not a path")));
        }
        let thread = match &self.runtime {
            Some(_) => None,
            None => Some(IoThread::get().map_err(|error| {
                Error::new(ErrorCode::SystemError, "connect", "").with_detail(error.to_string())
            })?),
        };
        let handle = match (&self.runtime, &thread) {
            (Some(handle), _) => handle.clone(),
            (None, Some(thread)) => thread.handle().clone(),
            (None, None) => return Err(Error::new(ErrorCode::SystemError, "connect", "")),
        };
        let world = RealWorld::new(handle.clone());
        self.settings.servers = targets.iter().map(Target::label).collect();
        let root = if root == "/" { String::new() } else { root };
        let shared =
            Shared::new(self.settings, self.sasl, self.watch_limit, Arc::clone(&world) as _);
        if self.metrics {
            shared.measure();
        }
        world.shortcut.serve(Arc::downgrade(&shared));
        let targets = Arc::new(Mutex::new(targets));
        let client = Client::new(Arc::clone(&shared), &root, Some(Arc::clone(&targets)));
        for Auth { scheme, data } in self.auth {
            if let Ok(key) = shared.authenticate(&scheme, &data) {
                shared.abandon_op(key);
            }
        }
        let port = Port::new(shared);
        let (sender, attempts) = tokio::sync::watch::channel(0);
        if let Some(name) = srv {
            let question = Question { name, resolver: self.resolver };
            let shared = Arc::downgrade(client.shared());
            handle.spawn(follow_srv(question, shared, Arc::clone(&targets), attempts));
        }
        if self.follow_config {
            handle.spawn(follow_config(client.weak(), Arc::clone(&targets)));
        }
        handle.spawn(Driver::new(port, world, targets, sender, self.tls, thread));
        Ok((client, self.patience.unwrap_or(PATIENCE)))
    }

    /// The servers of the connection string; with `dns+srv`, the name to ask for.
    fn remote(&mut self) -> std::result::Result<(Vec<Target>, Option<String>), String> {
        let text = self.servers.as_deref().unwrap_or(DEFAULT_SERVERS);
        let address: Address = text.parse().map_err(|error| format!("{error}"))?;
        if address.tls == Some(true) && self.tls.is_none() {
            return Err(
                "the connection string asks for TLS: say with `Builder::tls` whom to trust".into(),
            );
        }
        if let Some(timeout) = address.session_timeout
            && !self.timeout_given
        {
            self.settings.timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
        }
        self.patience = self.patience.or(address.connect_timeout);
        let below = self.root.take().unwrap_or_default();
        self.root = Some(format!("{}{below}", address.chroot)).filter(|root| !root.is_empty());
        let mut auth = address.auth;
        auth.append(&mut self.auth);
        self.auth = auth;
        Ok(match address.servers {
            Servers::List(list) => (list.into_iter().map(Target::Remote).collect(), None),
            Servers::Srv(name) => (Vec::new(), Some(name)),
        })
    }
}

/// How long connecting waits for a session.
const PATIENCE: Duration = Duration::from_secs(30);
const DEFAULT_SERVERS: &str = "127.0.0.1:2181";
