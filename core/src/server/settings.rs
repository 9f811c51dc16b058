//! From the words of `zoo.cfg` to the rules of the engines.

use crate::config::{self, ServerConfig};
use quorate_engine::access::{AccessConfig, DigestAlgorithm, Schemes};
use quorate_engine::limits::Limits;
use quorate_engine::limits::blue::BlueConfig;
use quorate_engine::limits::large::LargeRequests;
use quorate_engine::limits::throttle::ThrottleConfig;
use quorate_engine::prep::PrepConfig;
use quorate_engine::replica::{LocalSessions, ReaperConfig, ReplicaConfig, SnapshotConfig};
use quorate_engine::shard::ShardConfig;
use quorate_engine::tree::TreeConfig;

/// How the engines of a server are set up.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tree: TreeConfig,
    pub(super) shard: ShardConfig,
    pub(super) replica: ReplicaConfig,
}

impl Settings {
    /// `seed` spreads hash tables and snapshots.
    pub(super) fn new(config: &ServerConfig, seed: u64) -> Self {
        let schemes = Schemes { digest: config.digest_auth_enabled, ..Schemes::default() };
        Self {
            tree: TreeConfig { hash_seed: seed, digest: config.digest_enabled },
            shard: shard(config, schemes, seed),
            replica: replica(config, schemes, seed),
        }
    }
}

fn shard(config: &ServerConfig, schemes: Schemes, seed: u64) -> ShardConfig {
    let required =
        if config.enforce_auth_enabled { config.enforce_auth_schemes.clone() } else { Vec::new() };
    ShardConfig {
        max_frame: usize::try_from(config.jute_max_buffer).unwrap_or(usize::MAX),
        tick: int(config.tick_time_ms),
        min_session_timeout: int(config.min_session_timeout()),
        max_session_timeout: int(config.max_session_timeout()),
        handshake_timeout: i64::from(config.sessionless_cnxn_timeout_ms),
        skip_acl: config.skip_acl,
        access: AccessConfig {
            super_digest: config.super_digest.as_ref().map(|digest| digest.reveal().to_owned()),
            digest_alg: algorithm(config.digest_algorithm),
            schemes,
        },
        required_schemes: required,
        large: large(&config.large_requests),
        trace_mask: config.answers_word("stmk"),
        hash_seed: seed,
        ..ShardConfig::default()
    }
}

fn replica(config: &ServerConfig, schemes: Schemes, seed: u64) -> ReplicaConfig {
    ReplicaConfig {
        prep: PrepConfig {
            extended_types: config.extended_types_enabled,
            enforce_quota: config.enforce_quota,
            skip_acl: config.skip_acl,
            digest: config.digest_enabled,
            close_session_txn: config.close_session_txn_enabled,
            reconfig_enabled: config.reconfig_enabled,
            several_addresses: config.ensemble.as_ref().is_some_and(|e| e.several_addresses),
            standalone_enabled: config.ensemble.as_ref().is_none_or(|e| e.standalone_enabled),
            schemes,
            seed,
        },
        tick: int(config.tick_time_ms),
        reaper: ReaperConfig {
            interval: i64::from(config.containers.check_interval_ms),
            max_per_minute: i64::from(config.containers.max_per_minute),
            max_never_used: i64::try_from(config.containers.max_never_used_interval_ms)
                .unwrap_or(i64::MAX),
        },
        snapshot: SnapshotConfig {
            count: u64::from(config.snap_count),
            bytes: config.snap_size_limit_kb.saturating_mul(1024),
            seed,
        },
        server: STANDALONE_ID,
        local_sessions: LocalSessions::Off,
        outstanding_limit: usize::try_from(config.global_outstanding_limit).unwrap_or(usize::MAX),
        limits: Limits {
            sessions: sessions(&config.connection_throttle, seed),
            requests: requests(&config.request_throttle),
        },
    }
}

fn large(config: &config::LargeRequests) -> LargeRequests {
    config.threshold.map_or_else(LargeRequests::unlimited, |threshold| {
        let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
        LargeRequests::new(threshold, u64::from(config.max_bytes))
    })
}

/// With weights, the size and filling of the bucket are in new sessions, so they count their weight; nothing costs less
/// than a local session. Source: `BlueThrottle`.
fn sessions(config: &config::ConnectionThrottle, seed: u64) -> BlueConfig {
    let local = config.local_session_weight;
    let (new, resumed) = if config.weight_enabled {
        (config.global_session_weight.max(local), config.renew_session_weight.max(local))
    } else {
        (1, 1)
    };
    BlueConfig {
        tokens: config.tokens.saturating_mul(new),
        fill_time: i64::from(config.fill_time_ms),
        fill_count: config.fill_count.saturating_mul(new),
        freeze_time: config.freeze_time_ms.map(i64::from),
        increase: config.drop_increase,
        decrease: config.drop_decrease,
        decrease_ratio: config.decrease_ratio,
        new_session: new,
        resumed_session: resumed,
        seed,
    }
}

fn requests(config: &config::RequestThrottle) -> ThrottleConfig {
    ThrottleConfig {
        most: usize::try_from(config.max_requests).unwrap_or(usize::MAX),
        stall: i64::from(config.stall_time_ms),
        drop_stale: config.drop_stale,
        stale_by_time: config.stale_latency_check,
        stale_by_connection: config.stale_connection_check,
        refuse_after: Some(i64::from(config.throttled_op_wait_time_ms)).filter(|&ms| ms > 0),
    }
}

const fn algorithm(algorithm: config::DigestAlgorithm) -> DigestAlgorithm {
    match algorithm {
        config::DigestAlgorithm::Sha1 => DigestAlgorithm::Sha1,
        config::DigestAlgorithm::Sha224 => DigestAlgorithm::Sha224,
        config::DigestAlgorithm::Sha256 => DigestAlgorithm::Sha256,
        config::DigestAlgorithm::Sha384 => DigestAlgorithm::Sha384,
        config::DigestAlgorithm::Sha512 => DigestAlgorithm::Sha512,
    }
}

/// Milliseconds as the wire has them.
fn int(ms: u32) -> i32 {
    i32::try_from(ms).unwrap_or(i32::MAX)
}

/// The server id that a standalone Apache server puts into session ids.
const STANDALONE_ID: u8 = 1;
