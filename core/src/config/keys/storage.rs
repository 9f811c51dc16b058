//! Keys of snapshots, transaction logs and durability.

use crate::config::key::Disposition::{Ensemble, EnsembleOnly, Honoured};
use crate::config::key::{Key, Kind, Section};
use crate::config::slot::Slot;
use crate::config::types::{SnapshotCompression, interval_ms};

use super::{file, named, property};

pub(super) const STORAGE: &[Key] = &[
    Key::new(
        file("dataLogDir", Section::Storage),
        Kind::Path,
        "",
        Honoured(Slot::Text(|config, text| {
            config.data_log_dir = Some(text.into());
            Ok(())
        })),
        "Directory of the transaction logs; by default dataDir. A disk of its own makes writes \
         faster and steadier",
    ),
    Key::new(
        property("snapCount", Section::Storage),
        Kind::int(2, "transactions"),
        "100000",
        Honoured(Slot::U32(|config| &mut config.snap_count)),
        "Transactions between snapshots, at most",
    ),
    Key::new(
        property("snapSizeLimitInKb", Section::Storage),
        Kind::long(0, "kilobytes"),
        "4194304",
        Honoured(Slot::U64(|config| &mut config.snap_size_limit_kb)),
        "Kilobytes of transactions between snapshots, at most; 0 is unlimited",
    ),
    Key::new(
        property("txnLogSizeLimitInKb", Section::Storage),
        Kind::long(0, "kilobytes"),
        "0",
        Honoured(Slot::U64(|config| &mut config.txn_log_size_limit_kb)),
        "Size at which a log file is rolled without a snapshot; 0 is unlimited",
    ),
    Key::new(
        property("preAllocSize", Section::Storage),
        Kind::long(0, "kilobytes"),
        "65536",
        Honoured(Slot::U64(|config| &mut config.pre_alloc_size_kb)),
        "Kilobytes by which a log file grows ahead of its contents; 0 grows it as it is written",
    ),
    Key::new(
        property("flushDelay", Section::Storage),
        Kind::long(0, "milliseconds"),
        "0",
        Honoured(Slot::U64(|config| &mut config.flush_delay_ms)),
        "Time a sync may wait for more transactions; 0 never waits",
    ),
    Key::new(
        property("maxWriteQueuePollTime", Section::Storage),
        Kind::long(0, "milliseconds"),
        "",
        Honoured(Slot::Int(|config, asked| {
            config.max_write_queue_poll_time_ms = Some(u64::try_from(asked).unwrap_or(0));
        })),
        "Time without new requests after which a delayed sync starts; by default flushDelay / 3",
    ),
    Key::new(
        property("maxBatchSize", Section::Storage),
        Kind::int(0, "transactions"),
        "1000",
        Honoured(Slot::U32(|config| &mut config.max_batch_size)),
        "Transactions after which a sync starts; 0 is unlimited",
    ),
    Key::new(
        property("fsync.warningthresholdms", Section::Storage),
        Kind::long(0, "milliseconds"),
        "1000",
        Honoured(Slot::U64(|config| &mut config.fsync_warning_threshold_ms)),
        "Duration of one sync from which a warning is logged",
    ),
    Key::new(
        file("autopurge.snapRetainCount", Section::Storage),
        Kind::int(3, "snapshots"),
        "3",
        Honoured(Slot::U32(|config| &mut config.auto_purge.snap_retain_count)),
        "Snapshots kept when old ones are deleted",
    ),
    Key::new(
        file("autopurge.purgeInterval", Section::Storage),
        Kind::Interval,
        "0",
        Honoured(Slot::Text(|config, text| {
            config.auto_purge.interval_ms = interval_ms(text)?;
            Ok(())
        })),
        "Time between deletions of old snapshots and logs: hours, or with a unit `ms`, `s`, `m`, \
         `h`, `d` as in 3.10; 0 never",
    ),
    Key::new(
        property("snapshot.compression.method", Section::Storage),
        Kind::Text("`gz`, `snappy` or nothing"),
        "",
        Honoured(Slot::Text(|config, text| {
            config.snapshot_compression = SnapshotCompression::parse(text)?;
            Ok(())
        })),
        "Compression of snapshot files",
    ),
    Key::new(
        property("snapshot.trust.empty", Section::Storage),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.snapshot_trust_empty)),
        "Whether transaction logs without any snapshot are accepted at start",
    ),
    Key::new(
        property("serializeLastProcessedZxid.enabled", Section::Storage),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.serialize_last_processed_zxid)),
        "Whether a snapshot ends with the zxid it was taken at",
    ),
    Key::new(
        property("datadir.autocreate", Section::Storage),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.datadir_autocreate)),
        "Whether missing data directories are created",
    ),
    Key::new(
        property("db.autocreate", Section::Storage),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.db_autocreate)),
        "Whether an empty data directory starts an empty database without an `initialize` file",
    ),
    Key::new(
        property("commitLogCount", Section::Storage),
        Kind::int(0, "transactions"),
        "500",
        EnsembleOnly(HISTORY),
        "Transactions kept in memory to bring followers up to date",
    ),
    Key::new(
        property("snapshotSizeFactor", Section::Storage),
        Kind::Text("a number"),
        "0.33",
        Ensemble(Slot::Text(|ensemble, text| {
            let factor = text.trim().parse().ok().filter(|factor: &f64| factor.is_finite());
            ensemble.snapshot_size_factor = factor.ok_or("a number")?;
            Ok(())
        })),
        "Size of the log, as a share of the snapshot, up to which learners are given what they lack from it; 0 is \
         unlimited, below 0 they are not",
    ),
];

pub(super) const UNSAFE: &[Key] = &[
    Key::new(
        property("forceSync", Section::Unsafe),
        Kind::YesNo { safe: true },
        "yes",
        Honoured(Slot::Bool(|config| &mut config.force_sync)),
        "Whether a write is acknowledged only after it is on the disk",
    ),
    Key::new(
        named("jute.maxbuffer", "jute.maxbuffer", Section::Unsafe),
        Kind::int_from(1_024, "bytes"),
        "1048575",
        Honoured(Slot::U32(|config| &mut config.jute_max_buffer)),
        "Largest request, and so largest data of a znode; clients must agree",
    ),
    Key::new(
        property("jute.maxbuffer.extrasize", Section::Unsafe),
        Kind::int(1_024, "bytes"),
        "",
        Honoured(Slot::OptU32(|config| &mut config.jute_max_buffer_extra)),
        "Bytes a stored record may be longer than jute.maxbuffer; by default as much again",
    ),
    Key::new(
        property("skipACL", Section::Unsafe),
        Kind::YesNo { safe: false },
        "no",
        Honoured(Slot::Bool(|config| &mut config.skip_acl)),
        "Whether ACLs are ignored",
    ),
    Key::new(
        file("quorumListenOnAllIPs", Section::Unsafe),
        Kind::Bool,
        "false",
        Ensemble(Slot::Bool(|ensemble| &mut ensemble.listen_on_all)),
        "Whether the quorum and election ports listen on every interface",
    ),
    Key::new(
        property("multiAddress.reachabilityCheckEnabled", Section::Unsafe),
        Kind::Bool,
        "true",
        EnsembleOnly("has no effect: an address that does not answer is left for the next one"),
        "Whether the addresses of a member are probed before use",
    ),
];

const HISTORY: &str = "has no effect: the history that is kept for learners is limited in bytes";
