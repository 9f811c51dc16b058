//! Keys of ensembles. A standalone server checks their values and says that they wait.

use crate::config::key::Disposition::{EnsembleOnly, Honoured, Refused};
use crate::config::key::{Disposition, Key, Kind, Section, Slot};

use super::{file, named, property};

pub(super) const CLUSTER: &[Key] = &[
    Key::new(
        file("server.*", Section::Cluster),
        Kind::Text("host:port:port, with `:observer` or `;client-port` after it if needed"),
        "",
        Honoured(Slot::Member),
        "Member of the ensemble. One line alone runs standalone, as in Apache; more are refused \
         until ensembles come with a later version",
    ),
    of_file("group.*", Kind::Text("server ids with colons between them"), "", "Servers of a group"),
    of_file("weight.*", Kind::int(0, "votes"), "1", "Weight of a server's vote"),
    of_file("version", Kind::Text("a hexadecimal number"), "0", "Version of the membership"),
    Key::new(
        file("dynamicConfigFile", Section::Cluster),
        Kind::Path,
        "",
        Refused(
            "a separate file of members needs the ensemble of a later version; remove the key, \
             and write clientPort into this file",
        ),
        "File with the members of the ensemble",
    ),
    of_file("initLimit", TICKS, "", "Ticks a follower may take to connect and to sync"),
    of_file("syncLimit", TICKS, "", "Ticks a follower may lag behind"),
    of_file("connectToLearnerMasterLimit", TICKS, "", "Ticks a follower may take to connect"),
    of_file("electionAlg", Kind::Choice(&["3"]), "3", "Election algorithm"),
    of_file("peerType", Kind::Choice(&["participant", "observer"]), "participant", "Role"),
    of_file("observerMasterPort", Kind::port(), "", "Port on which followers serve observers"),
    Key::new(
        file("syncEnabled", Section::Cluster),
        Kind::Bool,
        "true",
        EnsembleOnly,
        "Whether an observer keeps logs and snapshots",
    )
    .also(&["observer.syncEnabled"]),
    of_file("oraclePath", Kind::Path, "", "File that decides for an ensemble of two"),
    of_file("quorum.cnxn.threads.size", Kind::int(0, "threads"), "20", "Threads of the election"),
    of_file("multiAddress.enabled", Kind::Bool, "false", "Whether a member has several addresses"),
    of_file(
        "multiAddress.reachabilityCheckTimeoutMs",
        Kind::int(0, "milliseconds"),
        "1000",
        "Time a probe of a member's addresses may take",
    ),
    of_property("leaderServes", Kind::Text("`yes` or `no`"), "yes", "Whether a leader has clients"),
    of_property(
        "fastleader.minNotificationInterval",
        Kind::int(0, "milliseconds"),
        "200",
        "Shortest time between notifications of an election",
    ),
    of_property(
        "fastleader.maxNotificationInterval",
        Kind::int(0, "milliseconds"),
        "60000",
        "Longest time between notifications of an election",
    ),
    of_property("cnxTimeout", MS, "5000", "Time to connect for an election"),
    of_property(
        "quorumCnxnTimeoutMs",
        Kind::int(-1, "milliseconds"),
        "-1",
        "Time without data on an election connection",
    ),
    of_property(
        "electionPortBindRetry",
        Kind::int(0, "attempts"),
        "3",
        "Attempts to bind the election port; 0 never gives up",
    ),
    of_property("tcpKeepAlive", Kind::Bool, "false", "TCP keep-alive on election connections"),
    of_property("observer.reconnectDelayMs", MS, "0", "Pause of an observer that lost its leader"),
    of_property("observer.election.DelayMs", MS, "200", "Pause of an observer before an election"),
    of_property(
        "observerMaster.sizeLimit",
        Kind::int(0, "bytes"),
        "33554432",
        "Packets kept for observers",
    ),
    of_named(
        "maxConcurrentSnapSyncs",
        "zookeeper.leader.maxConcurrentSnapSyncs",
        Kind::int(0, "followers"),
        "10",
        "Snapshots sent at the same time",
    ),
    of_named(
        "maxConcurrentDiffSyncs",
        "zookeeper.leader.maxConcurrentDiffSyncs",
        Kind::int(0, "followers"),
        "100",
        "Differences sent at the same time",
    ),
    of_named(
        "maxTimeToWaitForEpoch",
        "zookeeper.leader.maxTimeToWaitForEpoch",
        Kind::int(-1, "milliseconds"),
        "-1",
        "Time a new leader waits for the epochs of a majority",
    ),
    of_property("leader.closeSocketAsync", Kind::Bool, "false", "Leader closes in the background"),
    of_property(
        "learner.closeSocketAsync",
        Kind::Bool,
        "false",
        "Learner closes in the background",
    ),
    of_property("learner.asyncSending", Kind::Bool, "false", "Learner sends in the background"),
    of_property(
        "leader.ackLoggingFrequency",
        Kind::int(0, "acks"),
        "1000",
        "Acks logged, one of so many",
    ),
    of_named("leader.nodelay", "leader.nodelay", Kind::Bool, "true", "TCP_NODELAY at the leader"),
    of_named(
        "follower.nodelay",
        "follower.nodelay",
        Kind::Bool,
        "true",
        "TCP_NODELAY at a follower",
    ),
    of_property(
        "leaderConnectDelayDuringRetryMs",
        Kind::int(0, "milliseconds"),
        "100",
        "Pause between attempts to reach the leader",
    ),
    of_property("forceSnapshotSync", Kind::Bool, "false", "Followers are always sent a snapshot"),
    of_property(
        "forward_learner_requests_to_commit_processor_disabled",
        Kind::Bool,
        "false",
        "Learners' requests bypass the leader's commit processor",
    ),
    of_property(
        "follower.skipLearnerRequestToNextProcessor",
        Kind::Bool,
        "false",
        "Observers' requests bypass the observer master's processors",
    ),
];

const fn of_file(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key::new(file(name, Section::Cluster), kind, default, WAITS, doc)
}

const fn of_property(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key::new(property(name, Section::Cluster), kind, default, WAITS, doc)
}

const fn of_named(
    name: &'static str,
    java: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key::new(named(name, java, Section::Cluster), kind, default, WAITS, doc)
}

const WAITS: Disposition = EnsembleOnly;
const TICKS: Kind = Kind::int_from(0, "ticks");
const MS: Kind = Kind::long(0, "milliseconds");
