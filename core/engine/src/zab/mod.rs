//! Atomic broadcast: how the servers of an ensemble come to hold one history.
//!
//! An election says who leads; then a [`Leader`](leader::Leader) and its learners ([`Follower`](learner::Follower),
//! [`Observer`](learner::Observer)) go through three phases: **discovery** finds an epoch that a quorum has not yet promised to
//! anybody, **synchronisation** gives every learner the leader's history, **broadcast** adds to it.
//! Each role is a state machine without I/O: messages, durable facts and time are arguments, [effects](effect) the
//! result. Whoever drives it carries out all effects, in order, before the next call, and begins every role with what is
//! on its disk: nothing in memory outlives a role.
//!
//! The order that keeps what a quorum has acknowledged, by construction:
//!
//! | on the disk | before |
//! |---|---|
//! | `acceptedEpoch` = e | a leader's LEADERINFO(e), a learner's ACKEPOCH |
//! | the history up to NEWLEADER: what was to be cut is cut, a snapshot is whole, proposals are logged | `currentEpoch` = e |
//! | `currentEpoch` = e | ACK of NEWLEADER(e), which is the first ACK of a connection |
//! | a proposal | its ACK |
//!
//! A log is cut exactly where the leader says, or not at all: up to there it may hold what has been committed, and `currentEpoch` vouches for
//! it. A learner whose snapshot holds more than can be taken back, because it came from a leader that was never established, keeps everything
//! and asks for the leader's tree instead, which replaces the old one in one step.
//!
//! Every effect that stands for a durable fact is given only in the call that reports this fact. An ACK counts for as long as the
//! connection lives on which it came, so that nothing counts that a new synchronisation may have cut.
//!
//! Sources: Junqueira, Reed and Serafini, "Zab: High-performance broadcast for primary-backup systems" (2011);
//! `org.apache.zookeeper.server.quorum` (`Leader`, `LearnerHandler`, `Learner`); `Zab.tla` beside it.

pub mod codec;
pub mod effect;
pub mod entry;
pub mod history;
pub mod leader;
pub mod learner;
pub mod log_search;
pub mod message;
pub mod mistake;
pub mod plan;

pub use effect::{LeaderEffect, LearnerEffect, LearnerKey, Leaving};
pub use entry::Entry;
pub use history::History;
pub use log_search::LogSearch;
pub use message::{ToLeader, ToLearner};
pub use mistake::{Mistake, Mistakes};

use quorate_wire::Zxid;

/// The id of a server in its ensemble (`myid`).
pub type Sid = i64;

/// The number of a leadership.
pub type Epoch = i64;

/// The highest epoch: zxids have room for 31 bits above zero.
pub const LAST_EPOCH: Epoch = 0x7FFF_FFFF;

/// Where an epoch begins: counter 0, which is no transaction.
#[must_use]
pub const fn start_of(epoch: Epoch) -> Zxid {
    Zxid(epoch << 32)
}

/// Rules that all roles of a server share; times in ms.
#[derive(Clone, Copy, Debug)]
pub struct ZabConfig {
    /// Who this server is.
    pub me: Sid,
    /// `tickTime`.
    pub tick: i64,
    /// How long discovery and synchronisation may take (`initLimit` times `tickTime`).
    pub init_limit: i64,
    /// How long the other side may be silent afterwards (`syncLimit` times `tickTime`).
    pub sync_limit: i64,
    /// Between two pings of a leader; Apache's is half a tick.
    pub ping_interval: i64,
    /// Between two beats of a leader, for learners that [take them](message::Features::beats); nobody gets any if there is no such time.
    pub beat: Option<i32>,
    /// How many bytes of committed transactions are kept in memory for learners that come back.
    pub history_bytes: usize,
    /// Whether learners are given what is not in memory from the log on the disk, where that is worth it (`snapshotSizeFactor`).
    pub log_sync: bool,
    /// Whether reconfigurations take effect (`reconfigEnabled`).
    pub reconfig: bool,
    /// Historic mistakes put back on purpose; none outside of tests.
    pub mistakes: Mistakes,
}

/// What a server finds on its disk when it takes up a role.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// The newest epoch it has promised to somebody.
    pub accepted_epoch: Epoch,
    /// The newest epoch whose beginning it holds completely.
    pub current_epoch: Epoch,
    /// What its log holds, as far back as is worth keeping in memory.
    pub history: History,
    /// The leader of this epoch wanted a cut that could not be made ([`Leaving::CannotCut`]): it is to send its tree.
    pub wants_tree: Option<Epoch>,
    /// The version of its committed configuration.
    pub config_version: i64,
}

impl Durable {
    /// The last transaction on the disk.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.history.last()
    }

    /// The same, whatever moment a crash has left it in.
    ///
    /// A log that holds a transaction of epoch e was written by a synchronisation that went in order, so it holds what precedes
    /// e completely: `currentEpoch` may say so even if the crash came before the file was written. A promise is never less than that.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.current_epoch = self.current_epoch.max(self.last_zxid().epoch());
        self.accepted_epoch = self.accepted_epoch.max(self.current_epoch);
        self
    }
}
