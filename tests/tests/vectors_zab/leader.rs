//! The learner's side of a capture, played to our leader, which is moved to say what the captured one said.

use crate::capture::{Captured, Down, txn_of};
use crate::learner::{config_of, history};
use quorate_engine::quorum::Quorums;
use quorate_engine::segment::Segment;
use quorate_engine::zab::leader::Leader;
use quorate_engine::zab::message::{Features, LearnerKind, Request};
use quorate_engine::zab::{
    Durable, Entry, LeaderEffect, LearnerKey, Sid, ToLeader, ToLearner, start_of,
};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What our leader says otherwise, and how often.
pub(crate) type Differences = BTreeMap<&'static str, usize>;

/// A leader of ours that is not told that reconfiguration is enabled takes the captured one for a transaction like others.
pub(crate) const NO_ACTIVATION: &str =
    "COMMIT or INFORM of a reconfiguration, which does not take effect";
/// A leader of ours that has everything in memory sends it; Apache's sends a tree to whoever has nothing.
pub(crate) const ALL_OF_IT: &str = "DIFF of everything instead of SNAP";
/// Section 16.1 of the protocol's description: Apache's learners keep snapshots of what they cut.
pub(crate) const NO_CUT: &str = "SNAP of the beginning of the epoch instead of TRUNC";
/// A sync is answered when a quorum has confirmed that this server still leads (ZOOKEEPER-1675).
pub(crate) const ASKED_FIRST: &str = "PING before SYNC";

const LEARNER: LearnerKey = LearnerKey(1);
const ALLY: LearnerKey = LearnerKey(2);

/// A leader with the captured learner and, where it led before, another one that does whatever it is told.
pub(crate) struct Court<'a> {
    captured: &'a Captured,
    leader: Leader,
    me: Sid,
    /// What the learner is sent.
    sent: VecDeque<Down>,
    /// What the learner has not said yet.
    acks: VecDeque<ToLeader>,
    pings: VecDeque<ToLeader>,
    asks: VecDeque<ToLeader>,
    requests: Vec<Request>,
    touched: usize,
    revalidated: usize,
    now: i64,
    pub(crate) differences: Differences,
}

/// Plays a capture to a leader. Returns it with everything that it said otherwise.
pub(crate) fn play(captured: &Captured, features: Features) -> Court<'_> {
    let mut court = Court::of(captured);
    if captured.late {
        court.establish();
    }
    for down in &captured.down {
        if court.sent.is_empty() {
            court.bring_about(down, features);
        }
        court.compare(down);
    }
    assert!(court.sent.is_empty(), "{}: more than was captured", captured.name);
    court
}

impl<'a> Court<'a> {
    fn of(captured: &'a Captured) -> Self {
        let config = captured.messages().find_map(|message| match message {
            ToLearner::NewLeader(_, config) => config.as_deref(),
            _ => None,
        });
        let membership = Membership::parse(config.expect("NEWLEADER")).expect("a configuration");
        let me = membership.voters().find(|&sid| sid != captured.sid()).expect("somebody leads");
        let before = captured.epoch() - 1;
        let of_before = captured.before.values().filter(|e| e.zxid().epoch() <= before);
        let durable = Durable {
            accepted_epoch: before,
            current_epoch: before,
            history: history(Zxid::ZERO, &of_before.cloned().collect::<Vec<_>>()),
            ..Durable::default()
        };
        let pick = |which: fn(&ToLeader) -> bool| -> VecDeque<ToLeader> {
            captured.up.iter().filter(|said| which(said)).cloned().collect()
        };
        let mut court = Self {
            captured,
            leader: Leader::new(config_of(me), Quorums::new(membership), durable, 0),
            me,
            sent: VecDeque::new(),
            acks: pick(|said| matches!(said, ToLeader::Ack(_))),
            pings: pick(|said| matches!(said, ToLeader::Ping(..))),
            asks: pick(|said| match said {
                ToLeader::Request(request) => request.is_sync(),
                said => matches!(said, ToLeader::Revalidate { .. }),
            }),
            requests: Vec::new(),
            touched: 0,
            revalidated: 0,
            now: 0,
            differences: Differences::new(),
        };
        court.carry_out();
        court
    }

    /// Leads with another learner, and commits what the captured leader had committed.
    fn establish(&mut self) {
        let epoch = self.captured.epoch();
        let other = |sid: &Sid| *sid != self.me && *sid != self.captured.sid();
        let sid = [1, 2, 3].into_iter().find(other).expect("an ally");
        self.leader.connected(ALLY, self.now);
        self.ally(ToLeader::Info {
            sid,
            kind: LearnerKind::Follower,
            accepted: epoch - 1,
            config: 0,
            features: Features::NONE,
        });
        self.carry_out();
        assert!(self.leader.is_established(), "{}", self.captured.name);
        for entry in self.captured.before.values().filter(|e| e.zxid().epoch() == epoch) {
            self.propose(entry);
            self.leader.logged(entry.zxid(), self.now);
            self.carry_out();
        }
        assert_eq!(self.leader.committed(), self.end());
    }

    /// The last transaction that the leader had committed when the learner came.
    fn end(&self) -> Zxid {
        self.captured.before.keys().next_back().copied().unwrap_or_default()
    }

    fn ally(&mut self, message: ToLeader) {
        self.leader.received(ALLY, message, self.now);
    }

    fn learner(&mut self, message: ToLeader) {
        self.leader.received(LEARNER, message, self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        loop {
            let effects: Vec<LeaderEffect> = self.leader.effects().collect();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.carry(effect));
        }
    }

    fn carry(&mut self, effect: LeaderEffect) {
        match effect {
            LeaderEffect::Send(ALLY, message) => self.tell_ally(&message),
            LeaderEffect::Send(_, message) => self.sent.push_back(Down::Message(message)),
            LeaderEffect::SendTree(_) => self.sent.push_back(Down::Tree(Vec::new())),
            LeaderEffect::SearchLog(key, ..) => self.leader.log_searched(key, None),
            LeaderEffect::SendLog(..) => panic!("{}: nothing was found", self.captured.name),
            LeaderEffect::Close(_, why) => panic!("{}: it closes: {why}", self.captured.name),
            LeaderEffect::Leave(why) => panic!("{}: it leaves: {why}", self.captured.name),
            LeaderEffect::WriteAccepted(epoch) => self.leader.accepted_written(epoch, self.now),
            LeaderEffect::WriteCurrent(epoch) => self.leader.current_written(epoch, self.now),
            LeaderEffect::Established(epoch) => assert_eq!(epoch, self.captured.epoch()),
            LeaderEffect::Committed(_)
            | LeaderEffect::Synced(_)
            | LeaderEffect::SawConfig(_)
            | LeaderEffect::Activate(..)
            | LeaderEffect::Followers(_) => {}
            LeaderEffect::Request(_, request) => self.requests.push(request),
            LeaderEffect::Touched(..) => self.touched += 1,
            LeaderEffect::Revalidate(..) => self.revalidated += 1,
        }
    }

    fn tell_ally(&mut self, message: &ToLearner) {
        match message {
            ToLearner::LeaderInfo(epoch, _) => {
                let (current, last) = (Some(epoch - 1), self.leader.history().last());
                self.ally(ToLeader::AckEpoch { current, last });
            }
            ToLearner::NewLeader(epoch, _) => self.ally(ToLeader::Ack(start_of(*epoch))),
            ToLearner::Proposal(entry) => self.ally(ToLeader::Ack(entry.zxid())),
            ToLearner::Ping(zxid) => self.ally(ToLeader::Ping(*zxid, Vec::new())),
            _ => {}
        }
    }

    fn propose(&mut self, entry: &Entry) {
        let mut segment = Segment::default();
        segment.push(entry.zxid(), |out| out.extend_from_slice(entry.payload()));
        self.leader.propose(&Arc::new(segment), self.now);
        self.carry_out();
    }

    /// Does what lets the leader say this next.
    fn bring_about(&mut self, down: &Down, features: Features) {
        let Down::Message(message) = down else { return };
        match message {
            ToLearner::LeaderInfo(..) => {
                self.leader.connected(LEARNER, self.now);
                let mut info = self.captured.up[0].clone();
                if let ToLeader::Info { features: its, .. } = &mut info {
                    *its = features;
                }
                self.learner(info);
            }
            ToLearner::Diff(_) | ToLearner::Trunc(_) | ToLearner::Snap(_) => {
                self.learner(self.captured.up[1].clone());
            }
            ToLearner::UpToDate => {
                let first = self.acks.pop_front().expect("an ACK of NEWLEADER");
                self.learner(first);
            }
            ToLearner::Ping(_) => {
                self.now = self.leader.deadline();
                self.leader.tick(self.now);
                self.carry_out();
            }
            ToLearner::Commit(zxid) | ToLearner::CommitAndActivate(zxid, _) => self.commit(*zxid),
            ToLearner::Sync | ToLearner::Revalidate { .. } => {
                let ask = self.asks.pop_front().expect("a question");
                self.learner(ask);
                if let ToLearner::Revalidate { .. } = message {
                    // Who keeps the sessions answers.
                    assert_eq!(std::mem::take(&mut self.revalidated), 1);
                    self.sent.push_back(down.clone());
                }
            }
            message => {
                let entry = txn_of(message).expect("nothing else is left");
                if let Some(request) = self.captured.request_for(entry) {
                    self.learner(ToLeader::Request(request.clone()));
                    assert_eq!(self.requests.pop().as_ref(), Some(request));
                }
                self.propose(entry);
                if !matches!(message, ToLearner::Proposal(_)) {
                    self.commit(entry.zxid());
                }
            }
        }
    }

    /// The learner acknowledges as far as this, and so does the leader's own log.
    fn commit(&mut self, zxid: Zxid) {
        let upto = |said: &mut ToLeader| matches!(said, ToLeader::Ack(acked) if *acked <= zxid);
        while let Some(ack) = self.acks.pop_front_if(upto) {
            self.learner(ack);
        }
        self.leader.logged(zxid, self.now);
        self.carry_out();
    }

    fn differs(&mut self, how: &'static str) {
        *self.differences.entry(how).or_default() += 1;
    }

    fn compare(&mut self, expected: &Down) {
        let name = &self.captured.name;
        let Down::Message(expected) = expected else {
            if !self.differences.contains_key(ALL_OF_IT) {
                assert!(matches!(self.sent.pop_front(), Some(Down::Tree(_))), "{name}: no tree");
            }
            return;
        };
        let Some(Down::Message(said)) = self.sent.pop_front() else {
            panic!("{name}: no {expected:?}");
        };
        match (expected, &said) {
            (expected, said) if expected == said => {}
            (ToLearner::CommitAndActivate(zxid, _), ToLearner::Commit(ours)) if zxid == ours => {
                self.differs(NO_ACTIVATION);
            }
            (ToLearner::InformAndActivate(entry, _), ToLearner::Inform(ours)) if entry == ours => {
                self.differs(NO_ACTIVATION);
            }
            (ToLearner::Snap(_), ToLearner::Diff(end)) if *end == self.end() => {
                self.differs(ALL_OF_IT);
                self.expect_everything();
            }
            (ToLearner::Trunc(_), ToLearner::Snap(zxid)) => {
                assert_eq!(*zxid, start_of(self.captured.epoch()).max(self.end()));
                self.differs(NO_CUT);
                assert!(matches!(self.sent.pop_front(), Some(Down::Tree(_))), "{name}: no tree");
            }
            (ToLearner::Sync, ToLearner::Ping(last)) => {
                self.differs(ASKED_FIRST);
                assert!(self.sent.is_empty(), "{name}: it has not waited");
                self.learner(ToLeader::Ping(*last, Vec::new()));
                assert!(matches!(self.sent.pop_front(), Some(Down::Message(ToLearner::Sync))));
            }
            (expected, said) => panic!("{name}: {said:?} instead of {expected:?}"),
        }
        self.answer(expected);
    }

    /// What the learner says to this by itself.
    fn answer(&mut self, message: &ToLearner) {
        match message {
            ToLearner::UpToDate => {
                let second = self.acks.pop_front().expect("an ACK of UPTODATE");
                assert_eq!(second, ToLeader::Ack(start_of(self.captured.epoch())));
                self.learner(second);
            }
            ToLearner::Ping(_) => {
                if let Some(ping) = self.pings.pop_front() {
                    let ToLeader::Ping(_, touched) = &ping else { return };
                    let before = self.touched + touched.len();
                    self.learner(ping);
                    assert_eq!(self.touched, before);
                }
            }
            _ => {}
        }
    }

    /// All transactions that the learner had not, with their commits.
    fn expect_everything(&mut self) {
        for (zxid, entry) in &self.captured.before {
            for expected in [ToLearner::Proposal(entry.clone()), ToLearner::Commit(*zxid)] {
                match self.sent.pop_front() {
                    Some(Down::Message(said)) => assert_eq!(said, expected),
                    _ => panic!("no {expected:?}"),
                }
            }
        }
    }

    /// Everything that the learner said was used.
    pub(crate) fn left_over(&self) -> usize {
        self.acks.len() + self.pings.len() + self.asks.len() + self.requests.len()
    }
}
