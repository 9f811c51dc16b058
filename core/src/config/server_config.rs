//! [`ServerConfig`]: everything a server can be told, as plain values.
//!
//! The names follow `zoo.cfg`, with the unit appended. [`ServerConfig::default`] is Apache's
//! default in every field but three: it listens on 127.0.0.1:2181 only, keeps its data in
//! `./quorate-data`, and allows TTL nodes. Nothing here reads text; `build` and `keys` do.

use std::path::{Path, PathBuf};

use super::ensemble_config::EnsembleConfig;
use super::types::{
    DigestAlgorithm, FourLetterWords, IoMode, ListenAddress, Secret, SnapshotCompression,
};

/// Settings of a server. Read one with [`ServerConfig::from_properties`] or
/// [`load`](super::load), or start from the default and change fields.
///
/// ```
/// use quorate::config::ServerConfig;
///
/// let config = ServerConfig { client_port: None, tick_time_ms: 500, ..ServerConfig::default() };
/// assert!(config.force_sync && config.max_session_timeout() == 10_000);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    // Listening.
    /// TCP port for clients; 0 takes a free one, `None` listens nowhere.
    pub client_port: Option<u16>,
    /// Address for clients.
    pub client_port_address: ListenAddress,
    /// Connections the kernel may queue before they are accepted.
    pub client_port_listen_backlog: u32,
    /// Whether the kernel probes idle client connections (TCP keep-alive).
    pub client_tcp_keep_alive: bool,
    /// Connections allowed from one client address; 0 is unlimited.
    pub max_client_cnxns: u32,
    /// Connections allowed in total; 0 is unlimited.
    pub max_cnxns: u32,
    /// How long a connection may stay without a session before it is closed, in milliseconds.
    pub sessionless_cnxn_timeout_ms: u32,

    // Time.
    /// Basic unit of time, in milliseconds; session expiry is rounded up to it.
    pub tick_time_ms: u32,
    /// Shortest session timeout granted; `None` is two ticks.
    pub min_session_timeout_ms: Option<u32>,
    /// Longest session timeout granted; `None` is twenty ticks.
    pub max_session_timeout_ms: Option<u32>,

    // Storage.
    /// Directory above `version-2` with the snapshots.
    pub data_dir: PathBuf,
    /// Directory above `version-2` with the transaction logs; `None` is `data_dir`.
    pub data_log_dir: Option<PathBuf>,
    /// Whether missing data directories are created.
    pub datadir_autocreate: bool,
    /// Whether an empty data directory starts an empty database without an `initialize` file.
    pub db_autocreate: bool,
    /// Whether transaction logs without any snapshot are accepted at start.
    pub snapshot_trust_empty: bool,
    /// Transactions between snapshots, at most; the actual number is random in its upper half.
    pub snap_count: u32,
    /// Kilobytes of transactions between snapshots, at most; 0 is unlimited.
    pub snap_size_limit_kb: u64,
    /// Kilobytes after which a log file is rolled without a snapshot; 0 is unlimited.
    pub txn_log_size_limit_kb: u64,
    /// Kilobytes by which a log file grows ahead of its contents; 0 grows it as it is written.
    pub pre_alloc_size_kb: u64,
    /// Compression of snapshot files.
    pub snapshot_compression: SnapshotCompression,
    /// Whether a snapshot ends with the zxid it was taken at.
    pub serialize_last_processed_zxid: bool,
    /// Whether a write is acknowledged only after it is synced to the disk.
    pub force_sync: bool,
    /// Milliseconds a sync may wait for more transactions; 0 never waits.
    pub flush_delay_ms: u64,
    /// Milliseconds without new requests after which a delayed sync starts; `None` is a third
    /// of `flush_delay_ms`.
    pub max_write_queue_poll_time_ms: Option<u64>,
    /// Transactions after which a sync starts; 0 is unlimited.
    pub max_batch_size: u32,
    /// Milliseconds of one sync from which a warning is logged.
    pub fsync_warning_threshold_ms: u64,
    /// Deletion of old snapshots and logs.
    pub auto_purge: AutoPurge,

    // Requests.
    /// Largest request in bytes, and largest znode data; see also `jute_max_buffer_extra`.
    pub jute_max_buffer: u32,
    /// Bytes a stored record may be longer than `jute_max_buffer`; `None` is as much again.
    pub jute_max_buffer_extra: Option<u32>,
    /// Requests in progress from which connections with unanswered ones are no longer read.
    pub global_outstanding_limit: u32,
    /// Throttling of requests in the queue.
    pub request_throttle: RequestThrottle,
    /// Limits for large requests.
    pub large_requests: LargeRequests,
    /// Throttling of new sessions.
    pub connection_throttle: ConnectionThrottle,
    /// Whether hard quotas refuse writes.
    pub enforce_quota: bool,
    /// Whether closing a session records its ephemerals in the transaction.
    pub close_session_txn_enabled: bool,
    /// Whether the digest of the tree is kept and recorded with every transaction.
    pub digest_enabled: bool,
    /// Whether TTL nodes can be created. Apache's default is false; the server id of a
    /// standalone server never conflicts with them, so ours is true.
    pub extended_types_enabled: bool,
    /// Deletion of empty containers and expired TTL nodes.
    pub containers: ContainerReaper,

    // Access.
    /// Whether ACLs are ignored.
    pub skip_acl: bool,
    /// Whether the `digest` scheme exists.
    pub digest_auth_enabled: bool,
    /// Hash used by the `digest` scheme.
    pub digest_algorithm: DigestAlgorithm,
    /// `super:` and the Base64 digest that makes a client the superuser.
    pub super_digest: Option<Secret>,
    /// Whether a client must have passed one of `enforce_auth_schemes` before any other request.
    pub enforce_auth_enabled: bool,
    /// The schemes; not empty if enforcement is enabled.
    pub enforce_auth_schemes: Vec<String>,
    /// Four-letter words answered on the client port.
    pub four_letter_words: FourLetterWords,

    // Ensembles.
    /// The ensemble that this server is a member of; `None` is a standalone server.
    pub ensemble: Option<EnsembleConfig>,
    /// Read-only mode: a standalone server answers `isro` because of it.
    pub read_only_mode: bool,
    /// Whether `reconfig` is answered with "unimplemented" rather than "disabled".
    pub reconfig_enabled: bool,

    // Ours.
    /// How threads share the work.
    pub io: IoMode,
    /// Number of I/O threads in sharded mode; `None` is the number of usable cores less one.
    pub shards: Option<u16>,
}

/// Deletion of old snapshots and logs (`autopurge.*`).
///
/// ```
/// use quorate::config::{AutoPurge, ServerConfig};
///
/// let auto_purge = AutoPurge { snap_retain_count: 5, interval_ms: 3_600_000 };
/// let config = ServerConfig { auto_purge, ..ServerConfig::default() };
/// assert_eq!(config.auto_purge.snap_retain_count, 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoPurge {
    /// Snapshots kept, with the logs they need; at least 3.
    pub snap_retain_count: u32,
    /// Milliseconds between two runs; 0 never runs.
    pub interval_ms: u64,
}

/// Throttling of queued requests (`RequestThrottler`).
///
/// ```
/// use quorate::config::RequestThrottle;
///
/// let throttle = RequestThrottle { max_requests: 10_000, ..RequestThrottle::default() };
/// assert_eq!((throttle.stall_time_ms, RequestThrottle::default().max_requests), (100, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestThrottle {
    /// Requests in progress from which others wait; 0 is unlimited.
    pub max_requests: u32,
    /// Longest wait in milliseconds before trying again.
    pub stall_time_ms: u32,
    /// Whether stale requests are dropped.
    pub drop_stale: bool,
    /// Whether waiting longer than the session timeout makes a request stale.
    pub stale_latency_check: bool,
    /// Whether losing its connection makes a request stale.
    pub stale_connection_check: bool,
    /// Milliseconds in the queue from which a request is answered with `ThrottledOp`; 0 never.
    pub throttled_op_wait_time_ms: u32,
}

/// Limits for large requests.
///
/// ```
/// use quorate::config::LargeRequests;
///
/// assert_eq!(LargeRequests::default().threshold, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeRequests {
    /// Bytes above which a request is large; `None` calls none large.
    pub threshold: Option<u32>,
    /// Bytes of all large requests in progress, at most; beyond it the connection is closed.
    pub max_bytes: u32,
}

/// Throttling of new sessions: a token bucket with adaptive dropping (`BlueThrottle`).
///
/// ```
/// use quorate::config::ConnectionThrottle;
///
/// assert_eq!(ConnectionThrottle::default().tokens, 0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionThrottle {
    /// Size of the bucket; 0 disables throttling.
    pub tokens: u32,
    /// Milliseconds between fillings.
    pub fill_time_ms: u32,
    /// Tokens per filling.
    pub fill_count: u32,
    /// Milliseconds between adjustments of the drop probability; `None` never drops at random.
    pub freeze_time_ms: Option<u32>,
    /// Added to the drop probability when the bucket is empty.
    pub drop_increase: f64,
    /// Taken from the drop probability when the bucket is full enough.
    pub drop_decrease: f64,
    /// Share of the bucket from which it is full enough.
    pub decrease_ratio: f64,
    /// Whether kinds of session cost different numbers of tokens; otherwise each costs one.
    pub weight_enabled: bool,
    /// Tokens for a new global session.
    pub global_session_weight: u32,
    /// Tokens for a new local session.
    pub local_session_weight: u32,
    /// Tokens for resuming a session.
    pub renew_session_weight: u32,
}

/// Deletion of empty containers and expired TTL nodes (`ContainerManager`).
///
/// ```
/// use quorate::config::ContainerReaper;
///
/// assert_eq!(ContainerReaper::default().check_interval_ms, 60_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerReaper {
    /// Milliseconds between checks.
    pub check_interval_ms: u32,
    /// Deletions per minute, at most.
    pub max_per_minute: u32,
    /// Milliseconds after which a container that never had a child is deleted; 0 never.
    pub max_never_used_interval_ms: u64,
}

impl ServerConfig {
    /// Shortest session timeout granted, in milliseconds.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    ///
    /// let config = ServerConfig { tick_time_ms: 500, ..ServerConfig::default() };
    /// assert_eq!(config.min_session_timeout(), 1_000);
    /// ```
    pub fn min_session_timeout(&self) -> u32 {
        self.min_session_timeout_ms.unwrap_or(self.tick_time_ms.saturating_mul(2))
    }

    /// Longest session timeout granted, in milliseconds.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    ///
    /// let mut config = ServerConfig { tick_time_ms: 500, ..ServerConfig::default() };
    /// assert_eq!(config.max_session_timeout(), 10_000);
    /// config.max_session_timeout_ms = Some(60_000);
    /// assert_eq!(config.max_session_timeout(), 60_000);
    /// ```
    pub fn max_session_timeout(&self) -> u32 {
        self.max_session_timeout_ms.unwrap_or(self.tick_time_ms.saturating_mul(20))
    }

    /// Directory above `version-2` with the transaction logs.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    /// use std::path::Path;
    ///
    /// let mut config = ServerConfig { data_dir: "/data".into(), ..ServerConfig::default() };
    /// assert_eq!(config.log_dir(), Path::new("/data"));
    /// config.data_log_dir = Some("/log".into());
    /// assert_eq!(config.log_dir(), Path::new("/log"));
    /// ```
    pub fn log_dir(&self) -> &Path {
        self.data_log_dir.as_deref().unwrap_or(&self.data_dir)
    }

    /// Milliseconds without new requests after which a delayed sync starts.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    ///
    /// let config = ServerConfig { flush_delay_ms: 30, ..ServerConfig::default() };
    /// assert_eq!(config.write_queue_poll_time_ms(), 10);
    /// ```
    pub fn write_queue_poll_time_ms(&self) -> u64 {
        self.max_write_queue_poll_time_ms.unwrap_or(self.flush_delay_ms / 3)
    }

    /// Bytes a stored record may be longer than `jute_max_buffer`; at least 1024, as in
    /// Apache's `BinaryInputArchive`.
    ///
    /// ```
    /// use quorate::config::ServerConfig;
    ///
    /// let config = ServerConfig::default();
    /// assert_eq!(config.jute_extra_bytes(), config.jute_max_buffer);
    /// let config = ServerConfig { jute_max_buffer_extra: Some(0), ..config };
    /// assert_eq!(config.jute_extra_bytes(), 1_024);
    /// ```
    pub fn jute_extra_bytes(&self) -> u32 {
        self.jute_max_buffer_extra.unwrap_or(self.jute_max_buffer).max(1024)
    }

    /// Whether the four-letter word is answered: the whitelist, and `isro` in read-only mode.
    ///
    /// ```
    /// use quorate::config::{FourLetterWords, ServerConfig};
    ///
    /// let mut config = ServerConfig::default();
    /// assert!(config.answers_word("srvr") && !config.answers_word("ruok"));
    /// config.four_letter_words = FourLetterWords::only(["ruok"]);
    /// assert!(config.answers_word("ruok"));
    /// ```
    pub fn answers_word(&self, word: &str) -> bool {
        self.four_letter_words.allows(word) || (self.read_only_mode && word == "isro")
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            client_port: Some(2181),
            client_port_address: ListenAddress::Ip(std::net::Ipv4Addr::LOCALHOST.into()),
            client_port_listen_backlog: 50,
            client_tcp_keep_alive: false,
            max_client_cnxns: 60,
            max_cnxns: 0,
            sessionless_cnxn_timeout_ms: 10_000,
            tick_time_ms: 3_000,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            data_dir: PathBuf::from("./quorate-data"),
            data_log_dir: None,
            datadir_autocreate: true,
            db_autocreate: true,
            snapshot_trust_empty: false,
            snap_count: 100_000,
            snap_size_limit_kb: 4_194_304,
            txn_log_size_limit_kb: 0,
            pre_alloc_size_kb: 65_536,
            snapshot_compression: SnapshotCompression::None,
            serialize_last_processed_zxid: true,
            force_sync: true,
            flush_delay_ms: 0,
            max_write_queue_poll_time_ms: None,
            max_batch_size: 1_000,
            fsync_warning_threshold_ms: 1_000,
            auto_purge: AutoPurge::default(),
            jute_max_buffer: 0xf_ffff,
            jute_max_buffer_extra: None,
            global_outstanding_limit: 1_000,
            request_throttle: RequestThrottle::default(),
            large_requests: LargeRequests::default(),
            connection_throttle: ConnectionThrottle::default(),
            enforce_quota: false,
            close_session_txn_enabled: true,
            digest_enabled: true,
            extended_types_enabled: true,
            containers: ContainerReaper::default(),
            skip_acl: false,
            digest_auth_enabled: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            super_digest: None,
            enforce_auth_enabled: false,
            enforce_auth_schemes: Vec::new(),
            four_letter_words: FourLetterWords::default(),
            ensemble: None,
            read_only_mode: false,
            reconfig_enabled: false,
            io: IoMode::Auto,
            shards: None,
        }
    }
}

impl Default for AutoPurge {
    fn default() -> Self {
        Self { snap_retain_count: 3, interval_ms: 0 }
    }
}

impl Default for RequestThrottle {
    fn default() -> Self {
        Self {
            max_requests: 0,
            stall_time_ms: 100,
            drop_stale: true,
            stale_latency_check: false,
            stale_connection_check: true,
            throttled_op_wait_time_ms: 0,
        }
    }
}

impl Default for LargeRequests {
    fn default() -> Self {
        Self { threshold: None, max_bytes: 100 * 1024 * 1024 }
    }
}

impl Default for ConnectionThrottle {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_time_ms: 1,
            fill_count: 1,
            freeze_time_ms: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weight_enabled: false,
            global_session_weight: 3,
            local_session_weight: 1,
            renew_session_weight: 2,
        }
    }
}

impl Default for ContainerReaper {
    fn default() -> Self {
        Self { check_interval_ms: 60_000, max_per_minute: 10_000, max_never_used_interval_ms: 0 }
    }
}
