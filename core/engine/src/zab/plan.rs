//! How a learner is brought to its leader's history: a pure function of where it is.
//!
//! Source: `LearnerHandler#syncFollower`. Unlike Apache's, which may send TRUNC to a learner whose snapshots keep what is
//! cut (ZOOKEEPER-1549), a leader sends TRUNC only to those of whom it knows that they drop such snapshots; and that a learner
//! is where an epoch begins counts only if that epoch was established.

use super::{Epoch, History, start_of};
use quorate_wire::Zxid;

/// What a learner is told first. Everything of the leader's history after [`from`](Plan::from) follows: what the memory does not hold
/// of it comes from the log on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is at this point of the leader's history.
    Diff(Zxid),
    /// It holds what is not committed: it goes back to this point of the leader's history, or to where this epoch begins.
    Trunc(Zxid),
    /// It gets the leader's tree as it is.
    Snap,
    /// It is before what is in memory: first it must be known what the leader's log holds on the disk ([`LogSearch`](super::LogSearch)).
    Search,
}

/// What a leader knows of its log on the disk, before the history that it has in memory, as far as one learner needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// Nothing yet.
    Unknown,
    /// That it is of no use: it begins later, has a gap, is longer than the tree is worth, or is not to be used.
    Useless,
    /// That it holds everything from this transaction on, which is the last one at or before the end of the learner's log.
    From(Zxid),
}

/// What the leader knows of a learner and of itself.
#[derive(Clone, Copy, Debug)]
pub struct Positions<'a> {
    /// The end of the learner's log.
    pub peer: Zxid,
    /// The leader's history.
    pub history: &'a History,
    /// What lies before it.
    pub on_disk: OnDisk,
    /// Up to where the history is committed.
    pub committed: Zxid,
    /// The leader's epoch.
    pub epoch: Epoch,
    /// Whether the learner can be trusted with TRUNC.
    pub truncates: bool,
}

impl Plan {
    /// The plan for a learner.
    #[must_use]
    pub fn of(positions: &Positions<'_>) -> Self {
        let &Positions { peer, history, committed, truncates, .. } = positions;
        if peer <= committed && history.knows(peer) {
            return Self::Diff(peer);
        }
        if peer.min(committed) < history.base() {
            return Self::from_disk(positions);
        }
        if peer.counter() == 0 && peer <= committed && positions.was_established(peer) {
            return Self::Diff(peer);
        }
        // It was sent this on an earlier connection to this very leader, and so holds all that comes before.
        if peer > committed && history.knows(peer) && truncates {
            let in_epoch = committed.epoch() == peer.epoch();
            return Self::Trunc(if in_epoch { committed } else { start_of(peer.epoch()) });
        }
        match history.floor(peer.min(committed)) {
            Some(point) if positions.may_cut_at(point) => Self::Trunc(point),
            _ => Self::Snap,
        }
    }

    /// The plan for a learner that is before what is in memory.
    fn from_disk(positions: &Positions<'_>) -> Self {
        let peer = positions.peer;
        match positions.on_disk {
            // Whoever holds nothing is not given everything that ever happened. Nor does the search tell whether the epoch that begins
            // where a learner is was established.
            _ if peer < Zxid::ZERO || peer.counter() == 0 => Self::Snap,
            OnDisk::Unknown => Self::Search,
            OnDisk::Useless => Self::Snap,
            OnDisk::From(point) if point == peer => Self::Diff(peer),
            OnDisk::From(point) if positions.may_cut_at(point) => Self::Trunc(point),
            OnDisk::From(_) => Self::Snap,
        }
    }

    /// The end of what the learner has before transactions follow, if a snapshot would be of `committed`.
    #[must_use]
    pub const fn from(self, committed: Zxid) -> Zxid {
        match self {
            Self::Diff(point) | Self::Trunc(point) => point,
            Self::Snap | Self::Search => committed,
        }
    }
}

impl Positions<'_> {
    /// Whether a learner that holds something else behind this point of the history is to go back to it.
    ///
    /// Of one epoch, two logs hold the same transactions as far as both go; of an earlier one, who knows.
    fn may_cut_at(&self, point: Zxid) -> bool {
        self.truncates && point.epoch() == self.peer.epoch() && point.counter() > 0
    }

    /// Whether the epoch that begins there has become part of this history, so that a learner which is there has
    /// everything before it and nothing of it.
    ///
    /// Only the tree of a leader brings a learner there, and one that was never established may have sent what was never committed: of
    /// that leader's epoch there is no transaction. What this leader has sent itself is its own history.
    fn was_established(&self, start: Zxid) -> bool {
        let next = self.history.since(start).next().map(|entry| entry.zxid().epoch());
        start.epoch() == self.epoch || next == Some(start.epoch())
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

    /// Of which epoch the leader is in all of them.
    const EPOCH: Epoch = 9;

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
            ("before the edge of memory", z(1, 3), &two, end, z(1, 2), Plan::Search),
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
                "the beginning of an epoch that was never established",
                z(1, 3),
                &[z(1, 4), z(3, 1)],
                z(3, 1),
                z(2, 0),
                Plan::Snap,
            ),
            (
                "the beginning of this leader's epoch, of which there is nothing yet",
                z(1, 3),
                &[z(1, 4)],
                z(EPOCH, 0),
                z(EPOCH, 0),
                Plan::Diff(z(EPOCH, 0)),
            ),
            (
                "the beginning of the last epoch, of which there is nothing",
                z(1, 3),
                &[z(1, 4)],
                z(EPOCH, 0),
                z(EPOCH - 1, 0),
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
            let on_disk = OnDisk::Unknown;
            check(
                what,
                Positions {
                    peer,
                    history: &history,
                    on_disk,
                    committed,
                    epoch: EPOCH,
                    truncates: true,
                },
                plan,
            );
        }
    }

    /// Rows: what is special, what the disk holds, peer, plan. In memory is what follows 3.3, up to 4.1.
    #[test]
    fn every_place_where_a_learner_can_be_that_is_before_memory() {
        use OnDisk::{From, Unknown, Useless};
        let history = history(z(3, 3), &[z(3, 4), z(4, 1)]);
        let rows = [
            ("nobody has looked", Unknown, z(3, 2), Plan::Search),
            ("it is in the log", From(z(3, 2)), z(3, 2), Plan::Diff(z(3, 2))),
            ("it is in the log, epochs ago", From(z(1, 9)), z(1, 9), Plan::Diff(z(1, 9))),
            ("the log is of no use", Useless, z(3, 2), Plan::Snap),
            ("an empty learner", Unknown, Zxid(0), Plan::Snap),
            ("an empty learner, and a log from the beginning", From(Zxid(0)), Zxid(0), Plan::Snap),
            ("a learner that wants the tree", Unknown, Zxid(-1), Plan::Snap),
            ("ahead in an earlier epoch", Unknown, z(2, 7), Plan::Search),
            ("ahead in an earlier epoch", From(z(2, 5)), z(2, 7), Plan::Trunc(z(2, 5))),
            ("ahead in an epoch of which there is nothing", From(z(1, 9)), z(2, 7), Plan::Snap),
            ("where an epoch begins, which may not have been one", Unknown, z(2, 0), Plan::Snap),
        ];
        for (what, on_disk, peer, plan) in rows {
            let (history, committed, epoch) = (&history, z(4, 1), 4);
            check(
                what,
                Positions { peer, history, on_disk, committed, epoch, truncates: true },
                plan,
            );
        }
        // What is in memory needs no disk, whatever is known of it.
        for on_disk in [Unknown, Useless, From(z(1, 1))] {
            let (history, committed, peer) = (&history, z(4, 1), z(3, 4));
            check(
                "in memory",
                Positions { peer, history, on_disk, committed, epoch: 4, truncates: true },
                Plan::Diff(peer),
            );
        }
    }

    fn check(what: &str, positions: Positions<'_>, plan: Plan) {
        assert_eq!(Plan::of(&positions), plan, "{what}");
        let careful = Plan::of(&Positions { truncates: false, ..positions });
        let expected = if matches!(plan, Plan::Trunc(_)) { Plan::Snap } else { plan };
        assert_eq!(careful, expected, "{what}, towards a learner that keeps snapshots");
    }
}
