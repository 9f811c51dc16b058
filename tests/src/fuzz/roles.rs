//! Leaders and learners that are told anything that can be read: by a stranger at the port for learners, and by a leader who lies.

use quorate_engine::quorum::Quorums;
use quorate_engine::segment::Segment;
use quorate_engine::zab::leader::Leader;
use quorate_engine::zab::learner::{Follower, Observer};
use quorate_engine::zab::message::{Features, LearnerKind};
use quorate_engine::zab::{
    Durable, Entry, History, LeaderEffect, LearnerEffect, LearnerKey, Mistakes, ToLeader,
    ToLearner, ZabConfig,
};
use quorate_wire::Zxid;
use quorate_wire::quorum::membership::Membership;
use quorate_wire::quorum::packet::Packet;
use std::sync::Arc;

/// A learner with a disk that writes at once. The log goes on, nothing is committed that it does not hold, and nothing follows the end.
macro_rules! learner {
    ($role:ty, $said:expr) => {{
        let mut role = <$role>::new(CONFIG, Durable::default(), 0);
        let mut disk = Disk::default();
        'said: for message in $said {
            role.received(message.clone(), 0);
            loop {
                let effects: Vec<LearnerEffect> = role.effects().collect();
                if effects.is_empty() {
                    break;
                }
                for effect in effects {
                    match effect {
                        LearnerEffect::WriteAccepted(epoch) => role.accepted_written(epoch),
                        LearnerEffect::WriteCurrent(epoch) => role.current_written(epoch),
                        LearnerEffect::Append(entries) => role.logged(disk.append(entries)),
                        LearnerEffect::Committed(zxid) => disk.commit(zxid),
                        LearnerEffect::Truncate(zxid) => role.truncated(disk.cut(zxid)),
                        LearnerEffect::ReceiveTree => role.tree_received(),
                        LearnerEffect::InstallTree(zxid) => {
                            disk = Disk { log: Vec::new(), base: zxid, committed: zxid };
                            role.tree_installed();
                        }
                        LearnerEffect::Leave(_) => break 'said,
                        _ => {}
                    }
                }
            }
        }
    }};
}

/// The packets in the bytes, said to an observer and to a follower by their leader, and to a leader by a stranger.
pub fn roles(data: &[u8]) {
    let (mut to_learner, mut to_leader) = (Vec::new(), Vec::new());
    let mut rest = data;
    while let Ok(Some((packet, consumed))) = Packet::read_prefix(rest, LIMIT) {
        to_learner.extend(ToLearner::from_packet(&packet));
        to_leader.extend(ToLeader::from_packet(&packet));
        rest = rest.get(consumed..).unwrap_or_default();
    }
    learner!(Follower, &to_learner);
    learner!(Observer, &to_learner);
    leader(to_leader);
}

/// What a learner's log holds.
#[derive(Default)]
struct Disk {
    base: Zxid,
    log: Vec<Entry>,
    committed: Zxid,
}

impl Disk {
    fn end(&self) -> Zxid {
        self.log.last().map_or(self.base, Entry::zxid)
    }

    fn append(&mut self, entries: Vec<Entry>) -> Zxid {
        for entry in entries {
            let (zxid, end) = (entry.zxid(), self.end());
            let follows = zxid == end.next() || (zxid.epoch() > end.epoch() && zxid.counter() == 1);
            assert!(follows, "{entry:?} after {end}");
            self.log.push(entry);
        }
        self.end()
    }

    fn commit(&mut self, zxid: Zxid) {
        assert!(zxid >= self.committed && zxid <= self.end(), "{zxid} of {}", self.end());
        self.committed = zxid;
    }

    /// Exactly there, or not at all.
    fn cut(&mut self, zxid: Zxid) -> Option<History> {
        let kept = self.log.iter().take_while(|entry| entry.zxid() <= zxid).count();
        let end = self.log.iter().take(kept).next_back().map_or(self.base, Entry::zxid);
        (end == zxid).then(|| {
            self.log.truncate(kept);
            let mut history = History::after(self.base);
            self.log.iter().for_each(|entry| history.push(entry.clone()));
            history
        })
    }
}

/// The leader goes on leading, keeps its follower, and commits what was proposed and nothing else.
fn leader(said: Vec<ToLeader>) {
    let membership = Membership::parse(SERVERS);
    assert!(membership.is_ok(), "{membership:?}");
    let Ok(membership) = membership else { return };
    let mut leader = Leader::new(CONFIG, Quorums::new(membership), Durable::default(), 0);
    let hello = ToLeader::Info {
        sid: 2,
        kind: LearnerKind::Follower,
        accepted: 0,
        config: 0,
        features: Features::NONE,
    };
    leader.connected(FOLLOWER, 0);
    leader.received(FOLLOWER, hello, 0);
    carry_out(&mut leader);
    leader.received(FOLLOWER, ToLeader::AckEpoch { current: Some(0), last: Zxid::ZERO }, 0);
    carry_out(&mut leader);
    let begin = Zxid(1 << 32);
    leader.received(FOLLOWER, ToLeader::Ack(begin), 0);
    carry_out(&mut leader);
    assert!(leader.is_established());
    let committed = leader.committed();
    let mut segment = Segment::default();
    segment.push(begin.next(), |out| out.push(b'x'));
    assert!(leader.propose(&Arc::new(segment), 0), "there is room");
    leader.logged(begin.next(), 0);
    leader.connected(STRANGER, 0);
    for message in said {
        if !carry_out(&mut leader) {
            break;
        }
        leader.received(STRANGER, message, 0);
    }
    carry_out(&mut leader);
    assert_eq!(leader.committed(), committed, "the follower has not acknowledged it");
    leader.received(FOLLOWER, ToLeader::Ack(begin.next()), 0);
    carry_out(&mut leader);
    assert_eq!(leader.committed(), begin.next());
}

/// Does what is to be done at once; returns whether the stranger is still connected.
fn carry_out(leader: &mut Leader) -> bool {
    let mut stays = true;
    loop {
        let effects: Vec<LeaderEffect> = leader.effects().collect();
        if effects.is_empty() {
            return stays;
        }
        for effect in effects {
            match effect {
                LeaderEffect::WriteAccepted(epoch) => leader.accepted_written(epoch, 0),
                LeaderEffect::WriteCurrent(epoch) => leader.current_written(epoch, 0),
                LeaderEffect::SearchLog(key, ..) => leader.log_searched(key, None),
                LeaderEffect::Close(key, why) => {
                    assert_eq!(key, STRANGER, "{why}");
                    stays = false;
                }
                LeaderEffect::Leave(why) => assert_eq!(Some(why), None, "it goes on leading"),
                _ => {}
            }
        }
    }
}

/// Small, so that lengths above the limit are common.
const LIMIT: usize = 1 << 12;
const FOLLOWER: LearnerKey = LearnerKey(1);
const STRANGER: LearnerKey = LearnerKey(2);
/// Of a quorum nobody can be missed: what a third one says must not matter.
const SERVERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nversion=0";
const CONFIG: ZabConfig = ZabConfig {
    me: 1,
    tick: 2_000,
    init_limit: 20_000,
    sync_limit: 10_000,
    ping_interval: 1_000,
    beat: Some(50),
    history_bytes: 1 << 20,
    log_sync: true,
    reconfig: true,
    mistakes: Mistakes::NONE,
};
