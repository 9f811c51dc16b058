//! What a leader knows of one learner's connection.

use crate::zab::message::{Features, LearnerKind};
use crate::zab::plan::OnDisk;
use crate::zab::{Epoch, Sid};
use quorate_wire::Zxid;
use std::collections::VecDeque;

/// How far a learner has come on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Has not said who it is.
    New,
    /// Waits for an epoch.
    Waiting,
    /// Has been told the epoch.
    Asked,
    /// Has promised it, and waits for the history.
    Promised,
    /// Is being sent the history; whatever is proposed follows.
    Syncing,
    /// Has the history and the epoch on its disk.
    Synced,
    /// Has been told to serve.
    Active,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) stage: Stage,
    pub(super) sid: Sid,
    pub(super) kind: LearnerKind,
    /// Whether it is a voter that follows, so that what it has counts.
    pub(super) counts: bool,
    pub(super) features: Features,
    /// The epoch that it had promised when it came.
    pub(super) accepted: Epoch,
    /// `currentEpoch`, unless it had promised this epoch before; and the end of its log.
    pub(super) holds: (Option<Epoch>, Zxid),
    /// What the log on the disk holds of what it lacks, as far as that is known.
    pub(super) on_disk: OnDisk,
    /// Up to where it has acknowledged proposals on this connection.
    pub(super) acked: Zxid,
    /// When it was last heard, ms.
    pub(super) heard: i64,
    /// Since when the oldest proposal that it has not acknowledged waits, ms.
    pub(super) owes_since: Option<i64>,
    /// Rounds of the pings that it has not answered, oldest first.
    pub(super) pings: VecDeque<u64>,
    /// The last round that it has answered.
    pub(super) confirmed: u64,
}

impl Peer {
    pub(super) const fn new(now: i64) -> Self {
        Self {
            stage: Stage::New,
            sid: -1,
            kind: LearnerKind::Observer,
            counts: false,
            features: Features::NONE,
            accepted: 0,
            holds: (None, Zxid::ZERO),
            on_disk: OnDisk::Unknown,
            acked: Zxid::ZERO,
            heard: now,
            owes_since: None,
            pings: VecDeque::new(),
            confirmed: 0,
        }
    }

    pub(super) fn follows(&self) -> bool {
        self.kind == LearnerKind::Follower
    }

    pub(super) fn takes_beats(&self) -> bool {
        self.stage == Stage::Active && self.features.beats
    }
}
