//! Keys of the client port, sessions and requests, and our own.

use crate::config::key::Disposition::{Ensemble, Honoured, Members, Refused, Warned};
use crate::config::key::{Key, Kind, MemberKey, Section, Source};
use crate::config::slot::Slot;
use crate::config::types::{IoMode, ListenAddress};

use super::{file, named, property};

pub(super) const MINIMUM: &[Key] = &[
    Key::new(
        file("clientPort", Section::Minimum),
        Kind::port(),
        "2181",
        Honoured(Slot::Int(|config, port| config.client_port = u16::try_from(port).ok())),
        "TCP port for clients; 0 takes a free one. A file must set it",
    ),
    Key::new(
        file("clientPortAddress", Section::Minimum),
        Kind::Text("an IPv4 address, an IPv6 address or a host name"),
        "127.0.0.1",
        Honoured(Slot::Text(|config, text| {
            config.client_port_address = ListenAddress::parse(text)?;
            Ok(())
        })),
        "Address for clients. In a file without this key it is every interface, as in Apache; \
         without a file it is 127.0.0.1",
    ),
    Key::new(
        file("dataDir", Section::Minimum),
        Kind::Path,
        "./quorate-data",
        Honoured(Slot::Text(|config, text| {
            config.data_dir = text.into();
            Ok(())
        })),
        "Directory of the snapshots and, without dataLogDir, the transaction logs. A file must \
         set it",
    ),
    Key::new(
        file("tickTime", Section::Minimum),
        Kind::int_from(1, "milliseconds"),
        "3000",
        Honoured(Slot::U32(|config| &mut config.tick_time_ms)),
        "Basic unit of time; session expiry is rounded up to it",
    ),
    Key::new(
        file("secureClientPort", Section::Minimum),
        Kind::port(),
        "",
        Refused(
            "TLS comes with a later version; remove the key and use clientPort, behind a TLS proxy \
             if the network is not trusted",
        ),
        "TCP port for clients that use TLS",
    ),
    Key::new(
        file("secureClientPortAddress", Section::Minimum),
        Kind::Text("an address or a host name"),
        "",
        Refused("TLS comes with a later version; remove the key and use clientPortAddress"),
        "Address for clients that use TLS",
    ),
];

pub(super) const OURS: &[Key] = &[
    Key::new(
        ("quorate.io", Section::Ours, Source::Ours),
        Kind::Choice(&["auto", "fused", "sharded"]),
        "auto",
        Honoured(Slot::Text(|config, text| {
            config.io = IoMode::parse(text)?;
            Ok(())
        })),
        "How threads share the work: one for connections and state (`fused`), I/O threads beside \
         it (`sharded`), or by the number of usable cores (`auto`)",
    ),
    Key::new(
        ("quorate.shards", Section::Ours, Source::Ours),
        Kind::Int { min: 1, floor: 1, max: 1_024, unit: "threads" },
        "",
        Honoured(Slot::Int(|config, threads| config.shards = u16::try_from(threads).ok())),
        "I/O threads in sharded mode; by default the usable cores less one",
    ),
    Key::new(
        ("quorate.learnerHistoryKb", Section::Ours, Source::Ours),
        Kind::Int { min: 0, floor: 0, max: 1_048_576, unit: "kilobytes" },
        "32768",
        Ensemble(Slot::U32(|ensemble| &mut ensemble.learner_history_kb)),
        "Transactions that a member of an ensemble keeps in memory for learners that come back; what is older \
         comes from the log on the disk, or with a snapshot",
    ),
    Key::new(
        ("quorate.beat", Section::Ours, Source::Ours),
        Kind::int(0, "milliseconds"),
        "50",
        Ensemble(Slot::U32(|ensemble| &mut ensemble.beat_ms)),
        "Time between two signs of life of a leader, to members that are quorate's: a leader that gives none for eight times \
         as long as it ever did lately is given up before syncLimit. 0 is never",
    ),
];

pub(super) const ADVANCED: &[Key] = &[
    Key::new(
        file("minSessionTimeout", Section::Advanced),
        Kind::int(-1, "milliseconds"),
        "-1",
        Honoured(Slot::OptU32(|config| &mut config.min_session_timeout_ms)),
        "Shortest session timeout granted; -1 is two ticks",
    ),
    Key::new(
        file("maxSessionTimeout", Section::Advanced),
        Kind::int(-1, "milliseconds"),
        "-1",
        Honoured(Slot::OptU32(|config| &mut config.max_session_timeout_ms)),
        "Longest session timeout granted; -1 is twenty ticks",
    ),
    Key::new(
        file("maxClientCnxns", Section::Advanced),
        Kind::int(0, "connections"),
        "60",
        Honoured(Slot::U32(|config| &mut config.max_client_cnxns)),
        "Connections allowed from one client address; 0 is unlimited",
    ),
    Key::new(
        property("maxCnxns", Section::Advanced),
        Kind::int(0, "connections"),
        "0",
        Honoured(Slot::U32(|config| &mut config.max_cnxns)),
        "Connections allowed in total; 0 is unlimited",
    ),
    Key::new(
        file("clientPortListenBacklog", Section::Advanced),
        Kind::int(-1, "connections"),
        "-1",
        Honoured(Slot::Int(|config, asked| {
            // What `ServerSocket#bind` does with a backlog below 1.
            let asked = u32::try_from(asked).ok().filter(|&asked| asked > 0);
            config.client_port_listen_backlog = asked.unwrap_or(50);
        })),
        "Connections the kernel queues before they are accepted; below 1 is 50",
    ),
    Key::new(
        property("clientTcpKeepAlive", Section::Advanced),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.client_tcp_keep_alive)),
        "Whether the kernel probes idle client connections",
    ),
    Key::new(
        property("nio.sessionlessCnxnTimeout", Section::Advanced),
        Kind::int_from(1, "milliseconds"),
        "10000",
        Honoured(Slot::U32(|config| &mut config.sessionless_cnxn_timeout_ms)),
        "How long a connection may stay without a session",
    ),
    Key::new(
        property("globalOutstandingLimit", Section::Advanced),
        Kind::int(0, "requests"),
        "1000",
        Honoured(Slot::U32(|config| &mut config.global_outstanding_limit)),
        "Requests in progress from which connections with unanswered ones are no longer read",
    ),
    Key::new(
        property("enforceQuota", Section::Advanced),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.enforce_quota)),
        "Whether hard quotas refuse writes",
    ),
    Key::new(
        property("closeSessionTxn.enabled", Section::Advanced),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.close_session_txn_enabled)),
        "Whether closing a session records its ephemerals in the transaction",
    ),
    Key::new(
        property("digest.enabled", Section::Advanced),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.digest_enabled)),
        "Whether the digest of the tree is kept, recorded and compared",
    ),
    Key::new(
        property("extendedTypesEnabled", Section::Advanced),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.extended_types_enabled)),
        "Whether TTL nodes can be created; Apache's default is false",
    ),
    Key::new(
        property("emulate353TTLNodes", Section::Advanced),
        Kind::Bool,
        "false",
        Refused(
            "TTL nodes of ZooKeeper 3.5.3 are read as ephemerals of a session; start Apache's \
             server once with this key, recreate the nodes, then remove the key",
        ),
        "Whether TTL nodes are marked as ZooKeeper 3.5.3 marked them",
    )
    .inert(&["false"]),
    Key::new(
        property("znode.container.checkIntervalMs", Section::Advanced),
        Kind::int_from(1, "milliseconds"),
        "60000",
        Honoured(Slot::U32(|config| &mut config.containers.check_interval_ms)),
        "Time between searches for empty containers and expired TTL nodes",
    ),
    Key::new(
        property("znode.container.maxPerMinute", Section::Advanced),
        Kind::int_from(1, "nodes"),
        "10000",
        Honoured(Slot::U32(|config| &mut config.containers.max_per_minute)),
        "Containers and TTL nodes deleted per minute, at most",
    ),
    Key::new(
        property("znode.container.maxNeverUsedIntervalMs", Section::Advanced),
        Kind::long(0, "milliseconds"),
        "0",
        Honoured(Slot::U64(|config| &mut config.containers.max_never_used_interval_ms)),
        "Age at which a container that never had a child is deleted; 0 never",
    ),
    Key::new(
        named("readonlymode.enabled", "readonlymode.enabled", Section::Advanced),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.read_only_mode)),
        "Read-only mode: a member that finds no leader for two seconds, or for a longer tick, serves clients that make do with reading; and \
         `isro` is among the four-letter words",
    ),
    Key::new(
        file("standaloneEnabled", Section::Advanced),
        Kind::Bool,
        "true",
        Members(MemberKey::Standalone),
        "Whether a single voter runs without the quorum protocol; with `false` it is an ensemble of one",
    ),
    Key::new(
        file("reconfigEnabled", Section::Advanced),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.reconfig_enabled)),
        "Whether the members of an ensemble can be changed while it runs",
    ),
    Key::new(
        file("localSessionsEnabled", Section::Advanced),
        Kind::Bool,
        "false",
        Ensemble(Slot::Bool(|ensemble| &mut ensemble.local_sessions)),
        "Whether sessions begin without a transaction, as those of one server alone, which cannot own ephemeral nodes",
    ),
    Key::new(
        file("localSessionsUpgradingEnabled", Section::Advanced),
        Kind::Bool,
        "false",
        Ensemble(Slot::Bool(|ensemble| &mut ensemble.local_sessions_upgrading)),
        "Whether a local session becomes one of the ensemble when it creates an ephemeral node; otherwise that is refused",
    ),
    Key::new(
        property("serverCnxnFactory", Section::Advanced),
        Kind::Text("a class name"),
        "",
        Warned("has no effect: there is one implementation of the client port, and it is not Java"),
        "Class that serves the client port",
    )
    .inert(&[
        "org.apache.zookeeper.server.NIOServerCnxnFactory",
        "org.apache.zookeeper.server.NettyServerCnxnFactory",
    ]),
    Key::new(
        property("netty.advancedFlowControl.enabled", Section::Advanced),
        Kind::Bool,
        "false",
        Warned("has no effect: flow control is always exact here"),
        "Exact flow control in Netty",
    )
    .also(&["advancedFlowControlEnabled"])
    .inert(&["true"]),
];
