//! [`Builder`]: what a server is started with, and the start itself.

use super::clock::Clock;
use super::fused::{Fused, State};
use super::handle::{Control, Server, ServerError};
use super::journal::{Journal, Mailbox, Refusals};
use super::links::Links;
use super::listener::{Listener, WAKER};
use super::member;
use super::pipe::Calls;
use super::purger::Purger;
use super::settings::Settings;
use super::sharded::{self, Sharded};
use super::snapshotter::Snapshotter;
use super::words::{Facts, Words};
use crate::config::{IoMode, ListenAddress, ServerConfig, SnapshotCompression};
use crate::storage::{GroupCommit, Loading, Report, Storage, StorageConfig};
use mio::{Poll, Waker};
use quorate_engine::replica::Replica;
use quorate_engine::shard::Shard;
use quorate_engine::tree::{Tree, TreeConfig};
use quorate_wire::disk::names::Compression;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How to start a [`Server`]. Begins with [`ServerConfig::default`]: durable, on 127.0.0.1:2181, in `./quorate-data`.
///
/// ```
/// use quorate::server::Server;
///
/// let directory = std::env::temp_dir().join(format!("quorate-example-{}", std::process::id()));
/// let server = Server::builder()
///     .data_dir(&directory)
///     .free_port()
///     .configure(|config| config.tick_time_ms = 1_000)
///     .start()?;
/// assert!(server.address().is_some());
/// server.stop()?;
/// std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Builder {
    config: ServerConfig,
    volatile: bool,
    loading: Arc<Loading>,
}

impl Builder {
    /// Takes every setting from a configuration.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    /// use quorate::server::Server;
    ///
    /// let config = ServerConfig { tick_time_ms: 500, ..ServerConfig::default() };
    /// let server = Server::builder().config(config).volatile().no_port().start()?;
    /// assert_eq!(server.address(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes single settings.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Keeps everything in memory: nothing survives the server. For tests.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Keeps the data in this directory.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.data_dir = dir.into();
        self.volatile = false;
        self
    }

    /// Listens on this address; port 0 takes a free one.
    ///
    /// ```
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().listen("127.0.0.1:0".parse()?).start()?;
    /// assert_ne!(server.address().unwrap().port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.client_port = Some(address.port());
        self.config.client_port_address = ListenAddress::Ip(address.ip());
        self
    }

    /// Listens on a free port of the loopback address; [`Server::address`] tells which.
    #[must_use]
    pub fn free_port(self) -> Self {
        self.listen(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0))
    }

    /// Listens nowhere: only [`Server::connect`] leads in.
    #[must_use]
    pub fn no_port(mut self) -> Self {
        self.config.client_port = None;
        self
    }

    /// How threads share the work.
    ///
    /// ```
    /// use quorate::config::IoMode;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().no_port().io(IoMode::Sharded).start()?;
    /// server.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn io(mut self, mode: IoMode) -> Self {
        self.config.io = mode;
        self
    }

    /// Lets this follow the loading of the data, and give it up.
    ///
    /// ```
    /// use quorate::server::Server;
    /// use quorate::storage::Loading;
    /// use std::sync::Arc;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let loading = Arc::new(Loading::default());
    /// let builder = Server::builder().data_dir(directory.path()).no_port().loading(Arc::clone(&loading));
    /// let server = builder.start()?;
    /// // The directory was empty.
    /// assert_eq!(loading.progress(), (0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn loading(mut self, loading: Arc<Loading>) -> Self {
        self.loading = loading;
        self
    }

    /// Starts the server. When this returns, its port is open and its data is loaded.
    ///
    /// ```
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().no_port().start()?;
    /// let client = Client::builder().in_process(&server).connect_blocking()?;
    /// assert!(client.exists("/")?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the data directory or the port cannot be used, or the system refuses threads.
    pub fn start(self) -> Result<Server, ServerError> {
        match self.config.ensemble.clone() {
            Some(_) if self.volatile => Err(ServerError::NeedsDirectory),
            Some(ensemble) => member::launch(ground(self)?, &ensemble),
            None => Start::new(self)?.launch(),
        }
    }
}

/// What is assembled before the threads run.
struct Start {
    config: ServerConfig,
    clock: Clock,
    settings: Settings,
    poll: Poll,
    waker: Arc<Waker>,
    listener: Option<Listener>,
    address: Option<SocketAddr>,
    storage: Option<(Arc<Storage>, Report)>,
    tree: Tree,
}

/// Everything of a server but its data.
fn ground(builder: Builder) -> Result<member::Start, ServerError> {
    let config = builder.config;
    let clock = Clock::new();
    let seed = RandomState::new().build_hasher().finish();
    let settings = Settings::new(&config, seed);
    let poll = Poll::new().map_err(system("poll"))?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(system("waker"))?);
    let mut listener = config.client_port.map(|port| listen(&config, port)).transpose()?;
    if let Some(listener) = &mut listener {
        listener.register(poll.registry()).map_err(system("poll"))?;
    }
    let address = listener.as_ref().map(Listener::address).transpose().map_err(system("socket"))?;
    let storage =
        StorageConfig { loading: builder.loading, ..storage_config(&config, settings.tree) };
    Ok(member::Start { config, settings, storage, clock, poll, waker, listener, address })
}

impl Start {
    fn new(builder: Builder) -> Result<Self, ServerError> {
        let volatile = builder.volatile;
        let member::Start { config, settings, storage, clock, poll, waker, listener, address } =
            ground(builder)?;
        let (storage, tree) = if volatile {
            (None, Tree::new(settings.tree))
        } else {
            let (storage, tree, report) = Storage::open(storage)?;
            (Some((Arc::new(storage), report)), tree)
        };
        Ok(Self { config, clock, settings, poll, waker, listener, address, storage, tree })
    }

    fn launch(self) -> Result<Server, ServerError> {
        let calls = Calls::new(Arc::clone(&self.waker));
        let now = self.clock.now();
        let replayed = self.storage.as_ref().map_or(0, |(_, report)| report.records);
        let replica = Replica::new(self.settings.replica.clone(), &self.tree, replayed, now);
        let storage = self.storage.as_ref().map(|(storage, _)| Arc::clone(storage));
        let facts = Facts::new(&self.config, self.address, storage.clone());
        let words = Words::new(facts);
        let purger = storage
            .as_ref()
            .map(|storage| Purger::start(Arc::clone(storage), &self.config.auto_purge))
            .transpose()
            .map_err(system("thread"))?
            .flatten();
        let shards = shard_count(&self.config);
        if shards > 0 {
            return self.launch_sharded(shards, replica, words, calls, storage, purger);
        }
        let journal = journal(storage.as_ref(), &self.waker)?;
        let control = Control::new(vec![Arc::clone(&self.waker)], Arc::clone(&calls));
        let registry = self.poll.registry().try_clone().map_err(system("poll"))?;
        let state = State {
            registry,
            failed: None,
            snapshotter: storage.map(|storage| Snapshotter::new(storage, waking(&self.waker))),
            shard: Shard::new(self.settings.shard),
            clock: self.clock,
            control: Arc::clone(&control),
            calls,
            listener: self.listener,
            tree: self.tree,
            replica,
            journal,
            refusals: Refusals::default(),
            words,
            links: Links::new(),
        };
        let fused = Fused::new(self.poll, state);
        let thread = thread::Builder::new()
            .name(FUSED.into())
            .spawn(move || fused.run())
            .map_err(system("thread"))?;
        Ok(Server { address: self.address, control, threads: vec![(FUSED, thread)], purger })
    }

    fn launch_sharded(
        self,
        shards: usize,
        replica: Replica,
        words: Words,
        calls: Arc<Calls>,
        storage: Option<Arc<Storage>>,
        purger: Option<Purger>,
    ) -> Result<Server, ServerError> {
        let parts = Sharded {
            shards,
            shard: self.settings.shard,
            poll: self.poll,
            waker: self.waker,
            clock: self.clock,
            calls,
            listener: self.listener,
            tree: self.tree,
            replica,
            words,
            storage,
        };
        let (control, threads) = sharded::launch(parts)?;
        Ok(Server { address: self.address, control, threads, purger })
    }
}

fn listen(config: &ServerConfig, port: u16) -> Result<Listener, ServerError> {
    Listener::open(config, port).map_err(|cause| ServerError::Listen {
        address: format!("{}:{port}", config.client_port_address),
        cause,
    })
}

/// The log of a directory, whose reports wake the writer; or none.
pub(super) fn journal(
    storage: Option<&Arc<Storage>>,
    waker: &Arc<Waker>,
) -> Result<Journal, ServerError> {
    let Some(storage) = storage else { return Ok(Journal::Volatile) };
    let mailbox = Arc::new(Mailbox::default());
    let (reports, wake) = (Arc::clone(&mailbox), waking(waker));
    let log = storage
        .start_log(move |report| {
            if reports.post(report) {
                wake();
            }
        })
        .map_err(system("thread"))?;
    Ok(Journal::durable(log, mailbox))
}

/// A function that wakes a poll.
pub(super) fn waking(waker: &Arc<Waker>) -> impl Fn() + Send + Sync + Clone + 'static {
    let waker = Arc::clone(waker);
    move || {
        // A waker that cannot be written to has a wake-up pending.
        let _ = waker.wake();
    }
}

pub(super) fn system(what: &'static str) -> impl Fn(io::Error) -> ServerError {
    move |cause| ServerError::System { what, cause }
}

/// Number of I/O threads beside the writer; 0 for fused mode.
fn shard_count(config: &ServerConfig) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = config.shards.map_or(cores.saturating_sub(1).clamp(1, MAX_SHARDS), usize::from);
    match config.io {
        IoMode::Fused => 0,
        IoMode::Sharded => wanted.max(1),
        IoMode::Auto if cores <= 2 => 0,
        IoMode::Auto => wanted,
    }
}

fn storage_config(config: &ServerConfig, tree: TreeConfig) -> StorageConfig {
    let longest = config.jute_max_buffer.saturating_add(config.jute_extra_bytes());
    StorageConfig {
        log_dir: config.data_log_dir.clone(),
        create_dirs: config.datadir_autocreate,
        create_database: config.db_autocreate,
        trust_empty: config.snapshot_trust_empty,
        pre_allocate: config.pre_alloc_size_kb.saturating_mul(1024),
        force_sync: config.force_sync,
        log_size_limit: Some(config.txn_log_size_limit_kb.saturating_mul(1024))
            .filter(|&limit| limit > 0),
        group: GroupCommit {
            delay: Duration::from_millis(config.flush_delay_ms),
            max_records: usize::try_from(config.max_batch_size).ok().filter(|&most| most > 0),
            idle: Some(Duration::from_millis(config.write_queue_poll_time_ms())),
            slow: Some(Duration::from_millis(config.fsync_warning_threshold_ms)),
        },
        compression: match config.snapshot_compression {
            SnapshotCompression::None => Compression::Plain,
            SnapshotCompression::Gzip => Compression::Gzip,
            SnapshotCompression::Snappy => Compression::Snappy,
        },
        last_processed: config.serialize_last_processed_zxid,
        retain: usize::try_from(config.auto_purge.snap_retain_count).unwrap_or(usize::MAX),
        max_payload: usize::try_from(longest).unwrap_or(usize::MAX),
        ..StorageConfig::new(&config.data_dir, tree)
    }
}

const FUSED: &str = "quorate-server";
const MAX_SHARDS: usize = 16;
