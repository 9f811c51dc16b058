//! Mistakes that ensembles have been broken by, to be put back one at a time: a simulator that does not find them is too weak.
//!
//! Without the feature `mistakes` none can be made, and [`Mistakes::make`] is `false` at compile time.

/// A mistake of the past. Numbers are Apache's issues (`ZOOKEEPER-…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mistake {
    /// 1549: TRUNC cuts the log, and a newer snapshot that holds what was cut is believed at the next start.
    TruncKeepsSnapshots,
    /// 2678, 3023: NEWLEADER is acknowledged while the transactions of the DIFF are in memory only.
    DiffInMemory,
    /// 2845: what was in memory outlives the role, though it is not what the log holds.
    MemoryOutlivesRole,
    /// 3104: NEWLEADER is sent before what it stands for.
    NewLeaderFirst,
    /// 3642: a SNAP that broke off is taken for a tree.
    HalfSnapshot,
    /// 3911: the transactions of the DIFF are logged only after UPTODATE.
    LogAfterUpToDate,
    /// 4394: proposals that wait for their COMMIT when NEWLEADER comes are dropped.
    DropUncommitted,
    /// 4643: `currentEpoch` is written before the history that it names.
    EpochBeforeHistory,
    /// 4646: NEWLEADER is acknowledged before the log is synced.
    AckBeforeSync,
    /// 4685: the acknowledgement of a proposal overtakes that of NEWLEADER, and is taken for it.
    AckOvertakes,
    /// Nobody compares epochs: a leader takes the next to its own, and learners take any.
    IgnoreEpochs,
    /// A learner promises an epoch without writing it down.
    ForgetPromise,
    /// A leader commits what half of the servers, and not more, have.
    HalfIsEnough,
    /// A leader counts the acknowledgement of a connection that has ended.
    CountTheGone,
    /// 1675: a sync is answered by a leader that has not asked whether it still leads.
    SyncUnasked,
    /// A leader serves before a quorum has its history.
    ServeEarly,
    /// A record of which only a part has reached the disk is taken for one, because nobody compares its checksum.
    TornRecord,
    /// A sync that fails is tried again, and believed the second time.
    SyncAgain,
    /// A snapshot file that was not written to its end is taken for a tree.
    HalfSnapshotFile,
    /// An operator empties the disk of a voter whose data the others do not have.
    WipeAnyone,
    /// An operator puts back an old copy of a voter's disk whose data the others do not have.
    RestoreAnyone,
}

impl Mistake {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::TruncKeepsSnapshots,
        Self::DiffInMemory,
        Self::MemoryOutlivesRole,
        Self::NewLeaderFirst,
        Self::HalfSnapshot,
        Self::LogAfterUpToDate,
        Self::DropUncommitted,
        Self::EpochBeforeHistory,
        Self::AckBeforeSync,
        Self::AckOvertakes,
        Self::IgnoreEpochs,
        Self::ForgetPromise,
        Self::HalfIsEnough,
        Self::CountTheGone,
        Self::SyncUnasked,
        Self::ServeEarly,
        Self::TornRecord,
        Self::SyncAgain,
        Self::HalfSnapshotFile,
        Self::WipeAnyone,
        Self::RestoreAnyone,
    ];
}

/// Which mistakes are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    #[cfg(feature = "mistakes")]
    one: Option<Mistake>,
}

impl Mistakes {
    /// None.
    pub const NONE: Self = Self {
        #[cfg(feature = "mistakes")]
        one: None,
    };

    /// This one.
    #[cfg(feature = "mistakes")]
    #[must_use]
    pub const fn only(mistake: Mistake) -> Self {
        Self { one: Some(mistake) }
    }

    /// The one that is made.
    #[cfg(feature = "mistakes")]
    #[must_use]
    pub const fn which(self) -> Option<Mistake> {
        self.one
    }

    /// Whether this mistake is to be made.
    #[must_use]
    #[inline]
    pub fn make(self, mistake: Mistake) -> bool {
        #[cfg(feature = "mistakes")]
        return self.one == Some(mistake);
        #[cfg(not(feature = "mistakes"))]
        {
            let _ = mistake;
            false
        }
    }
}
