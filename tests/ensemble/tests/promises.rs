//! The promises of an ensemble, shown on purpose: what survives a leader, what does not, and what becomes of one that comes back.
//!
//! Three servers whose disks answer at once. Nothing here is left to chance.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use quorate_engine::quorum::Quorums;
use quorate_engine::segment::Segment;
use quorate_engine::zab::leader::Leader;
use quorate_engine::zab::learner::Follower;
use quorate_engine::zab::{
    LeaderEffect, LearnerEffect, LearnerKey, Leaving, Mistakes, Sid, ToLearner, ZabConfig,
};
use quorate_tests_ensemble::disk::{Disk, Write};
use quorate_tests_ensemble::state::entry;
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const TICK: i64 = 1_000;

/// A leader and its followers, and what they have done.
struct Ensemble {
    now: i64,
    leader: Leader,
    /// The leader's disk.
    disk: Disk,
    followers: BTreeMap<Sid, (Follower, Disk)>,
    /// What has been sent to followers, and not received.
    sent: VecDeque<(Sid, ToLearner)>,
    established: bool,
    /// Up to where the leader has committed.
    committed: Zxid,
    left: Option<Leaving>,
    /// Messages of the leader that are lost because it ends before they leave.
    unsent: fn(&ToLearner) -> bool,
}

fn config(me: Sid) -> ZabConfig {
    let (tick, mistakes) = (TICK, Mistakes::NONE);
    let (init_limit, sync_limit) = (10 * tick, 5 * tick);
    ZabConfig {
        me,
        tick,
        init_limit,
        sync_limit,
        ping_interval: tick / 2,
        beat: None,
        history_bytes: 1 << 20,
        log_sync: true,
        reconfig: false,
        mistakes,
    }
}

impl Ensemble {
    /// These servers, of three, come together.
    fn new(leader: (Sid, Disk), followers: impl IntoIterator<Item = (Sid, Disk)>) -> Self {
        let three = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nversion=0";
        let quorums = Quorums::new(Membership::parse(three).unwrap());
        let (sid, mut disk) = leader;
        let leader = Leader::new(config(sid), quorums, disk.open(usize::MAX).1, 0);
        let mut this = Self {
            now: 0,
            leader,
            disk,
            followers: BTreeMap::new(),
            sent: VecDeque::new(),
            established: false,
            committed: Zxid::ZERO,
            left: None,
            unsent: |_| false,
        };
        for (sid, disk) in followers {
            this.join(sid, disk);
        }
        this
    }

    fn join(&mut self, sid: Sid, mut disk: Disk) {
        let durable = disk.open(usize::MAX).1;
        self.leader.connected(LearnerKey(sid.unsigned_abs()), self.now);
        self.followers.insert(sid, (Follower::new(config(sid), durable, self.now), disk));
        self.run();
    }

    /// A server goes away; what is on its disk stays.
    fn lose(&mut self, sid: Sid) -> Disk {
        self.leader.disconnected(LearnerKey(sid.unsigned_abs()));
        self.followers.remove(&sid).unwrap().1
    }

    fn propose(&mut self, value: u64) -> Zxid {
        let zxid = self.leader.next_zxid();
        let mut segment = Segment::default();
        let made = entry(zxid, value);
        segment.push(zxid, |out| out.extend_from_slice(made.payload()));
        self.leader.propose(&Arc::new(segment), self.now);
        self.disk.append(vec![made]);
        self.disk.complete(&Write::Sync(zxid));
        self.leader.logged(zxid, self.now);
        self.run();
        zxid
    }

    /// Everything that is to be done is done, until nothing is.
    fn run(&mut self) {
        loop {
            let mut idle = true;
            for effect in self.leader.effects().collect::<Vec<_>>() {
                idle = false;
                self.lead(effect);
            }
            for sid in self.followers.keys().copied().collect::<Vec<_>>() {
                let (follower, _) = self.followers.get_mut(&sid).unwrap();
                for effect in follower.effects().collect::<Vec<_>>() {
                    idle = false;
                    self.follow(sid, effect);
                }
            }
            // Disks answer at once, so no follower is busy any more.
            if idle && let Some((sid, message)) = self.sent.pop_front() {
                if let Some((follower, _)) = self.followers.get_mut(&sid) {
                    follower.received(message, self.now);
                }
            } else if idle {
                return;
            }
        }
    }

    fn lead(&mut self, effect: LeaderEffect) {
        match effect {
            LeaderEffect::Send(LearnerKey(key), message) if !(self.unsent)(&message) => {
                self.sent.push_back((Sid::try_from(key).unwrap(), message));
            }
            LeaderEffect::WriteAccepted(epoch) => {
                self.disk.complete(&Write::Accepted(epoch));
                self.leader.accepted_written(epoch, self.now);
            }
            LeaderEffect::WriteCurrent(epoch) => {
                self.disk.complete(&Write::Current(epoch));
                self.leader.current_written(epoch, self.now);
            }
            LeaderEffect::Established(_) => self.established = true,
            LeaderEffect::Committed(zxid) => self.committed = zxid,
            LeaderEffect::Leave(why) => self.left = Some(why),
            LeaderEffect::Synced(_) => panic!("nobody leads who answers this"),
            _ => {}
        }
    }

    fn follow(&mut self, sid: Sid, effect: LearnerEffect) {
        let (follower, disk) = self.followers.get_mut(&sid).unwrap();
        match effect {
            LearnerEffect::Send(message) => {
                self.leader.received(LearnerKey(sid.unsigned_abs()), message, self.now);
            }
            LearnerEffect::WriteAccepted(epoch) => {
                disk.complete(&Write::Accepted(epoch));
                follower.accepted_written(epoch);
            }
            LearnerEffect::WriteCurrent(epoch) => {
                disk.complete(&Write::Current(epoch));
                follower.current_written(epoch);
            }
            LearnerEffect::Append(entries) => {
                disk.append(entries);
                disk.complete(&Write::Sync(disk.end()));
                follower.logged(disk.end());
            }
            LearnerEffect::Truncate(zxid) => {
                assert!(disk.can_cut(zxid));
                disk.complete(&Write::Truncate(zxid));
                let history = disk.open(usize::MAX).1.history;
                follower.truncated(Some(history));
            }
            LearnerEffect::Leave(why) => panic!("{sid} leaves: {why}"),
            _ => {}
        }
    }
}

/// What a server would show after a start.
fn values(disk: &mut Disk) -> Vec<u64> {
    disk.open(usize::MAX).0.0.into_iter().map(|(_, value)| value).collect()
}

/// A leader dies after a quorum has logged a proposal, and before any COMMIT: the proposal survives.
#[test]
fn what_a_quorum_has_logged_survives_its_leader() {
    let new = Disk::default;
    let mut first = Ensemble::new((1, new()), [(2, new()), (3, new())]);
    assert!(first.established);
    let acknowledged = first.propose(10);
    assert_eq!(first.committed, acknowledged);
    // Server 3 is away when the last one is made.
    let third = first.lose(3);
    first.unsent = |message| matches!(message, ToLearner::Commit(_));
    let last = first.propose(11);
    let mut second = first.lose(2);
    assert_eq!(values(&mut second), [10, 11], "it is in the log of server 2");

    let mut next = Ensemble::new((2, second), [(3, third)]);
    assert!(next.established && next.committed == Zxid::ZERO);
    let (_, mut third) = next.followers.remove(&3).unwrap();
    assert_eq!(values(&mut third), [10, 11], "the next leader has committed it");
    assert_eq!(next.leader.committed(), last);
}

/// What only the dead leader had logged is gone when it comes back.
#[test]
fn what_only_a_dead_leader_has_logged_is_gone() {
    let new = Disk::default;
    let mut first = Ensemble::new((3, new()), [(1, new()), (2, new())]);
    first.propose(10);
    let others = [1, 2].map(|sid| first.lose(sid));
    let lonely = first.propose(11);
    assert!(first.committed < lonely, "nothing is committed without a quorum");
    let mut dead = first.disk;
    assert_eq!(values(&mut dead), [10, 11]);

    let [one, two] = others;
    let mut next = Ensemble::new((2, two), [(1, one)]);
    next.propose(12);
    next.join(3, dead);
    next.propose(13);
    let (_, mut back) = next.followers.remove(&3).unwrap();
    assert_eq!(values(&mut back), [10, 12, 13]);
}

/// A leader that stands still with a write in its hands while another is elected: its write is refused when it goes on, nobody
/// takes it, it answers no sync, and it steps down.
#[test]
fn a_leader_that_was_replaced_while_it_stood_still_commits_nothing() {
    let new = Disk::default;
    let mut old = Ensemble::new((3, new()), [(1, new()), (2, new())]);
    old.propose(10);
    // The others have given it up, and it does not know yet: nothing that it sends arrives.
    let [one, two] = [1, 2].map(|sid| old.followers.remove(&sid).unwrap().1);
    let mut next = Ensemble::new((2, two), [(1, one)]);
    next.propose(12);

    old.now += 20 * TICK;
    let lost = old.propose(11);
    old.leader.sync(old.now);
    old.run();
    assert!(old.committed < lost, "it commits nothing");
    old.leader.tick(old.now);
    old.run();
    assert_eq!(old.left, Some(Leaving::NoQuorum), "it steps down");

    next.join(3, old.disk);
    let (_, mut back) = next.followers.remove(&3).unwrap();
    assert_eq!(values(&mut back), [10, 12], "its write is gone");
}

/// A server that has promised a newer epoch takes no leader of an older one.
#[test]
fn a_promise_binds() {
    let (mut promised, other) = (Disk::default(), Disk::default());
    promised.complete(&Write::Accepted(7));
    let next = Ensemble::new((1, other), [(2, promised)]);
    assert!(next.established);
    assert_eq!(next.leader.epoch(), Some(8), "newer than any that a quorum has promised");
}
