//! How a learner is brought to its leader's history: a pure function of where it is.
//!
//! Source: `LearnerHandler#syncFollower`. Unlike Apache's, which may send TRUNC to a learner whose snapshots keep what is
//! cut (ZOOKEEPER-1549), a leader sends TRUNC only to those of whom it knows that they drop such snapshots.

use super::{History, start_of};
use quorate_wire::Zxid;

/// What a learner is told first. Everything of the leader's history after [`from`](Plan::from) follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is at this point of the leader's history.
    Diff(Zxid),
    /// It holds what is not committed: it goes back to this point of the leader's history, or to where this epoch begins.
    Trunc(Zxid),
    /// It gets the leader's tree as it is.
    Snap,
}

/// What the leader knows of a learner and of itself.
#[derive(Clone, Copy, Debug)]
pub struct Positions<'a> {
    /// The end of the learner's log.
    pub peer: Zxid,
    /// The leader's history.
    pub history: &'a History,
    /// Up to where it is committed.
    pub committed: Zxid,
    /// Whether the learner can be trusted with TRUNC.
    pub truncates: bool,
}

impl Plan {
    /// The plan for a learner.
    #[must_use]
    pub fn of(positions: &Positions<'_>) -> Self {
        let &Positions { peer, history, committed, truncates } = positions;
        if peer <= committed && history.knows(peer) {
            return Self::Diff(peer);
        }
        // Counter 0 is where an epoch begins: whoever is there has everything before the epoch, and nothing of it.
        if peer.counter() == 0 && peer <= committed && peer >= history.base() {
            return Self::Diff(peer);
        }
        // It was sent this on an earlier connection to this very leader, and so holds all that comes before.
        if peer > committed && history.knows(peer) && truncates {
            let in_epoch = committed.epoch() == peer.epoch();
            return Self::Trunc(if in_epoch { committed } else { start_of(peer.epoch()) });
        }
        match history.floor(peer.min(committed)) {
            // Of one epoch, two logs hold the same transactions as far as both go; of an earlier one, who knows.
            Some(point) if truncates && point.epoch() == peer.epoch() && point.counter() > 0 => {
                Self::Trunc(point)
            }
            _ => Self::Snap,
        }
    }

    /// The end of what the learner has before transactions follow, if a snapshot would be of `committed`.
    #[must_use]
    pub const fn from(self, committed: Zxid) -> Zxid {
        match self {
            Self::Diff(point) | Self::Trunc(point) => point,
            Self::Snap => committed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::Entry;

    const fn z(epoch: i64, counter: i64) -> Zxid {
        Zxid(epoch << 32 | counter)
    }

    fn history(base: Zxid, entries: &[Zxid]) -> History {
        let mut history = History::after(base);
        for &zxid in entries {
            history.push(Entry::from_payload(zxid, b"x"));
        }
        history
    }

    type Row<'a> = (&'a str, Zxid, &'a [Zxid], Zxid, Zxid, Plan);

    /// Rows: what is special, base, entries, committed, peer, plan.
    #[test]
    fn every_place_where_a_learner_can_be() {
        let two = [z(1, 4), z(1, 5), z(2, 1), z(2, 2)];
        let end = z(2, 2);
        let rows: &[Row<'_>] = &[
            ("a learner that wants the tree", Zxid(0), &[z(1, 1)], z(1, 1), Zxid(-1), Plan::Snap),
            ("both are empty", Zxid(0), &[], Zxid(0), Zxid(0), Plan::Diff(Zxid(0))),
            (
                "an empty learner, all in memory",
                Zxid(0),
                &[z(1, 1)],
                z(1, 1),
                Zxid(0),
                Plan::Diff(Zxid(0)),
            ),
            ("an empty learner", z(1, 3), &two, end, Zxid(0), Plan::Snap),
            ("in step", z(1, 3), &two, end, end, Plan::Diff(end)),
            ("behind by an epoch", z(1, 3), &two, end, z(1, 5), Plan::Diff(z(1, 5))),
            ("at the edge of memory", z(1, 3), &two, end, z(1, 3), Plan::Diff(z(1, 3))),
            ("before the edge of memory", z(1, 3), &two, end, z(1, 2), Plan::Snap),
            ("ahead in the last epoch", z(1, 3), &two, end, z(2, 3), Plan::Trunc(end)),
            ("ahead in an earlier epoch", z(1, 3), &two, end, z(1, 9), Plan::Trunc(z(1, 5))),
            (
                "ahead in an epoch of which nothing is known",
                z(1, 3),
                &two,
                end,
                z(3, 1),
                Plan::Snap,
            ),
            (
                "a hole: an epoch between two that are known",
                z(1, 3),
                &[z(1, 4), z(3, 1)],
                z(3, 1),
                z(2, 7),
                Plan::Snap,
            ),
            (
                "the base is of the learner's epoch",
                z(1, 3),
                &[z(2, 1)],
                z(2, 1),
                z(1, 9),
                Plan::Trunc(z(1, 3)),
            ),
            ("the beginning of an epoch", z(1, 3), &two, end, z(2, 0), Plan::Diff(z(2, 0))),
            (
                "the beginning of an epoch before memory",
                z(2, 3),
                &[z(2, 4)],
                z(2, 4),
                z(2, 0),
                Plan::Snap,
            ),
            (
                "the beginning of an epoch of which nothing is known",
                z(1, 3),
                &two,
                end,
                z(3, 0),
                Plan::Snap,
            ),
            (
                "it holds what is proposed and not committed",
                z(1, 3),
                &two,
                z(2, 1),
                z(2, 2),
                Plan::Trunc(z(2, 1)),
            ),
            (
                "only what is not committed yet is of its epoch",
                z(1, 3),
                &two,
                z(1, 5),
                z(2, 2),
                Plan::Trunc(z(2, 0)),
            ),
        ];
        for &(what, base, entries, committed, peer, plan) in rows {
            let history = history(base, entries);
            let positions = Positions { peer, history: &history, committed, truncates: true };
            assert_eq!(Plan::of(&positions), plan, "{what}");
            let careful = Plan::of(&Positions { truncates: false, ..positions });
            let expected = if matches!(plan, Plan::Trunc(_)) { Plan::Snap } else { plan };
            assert_eq!(careful, expected, "{what}, towards a learner that keeps snapshots");
        }
    }
}
