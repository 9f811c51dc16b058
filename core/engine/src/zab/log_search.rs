//! Whether a log on the disk holds what a learner lacks, record by record.
//!
//! Whoever reads the log gives each record to a [`LogSearch`], oldest first, from one at or before the learner's end. What comes of
//! it is a fact for the [plan](super::plan). Sources: `ZKDatabase#getProposalsFromTxnLog`, `LearnerHandler#queueCommittedProposals`; a
//! gap, which Apache looks for at the end only (ZOOKEEPER-2418), is looked for everywhere.

use quorate_wire::Zxid;
use std::fmt;

/// A search for everything between the end of a learner's log and what the leader has in memory.
#[derive(Clone, Debug)]
pub struct LogSearch {
    at: Zxid,
    upto: Zxid,
    limit: Option<u64>,
    /// Snapshots may stand for what a log does not have.
    snapshots: Vec<Zxid>,
    floor: Option<Zxid>,
    last: Option<Zxid>,
    bytes: u64,
}

/// What a record means for a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one is needed.
    GoOn,
    /// The log holds everything after this transaction, which is the last one at or before the learner's end.
    Found(Zxid),
    /// The log is of no use.
    Useless(Useless),
}

/// Why a log is of no use for a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Useless {
    /// It begins later.
    Late,
    /// Something is missing after this transaction.
    Gap(Zxid),
    /// What the learner lacks is longer than so many bytes.
    Long(u64),
}

impl fmt::Display for Useless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => write!(f, "it begins later"),
            Self::Gap(after) => write!(f, "something is missing after {after}"),
            Self::Long(limit) => {
                write!(f, "it is longer than {limit} bytes, and the tree is cheaper")
            }
        }
    }
}

impl LogSearch {
    /// A search from `at`, where the learner's log ends, to `upto`, before the history in memory. `limit`: how many bytes of
    /// transactions may follow `at`; `snapshots`: zxids of those beside the log.
    #[must_use]
    pub const fn new(at: Zxid, upto: Zxid, limit: Option<u64>, snapshots: Vec<Zxid>) -> Self {
        Self { at, upto, limit, snapshots, floor: None, last: None, bytes: 0 }
    }

    /// The next record, of so many bytes.
    pub fn record(&mut self, zxid: Zxid, bytes: usize) -> Step {
        let last = match self.last {
            // Apache's servers may log one twice.
            Some(last) if zxid <= last => return Step::GoOn,
            Some(last) if self.follows(last, zxid) => last,
            // It may not matter yet: a history that begins anew before the learner's end is as good.
            _ if zxid <= self.at => zxid,
            Some(last) => return Step::Useless(Useless::Gap(last)),
            None => return Step::Useless(Useless::Late),
        };
        if zxid <= self.at {
            self.floor = Some(zxid);
        } else if self.floor.is_none() {
            return Step::Useless(Useless::Late);
        } else {
            self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        self.last = Some(zxid);
        match (self.limit, self.floor) {
            (Some(limit), _) if self.bytes > limit => Step::Useless(Useless::Long(limit)),
            (_, Some(floor)) if zxid == self.upto => Step::Found(floor),
            _ if zxid > self.upto => Step::Useless(Useless::Gap(last)),
            _ => Step::GoOn,
        }
    }

    /// What it means that there is no further record.
    #[must_use]
    pub fn end(&self) -> Useless {
        self.last.map_or(Useless::Late, Useless::Gap)
    }

    /// Whether nothing is missing between two records, as far as that can be told. An epoch may begin after any transaction; a snapshot
    /// of what lies between says that something does.
    fn follows(&self, last: Zxid, zxid: Zxid) -> bool {
        let between = |&snapshot: &Zxid| last < snapshot && snapshot < zxid;
        follows(last, zxid) && !self.snapshots.iter().any(between)
    }
}

/// Whether a record can come right after another one.
#[must_use]
pub const fn follows(last: Zxid, zxid: Zxid) -> bool {
    let next = zxid.0 == last.next().0 && zxid.counter() != 0;
    next || (zxid.epoch() > last.epoch() && zxid.counter() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn z(epoch: i64, counter: i64) -> Zxid {
        Zxid(epoch << 32 | counter)
    }

    /// Rows: what is special, records, snapshots, what comes of a search from 2.2 to 3.2.
    #[test]
    fn every_log_that_there_can_be() {
        use Step::{Found, Useless as No};
        let (floor, end) = (z(2, 2), z(3, 2));
        let rows: &[(&str, &[Zxid], &[Zxid], Step)] = &[
            ("whole", &[z(2, 1), z(2, 2), z(2, 3), z(3, 1), end], &[], Found(floor)),
            ("it begins right there", &[z(2, 2), z(2, 3), z(3, 1), end], &[], Found(floor)),
            ("it begins later", &[z(2, 3), z(3, 1), end], &[], No(Useless::Late)),
            ("nothing", &[], &[], No(Useless::Late)),
            ("the learner is ahead", &[z(2, 1), z(3, 1), end], &[], Found(z(2, 1))),
            ("a gap before the learner's end", &[z(1, 7), floor, z(3, 1), end], &[], Found(floor)),
            ("a gap", &[floor, z(2, 4), z(3, 1), end], &[], No(Useless::Gap(floor))),
            ("an epoch begins late", &[floor, z(3, 2)], &[], No(Useless::Gap(floor))),
            ("it ends too early", &[floor, z(2, 3), z(3, 1)], &[], No(Useless::Gap(z(3, 1)))),
            ("it goes beyond", &[floor, z(2, 3), z(4, 1)], &[], No(Useless::Gap(z(2, 3)))),
            ("one twice", &[floor, z(2, 3), z(2, 3), z(2, 2), z(3, 1), end], &[], Found(floor)),
            (
                "a snapshot of something that is not in the log",
                &[floor, z(3, 1), end],
                &[z(2, 9)],
                No(Useless::Gap(floor)),
            ),
            (
                "snapshots of what is",
                &[floor, z(2, 3), z(3, 1), end],
                &[end, z(3, 1), z(2, 3), z(2, 0), z(1, 1)],
                Found(floor),
            ),
        ];
        for &(what, records, snapshots, expected) in rows {
            let mut search = LogSearch::new(floor, end, None, snapshots.to_vec());
            let mut steps = records.iter().map(|&zxid| search.record(zxid, 10));
            let step = steps.find(|step| *step != Step::GoOn);
            assert_eq!(step.unwrap_or_else(|| No(search.end())), expected, "{what}");
        }
    }

    #[test]
    fn only_what_the_learner_lacks_counts_towards_the_limit() {
        for (limit, enough) in [(29, false), (30, true)] {
            let mut search = LogSearch::new(z(1, 2), z(1, 5), Some(limit), Vec::new());
            let step = (1..=5).map(|n| search.record(z(1, n), 10)).last().unwrap();
            let expected =
                if enough { Step::Found(z(1, 2)) } else { Step::Useless(Useless::Long(limit)) };
            assert_eq!(step, expected);
        }
    }
}
