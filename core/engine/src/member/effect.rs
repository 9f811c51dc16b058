//! What a member wants done. Effects are carried out in order, all of them, before the next call.

use crate::election::History;
use crate::segment::Segment;
use crate::zab::{Entry, Epoch, LearnerKey, Leaving, Sid, ToLeader, ToLearner};
use quorate_wire::Zxid;
use quorate_wire::quorum::{Membership, ServerState, Vote};
use std::sync::Arc;

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Find out who leads, with what is on the disk; then call [`decided`](super::Member::decided).
    Look(History),
    /// The leader is given up because it is silent, though the connection to it may stand: elections need not wait for its vote until it is heard
    /// ([`Election::unreachable`](crate::election::Election::unreachable)).
    Silent(Sid),
    /// Take this role without an election: tell others so if they ask, and call [`decided`](super::Member::decided).
    Assume(ServerState, Vote),
    /// Write down durably that this configuration is proposed, or that none is any more; then go by it beside the committed one.
    SawConfig(Option<Membership>),
    /// This configuration is the committed one from now on: write it down durably, and go by it. Addresses of this server may have changed.
    Reconfigure(Membership),
    /// Say that the leader goes by these members, of whom none is where this server knows it to be: it may be of another ensemble.
    Strangers(Membership),
    /// Listen for learners, until [`Rest`](Self::Rest).
    Listen,
    /// Connect to this leader, until it is given up; then call [`connected`](super::Member::connected), or
    /// [`unconnected`](super::Member::unconnected).
    Connect(Sid),
    /// Send it to a learner behind everything that was sent to it before.
    ToLearner(LearnerKey, ToLearner),
    /// Send a learner the tree as it is now.
    SendTree(LearnerKey),
    /// Find out what the log on the disk holds for a learner; then call [`log_searched`](super::Member::log_searched).
    SearchLog(LearnerKey, LogRange),
    /// Send a learner what lies between these two transactions, without the first, from the log on the disk: to each its commit. If that
    /// fails on the way, call [`log_failed`](super::Member::log_failed), and end the connection.
    SendLog(LearnerKey, Zxid, Zxid),
    /// End a learner's connection; nothing more is said of it.
    CloseLearner(LearnerKey, Leaving),
    /// Send it to the leader.
    ToLeader(ToLeader),
    /// Append to the log what this leader has judged; when it is durable, call [`logged`](super::Member::logged).
    Append(Arc<Segment>),
    /// Append to the log what the leader has sent; when it is durable, call [`logged`](super::Member::logged).
    AppendEntries(Vec<Entry>),
    /// Write `acceptedEpoch`, then call [`accepted_written`](super::Member::accepted_written).
    WriteAccepted(Epoch),
    /// Write `currentEpoch`, then call [`current_written`](super::Member::current_written).
    WriteCurrent(Epoch),
    /// Cut the log after this transaction and load the tree again, then call [`truncated`](super::Member::truncated); see
    /// [`LearnerEffect::Truncate`](crate::zab::LearnerEffect::Truncate).
    Truncate(Zxid),
    /// The leader's tree follows on the connection; when it is whole, call [`tree_received`](super::Member::tree_received).
    ReceiveTree,
    /// Make the received tree this server's, durably, under this zxid, and forget the log; then call
    /// [`tree_installed`](super::Member::tree_installed). It has to [remember](crate::tree::Tree::remember_session) the newest session of the tree
    /// that it replaces, or this server could give an id out again.
    InstallTree(Zxid),
    /// Clients may be served. Others are to be told, with the next votes, that the epoch has begun.
    Serve(Epoch),
    /// There is no leader, and clients that make do with reading may be served ([`Shard::set_read_only`](crate::shard::Shard::set_read_only)); or
    /// there is one, and the connections of all clients are to be closed.
    ReadOnly(bool),
    /// The role has ended: close all connections of clients, learners and the leader; bring the log to rest, so that
    /// everything given to it is on the disk or never will be; then call [`rested`](super::Member::rested).
    Rest(Leaving),
}

/// What of the log a learner needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogRange {
    /// Where the learner's log ends.
    pub at: Zxid,
    /// Up to where it is not in memory.
    pub upto: Zxid,
    /// How many bytes of transactions the leader's tree is worth; `None` if any number.
    pub limit: Option<u64>,
}
