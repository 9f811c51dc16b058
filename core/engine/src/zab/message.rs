//! What a leader and its learners say to each other, as types; `quorate_wire::quorum` has the bytes, [`codec`](super::codec) the way
//! between them.
//!
//! A connection carries messages in order and without gaps until it ends. Names and meanings are those of Apache's packets.

use super::{Entry, Epoch, Sid};
use quorate_wire::{Id, OpCode, Zxid};
use std::sync::Arc;

/// What a learner can do that not every one can.
pub use quorate_wire::quorum::learner::Features;

/// How a learner takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerKind {
    /// Gets proposals and acknowledges them; counts if it is a voter.
    Follower,
    /// Gets what has been committed, and never counts.
    Observer,
}

/// From a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToLearner {
    /// The epoch that a quorum has not yet promised to anybody else; and how often a [`Beat`](Self::Beat) is promised once this learner is
    /// up to date, ms.
    LeaderInfo(Epoch, Option<i32>),
    /// Your history is the beginning of mine; the rest follows.
    Diff(Zxid),
    /// Cut your history after this transaction; the rest of mine follows.
    Trunc(Zxid),
    /// Forget your history: a snapshot follows, which is mine up to here.
    Snap(Zxid),
    /// A transaction, to be logged and acknowledged.
    Proposal(Entry),
    /// The next proposal is part of the history for good.
    Commit(Zxid),
    /// [`Commit`](Self::Commit) of a reconfiguration, which takes effect with it; under it this server should lead.
    CommitAndActivate(Zxid, Sid),
    /// A proposal and its commit at once, for observers.
    Inform(Entry),
    /// [`Inform`](Self::Inform) of a reconfiguration, which takes effect with it; under it this server should lead.
    InformAndActivate(Entry, Sid),
    /// You have been given everything that came before this epoch.
    NewLeader(Epoch, Option<Arc<str>>),
    /// A quorum has it: serve.
    UpToDate,
    /// Are you there?
    Ping(Zxid),
    /// I am there. Not answered.
    Beat,
    /// The next sync that you asked for is done: you have been sent everything that came before it.
    Sync,
    /// Whether a session that you asked about lives.
    Revalidate {
        /// The session.
        session: i64,
        /// Whether it lives; then it is yours.
        valid: bool,
    },
}

/// From a learner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToLeader {
    /// The first message: who it is, and which epoch it has promised.
    Info {
        /// Its id.
        sid: Sid,
        /// How it takes part.
        kind: LearnerKind,
        /// The newest epoch that it has promised.
        accepted: Epoch,
        /// The version of its committed configuration.
        config: i64,
        /// What it can do.
        features: Features,
    },
    /// It has promised the epoch: this is what it holds. `current` is missing if it had promised this epoch before.
    AckEpoch {
        /// The newest epoch whose beginning it holds.
        current: Option<Epoch>,
        /// The end of its log.
        last: Zxid,
    },
    /// This proposal, or the beginning of this epoch, is on its disk.
    Ack(Zxid),
    /// It is there, as the ping of this zxid asked, and so are these sessions of its (with their timeouts in ms).
    Ping(Zxid, Vec<(i64, i32)>),
    /// A client's write, or its sync.
    Request(Request),
    /// Does this session live? Its client wants to go on here.
    Revalidate {
        /// The session.
        session: i64,
        /// Its timeout, ms.
        timeout: i32,
    },
}

/// What a client wants of the leader, as its server forwards it. Cheap to clone, but for the identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's session.
    pub session: i64,
    /// The client's number for it.
    pub cxid: i32,
    /// The number of an [`OpCode`], or of none.
    pub op: i32,
    /// The client's bytes behind the header.
    pub body: Arc<[u8]>,
    /// Who the client is; nobody is asked in requests about sessions. The leader believes it.
    pub identities: Option<Vec<Id<'static>>>,
}

impl Request {
    /// Whether it is a sync, which is answered with [`ToLearner::Sync`] and is no transaction.
    #[must_use]
    pub const fn is_sync(&self) -> bool {
        self.op == OpCode::Sync.code()
    }
}
