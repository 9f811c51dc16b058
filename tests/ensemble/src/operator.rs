//! What an operator may do to the disk of a voter that is down: empty it, or put an old copy back.
//!
//! Zab allows neither by itself. A server that has forgotten what it acknowledged, or promised, is a hole in every quorum that counts it. It does no harm if
//! nothing is forgotten with it that counts: if no quorum could be without somebody, other than this server, who has on the disk
//!
//! * everything that is committed, in the history of the newest established epoch (its `currentEpoch` says so), and
//! * a promise of no older an epoch than this server has promised;
//!
//! and if nobody counts on it any more: no leader has a connection of it open, by which acknowledgements and promises of its count. Of three voters both
//! others must be up to date, of five all but one of the four. Who does not vote may forget everything.

use crate::disk::Disk;
use crate::state::Kept;
use quorate_engine::quorum::Quorums;
use quorate_engine::zab::{Epoch, Mistake, Mistakes, Sid};
use quorate_tests_kit::random::Random;
use quorate_wire::Zxid;
use std::collections::BTreeSet;

/// What counts in an ensemble.
#[derive(Clone, Copy, Debug)]
pub struct Counts<'a> {
    /// Who decides.
    pub quorums: &'a Quorums,
    /// The last transaction that is committed.
    pub committed: Zxid,
    /// The newest epoch that was established.
    pub established: Epoch,
}

/// Whether the ensemble loses nothing with what is on this server's disk.
pub fn may_forget<'a, S: Kept + 'a>(
    sid: Sid,
    disks: impl Iterator<Item = (Sid, &'a Disk<S>)> + Clone,
    counts: &Counts<'_>,
) -> bool {
    if !counts.quorums.is_voter(sid) {
        return true;
    }
    let promised = disks.clone().find(|(at, _)| *at == sid).map_or(0, |(_, disk)| disk.epochs().0);
    let others = disks.filter(|(at, disk)| {
        let (accepted, current) = disk.epochs();
        let holds = disk.safe() >= counts.committed && current >= counts.established;
        *at != sid && holds && accepted >= promised
    });
    let others: BTreeSet<Sid> = others.map(|(at, _)| at).collect();
    !counts.quorums.is_quorum(|at| !others.contains(&at))
}

/// What is on a disk instead of what was there, and whether that is a copy; nothing if that stays.
pub fn replace<S: Kept>(
    copy: Option<&Disk<S>>,
    may_forget: bool,
    mistakes: Mistakes,
    random: &mut Random,
) -> Option<(Disk<S>, bool)> {
    let copy = copy.filter(|_| random.chance(500));
    let careless = if copy.is_some() { Mistake::RestoreAnyone } else { Mistake::WipeAnyone };
    let new = || copy.map_or_else(|| (Disk::new(mistakes), false), |copy| (copy.clone(), true));
    (may_forget || mistakes.make(careless)).then(new)
}
