//! Keys of ensembles. A standalone server checks their values and says that they wait.

use crate::config::ensemble_config::EnsembleConfig;
use crate::config::key::Disposition::{Ensemble, EnsembleOnly, EnsembleRefused, Members};
use crate::config::key::{Key, Kind, MemberKey, Section};
use crate::config::slot::Slot;

use super::{file, named, property};

pub(super) const CLUSTER: &[Key] = &[
    members(
        "server.*",
        Kind::Text("host:port:port, with `:observer` or `;client-port` after it if needed"),
        "",
        MemberKey::Line,
        "Member of the ensemble: the ports are those of the quorum and of elections. One line alone runs standalone \
         while standaloneEnabled is true, as in Apache",
    ),
    members(
        "group.*",
        Kind::Text("server ids with colons between them"),
        "",
        MemberKey::Line,
        "Servers of a group; with groups, more than half of the weight in more than half of the groups decides",
    ),
    members(
        "weight.*",
        Kind::int_from(0, "votes"),
        "1",
        MemberKey::Line,
        "Weight of a server's vote within its group",
    ),
    members(
        "version",
        Kind::Text("a hexadecimal number"),
        "0",
        MemberKey::Line,
        "Version of the membership; with dynamicConfigFile it stands at the end of that file's name",
    ),
    members(
        "dynamicConfigFile",
        Kind::Path,
        "",
        MemberKey::File,
        "File with the `server.N`, `group.N` and `weight.N` lines, which are not in this file then",
    ),
    of_file(
        "initLimit",
        TICKS,
        "",
        Slot::U32(|ensemble| &mut ensemble.init_limit),
        "Ticks a follower may take to connect and to sync. A member must set it",
    ),
    of_file(
        "syncLimit",
        TICKS,
        "",
        Slot::U32(|ensemble| &mut ensemble.sync_limit),
        "Ticks a follower may lag behind. A member must set it",
    ),
    of_file(
        "connectToLearnerMasterLimit",
        TICKS,
        "0",
        Slot::Int(|ensemble, ticks| {
            ensemble.connect_limit = u32::try_from(ticks).ok().filter(|&ticks| ticks > 0);
        }),
        "Ticks a follower may take to connect; 0 is initLimit",
    ),
    without(
        file("electionAlg", Section::Cluster),
        Kind::Choice(&["3"]),
        "3",
        "has no effect: there is one algorithm, as in Apache",
        "Election algorithm",
    ),
    members(
        "peerType",
        Kind::Choice(&["participant", "observer"]),
        "participant",
        MemberKey::PeerType,
        "Role of this server; where its `server.N` line says another, that counts",
    ),
    without(
        file("observerMasterPort", Section::Cluster),
        Kind::port(),
        "",
        "has no effect: observers learn from the leader",
        "Port on which followers serve observers",
    ),
    without(
        file("syncEnabled", Section::Cluster),
        Kind::Bool,
        "true",
        "has no effect: an observer always keeps logs and snapshots",
        "Whether an observer keeps logs and snapshots",
    )
    .also(&["observer.syncEnabled"]),
    Key::new(
        file("oraclePath", Section::Cluster),
        Kind::Path,
        "",
        EnsembleRefused(
            "a file that decides instead of a quorum cannot keep two leaders apart; remove the key, and add a third voter",
        ),
        "File that decides for an ensemble of two",
    ),
    without(
        file("quorum.cnxn.threads.size", Section::Cluster),
        Kind::int(0, "threads"),
        "20",
        "has no effect: Java's thread pools do not exist here",
        "Threads of the election",
    ),
    members(
        "multiAddress.enabled",
        Kind::Bool,
        "false",
        MemberKey::SeveralAddresses,
        "Whether a member may have several addresses",
    ),
    without(
        file("multiAddress.reachabilityCheckTimeoutMs", Section::Cluster),
        Kind::int(0, "milliseconds"),
        "1000",
        "has no effect: an address that does not answer is left for the next one",
        "Time a probe of a member's addresses may take",
    ),
    without(
        property("leaderServes", Section::Cluster),
        Kind::Text("`yes` or `no`"),
        "yes",
        "has no effect: a leader serves clients too",
        "Whether a leader has clients",
    ),
    of_property(
        "fastleader.minNotificationInterval",
        Kind::int_from(1, "milliseconds"),
        "200",
        Slot::U32(|ensemble| &mut ensemble.min_notification_interval_ms),
        "Shortest time between notifications of an election",
    ),
    of_property(
        "fastleader.maxNotificationInterval",
        Kind::int_from(1, "milliseconds"),
        "1000",
        Slot::U32(|ensemble| &mut ensemble.max_notification_interval_ms),
        "Longest time between notifications of an election; Apache's default is 60000",
    ),
    of_property(
        "cnxTimeout",
        Kind::int_from(1, "milliseconds"),
        "5000",
        Slot::U32(|ensemble| &mut ensemble.connect_timeout_ms),
        "Time to connect for an election",
    ),
    of_property(
        "quorumCnxnTimeoutMs",
        Kind::int(-1, "milliseconds"),
        "-1",
        Slot::OptU32(|ensemble| &mut ensemble.greeting_timeout_ms),
        "Time in which the first message on an election connection must come; negative is syncLimit",
    ),
    of_property(
        "electionPortBindRetry",
        Kind::int(0, "attempts"),
        "3",
        Slot::U32(|ensemble| &mut ensemble.bind_attempts),
        "Attempts to bind the election port; 0 never gives up",
    ),
    of_property(
        "tcpKeepAlive",
        Kind::Bool,
        "false",
        Slot::Bool(|ensemble| &mut ensemble.tcp_keep_alive),
        "TCP keep-alive on election connections",
    ),
    of_property(
        "observer.reconnectDelayMs",
        MS,
        "0",
        Slot::U64(|ensemble| &mut ensemble.observer_reconnect_delay_ms),
        "Pause of an observer that lost its leader",
    ),
    of_property(
        "observer.election.DelayMs",
        MS,
        "200",
        Slot::U64(|ensemble| &mut ensemble.observer_election_delay_ms),
        "Pause of an observer before an election",
    ),
    without(
        property("observerMaster.sizeLimit", Section::Cluster),
        Kind::int(0, "bytes"),
        "33554432",
        "has no effect: observers learn from the leader",
        "Packets kept for observers",
    ),
    without(
        named(
            "maxConcurrentSnapSyncs",
            "zookeeper.leader.maxConcurrentSnapSyncs",
            Section::Cluster,
        ),
        Kind::int(0, "followers"),
        "10",
        SYNCS,
        "Snapshots sent at the same time",
    ),
    without(
        named(
            "maxConcurrentDiffSyncs",
            "zookeeper.leader.maxConcurrentDiffSyncs",
            Section::Cluster,
        ),
        Kind::int(0, "followers"),
        "100",
        SYNCS,
        "Differences sent at the same time",
    ),
    without(
        named("maxTimeToWaitForEpoch", "zookeeper.leader.maxTimeToWaitForEpoch", Section::Cluster),
        Kind::int(-1, "milliseconds"),
        "-1",
        "has no effect: initLimit says how long a new leader waits",
        "Time a new leader waits for the epochs of a majority",
    ),
    without(
        property("leader.closeSocketAsync", Section::Cluster),
        Kind::Bool,
        "false",
        SOCKETS,
        "Leader closes in the background",
    ),
    without(
        property("learner.closeSocketAsync", Section::Cluster),
        Kind::Bool,
        "false",
        SOCKETS,
        "Learner closes in the background",
    ),
    without(
        property("learner.asyncSending", Section::Cluster),
        Kind::Bool,
        "false",
        SOCKETS,
        "Learner sends in the background",
    ),
    without(
        property("leader.ackLoggingFrequency", Section::Cluster),
        Kind::int(0, "acks"),
        "1000",
        "has no effect: acknowledgements are not logged",
        "Acks logged, one of so many",
    ),
    without(
        named("leader.nodelay", "leader.nodelay", Section::Cluster),
        Kind::Bool,
        "true",
        NODELAY,
        "TCP_NODELAY at the leader",
    ),
    without(
        named("follower.nodelay", "follower.nodelay", Section::Cluster),
        Kind::Bool,
        "true",
        NODELAY,
        "TCP_NODELAY at a follower",
    ),
    of_property(
        "leaderConnectDelayDuringRetryMs",
        Kind::int(0, "milliseconds"),
        "100",
        Slot::U32(|ensemble| &mut ensemble.connect_retry_delay_ms),
        "Pause between attempts to reach the leader",
    ),
    without(
        property("forceSnapshotSync", Section::Cluster),
        Kind::Bool,
        "false",
        "has no effect: followers are sent what they lack",
        "Followers are always sent a snapshot",
    ),
    without(
        property("forward_learner_requests_to_commit_processor_disabled", Section::Cluster),
        Kind::Bool,
        "false",
        PROCESSORS,
        "Learners' requests bypass the leader's commit processor",
    ),
    without(
        property("follower.skipLearnerRequestToNextProcessor", Section::Cluster),
        Kind::Bool,
        "false",
        PROCESSORS,
        "Observers' requests bypass the observer master's processors",
    ),
];

/// A key that a member follows, from the file.
const fn of_file(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    slot: Slot<EnsembleConfig>,
    doc: &'static str,
) -> Key {
    Key::new(file(name, Section::Cluster), kind, default, Ensemble(slot), doc)
}

/// A key that a member follows, from a system property.
const fn of_property(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    slot: Slot<EnsembleConfig>,
    doc: &'static str,
) -> Key {
    Key::new(property(name, Section::Cluster), kind, default, Ensemble(slot), doc)
}

/// A key that says who the members are.
const fn members(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    what: MemberKey,
    doc: &'static str,
) -> Key {
    Key::new(file(name, Section::Cluster), kind, default, Members(what), doc)
}

/// A key without a meaning for us, with the reason.
const fn without(
    identity: (&'static str, Section, crate::config::key::Source),
    kind: Kind,
    default: &'static str,
    reason: &'static str,
    doc: &'static str,
) -> Key {
    Key::new(identity, kind, default, EnsembleOnly(reason), doc)
}

const TICKS: Kind = Kind::int_from(0, "ticks");
const MS: Kind = Kind::long(0, "milliseconds");
const SYNCS: &str = "has no effect: learners are not counted, but what waits for each is limited";
const SOCKETS: &str = "has no effect: no thread waits for a socket here";
const NODELAY: &str = "has no effect: TCP_NODELAY is always on between servers";
const PROCESSORS: &str = "has no effect: Apache's chains of processors do not exist here";
