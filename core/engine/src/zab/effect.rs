//! What the roles want done. Effects are carried out in order, all of them, before the next call.

use super::message::Request;
use super::{Entry, Epoch, Sid, ToLeader, ToLearner};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::collections::BTreeSet;
use std::fmt;

/// A connection of a learner at its leader. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LearnerKey(pub u64);

/// Why a role or a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The other side has gone.
    Disconnected,
    /// The other side has been silent for too long.
    Silent,
    /// It has said what cannot be said at this point.
    Protocol(&'static str),
    /// It has promised a newer epoch, or leads an older one than this server has promised.
    OtherEpoch {
        /// What it said.
        theirs: Epoch,
        /// What is known here.
        ours: Epoch,
    },
    /// It holds more than the leader that was elected.
    Ahead {
        /// Who.
        sid: Sid,
    },
    /// The same server has connected again.
    Replaced,
    /// A server of its id is connected, and answers: it is another one.
    Twin {
        /// The id.
        sid: Sid,
    },
    /// There is a gap in what it proposes.
    Gap {
        /// What came.
        got: Zxid,
        /// After this.
        after: Zxid,
    },
    /// The leader wants the log to be cut here, and it cannot be: the next connection to it is to ask for its tree.
    CannotCut(Zxid),
    /// It has not acknowledged a proposal in time.
    Slow,
    /// No quorum was found in time, or it is gone.
    NoQuorum,
    /// A voter has promised a newer epoch and cannot join: the next election takes one that is newer still.
    Outrun,
    /// The epoch has no more zxids, or there are no more epochs.
    Exhausted,
    /// The log has no room for what is proposed.
    NoRoom,
    /// Learners cannot be let in.
    NoPort,
    /// A configuration that is proposed cannot be written down.
    NoConfig,
    /// It goes by a newer configuration than its leader.
    NewerConfig {
        /// The version of its configuration.
        theirs: i64,
        /// The leader's.
        ours: i64,
    },
    /// The ensemble was reconfigured: this server has another leader now, or another part.
    Reconfigured,
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => write!(f, "the connection has ended"),
            Self::Silent => write!(f, "nothing was heard for too long"),
            Self::Protocol(what) => write!(f, "{what}"),
            Self::OtherEpoch { theirs, ours } => {
                write!(f, "epoch {theirs:#x} where {ours:#x} has been promised")
            }
            Self::Ahead { sid } => write!(f, "server {sid} holds a newer history than its leader"),
            Self::Replaced => write!(f, "the server has connected again"),
            Self::Twin { sid } => write!(
                f,
                "server {sid} is connected already, and answers: two servers may have the myid {sid}"
            ),
            Self::Gap { got, after } => write!(f, "transaction {got} came after {after}"),
            Self::CannotCut(zxid) => write!(f, "the log cannot be cut at {zxid}"),
            Self::Slow => write!(f, "a proposal was not acknowledged in time"),
            Self::NoQuorum => write!(f, "there is no quorum"),
            Self::Outrun => write!(f, "a voter has promised a newer epoch"),
            Self::Exhausted => write!(f, "the epoch has no zxids left"),
            Self::NoRoom => write!(f, "there is no room for transactions on the disk"),
            Self::NoPort => write!(f, "the port for learners cannot be opened"),
            Self::NoConfig => write!(f, "a configuration that is proposed cannot be written down"),
            Self::NewerConfig { theirs, ours } => {
                write!(
                    f,
                    "it goes by version {theirs:x} of the configuration, its leader by {ours:x}"
                )
            }
            Self::Reconfigured => write!(f, "the ensemble was reconfigured"),
        }
    }
}

/// What a leader wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaderEffect {
    /// Send it behind everything that was sent to this learner before.
    Send(LearnerKey, ToLearner),
    /// Send the tree as it is now, behind [`ToLearner::Snap`].
    SendTree(LearnerKey),
    /// Find out whether the log on the disk holds everything from the first of these transactions, or the last one before it, to the second,
    /// and is shorter than the tree is worth; then call [`log_searched`](super::leader::Leader::log_searched).
    SearchLog(LearnerKey, Zxid, Zxid),
    /// Send what lies between these two, without the first, from the log on the disk: to each transaction its commit. If that fails on
    /// the way, call [`log_failed`](super::leader::Leader::log_failed), and end the connection.
    SendLog(LearnerKey, Zxid, Zxid),
    /// End the connection; nothing more is said of it.
    Close(LearnerKey, Leaving),
    /// Write `acceptedEpoch`, then call [`accepted_written`](super::leader::Leader::accepted_written).
    WriteAccepted(Epoch),
    /// Write `currentEpoch`, then call [`current_written`](super::leader::Leader::current_written).
    WriteCurrent(Epoch),
    /// A quorum has the history: proposals may be made, clients may be served.
    Established(Epoch),
    /// Everything up to here is part of the history for good: apply it.
    Committed(Zxid),
    /// The syncs up to this number (see [`sync`](super::leader::Leader::sync)) are done: this server leads, and has applied what
    /// was proposed before them.
    Synced(u64),
    /// A configuration is proposed: write it down as the last one seen, and go by it beside the committed one.
    SawConfig(Membership),
    /// A configuration takes effect, as of this zxid, in which this server should lead. If that is another one, it will end this role when
    /// the others have heard of it.
    Activate(Membership, Zxid, Sid),
    /// These servers follow and are up to date.
    Followers(BTreeSet<Sid>),
    /// A learner's client writes.
    Request(LearnerKey, Request),
    /// A learner has heard of this session, of this timeout in ms.
    Touched(LearnerKey, i64, i32),
    /// A learner asks about a session, of this timeout in ms.
    Revalidate(LearnerKey, i64, i32),
    /// End everything and look for a leader.
    Leave(Leaving),
}

/// What a learner wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnerEffect {
    /// Send it to the leader.
    Send(ToLeader),
    /// Write `acceptedEpoch`, then call `accepted_written`.
    WriteAccepted(Epoch),
    /// Write `currentEpoch`, then call `current_written`.
    WriteCurrent(Epoch),
    /// Cut the log after this transaction, then drop snapshots of anything later, and load the tree again; then call `truncated`. If the
    /// disk would not hold exactly everything up to there afterwards, leave it alone and call `truncated` with nothing.
    Truncate(Zxid),
    /// A tree follows on the connection; when it is whole, call `tree_received`.
    ReceiveTree,
    /// Make the received tree this server's, durably, and forget the log; then call `tree_installed`. No transaction
    /// after this zxid may come back.
    InstallTree(Zxid),
    /// Append to the log; when it is durable, call `logged`.
    Append(Vec<Entry>),
    /// Everything up to here is part of the history for good, and is in the log: apply it.
    Committed(Zxid),
    /// A configuration is proposed: write it down as the last one seen, and go by it beside the committed one.
    SawConfig(Membership),
    /// The last configuration that the leader has seen. What was proposed by others, and it does not know, is no more.
    LeaderConfig(Membership),
    /// The leader is established with this configuration: it takes effect, if it is new.
    Adopt(Membership),
    /// The reconfiguration that is this transaction takes effect, now that it is applied; under it this server should lead.
    Activate(Membership, Zxid, Sid),
    /// The leader is established and this server has its history: serve.
    Serve(Epoch),
    /// The oldest sync that was asked for is done.
    Synced,
    /// What the leader knows of a session.
    Revalidated(i64, bool),
    /// End the connection and look for a leader.
    Leave(Leaving),
}
