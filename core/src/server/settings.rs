//! From the words of `zoo.cfg` to the rules of the engines.

use crate::config::{self, ServerConfig};
use quorate_engine::access::{AccessConfig, DigestAlgorithm, Schemes};
use quorate_engine::prep::PrepConfig;
use quorate_engine::replica::{ReaperConfig, ReplicaConfig, SnapshotConfig, first_session_id};
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
    /// `seed` spreads hash tables and snapshots; `wall` is the start, ms since 1970.
    pub(super) fn new(config: &ServerConfig, seed: u64, wall: i64) -> Self {
        let schemes = Schemes { digest: config.digest_auth_enabled, ..Schemes::default() };
        Self {
            tree: TreeConfig { hash_seed: seed, digest: config.digest_enabled },
            shard: shard(config, schemes, seed),
            replica: replica(config, schemes, seed, wall),
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
        trace_mask: config.answers_word("stmk"),
        hash_seed: seed,
        ..ShardConfig::default()
    }
}

fn replica(config: &ServerConfig, schemes: Schemes, seed: u64, wall: i64) -> ReplicaConfig {
    ReplicaConfig {
        prep: PrepConfig {
            extended_types: config.extended_types_enabled,
            enforce_quota: config.enforce_quota,
            skip_acl: config.skip_acl,
            digest: config.digest_enabled,
            close_session_txn: config.close_session_txn_enabled,
            reconfig_enabled: config.reconfig_enabled,
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
        first_session: first_session_id(STANDALONE_ID, wall),
        outstanding_limit: usize::try_from(config.global_outstanding_limit).unwrap_or(usize::MAX),
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
